"""Square: its squares are the paper's, and no change is kept that does not lower the margin."""

import math
import warnings
from collections.abc import Generator

import pytest
import torch
from torch import Tensor, nn

from core.adversarial import Attack
from core.adversarial import square as module
from core.adversarial.driving import perturb
from core.adversarial.goals import Goal
from core.adversarial.problems import Method, Moment, Problem
from core.adversarial.square import square
from core.shared import data, devices
from core.shared.loading import load
from core.shared.models import Source
from tests.adversarial.counting import Counting, moments
from tests.adversarial.linear import inner_images, linear, two_class_distances
from tests.adversarial.promises import (
    any_images,
    backwards,
    curved,
    keeps_its_promises,
    nothing,
    only_begun,
    run,
    upside_down,
)
from tests.shared.untouched import leaves_untouched

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of modules that it imports by their former names
    import torchattacks

# The paper's supplement: p is halved after so many of 10,000 iterations.
HALVED = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)


def at(norm: str = "linf", **given: object) -> Attack:
    epsilon = 0.1 if norm == "linf" else 0.5
    settings = {"method": "square", "norm": norm, "epsilon": epsilon, "queries": 120, **given}
    return Attack(**settings)  # type: ignore[arg-type]


def comes_near_the_optimum(method: Method, norm: str, channels: int = 1) -> None:
    """Of a linear network of two classes the least margin in a ball is |f| − ε‖w‖, dual norm."""
    network, images = linear(2, channels, 4), inner_images(6, channels, 4)
    distances, weight = two_class_distances(network, images)
    attack = at(norm, queries=800 if norm == "linf" else 400)
    gain = attack.epsilon * float(weight.abs().sum() if norm == "linf" else weight.norm())
    goal = Goal(network(images).argmax(1), None)
    last = moments(method, network, images, attack, goal)[-1].images
    gained = distances - goal.margin(network(last))
    assert (gained <= gain * (1 + 1e-4)).all()
    # In L∞ each value finds its sign. In L2 a square of 3×3 is the smallest there is; a direction
    # at random would gain a seventh.
    assert (gained > (0.99 if norm == "linf" else 0.5) * gain).all()


@pytest.mark.parametrize(("norm", "channels"), [("linf", 1), ("linf", 3), ("l2", 1), ("l2", 3)])
def test_it_comes_near_to_the_worst_place_of_a_linear_network(norm: str, channels: int) -> None:
    comes_near_the_optimum(square, norm, channels)


@pytest.mark.parametrize("wrong", [nothing, backwards, upside_down(square), only_begun(square)])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_that_oracle_rejects_an_attack_that_does_nothing_or_the_opposite(
    wrong: Method, norm: str
) -> None:
    with pytest.raises(AssertionError):
        comes_near_the_optimum(wrong, norm)


def keeps_only_what_lowers_the_margin(method: Method, norm: str) -> None:
    network, images = curved(5, 3), any_images(8, 3)
    goal = Goal(network(images).argmax(1), None)
    before, kept = torch.full((8,), torch.inf), images
    steps = moments(method, network, images, at(norm), goal)
    for changed, logits, gradient in steps:
        assert logits is not None
        assert gradient is None
        assert logits.allclose(network(changed), atol=1e-5)
        margin = goal.margin(logits)
        moved = (changed != kept).flatten(1).any(1)
        assert (margin[moved] < before[moved]).all()
        assert margin[~moved].equal(before[~moved])
        before, kept = margin, changed
    assert len(steps) == 120


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_change_is_kept_only_where_the_margin_falls(norm: str) -> None:
    keeps_only_what_lowers_the_margin(square, norm)


def test_that_oracle_rejects_an_attack_that_keeps_what_raises_it() -> None:
    def told(
        problem: Problem, attack: Attack, source: torch.Generator
    ) -> Generator[Moment, Tensor | None, None]:
        for moment in upside_down(square)(problem, attack, source):
            yield moment._replace(logits=problem.logits(moment.images))

    with pytest.raises(AssertionError):
        keeps_only_what_lowers_the_margin(told, "linf")


def proposals(
    images: Tensor, attack: Attack, network: nn.Module | None = None
) -> tuple[list[Tensor], list[Tensor]]:
    """Give what the attack kept until each query but the first, and what it then asked about."""
    watched = Counting(network or curved(3, images.shape[1], images.shape[2]))
    goal = Goal(watched(images).argmax(1), None)
    watched.asked.clear()
    steps = moments(square, watched, images, attack, goal)
    return [each.images for each in steps[:-1]], watched.asked[1:]


def side_of(change: Tensor) -> tuple[int, int]:
    """Measure the smallest rectangle around all that is not 0 in an image's change."""
    rows, columns = (change != 0).any(0).nonzero().unbind(1)
    return int(rows.max() - rows.min()) + 1, int(columns.max() - columns.min()) + 1


