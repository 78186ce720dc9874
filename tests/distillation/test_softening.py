"""A softmax at a temperature is torch's and the closed forms', from its one end to its other."""

import math
from collections.abc import Callable
from decimal import Decimal, localcontext

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy.special import logsumexp
from scipy.stats import entropy

from core.distillation.softening import (
    PRECISIONS,
    curve,
    log_probabilities,
    naive,
    probabilities,
    soften,
)

rows = some.lists(some.floats(-40, 40), min_size=1, max_size=12)
warm = some.floats(0.05, 500)
quietly = settings(derandomize=True, deadline=None)
LOGITS = (4.0, 2.5, -1.0, 0.0, 3.9)


def by_torch(logits: list[float], temperature: float) -> np.ndarray:
    found: np.ndarray = (
        torch.tensor(logits, dtype=torch.float64).div(temperature).softmax(0).numpy()
    )
    return found


def by_torch_along(logits: list[float], temperature: float) -> tuple[float, float]:
    """The entropy and its slope by T, by automatic differentiation."""
    heat = torch.tensor(temperature, dtype=torch.float64, requires_grad=True)
    logs = torch.tensor(logits, dtype=torch.float64).div(heat).log_softmax(0)
    height = -(logs.exp() * logs).sum()
    (slope,) = torch.autograd.grad(height, heat)
    return float(height.detach()), float(slope)


def exactly(logits: list[float], temperature: float) -> list[float]:
    """The definition, with fifty digits and with exponents that never overflow."""
    with localcontext(prec=50, Emax=10**9, Emin=-(10**9)):
        powers = [(Decimal(z) / Decimal(temperature)).exp() for z in logits]
        return [float(each / sum(powers)) for each in powers]


@given(logits=rows, temperature=warm)
@quietly
def test_the_probabilities_are_those_of_torch(logits: list[float], temperature: float) -> None:
    found = soften(logits, temperature)
    truth = by_torch(logits, temperature)
    np.testing.assert_allclose(found.probabilities, truth, rtol=1e-12, atol=1e-300)
    np.testing.assert_array_equal(probabilities(np.array(logits), temperature), found.probabilities)
    np.testing.assert_allclose(
        log_probabilities(np.array(logits), temperature),
        torch.tensor(logits, dtype=torch.float64).div(temperature).log_softmax(0).numpy(),
        rtol=1e-12,
        atol=1e-13,
    )


@pytest.mark.parametrize(
    "wrong",
    [
        lambda z, t: np.exp(z * t) / np.exp(z * t).sum(),
        lambda z, t: (np.exp(z) / np.exp(z).sum()) / t,
        lambda z, t: np.exp(z / t**2) / np.exp(z / t**2).sum(),
        lambda z, t: np.exp(np.sort(z)[-4:] / t) / np.exp(np.sort(z)[-4:] / t).sum(),  # cut before
    ],
)
def test_that_oracle_rejects_other_formulas(wrong: Callable[..., np.ndarray]) -> None:
    found = wrong(np.array(LOGITS), 2.0)
    truth = by_torch(list(LOGITS), 2.0)
    assert found.shape != truth.shape or not np.allclose(found, truth, rtol=1e-3)


@pytest.mark.parametrize("scale", [1.0, 1e3, 1e5])
@pytest.mark.parametrize("temperature", [1e-2, 0.5, 1.0, 30.0])
def test_they_are_the_definition_also_where_torch_in_half_a_precision_breaks(
    scale: float, temperature: float
) -> None:
    logits = [scale * each for each in LOGITS]
    found = soften(logits, temperature)
    truth = exactly(logits, temperature)
    # (z − m) / T is rounded once: the exponent's error is its size times 2⁻⁵³.
    close = np.array(truth) * np.maximum(1, np.abs(found.shifted)) * 1e-15
    assert (np.abs(found.probabilities - truth) <= close + 1e-300).all()


