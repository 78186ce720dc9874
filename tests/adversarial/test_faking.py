"""A hidden gradient misleads cross-entropy, and nobody else."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from core.adversarial import Attack, subjects
from core.adversarial.attacking import CODE
from core.adversarial.defences import FakeDefence
from core.adversarial.driving import perturb
from core.adversarial.faking import defended, fake
from core.adversarial.goals import Goal
from core.shared.models import Source
from tests.adversarial.linear import trained
from tests.adversarial.promises import last, put
from tests.shared.turning import whole
from tests.shared.untouched import leaves_untouched

SOURCE = Source(kind="built-in", name="mnist")


def test_the_larger_the_logits_the_less_cross_entropy_finds_and_the_margin_finds_the_same() -> None:
    network, images, labels = trained()
    goal = Goal(labels, None)
    found: dict[str, list[float]] = {"ce": [], "margin": [], "dlr": []}
    for strength in (1, 10, 30, 100, 1_000):
        scaled = defended(network, "scale", strength, torch.Generator())
        for loss, shares in found.items():
            attack = Attack(epsilon=16 / 255, loss=loss, steps=20, whole_levels=False)
            batch = perturb(CODE["pgd"], scaled, images, goal, attack)
            wrong = network(batch.images).argmax(1) != labels
            shares.append(float(wrong.float().mean()))
    assert found["ce"][0] == pytest.approx(found["margin"][0], abs=0.03)
    assert found["ce"] == sorted(found["ce"], reverse=True)
    assert found["ce"][-1] < found["margin"][-1] / 2
    for loss in ("margin", "dlr"):
        assert max(found[loss]) - min(found[loss]) < 0.02


@pytest.mark.parametrize("trick", ["scale", "levels", "noise"])
def test_each_trick_does_what_it_says(trick: str) -> None:
    network, images, _ = trained()
    source = torch.Generator().manual_seed(0)
    few = images[:5]
    plain = network(few)
    match trick:
        case "scale":
            assert defended(network, trick, 30, source)(few).allclose(30 * plain)
        case "levels":
            rough = (few > 0.5).float()
            assert defended(network, trick, 2, source)(few).allclose(network(rough))
            assert defended(network, trick, 256, source)(few).allclose(plain, atol=1e-4)
        case "noise":
            assert defended(network, trick, 0, source)(few).equal(plain)
            noisy = defended(network, trick, 0.1, source)
            answers = torch.stack([noisy(few) for _ in range(400)])
            assert not answers[0].equal(answers[1])
            # Of a linear network the mean stays, and the deviation is σ‖w‖.
            expected = 0.1 * network[1].weight.norm(dim=1)  # type: ignore[index]
            assert (answers.mean(0) - plain).abs().max() < 6 * expected.max() / 20
            assert answers.std(0).mean(0).allclose(expected, rtol=0.1)


def test_rounded_pixels_have_no_gradient() -> None:
    network, images, labels = trained()
    attack = Attack(epsilon=0.1, loss="margin", method="bim", steps=3)
    rough = defended(network, "levels", 4, torch.Generator())
    batch = perturb(CODE["bim"], rough, images[:20], Goal(labels[:20], None), attack)
    assert batch.asked > 0
    assert batch.dead == batch.asked


@pytest.fixture
def linear_digits(monkeypatch: pytest.MonkeyPatch) -> nn.Module:
    network, images, labels = trained()
    put(monkeypatch, network, images, labels)
    return network


@pytest.mark.parametrize("trick", ["scale", "levels"])
def test_the_laboratory_shows_a_robustness_that_the_other_attacks_take_away(
    linear_digits: nn.Module, trick: str
) -> None:
    config = FakeDefence(
        source=SOURCE, trick=trick, epsilon=26 / 255, images=48, steps=10, queries=60
    )
    ended = last(fake(config))
    found = ended.freeze()
    entropy, margin, square, transferred = found.accuracy
    assert ended.progress == 1
    assert found.clean[0] > 0.75
    strong = -1 if trick == "scale" else 2
    assert entropy[strong] > transferred[strong] + 0.2
    assert entropy[strong] > square[strong]
    assert found.alive[strong] < 0.5
    if trick == "scale":
        assert found.alive[0] == 1
        assert (found.clean == found.clean[0]).all()
        assert margin[-1] == pytest.approx(margin[0], abs=0.03)


def test_the_laboratory_leaves_the_network_as_it_was(linear_digits: nn.Module) -> None:
    config = FakeDefence(source=SOURCE, trick="noise", images=4, epsilon=0.05, steps=2, queries=5)
    leaves_untouched(linear_digits, lambda: [*fake(config)])


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"trick": "hope"}, "trick must be one of"),
        ({"images": 0}, "images must be a whole number from 1 to 1,000, got 0"),
        ({"epsilon": 2.0}, "epsilon must be from 0 to 1 in L∞"),
    ],
)
def test_a_bad_setting_of_the_laboratory_is_named(given: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        FakeDefence(source=SOURCE, **given)  # type: ignore[arg-type]


def test_who_answers_at_random_is_attacked_also_where_the_first_reading_is_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network, images, labels = trained()
    put(monkeypatch, network, images[:20], labels[:20])
    subject, asked = subjects.Subject(SOURCE, 20), []

    def unlucky(given: Tensor) -> Tensor:  # its first answer is wrong for all
        asked.append(len(given))
        answer: Tensor = network(given)
        return -answer if len(asked) == 1 else answer

    config = Attack(epsilon=0.05, steps=3, early=False)
    for drawn, gradients in ((True, 60), (False, 0)):
        asked.clear()
        asked_of = partial(subject.attack, torch.arange(20), config, CODE["pgd"], unlucky)
        batch = whole(asked_of(drawn=drawn))
        assert batch.counts.gradients == gradients
