"""APGD follows its algorithm, and ends in the worst corner of a linear network."""

import math
from fractions import Fraction

import pytest
import torch
from torch import Tensor, nn

from core.adversarial import Attack
from core.adversarial.autopgd import automatic_steps
from core.adversarial.goals import Goal
from core.adversarial.problems import Method, Problem
from tests.adversarial.linear import inner_images, linear, two_class_distances
from tests.adversarial.promises import backwards, curved, flat, keeps_its_promises, nothing, run
from tests.shared.untouched import leaves_untouched


def at(**given: object) -> Attack:
    return Attack(**{"method": "apgd", "steps": 30, "whole_levels": False, **given})  # type: ignore[arg-type]


def reaches_the_worst_place(method: Method, norm: str) -> None:
    """Of two linear classes that is x ± ε sign(w), in L2 x ± ε w/‖w‖."""
    network, images = linear(2, 3), inner_images(16, 3)
    labels = network(images).argmax(1)
    _, weight = two_class_distances(network, images)
    epsilon = 0.1 if norm == "linf" else 0.3
    uphill = (weight.sign() if norm == "linf" else weight / weight.norm()).view(1, 3, 6, 6)
    worst = images + epsilon * torch.where(labels == 0, -1, 1).view(-1, 1, 1, 1) * uphill
    attack = at(norm=norm, epsilon=epsilon, early=False)
    batch = run(method, network, images, attack)
    possible = network(worst).argmax(1) != labels
    assert possible.any()
    assert batch.fooled.equal(possible)
    assert batch.images[possible].allclose(worst[possible], atol=epsilon / 100)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_apgd_reaches_the_worst_place_of_a_linear_network(norm: str) -> None:
    reaches_the_worst_place(automatic_steps, norm)


@pytest.mark.parametrize("wrong", [nothing, backwards])
def test_that_oracle_rejects_an_attack_that_does_nothing_or_descends(wrong: Method) -> None:
    with pytest.raises(AssertionError):
        reaches_the_worst_place(wrong, "linf")


def looks_of_the_paper(steps: int) -> set[int]:
    """Section 3: p₀ = 0, p₁ = 0.22, pⱼ₊₁ = pⱼ + max(pⱼ − pⱼ₋₁ − 0.03, 0.06), at ⌈pⱼ N⌉."""
    places = [Fraction(0), Fraction(22, 100)]
    while places[-1] <= 1:
        gap = max(places[-1] - places[-2] - Fraction(3, 100), Fraction(6, 100))
        places.append(places[-1] + gap)
    return {math.ceil(place * steps) for place in places[1:] if place <= 1}


def algorithm_1(
    network: nn.Module, clean: Tensor, start: Tensor, label: int, attack: Attack
) -> list[Tensor]:
    """APGD of one image, statement by statement and in numbers, from a given start."""

    def inside(image: Tensor) -> Tensor:
        change = image - clean
        if attack.norm == "linf":
            change = change.clamp(-attack.epsilon, attack.epsilon)
        elif float(change.norm()) > attack.epsilon:
            change = change * attack.epsilon / change.norm()
        return (clean + change).clamp(0, 1)

    def climb(image: Tensor) -> tuple[float, Tensor]:
        leaf = image.clone().requires_grad_()
        logits = network(leaf[None])[0]
        others = torch.cat([logits[:label], logits[label + 1 :]])
        loss = others.max() - logits[label]
        (slope,) = torch.autograd.grad(loss, leaf)
        return loss.item(), slope

    eta, looks = 2 * attack.epsilon, looks_of_the_paper(attack.steps)
    places, gains = [start], list[bool]()
    loss, slope = climb(start)
    best, best_loss, best_slope = start, loss, slope
    here, last_place, last_loss = start, start, loss
    checked, changed, seen = 0, False, loss
    for k in range(attack.steps):
        if k:
            loss, slope = climb(here)
            gains.append(loss > last_loss)
            if loss > best_loss:
                best, best_loss, best_slope = here, loss, slope
            if k in looks:
                few = sum(gains) < 0.75 * (k - checked)
                changed = few or (not changed and best_loss == seen)
                if changed:
                    eta /= 2
                    here, loss, slope = best, best_loss, best_slope
                gains, checked, seen = [], k, best_loss
        unit = slope.sign() if attack.norm == "linf" else slope / slope.norm()
        ahead = inside(here + eta * unit)
        if k:
            ahead = inside(here + 0.75 * (ahead - here) + 0.25 * (here - last_place))
        here, last_place, last_loss = ahead, here, loss
        places.append(here)
    return places


