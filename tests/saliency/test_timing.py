"""The seconds of an explanation are the method's own: not those of others, nor of preparation."""

from collections.abc import Generator
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
from torch import nn

from core.saliency import ALL, Query, explaining, questions
from core.saliency.explaining import explained
from core.saliency.questions import Answer, Question
from core.shared import progress
from tests.saliency.asking import model_of, picture, plane

R = TypeVar("R")
SHAPE = (1, 6, 5)
TURNS, OWN, OTHERS, READY = 4, 2.0, 100.0, 1000.0  # seconds by a clock that only these move


class Clock:
    """A clock that stands still until somebody takes time."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Let a method take OWN seconds in each of its turns, and what makes a network quick READY."""
    clock = Clock()

    def slow(question: Question) -> Generator[None, None, Answer]:
        for _ in range(TURNS - 1):
            clock.now += OWN
            yield
        clock.now += OWN
        return Answer(values=question.image[0])

    def fold(network: nn.Module, shape: tuple[int, int, int]) -> nn.Module:
        clock.now += READY
        return network

    monkeypatch.setattr(progress, "time", SimpleNamespace(perf_counter=clock.perf_counter))
    monkeypatch.setattr(questions, "folded", fold)
    monkeypatch.setitem(explaining.CODE, "gradient", slow)
    return clock


def seconds(clock: Clock, query: Query) -> float:
    """Explain while others take OTHERS seconds between two turns."""
    work = explained(model_of(plane(2, SHAPE), SHAPE), picture(SHAPE), query)
    while True:
        try:
            next(work)
        except StopIteration as end:
            taken: float = end.value.seconds
            return taken
        clock.now += OTHERS


@pytest.mark.parametrize("melted", [0, ALL])
def test_only_the_methods_own_turns_are_counted(clock: Clock, melted: int) -> None:
    assert seconds(clock, Query(melted=melted)) == TURNS * OWN
    assert clock.now == READY + TURNS * OWN + (TURNS - 1) * OTHERS


def test_that_rejects_a_clock_that_goes_on_while_others_have_their_turn(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def by_the_wall(work: Generator[Any, None, R]) -> Generator[Any, None, tuple[R, float]]:
        began = clock.now
        given = yield from work
        return given, clock.now - began

    monkeypatch.setattr(explaining, "timed", by_the_wall)
    assert seconds(clock, Query()) == TURNS * OWN + (TURNS - 1) * OTHERS


def test_whoever_leaves_or_fails_lets_go_of_the_work() -> None:
    held = []

    def work() -> Generator[None, None, int]:
        held.append(True)
        try:
            yield
            raise ValueError("no more")
        finally:
            held.pop()

    left = progress.timed(work())
    next(left)
    assert held
    left.close()
    assert not held
    failing = progress.timed(work())
    next(failing)
    with pytest.raises(ValueError, match="no more"):
        next(failing)
    assert not held
