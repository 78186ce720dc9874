"""The engine: hands work to the processes that own the devices, and never lets a page wait for it.

    with Engine(folder) as engine:
        run = engine.submit("core.train_cnn.learning:train", config, visitor="ada")
        engine.view(run).state                     # the newest one, at once
        engine.call("core.train_cnn.learning:table")   # between two turns of training

Every device has a process of its own (`core.shared.owner`) with one thread in it. Here, in the
server, live only the newest state of each run, a thread for each process that listens and watches,
and the calls under way. A process that dies or hangs is started again: the work in hand then fails
with one sentence, all other runs go on from their newest snapshots, calls are asked again.
"""

import itertools
import logging
import multiprocessing as mp
import pickle
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late
from contextlib import suppress
from dataclasses import asdict, dataclass, is_dataclass, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Self

from core.shared import runs

__all__ = ["Engine", "EngineError", "View"]

PATIENCE = 30.0  # seconds without a sign of life, then the process is ended
STARTING = 120.0  # seconds that a process may take to import and find its device
ANSWER = 120.0  # seconds that a call may take, queue and a restart included
LATELY = 32 << 20  # bytes of answers that are kept for equal calls
QUOTA = 512 << 20  # bytes of snapshots a visitor
FAST_DEATHS = 3  # in a row, then we wait before the next try

log = logging.getLogger(__name__)


class EngineError(RuntimeError):
    """One sentence for the visitor: why this work gave no result, and where known what to try."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A run as a page sees it."""

    run: str
    function: str
    config: Mapping[str, Any]
    status: str  # waiting, running, paused, finished, stopped, failed, interrupted
    place: int  # in the line of those that wait for memory; 0: not waiting
    version: int  # grows with every change
    progress: float  # 0 to 1
    pace: float | None  # progress a second, lately; None while it stands
    failure: str  # one sentence, when it failed
    started: float  # seconds since 1970
    pinned: bool
    state: Any  # the newest one; None before the first, or when it is no longer in memory

    @property
    def live(self) -> bool:
        """Whether it can still move by itself or when told to."""
        return self.status in runs.LIVE

    @property
    def seconds_left(self) -> float | None:
        """How long the rest takes at the present pace."""
        return (1 - self.progress) / self.pace if self.pace else None


