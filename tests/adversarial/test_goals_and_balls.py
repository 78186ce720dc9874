"""Losses, margins, norms and balls are what their formulae say."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from core.adversarial.balls import (
    inward,
    norms,
    project,
    random_change,
    rounded,
    shuffled,
    steepest,
)
from core.adversarial.goals import Goal

CASES = [(channels, classes) for channels in (1, 3) for classes in (2, 3, 10, 100)]


def logits_of(count: int, classes: int, seed: int) -> torch.Tensor:
    return 5 * torch.randn((count, classes), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("classes", [2, 3, 10, 100])
def test_a_margin_is_the_own_logit_less_the_largest_other(classes: int) -> None:
    logits = logits_of(20, classes, 0) - 50  # all below 0, as no mask by 0 survives
    labels = torch.arange(20) % classes
    targets = (labels + 1) % classes
    free, bound = Goal(labels, None).margin(logits), Goal(labels, targets).margin(logits)
    for row, values in enumerate(logits.tolist()):
        true, target = int(labels[row]), int(targets[row])
        others = [value for k, value in enumerate(values) if k != true]
        assert free[row].item() == pytest.approx(values[true] - max(others))
        others = [value for k, value in enumerate(values) if k != target]
        assert bound[row].item() == pytest.approx(max(others) - values[target])
    read = logits.argmax(1)
    assert Goal(labels, None).fooled(logits).equal(read != labels)
    assert Goal(labels, targets).fooled(logits).equal(read == targets)


def test_a_tie_is_no_success() -> None:
    assert not Goal(torch.tensor([0]), None).fooled(torch.tensor([[1.0, 1.0]])).any()


def test_cross_entropy_and_dlr_are_those_of_their_formulae() -> None:
    logits, labels = logits_of(30, 10, 3), torch.arange(30) % 10
    targets = (labels + 3) % 10
    shares = logits.softmax(1)
    rows = torch.arange(30)
    free, bound = Goal(labels, None), Goal(labels, targets)
    assert free.loss("ce", logits).allclose(-shares[rows, labels].log(), atol=1e-5)
    assert bound.loss("ce", logits).allclose(shares[rows, targets].log(), atol=1e-5)
    ordered = logits.sort(1, descending=True).values
    true, target = logits[rows, labels], logits[rows, targets]
    other = logits.scatter(1, labels[:, None], -math.inf).amax(1)
    expected = -(true - other) / (ordered[:, 0] - ordered[:, 2])
    assert free.loss("dlr", logits).allclose(expected)
    expected = -(true - target) / (ordered[:, 0] - (ordered[:, 2] + ordered[:, 3]) / 2)
    assert bound.loss("dlr", logits).allclose(expected)


def test_dlr_does_not_change_with_the_scale_of_the_logits_and_cross_entropy_does() -> None:
    logits, goal = logits_of(10, 5, 1), Goal(torch.arange(10) % 5, None)
    assert goal.loss("dlr", 1000 * logits).allclose(goal.loss("dlr", logits), rtol=1e-4)
    assert not goal.loss("ce", 1000 * logits).allclose(goal.loss("ce", logits))


def test_the_gradient_of_a_saturated_cross_entropy_is_zero_and_that_of_the_margin_is_not() -> None:
    logits = torch.tensor([[200.0, 0.0, 1.0]], requires_grad=True)
    goal = Goal(torch.tensor([0]), None)
    for loss, dead in (("ce", True), ("margin", False), ("dlr", False)):
        (gradient,) = torch.autograd.grad(goal.loss(loss, logits).sum(), logits)
        assert bool((gradient == 0).all()) is dead, loss


@pytest.mark.parametrize(("classes", "target"), [(2, False), (3, True)])
def test_dlr_names_the_classes_that_it_lacks(classes: int, target: bool) -> None:
    labels = torch.zeros(2, dtype=torch.long)
    goal = Goal(labels, labels + 1 if target else None)
    with pytest.raises(ValueError, match=f"loss must be margin or ce for {classes} classes"):
        goal.loss("dlr", logits_of(2, classes, 0))


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_what_is_projected_is_within_both_bounds_and_what_was_stays(norm: str) -> None:
    source = torch.Generator().manual_seed(0)
    clean = torch.rand((50, 3, 4, 4), generator=source)
    for epsilon in (0.0, 0.03, 0.3, 2.0):
        far = clean + torch.randn(clean.shape, generator=source)
        near = project(norm, far, clean, epsilon)
        assert float(near.min()) >= 0
        assert float(near.max()) <= 1
        assert float(norms(near - clean)[norm].max()) <= epsilon + 1e-6
        again = project(norm, near, clean, epsilon)
        assert again.allclose(near, atol=1e-6)


def test_an_l2_projection_is_the_nearest_point_of_the_ball() -> None:
    clean = torch.full((1, 1, 2, 2), 0.5)
    far = clean + torch.tensor([[[[0.3, 0.0], [0.0, 0.4]]]])
    expected = clean + torch.tensor([[[[0.06, 0.0], [0.0, 0.08]]]])
    assert project("l2", far, clean, 0.1).allclose(expected)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_no_change_of_its_length_gains_more_than_the_steepest(norm: str) -> None:
    source = torch.Generator().manual_seed(0)
    gradient = torch.randn((1, 3, 4, 4), generator=source)
    step = steepest(norm, gradient)
    assert float(norms(step)[norm]) == pytest.approx(1)
    dual = gradient.abs().sum() if norm == "linf" else gradient.norm()
    assert float((step * gradient).sum()) == pytest.approx(float(dual))
    others = random_change(norm, step.expand(200, -1, -1, -1), torch.ones(200), source)
    assert float((others * gradient).sum((1, 2, 3)).max()) < float(dual)


def test_the_steepest_step_where_nothing_gains_is_none() -> None:
    assert not steepest("l2", torch.zeros(1, 1, 2, 2)).any()
    assert not steepest("linf", torch.zeros(1, 1, 2, 2)).any()


@pytest.mark.parametrize("norm", ["linf", "l2", "l0"])
def test_changes_at_random_are_as_long_as_was_asked_and_all_different(norm: str) -> None:
    images = torch.full((30, 3, 8, 8), 0.4)
    length = torch.linspace(1, 5, 30).round()
    change = random_change(norm, images, length, torch.Generator().manual_seed(0))
    assert norms(change)[norm].allclose(length, rtol=1e-5)
    assert len(change.flatten(1).unique(dim=0)) == 30
    again = random_change(norm, images, length, torch.Generator().manual_seed(0))
    assert again.equal(change)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(
    st.integers(0, 2**20),
    st.sampled_from(["linf", "l2"]),
    st.sampled_from([0.0, 1 / 255, 8 / 255, 0.1, 0.5]),
)
def test_rounding_keeps_within_the_ball_and_gives_whole_levels(
    seed: int, norm: str, epsilon: float
) -> None:
    source = torch.Generator().manual_seed(seed)
    clean = torch.randint(256, (5, 3, 4, 4), generator=source) / 255
    images = project(norm, clean + torch.randn(clean.shape, generator=source), clean, epsilon)
    levels = rounded(norm, images, clean, epsilon)
    assert (255 * levels).sub((255 * levels).round()).abs().max() < 1e-4
    assert float(norms(levels - clean)[norm].max()) <= epsilon + 1e-5
    assert float(levels.min()) >= 0
    assert float(levels.max()) <= 1
    if norm == "linf":
        assert float((levels - images).abs().max()) < 1 / 255 + 1e-5


def test_an_l2_change_that_rounds_too_long_keeps_most_of_its_length() -> None:
    source = torch.Generator().manual_seed(0)
    clean = torch.full((4, 3, 32, 32), 128 / 255)
    change = random_change("l2", clean, torch.full((4,), 0.25), source)
    assert float(norms((255 * change).round() / 255)["l2"].min()) > 0.25
    length = norms(rounded("l2", clean + change, clean, 0.25) - clean)["l2"]
    assert float(length.min()) > 0.24
    assert float(length.max()) <= 0.25 + 1e-5


def test_a_shuffled_change_is_as_large_in_every_norm_and_stays_inside() -> None:
    source = torch.Generator().manual_seed(0)
    clean = torch.randint(256, (30, 3, 8, 8), generator=source) / 255
    change = torch.zeros(1, 3, 8, 8)
    change[0, :, 2, 1:6] = torch.randint(-90, 90, (3, 5), generator=source) / 255
    laid = shuffled(change, clean, source)
    for name, size in norms(change).items():
        assert norms(laid)[name].allclose(size.expand(30), atol=1e-5), name
    assert float((clean + laid).min()) >= 0
    assert float((clean + laid).max()) <= 1
    assert len(laid.abs().amax(1).flatten(1).bool().unique(dim=0)) == 30


def test_a_change_is_turned_round_only_where_it_would_leave() -> None:
    clean = torch.tensor([[[[0.0, 1.0, 0.5, 0.1]]]])
    change = torch.tensor([[[[-0.2, 0.3, -0.2, 0.2]]]])
    assert inward(change, clean).flatten().tolist() == pytest.approx([0.2, -0.3, -0.2, 0.2])


def test_without_a_bound_rounding_gives_the_nearest_level() -> None:
    clean = torch.zeros(1, 1, 1, 4)
    images = torch.tensor([[[[0.4, 0.6, 1.4, 254.6]]]]) / 255
    levels = rounded("l2", images, clean, math.inf)
    assert (255 * levels).round().flatten().tolist() == [0, 1, 1, 255]


def test_a_pixel_counts_once_whatever_channels_change() -> None:
    change = torch.zeros(1, 3, 2, 2)
    change[0, :, 0, 0] = 0.5
    change[0, 1, 1, 1] = -0.5
    assert float(norms(change)["l0"]) == 2
    assert float(norms(change)["l2"]) == pytest.approx(1.0)
    assert F.normalize(change.flatten(1)).norm() == pytest.approx(1)
