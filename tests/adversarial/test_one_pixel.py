"""One pixel: evolution finds the pixels that serve best, with the answers that it may ask for."""

from itertools import combinations, permutations, product

import pytest
import torch
from torch import Tensor, nn

from core.adversarial import Attack, one_pixel
from core.adversarial.goals import Goal
from core.adversarial.one_pixel import one_pixel as evolve
from core.adversarial.problems import Method
from tests.adversarial.counting import Counting, moments
from tests.adversarial.linear import inner_images, linear
from tests.adversarial.promises import (
    any_images,
    curved,
    keeps_its_promises,
    nothing,
    only_begun,
    run,
    upside_down,
)
from tests.shared.untouched import leaves_untouched


def at(pixels: int, **given: object) -> Attack:
    settings = {"epsilon": float(pixels), "queries": 600, "population": 30, **given}
    return Attack(method="onepixel", **settings)  # type: ignore[arg-type]


def least_margins(network: nn.Module, images: Tensor, goal: Goal, pixels: int) -> Tensor:
    """Try all pixels, black and white in each channel.

    The margin is the least of linear functions (with a target, of two classes, it is linear), and
    so least at the ends.
    """
    count, channels, height, width = images.shape
    least = goal.margin(network(images))
    for places in combinations(range(height * width), pixels):
        for values in product((0.0, 1.0), repeat=pixels * channels):
            tried = images.flatten(2).clone()
            tried[:, :, list(places)] = torch.tensor(values).view(channels, pixels)
            margin = goal.margin(network(tried.view(count, channels, height, width)))
            least = torch.minimum(least, margin)
    return least


def finds_the_worst_pixels(method: Method, pixels: int, channels: int, target: bool) -> None:
    network, images = linear(2 if target else 3, channels, 3), inner_images(6, channels, 3)
    labels = network(images).argmax(1)
    goal = Goal(labels, 1 - labels if target else None)
    clean, least = goal.margin(network(images)), least_margins(network, images, goal, pixels)
    attack = at(pixels, queries=6_000, population=200)
    found = moments(method, network, images, attack, goal)[-1].images
    reached = goal.margin(network(found))
    assert (reached >= least - 1e-5).all()
    assert (reached <= least + 0.001 * (clean - least)).all()


@pytest.mark.parametrize(("pixels", "channels"), [(1, 1), (1, 3), (2, 1)])
@pytest.mark.parametrize("target", [False, True])
def test_evolution_finds_the_pixels_that_a_search_of_all_finds(
    pixels: int, channels: int, target: bool
) -> None:
    finds_the_worst_pixels(evolve, pixels, channels, target)


@pytest.mark.parametrize("wrong", [nothing, upside_down(evolve), only_begun(evolve)])
def test_that_oracle_rejects_an_attack_that_does_nothing_or_the_opposite(wrong: Method) -> None:
    with pytest.raises(AssertionError):
        finds_the_worst_pixels(wrong, 1, 3, False)


@pytest.mark.parametrize("pixels", [1, 3])
def test_no_more_pixels_change_than_are_allowed_and_the_margin_never_rises(pixels: int) -> None:
    network, images = curved(5, 3), any_images(8, 3)
    goal = Goal(network(images).argmax(1), None)
    steps = moments(evolve, network, images, at(pixels), goal)
    before = torch.full((8,), torch.inf)
    for images_now, logits, gradient in steps:
        assert ((images_now != images).any(1).flatten(1).sum(1) <= pixels).all()
        assert 0 <= float(images_now.min()) <= float(images_now.max()) <= 1
        assert logits is not None
        assert logits.allclose(network(images_now), atol=1e-5)
        assert gradient is None
        assert (goal.margin(logits) <= before).all()
        before = goal.margin(logits)
    assert len(steps) == 600 / 30