class Engine:
    """All devices of this machine, and who works on them."""

    def __init__(
        self,
        folder: Path,
        *,
        devices: tuple[str, ...] = (),
        inline: bool = False,
        memory: int | None = None,
        patience: float = PATIENCE,
        quota: int = QUOTA,
    ) -> None:
        """Prepare an engine; it starts with `start` or as a context.

        Args:
            folder: where runs are kept.
            devices: their names; none means all that the first process finds.
            inline: one owner in a thread of this process, for notebooks and tests.
            memory: bytes that new work may take on a CPU; None for nine tenths of what is free.
            patience: seconds without a sign of life, after which a process is ended.
            quota: bytes of snapshots that a visitor may keep.
        """
        self.folder, self.inline, self.memory = folder, inline, memory
        self.patience, self.quota = patience, quota
        self._lock = threading.RLock()
        self._numbers = itertools.count(1)
        self._records: dict[str, _Record] = {}
        self._calls: dict[int, _Call] = {}
        self._asked: dict[tuple[str, bytes], _Call] = {}  # equal calls under way
        self._lately: OrderedDict[tuple[str, bytes], bytes] = OrderedDict()
        self._workers = [_Worker(self, name) for name in devices or (None,)]
        self._all_devices = not devices and not inline

    def start(self) -> Self:
        """Find the runs of earlier servers and start the processes; returns before they are up."""
        self.folder.mkdir(parents=True, exist_ok=True)
        runs.forget(self.folder)
        for manifest in runs.interrupted(self.folder):
            self._records[manifest.run] = _Record(manifest)
        for worker in self._workers:
            worker.start()
        return self

    def close(self) -> None:
        """End the processes; live runs keep their newest snapshots."""
        for worker in self._workers:
            worker.close()

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def ready(self) -> dict[str, Any]:
        """Tell whether each process lives, its id and the device that it owns."""
        owners = [
            {
                "alive": worker.up.is_set(),
                "device": worker.device,
                "name": worker.description,
                "process": worker.process.pid if worker.process else None,
                "trouble": worker.trouble,
            }
            for worker in self._workers
        ]
        return {"alive": all(owner["alive"] for owner in owners), "owners": owners}

    # Long work

    def submit(self, function: str, config: Any, *, visitor: str) -> str:
        """Start long work.

        Args:
            function: "module:function", a generator function of one config.
            config: its frozen config, a dataclass of JSON values.
            visitor: who asks; the run belongs to them.

        Returns: the run's name.
        """
        if not is_dataclass(config) or isinstance(config, type):
            raise ValueError(f"config must be a dataclass of JSON values, got {config!r}")
        manifest = runs.create(self.folder, visitor, function, asdict(config))
        with self._lock:
            record = self._records[manifest.run] = _Record(manifest)
            self._trim(visitor)
            self._hand_over(record, "running")
        return manifest.run

    def pause(self, run: str) -> None:
        """Let a run stand after its present step."""
        self._command(run, "pause")

    def resume(self, run: str) -> None:
        """Let a run go on: one that pauses where it stands, any other from its newest snapshot."""
        with self._lock:
            record = self._records[run]
            if record.manifest.status in runs.LIVE:
                self._command(run, "resume")
            elif record.manifest.status != "finished":
                record.failure = ""
                self._hand_over(record, "running")

    def step(self, run: str) -> None:
        """Let a pausing run do one step."""
        self._command(run, "step")

    def stop(self, run: str) -> None:
        """End a run where it stands; its weights are kept."""
        self._command(run, "stop")

    def leave(self, visitor: str) -> None:
        """End all live runs of a visitor who has gone, and give back what they held."""
        for view in self.runs_of(visitor):
            if view.live:
                self.stop(view.run)
            self._send_owner(view.run, "forget", view.run)
            with self._lock:
                if view.run in self._records:
                    self._records[view.run].payload = None

    def view(self, run: str) -> View:
        """See a run as it stands now; this never waits for the device.

        Raises: KeyError when there is no such run.
        """
        with self._lock:
            return self._records[run].view()

    def runs_of(self, visitor: str) -> tuple[View, ...]:
        """See all runs of a visitor, the newest first."""
        with self._lock:
            mine = [each for each in self._records.values() if each.manifest.visitor == visitor]
            mine.sort(key=lambda each: each.manifest.started, reverse=True)
            return tuple(each.view() for each in mine)

    def pin(self, run: str, pinned: bool) -> None:
        """Keep a run from being deleted when the visitor's quota is full, or no longer."""
        with self._lock:
            self._records[run].save(self.folder, pinned=pinned)

    def delete(self, run: str) -> None:
        """Delete a run and its snapshots."""
        self._send_owner(run, "forget", run)
        with self._lock:
            record = self._records.pop(run, None)
        if record is not None:
            runs.delete(self.folder, record.manifest)

    def usage(self, visitor: str) -> runs.Usage:
        """Tell what a visitor's runs take on disk, and which goes first when it is too much."""
        with self._lock:
            mine = [each.manifest for each in self._records.values()]
        return runs.usage(
            self.folder, [each for each in mine if each.visitor == visitor], self.quota
        )

    # Short work

    def call(self, target: str, *arguments: Any, seconds: float = ANSWER) -> Any:
        """Compute something short on the device, before the next turn of training.

        Equal calls that are under way or were lately made are computed once, so the function must
        depend on its arguments alone.

        Args:
            target: "module:function".
            arguments: whatever pickles.
            seconds: how long to wait for the answer.

        Raises: EngineError with one sentence, when it failed or came too late.
        """
        key = (target, pickle.dumps(arguments))
        with self._lock:
            if key in self._lately:
                self._lately.move_to_end(key)
                return pickle.loads(self._lately[key])
            call = self._asked.get(key)
            if call is None:
                call = _Call(next(self._numbers), target, None, key[1], min(self._workers))
                call.key = key
                self._asked[key] = call
                self._ask(call)
        return self._answer(call, seconds)

    def ask(self, run: str, target: str, *arguments: Any, seconds: float = ANSWER) -> Any:
        """Call a function on a run's living thing, between two of its steps or after its end.

        Args:
            run: whose living thing is the function's first argument.
            target: "module:function".
            arguments: the others.
            seconds: how long to wait for the answer.

        Raises: EngineError as `call`; KeyError when there is no such run.
        """
        with self._lock:
            record = self._records[run]
            manifest = record.manifest
            where = (manifest.function, manifest.config, self._folder(manifest))
            worker = record.worker or min(self._workers)
            record.worker = worker
            given = pickle.dumps((*where, *arguments))
            call = _Call(next(self._numbers), target, run, given, worker)
            self._ask(call)
        return self._answer(call, seconds)

    # Inside

    def _ask(self, call: "_Call") -> None:
        self._calls[call.number] = call
        call.worker.send("call", call.number, call.target, call.run, call.arguments)

    def _answer(self, call: "_Call", seconds: float) -> Any:
        try:
            return pickle.loads(call.future.result(seconds))
        except Late:
            raise EngineError(f"No answer within {seconds:g} s: the device is busy.") from None

    def _folder(self, manifest: runs.Manifest) -> str:
        return str(runs.folder_of(self.folder, manifest))

    def _hand_over(self, record: "_Record", status: str) -> None:
        """Give a run to a process, to start or to go on from its newest snapshot."""
        record.number = next(self._numbers)
        record.worker = record.worker or min(self._workers)
        manifest = record.manifest
        if status == "running":
            record.save(self.folder, status="waiting", failure="")
            record.version += 1
        record.worker.send(
            "submit",
            manifest.run,
            record.number,
            manifest.function,
            manifest.config,
            self._folder(manifest),
            status,
        )

    def _command(self, run: str, command: str) -> None:
        with self._lock:
            record = self._records[run]
            if record.manifest.status not in runs.LIVE:
                return
        self._send_owner(run, "command", run, command)

    def _send_owner(self, run: str, *message: object) -> None:
        with self._lock:
            worker = self._records[run].worker if run in self._records else None
        if worker is not None:
            worker.send(*message)

    def _trim(self, visitor: str) -> None:
        mine = [each for each in self._records.values() if each.manifest.visitor == visitor]
        left = runs.trim(self.folder, [each.manifest for each in mine], self.quota)
        names = {manifest.run for manifest in left}
        for record in mine:
            if record.manifest.run not in names:
                del self._records[record.manifest.run]
        ended = sorted(
            (each for each in mine if each.manifest.status not in runs.LIVE),
            key=lambda each: each.manifest.started,
        )
        for record in ended[:-1]:  # only the newest is likely to be looked at again
            record.payload = None

    def on_hello(self, worker: "_Worker", device: str, name: str, every: tuple[str, ...]) -> None:
        """A process is up: note its device, start the others' processes, give it its work."""
        with self._lock:
            worker.device, worker.description, worker.trouble = device, name, ""
            if self._all_devices and device in every:
                self._all_devices = False
                others = [_Worker(self, other) for other in every if other != device]
                self._workers += others
                for other in others:
                    other.start()
            worker.up.set()
            for record in self._records.values():
                if record.worker is worker and record.manifest.status in runs.LIVE:
                    paused = record.manifest.status == "paused"
                    self._hand_over(record, "paused" if paused else "running")
            for call in self._calls.values():
                if call.worker is worker:
                    worker.send("call", call.number, call.target, call.run, call.arguments)

    def on_state(
        self,
        worker: "_Worker",
        run: str,
        status: str,
        place: int,
        progress: float,
        pace: float | None,
        failure: str,
        payload: bytes | None,
    ) -> None:
        """A run moved."""
        with self._lock:
            record = self._records.get(run)
            if record is None or record.worker is not worker:
                return
            record.version += 1
            record.place, record.pace = place, pace
            record.progress = progress if status != "waiting" else record.progress
            if payload is not None:
                record.payload, record.state = payload, None
            if status != record.manifest.status and status != "ended":
                record.save(self.folder, status=status, failure=failure)

    def on_answer(self, _: "_Worker", number: int, well: bool, result: bytes) -> None:
        """A call was answered."""
        with self._lock:
            call = self._calls.pop(number, None)
            if call is None:
                return
            if call.key is not None:
                self._asked.pop(call.key, None)
                if well:
                    self._lately[call.key] = result
                    while sum(map(len, self._lately.values())) > LATELY:
                        self._lately.popitem(last=False)
        if well:
            call.future.set_result(result)
        else:
            call.future.set_exception(EngineError(result.decode()))

    def on_death(self, worker: "_Worker", culprit: int, reason: str) -> None:
        """A process ended: the work that it had in hand fails; the rest waits for the next."""
        with self._lock:
            for record in self._records.values():
                live = record.manifest.status in runs.LIVE
                if record.worker is worker and live and record.number == culprit:
                    record.version += 1
                    sentence = f"The engine {reason} during this run's turn; it can go on from its newest snapshot."
                    record.save(self.folder, status="failed", failure=sentence)
            if culprit in self._calls:
                sentence = f"The engine {reason} while it computed this."
                self.on_answer(worker, culprit, False, sentence.encode())

    def load_of(self, worker: "_Worker") -> int:
        """Count the live runs of a process."""
        mine = (each for each in self._records.values() if each.worker is worker)
        return sum(each.manifest.status in runs.LIVE for each in mine)


