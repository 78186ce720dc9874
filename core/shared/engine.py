"""The engine: hands work to the processes that own the devices, and never lets a page wait for it.

    with Engine(folder) as engine:
        run = engine.submit("core.train_cnn.learning:train", config, visitor="ada")
        engine.view(run).state                     # the newest one, at once
        engine.call("core.train_cnn.learning:table")   # between two turns of training

Every device has a process of its own (`core.shared.owner`) with one thread in it. Here, in the
server, live only the newest state of each run (`records`), two threads for each process (`worker`:
one listens and watches, one writes) and the calls under way (`answers`). A process that dies or
hangs is started again: the work in hand then fails with one sentence (but is tried once more when
somebody killed the process), all other runs go on from their newest snapshots, calls are asked
again.
"""

import itertools
import os
import pickle
import threading
import time
from collections import Counter
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from core.shared import runs
from core.shared.answers import Answers, Call, EngineError
from core.shared.patience import answer_to, refuse
from core.shared.progress import Done
from core.shared.records import Record, View
from core.shared.shelf import Shelf
from core.shared.worker import Settings, Worker

__all__ = ["Engine", "EngineError", "View"]

PATIENCE = 30.0  # seconds without a sign of life, then the process is ended
ANSWER = 120.0  # seconds that a call may take unseen, queue and a restart included
QUOTA = 512 << 20  # bytes of snapshots a visitor
CLOSED = "The engine was closed."

