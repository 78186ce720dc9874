"""The engine: hands work to the processes that own the devices, and never lets a page wait for it.

    with Engine(folder) as engine:
        run = engine.submit("core.train_cnn.learning:train", config, visitor="ada")
        engine.view(run).state                     # the newest one, at once
        engine.call("core.train_cnn.learning:table")   # between two turns of training

Every device has a process of its own (`core.shared.owner`) with one thread in it. Here, in the
server, live only the newest state of each run, two threads for each process (one listens and
watches, one writes) and the calls under way. A process that dies or hangs is started again: the
work in hand then fails with one sentence (but is tried once more when somebody killed the process),
all other runs go on from their newest snapshots, calls are asked again.
"""

import ctypes
import hashlib
import itertools
import logging
import mmap
import os
import pickle
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late
from contextlib import suppress
from dataclasses import asdict, dataclass, is_dataclass, replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from core.shared import runs

__all__ = ["Engine", "EngineError", "View"]

PATIENCE = 30.0  # seconds without a sign of life, then the process is ended
STARTING = 120.0  # seconds that a process may take to import and find its device
ANSWER = 120.0  # seconds that a call may take, queue and a restart included
LATELY = 32 << 20  # bytes of answers that are kept for equal calls
QUOTA = 512 << 20  # bytes of snapshots a visitor
FAST = 10.0  # seconds; a process that lives no longer has died fast
FAST_DEATHS = 3  # in a row, then we wait before the next try

ENTRY = 200  # bytes, about, that keeping an answer takes besides
WISHES = {"pause": "paused", "resume": "running", "stop": "stopped"}