@pytest.mark.parametrize("logits", [LOGITS, (1.0,), (2.0, 2.0), (7.0, 7.0, 1.0, 7.0), (0.0, -3.0)])
def test_both_ends_are_their_limits(logits: tuple[float, ...]) -> None:
    cold, hot = soften(logits, 0.0), soften(logits, math.inf)
    largest = np.array(logits) == max(logits)
    np.testing.assert_array_equal(cold.probabilities, largest / largest.sum())
    np.testing.assert_array_equal(hot.probabilities, np.full(len(logits), 1 / len(logits)))
    assert cold.entropy == pytest.approx(math.log(largest.sum()), abs=1e-15)
    assert hot.entropy == pytest.approx(math.log(len(logits)), abs=1e-15)
    assert (cold.slope, hot.slope) == (0, 0)
    assert np.isnan([cold.numerical, hot.numerical]).all()
    for end, near in ((cold, soften(logits, 1e-3)), (hot, soften(logits, 1e12))):
        np.testing.assert_allclose(near.probabilities, end.probabilities, rtol=0, atol=1e-10)
        assert near.entropy == pytest.approx(end.entropy, abs=1e-10)
        np.testing.assert_allclose(near.powers, end.powers, rtol=0, atol=1e-10)
        assert near.total == pytest.approx(end.total)


def test_at_zero_what_is_divided_by_it_is_told_as_its_limit() -> None:
    found = soften((3.0, 0.0, -2.0), 0.0)
    np.testing.assert_array_equal(found.scaled, [np.inf, np.nan, -np.inf])
    np.testing.assert_array_equal(found.shifted, [0, -np.inf, -np.inf])
    assert found.log_sum_exp == np.inf
    assert np.isnan(found.naive.probabilities).all()
    assert not found.naive.overflowed.any()


@given(logits=rows, temperature=warm)
@quietly
def test_entropy_and_log_sum_exp_are_those_of_scipy(
    logits: list[float], temperature: float
) -> None:
    found = soften(logits, temperature)
    truth = by_torch(logits, temperature)
    assert found.entropy == pytest.approx(entropy(truth), rel=1e-9, abs=1e-13)
    assert found.bits == pytest.approx(entropy(truth, base=2), rel=1e-9, abs=1e-13)
    assert found.perplexity == pytest.approx(2**found.bits, rel=1e-12)
    assert found.log_sum_exp == pytest.approx(
        logsumexp(np.array(logits) / temperature), rel=1e-12, abs=1e-12
    )
    assert found.log_sum_exp == pytest.approx(
        found.largest / temperature + math.log(found.total), rel=1e-12, abs=1e-12
    )
    assert -1e-15 <= found.entropy <= math.log(len(logits)) + 1e-12


@given(logits=some.lists(some.floats(-20, 20), min_size=2, max_size=10), temperature=warm)
@quietly
def test_the_slope_is_the_variance_over_the_cube(logits: list[float], temperature: float) -> None:
    found = soften(logits, temperature)
    height, slope = by_torch_along(logits, temperature)
    assert found.entropy == pytest.approx(height, rel=1e-9, abs=1e-13)
    assert found.slope == pytest.approx(slope, rel=1e-6, abs=1e-12)
    assert found.slope == pytest.approx(found.variance / temperature**3, rel=1e-9, abs=1e-13)
    # A central difference: H is known to 10⁻¹⁵ or so, and the step is 10⁻⁴ T.
    assert found.numerical == pytest.approx(found.slope, rel=1e-4, abs=1e-10 / temperature)


def test_that_oracle_rejects_other_powers_and_a_variance_without_weights() -> None:
    found, (_, slope) = soften(LOGITS, 2.0), by_torch_along(list(LOGITS), 2.0)
    for wrong in (found.variance / 4, found.variance / 16, np.var(LOGITS) / 8, -found.slope):
        assert wrong != pytest.approx(slope, rel=1e-2)


