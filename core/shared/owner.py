"""The process that owns the device: one thread, calls first, long work in turns.

Long work is a generator function of a frozen config, named "module:function". The first thing it
yields is where it stands before its first step. What it yields is a state, frozen and small, or a
living thing that can be looked at:

    living.freeze() -> state         made only when somebody may see it
    living.snapshot() -> Snapshot    written when the work pauses, ends, and now and then
    living.progress -> float         from 0 to 1, for the time left

or a `Snapshot`, which is kept for good, or None in the middle of a long step, so that others have
their turn, or a `progress.Done`, which says something to those who wait for a call alone, or
`turns.WAITING` when it waits for something else than the device. Work that can go on from a
snapshot takes it as its second argument; the first thing it then yields is where the snapshot left
it.

A function asked of living work may return a `Snapshot` too: it is kept, and the answer is its
step. A call that takes long is a `turns.Patient`: it shares the device with the runs. The other
side of the pipe is `core.shared.engine`, which says what each message means.
"""

import ctypes
import inspect
import logging
import pickle
import time
from collections import OrderedDict, deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from core.shared import devices, snapshots
from core.shared.calls import TURN, Asked, Calls
from core.shared.progress import Done
from core.shared.targets import config_of, resolve, sentence
from core.shared.turns import WAITING

__all__ = ["Owner"]

PUSH = 0.2  # seconds between two states of one run, at least
REST = 0.5  # seconds between two states, at most, however dear a look is
SHARE = 0.01  # of a run's time that may go into looking at it
KEEP = 20.0  # seconds between two rolling snapshots
RESIDENT = 32  # ended runs whose living thing stays in memory to be asked

Config = dict[str, Any]  # JSON values

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Run:
    """A run as its owner holds it."""

    name: str
    number: int  # of this activation, for the watchdog
    function: str
    config: dict[str, Any]
    folder: Path
    status: str  # waiting, running, stepping, paused, finished, stopped, failed
    work: Generator[Any, None, None] | None = None
    living: Any = None
    failure: str = ""
    place: int = 0  # in the line of those that wait for memory; 0 is in
    waits: bool = False  # its last turn ended as it waits for the world
    stale: bool = False  # the living thing moved since it was last looked at
    pushed: float = 0.0  # when
    rest: float = PUSH  # seconds until the next look
    kept: float = field(default_factory=time.monotonic)  # when the last rolling snapshot was
    owed: int = 0  # steps that a pausing run was told to do
    held: list[Asked] = field(default_factory=list)  # calls that wait with it for memory
    pace: deque[tuple[float, float]] = field(  # when, and the progress then
        default_factory=lambda: deque(maxlen=20)
    )


