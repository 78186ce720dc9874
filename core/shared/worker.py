"""One owner process as the server holds it: its pipe, its threads, its watchdog, its restarts."""

import logging
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

from core.shared import process

__all__ = ["Settings", "Worker"]

WAY = 0.1  # seconds that a page has the cores for when it is drawn, and then the work at least
STARTING = 120.0  # seconds that a process may take to import and find its device
FAST = 10.0  # seconds; a process that lives no longer has died fast
FAST_DEATHS = 3  # in a row, then we wait before the next try

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is the same for all owners of an engine."""

    inline: bool  # one in a thread of this process, for notebooks and tests
    memory: int | None  # bytes that new work may take on a CPU; None for nine tenths of the free
    patience: float  # seconds without a sign of life, after which a process is ended


class Worker:
    """One owner process, started again whenever it ends."""

    def __init__(
        self,
        wish: str | None,
        settings: Settings,
        receive: Callable[..., None],
        died: Callable[["Worker", int, str, bool], None],
    ) -> None:
        """Prepare; nothing starts yet.

        Args:
            wish: the device's name; None for the best one.
            settings: of the engine.
            receive: takes this worker and each message of its process, the kind of it first.
            died: takes this worker, the number of the work that was in hand (0 for none), what
                happened as the predicate of a sentence about the engine, and whether somebody else
                killed the process: then the work in hand deserves another try.
        """
        self.wish, self.settings, self._tell, self._died = wish, settings, receive, died
        self.device, self.description, self.trouble = wish or "", "", ""
        self.up = threading.Event()
        self.process: subprocess.Popen[bytes] | None = None
        self.closing = False
        self._outbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._beat = process.Shared()
        self._made_way = 0.0  # when, on the monotonic clock
        self._thread = threading.Thread(target=self._watch, daemon=True, name="engine-watch")

    def start(self) -> None:
        """Start the process, and watch it from now on."""
        self._thread.start()

    def close(self) -> None:
        """End the process for good; what it has in hand is kept if it ends within seconds."""
        self.closing = True
        if self.up.is_set():
            self.send("close")
        elif self.process is not None:
            self.process.kill()
        if self._thread.is_alive():
            self._thread.join(5)
        if self.process is not None:
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(1)
            self.process.kill()
            self.process.wait(5)

    def send(self, *message: object) -> None:
        """Send to the process, never waiting for it; what it does not get, the next one is told."""
        if self.up.is_set():
            self._outbox.put(message)

    def make_way(self) -> None:
        """Let the runs leave the cores to a page for a moment, where they compute on the same.

        However often a page asks, the runs keep half of the time.
        """
        now = time.monotonic()
        if now - self._made_way >= 2 * WAY:
            self._made_way, self._beat[2] = now, now + WAY

    def _watch(self) -> None:
        deaths = 0
        while not self.closing:
            began = time.monotonic()
            try:
                reason, culprit, killed = self._life()
            except Exception as error:
                log.exception("the engine process was lost")
                reason, culprit, killed = f"could not be started ({error})", 0, False
                if self.process is not None:
                    self.process.kill()
            self.up.clear()
            self._outbox.put(None)
            if self.closing:
                return
            log.warning("the engine process for %s %s", self.device or "a device", reason)
            try:
                self._died(self, culprit, reason, killed)
            except Exception:  # whatever it is, the next process is started
                log.exception("the runs could not be told")
            deaths = deaths + 1 if time.monotonic() - began < FAST else 0
            if deaths >= FAST_DEATHS:
                self.trouble = f"the engine process {reason} {deaths} times in a row"
                time.sleep(min(30, 2**deaths))

    def _life(self) -> tuple[str, int, bool]:
        """Start the process and listen until it ends.

        Returns: how it ended, the number of the work in hand, and whether it was killed by others.
        """
        here, there = Pipe()
        self._outbox = queue.SimpleQueue()
        writing = (here, self._outbox)
        threading.Thread(target=_write, args=writing, daemon=True, name="engine-write").start()
        if self.settings.inline:
            self._beat = process.Shared()
            arguments = (there, self._beat, self.wish)
            threading.Thread(target=_own_inline, args=arguments, daemon=True).start()
        else:
            running, self._beat = process.start(there, self.wish, self.settings.memory)
            self.process = running
            there.close()
            if self.closing:  # while it was being started, when `close` could not end it
                running.kill()
        born = time.monotonic()
        while True:
            try:
                message = here.recv() if here.poll(0.5) else None
            except (EOFError, OSError):
                break
            if message is not None:
                self._tell(self, *message)
                continue
            late = self._late(born)
            if late:
                culprit = int(self._beat[1])
                running.kill()
                running.wait()
                return late, culprit, False
        if self.settings.inline:
            return "ended", 0, False
        try:
            code = running.wait(5)
        except subprocess.TimeoutExpired:  # it closed its pipe and lives on
            running.kill()
            code = running.wait()
        culprit = int(self._beat[1]) if self._beat[0] else 0
        if code == -signal.SIGKILL:
            return "was killed", culprit, True
        return f"ended with code {code}", culprit, False

    def _late(self, born: float) -> str:
        if self.settings.inline:
            return ""
        now, since = time.monotonic(), self._beat[0]
        if since and now - since > self.settings.patience:
            return f"gave no sign of life for {self.settings.patience:g} s and was ended"
        if not self.up.is_set() and now - born > STARTING:
            return f"did not start within {STARTING:g} s"
        return ""


def _write(link: Connection, outbox: "queue.SimpleQueue[Any]") -> None:
    """Send what is in the outbox: a thread of its own, for a busy process does not read at once."""
    while (message := outbox.get()) is not None:
        with suppress(OSError, ValueError):
            link.send(message)
    link.close()


def _own_inline(link: Connection, beat: Any, device: str | None) -> None:
    from core.shared import owner  # here, so that the server's own process needs no torch

    with link:
        owner.Owner(link, beat, device).serve()