class _Record:
    """A run as the engine holds it."""

    def __init__(self, manifest: runs.Manifest) -> None:
        self.manifest = manifest
        self.worker: _Worker | None = None
        self.number = self.version = self.place = 0
        self.progress = 0.0
        self.pace: float | None = None
        self.payload: bytes | None = None
        self.state: Any = None  # the payload, once somebody looked

    def save(self, folder: Path, **changes: Any) -> None:
        self.manifest = replace(self.manifest, **changes)
        runs.save(folder, self.manifest)

    def view(self) -> View:
        if self.payload is None:
            self.state = None
        elif self.state is None:
            self.state = pickle.loads(self.payload)
        manifest = self.manifest
        return View(
            run=manifest.run,
            function=manifest.function,
            config=manifest.config,
            status=manifest.status,
            place=self.place,
            version=self.version,
            progress=self.progress,
            pace=self.pace,
            failure=manifest.failure,
            started=manifest.started,
            pinned=manifest.pinned,
            state=self.state,
        )


class _Call:
    """A call under way."""

    def __init__(
        self, number: int, target: str, run: str | None, arguments: bytes, worker: "_Worker"
    ) -> None:
        self.number, self.target, self.run, self.arguments = number, target, run, arguments
        self.worker, self.key = worker, None
        self.future: Future[bytes] = Future()