def follows_the_algorithm(method: Method, norm: str, channels: int) -> None:
    # In float32 a loss that stands still may seem to have grown by a rounding.
    network, images = curved(4, channels).double(), inner_images(5, channels).double()
    labels = network(images).argmax(1)
    attack = at(norm=norm, epsilon=0.08 if norm == "linf" else 0.5, steps=40, early=False)
    problem = Problem(network, images, Goal(labels, None))
    moments = list(method(problem, attack, torch.Generator().manual_seed(2)))
    for k in range(5):
        start = moments[0].images[k]
        expected = algorithm_1(network, images[k], start, int(labels[k]), attack)
        for moment, place in zip(moments, expected, strict=True):
            assert moment.images[k].allclose(place, atol=1e-9)


@pytest.mark.parametrize(("norm", "channels"), [("linf", 1), ("l2", 3)])
def test_each_image_takes_the_steps_of_the_papers_algorithm(norm: str, channels: int) -> None:
    follows_the_algorithm(automatic_steps, norm, channels)


def test_that_oracle_rejects_steps_that_never_grow_shorter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.adversarial.autopgd._looks", lambda steps: set())
    with pytest.raises(AssertionError):
        follows_the_algorithm(automatic_steps, "linf", 1)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_images_that_go_on_fare_as_if_the_others_had_stayed(norm: str) -> None:
    network, images = curved(5, 3), inner_images(9, 3)
    goal = Goal(network(images).argmax(1), None)
    attack = at(norm=norm, epsilon=0.1 if norm == "linf" else 0.5, steps=25)
    problem = Problem(network, images, goal)
    full = list(automatic_steps(problem, attack, torch.Generator().manual_seed(1)))
    moves = automatic_steps(problem, attack, torch.Generator().manual_seed(1))
    here, keep = torch.arange(9), None
    for step, moment in enumerate(full):
        some = moves.send(keep)
        assert some.images.allclose(moment.images[here], atol=1e-5)
        keep = None
        if step in (0, 6, 7, 13):  # the first, and around looks
            keep = torch.tensor([k for k in range(len(here)) if k != step % len(here)])
            here = here[keep]
    assert len(here) == 5


@pytest.mark.parametrize("classes", [2, 3, 10, 100])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_results_keep_their_promises(channels: int, classes: int, norm: str) -> None:
    network, images = linear(classes, channels), inner_images(16, channels)
    fooled = 0
    for epsilon in (0.0, 0.02, 0.1) if norm == "linf" else (0.0, 0.1, 1.5):
        attack = Attack(method="apgd", norm=norm, epsilon=epsilon, steps=12)
        batch = keeps_its_promises(automatic_steps, network, images, attack)
        assert int(batch.fooled.sum()) >= fooled
        assert epsilon or not batch.fooled.any()
        fooled = int(batch.fooled.sum())
    assert fooled > 0


@pytest.mark.parametrize("loss", ["margin", "dlr", "ce"])
def test_a_target_is_reached_and_rises_by_each_loss(loss: str) -> None:
    network, images = linear(10, 3), inner_images(16, 3)
    targets = (network(images).argmax(1) + 3) % 10
    attack = Attack(method="apgd", epsilon=0.1, loss=loss, steps=12)
    assert keeps_its_promises(automatic_steps, network, images, attack, targets).fooled.any()


def test_the_seed_decides_where_it_begins_and_it_begins_within_the_ball() -> None:
    network, images = linear(3), inner_images(8)
    problem = Problem(network, images, Goal(network(images).argmax(1), None))
    for norm in ("linf", "l2"):
        starts = [
            next(automatic_steps(problem, at(norm=norm, epsilon=0.1), source)).images - images
            for source in (torch.Generator().manual_seed(seed) for seed in (3, 3, 4))
        ]
        assert starts[0].equal(starts[1])
        assert not starts[0].allclose(starts[2], atol=1e-3)
        size = starts[0].flatten(1)
        length = size.abs().amax(1) if norm == "linf" else size.norm(dim=1)
        assert float(length.max()) <= 0.1 + 1e-6
        assert float(length.min()) > 0.05


def test_each_gradient_is_the_mean_over_as_many_draws_as_are_asked_for() -> None:
    network, images = linear(3), inner_images(4)
    one, three = (
        run(automatic_steps, network, images, at(epsilon=0.001, steps=5, draws=draws))
        for draws in (1, 3)
    )
    assert one.counts.gradients == 4 * 5
    assert three.counts.gradients == 3 * 4 * 5


def test_a_network_without_gradients_leaves_the_clean_image() -> None:
    images = inner_images(3)
    batch = run(automatic_steps, flat(3), images, at(epsilon=0.1))
    assert not batch.fooled.any()
    assert batch.images.equal(images)
    assert batch.dead == batch.asked > 0


def test_apgd_leaves_the_network_as_it_was() -> None:
    network, images = curved(3).train(), inner_images(4)
    leaves_untouched(network, lambda: run(automatic_steps, network, images, at(epsilon=0.1)))
