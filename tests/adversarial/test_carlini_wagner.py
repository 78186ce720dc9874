"""Carlini and Wagner's attack comes as near as can be, from black and white pixels too."""

import math
from collections.abc import Generator

import pytest
import torch
from torch import Tensor, nn

from core.adversarial import Attack
from core.adversarial.carlini_wagner import carlini_wagner
from core.adversarial.goals import Goal
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


def at(**given: object) -> Attack:
    settings = {"epsilon": 100.0, "steps": 15, "searches": 3, "rate": 0.2, "whole_levels": False}
    return Attack(method="cw", **{**settings, **given})  # type: ignore[arg-type]


def comes_as_near_as_can_be(method: Method, channels: int, target: bool) -> None:
    """Between two linear classes no change shorter than |f| / ‖w‖ can fool."""
    network, images = linear(2, channels), inner_images(12, channels)
    network[1].bias[0] += 3  # type: ignore[index]
    distances, weight = two_class_distances(network, images)
    targets = 1 - network(images).argmax(1) if target else None
    attack = at(rate=0.01, steps=60, searches=6)
    batch = run(method, network, images, attack, targets)
    length = (batch.images - images).flatten(1).norm(dim=1)
    way = distances / weight.norm()
    assert batch.fooled.all()
    assert (length >= way - 1e-6).all()
    assert (length <= 1.03 * way).all()  # Adam's steps have a length, and c is searched for


@pytest.mark.parametrize(("channels", "target"), [(1, True), (3, False)])
def test_between_two_linear_classes_it_comes_as_near_as_can_be(channels: int, target: bool) -> None:
    comes_as_near_as_can_be(carlini_wagner, channels, target)


def downhill(
    problem: Problem, attack: Attack, source: torch.Generator
) -> Generator[Moment, Tensor | None, None]:
    """The same attack, on its way to a surer answer."""
    for moment in carlini_wagner(problem, attack, source):
        yield Moment((2 * problem.clean - moment.images).clamp(0, 1))


@pytest.mark.parametrize("wrong", [nothing, backwards, downhill])
def test_that_oracle_rejects_an_attack_that_does_nothing_or_descends(wrong: Method) -> None:
    with pytest.raises(AssertionError):
        comes_as_near_as_can_be(wrong, 1, False)


def by_torchs_adam(network: nn.Module, clean: Tensor, label: int, attack: Attack) -> list[Tensor]:
    """Attack one image by sections V and VI, with autograd through tanh and torch.optim.Adam."""
    constant, low, high = 1.0, 0.0, math.inf
    images = []
    for _ in range(attack.searches):
        w = ((2 * clean - 1) * 0.999).atanh().requires_grad_()
        adam = torch.optim.Adam([w], lr=attack.rate)
        success, seen = False, math.inf
        for step in range(1, attack.steps + 1):
            image = (w.tanh() + 1) / 2
            images.append(image.detach())
            logits = network(image[None])[0]
            rest = torch.cat([logits[:label], logits[label + 1 :]])
            f = logits[label] - rest.max() + attack.confidence
            loss = (image - clean).square().sum() + constant * f.clamp(min=0)
            adam.zero_grad()
            loss.backward()
            adam.step()
            success = success or f.item() < 0
            if step % 10 == 0:
                if loss.item() > 0.9999 * seen:
                    break
                seen = loss.item()
        low, high = (low, constant) if success else (constant, high)
        constant = constant * 10 if math.isinf(high) else (low + high) / 2
    return images


def takes_adams_steps(method: Method, attack: Attack) -> None:
    network, images = curved(4, 3).double(), any_images(6, 3).double()
    labels = network(images).argmax(1)
    problem = Problem(network, images, Goal(labels, None))
    moments = list(method(problem, attack, torch.Generator()))
    paths = [
        by_torchs_adam(network, image, int(label), attack)
        for image, label in zip(images, labels, strict=True)
    ]
    assert len(moments) == max(len(path) for path in paths)
    for k, path in enumerate(paths):
        for step, moment in enumerate(moments):
            expected = path[min(step, len(path) - 1)]  # one that has ended stays
            assert moment.images[k].allclose(expected, atol=1e-6)


def test_each_image_searches_as_torchs_adam_would_for_it_alone() -> None:
    takes_adams_steps(carlini_wagner, at(steps=40, confidence=0.5))


def test_some_of_these_searches_end_before_their_last_step() -> None:
    network, images = curved(4, 3).double(), any_images(6, 3).double()
    attack = at(steps=40, confidence=0.5)
    labels = network(images).argmax(1)
    lengths = {len(by_torchs_adam(network, images[k], int(labels[k]), attack)) for k in range(6)}
    assert len(lengths) > 1
    assert min(lengths) < 3 * 40


