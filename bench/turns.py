"""Sides of a comparison that take short turns: one goes on, all others stand still.

The speed of a machine that others share wanders by a third within seconds; two measurements of some
seconds, one after the other, then tell of the machine. So every side is a process that lives as
long as the comparison, and is stopped by a signal while the others have their turns (POSIX).
"""

import mmap
import os
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Page

from bench.browser import NEXT_STEP, SCREEN, STEP, Server, chromium, settle
from core.shared.engine import Engine

__all__ = ["TURN", "TURNS", "WARM", "Counter", "Side", "at_work", "loop", "opened", "speeds"]

TURN = 2.0  # seconds that are measured of each turn
WARM = 0.8  # before these: what was asked of it while it stood still is answered
TURNS = 5  # of each side that make one of its figures


@dataclass(frozen=True, slots=True)
class Side:
    """What is compared."""

    process: int  # that stands still while the others have their turns
    count: Callable[[], tuple[float, float]]  # what is done so far, and when that was, in seconds


class Counter:
    """In a process that is compared: says to the bench how much it has done."""

    def __init__(self, file: str) -> None:
        with Path(file).open("r+b") as opened:
            self._shared, self._done = mmap.mmap(opened.fileno(), 8), 0

    def add(self, count: int) -> None:
        """Say that so much more is done."""
        self._done += count
        struct.pack_into("d", self._shared, 0, self._done)


@contextmanager
def loop(module: str, arguments: Sequence[str]) -> Iterator[Side]:
    """Start `python -m MODULE … --count FILE`, which goes on until it is ended, and wait for it."""
    with tempfile.NamedTemporaryFile(prefix="glassbox-") as file:
        file.write(bytes(8))
        file.flush()
        command = [sys.executable, "-m", module, *arguments, "--count", file.name]
        process = subprocess.Popen(command)

        def count() -> tuple[float, float]:
            return struct.unpack("d", Path(file.name).read_bytes())[0], time.perf_counter()

        try:
            while not count()[0]:
                if process.poll() is not None:
                    raise RuntimeError(f"{' '.join(command)} has ended")
                time.sleep(0.01)
            with standing(process.pid):  # the next one starts on a machine of its own
                yield Side(process.pid, count)
        finally:
            process.kill()
            process.wait()


@contextmanager
def at_work(target: str, config: Any, total: float) -> Iterator[Side]:
    """Start long work in an engine of its own, with nobody looking.

    Args:
        target: the work, "module:function".
        config: of it.
        total: what it will have done in the end.
    """
    with tempfile.TemporaryDirectory() as folder, Engine(Path(folder)) as engine:
        run = engine.submit(target, config, visitor="bench")

        def count() -> tuple[float, float]:
            done = engine.ask(run, "builtins:getattr", "progress")
            if not (view := engine.view(run)).live:
                raise RuntimeError(f"the run has {view.status}: {view.failure}")
            return total * done, time.perf_counter()

        while not count()[0]:
            time.sleep(0.01)
        with standing(engine.ready()["owners"][0]["process"]) as owner:
            yield Side(owner, count)


@contextmanager
def opened(
    panel: str, asked: Mapping[str, object], each: float
) -> Iterator[tuple[Side, Page, Server]]:
    """Start a run on its page, in a Chromium that shares the cores.

    Args:
        panel: the page.
        asked: its settings, as they stand in the address.
        each: what a step does.
    """
    server = Server()
    try:
        with chromium() as browser:
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(f"{server.url}/{panel}?{urlencode(asked)}")
            settle(page)
            page.get_by_role("button", name="Start", exact=True).click()
            told = f"{SCREEN}.querySelector('.figures b') && {STEP} > 20"
            page.wait_for_function(f"() => {told}", timeout=120_000)

            def count() -> tuple[float, float]:
                step, milliseconds = page.evaluate(NEXT_STEP)
                return each * step, milliseconds / 1000

            with standing(server.ready()["owners"][0]["process"]) as owner:
                yield Side(owner, count), page, server
    finally:
        server.close()


def speeds(sides: Mapping[str, Side], figures: int, turns: int = TURNS) -> dict[str, list[float]]:
    """Let all sides have their turns, again and again.

    Returns: so many figures of each: what is done a second, over so many turns.
    """
    found: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(figures):
        done, took = dict.fromkeys(sides, 0.0), dict.fromkeys(sides, 0.0)
        for turn in range(turns):
            for name in [*sides][:: 1 if turn % 2 else -1]:
                os.kill(sides[name].process, signal.SIGCONT)
                time.sleep(WARM)
                first, began = sides[name].count()
                time.sleep(TURN)
                last, ended = sides[name].count()
                os.kill(sides[name].process, signal.SIGSTOP)
                done[name] += last - first
                took[name] += ended - began
        for name in sides:
            found[name].append(done[name] / took[name])
    return found


@contextmanager
def standing(process: int) -> Iterator[int]:
    """Let a process stand still; it goes on at the end, as else it could not be closed."""
    os.kill(process, signal.SIGSTOP)
    try:
        yield process
    finally:
        os.kill(process, signal.SIGCONT)
