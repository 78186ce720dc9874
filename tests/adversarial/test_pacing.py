"""Every attack says how far it is: never back, never beyond its end, and to its end if it may."""

from typing import Any

import pytest
import torch

from core.adversarial import METHODS, Attack
from core.adversarial.attacking import attack
from core.adversarial.pacing import far
from core.shared import data, progress
from core.shared.models import Source
from core.shared.progress import Done

DIGITS = Source(kind="built-in", name="mnist")
GIVEN: dict[str, Any] = {"steps": 6, "searches": 2, "queries": 30, "population": 10, "early": False}


@pytest.mark.parametrize("method", [each for each in METHODS if each != "transfer"])
def test_an_attack_says_how_far_it_is(method: str) -> None:
    about, test = METHODS[method], data.dataset("mnist", torch.device("cpu")).test
    config = Attack(method=method, epsilon=2 if about.norms[0] == "l0" else 0.05, **GIVEN)
    turns = attack.in_turns(DIGITS, test.images[0].numpy(), int(test.labels[0]), config)
    words = [each for each in turns if isinstance(each, Done) and each.title == about.title]
    numbers = [each.done for each in words]
    assert numbers
    assert numbers == sorted(numbers)
    assert {each.unit for each in words} == {"pictures" if "queries" in about.heeds else "steps"}
    assert {each.early for each in words} == {about.minimal}
    if not about.minimal and method != "nes":  # whose last step may be more than is left
        assert numbers[-1] == words[-1].of


def test_what_may_end_before_says_at_most() -> None:
    assert far(Attack(early=True), 3, 4).words == "3 of at most 40 steps"
    assert far(Attack(early=False), 3, 4).words == "3 of 40 steps"
    assert far(Attack(early=False), 41, 42).words == "40 of 40 steps"  # the last moment is its end
    carlini = Attack(method="cw", steps=100, searches=6, norm="l2")
    assert far(carlini, 340, 341).words == "340 of at most 600 steps"
    square = Attack(method="square", queries=1_000, restarts=2)
    assert far(square, 30, 31).words == "31 of at most 2,000 pictures"
    assert far(Attack(method="fgsm", early=False), 1, 1).words == "1 of 1 steps"


class Clock:
    """A clock that others move: it stands still while the attack has its turn."""

    now = 0.0

    def perf_counter(self) -> float:
        self.now += 1e-3  # whoever looks at it takes that long
        return self.now


def test_the_seconds_of_an_attack_are_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    image = data.dataset("mnist", torch.device("cpu")).test.images[0].numpy()
    turns, waited = attack.in_turns(DIGITS, image, 7, Attack(method="pgd", **GIVEN)), 0.0
    while True:
        try:
            next(turns)
        except StopIteration as end:
            seconds: float = end.value.seconds
            break
        clock.now, waited = clock.now + 100.0, waited + 100.0
    assert waited >= 500
    assert 0 < seconds < 1