@pytest.mark.parametrize("queries", [100, 500])
def test_in_linf_one_square_at_a_time_changes_to_a_corner_and_its_side_is_the_papers(
    queries: int,
) -> None:
    images = inner_images(4, 2, 12)
    kept, asked = proposals(images, at(queries=queries))
    largest = dict.fromkeys(range(1, 13), 0)
    for query, (old, new) in enumerate(zip(kept, asked, strict=True)):
        p = 0.8 / 2 ** sum(int(query / queries * 10_000) > each for each in HALVED)
        side = max(1, round(math.sqrt(p * 144)))
        for change, image, clean in zip(new - old, new, images, strict=True):
            height, width = side_of(change)  # nobody asks about a change of nothing
            assert max(height, width) <= side
            largest[side] = max(largest[side], height, width)
            delta = (image - clean)[:, (change != 0).any(0)]
            assert delta.abs().allclose(torch.tensor(0.1), atol=1e-6)
            assert (delta.std(1, correction=0) < 1e-6).all()  # one sign in each channel
    assert all(size == side for side, size in largest.items() if size)
    assert sum(map(bool, largest.values())) >= 6


def test_squares_reach_all_borders_and_each_image_has_its_own() -> None:
    kept, asked = proposals(inner_images(3, 1, 9), at(queries=400))
    touched = sum((new != old).float() for old, new in zip(kept, asked, strict=True))
    assert isinstance(touched, Tensor)
    assert (touched > 0).all()
    assert not touched[0].equal(touched[1])


