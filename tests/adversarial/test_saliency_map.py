"""JSMA changes those pixels that a search through all of them finds, and no more than it may."""

from collections.abc import Generator
from itertools import combinations, pairwise

import pytest
import torch
from torch import Tensor, nn

from core.adversarial import Attack
from core.adversarial.goals import Goal
from core.adversarial.jacobians import slopes
from core.adversarial.problems import Method, Moment, Problem
from core.adversarial.saliency_map import saliency_map
from tests.adversarial.linear import inner_images, linear
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
    return Attack(method="jsma", **{"epsilon": 1_000.0, "steps": 36, **given})  # type: ignore[arg-type]


def repainted(image: Tensor, pixels: tuple[int, ...], colour: float) -> Tensor:
    changed = image.flatten(1).clone()
    changed[:, list(pixels)] = colour
    return changed.view_as(image)


def best_by_search(
    network: nn.Module, image: Tensor, label: int, target: int | None, count: int
) -> Tensor:
    """Try all pixels, or pairs of them, in white and in black, and ask the network each time.

    Of a linear network the changes of the logits are α and β; without a pair that serves both ends
    it is the change of the own logit in comparison with the mean of the others.
    """
    tries = [
        repainted(image, pixels, colour)
        for pixels in combinations(range(image[0].numel()), count)
        for colour in (1.0, 0.0)
        if all(
            not image.flatten(1)[:, pixel].allclose(torch.tensor(colour), atol=1e-3)
            for pixel in pixels
        )
    ]
    gains = network(torch.stack(tries)) - network(image[None])
    own = label if target is None else target
    alpha = gains[:, own] * (-1 if target is None else 1)
    others = gains.sum(1) - gains[:, own]
    beta = others * (-1 if target is None else 1)
    saliency = torch.where((alpha > 0) & (beta < 0), alpha * beta.abs(), 0)
    if float(saliency.max()) == 0:
        saliency = alpha - beta / (gains.shape[1] - 1)
    return tries[int(saliency.argmax())]


def takes_the_best(method: Method, classes: int, channels: int, target: bool, count: int) -> int:
    """Compare a first step with the search; tell how many images it moved."""
    network, images = linear(classes, channels, 4), any_images(10, channels, 4)
    labels = network(images).argmax(1)
    targets = (labels + 1) % classes if target else None
    problem = Problem(network, images, Goal(labels, targets))
    moves = method(problem, at(), torch.Generator())
    next(moves)
    moved = next(moves).images
    for k, image in enumerate(images):
        wanted = None if targets is None else int(targets[k])
        expected = best_by_search(network, image, int(labels[k]), wanted, count)
        assert moved[k].allclose(expected, atol=1e-6)
    return int((moved != images).flatten(1).any(1).sum())


