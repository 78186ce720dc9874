"""Curves and matrices count what single attacks find."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from core.adversarial import Attack, subjects
from core.adversarial.attacking import CODE
from core.adversarial.driving import Moment, Problem
from core.adversarial.studies import Sweep, TargetMatrix
from core.adversarial.sweeping import Sweeping, sweep
from core.adversarial.targeting import target_all
from core.shared.loading import Model
from core.shared.models import Source
from tests.adversarial.linear import inner_images, linear, two_class_distances
from tests.shared.untouched import leaves_untouched

SOURCE = Source(kind="built-in", name="mnist")


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> nn.Module:
    """A linear network of two classes and forty images, of which it reads four wrong."""
    classifier, images = linear(2), inner_images(40)
    labels = classifier(images).argmax(1)
    labels[:4] = 1 - labels[:4]
    model = Model(SOURCE, classifier, ("a", "b"), (1, 6, 6), "few")
    monkeypatch.setattr(subjects, "load", lambda _: model)
    monkeypatch.setattr(subjects, "tested", lambda _: (images, labels))
    return classifier


def last(config: Sweep) -> Sweeping:
    *_, ended = sweep(config)
    return ended


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_curve_of_a_linear_network_is_that_of_its_distances(
    network: nn.Module, norm: str
) -> None:
    images = inner_images(40)
    distances, weight = two_class_distances(network, images)
    dual = float(weight.abs().sum() if norm == "linf" else weight.norm())
    most = float(distances.max()) / dual * 1.1
    methods = ("fgsm", "pgd") if norm == "linf" else ("pgd",)
    config = Sweep(source=SOURCE, methods=methods, norm=norm, most=min(1.0, most), images=40)
    found = last(config).freeze()
    assert found.clean == pytest.approx(0.9)
    assert (found.accuracy[:, 0] == found.clean).all()
    for budget, *shares in zip(found.budgets, *found.accuracy[:-1], strict=True):
        margin = distances[4:] / dual - budget
        # 8 bits, and steps of an attack that is no closed form, leave a little to both sides.
        surely = float((margin > 0.3 / 255).sum() / 40), float((margin > -1.5 / 255).sum() / 40)
        slack = 0.05 if norm == "l2" else 0.001
        for share in shares:
            assert surely[0] - slack <= share <= surely[1] + slack
    for row in found.accuracy[:-1]:
        assert (np.diff(row) <= 0).all()
    noise = found.accuracy[-1]
    assert (noise >= found.accuracy[:-1].min(0)).all()
    assert noise[len(noise) // 2] > found.accuracy[0][len(noise) // 2]


def test_that_oracle_rejects_an_attack_that_does_nothing(
    network: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subjects, "CODE", dict.fromkeys(CODE, _nothing))
    with pytest.raises(AssertionError):
        test_the_curve_of_a_linear_network_is_that_of_its_distances(network, "linf")


def _nothing(problem: Problem, *_: object) -> Iterator[Moment]:
    yield Moment(problem.clean)


def test_a_sweep_tells_how_far_it_is_and_lets_the_network_go(network: nn.Module) -> None:
    config = Sweep(source=SOURCE, methods=("fgsm",), points=5, images=10)
    shares = []
    for sweeping in sweep(config):
        shares.append(sweeping.progress)
    assert shares[0] == 0
    assert shares[-1] == 1
    assert shares == sorted(shares)
    assert sweeping.subject.network is None
    assert sweeping.freeze().images == 10


def test_a_sweep_leaves_the_network_as_it_was(network: nn.Module) -> None:
    config = Sweep(source=SOURCE, methods=("fgsm", "deepfool"), norm="l2", points=3, images=5)
    leaves_untouched(network, lambda: last(config))


def test_the_matrix_counts_the_targets_that_are_reached(network: nn.Module) -> None:
    config = TargetMatrix(source=SOURCE, attack=Attack(epsilon=0.3, steps=20), each=5)
    *_, ended = target_all(config)
    found = ended.freeze()
    assert found.tried.tolist() == [[0, 5], [5, 0]]
    assert len(ended.subject.images) == 0
    for (true, target), examples in (((0, 1), "0-1"), ((1, 0), "1-0")):
        pictures = torch.tensor(found.examples[examples]) / 255
        assert len(pictures) == found.fooled[true, target]
        assert (network(pictures).argmax(1) == target).all()
    small = replace(config, attack=replace(config.attack, epsilon=0.0))
    *_, ended = target_all(small)
    assert not ended.freeze().fooled.any()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"methods": ()}, "methods must be 1 to 4 different ones"),
        ({"methods": ("pgd", "pgd")}, "methods must be 1 to 4 different ones"),
        ({"methods": ("jsma",)}, "norm must be one of"),
        ({"points": 1}, "points must be a whole number from 2 to 40, got 1"),
        ({"images": 5_000}, "images must be a whole number from 1 to 1,000, got 5000"),
        ({"most": 2.0}, "epsilon must be from 0 to 1"),
    ],
)
def test_a_bad_sweep_is_refused_with_its_rule(given: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Sweep(source=SOURCE, **given)  # type: ignore[arg-type]


def test_a_bad_matrix_is_refused_with_its_rule() -> None:
    with pytest.raises(ValueError, match=r"each must be one of \(1, 2, 5, 10\), got 3"):
        TargetMatrix(source=SOURCE, attack=Attack(), each=3)


def test_without_its_data_a_network_has_no_curve() -> None:
    lite = Source(kind="built-in", name="efficientnet-lite0")
    with pytest.raises(ValueError, match="network must be one whose data are here"):
        next(iter(sweep(Sweep(source=lite))))