# For the owner's CPU kernels; what the environment says goes first. A thread that waits for its
# share of an operation gives its core away soon: a browser and the server need it too. And freed
# memory is kept for the next step instead of being mapped and cleared by the kernel each time.
KERNELS = {
    "GOMP_SPINCOUNT": "10000",
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 32),
    "MALLOC_TOP_PAD_": str(1 << 26),
}

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
        self._moved = threading.Condition(self._lock)
        self._numbers = itertools.count(1)
        self._records: dict[str, _Record] = {}
        self._calls: dict[int, _Call] = {}
        self._asked: dict[tuple[str, bytes], _Call] = {}  # equal calls under way
        self._lately: OrderedDict[tuple[str, bytes], bytes] = OrderedDict()
        self._kept = 0  # bytes of those answers
        self._workers = [_Worker(self, name) for name in devices or (None,)]
        chosen = bool(devices or os.environ.get("GLASSBOX_DEVICE"))
        self._all_devices = not chosen and not inline

    def start(self) -> "Engine":
        """Find the runs of earlier servers and start the processes; returns before they are up."""
        self.folder.mkdir(parents=True, exist_ok=True)
        runs.forget(self.folder)
        for manifest in runs.interrupted(self.folder):
            self._records[manifest.run] = _Record(manifest)
        for worker in self._workers:
            worker.start()
        return self

    def close(self) -> None:
        """End the processes; live runs are kept as they stand, calls under way fail."""
        for worker in self._workers:
            worker.closing = True
        for worker in self._workers:
            worker.close()
        with self._lock:
            for call in self._calls.values():
                call.future.set_exception(EngineError("The engine was closed."))
            self._calls.clear()
            self._asked.clear()

    def __enter__(self) -> "Engine":
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
                record.forgiven = False
                self._hand_over(record, "running")

    def step(self, run: str) -> None:
        """Let a pausing run do one step."""
        self._command(run, "step")

    def stop(self, run: str) -> None:
        """End a run where it stands; its weights are kept."""
        self._command(run, "stop")

    def leave(self, visitor: str) -> None:
        """End all live runs of a visitor who has gone, and give back what they held."""
        with self._lock:
            mine = [each for each in self._records.values() if each.manifest.visitor == visitor]
            for record in mine:
                if record.manifest.status in runs.LIVE:
                    record.wish = "stopped"
                    if record.worker is not None and not record.worker.up.is_set():
                        self._grant(record)
                self._forget(record)
                record.payload = record.state = None

    def view(self, run: str) -> View:
        """See a run as it stands now; this never waits for the device.

        Raises: KeyError when there is no such run.
        """
        with self._lock:
            return self._records[run].view()

    def obeyed(self, before: View, seconds: float) -> bool:
        """Wait until a run stands otherwise than in the view, or one that pauses has moved.

        Returns: whether it does before the seconds are over.
        """

        def other() -> bool:
            record = self._records.get(before.run)
            if record is None or record.manifest.status != before.status:
                return True
            return before.status == "paused" and record.version > before.version

        with self._moved:
            return self._moved.wait_for(other, seconds)

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
        with self._lock:
            record = self._records.pop(run, None)
            if record is not None:
                self._forget(record)
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
        given = pickle.dumps(arguments)
        key = (target, hashlib.sha256(given).digest())
        with self._lock:
            if key in self._lately:
                self._lately.move_to_end(key)
                return pickle.loads(self._lately[key])
            call = self._asked.get(key)
            if call is None:
                call = _Call(next(self._numbers), target, None, given, min(self._workers))
                call.key = key
                self._ask(call)
                self._asked[key] = call
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
        return self._answer(self._begin(run, target, arguments), seconds)

    def post(self, run: str, target: str, *arguments: Any) -> None:
        """Ask as `ask` does and do not wait: what comes of it shows in the run's next state.

        Raises: KeyError when there is no such run.
        """
        self._begin(run, target, arguments)

    # Inside

    def _begin(self, run: str, target: str, arguments: tuple[Any, ...]) -> "_Call":
        with self._lock:
            record = self._records[run]
            manifest = record.manifest
            where = (manifest.function, manifest.config, self._folder(manifest))
            worker = record.worker or min(self._workers)
            record.worker = worker
            given = pickle.dumps((*where, *arguments))
            call = _Call(next(self._numbers), target, run, given, worker)
            self._ask(call)
        return call

    def _ask(self, call: "_Call") -> None:
        if call.worker.closing:
            raise EngineError("The engine was closed.")
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
        record.wish = status
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
            if record.manifest.status not in runs.LIVE or record.worker is None:
                return
            record.wish = WISHES.get(command, record.wish)
            if record.worker.up.is_set():
                record.worker.send("command", run, command)
            else:
                self._grant(record)

    def _grant(self, record: "_Record") -> None:
        """Let a live run stand as its visitor wished last, while no process has it."""
        status = "waiting" if record.wish == "running" else record.wish
        if status != record.manifest.status:
            record.version += 1
            record.save(self.folder, status=status)

    def _forget(self, record: "_Record") -> None:
        """Let the process free what it holds of a run."""
        if record.worker is not None:
            record.worker.send("forget", record.manifest.run)

    def _trim(self, visitor: str) -> None:
        mine = [each for each in self._records.values() if each.manifest.visitor == visitor]
        left = runs.trim(self.folder, [each.manifest for each in mine], self.quota)
        names = {manifest.run for manifest in left}
        for record in mine:
            if record.manifest.run not in names:
                self._forget(record)
                del self._records[record.manifest.run]
        ended = sorted(
            (each for each in mine if each.manifest.status not in runs.LIVE),
            key=lambda each: each.manifest.started,
        )
        for record in ended[:-1]:  # only the newest is likely to be looked at again
            record.payload = record.state = None

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
        progress: float | None,
        pace: float | None,
        failure: str,
        payload: bytes | None,
    ) -> None:
        """A run moved; no progress means that it is not known yet."""
        with self._lock:
            record = self._records.get(run)
            if record is None or record.worker is not worker:
                return
            record.version += 1
            record.place, record.pace = place, pace
            record.progress = record.progress if progress is None else progress
            if payload is not None:
                record.payload, record.state = payload, None
            if status != record.manifest.status and status != "ended":
                record.save(self.folder, status=status, failure=failure)
            self._moved.notify_all()

    def on_gone(self, worker: "_Worker", run: str) -> None:
        """A run was forgotten: nobody looks at it, so its state need not stay here either."""
        with self._lock:
            record = self._records.get(run)
            if record is not None and record.worker is worker:
                record.payload = record.state = None

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
                    self._kept += len(result) + ENTRY
                    while self._kept > LATELY:
                        self._kept -= len(self._lately.popitem(last=False)[1]) + ENTRY
        if well:
            call.future.set_result(result)
        else:
            call.future.set_exception(EngineError(result.decode()))

    def on_death(self, worker: "_Worker", culprit: int, reason: str, killed: bool) -> None:
        """A process ended: the work that it had in hand fails; the rest waits for the next.

        Args:
            worker: whose process.
            culprit: the number of the work in hand; 0 for none.
            reason: what happened, as the predicate of a sentence about the engine.
            killed: whether somebody else did it; then the work in hand has another try.
        """
        with self._lock:
            for record in self._records.values():
                if record.worker is not worker or record.manifest.status not in runs.LIVE:
                    continue
                if record.number != culprit or (killed and not record.forgiven):
                    record.forgiven |= record.number == culprit
                    self._grant(record)
                else:
                    record.version += 1
                    sentence = (
                        f"The engine {reason} during this run's turn; "
                        "resume goes on from its newest snapshot."
                    )
                    record.save(self.folder, status="failed", failure=sentence)
            call = self._calls.get(culprit)
            if call is not None and (not killed or call.forgiven):
                sentence = f"The engine {reason} while it computed this."
                self.on_answer(worker, culprit, False, sentence.encode())
            elif call is not None:
                call.forgiven = True

    def load_of(self, worker: "_Worker") -> int:
        """Count the live runs of a process."""
        mine = (each for each in self._records.values() if each.worker is worker)
        return sum(each.manifest.status in runs.LIVE for each in mine)