def test_that_oracle_rejects_another_adam(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.adversarial.carlini_wagner.MEMORY", 0.8)
    with pytest.raises(AssertionError):
        takes_adams_steps(carlini_wagner, at())


@pytest.mark.parametrize("ends", [0.0, 1.0])
def test_pixels_that_are_black_or_white_move(ends: float) -> None:
    """In the space of tanh they are at infinity unless they are drawn in a little."""
    network = linear(2, 3)
    images = torch.full((1, 3, 6, 6), ends)
    batch = run(carlini_wagner, network, images, at(steps=40))
    assert batch.fooled.all()
    assert float((batch.images - images).abs().max()) > 0.05


def test_logits_that_are_all_below_0_are_attacked_like_any_others() -> None:
    """A mask by 0 in place of −∞ would take the hidden logit for the largest."""
    network, images = linear(4), inner_images(8)
    plain = run(carlini_wagner, network, images, at())
    network[1].bias -= 64  # type: ignore[index]
    assert float(network(images).max()) < 0
    shifted = run(carlini_wagner, network, images, at())
    assert shifted.fooled.all()
    sizes = [(each.images - images).flatten(1).norm(dim=1) for each in (plain, shifted)]
    assert sizes[1].allclose(sizes[0], atol=1e-3)  # float32 has but 17 bits left behind 64


@pytest.mark.parametrize("target", [False, True])
def test_the_margin_is_exceeded_by_the_confidence(target: bool) -> None:
    network, images = curved(4, 3), any_images(8, 3)
    labels = network(images).argmax(1)
    goal = Goal(labels, (labels + 1) % 4 if target else None)
    for whole_levels in (False, True):
        attack = at(confidence=1.5, whole_levels=whole_levels)
        batch = run(carlini_wagner, network, images, attack, goal.targets)
        assert batch.fooled.any()
        assert (goal.margin(network(batch.images))[batch.fooled] < -1.5).all()


def test_more_searches_never_end_further_away() -> None:
    network, images = curved(4, 3), any_images(8, 3)
    sizes = [
        (run(carlini_wagner, network, images, at(searches=n)).images - images)
        .flatten(1)
        .norm(dim=1)
        for n in (2, 3, 5)
    ]
    assert (sizes[1] <= sizes[0]).all()
    assert (sizes[2] <= sizes[1]).all()
    assert (sizes[2] < sizes[0]).any()


@pytest.mark.parametrize("classes", [2, 3, 10, 100])
@pytest.mark.parametrize("channels", [1, 3])
def test_results_keep_their_promises_with_and_without_a_target(channels: int, classes: int) -> None:
    network, images = linear(classes, channels), inner_images(8, channels)
    targets = (network(images).argmax(1) + 1) % classes
    for wanted in (None, targets):
        attack = at(steps=10, searches=2, whole_levels=True)
        assert keeps_its_promises(carlini_wagner, network, images, attack, wanted).fooled.any()
        nowhere = at(epsilon=0.0, steps=4, searches=1, whole_levels=True)
        batch = keeps_its_promises(carlini_wagner, network, images, nowhere, wanted)
        assert not batch.fooled.any()


def test_images_fare_together_as_if_each_were_alone() -> None:
    assert alone(carlini_wagner, curved(6, 3), any_images(5, 3), at()).fooled.any()


def test_images_that_go_on_fare_as_if_the_others_had_stayed() -> None:
    network, images = curved(5, 3), any_images(7, 3)
    problem = Problem(network, images, Goal(network(images).argmax(1), None))
    full = list(carlini_wagner(problem, at(), torch.Generator()))
    moves = carlini_wagner(problem, at(), torch.Generator())
    here, keep = torch.arange(7), None
    for step, moment in enumerate(full):
        some = next(moves) if step == 0 else moves.send(keep)
        assert some.images.allclose(moment.images[here], atol=1e-4)
        keep = None
        if step in (0, 9, 14, 31):
            keep = torch.tensor([k for k in range(len(here)) if k != step % len(here)])
            here = here[keep]
    assert len(here) == 3


def test_a_network_without_gradients_leaves_the_clean_image() -> None:
    images = inner_images(3)
    batch = run(carlini_wagner, flat(3), images, at(searches=20, steps=3))
    assert not batch.fooled.any()
    assert batch.images.equal(images)
    assert batch.dead == batch.asked == 3 * 20 * 3


def test_the_attack_leaves_the_network_as_it_was() -> None:
    network, images = curved(3).train(), inner_images(4)
    leaves_untouched(network, lambda: run(carlini_wagner, network, images, at(steps=3)))