class _Worker:
    """One owner process: its pipe, the thread that listens to it, and its restarts."""

    def __init__(self, engine: Engine, wish: str | None) -> None:
        self.engine, self.wish = engine, wish
        self.device, self.description, self.trouble = wish or "", "", ""
        self.up = threading.Event()
        self.process: Any = None
        self.link: Connection | None = None
        self.closing = False
        self._sending = threading.Lock()
        self._spawn = mp.get_context("spawn")
        self._beat = self._spawn.RawArray("d", 2)
        self._thread = threading.Thread(target=self._watch, daemon=True, name="engine-watch")

    def __lt__(self, other: "_Worker") -> bool:
        return self.engine.load_of(self) < self.engine.load_of(other)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self.closing = True
        self.send("close")
        self._thread.join(5)
        if self.process is not None:
            self.process.join(5)
            if self.process.is_alive():
                self.process.kill()

    def send(self, *message: object) -> None:
        """Send to the process; what it does not get, it will be given again when it is back."""
        with self._sending, suppress(OSError, ValueError):
            if self.link is not None and self.up.is_set():
                self.link.send(message)

    def _watch(self) -> None:
        deaths = 0
        while not self.closing:
            began = time.monotonic()
            reason, culprit = self._life()
            self.up.clear()
            if self.closing:
                return
            log.warning("the engine process for %s %s", self.device or "a device", reason)
            self.engine.on_death(self, culprit, reason)
            deaths = deaths + 1 if time.monotonic() - began < 10 else 0
            if deaths >= FAST_DEATHS:
                self.trouble = f"the engine process {reason} {deaths} times in a row"
                time.sleep(min(30, 2**deaths))

    def _life(self) -> tuple[str, int]:
        """Start the process and listen until it ends; say how, and what it was working on."""
        here, there = self._spawn.Pipe()
        self._beat[0] = self._beat[1] = 0
        arguments = (there, self._beat, self.wish, self.engine.memory)
        if self.engine.inline:
            threading.Thread(target=_own_inline, args=arguments[:3], daemon=True).start()
        else:
            self.process = self._spawn.Process(target=_own, args=arguments, daemon=True)
            self.process.start()
            there.close()
        self.link = here
        born = time.monotonic()
        while True:
            try:
                while here.poll(0.5):
                    self._receive(here.recv())
            except (EOFError, OSError):
                break
            late = self._late(born)
            if late:
                self.process.kill()
                return late, int(self._beat[1])
        if self.process is None:
            return "ended", 0
        self.process.join(10)
        code = self.process.exitcode
        busy = int(self._beat[1]) if self._beat[0] else 0
        return f"ended with code {code}", busy

    def _late(self, born: float) -> str:
        if self.engine.inline:
            return ""
        now, since = time.monotonic(), self._beat[0]
        if since and now - since > self.engine.patience:
            return f"gave no sign of life for {self.engine.patience:g} s and was ended"
        if not self.up.is_set() and now - born > STARTING:
            return f"did not start within {STARTING:g} s"
        return ""

    def _receive(self, message: tuple[Any, ...]) -> None:
        getattr(self.engine, "on_" + message[0])(self, *message[1:])


# Imported where they run, so that the server's own process needs no torch.


def _own(*arguments: Any) -> None:
    from core.shared import owner

    owner.own(*arguments)


def _own_inline(link: Connection, beat: Any, device: str | None) -> None:
    from core.shared import owner

    owner.Owner(link, beat, device).serve()