WISHES = {"pause": "paused", "resume": "running", "stop": "stopped"}


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
        self.folder = folder
        self.shelf = Shelf(folder, quota)
        self._lock = threading.RLock()
        self._moved = threading.Condition(self._lock)
        self._numbers = itertools.count(1)
        self._answers = Answers()
        self._settings = Settings(inline=inline, memory=memory, patience=patience)
        self._workers = [self._worker(name) for name in devices or (None,)]
        chosen = bool(devices or os.environ.get("GLASSBOX_DEVICE"))
        self._all_devices = not chosen and not inline

    def start(self) -> "Engine":
        """Find the runs of earlier servers and start the processes; returns before they are up."""
        self.shelf.find()
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
            self._answers.fail_all(CLOSED)

    def __enter__(self) -> "Engine":
        """Start."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def make_way(self) -> None:
        """Let runs on a CPU leave it to a page for a moment, for half of the time at most."""
        for worker in self._workers:
            worker.make_way()

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

    def submit(
        self, function: str, config: Any, *, visitor: str, origin: tuple[str, int] | None = None
    ) -> str:
        """Start long work.

        Args:
            function: "module:function", a generator function of one config.
            config: its frozen config, a dataclass of JSON values.
            visitor: who asks; the run belongs to them.
            origin: another run and one of its kept steps, to go on from there; None starts anew.

        Returns: the run's name.
        Raises: ValueError when the config is none, or the step was not kept; KeyError when there is
            no such other run; EngineError when the server's disk is full.
        """
        if not is_dataclass(config) or isinstance(config, type):
            raise ValueError(f"config must be a dataclass of JSON values, got {config!r}")
        with self._lock:
            source = self.shelf[origin[0]].manifest if origin else None
            number = self.shelf.number(visitor, function)
        try:
            manifest = runs.create(
                self.folder,
                visitor,
                function,
                asdict(config),
                number=number,
                origin=origin or ("", 0),
            )
            if source and origin:
                try:
                    runs.branch(self.folder, source, origin[1], manifest)
                except (OSError, ValueError):
                    runs.delete(self.folder, manifest)
                    raise
        except OSError as error:
            raise EngineError(f"The server cannot keep a run: {error.strerror}.") from error
        with self._lock:
            self._hand_over(self.shelf.add(manifest), "running")
        return manifest.run

    def pause(self, run: str) -> None:
        """Let a run stand after its present step."""
        self._command(run, "pause")

    def resume(self, run: str) -> None:
        """Let a run go on: one that pauses where it stands, any other from its newest snapshot."""
        with self._lock:
            record = self.shelf[run]
            if record.manifest.status in runs.LIVE:
                self._command(run, "resume")
            elif record.manifest.status != "finished":
                record.forgiven, record.note = False, ""
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
            for record in self.shelf.of(visitor):
                if record.manifest.status in runs.LIVE:
                    record.wish = "stopped"
                    if record.worker is not None and not record.worker.up.is_set():
                        self._grant(record)
                record.forget()
                record.payload = record.state = None
            self.shelf.forget_numbers(visitor)

    def view(self, run: str) -> View:
        """See a run as it stands now; this never waits for the device.

        Raises: KeyError when there is no such run.
        """
        with self._lock:
            return self.shelf[run].view()

    def manifest(self, run: str) -> runs.Manifest:
        """Give what is on disk about a run.

        Raises: KeyError when there is no such run.
        """
        with self._lock:
            return self.shelf[run].manifest

    def obeyed(self, before: View, seconds: float) -> bool:
        """Wait until a run stands otherwise than in the view, or one that pauses has moved.

        Returns: whether it does before the seconds are over.
        """

        def other() -> bool:
            record = self.shelf.get(before.run)
            if record is None or record.manifest.status != before.status:
                return True
            return before.status == "paused" and record.version > before.version

        with self._moved:
            return self._moved.wait_for(other, seconds)

    def runs_of(self, visitor: str) -> tuple[View, ...]:
        """See all runs of a visitor, the newest first."""
        with self._lock:
            return tuple(each.view() for each in reversed(self.shelf.of(visitor)))

    def pin(self, run: str, pinned: bool) -> None:
        """Keep a run from being deleted when the visitor's quota is full, or no longer."""
        with self._lock:
            self.shelf[run].save(self.folder, pinned=pinned)

    def delete(self, run: str) -> None:
        """Delete a run and its snapshots."""
        with self._lock:
            record = self.shelf.get(run)
            if record is not None:
                self.shelf.drop(record)
        if record is not None:
            runs.delete(self.folder, record.manifest)

    def usage(self, visitor: str) -> runs.Usage:
        """Tell what a visitor's runs take on disk, and which goes first when it is too much."""
        with self._lock:
            manifests, known = self.shelf.usage(visitor)
        return runs.usage(self.folder, manifests, self.shelf.quota, known)

    # Short work

    def call(self, target: str, *arguments: Any, seconds: float = ANSWER) -> Any:
        """Compute something short on the device, before the next turn of training.

        Equal calls that are under way or were lately made are computed once, so the function must
        depend on its arguments alone. What nobody waits for any more is not computed to its end.

        Args:
            target: "module:function".
            arguments: whatever pickles.
            seconds: how long to wait for the answer, or for the next word of how far it is where
                somebody looks (`patience`).

        Raises: EngineError with one sentence, when it failed, came too late, is no longer `wanted`
            or was stopped (`patience`).
        """
        return self._answer(self._share(target, arguments, awaited=True), seconds)

    def recall(self, run: str, target: str, *arguments: Any, seconds: float = ANSWER) -> Any:
        """Call a function on what a run has kept: its config, its folder, and the arguments.

        Raises: EngineError as `call`; KeyError when there is no such run.
        """
        return self._answer(self._share(target, self._of(run, arguments), awaited=True), seconds)

    def prepare(self, run: str, target: str, *arguments: Any) -> None:
        """Call as `recall` does and do not wait: what it leaves in the folder serves later calls.

        Raises: KeyError when there is no such run.
        """
        self._share(target, self._of(run, arguments), awaited=False)

    def glimpse(self, target: str, *arguments: Any) -> Any:
        """Give what an equal `call` gave, if it is there; else begin one, and do not wait for it.

        Returns: the answer; None while there is none. What failed is tried again.
        Raises: EngineError with one sentence, when there is no process that could answer.
        """
        call = self._share(target, arguments, awaited=False)
        return pickle.loads(call.future.result()) if call.future.done() else None

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

    def _of(self, run: str, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        manifest = self.manifest(run)
        return manifest.config, self._folder(manifest), *arguments

    def _share(self, target: str, arguments: tuple[Any, ...], *, awaited: bool) -> Call:
        """Ask for what equal calls share; what was stopped is not asked and awaited again."""
        with self._lock:
            given, worker = pickle.dumps(arguments), self._idlest()
            call = Call(next(self._numbers), target, None, given, worker, shared=True)
            if awaited:
                refuse(call, self._answers.lately)
            return self._ask(call)

    def _begin(self, run: str, target: str, arguments: tuple[Any, ...]) -> Call:
        with self._lock:
            record = self.shelf[run]
            manifest = record.manifest
            where = (manifest.function, manifest.config, self._folder(manifest))
            record.worker = record.worker or self._idlest()
            given = pickle.dumps((*where, *arguments))
            return self._ask(Call(next(self._numbers), target, run, given, record.worker))

    def _ask(self, call: Call) -> Call:
        if call.worker.closing:
            raise EngineError(CLOSED)
        under_way = self._answers.add(call)
        if under_way is call and not call.future.done():
            if call.worker.trouble:
                sentence = f"No answer now: {call.worker.trouble}."
                self._answers.end(call.number, False, sentence.encode())
            self._send(call)
        return under_way

    def _send(self, call: Call) -> None:
        call.done = None  # another process begins anew
        call.worker.send("call", call.number, call.target, call.run, call.arguments)

    def _answer(self, call: Call, seconds: float) -> Any:
        """Wait for an answer, as long as it is wanted."""
        try:
            return answer_to(call, seconds)
        finally:
            with self._lock:
                if self._answers.leave(call):
                    call.worker.send("drop", call.number)

    def _folder(self, manifest: runs.Manifest) -> str:
        return str(runs.folder_of(self.folder, manifest))

    def _hand_over(self, record: Record, status: str) -> None:
        """Give a run to a process, to start or to go on from its newest snapshot."""
        record.number, record.size = next(self._numbers), None
        record.worker = record.worker or self._idlest()
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
            record = self.shelf[run]
            if record.manifest.status not in runs.LIVE or record.worker is None:
                return
            record.wish, record.note = WISHES.get(command, record.wish), ""
            if record.worker.up.is_set():
                record.worker.send("command", run, command)
            else:
                self._grant(record)

    def _grant(self, record: Record) -> None:
        """Let a live run stand as its visitor wished last, while no process has it."""
        status = "waiting" if record.wish == "running" else record.wish
        if status != record.manifest.status:
            record.version += 1
            record.save(self.folder, status=status)

    def on_hello(self, worker: Worker, device: str, name: str, every: tuple[str, ...]) -> None:
        """A process is up: note its device, start the others' processes, give it its work."""
        with self._lock:
            worker.device, worker.description, worker.trouble = device, name, ""
            if self._all_devices and device in every:
                self._all_devices = False
                others = [self._worker(other) for other in every if other != device]
                self._workers += others
                for other in others:
                    other.start()
            worker.up.set()
            for record in self.shelf:
                if record.worker is worker and record.manifest.status in runs.LIVE:
                    paused = record.manifest.status == "paused"
                    self._hand_over(record, "paused" if paused else "running")
            for call in self._answers.of(worker):
                self._send(call)

    def on_state(
        self,
        worker: Worker,
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
            record = self.shelf.get(run)
            if record is None or record.worker is not worker:
                return
            record.version += 1
            record.place, record.pace = place, pace
            record.progress = record.progress if progress is None else progress
            if payload is not None:
                record.payload, record.state = payload, None
            if status not in runs.LIVE:
                record.note = ""
            if status != record.manifest.status and status != "ended":
                record.save(self.folder, status=status, failure=failure)
            self._moved.notify_all()

    def on_gone(self, worker: Worker, run: str) -> None:
        """A run was forgotten: nobody looks at it, so its state need not stay here either."""
        with self._lock:
            record = self.shelf.get(run)
            if record is not None and record.worker is worker:
                record.payload = record.state = None

    def on_progress(self, _: Worker, number: int, done: Done | None) -> None:
        """A call that takes long has come so far; None when that is no longer known."""
        with self._lock:
            call = self._answers.get(number)
            if call is not None:
                call.done = done

    def on_answer(self, _: Worker, number: int, well: bool, result: bytes) -> None:
        """A call was answered."""
        with self._lock:
            self._answers.end(number, well, result)

    def _died(self, worker: Worker, culprit: int, reason: str, killed: bool) -> None:
        """Let the work that a process had in hand fail; the rest waits for the next process."""
        with self._lock:
            for record in self.shelf:
                if record.worker is not worker or record.manifest.status not in runs.LIVE:
                    continue
                if record.number != culprit or (killed and not record.forgiven):
                    record.forgiven |= record.number == culprit
                    if record.wish == "running" and not record.note:
                        record.note = f"The engine {reason}: it went on from its newest snapshot."
                        record.noted = time.monotonic()
                    record.version += 1
                    self._grant(record)
                else:
                    record.version += 1
                    sentence = (
                        f"The engine {reason} during this run's turn; "
                        "resume goes on from its newest snapshot."
                    )
                    record.save(self.folder, status="failed", failure=sentence)
            call = self._answers.get(culprit)
            if call is not None and (not killed or call.forgiven):
                sentence = f"The engine {reason} while it computed this."
                self._answers.end(culprit, False, sentence.encode())
            elif call is not None:
                call.forgiven = True

    def _worker(self, device: str | None) -> Worker:
        return Worker(device, self._settings, self._receive, self._died)

    def _receive(self, worker: Worker, kind: str, *message: Any) -> None:
        getattr(self, "on_" + kind)(worker, *message)

    def _idlest(self) -> Worker:
        """Choose the process with the fewest live runs, rather one that can work."""
        load = Counter(id(each.worker) for each in self.shelf if each.manifest.status in runs.LIVE)
        return min(self._workers, key=lambda worker: (worker.trouble != "", load[id(worker)]))