class _Record:
    """A run as the engine holds it."""

    def __init__(self, manifest: runs.Manifest) -> None:
        self.manifest = manifest
        self.worker: _Worker | None = None
        self.wish = "running"  # or paused or stopped: what it was told last
        self.forgiven = False  # it was in hand when somebody killed the process
        self.number = self.version = self.place = 0
        self.progress = 0.0
        self.pace: float | None = None
        self.payload: bytes | None = None
        self.state: Any = None  # the payload, once somebody looked

    def save(self, folder: Path, **changes: Any) -> None:
        self.manifest = replace(self.manifest, **changes)
        runs.save(folder, self.manifest)

    def view(self) -> View:
        if self.payload is not None and self.state is None:
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
        self.worker = worker
        self.key: tuple[str, bytes] | None = None  # of one that equal calls may share
        self.forgiven = False  # it was in hand when somebody killed the process
        self.future: Future[bytes] = Future()


class _Worker:
    """One owner process: its pipe, the thread that listens to it, and its restarts."""

    def __init__(self, engine: Engine, wish: str | None) -> None:
        self.engine, self.wish = engine, wish
        self.device, self.description, self.trouble = wish or "", "", ""
        self.up = threading.Event()
        self.process: subprocess.Popen[bytes] | None = None
        self.closing = False
        self._outbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._beat = (ctypes.c_double * 2)()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="engine-watch")

    def __lt__(self, other: "_Worker") -> bool:
        return self.engine.load_of(self) < self.engine.load_of(other)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
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

    def _watch(self) -> None:
        deaths = 0
        while not self.closing:
            began = time.monotonic()
            reason, culprit, killed = self._life()
            self.up.clear()
            self._outbox.put(None)
            if self.closing:
                return
            log.warning("the engine process for %s %s", self.device or "a device", reason)
            self.engine.on_death(self, culprit, reason, killed)
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
        if self.engine.inline:
            self._beat = (ctypes.c_double * 2)()
            arguments = (there, self._beat, self.wish)
            threading.Thread(target=_own_inline, args=arguments, daemon=True).start()
        else:
            self._beat, path = _shared_beat()
            self.process = process = _start(there, path, self.wish, self.engine.memory)
            there.close()
            if self.closing:  # while it was being started, when `close` could not end it
                process.kill()
        born = time.monotonic()
        while True:
            try:
                message = here.recv() if here.poll(0.5) else None
            except (EOFError, OSError):
                break
            if message is not None:
                self._receive(*message)
                continue
            late = self._late(born)
            if late:
                culprit = int(self._beat[1])
                process.kill()
                process.wait()
                return late, culprit, False
        if self.engine.inline:
            return "ended", 0, False
        try:
            code = process.wait(5)
        except subprocess.TimeoutExpired:  # it closed its pipe and lives on
            process.kill()
            code = process.wait()
        culprit = int(self._beat[1]) if self._beat[0] else 0
        if code == -signal.SIGKILL:
            return "was killed", culprit, True
        return f"ended with code {code}", culprit, False

    def _late(self, born: float) -> str:
        if self.engine.inline:
            return ""
        now, since = time.monotonic(), self._beat[0]
        if since and now - since > self.engine.patience:
            return f"gave no sign of life for {self.engine.patience:g} s and was ended"
        if not self.up.is_set() and now - born > STARTING:
            return f"did not start within {STARTING:g} s"
        return ""

    def _receive(self, kind: str, *message: Any) -> None:
        try:
            getattr(self.engine, "on_" + kind)(self, *message)
        except OSError:  # the disk is full, or the folder was taken away
            log.exception("the engine could not write")


def _write(link: Connection, outbox: "queue.SimpleQueue[Any]") -> None:
    """Send what is in the outbox: a thread of its own, for a busy process does not read at once."""
    while (message := outbox.get()) is not None:
        with suppress(OSError, ValueError):
            link.send(message)
    link.close()


def _shared_beat() -> "tuple[ctypes.Array[ctypes.c_double], Path]":
    """Make two numbers that a process can share which maps the same file; it deletes the file."""
    with tempfile.NamedTemporaryFile(prefix="glassbox-", delete=False) as file:
        file.write(bytes(16))
        file.flush()
        memory = mmap.mmap(file.fileno(), 16)
    return (ctypes.c_double * 2).from_buffer(memory), Path(file.name)


def _start(
    link: Connection, beat: Path, device: str | None, memory: int | None
) -> "subprocess.Popen[bytes]":
    """Start an owner as a plain program that inherits its end of the pipe.

    The spawn of multiprocessing would first run the parent's `__main__` again, and that is
    whichever page Streamlit happens to execute just then.
    """
    handle = link.fileno()
    inheriting: dict[str, Any] = {"pass_fds": (handle,)}
    if os.name == "nt":
        os.set_handle_inheritable(handle, True)  # type: ignore[attr-defined,unused-ignore]
        inheriting = {"close_fds": False}
    arguments = repr((handle, str(beat), device, memory))
    return subprocess.Popen(
        [sys.executable, "-c", f"from core.shared.owner import main; main{arguments}"],
        env={**KERNELS, **os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=subprocess.DEVNULL,
        **inheriting,
    )


def _own_inline(link: Connection, beat: Any, device: str | None) -> None:
    from core.shared import owner  # here, so that the server's own process needs no torch

    with link:
        owner.Owner(link, beat, device).serve()
