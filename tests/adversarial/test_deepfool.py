"""DeepFool goes as far as the nearest boundary, and no further than it must."""

from collections.abc import Generator

import pytest
import torch
from torch import Tensor, nn

from core.adversarial import Attack
from core.adversarial.deepfool import deepfool
from core.adversarial.driving import drive
from core.adversarial.goals import Goal
from core.adversarial.jacobians import slopes
from core.adversarial.problems import Method, Moment, Problem
from tests.adversarial.linear import inner_images, linear, two_class_distances
from tests.adversarial.promises import (
    alone,
    any_images,
    backwards,
    curved,
    flat,
    keeps_its_promises,
    nothing,
    run,
)
from tests.shared.untouched import leaves_untouched

FAR = {"linf": 1.0, "l2": 100.0}
BEYOND = 1e-4  # that a step is longer than the way


def at(norm: str, **given: object) -> Attack:
    settings = {"epsilon": FAR[norm], "steps": 50, "whole_levels": False, **given}
    return Attack(method="deepfool", norm=norm, **settings)  # type: ignore[arg-type]


def lengths(norm: str, change: Tensor) -> Tensor:
    flat = change.flatten(1)
    return flat.abs().amax(1) if norm == "linf" else flat.norm(dim=1)


def goes_to_the_boundary(method: Method, norm: str, channels: int = 1) -> None:
    """Between two linear classes the way is |f| / ‖w‖₂, or in L∞ |f| / ‖w‖₁."""
    network, images = linear(2, channels), inner_images(20, channels)
    distances, weight = two_class_distances(network, images)
    way = distances / (weight.abs().sum() if norm == "linf" else weight.norm())
    batch = run(method, network, images, at(norm))
    assert batch.fooled.all()
    assert lengths(norm, batch.images - images).allclose(1.02 * (way + BEYOND), atol=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_between_two_linear_classes_it_goes_just_beyond_the_boundary(
    norm: str, channels: int
) -> None:
    goes_to_the_boundary(deepfool, norm, channels)


def downhill(
    problem: Problem, attack: Attack, source: torch.Generator
) -> Generator[Moment, Tensor | None, None]:
    """An attack that goes as far as DeepFool, the other way."""
    images: Tensor = problem.clean
    for moment in deepfool(problem, attack, source):
        images = 2 * problem.clean - moment.images
    yield Moment(images)


@pytest.mark.parametrize("wrong", [nothing, backwards, downhill])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_that_oracle_rejects_an_attack_that_does_nothing_or_descends(
    wrong: Method, norm: str
) -> None:
    with pytest.raises(AssertionError):
        goes_to_the_boundary(wrong, norm)


def least_ways(network: nn.Module, images: Tensor, norm: str, among: int) -> Tensor:
    """Measure by the weights how far the nearest boundary to the likeliest other classes is."""
    weight, logits = network[1].weight, network(images)  # type: ignore[index]
    found = []
    for answer in logits:
        first, *others = answer.argsort(descending=True)[: among + 1].tolist()
        found.append(
            min(
                float(
                    (answer[first] - answer[k])
                    / (weight[first] - weight[k]).norm(p=1 if norm == "linf" else 2)
                )
                for k in others
            )
        )
    return torch.tensor(found)


@pytest.mark.parametrize("classes", [2, 3, 10, 100])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_of_many_linear_classes_it_takes_the_nearest_of_the_nine_likeliest(
    classes: int, channels: int, norm: str
) -> None:
    network, images = linear(classes, channels), inner_images(12, channels)
    attack = at(norm)
    rows = list(drive(deepfool, network, images, Goal(network(images).argmax(1), None), attack))
    first = lengths(norm, rows[1].images - images[: len(rows[1].images)])
    ways = least_ways(network, images, norm, 9)
    assert first.allclose(1.02 * (ways + BEYOND), atol=1e-5)
    batch = run(deepfool, network, images, attack)
    assert batch.fooled.all()
    # Another boundary may be crossed on the way, but none is nearer than the nearest of all.
    nearest = least_ways(network, images, norm, classes - 1)
    assert (lengths(norm, batch.images - images) > nearest).all()


def test_of_a_hundred_classes_an_unlikely_one_is_not_looked_at() -> None:
    """Its boundary would be the nearest."""
    network, images = linear(100), inner_images(4)
    layer = network[1]  # type: ignore[index]
    layer.weight.div_(layer.weight.norm(dim=1, keepdim=True))[0] = 0
    layer.weight[50] *= 20
    layer.bias.copy_(-layer.weight.sum(1) / 2 - 1)[0] = 0
    layer.bias[50] -= 7
    assert (network(images).argsort(descending=True)[:, :10] != 50).all()
    ways = least_ways(network, images, "l2", 9)
    assert (least_ways(network, images, "l2", 99) < ways - 1e-3).any()
    problem = Problem(network, images, Goal(network(images).argmax(1), None))
    moves = deepfool(problem, at("l2"), torch.Generator())
    next(moves)
    assert lengths("l2", next(moves).images - images).allclose(1.02 * (ways + BEYOND), atol=1e-5)


@pytest.mark.parametrize(("classes", "channels"), [(2, 1), (3, 3), (10, 1), (100, 3)])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_with_a_target_it_ends_there_and_never_nearer_than_its_boundary(
    classes: int, channels: int, norm: str
) -> None:
    network, images = linear(classes, channels), inner_images(12, channels)
    labels = network(images).argmax(1)
    targets = (labels + 1) % classes
    batch = keeps_its_promises(deepfool, network, images, at(norm), targets)
    assert batch.fooled.all()
    weight, logits = network[1].weight, network(images)  # type: ignore[index]
    rows = torch.arange(12)
    dual = (weight[labels] - weight[targets]).norm(p=1 if norm == "linf" else 2, dim=1)
    ways = (logits[rows, labels] - logits[rows, targets]) / dual
    assert (lengths(norm, batch.images - images) >= ways).all()
    if classes == 2:
        untargeted = run(deepfool, network, images, at(norm))
        assert untargeted.images.allclose(batch.images, atol=1e-6)


def test_the_budget_judges_what_was_found() -> None:
    network, images = linear(2), inner_images(30)
    distances, weight = two_class_distances(network, images)
    way = 1.02 * (distances / weight.norm() + BEYOND)
    epsilon = float(way.median()) + 1e-4
    batch = run(deepfool, network, images, at("l2", epsilon=epsilon))
    assert batch.fooled.equal(way <= epsilon)
    assert batch.images[~batch.fooled].equal(images[~batch.fooled])
    assert not run(deepfool, network, images, at("l2", epsilon=0.0)).fooled.any()


@pytest.mark.parametrize("classes", [2, 3, 10, 100])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_results_keep_their_promises_in_8_bits(channels: int, classes: int, norm: str) -> None:
    network, images = curved(classes, channels), inner_images(12, channels)
    attack = at(norm, whole_levels=True)
    batch = keeps_its_promises(deepfool, network, images, attack)
    assert float(batch.fooled.float().mean()) > 0.9


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_images_that_are_fooled_leave_and_the_others_fare_as_if_alone(norm: str) -> None:
    batch = alone(deepfool, curved(6, 3), any_images(16, 3), at(norm))
    assert len(batch.steps.unique()) > 2


def test_an_image_that_is_fooled_stays_until_all_are() -> None:
    network, images = curved(6), any_images(16)
    goal = Goal(network(images).argmax(1), None)
    rows = list(drive(deepfool, network, images, goal, at("l2", early=False)))
    fooled = torch.stack([goal.fooled(row.logits) for row in rows])
    assert fooled[-1].all()
    assert not fooled[:-1].all(1).any()  # it ends when all are
    for row, following, known in zip(rows, rows[1:], fooled, strict=False):
        assert row.images[known].equal(following.images[known])


def test_pixels_at_black_and_white_do_not_keep_it_from_the_boundary() -> None:
    """A step that they cut short falls short of the boundary; the next ones must cross it."""
    network, images = curved(3, 1), any_images(20)
    batch = run(deepfool, network, images, at("l2"))
    assert batch.fooled.all()
    assert float(batch.images.min()) == 0


def test_a_network_without_gradients_leaves_the_clean_image() -> None:
    images = inner_images(3)
    batch = run(deepfool, flat(3), images, at("l2", steps=5))
    assert not batch.fooled.any()
    assert batch.images.equal(images)
    assert batch.dead == batch.asked == 3 * 5


@pytest.mark.parametrize("channels", [1, 3])
def test_slopes_are_what_one_gradient_at_a_time_gives(channels: int) -> None:
    network, images = curved(5, channels), inner_images(4, channels)
    problem = Problem(network, images, Goal(torch.zeros(4, dtype=torch.long), None))
    weights = torch.randn(4, 3, 5, generator=torch.Generator().manual_seed(0))
    found = slopes(problem, images, weights)
    for k in range(3):
        expected = torch.func.grad(lambda at, k=k: (network(at) * weights[:, k]).sum())(images)
        assert found[:, k].allclose(expected, atol=1e-6)
    assert (problem.counts.queries, problem.counts.gradients) == (4, 4)


def test_deepfool_leaves_the_network_as_it_was() -> None:
    network, images = curved(3).train(), inner_images(4)
    leaves_untouched(network, lambda: run(deepfool, network, images, at("linf")))
