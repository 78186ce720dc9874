"""A study climbs a quicker copy of a network, and the network itself has the last word.

How many images it moves at once is for the pictures and the attack to say.
"""

from collections.abc import Generator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from core.adversarial import Attack, subjects
from core.adversarial.best import Batch
from core.adversarial.driving import drive
from core.adversarial.goals import Goal
from core.adversarial.problems import Problem
from core.adversarial.studies import Sweep
from core.adversarial.sweeping import sweep
from core.shared import devices
from core.shared.models import Source
from tests.adversarial.linear import inner_images, linear, two_class_distances
from tests.adversarial.promises import last, put

SOURCE = Source(kind="built-in", name="mnist")
COUNT = 40
SHIFT = 0.2  # of a logit, by which the copy is wrong


class Hasty(nn.Module):
    """A copy that reads the first class too often, so that too much looks like a success."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images)
        return logits + torch.tensor([SHIFT, 0.0])


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> nn.Module:
    """A linear network of two classes that is climbed through a copy which answers otherwise."""
    classifier, images = linear(2), inner_images(COUNT)
    put(monkeypatch, classifier, images, classifier(images).argmax(1))
    monkeypatch.setattr(subjects, "folded", lambda network, _: Hasty(network))
    return classifier


def the_network_has_the_last_word(
    network: nn.Module, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    batches: list[tuple[Tensor, Batch]] = []
    usual = subjects.Subject.attack

    def noting(self: subjects.Subject, few: Tensor, *rest: Any) -> Generator[object, None, Batch]:
        batch = yield from usual(self, few, *rest)
        batches.append((self.labels[few], batch))
        return batch

    monkeypatch.setattr(subjects.Subject, "attack", noting)
    norm = "l2" if method == "deepfool" else "linf"
    distances, weight = two_class_distances(network, inner_images(COUNT))
    dual = float(weight.norm() if norm == "l2" else weight.abs().sum())
    most = float(distances.quantile(0.7)) / dual
    config = Sweep(
        source=SOURCE, methods=(method,), norm=norm, most=most, points=5, images=COUNT, steps=10
    )
    found = last(sweep(config)).freeze()
    assert sum(int(batch.fooled.sum()) for _, batch in batches) > COUNT / 4
    for labels, batch in batches:
        read = network(batch.images).argmax(1)
        assert (read != labels)[batch.fooled].all()
    for budget, share in zip(found.budgets, found.accuracy[0], strict=True):
        out_of_reach = (distances / dual > budget + 1e-5).float().mean()
        assert share >= float(out_of_reach) - 1e-6


@pytest.mark.parametrize("method", ["fgsm", "pgd", "deepfool", "square"])
def test_what_a_sweep_counts_as_fooled_is_misread_by_the_network_itself(
    network: nn.Module, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    the_network_has_the_last_word(network, monkeypatch, method)


@pytest.mark.parametrize("method", ["fgsm", "pgd", "deepfool", "square"])
def test_that_rejects_a_study_that_believes_the_copy(
    network: nn.Module, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    def credulous(*given: Any, drawn: bool) -> Generator[object, None, Batch]:
        *others, saved, logits = given
        assert not drawn
        assert saved is not None
        method, network, images, goal, attack = others
        return (yield from drive(method, network, images, goal, attack, None, logits))

    monkeypatch.setattr(subjects, "drive", credulous)
    with pytest.raises(AssertionError, match="all"):
        the_network_has_the_last_word(network, monkeypatch, method)


@pytest.mark.parametrize(
    ("method", "shape", "count"),
    [
        ("square", (1, 28, 28), 1_024),
        ("square", (3, 64, 64), 341),  # 2²² values, as many as pass through a network together
        ("square", (3, 224, 224), 64),  # a thousand would be 600 MB, and again for each copy
        ("pgd", (1, 28, 28), 64),
        ("nes", (1, 28, 28), 64),  # no gradient, but many readings a step
    ],
)
def test_only_small_pictures_that_are_glanced_at_are_moved_by_the_thousand(
    method: str, shape: tuple[int, int, int], count: int
) -> None:
    assert subjects.together(Attack(method=method), shape) == count


def test_many_images_pass_in_portions_and_each_is_a_sign_of_life(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    classifier, images = linear(2), inner_images(300)
    passed: list[int] = []
    signs: list[int] = []

    def network(few: Tensor) -> Tensor:
        passed.append(len(few))
        logits: Tensor = classifier(few)
        return logits

    monkeypatch.setattr(devices, "pulse", lambda: signs.append(len(passed)))
    problem = Problem(network, images, Goal(torch.zeros(300, dtype=torch.long), None))
    torch.testing.assert_close(problem.logits(images), classifier(images))
    assert passed == [128, 128, 44]
    assert signs == [0, 1, 2]
    assert problem.counts.queries == 300
    assert problem.logits(images[:0]).shape == (0, 2)