@pytest.mark.parametrize("classes", [2, 3, 10, 100])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("target", [False, True])
@pytest.mark.parametrize("count", [1, 2])
def test_a_step_changes_the_best_pixels_of_all(
    classes: int, channels: int, target: bool, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if count == 1:
        monkeypatch.setattr("core.adversarial.saliency_map.PAIRS", 15)
    assert takes_the_best(saliency_map, classes, channels, target, count) == 10


def twice(
    problem: Problem, attack: Attack, source: torch.Generator
) -> Generator[Moment, Tensor | None, None]:
    """An attack that does nothing, and again."""
    yield from nothing(problem, attack, source)
    yield from nothing(problem, attack, source)


def first_upright(
    problem: Problem, attack: Attack, source: torch.Generator
) -> Generator[Moment, Tensor | None, None]:
    """An attack that begins at the clean image and then descends."""
    yield from nothing(problem, attack, source)
    yield from backwards(problem, attack, source)


@pytest.mark.parametrize("wrong", [twice, first_upright])
def test_that_oracle_rejects_an_attack_that_does_nothing_or_descends(wrong: Method) -> None:
    with pytest.raises(AssertionError):
        takes_the_best(wrong, 3, 1, True, 2)


def test_that_oracle_rejects_the_pixels_that_serve_least(monkeypatch: pytest.MonkeyPatch) -> None:
    def downwards(problem: Problem, images: Tensor, weights: Tensor) -> Tensor:
        return -slopes(problem, images, weights)

    monkeypatch.setattr("core.adversarial.saliency_map.slopes", downwards)
    with pytest.raises(AssertionError):
        takes_the_best(saliency_map, 3, 1, True, 2)


def stubborn(classes: int) -> nn.Module:
    """A linear network that is so sure of its first class that it takes many pixels to fool."""
    network = linear(classes, 3)
    network[1].bias[0] += 20  # type: ignore[index]
    return network


def test_each_step_changes_two_new_pixels_to_white_or_black_in_all_channels() -> None:
    network, images = stubborn(4), inner_images(8, 3)
    problem = Problem(network, images, Goal(network(images).argmax(1), None))
    moments = list(saliency_map(problem, at(), torch.Generator()))
    assert len(moments) > 3
    for before, after in pairwise(moments):
        assert before.logits is not None
        going = ~problem.goal.fooled(before.logits)
        changed = (after.images != before.images).any(1).flatten(1)
        assert (changed.sum(1) == 2 * going).all()
        assert not (changed & (before.images != images).any(1).flatten(1)).any()
        ends = after.images.flatten(2).transpose(1, 2)[changed]
        assert ((ends == 0).all(1) | (ends == 1).all(1)).all()
        assert after.images[~going].equal(before.images[~going])


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_no_more_pixels_change_than_are_allowed(steps: int) -> None:
    network, images = stubborn(10), inner_images(12, 3)
    problem = Problem(network, images, Goal(network(images).argmax(1), None))
    last = list(saliency_map(problem, at(steps=steps), torch.Generator()))[-1]
    pixels = (last.images != images).any(1).flatten(1).sum(1)
    assert int(pixels.max()) == steps


@pytest.mark.parametrize(("colour", "other"), [(1.0, 0.0), (0.0, 1.0)])
def test_an_image_at_one_end_goes_to_the_other(colour: float, other: float) -> None:
    network, images = linear(3, 3), torch.full((2, 3, 6, 6), colour)
    batch = run(saliency_map, network, images, at())
    assert batch.fooled.all()
    assert (batch.images[batch.images != images] == other).all()


def test_of_a_large_image_one_pixel_changes_at_a_time() -> None:
    network, images = linear(3, 1, 33), inner_images(2, 1, 33)
    problem = Problem(network, images, Goal(network(images).argmax(1), None))
    moves = saliency_map(problem, at(), torch.Generator())
    next(moves)
    assert ((next(moves).images != images).flatten(1).sum(1) == 1).all()


@pytest.mark.parametrize("classes", [2, 3, 10, 100])
@pytest.mark.parametrize("channels", [1, 3])
def test_results_keep_their_promises_with_and_without_a_target(channels: int, classes: int) -> None:
    network, images = curved(classes, channels), any_images(10, channels)
    targets = (network(images).argmax(1) + 1) % classes
    for wanted in (None, targets):
        batch = keeps_its_promises(saliency_map, network, images, at(), wanted)
        assert batch.fooled.any()
        sizes = (batch.images != images).any(1).flatten(1).sum(1)[batch.fooled]
        few = int(sizes.min())
        near = keeps_its_promises(saliency_map, network, images, at(epsilon=few), wanted)
        assert near.fooled.any()
        nowhere = keeps_its_promises(saliency_map, network, images, at(epsilon=0.0), wanted)
        assert not nowhere.fooled.any()


def test_with_one_logit_that_never_moves_its_class_is_reached_all_the_same() -> None:
    """There α is 0 for every pixel, at which the paper gives up."""
    network, images = linear(2), inner_images(8)
    network[1].weight[1] = 0  # type: ignore[index]
    network[1].bias[1] = 0  # type: ignore[index]
    labels = network(images).argmax(1)
    assert (labels == 0).any()
    assert run(saliency_map, network, images, at(), 1 - labels).fooled.all()


def test_images_that_are_fooled_leave_and_the_others_fare_as_if_alone() -> None:
    batch = alone(saliency_map, curved(6, 3), any_images(10, 3), at())
    assert len(batch.steps.unique()) > 2


def test_a_network_without_gradients_leaves_the_clean_image() -> None:
    images = inner_images(3)
    batch = run(saliency_map, flat(3), images, at())
    assert not batch.fooled.any()
    assert batch.images.equal(images)
    assert batch.dead == batch.asked == 3


def test_jsma_leaves_the_network_as_it_was() -> None:
    network, images = curved(3).train(), inner_images(4)
    leaves_untouched(network, lambda: run(saliency_map, network, images, at(steps=3)))