def test_a_child_is_one_candidate_and_half_the_difference_of_two_others() -> None:
    """Each of the ways to choose three of the four others is as likely as any other."""
    source = torch.Generator().manual_seed(1)
    clean = torch.zeros(400, 1, 64, 64)
    candidates = torch.rand((400, 5, 1, 3), generator=source) * torch.tensor([8.0, 8.0, 0.1])
    candidates += torch.tensor([28.0, 28.0, 0.5])  # where no child meets a border
    children = one_pixel._children(clean, candidates, source)
    counts: dict[tuple[int, ...], int] = {}
    for own in range(5):
        others = [k for k in range(5) if k != own]
        ways = list(permutations(others, 3))
        made = torch.stack(
            [candidates[:, a] + (candidates[:, b] - candidates[:, c]) / 2 for a, b, c in ways]
        )
        same = (made - children[:, own]).abs().flatten(2).amax(2) < 1e-4
        assert (same.sum(0) == 1).all()
        for way, found in zip(ways, same, strict=True):
            counts[own, *way] = int(found.sum())
    # 400 throws among 24: 16.7 each, five deviations of 4 besides.
    assert min(counts.values()) > 0
    assert max(counts.values()) < 37


def test_the_first_candidates_are_anywhere_and_a_third_of_them_black_or_white() -> None:
    clean = torch.zeros(50, 3, 4, 6)
    first = one_pixel._first(clean, 200, 1, torch.Generator().manual_seed(0)).view(-1, 5)
    rows, columns = first[:, 0].long(), first[:, 1].long()
    assert (rows * 6 + columns).bincount(minlength=24).min() > 300  # of 417 on average
    ends = (first[:, 2:] == 0) | (first[:, 2:] == 1)
    assert float(ends.float().mean()) == pytest.approx(0.317, abs=0.01)  # beyond one deviation


@pytest.mark.parametrize("queries", [1, 3, 4, 5, 30, 31, 123])
def test_each_image_is_asked_about_as_often_as_is_allowed(queries: int) -> None:
    network = Counting(curved(3))
    images = any_images(3)
    goal = Goal(network(images).argmax(1), None)
    network.asked.clear()
    steps = moments(evolve, network, images, at(1, queries=queries, population=5), goal)
    assert network.count == 3 * queries
    assert len(steps) == -(-queries // 5)


def test_more_candidates_than_pass_at_once_are_asked_about_in_parts() -> None:
    network = Counting(linear(2))
    images = inner_images(3)
    moments(evolve, network, images, at(1, queries=200, population=100))
    assert max(map(len, network.asked)) <= 128


@pytest.mark.parametrize("classes", [2, 3, 10, 100])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("target", [False, True])
def test_results_keep_their_promises(channels: int, classes: int, target: bool) -> None:
    network, images = curved(classes, channels, 4), any_images(16, channels, 4)
    labels = network(images).argmax(1)
    targets = (labels + 1) % classes if target else None
    batch = keeps_its_promises(evolve, network, images, at(2), targets)
    assert batch.fooled.any()
    if target and classes == 10:  # those that are fooled leave early, and others go on
        assert len(batch.steps[batch.fooled].unique()) > 1


@pytest.mark.parametrize("epsilon", [0.0, 0.9])
def test_without_a_pixel_nothing_changes_and_nothing_is_asked(epsilon: float) -> None:
    network, images = Counting(linear(2)), inner_images(4)
    batch = run(evolve, network, images, Attack(method="onepixel", epsilon=epsilon))
    assert batch.images.equal(images)
    assert not batch.fooled.any()
    assert network.count == 3 * 4  # for the labels, the clean images and where they stand


def test_the_seed_decides_all_of_it() -> None:
    network, images = curved(3), any_images(6)
    found = [
        moments(evolve, network, images, at(1, seed=seed, queries=60))[-1].images
        for seed in (1, 1, 2)
    ]
    assert found[0].equal(found[1])
    assert not found[0].equal(found[2])


def test_an_evolution_leaves_the_network_as_it_was() -> None:
    network, images = curved(3).train(), any_images(4)
    leaves_untouched(network, lambda: run(evolve, network, images, at(1)))