class Owner:
    """The one thread that touches the device."""

    def __init__(
        self, link: Connection, beat: "ctypes.Array[ctypes.c_double]", device: str | None = None
    ) -> None:
        self.link, self.beat = link, beat
        self.device = devices.choose(device)
        devices.prepare(self.device)
        devices.watch(self.pulse)
        self.reserve = devices.free_memory(self.device) // 10
        self.calls = Calls(self)
        self.runs: dict[str, Run] = {}  # live ones
        self.queue: deque[Run] = deque()  # those with a turn to come, in order
        self.ended: OrderedDict[str, Run] = OrderedDict()
        self.send("hello", str(self.device), devices.describe(self.device), devices.every())

    def serve(self) -> None:
        """Answer and train until the server says so or is gone."""
        with suppress(EOFError, OSError):
            while self.listen():
                self.calls.answer_some()
                self.calls.advance(at_once=all(run.waits for run in self.queue))
                self.admit()
                if self.way > 0:
                    self.link.poll(self.way)
                elif self.queue:  # no name for the run here: it would keep one that is forgotten
                    self.turn(self.queue.popleft())
        for run in self.runs.values():
            with suppress(Exception):  # its last snapshot but one will do
                self.write_rolling(run)

    def listen(self) -> bool:
        """Take in what the server sent, waiting when there is nothing to do; False to end."""
        busy = self.calls.busy or any(r.status != "paused" for r in self.runs.values())
        idle = not busy
        while self.link.poll(None if idle else 0):
            message = self.link.recv()
            if message[0] == "close":
                return False
            getattr(self, "on_" + message[0])(*message[1:])
            idle = False
        return True

    # Messages from the server

    def on_submit(
        self, name: str, number: int, function: str, config: Config, folder: str, status: str
    ) -> None:
        """Take in a run; it starts, or goes on from its newest snapshot, when there is room."""
        run = Run(name, number, function, config, Path(folder), status)
        before = self.ended.pop(name, None)
        if before is not None and before.status == "stopped":
            with suppress(Exception), self.in_hand(number):  # calls may have changed it meanwhile
                self.write_rolling(before)
        self.runs[name] = run
        if status != "paused":
            run.status = "waiting"
        self.tell(run)

    def on_command(self, name: str, command: str) -> None:
        """Pause, resume, step or stop; a command that does not fit the state changes nothing."""
        run = self.runs.get(name)
        if run is None:
            return
        if command == "stop":
            self.end(run, "stopped")
        elif command == "pause" and run.status != "paused":
            run.status, run.place, run.owed = "paused", 0, 0
            self.release(run)
            with suppress(ValueError):
                self.queue.remove(run)
            with self.failing(run):
                self.look(run)
                self.write_rolling(run)
        elif command in ("resume", "step") and run.status in ("paused", "stepping"):
            run.owed = 0 if command == "resume" else run.owed + 1
            run.pace.clear()
            if run.work is None and command == "resume":
                run.status = "waiting"  # it holds no memory yet
            else:
                run.status = "running" if command == "resume" else "stepping"
                if run not in self.queue:
                    self.queue.append(run)
            if run.status != "stepping":  # what a step leads to is told when it is done
                with self.failing(run):
                    self.tell(run)

    def on_forget(self, name: str) -> None:
        """Let go of a run for good; nobody looks at it any more."""
        run = self.runs.get(name)
        if run is not None:
            self.end(run, "stopped", shown=False)
        self.ended.pop(name, None)
        run = None
        devices.release(self.device)
        self.send("gone", name)

    def on_call(self, ticket: int, target: str, name: str | None, arguments: bytes) -> None:
        """Queue a call; its first argument is the living thing of the run, if one is named."""
        self.calls.add(Asked(ticket, target, name, arguments))

    def on_drop(self, ticket: int) -> None:
        """Let go of a call that nobody waits for."""
        self.calls.drop(ticket)

    # What is asked of runs

    def held(self, call: Asked) -> bool:
        """Let a call wait with its run, where that waits for memory; tell whether it does."""
        run = self.runs.get(call.run) if call.run else None
        if run is None or run.status != "waiting":
            return False
        run.held.append(call)
        return True

    def asked(self, name: str, target: str, given: tuple[Any, ...]) -> Any:
        """Ask a function of a run's living thing."""
        run = self.revive(name, *given[:3])
        function = resolve(target)
        found = function(run.living, *given[3:])
        if isinstance(found, snapshots.Snapshot):  # it is to be kept for good
            snapshots.write(run.folder, found)
            found = found.step
        if not (getattr(function, "reads", False) and run.status in ACTIVE):
            run.stale = True
            run.pushed = 0  # the asker sees at once what the call changed
            self.look(run)
        return found

    def release(self, run: Run) -> None:
        """Let the calls that waited with a run be answered."""
        for call in run.held:
            self.calls.add(call)
        run.held.clear()

    def revive(self, name: str, function: str, config: Config, folder: str) -> Run:
        """Find a run's living thing in memory, or make it anew from its newest snapshot."""
        run = self.runs.get(name) or self.ended.get(name)
        if run is None:
            run = Run(name, 0, function, config, Path(folder), "ended")
            self.keep(run)
        if run.living is None:
            work = self.open(run)
            for given in work:
                if isinstance(given, snapshots.Snapshot):
                    snapshots.write(run.folder, given)
                elif not (given is None or given is WAITING or isinstance(given, Done)):
                    run.living = given
                    break
            else:
                raise ValueError("This run keeps nothing that could be asked.")
            if name in self.runs:
                run.work = work
            else:
                work.close()
        return run

    # Long work

    def open(self, run: Run) -> Generator[Any, None, None]:
        """Start a run's generator, from its newest snapshot where it has one."""
        function = resolve(run.function)
        config = config_of(function, run.config)
        takes = len(inspect.signature(function).parameters)
        snapshot = snapshots.newest(run.folder) if takes > 1 else None
        work: Generator[Any, None, None] = function(
            *((config, snapshot) if snapshot else (config,))
        )
        return work

    def admit(self) -> None:
        """Let waiting runs in, first come first served, while the device has memory to spare."""
        waiting = [run for run in self.runs.values() if run.status == "waiting"]
        if waiting and not (self.queue and devices.free_memory(self.device) < self.reserve):
            run = waiting.pop(0)
            run.status, run.place = "running", 0
            self.release(run)
            self.queue.appendleft(run)  # it takes its memory now, before the next one is let in
            self.tell(run)
            return
        for place, run in enumerate(waiting, 1):
            if run.place != place:
                run.place = place
                self.tell(run)

    def turn(self, run: Run) -> None:
        """Let one run work for its turn, then look at it if it is time to."""
        with self.in_hand(run.number):
            try:
                if run.work is None:
                    run.work = self.open(run)
                until, run.waits = time.perf_counter() + TURN, False
                while True:
                    given = next(run.work)
                    if given is WAITING:
                        run.waits = True
                        break
                    if isinstance(given, snapshots.Snapshot):
                        snapshots.write(run.folder, given)
                    elif given is not None and not isinstance(given, Done):
                        if run.status == "stepping" and run.living is not None:
                            run.owed -= 1  # the first thing is where it stands, and no step
                        run.living, run.stale = given, True
                        if run.status == "stepping" and run.owed == 0:
                            run.status = "paused"
                            break
                    if time.perf_counter() >= until or self.way > 0:
                        break
                devices.synchronise(self.device)
                if run.status != "stepping":  # in the middle of a step there is nothing to see
                    self.look(run)
                if time.monotonic() - run.kept > KEEP:
                    self.write_rolling(run)
            except StopIteration:
                self.end(run, "finished")
            except BaseException as error:  # noqa: BLE001 – also SystemExit: a run ends no process
                self.fail(run, error)
        if run.status in ACTIVE:
            self.queue.append(run)

    def look(self, run: Run) -> None:
        """Freeze a run's state and send it, if it moved and enough time has passed or it stands."""
        now = time.monotonic()
        standing = run.status not in ACTIVE
        if not standing and now - run.pushed < run.rest:
            return
        payload = None
        if run.stale and run.living is not None:
            state = run.living.freeze() if hasattr(run.living, "freeze") else run.living
            payload = pickle.dumps(state)
            run.stale = False
        run.pushed = time.monotonic()
        run.rest = min(max(PUSH, (run.pushed - now) / SHARE), REST)
        self.tell(run, payload)

    def tell(self, run: Run, payload: bytes | None = None) -> None:
        """Send how a run stands, with its newest state if there is a new one."""
        progress = None  # not known
        if run.living is not None:
            progress = float(getattr(run.living, "progress", 0))
        pace = None
        if run.status == "running" and progress is not None:
            run.pace.append((time.monotonic(), progress))
            (then, before), (now, here) = run.pace[0], run.pace[-1]
            if now > then:
                pace = (here - before) / (now - then)
        status = "paused" if run.status == "stepping" else run.status
        self.send("state", run.name, status, run.place, progress, pace, run.failure, payload)

    def end(self, run: Run, status: str, *, shown: bool = True) -> None:
        """Close a run's generator, keep its last state and weights, and free what it held."""
        run.status, run.place = status, 0
        self.release(run)
        self.runs.pop(run.name, None)
        with suppress(ValueError):
            self.queue.remove(run)
        with self.in_hand(run.number):
            if run.work is not None:
                with suppress(BaseException):  # a generator may refuse to be closed
                    run.work.close()
            run.work = None
            run.stale = shown and run.living is not None
            try:
                if status != "failed":
                    self.write_rolling(run)
                self.look(run)
            except BaseException as error:  # noqa: BLE001 – also SystemExit
                run.status, run.living = "failed", None
                run.failure = run.failure or sentence(error)
                self.tell(run)
        self.keep(run)

    def fail(self, run: Run, error: BaseException) -> None:
        """End a run that cannot go on, with the sentence that says why."""
        run.failure = sentence(error)
        self.recover(error)
        self.end(run, "failed")

    @contextmanager
    def failing(self, run: Run) -> Iterator[None]:
        """Let what goes wrong inside end this run and nothing else."""
        try:
            with self.in_hand(run.number):
                yield
        except BaseException as error:  # noqa: BLE001 – also SystemExit
            self.fail(run, error)

    @contextmanager
    def in_hand(self, number: int) -> Iterator[None]:
        """Let the server see since when we have been at what."""
        before = tuple(self.beat)
        self.beat[1], self.beat[0] = number, time.monotonic()
        try:
            yield
        finally:
            self.beat[1], self.beat[0] = before[1], before[0]

    def pulse(self) -> None:
        """Let the server see that what is in hand goes on."""
        self.beat[0] = time.monotonic()

    @property
    def way(self) -> float:
        """For how many seconds the runs leave the cores to a page; 0 or less for none."""
        return self.beat[2] - time.monotonic() if self.device.type == "cpu" else 0.0

    def keep(self, run: Run) -> None:
        """Hold an ended run in memory for questions, letting the longest unasked go."""
        self.ended[run.name] = run
        while len(self.ended) > RESIDENT:
            self.ended.popitem(last=False)

    def write_rolling(self, run: Run) -> None:
        """Write where the run stands, if it can say so."""
        if hasattr(run.living, "snapshot"):
            snapshots.write(run.folder, run.living.snapshot(), rolling=True)
        run.kept = time.monotonic()

    def recover(self, error: BaseException) -> None:
        """Log what went wrong, let go of what it held, and leave the device usable."""
        if isinstance(error, ValueError):  # a refusal, which its sentence says all of
            log.info("work refused: %s", sentence(error))
        else:
            log.warning("work failed: %s", sentence(error), exc_info=error)
        error.__traceback__ = None  # its frames hold the tensors
        devices.release(self.device)

    def send(self, *message: object) -> None:
        """Send one message to the server."""
        self.link.send(message)


ACTIVE = ("running", "stepping")
