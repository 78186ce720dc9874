"""How far long work is: what it may yield between two turns, for those who wait for it.

for few in images.split(16):
    ...
    done += len(few)
    yield Done(done, len(images), "pictures")
"""

import time
from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

__all__ = ["Done", "timed", "titled"]

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Done:
    """How far it is.

    Raises: ValueError when it is further than its end.
    """

    done: int
    of: int
    unit: str  # what is counted, in the plural
    title: str = ""  # of the work
    early: bool = False  # it may end before

    def __post_init__(self) -> None:
        """Check the numbers."""
        if not 0 <= self.done <= self.of:
            raise ValueError(f"done must be from 0 to {self.of}, got {self.done}")

    @property
    def words(self) -> str:
        """Say it: "120 of 400 pictures"."""
        most = "at most " if self.early else ""
        return f"{self.done:,} of {most}{self.of:,} {self.unit}"

    @property
    def share(self) -> float:
        """Give what is done as a share, from 0 to 1."""
        return self.done / self.of if self.of else 1.0


def titled(title: str, work: Generator[Any, None, R]) -> Generator[Any, None, R]:
    """Do work in its turns, and name it in what it says of how far it is."""
    try:
        while True:
            try:
                given = next(work)
            except StopIteration as end:
                result: R = end.value
                return result
            yield replace(given, title=title) if isinstance(given, Done) else given
    finally:
        work.close()


def timed(work: Generator[Any, None, R]) -> Generator[Any, None, tuple[R, float]]:
    """Do work in its turns.

    Returns: what it gives, and the seconds that its own turns took.
    """
    seconds = 0.0
    try:
        while True:
            began = time.perf_counter()
            try:
                given = next(work)
            except StopIteration as end:
                return end.value, seconds + time.perf_counter() - began
            seconds += time.perf_counter() - began
            yield given
    finally:
        work.close()
