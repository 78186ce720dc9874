"""Answers that take long, given in turns: whoever asks waits, and nobody else does.

    @patient
    def answer(question: str) -> Generator[Any, None, str]:
        ...
        yield  # others may have their turn here
        return "42"

    answer("…")            waits for all of it and gives "42"
    answer.in_turns("…")   is the generator; the device's owner advances it between other work

What waits yields WAITING: it had no turn then, and the next one has it. Between two turns others
compute on the same thread: a generator must not hold what they would notice, such as an open
`torch.no_grad()`. As a decorator, `torch.no_grad()` lets go at each yield.
"""

from collections import OrderedDict
from collections.abc import Callable, Generator, Hashable
from functools import wraps
from typing import Any, Generic, ParamSpec, TypeVar

__all__ = ["WAITING", "Patient", "Remembered", "Room", "patient", "remembered"]

WAITING = object()  # what long work yields when it waits for others, or for the world

P = ParamSpec("P")
R = TypeVar("R")
Turns = Generator[Any, None, R]


class Patient(Generic[P, R]):
    """A function that computes in turns, and whole when it is called."""

    __name__: str

    def __init__(self, in_turns: Callable[P, Turns[R]]) -> None:
        self.in_turns = in_turns
        wraps(in_turns)(self)

    def __call__(self, *arguments: P.args, **named: P.kwargs) -> R:
        """Compute all of it."""
        work = self.in_turns(*arguments, **named)
        while True:
            try:
                next(work)
            except StopIteration as end:
                result: R = end.value
                return result


def patient(in_turns: Callable[P, Turns[R]]) -> Patient[P, R]:
    """Make a generator function one that can also be called whole."""
    return Patient(in_turns)


class Remembered(Generic[P, R]):
    """A generator function that keeps its last results, by its arguments, which must be hashable.

    Two that want the same at a time compute it once: the second waits, in its turns.
    """

    def __init__(self, in_turns: Callable[P, Turns[R]], most: int) -> None:
        self._in_turns, self._most = in_turns, most
        self._kept: OrderedDict[Hashable, R] = OrderedDict()  # the longest unused first
        self._under_way: set[Hashable] = set()
        wraps(in_turns)(self)

    def __call__(self, *arguments: P.args, **named: P.kwargs) -> Turns[R]:
        """Give what is kept, or compute it."""
        key = (arguments, tuple(sorted(named.items())))
        while key in self._under_way:
            yield WAITING
        if key not in self._kept:
            self._under_way.add(key)
            try:
                self._kept[key] = yield from self._in_turns(*arguments, **named)
            finally:
                self._under_way.discard(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def cache_clear(self) -> None:
        """Forget all results, as that of `functools.lru_cache` does."""
        self._kept.clear()


class Room:
    """Room for so many at a time, for what takes much memory; others wait, in their turns.

    yield from room.enter()
    try:
        ...
    finally:
        room.leave()
    """

    def __init__(self, most: int = 1) -> None:
        self._free = most

    def enter(self) -> Turns[None]:
        """Wait until there is room, and take it."""
        while not self._free:
            yield WAITING
        self._free -= 1

    def leave(self) -> None:
        """Give it back."""
        self._free += 1


def remembered(most: int) -> Callable[[Callable[P, Turns[R]]], Remembered[P, R]]:
    """Let a generator function keep its last results, so many at most."""
    return lambda in_turns: Remembered(in_turns, most)
