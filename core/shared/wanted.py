"""Whether whoever waits for an answer still wants it.

with only_while(lambda: newest == mine):
    engine.call(...)  # gives up when that is no longer so
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["only_while", "wanted"]

_asked: ContextVar[Callable[[], bool]] = ContextVar("asked", default=lambda: True)


@contextmanager
def only_while(still: Callable[[], bool]) -> Iterator[None]:
    """Let what is waited for inside be given up as soon as it is no longer wanted."""
    before = _asked.set(still)
    try:
        yield
    finally:
        _asked.reset(before)


def wanted() -> bool:
    """Tell whether it still is."""
    return _asked.get()()
