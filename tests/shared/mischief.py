"""Long work and calls that behave and that misbehave, to be run by an engine process."""

import os
import signal
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from core.shared import devices
from core.shared.data import Dataset, Split, mnist
from core.shared.networks import build
from core.shared.progress import Done
from core.shared.recipes import Recipe
from core.shared.snapshots import Snapshot
from core.shared.targets import reads
from core.shared.training import Training
from core.shared.turns import WAITING, patient, remembered
from core.train_cnn.learning import Lesson


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What all of the work here is told."""

    steps: int = 10
    pause: float = 0.001  # seconds of work a step
    log: str = ""  # a file that gets a line a step
    name: str = ""  # what that line says


@dataclass(frozen=True, slots=True)
class State:
    step: int
    size: int = 0
    ballast: bytes = b""


@dataclass
class Counter:
    """A living thing: a number that grows, and that can be asked, changed and kept."""

    step: int
    steps: int
    note: str = ""
    ballast: list[bytes] = field(default_factory=list)

    @property
    def progress(self) -> float:
        return self.step / self.steps

    def freeze(self) -> State:
        return State(self.step)

    def snapshot(self) -> Snapshot:
        return Snapshot(self.step, {"step": torch.tensor(self.step)}, {"note": self.note})


def write_line(path: str, text: str) -> None:
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text + "\n")


def work(seconds: float) -> None:
    limit = time.perf_counter() + seconds
    while time.perf_counter() < limit:
        pass


# Work that behaves


def count(config: Config, snapshot: Snapshot | None = None) -> Iterator[Counter]:
    """Count from 0 to config.steps, or from where the snapshot was."""
    counter = Counter(snapshot.step if snapshot else 0, config.steps)
    if snapshot:
        counter.note = str(snapshot.record["note"])
    yield counter
    while counter.step < config.steps:
        work(config.pause)
        counter.step += 1
        write_line(config.log, f"{config.name}{counter.step}")
        yield counter


def count_forever(config: Config, snapshot: Snapshot | None = None) -> Iterator[Counter]:
    """Count without an end."""
    return count(replace(config, steps=10**9), snapshot)


def states(config: Config) -> Iterator[State]:
    """Plain frozen states, no living thing."""
    for step in range(config.steps + 1):
        yield State(step)


def heavy_states(config: Config) -> Iterator[State]:
    """Two mebibytes a state, more than any pipe holds."""
    for step in range(config.steps):
        work(config.pause)
        yield State(step, ballast=bytes(2 << 20))


def big_state(config: Config) -> Iterator[State]:
    """A mebibyte a state, for as long as one likes."""
    step = 0
    while True:
        step += 1
        work(config.pause)
        yield State(step, ballast=bytes(1 << 20))


def big_thing(config: Config) -> Iterator[Counter]:
    """A living thing that holds a hundred mebibytes."""
    counter = Counter(0, 1)
    counter.ballast = [b"1" * (1 << 20) for _ in range(100)]
    while True:
        work(config.pause)
        yield counter


def lesson(recipe: Recipe, snapshot: Snapshot | None = None) -> Iterator[object]:
    """Teach LeNet-5 the first few digits."""
    training = begin(recipe, snapshot)
    living = Lesson(training)
    for kept in training.run():
        if isinstance(kept, Snapshot):
            yield kept
        yield living


def long_but_alive(seconds: float) -> str:
    """Take longer than anybody is patient, and tell that it goes on."""
    limit = time.perf_counter() + seconds
    while time.perf_counter() < limit:
        work(0.1)
        devices.pulse()
    return "done"


def in_parts(config: Config) -> Iterator[Counter | None]:
    """Count, with much that is no step between two of them."""
    counter = Counter(0, config.steps)
    yield counter
    while counter.step < config.steps:
        for _ in range(20):
            work(config.pause)
            yield None
        counter.step += 1
        write_line(config.log, f"{config.name}{counter.step}")
        yield counter


def says_so_in_parts(config: Config) -> Iterator[Counter | Done]:
    """Count, and say between two steps how far that is."""
    yield Done(0, config.steps, "steps")
    counter = Counter(0, config.steps)
    while counter.step < config.steps:
        yield counter
        yield Done(counter.step, config.steps, "steps")
        counter.step += 1
    yield counter
    yield Done(counter.step, config.steps, "steps")


def waits(config: Config) -> Iterator[object]:
    """Wait for something that never comes."""
    yield State(0)
    while True:
        time.sleep(config.pause)
        write_line(config.log, "waited")
        yield WAITING


def three(*given: object) -> tuple[object, ...]:
    """Give back what was given."""
    return given


def leaves(_: object, folder: str, seconds: float) -> None:
    """Leave a word in the folder, one more each time."""
    time.sleep(seconds)
    with (Path(folder) / "left").open("a") as file:
        file.write("once")


def begin(recipe: Recipe, snapshot: Snapshot | None = None) -> Training:
    """The recipe's network before the first few digits of MNIST."""
    network = build(recipe.network, torch.Generator().manual_seed(recipe.seed))
    return Training(network, few_digits(), recipe, snapshot)


