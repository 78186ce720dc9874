"""What takes turns, done whole."""

from collections.abc import Generator
from typing import Any, TypeVar

R = TypeVar("R")


def drained(work: Generator[Any, None, R]) -> R:
    """Give what it returns."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: R = end.value
            return result
