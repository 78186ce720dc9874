"""NES: the estimate is the gradient on average, and its steps go where the gradient's would."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from core.adversarial import Attack, estimated
from core.adversarial.estimated import estimate_gradient
from core.adversarial.goals import Goal
from core.adversarial.problems import Method, Problem
from tests.adversarial.counting import Counting, moments
from tests.adversarial.linear import inner_images, linear, two_class_distances
from tests.adversarial.promises import (
    any_images,
    backwards,
    curved,
    keeps_its_promises,
    nothing,
    run,
)
from tests.shared.untouched import leaves_untouched

Estimate = Callable[[Problem, Tensor, Attack, int, torch.Generator], Tensor]


def at(**given: object) -> Attack:
    settings = {"method": "nes", "queries": 500, "population": 20, **given}
    return Attack(**settings)  # type: ignore[arg-type]


def is_the_gradient_on_average(estimate: Estimate, pairs: int, draws: int) -> None:
    """Of n pairs each value is off by √((‖g‖² + gᵢ²) / n), as the fourth moments of a Gaussian say.

    So many values are compared that one in a hundred thousand is off by 4.5 times that.
    """
    network, images = linear(2, 3, 4), inner_images(3, 3, 4)
    problem = Problem(network, images, Goal(network(images).argmax(1), None))
    source = torch.Generator().manual_seed(5)
    found = torch.stack(
        [estimate(problem, images, at(), pairs, source) for _ in range(draws)]
    ).mean(0)
    true, _ = problem.gradient(images, "margin")
    error = ((true.flatten(1).square().sum(1).view(-1, 1, 1, 1) + true**2) / pairs / draws).sqrt()
    assert ((found - true).abs() < 4.5 * error).all()
    assert ((found - true).abs() > 0.1 * error).float().mean() > 0.5  # it is an estimate


@pytest.mark.parametrize(("pairs", "draws"), [(1, 500), (10, 100), (300, 1)])
def test_the_estimate_is_the_gradient_on_average(pairs: int, draws: int) -> None:
    is_the_gradient_on_average(estimated._estimate, pairs, draws)


WRONG: dict[str, Estimate] = {
    "nothing": lambda problem, images, *_: torch.zeros_like(images),
    "descends": lambda *given: -estimated._estimate(*given),
    "twice as long": lambda *given: 2 * estimated._estimate(*given),
    "one image's for all": lambda *given: estimated._estimate(*given).roll(1, 0),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_that_oracle_rejects_an_estimate_of_something_else(wrong: Estimate) -> None:
    with pytest.raises(AssertionError):
        is_the_gradient_on_average(wrong, 10, 100)


def test_more_directions_point_more_nearly_along_the_gradient() -> None:
    """In d dimensions n pairs give a cosine of about √(n / (n + d + 1)), d being 36 here."""
    network, images = linear(2), inner_images(40)
    problem = Problem(network, images, Goal(network(images).argmax(1), None))
    true, _ = problem.gradient(images, "margin")
    for pairs in (4, 40, 400):
        found = estimated._estimate(problem, images, at(), pairs, torch.Generator().manual_seed(2))
        cosine = torch.cosine_similarity(found.flatten(1), true.flatten(1)).mean()
        assert float(cosine) == pytest.approx((pairs / (pairs + 37)) ** 0.5, abs=0.03)


def test_cross_entropy_has_the_margins_gradient_times_what_is_left_to_lose() -> None:
    """Of two classes ∂CE is (1 − p) ∂margin, p being the probability of the true class."""
    network, images = linear(2, scale=0.3), inner_images(10)
    goal = Goal(network(images).argmax(1), None)
    lengths = []
    for loss in ("margin", "ce"):
        attack = at(loss=loss, population=400, queries=402, deviation=1e-3)
        first = moments(estimate_gradient, network, images, attack, goal)[0]
        assert first.gradient is not None
        lengths.append(first.gradient)
    lost = 1 - network(images).softmax(1).amax(1)
    # Float32 has 1e-6 of a logit, divided by 1e-3 of a deviation.
    assert (lengths[1] / lengths[0]).allclose(lost, rtol=0.05)


def reaches_the_optimum(method: Method, norm: str) -> None:
    """Of a linear network of two classes the least margin in a ball is |f| − ε‖w‖, dual norm."""
    network, images = linear(2), inner_images(12)
    distances, weight = two_class_distances(network, images)
    epsilon = 0.1 if norm == "linf" else 0.5
    gain = epsilon * float(weight.abs().sum() if norm == "linf" else weight.norm())
    attack = at(norm=norm, epsilon=epsilon, queries=3_000, population=200, early=False)
    goal = Goal(network(images).argmax(1), None)
    last = moments(method, network, images, attack, goal)[-1].images
    gained = distances - goal.margin(network(last))
    assert (gained <= gain * (1 + 1e-4)).all()
    assert (gained > 0.9 * gain).all()  # the last steps are too long to come nearer


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_steps_come_near_to_the_worst_place_of_a_linear_network(norm: str) -> None:
    reaches_the_optimum(estimate_gradient, norm)


@pytest.mark.parametrize("wrong", [nothing, backwards])
def test_that_oracle_rejects_an_attack_that_does_nothing_or_descends(wrong: Method) -> None:
    with pytest.raises(AssertionError):
        reaches_the_optimum(wrong, "linf")


@pytest.mark.parametrize(
    ("queries", "population", "steps"),
    [(1, 20, 0), (3, 20, 0), (4, 20, 1), (10, 20, 1), (21, 20, 1), (43, 20, 2), (500, 5, 99)],
)
def test_no_more_is_asked_than_is_allowed(queries: int, population: int, steps: int) -> None:
    network = Counting(curved(3))
    images = any_images(4)
    goal = Goal(network(images).argmax(1), None)
    network.asked.clear()
    attack = at(queries=queries, population=population)
    found = moments(estimate_gradient, network, images, attack, goal)
    assert len(found) == steps + 1
    assert network.count <= 4 * queries
    if steps > 1:  # another step would have been too many
        assert network.count + 4 * (population // 2 * 2 + 1) > 4 * queries


def test_many_directions_pass_in_parts() -> None:
    network = Counting(linear(2))
    moments(estimate_gradient, network, inner_images(3), at(population=400, queries=500))
    assert max(map(len, network.asked)) <= 128
    network.asked.clear()
    moments(estimate_gradient, network, inner_images(200), at(population=4, queries=6))
    assert max(map(len, network.asked[2:-1])) <= 128  # after the labels and the clean images


@pytest.mark.parametrize(("given", "length"), [(0.0, 2.5 * 0.2 / 23), (0.015, 0.015)])
def test_a_step_is_as_long_as_was_said(given: float, length: float) -> None:
    network, images = linear(3), inner_images(5)
    steps = moments(estimate_gradient, network, images, at(step_size=given))
    assert len(steps) == 23 + 1  # of 500 queries 21 each, and the last
    moved = (steps[1].images - steps[0].images).abs()
    assert moved.allclose(torch.full_like(moved, length), atol=1e-6)


@pytest.mark.parametrize(("classes", "channels"), [(2, 1), (3, 3), (10, 1), (100, 3)])
@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("target", [False, True])
def test_results_keep_their_promises(channels: int, classes: int, norm: str, target: bool) -> None:
    network, images = curved(classes, channels), any_images(16, channels)
    labels = network(images).argmax(1)
    targets = (labels + 1) % classes if target else None
    attack = at(norm=norm, epsilon=0.15 if norm == "linf" else 1.0)
    batch = keeps_its_promises(estimate_gradient, network, images, attack, targets)
    assert batch.fooled.any()
    assert batch.counts.gradients == 0
    if not target:  # those that are fooled leave early, and others go on
        assert len(batch.steps[batch.fooled].unique()) > 1


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_an_epsilon_of_0_changes_nothing(norm: str) -> None:
    network, images = curved(3), any_images(4)
    batch = run(estimate_gradient, network, images, at(norm=norm, epsilon=0.0))
    assert batch.images.equal(images)
    assert not batch.fooled.any()


def test_the_seed_decides_all_of_it() -> None:
    network, images = curved(3), any_images(6)
    found = [
        moments(estimate_gradient, network, images, at(seed=seed))[-1].images for seed in (1, 1, 2)
    ]
    assert found[0].equal(found[1])
    assert not found[0].equal(found[2])


def test_an_estimate_leaves_the_network_as_it_was() -> None:
    network, images = curved(3).train(), any_images(4)
    leaves_untouched(network, lambda: run(estimate_gradient, network, images, at()))
