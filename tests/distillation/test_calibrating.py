"""A reliability diagram is scikit-learn's; the fitted temperature is a convex curve's bottom."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy.optimize import minimize_scalar
from sklearn.calibration import calibration_curve

from core.distillation.calibrating import BINS, fit, likelihood, reliability

Images = tuple[np.ndarray, np.ndarray]
quietly = settings(derandomize=True, deadline=None)
seeds = some.integers(0, 2**31)


def images(seed: int, count: int = 400, scale: float = 3.0, truth: float = 1.0) -> Images:
    """Logits, and labels drawn from their softmax at a temperature: that which calibrates them."""
    source = np.random.default_rng(seed)
    logits = source.normal(0, scale, (count, 10))
    shares = shares_by_torch(logits, truth).cumsum(1)
    labels = (source.random((count, 1)) * shares[:, -1:] > shares).sum(1)
    return logits, labels


def shares_by_torch(logits: np.ndarray, temperature: float) -> np.ndarray:
    found: np.ndarray = torch.tensor(logits).div(temperature).softmax(1).numpy()
    return found


def error_by_hand(
    sure: np.ndarray,
    right: np.ndarray,
    bins: int = BINS,
    inside: Callable[[float, float, float], bool] = lambda x, low, high: low < x <= high,
) -> float:
    """The expected calibration error, image by image as it is defined."""
    found = 0.0
    for place in range(bins):
        low, high = place / bins, (place + 1) / bins
        here = [(s, r) for s, r in zip(sure, right, strict=True) if inside(s, low, high)]
        if here:
            one, other = np.mean([r for _, r in here]), np.mean([s for s, _ in here])
            found += len(here) / len(sure) * abs(one - other)
    return found


def height(labels: np.ndarray, logits: np.ndarray, beta: float) -> float:
    """NLL by torch."""
    value = torch.nn.functional.cross_entropy(torch.tensor(beta * logits), torch.tensor(labels))
    return float(value)


@given(seed=seeds, temperature=some.floats(0.2, 8))
@quietly
def test_the_diagram_is_that_of_scikit_learn(seed: int, temperature: float) -> None:
    logits, labels = images(seed)
    found = reliability(logits, labels, temperature)
    shares = shares_by_torch(logits, temperature)
    sure, right = shares.max(1), shares.argmax(1) == labels
    accuracy, confidence = calibration_curve(right, sure, n_bins=BINS)
    met = found.counts > 0
    np.testing.assert_allclose(found.accuracy[met], accuracy, rtol=1e-12)
    np.testing.assert_allclose(found.confidence[met], confidence, rtol=1e-12)
    assert np.isnan(found.accuracy[~met]).all()
    assert np.isnan(found.confidence[~met]).all()
    assert found.counts.sum() == found.images == 400
    assert found.error == pytest.approx(error_by_hand(sure, right), rel=1e-9)
    assert found.worst == pytest.approx(np.abs(accuracy - confidence).max(), rel=1e-9)
    likelihood = height(labels, logits, 1 / temperature)  # scikit-learn cuts tiny shares off
    assert found.likelihood == pytest.approx(likelihood, rel=1e-9)
    assert found.right == right.mean()
    assert found.sure == pytest.approx(sure.mean(), rel=1e-12)
    np.testing.assert_allclose(found.edges, np.arange(16) / 15, rtol=1e-15)


def on_edges() -> Images:
    """Four classes whose largest probability is just 0.25, 0.5 or 1, which are edges of four bins.

    Equal logits give these without any rounding.
    """
    logits = np.repeat([[0.0] * 4, [0.0, 0.0, -800.0, -800.0], [0.0] + [-800.0] * 3], 5, 0)
    return logits, np.array([0, 0, 0, 0, 1, *[1, 1, 1, 1, 2], *[0, 0, 0, 0, 1]])


def test_a_bin_has_its_upper_edge_and_not_its_lower_one() -> None:
    logits, labels = on_edges()
    found = reliability(logits, labels, bins=4)
    assert found.counts.tolist() == [5, 5, 0, 5]
    np.testing.assert_array_equal(found.confidence, [0.25, 0.5, np.nan, 1])
    np.testing.assert_array_equal(found.accuracy, [0.8, 0, np.nan, 0.8])
    sure, right = shares_by_torch(logits, 1.0).max(1), labels == 0
    assert found.error == pytest.approx((0.55 + 0.5 + 0.2) / 3, rel=1e-12)
    assert found.error == pytest.approx(error_by_hand(sure, right, 4), rel=1e-12)
    assert found.worst == pytest.approx(0.55)


def test_that_oracle_rejects_the_other_edge_other_bins_and_bins_that_weigh_the_same() -> None:
    logits, labels = on_edges()
    logits, labels = np.concatenate([logits, logits[-5:]]), np.concatenate([labels, [0] * 5])
    sure, right = shares_by_torch(logits, 1.0).max(1), labels == 0
    told = reliability(logits, labels, bins=4)
    assert told.error == pytest.approx(error_by_hand(sure, right, 4), rel=1e-12)
    apart = np.abs(told.accuracy - told.confidence)
    for wrong in (
        error_by_hand(sure, right, 4, lambda x, low, high: low <= x < high),  # 1 is in no bin
        np.nanmean(apart),
        np.nansum(apart) / 4,  # empty bins as 0
        reliability(logits, labels, bins=1).error,
    ):
        assert wrong != pytest.approx(told.error, rel=1e-2)


@pytest.mark.parametrize("temperature", [0.0, 0.05, 0.7, 4.0, 1e6, math.inf])
def test_no_temperature_moves_the_accuracy(temperature: float) -> None:
    logits, labels = images(1)
    found = reliability(logits, labels, temperature)
    assert found.right == (logits.argmax(1) == labels).mean()
    assert found.images == found.counts.sum()


def test_at_both_ends_it_is_sure_of_all_or_of_nothing() -> None:
    logits, labels = images(1)
    cold, hot = reliability(logits, labels, 0.0), reliability(logits, labels, math.inf)
    assert (cold.sure, cold.likelihood, cold.counts[-1]) == (1, math.inf, 400)
    assert cold.error == pytest.approx(1 - cold.right)
    assert hot.sure == pytest.approx(0.1)
    assert hot.likelihood == pytest.approx(math.log(10), rel=1e-12)
    near = reliability(logits, labels, 1e9)
    assert near.likelihood == pytest.approx(hot.likelihood, rel=1e-6)


def test_a_probability_that_is_too_small_for_a_number_has_a_logarithm() -> None:
    found = reliability(np.array([[5_000.0, 0.0]]), np.array([1]), 2.0)
    assert found.likelihood == pytest.approx(2_500)


@given(seed=seeds, scale=some.floats(0.5, 8))
@quietly
def test_the_curve_is_that_of_torch_and_convex(seed: int, scale: float) -> None:
    logits, labels = images(seed, 60, scale)
    beta = np.linspace(0, 4, 41)
    found = likelihood(logits, labels, beta)
    truth = [height(labels, logits, float(each)) for each in beta]
    np.testing.assert_allclose(found.values, truth, rtol=1e-9)
    assert (np.diff(found.values, 2) >= -1e-12).all()
    assert (found.curvature >= 0).all()
    assert (np.diff(found.slope) >= -1e-12).all()
    # Along β, of what torch computed: an error of the second order.
    step = 1e-4
    for place in (3, 20):
        ahead, here, behind = (
            height(labels, logits, float(beta[place]) + each) for each in (step, 0, -step)
        )
        assert found.slope[place] == pytest.approx((ahead - behind) / (2 * step), abs=1e-4)
        assert found.curvature[place] == pytest.approx(
            (ahead - 2 * here + behind) / step**2, rel=1e-2, abs=1e-3
        )


def test_along_the_temperature_it_is_not_convex() -> None:
    """Why it is β that is searched: that the oracle of convexity can fail."""
    logits, labels = images(3, 200)
    temperatures = np.linspace(0.3, 12, 60)
    values = [height(labels, logits, 1 / each) for each in temperatures]
    assert (np.diff(values, 2) < -1e-6).any()


@given(seed=seeds, scale=some.floats(0.05, 40), truth=some.floats(0.2, 5))
@quietly
def test_the_fitted_temperature_is_the_lowest_point(seed: int, scale: float, truth: float) -> None:
    logits, labels = images(seed, 80, scale, truth * scale / 3)
    found = fit(logits, labels)
    if found.temperature in (0, math.inf):
        return  # the test of the ends tells when
    by_scipy = minimize_scalar(
        lambda beta: height(labels, logits, beta),
        bounds=(0, 3 * found.beta),
        method="bounded",
        options={"xatol": 1e-9 * found.beta},
    )
    # A minimum's place is known to the root of what its height is known to.
    assert found.beta == pytest.approx(by_scipy.x, rel=1e-4)
    assert found.value == pytest.approx(height(labels, logits, found.beta), rel=1e-9)
    assert found.value <= by_scipy.fun + 1e-12
    assert found.temperature == 1 / found.beta
    assert abs(found.path[-1].slope) <= 1e-9 * scale
    assert len(found.path) < 60


@pytest.mark.parametrize("seed", range(4))
def test_a_grid_finds_no_lower_point(seed: int) -> None:
    logits, labels = images(seed, 1_000, 3.0, 1.7)
    found = fit(logits, labels)
    grid = np.geomspace(0.05, 50, 2_000)
    heights = [height(labels, logits, 1 / each) for each in grid]
    lowest = float(grid[int(np.argmin(heights))])
    assert found.temperature == pytest.approx(lowest, rel=math.log(1_000) / 1_999)
    assert found.value <= min(heights) + 1e-12


@pytest.mark.parametrize("truth", [0.5, 1.0, 2.5])
def test_it_finds_the_temperature_that_the_labels_were_drawn_at(truth: float) -> None:
    logits, labels = images(7, 20_000, 3.0, truth)
    found = fit(logits, labels)
    curvature = likelihood(logits, labels, np.array([found.beta])).curvature[0]
    error = 1 / math.sqrt(20_000 * curvature)  # of β, by Fisher's information
    assert abs(found.beta - 1 / truth) < 4 * error
    assert error < 0.02 / truth
    before, after = (reliability(logits, labels, each) for each in (1.0, found.temperature))
    assert after.error < 0.015
    assert after.likelihood <= before.likelihood
    if truth != 1:
        assert before.error > 3 * after.error


def test_that_oracle_rejects_the_smallest_error_and_a_search_that_stalled() -> None:
    """ECE is no proper score; and a few small steps along T end somewhere else."""
    logits, labels = images(11, 300, 3.0, 2.5)
    found = fit(logits, labels)
    grid = np.geomspace(0.2, 20, 400)
    errors = [reliability(logits, labels, float(each)).error for each in grid]
    assert grid[int(np.argmin(errors))] != pytest.approx(found.temperature, rel=0.01)
    heat = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    for _ in range(50):
        loss = torch.nn.functional.cross_entropy(torch.tensor(logits) / heat, torch.tensor(labels))
        (slope,) = torch.autograd.grad(loss, heat)
        heat = (heat - 0.01 * slope).detach().requires_grad_()
    assert float(heat.detach()) != pytest.approx(found.temperature, rel=0.01)


@given(seed=seeds, factor=some.floats(1e-3, 1e3))
@quietly
def test_logits_that_are_larger_need_so_much_more_heat(seed: int, factor: float) -> None:
    logits, labels = images(seed, 100)
    one, other = fit(logits, labels), fit(factor * logits, labels)
    assert other.temperature == pytest.approx(factor * one.temperature, rel=1e-6)
    shifted = fit(logits + np.random.default_rng(seed).normal(0, 9, (100, 1)), labels)
    assert shifted.temperature == pytest.approx(one.temperature, rel=1e-6)


def test_newton_takes_few_steps_and_bisects_where_he_would_leave() -> None:
    logits, labels = images(5, 500, 3.0, 1.3)
    easy = fit(logits, labels)
    assert len(easy.path) <= 8
    assert not any(each.bisected for each in easy.path)
    values = [each.value for each in easy.path]
    assert values[-1] == min(values)
    # All but one are read right, by a margin of 60: from β = 1 the curve is nearly straight.
    logits = np.zeros((40, 2))
    logits[:, 0] = 60
    labels = np.zeros(40, dtype=np.int64)
    labels[0] = 1
    hard = fit(logits, labels)
    assert any(each.bisected for each in hard.path)
    assert hard.temperature == pytest.approx(60 / math.log(39), rel=1e-9)  # the closed form


def test_of_two_logits_the_closed_form_is_found() -> None:
    """With one margin m and a share s right, NLL is lowest where σ(m / T) = s."""
    for margin, right in ((2.0, 9), (0.01, 6), (500.0, 8)):
        logits = np.tile([margin, 0.0], (10, 1))
        labels = np.array([0] * right + [1] * (10 - right))
        truth = margin / math.log(right / (10 - right))
        assert fit(logits, labels).temperature == pytest.approx(truth, rel=1e-9)


def test_where_the_surer_is_the_better_it_is_nought_and_where_nothing_is_known_infinite() -> None:
    logits, _ = images(0, 50)
    right = fit(logits, logits.argmax(1))
    assert (right.temperature, right.beta, right.value) == (0, math.inf, 0)
    tied = fit(np.array([[1.0, 1.0, 0.0]]), np.array([1]))
    assert tied.temperature == 0
    assert tied.value == pytest.approx(math.log(2))
    wrong = fit(logits, logits.argmin(1))
    assert (wrong.temperature, wrong.beta) == (math.inf, 0)
    assert wrong.value == pytest.approx(math.log(10))
    assert reliability(logits, logits.argmin(1), math.inf).likelihood == pytest.approx(wrong.value)
    flat = fit(np.ones((3, 4)), np.array([0, 1, 2]))  # any is as good
    assert flat.temperature == 1
    assert flat.value == pytest.approx(math.log(4))


@pytest.mark.parametrize("temperature", [5e-324, 1e-310])
def test_a_temperature_that_is_nearly_0_is_like_it(temperature: float) -> None:
    logits, labels = images(0, 50)
    near, end = reliability(logits, labels, temperature), reliability(logits, labels, 0.0)
    assert near.likelihood == end.likelihood == math.inf
    right = logits.argmax(1)
    assert reliability(logits, right, temperature).likelihood == 0
    np.testing.assert_array_equal(near.confidence, end.confidence)


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda z, y: reliability(z[:0], y[:0]), "labels must be of at least one image, got none"),
        (lambda z, y: fit(z[:0], y[:0]), "labels must be of at least one image, got none"),
        (lambda z, y: reliability(z, y, -1.0), "temperature must be from 0 to infinity, got -1.0"),
        (lambda z, y: reliability(z, y, 1.0, 0), "bins must be at least 1, got 0"),
        (lambda z, y: fit(z * np.nan, y), "logits must be finite"),
        (lambda z, y: fit(z, y + 10), "labels must be from 0 to 9"),
        (lambda z, y: fit(z, y - 10), "labels must be from 0 to 9"),
        (lambda z, y: likelihood(z, y, np.array([1.0, -1.0])), "beta must be from 0 on and finite"),
        (lambda z, y: likelihood(z, y, np.array([np.inf])), "beta must be from 0 on and finite"),
    ],
)
def test_what_cannot_be_calibrated_is_refused(
    ask: Callable[[np.ndarray, np.ndarray], object], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        ask(*images(0, 5))
