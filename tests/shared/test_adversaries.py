"""Adversaries go where closed forms and finite differences say, and leave the network in peace."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.shared import adversaries
from core.shared.adversaries import perturb, slope, withstood
from core.shared.data import Split
from core.shared.evaluating import loss_of
from core.shared.networks import build
from core.shared.recipes import Recipe
from tests.adversarial.linear import inner_images, linear
from tests.shared.mischief import begin, few_digits
from tests.shared.untouched import untouched

EPSILON = 0.1
Perturb = Callable[..., Tensor]
KINDS = ("fgsm", "fast", "pgd")
SMALL = "conv6-k5-s2-relu,fc24-relu"


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def living(*, seed: int = 0) -> nn.Module:
    """A network in the middle of learning: with batch statistics, dropout and gradients wanted."""
    network = build("conv4-k5-s3-batch-relu,fc12-relu-drop50", seeded())
    network(few_digits().training.images[:40])
    return network.train()


def recipe(kind: str, **changes: object) -> Recipe:
    return replace(Recipe(adversary=kind, epsilon=EPSILON), **changes)  # type: ignore[arg-type]


def where_it_ends(kind: str, images: Tensor, uphill: Tensor) -> Tensor:
    """Of a linear network with two classes: the gradient's sign is the same everywhere."""
    reach = EPSILON * torch.ones_like(images)
    if kind == "fast":  # one step of 1.25 ε from a random place, no further than ε
        anywhere = EPSILON * (2 * torch.rand(images.shape, generator=seeded()) - 1)
        reach = (uphill * anywhere + 1.25 * EPSILON).clamp(max=EPSILON)
    return images + uphill * reach


def agrees(kind: str, move: Perturb) -> bool:
    network, images = linear(2), inner_images(20)
    labels = network(images).argmax(1)
    weight = network[1].weight  # type: ignore[index]
    uphill = (weight[1 - labels] - weight[labels]).sign().view_as(images)
    found = move(network, images, labels, recipe(kind), seeded())
    return bool(found.isclose(where_it_ends(kind, images, uphill), atol=1e-6).all())


@pytest.mark.parametrize("kind", KINDS)
def test_on_a_linear_network_each_adversary_ends_where_it_must(kind: str) -> None:
    assert agrees(kind, perturb)