def few_digits(training: int = 320, others: int = 100) -> Dataset:
    """The first digits of each part of MNIST."""
    whole = mnist(torch.device("cpu"))

    def first(split: Split, count: int) -> Split:
        return Split(split.images[:count], split.labels[:count])

    return Dataset(
        first(whole.training, training), first(whole.validation, others), first(whole.test, others)
    )


def keeps_for_good(config: Config) -> Iterator[Snapshot | State]:
    """Nothing but snapshots, never a living thing."""
    for step in range(config.steps):
        yield Snapshot(step, {"step": torch.tensor(step)}, {})


def on_device(config: Config) -> Iterator[State]:
    """Tell which device new work gets, as its step's name."""
    yield State(0, ballast=str(devices.choose()).encode())


# Work that does not


class OddError(Exception):
    """An error of our own."""


def raises_value_error(config: Config) -> Iterator[State]:
    yield State(0)
    raise ValueError("epsilon must be in [0, 1], got 1.5")


def raises_at_once(config: Config) -> Iterator[State]:
    raise ValueError("nothing can be done")
    yield State(0)


def raises_odd_error(config: Config) -> Iterator[State]:
    yield State(0)
    raise OddError("something odd")


def raises_system_exit(config: Config) -> Iterator[State]:
    yield State(0)
    raise SystemExit(3)


def diverges(config: Config) -> Iterator[State]:
    yield State(1)
    raise FloatingPointError("The loss was no longer finite by step 1: try a tenth of the rate.")


def never_yields(config: Config) -> Iterator[State]:
    while True:
        time.sleep(0.01)
    yield State(0)


def yields_slowly(config: Config) -> Iterator[State]:
    for step in range(config.steps):
        yield State(step)
        time.sleep(config.pause)


def allocates_too_much(config: Config) -> Iterator[State]:
    yield State(0)
    held = [bytes(64 << 20) for _ in range(1000)]  # which nothing touches: refused at once
    yield State(1, len(held))


def allocates_a_tensor_too_much(config: Config) -> Iterator[State]:
    yield State(0)
    yield State(1, len(torch.ones(1 << 34)))


def dies(config: Config) -> Iterator[State]:
    yield State(0)
    os._exit(7)


def kills_itself(config: Config) -> Iterator[State]:
    yield State(0)
    os.kill(os.getpid(), signal.SIGKILL)
    yield State(1)


def refuses_to_close(config: Config) -> Iterator[State]:
    step = 0
    while True:
        try:
            step += 1
            time.sleep(0.001)
            yield State(step)
        except GeneratorExit:
            step = 0


def hangs_when_closed(config: Config) -> Iterator[State]:
    try:
        while True:
            time.sleep(0.001)
            yield State(0)
    finally:
        while True:
            time.sleep(0.01)


