"""A study of many images: long work that can be looked at between two steps, until it ends."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Protocol, TypeVar, cast, runtime_checkable

from core.shared.turns import WAITING

__all__ = ["Study", "studied"]


@runtime_checkable
class Study(Protocol):
    """What can be looked at between two steps of it."""

    def measure(self) -> Iterator[object]:
        """Measure all there is to measure, yielding whenever others may have their turn."""

    def let_go(self) -> None:
        """Hold no network and no images any more."""


S = TypeVar("S", bound=Study)


def studied(study: S) -> Iterator[S]:
    """Give a study before its first step and after each, and let it go at the end.

    Where it waits for another's work, `turns.WAITING` is given.
    """
    try:
        yield study
        for given in study.measure():
            yield cast(S, given) if given is WAITING else study  # which only the owner sees
    except BaseException:
        with suppress(Exception):  # what failed may make this fail too: the first error is told
            study.let_go()
        raise
    study.let_go()