@pytest.mark.parametrize("kind", KINDS)
def test_that_closed_form_rejects_one_that_descends_or_does_nothing(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not agrees(kind, lambda network, images, *_: images)
    monkeypatch.setattr(
        adversaries,
        "loss_of",
        lambda *given: -loss_of(*given),  # down its own loss
    )
    assert not agrees(kind, perturb)


def where_differences_lead(
    network: nn.Module, image: Tensor, label: Tensor, given: Recipe, start: Tensor
) -> Tensor:
    """Take the steps of an adversary up the sign of central differences, pixel by pixel."""
    steps, length = {"fgsm": (1, 1.0), "fast": (1, 1.25), "pgd": (7, 2.5 / 7)}[given.adversary]
    bumps = 1e-6 * torch.eye(784).double().view(784, 1, 28, 28)
    low, high = (image - EPSILON).clamp(min=0), (image + EPSILON).clamp(max=1)
    moved = start
    for _ in range(steps):
        with torch.no_grad():
            up, down = (network(moved + side * bumps) for side in (1, -1))
        if given.loss == "squared":
            wanted = F.one_hot(label, 10)
            values = [((each.sigmoid() - wanted) ** 2).sum(1) / 2 for each in (up, down)]
        else:
            values = [-each.log_softmax(1)[:, int(label)] for each in (up, down)]
        rise = values[0] - values[1]
        sign = rise.sign() * (rise.abs() > 1e-13)  # less is no slope but the last bits
        moved = (moved + length * EPSILON * sign.view_as(image)).clamp(low, high)
    return moved


def follows_differences(kind: str, loss: str, move: Perturb) -> bool:
    network = build(SMALL, seeded()).double().eval()
    images = few_digits().training.images[:2].double() * 0.6 + 0.2
    labels, given = few_digits().training.labels[:2], recipe(kind, loss=loss)
    starts = images
    if kind != "fgsm":
        starts = images + EPSILON * (2 * torch.rand(images.shape, generator=seeded()) - 1)
    found = move(network, images, labels, given, seeded())
    return all(
        bool(
            where_differences_lead(network, *each[:2], given, each[2])
            .isclose(each[3], atol=1e-6)
            .all()
        )
        for each in zip(images, labels, starts, found, strict=True)
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("loss", ["cross-entropy", "squared"])
def test_each_step_follows_the_sign_of_finite_differences(kind: str, loss: str) -> None:
    assert follows_differences(kind, loss, perturb)


@pytest.mark.parametrize("kind", KINDS)
def test_finite_differences_reject_another_loss_and_a_slope_that_is_kept(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other(network: nn.Module, images: Tensor, labels: Tensor, *rest: object) -> Tensor:
        return perturb(network, images, (labels + 1) % 10, *rest)  # type: ignore[arg-type]

    assert not follows_differences(kind, "cross-entropy", other)
    if kind != "pgd":  # whose slope alone is asked again
        return
    slopes: list[tuple[Tensor, Tensor]] = []
    usual = adversaries._climb

    def first(*given: Any) -> tuple[Tensor, Tensor]:
        slopes.append(usual(*given))
        return slopes[0]

    monkeypatch.setattr(adversaries, "_climb", first)
    assert not follows_differences(kind, "cross-entropy", perturb)


def test_the_slope_of_an_image_is_that_of_finite_differences() -> None:
    network = build(SMALL, seeded()).double().eval()
    image, label = few_digits().training.images[0].double(), int(few_digits().training.labels[0])
    found = slope(network, image, label, Recipe()).flatten()
    assert found.abs().max() > 0
    for pixel in range(100, 700, 61):
        bump = torch.zeros(784).double()
        bump[pixel] = 1e-5
        bump = bump.view(1, 28, 28)
        ends = torch.stack([image + bump, image - bump])
        logits = network(ends).detach()
        high, low = F.cross_entropy(logits, torch.tensor([label] * 2), reduction="none")
        assert float(found[pixel]) == pytest.approx(float(high - low) / 2e-5, abs=1e-7)


@pytest.mark.parametrize("epsilon", [0.0, 0.01, 0.03])
def test_who_stays_right_on_a_linear_network_is_known(epsilon: float) -> None:
    network, images = linear(2), inner_images(60)
    labels = network(images).argmax(1)
    labels[:5] = 1 - labels[:5]
    weight = network[1].weight  # type: ignore[index]
    logits = network(images)
    margin = logits.gather(1, labels[:, None]) - logits.gather(1, 1 - labels[:, None])
    lost = epsilon * (weight[0] - weight[1]).abs().sum()  # the most that a margin can lose
    expected = margin[:, 0] > lost
    *_, right = withstood(network, images, labels, epsilon)
    assert right.equal(expected)
    if epsilon:
        assert 0 < int(expected.sum()) < 55
        assert not right.equal(margin[:, 0] > 0)  # an attack that does nothing would be seen


def test_nobody_who_has_fallen_comes_back_and_it_yields_between_steps() -> None:
    network, digits = living().eval(), few_digits().validation
    shares = [
        float(right.float().mean())
        for right in withstood(network, digits.images, digits.labels, 0.2)
    ]
    assert len(shares) == adversaries.WATCH_STEPS + 1
    assert shares == sorted(shares, reverse=True)


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_that_learns_is_left_in_peace(kind: str) -> None:
    network, digits = living(), few_digits().training
    images, labels = digits.images[:30], digits.labels[:30]
    with untouched(network):
        perturb(network, images, labels, recipe(kind), seeded())
        list(withstood(network, images, labels, EPSILON))
        slope(network, images[0], int(labels[0]), Recipe())


def test_it_is_attacked_as_it_answers_not_as_it_learns() -> None:
    network, digits = living(), few_digits().training
    images, labels = digits.images[:30], digits.labels[:30]
    at_rest = copy.deepcopy(network).eval()
    one = perturb(network, images, labels, recipe("pgd"), seeded())
    assert one.equal(perturb(at_rest, images, labels, recipe("pgd"), seeded()))


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_is_cut_goes_on_as_if_it_had_not_been(kind: str) -> None:
    given = Recipe(
        network=SMALL, adversary=kind, epsilon=EPSILON, batch_size=40, epochs=1, learning_rate=0.02
    )
    whole = begin(given)
    losses = [float(whole.advance()) for _ in range(8)]
    half = begin(given)
    assert [float(half.advance()) for _ in range(4)] == losses[:4]
    other = begin(given, half.snapshot())
    assert [float(other.advance()) for _ in range(4)] == losses[4:]


def test_adversarial_training_withstands_what_its_twin_does_not() -> None:
    twin = Recipe(epsilon=0.05, batch_size=16, epochs=4, learning_rate=0.02)
    shares = {}
    for kind in ("", "fast"):  # of 100 digits 46 and 61 withstand it here
        run = begin(replace(twin, adversary=kind))
        assert list(run.run()).count("busy") > adversaries.WATCH_STEPS
        told = [point.robust_accuracy for point in run.points]
        assert [share is not None for share in told[:5]] == [True, False, False, True, False]
        assert run.points[-1].validation_accuracy > 0.6
        shares[kind] = told[-1] or 0.0
    assert shares["fast"] > shares[""] + 0.05


TAUGHT = Recipe(
    network="conv4-k5-s3-batch-relu,fc12-relu-drop50",
    epsilon=0.04,
    batch_size=20,
    epochs=2,
    learning_rate=0.1,
)
Taught = tuple[dict[int, dict[str, Tensor]], dict[int, float]]


def plainly(weights: dict[str, Tensor]) -> nn.Module:
    """The network of TAUGHT at rest, of torch's own modules alone."""
    network = nn.Sequential(
        nn.Conv2d(1, 4, 5, stride=3, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(256, 12),
        nn.ReLU(),
        nn.Linear(12, 10),
    )
    values = dict(zip(network.state_dict(), weights.values(), strict=True))
    network.load_state_dict(values)
    return network.eval()


def share_that_withstands(weights: dict[str, Tensor], split: Split, epsilon: float) -> float:
    """Of each image take ten steps of a quarter of ε up the sign of what undoes its margin."""
    network, images, labels = plainly(weights), split.images, split.labels
    others = F.one_hot(labels, 10) == 0
    moved, fallen = images.clone(), torch.zeros(len(images), dtype=torch.bool)
    for step in range(11):
        moved.requires_grad_()
        logits = network((moved - 0.1) / 0.28)
        fallen |= logits.argmax(1) != labels
        own, rest = logits[~others], logits[others].view(-1, 9).max(1).values
        (gradient,) = torch.autograd.grad((rest - own).sum(), moved)
        if step < 10:
            moved = moved.detach() + 0.25 * epsilon * gradient.sign()
            moved = torch.minimum(torch.maximum(moved, images - epsilon), images + epsilon)
            moved = moved.clamp(0, 1)
    return float((~fallen).float().mean())


@pytest.fixture(scope="module")
def taught() -> Taught:
    """The weights after each step of a run, and the robust accuracy that its points have."""
    run, weights = begin(TAUGHT), {}
    for told in run.run():
        if told != "busy":
            weights[run.step] = copy.deepcopy(run.network.state_dict())
    shares = {point.step: point.robust_accuracy for point in run.points}
    return weights, {step: share for step, share in shares.items() if share is not None}


def test_the_robust_accuracy_of_each_point_is_what_plain_torch_finds(taught: Taught) -> None:
    weights, shares = taught
    validation = few_digits().validation
    assert max(weights) == max(shares) == 32
    assert len(shares) > 5
    assert max(shares.values()) > min(shares.values()) + 0.1
    for step, share in shares.items():
        assert share == share_that_withstands(weights[step], validation, TAUGHT.epsilon)


@pytest.mark.parametrize("wrong", ["training images", "half the budget", "the step before"])
def test_that_comparison_rejects_other_images_another_budget_and_older_weights(
    taught: Taught, wrong: str
) -> None:
    weights, shares = taught
    digits, epsilon = few_digits(training=100), TAUGHT.epsilon
    split = digits.training if wrong == "training images" else digits.validation
    halved, back = wrong == "half the budget", wrong == "the step before"
    apart = [
        abs(share - share_that_withstands(weights[step - back], split, epsilon / (1 + halved)))
        for step, share in shares.items()
        if step
    ]
    assert max(apart) > 0.025  # of 100 images


def test_without_an_epsilon_nothing_is_attacked(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> Tensor:
        raise AssertionError

    monkeypatch.setattr(adversaries, "perturb", never)
    monkeypatch.setattr(adversaries, "withstood", never)
    run = begin(Recipe(network="fc9-relu", epochs=1, batch_size=80))
    for _ in run.run():
        pass
    assert all(point.robust_accuracy is None for point in run.points)


def test_a_branch_with_another_epsilon_begins_its_curve_anew() -> None:
    given = Recipe(network="fc9-relu", epsilon=0.02, batch_size=40, epochs=1, learning_rate=0.02)
    run = begin(given)
    snapshot = next(kept for kept in run.run() if not isinstance(kept, str))
    assert begin(given, snapshot).points[0].robust_accuracy is not None
    other = begin(replace(given, epsilon=0.2), snapshot)
    assert [point.robust_accuracy for point in other.points] == [None]


def test_the_weights_that_early_stopping_keeps_have_their_share() -> None:
    given = Recipe(
        network="fc20-relu", epsilon=0.02, batch_size=20, epochs=20, patience=1, learning_rate=0.3
    )
    run = begin(given)
    for _ in run.run():
        pass
    assert run.weights_of < run.step
    told = {point.step: point.robust_accuracy for point in run.points}
    *_, right = withstood(
        run.network, run.dataset.validation.images, run.dataset.validation.labels, 0.02
    )
    assert told[run.weights_of] == pytest.approx(float(right.float().mean()))