def yields_unpicklable(config: Config) -> Iterator[object]:
    while True:
        yield lambda: None


class Crooked(Counter):
    def freeze(self) -> State:
        raise OddError("cannot be frozen")


class Exiting(Counter):
    def freeze(self) -> State:
        raise SystemExit(4)


class Unmeasured(Counter):
    @property
    def progress(self) -> float:
        raise OddError("progress is unknown")


class Unkept(Counter):
    def snapshot(self) -> Snapshot:
        raise OddError("cannot be kept")


def cannot_be_frozen(config: Config) -> Iterator[Counter]:
    while True:
        yield Crooked(1, 2)


def exits_when_frozen(config: Config) -> Iterator[Counter]:
    while True:
        yield Exiting(1, 2)


def has_no_progress(config: Config) -> Iterator[Counter]:
    while True:
        yield Unmeasured(1, 2)


def cannot_be_kept(config: Config) -> Iterator[Counter]:
    while True:
        time.sleep(0.001)
        yield Unkept(1, 2)


# Calls


def double(number: int) -> int:
    return 2 * number


def owner() -> int:
    """The process that computes."""
    return os.getpid()


def slow_count(path: str, seconds: float, number: int) -> int:
    write_line(path, str(number))
    time.sleep(seconds)
    return number


@patient
def count_in_turns(path: str, name: str, turns: int, seconds: float) -> Generator[Any, None, str]:
    """Count, for so many seconds a turn."""
    for turn in range(turns):
        work(seconds)
        write_line(path, f"{name}{turn}")
        yield
    return name


@patient
def says_how_far(name: str, turns: int, seconds: float) -> Generator[Done, None, str]:
    """Count, for so many seconds a turn, and say so after each."""
    for turn in range(turns):
        work(seconds)
        yield Done(turn + 1, turns, "turns", name)
    return name


@patient
def says_how_far_and_waits(turns: int, seconds: float) -> Generator[Any, None, None]:
    """Count as that does, and then wait as long for others."""
    yield from says_how_far.in_turns("Counted", turns, seconds)
    for _ in range(turns):
        time.sleep(seconds)
        yield WAITING


@remembered(4)
def _the_same(path: str) -> Generator[Any, None, int]:
    for turn in range(20):
        work(0.02)
        write_line(path, str(turn))
        yield
    return 0


@patient
def of_the_same(path: str, number: int) -> Generator[Any, None, int]:
    """Give a number, once what all of these need has been computed."""
    return number + (yield from _the_same(path))


@patient
def refuses_in_turns(number: int) -> Generator[Any, None, None]:
    yield
    refuses(number)


@patient
def exits_in_turns() -> Generator[Any, None, None]:
    yield
    exits()


@patient
def answers_unpicklable_in_turns() -> Generator[Any, None, object]:
    yield
    return answers_unpicklable()


def first_time_dies(path: str) -> str:
    """End the process, but answer when asked again."""
    if not Path(path).exists():
        Path(path).touch()
        time.sleep(60)
    return "asked again"


def exits() -> None:
    raise SystemExit(5)


def refuses(number: int) -> None:
    raise ValueError(f"number must not be {number}")


def answers_unpicklable() -> object:
    return lambda: None


def length(content: bytes) -> int:
    return len(content)


def step_of(counter: Counter) -> int:
    return counter.step


@reads
def read_step_of(counter: Counter) -> int:
    return counter.step


def owner_of(_: Counter) -> int:
    """The process in which a living thing lives."""
    return os.getpid()


def set_note(counter: Counter, note: str) -> None:
    counter.note = note


def note_of(counter: Counter) -> str:
    return counter.note


def memory() -> int:
    """Bytes that this process has in memory."""
    with Path("/proc/self/statm").open(encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def memory_beside(_: Counter) -> int:
    return memory()


def bytes_of(size: int, number: int) -> bytes:
    return bytes(size) + str(number).encode()