def test_in_linf_it_begins_with_upright_stripes() -> None:
    images = inner_images(20, 3, 8)
    first = moments(square, curved(3, 3, 8), images, at())[0].images - images
    assert first.abs().allclose(torch.tensor(0.1), atol=1e-6)
    assert first.allclose(first[:, :, :1].expand_as(first), atol=1e-6)
    assert float((first > 0).float().mean()) == pytest.approx(0.5, abs=0.1)  # of 480 signs


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("side", [2, 3, 5, 7, 24, 25])
def test_a_bump_is_that_of_torchattacks(side: int) -> None:
    theirs = torchattacks.Square(linear(2))
    theirs.device = "cpu"
    ours = module._bump(side)
    with torch.random.fork_rng():
        other = theirs.eta(side)
    assert ours.allclose(other, atol=1e-6) or ours.T.allclose(other, atol=1e-6)
    assert float(ours.norm()) == pytest.approx(1)
    assert (ours[: side // 2] > 0).all()
    assert (ours[side // 2 :] < 0).all()


def follows_algorithm_three(old: Tensor, new: Tensor, side: int, epsilon: float) -> None:
    """Look for the two windows among all pairs, and compute what the paper then prescribes."""
    channels, height, width = old.shape
    places = [(r, s) for r in range(height - side + 1) for s in range(width - side + 1)]
    bump = module._bump(side)
    unused = max(0.0, epsilon**2 - float(old.square().sum()))
    for row, column in places:
        to = (..., slice(row, row + side), slice(column, column + side))
        for away_row, away_column in places:
            away = (
                ...,
                slice(away_row, away_row + side),
                slice(away_column, away_column + side),
            )
            expected = old.clone()
            expected[away] = 0
            expected[to] = new[to]
            if not expected.allclose(new, atol=1e-6):
                continue
            union = torch.zeros_like(old)
            union[to] = union[away] = 1
            for each in range(channels):
                room = math.sqrt(float((old * union)[each].square().sum()) + unused / channels)
                before = old[to][each]
                before = before / before.norm().clamp(min=1e-12)
                ways = [sign * shape for sign in (-1, 1) for shape in (bump, bump.T)]
                made = [(way + before) / (way + before).norm() * room for way in ways]
                if not any(new[to][each].allclose(way, atol=1e-5) for way in made):
                    break
            else:
                return
    raise AssertionError("no two windows explain this")


def test_in_l2_each_proposal_is_one_of_the_papers_third_algorithm() -> None:
    images = inner_images(2, 2, 6)
    attack = at("l2", queries=60)
    kept, asked = proposals(images, attack, curved(3, 2, 6))
    for query, (old, new) in enumerate(zip(kept, asked, strict=True)):
        p = 0.8 / 2 ** sum(int(query / 60 * 10_000) > each for each in HALVED)
        side = max(3, round(math.sqrt(p * 36))) // 2 * 2 + 1
        for change, other in zip(old - images, new - images, strict=True):
            follows_algorithm_three(change, other, side, attack.epsilon)
            assert float(other.norm()) == pytest.approx(attack.epsilon, rel=1e-4)


def test_that_oracle_rejects_other_proposals() -> None:
    source = torch.Generator().manual_seed(0)
    change = torch.randn((2, 6, 6), generator=source)
    change *= 0.5 / change.norm()
    for other in (change, -change, change + 0.01, change.flip(1)):
        with pytest.raises(AssertionError):
            follows_algorithm_three(change, other, 3, 0.5)


def test_in_l2_it_begins_with_five_by_five_tiles_of_bumps_that_take_up_all_of_epsilon() -> None:
    images = inner_images(6, 3, 28)
    first = moments(square, linear(2, 3, 28), images, at("l2", queries=1))[0].images - images
    lengths = first.flatten(1).norm(dim=1)
    assert lengths.allclose(torch.tensor(0.5), atol=1e-5)
    tiles = first[:, :, 1:26, 1:26].unflatten(3, (5, 5)).unflatten(2, (5, 5)).transpose(3, 4)
    assert float(tiles.square().sum()) == pytest.approx(float(first.square().sum()), rel=1e-5)
    shapes = tiles.reshape(-1, 5, 5) * math.sqrt(75) / 0.5
    bump = module._bump(5)
    ways = [sign * shape for sign in (-1, 1) for shape in (bump, bump.T)]
    which = torch.stack([(shapes - way).abs().amax((1, 2)) < 1e-4 for way in ways])
    assert (which.sum(0) == 1).all()
    assert (which.sum(1) > len(shapes) / 6).all()  # of 450 a quarter each


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("queries", [1, 2, 37])
def test_each_image_is_asked_about_as_often_as_is_allowed(norm: str, queries: int) -> None:
    network = Counting(curved(3))
    images = any_images(4)
    goal = Goal(network(images).argmax(1), None)
    network.asked.clear()
    steps = moments(square, network, images, at(norm, queries=queries), goal)
    assert network.count == 4 * queries
    assert len(steps) == queries


@pytest.mark.parametrize(("classes", "channels"), [(2, 1), (3, 3), (10, 1), (100, 3)])
@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("target", [False, True])
def test_results_keep_their_promises(channels: int, classes: int, norm: str, target: bool) -> None:
    network, images = curved(classes, channels), any_images(16, channels)
    labels = network(images).argmax(1)
    targets = (labels + 1) % classes if target else None
    attack = at(norm, epsilon=0.15 if norm == "linf" else 1.0)
    batch = keeps_its_promises(square, network, images, attack, targets)
    assert batch.fooled.any()
    assert batch.counts.gradients == 0
    if target:  # those that are fooled leave early, and others go on
        assert len(batch.steps[batch.fooled].unique()) > 1


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 7), (2, 3), (4, 4), (9, 14)])
def test_images_of_any_size_are_attacked(norm: str, height: int, width: int) -> None:
    source = torch.Generator().manual_seed(3)
    images = torch.randint(256, (4, 1, height, width), generator=source) / 255
    layer = nn.Linear(height * width, 3)
    layer.weight.data = torch.randn(layer.weight.shape, generator=source)
    network = nn.Sequential(nn.Flatten(), layer).requires_grad_(False)
    last = moments(square, network, images, at(norm, queries=60))[-1].images
    size = (last - images).flatten(1).norm(p=torch.inf if norm == "linf" else 2, dim=1)
    assert (size <= at(norm).epsilon * (1 + 1e-5)).all()
    assert (size > 0).all()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_an_epsilon_of_0_changes_nothing(norm: str) -> None:
    network, images = curved(3), any_images(4)
    batch = run(square, network, images, at(norm, epsilon=0.0))
    assert batch.images.equal(images)
    assert not batch.fooled.any()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_seed_decides_all_of_it(norm: str) -> None:
    network, images = curved(3), any_images(6)
    found = [moments(square, network, images, at(norm, seed=seed))[-1].images for seed in (1, 1, 2)]
    assert found[0].equal(found[1])
    assert not found[0].equal(found[2])


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_squares_leave_the_network_as_it_was(norm: str) -> None:
    network, images = curved(3).train(), any_images(4)
    leaves_untouched(network, lambda: run(square, network, images, at(norm)))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("norm", "epsilon", "queries"),
    [("linf", 0.2, 20), ("linf", 0.2, 100), ("linf", 0.1, 20), ("l2", 2.0, 60)],
)
def test_as_many_digits_are_fooled_as_by_torchattacks(
    norm: str, epsilon: float, queries: int
) -> None:
    """Theirs asks once more than it says, about the beginning; both work on float32 pixels."""
    network = load(Source(kind="built-in", name="mnist")).network
    test = data.dataset("mnist", devices.choose("cpu")).test
    count = 100 if norm == "linf" else 50
    images, labels = test.images[:count], test.labels[:count]
    of_theirs = torchattacks.Square(
        network, norm={"linf": "Linf", "l2": "L2"}[norm], eps=epsilon, n_queries=queries - 1
    )
    with torch.random.fork_rng():  # it seeds the global source
        theirs = of_theirs(images, labels)
    attack = at(norm, epsilon=epsilon, queries=queries, whole_levels=False)
    ours = perturb(square, network, images, Goal(labels, None), attack)
    with torch.no_grad():
        wrong = network(theirs).argmax(1) != labels
        assert (network(ours.images).argmax(1) != labels).equal(ours.fooled)
    # Two random searches: the difference of two shares of so many has this deviation at most.
    chance = math.sqrt(2 * 0.25 / count)
    assert float(ours.fooled.float().mean()) >= float(wrong.float().mean()) - (
        0 if epsilon == 0.2 and queries == 100 else 2 * chance
    )
