"""Curves and matrices count what single attacks find."""

from collections.abc import Generator
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from core.adversarial import Attack, attacking
from core.adversarial.attacking import CODE
from core.adversarial.balls import random_change
from core.adversarial.studies import Sweep, TargetMatrix
from core.adversarial.subjects import TEACHING
from core.adversarial.sweeping import Sweeping, sweep
from core.adversarial.targeting import target_all
from core.adversarial.transfer import Proxy
from core.shared.models import Source
from core.shared.turns import WAITING
from tests.adversarial.linear import inner_images, linear, two_class_distances
from tests.adversarial.promises import last, nothing, put
from tests.shared.untouched import leaves_untouched

SOURCE = Source(kind="built-in", name="mnist")


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> nn.Module:
    """A linear network of two classes and forty images, of which it reads four wrong."""
    classifier, images = linear(2), inner_images(40)
    labels = classifier(images).argmax(1)
    labels[:4] = 1 - labels[:4]
    put(monkeypatch, classifier, images, labels)
    return classifier


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
    found = last(sweep(config)).freeze()
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
    monkeypatch.setattr(attacking, "CODE", dict.fromkeys(CODE, nothing))
    with pytest.raises(AssertionError):
        test_the_curve_of_a_linear_network_is_that_of_its_distances(network, "linf")


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
    leaves_untouched(network, lambda: last(sweep(config)))


def test_the_matrix_counts_the_targets_that_are_reached(network: nn.Module) -> None:
    config = TargetMatrix(source=SOURCE, attack=Attack(epsilon=0.3, steps=20), each=5)
    ended = last(target_all(config))
    found = ended.freeze()
    assert found.tried.tolist() == [[0, 5], [5, 0]]
    assert len(ended.subject.images) == 0
    for (true, target), examples in (((0, 1), "0-1"), ((1, 0), "1-0")):
        pictures = torch.tensor(found.examples[examples]) / 255
        assert len(pictures) == found.fooled[true, target]
        assert (network(pictures).argmax(1) == target).all()
    small = replace(config, attack=replace(config.attack, epsilon=0.0))
    assert not last(target_all(small)).freeze().fooled.any()


@pytest.fixture
def taught(network: nn.Module, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Let the network itself stand for the one that is taught: transfer is then a white box."""
    asked: list[object] = []

    def proxy(source: Source, seed: int) -> Generator[object, None, Proxy]:
        asked.append(source)
        yield WAITING  # somebody else teaches the same one
        yield None
        return Proxy(nn.Sequential(network), 2_000, 1.0)

    monkeypatch.setattr(attacking, "proxy", proxy)
    return asked


def test_through_a_perfect_proxy_the_curve_is_that_of_the_white_box(taught: list[object]) -> None:
    config = Sweep(source=SOURCE, methods=("bim", "transfer"), most=0.03, images=40, steps=8)
    said, states = set(), []
    for state in sweep(config):
        states.append(state)
        if isinstance(state, Sweeping):
            said.add(state.working)
    white, through, _ = states[-1].freeze().accuracy
    assert np.array_equal(white, through)
    assert white[0] == through[0] == states[-1].clean
    assert 0 < white[-1] < white[0]
    assert taught == [SOURCE]  # once for all budgets
    assert TEACHING in said
    assert WAITING in states


def test_that_comparison_rejects_a_proxy_that_knows_nothing(
    taught: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def ignorant(*_: object, **__: object) -> Generator[None, None, Proxy]:
        yield
        return Proxy(nn.Sequential(linear(2, seed=7)), 2_000, 0.5)

    monkeypatch.setattr(attacking, "proxy", ignorant)
    config = Sweep(source=SOURCE, methods=("bim", "transfer"), most=0.03, images=40, steps=8)
    found = last(sweep(config)).freeze()
    white, through, _ = found.accuracy
    assert not np.array_equal(white, through)
    assert through[0] == found.clean  # and it keeps the promises of a curve
    assert (np.diff(through) <= 0).all()


def test_through_a_perfect_proxy_the_matrix_is_that_of_the_white_box(taught: list[object]) -> None:
    attack = Attack(method="bim", epsilon=0.02, steps=8)
    white = TargetMatrix(source=SOURCE, attack=attack, each=10)
    through = replace(white, attack=replace(attack, method="transfer"))
    found = [last(target_all(config)).freeze() for config in (white, through)]
    assert np.array_equal(found[0].fooled, found[1].fooled)
    assert 0 < found[0].fooled.sum() < found[0].tried.sum()
    assert taught == [SOURCE]


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


@pytest.mark.parametrize("turned", [False, True])
def test_noise_on_black_paints_no_paper_grey(
    monkeypatch: pytest.MonkeyPatch, *, turned: bool
) -> None:
    """It is cut off at half of the pixels, so that the mean rises by half of ε."""
    layer = nn.Linear(400, 2)  # the mean of the pixels, and what it is held against
    layer.load_state_dict(
        {"weight": torch.eye(2)[:, :1] / 400 * torch.ones(400), "bias": torch.tensor([0, 0.075])}
    )
    network = nn.Sequential(nn.Flatten(), layer).requires_grad_(False)
    images, labels = torch.zeros(8, 1, 20, 20), torch.ones(8, dtype=torch.long)
    put(monkeypatch, network, images, labels)
    if turned:
        monkeypatch.setattr(
            "core.adversarial.sweeping.random_change", lambda *given: random_change(*given).abs()
        )
    config = Sweep(source=SOURCE, methods=("fgsm",), norm="linf", most=0.1, images=8)
    found = last(sweep(config)).freeze()
    assert found.accuracy[-1, -1] == (0 if turned else 1)