def test_the_entropy_grows_with_the_temperature_and_the_answer_stays() -> None:
    found = curve(LOGITS, [0.0, *np.geomspace(0.01, 1_000, 60), math.inf])
    assert (np.diff(found.entropy) >= 0).all()
    assert (found.slope >= 0).all()
    assert (found.probabilities[:-1].argmax(1) == 0).all()
    for place in (0, 17, 30, 61):
        alone = soften(LOGITS, float(found.temperatures[place]))
        np.testing.assert_array_equal(found.probabilities[place], alone.probabilities)
        assert (found.entropy[place], found.slope[place]) == (alone.entropy, alone.slope)
        np.testing.assert_array_equal(found.numerical[place], alone.numerical)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_naive_form_breaks_where_its_precision_ends(precision: str) -> None:
    most = math.log(np.finfo(precision).max)
    fine, broken = (
        naive((most - 1.5, 0.0), 1.0, precision),
        naive((most + 1.5, 0.0), 1.0, precision),
    )
    rounding = float(np.finfo(precision).eps) * most  # of the exponent, so of the power's share
    np.testing.assert_allclose(fine.probabilities, exactly([most - 1.5, 0.0], 1.0), atol=rounding)
    assert not fine.overflowed.any()
    assert broken.overflowed.tolist() == [True, False]
    assert np.isnan(broken.probabilities[0])
    assert broken.probabilities[1] == 0
    well = soften((most + 1.5, 0.0), 1.0).probabilities  # beside it
    np.testing.assert_allclose(well, exactly([most + 1.5, 0.0], 1.0), rtol=1e-12)
    # It breaks by the quotient: the same logits are fine when it is hotter.
    assert not naive((most + 1.5, 0.0), 2.0, precision).overflowed.any()


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_naive_form_is_what_torch_gives_in_that_precision(precision: str) -> None:
    kind = getattr(torch, precision)
    powers = torch.tensor(LOGITS, dtype=kind).div(2).exp()
    found = naive(LOGITS, 2.0, precision)
    near = 4 * float(np.finfo(precision).eps)
    np.testing.assert_allclose(found.powers, powers.double().numpy(), rtol=near)
    np.testing.assert_allclose(
        found.probabilities, (powers / powers.sum()).double().numpy(), rtol=near
    )
    if precision != "float64":  # it is rounded as it says
        assert not np.allclose(found.probabilities, by_torch(list(LOGITS), 2.0), rtol=1e-9, atol=0)


def test_the_sum_may_overflow_where_no_power_does() -> None:
    found = naive([10.9] * 10, 1.0, "float16")  # e to that is 54,176, and the largest is 65,504
    assert not found.overflowed.any()
    assert found.total == np.inf
    assert found.probabilities.tolist() == [0] * 10


def test_what_is_all_too_small_is_nothing_divided_by_nothing() -> None:
    found = soften((-200.0, -201.0), 1.0)
    assert found.naive.underflowed.all()
    assert found.naive.total == 0
    assert np.isnan(found.naive.probabilities).all()
    np.testing.assert_allclose(found.probabilities, exactly([-200.0, -201.0], 1.0))


def test_rows_of_many_images_are_those_of_each() -> None:
    logits = np.random.default_rng(0).normal(0, 5, (6, 10)).astype(np.float32)
    for temperature in (0.0, 0.3, 4.0, math.inf):
        found = probabilities(logits, temperature)
        assert found.dtype == np.float64
        for row, each in zip(found, logits, strict=True):
            np.testing.assert_array_equal(
                row, soften(each.astype(float), temperature).probabilities
            )


@pytest.mark.parametrize(
    ("logits", "temperature", "sentence"),
    [
        ((), 1.0, "logits must be a row of at least one number, got the shape"),
        ((1.0, math.nan), 1.0, "logits must be finite, got nan"),
        ((1.0, -math.inf), 1.0, "logits must be finite, got -inf"),
        ((1.0, 2.0), -0.1, "temperature must be from 0 to infinity, got -0.1"),
        ((1.0, 2.0), math.nan, "temperature must be from 0 to infinity, got nan"),
    ],
)
def test_what_is_no_softmax_is_refused(
    logits: tuple[float, ...], temperature: float, sentence: str
) -> None:
    for ask in (soften, naive, lambda z, t: curve(z, (t,))):
        with pytest.raises(ValueError, match=sentence):
            ask(logits, temperature)


def test_a_precision_that_is_none_is_refused_and_logits_stay_as_they_were() -> None:
    with pytest.raises(ValueError, match="precision must be one of"):
        soften(LOGITS, 1.0, "bfloat16")
    given = np.array(LOGITS)
    soften(given, 3.0).logits[:] = 0
    np.testing.assert_array_equal(given, LOGITS)
