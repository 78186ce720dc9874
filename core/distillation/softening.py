"""The softmax at a temperature, with every number that its formula shows, in float64.

    p = softmax(z / T),   from T = 0, the largest alone, through 1 to infinity, all alike

This module needs no torch: the server computes it too, while the temperature is dragged.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

__all__ = [
    "PRECISIONS",
    "Curve",
    "Logits",
    "Naive",
    "Softened",
    "as_logits",
    "curve",
    "log_probabilities",
    "naive",
    "probabilities",
    "require_temperature",
    "soften",
]

PRECISIONS = ("float16", "float32", "float64")
STEP = 1e-4  # of a central difference, as a share of T: its error is about STEP² of the slope
LOG_2 = math.log(2)
LARGEST = float(np.finfo(np.float64).max)

Logits = Float[np.ndarray, " k"] | Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Naive:
    """The softmax as its formula stands, nothing subtracted, in a precision."""

    precision: str  # one of PRECISIONS
    scaled: Float[np.ndarray, " k"]  # z / T
    powers: Float[np.ndarray, " k"]  # exp(z / T): infinite where it overflows
    total: float  # Σ exp(z / T)
    probabilities: Float[np.ndarray, " k"]  # NaN where infinity is divided by itself, or 0 by 0
    overflowed: Bool[np.ndarray, " k"]  # which powers are infinite that should not be
    underflowed: Bool[np.ndarray, " k"]  # which powers are 0 that should not be


@dataclass(frozen=True, slots=True, kw_only=True)
class Softened:
    """A softmax at a temperature, and how spread out it is."""

    temperature: float
    logits: Float[np.ndarray, " k"]  # z
    scaled: Float[np.ndarray, " k"]  # z / T; at T = 0 its limit, infinite or for z = 0 NaN
    largest: float  # m, of the logits
    shifted: Float[np.ndarray, " k"]  # (z − m) / T, at T = 0 its limit: 0 and −∞
    powers: Float[np.ndarray, " k"]  # exp((z − m) / T)
    total: float  # Σ exp((z − m) / T)
    probabilities: Float[np.ndarray, " k"]
    log_sum_exp: float  # ln Σ exp(z / T) = m / T + ln of the total
    entropy: float  # H = −Σ p ln p in nats; at most ln k
    bits: float  # H in bits
    perplexity: float  # exp H: as many alike would be as uncertain
    variance: float  # of the logits, weighed by p
    slope: float  # dH/dT = Var(z) / T³, in nats; 0 at both ends
    numerical: float  # dH/dT by a central difference; NaN at both ends
    naive: Naive  # beside it


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """How a softmax changes with its temperature."""

    temperatures: Float[np.ndarray, " n"]
    probabilities: Float[np.ndarray, "n k"]
    entropy: Float[np.ndarray, " n"]  # in nats
    slope: Float[np.ndarray, " n"]  # dH/dT = Var(z) / T³
    numerical: Float[np.ndarray, " n"]  # dH/dT by central differences; NaN at T = 0 and ∞


def soften(logits: Logits, temperature: float, precision: str = "float32") -> Softened:
    """Compute a softmax at a temperature, and write down what it goes through.

    Args:
        logits: of one image or of one place in a text.
        temperature: that they are divided by, from 0 to infinity.
        precision: one of PRECISIONS, of the naive form beside it; all else is in float64.

    Returns: at T = 0 the largest logits share the probability evenly, at T = ∞ all do.
    Raises: ValueError when there is no logit, one is not finite, or the temperature is below 0.

    Source: Hinton, Vinyals, Dean 2015, arXiv:1503.02531, equation 1.
    """
    z = as_logits(logits)
    along = curve(z, (temperature,))
    shifted = _shifted(z, temperature)
    powers = np.exp(shifted)
    total = float(powers.sum())
    chances = along.probabilities[0]
    entropy = float(along.entropy[0])
    largest = float(z.max())
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        scaled = z / temperature
        height = float(np.float64(largest) / temperature)
    return Softened(
        temperature=float(temperature),
        logits=z,
        scaled=scaled,
        largest=largest,
        shifted=shifted,
        powers=powers,
        total=total,
        probabilities=chances,
        log_sum_exp=height + math.log(total),
        entropy=entropy,
        bits=entropy / LOG_2,
        perplexity=math.exp(entropy),
        variance=float(_variance((z - largest)[None], along.probabilities)[0]),
        slope=float(along.slope[0]),
        numerical=float(along.numerical[0]),
        naive=naive(z, temperature, precision),
    )


def naive(logits: Logits, temperature: float, precision: str = "float32") -> Naive:
    """Compute exp(z / T) / Σ exp(z / T) as it is written, and see where it breaks.

    Args:
        logits: as `soften` takes them.
        temperature: likewise.
        precision: one of PRECISIONS.

    Raises: ValueError when there is no such precision, or as `soften` does.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {PRECISIONS}, got {precision!r}")
    z = as_logits(logits)
    require_temperature(temperature)
    with np.errstate(all="ignore"):
        kind = np.dtype(precision).type
        scaled = z.astype(precision) / kind(temperature)
        powers = np.exp(scaled)
        total = powers.sum(dtype=precision)
        chances = powers / total
    broken = temperature > 0  # at T = 0 it is division by 0 that breaks it
    return Naive(
        precision=precision,
        scaled=scaled.astype(np.float64),
        powers=powers.astype(np.float64),
        total=float(total),
        probabilities=chances.astype(np.float64),
        overflowed=broken & np.isinf(powers),
        underflowed=broken & (powers == 0),
    )


def probabilities(
    logits: Float[np.ndarray, "*n k"], temperature: float
) -> Float[np.ndarray, "*n k"]:
    """Give the softmax of many logits at a temperature, in float64.

    Args:
        logits: finite, along the last axis; at T = 0 the largest share evenly.
        temperature: from 0 to infinity.

    Raises: ValueError when the temperature is below 0.
    """
    require_temperature(temperature)
    return _shares(_shifted(logits.astype(np.float64), temperature))


def log_probabilities(
    logits: Float[np.ndarray, "*n k"], temperature: float
) -> Float[np.ndarray, "*n k"]:
    """Give the logarithms of `probabilities`, also of those too small to be told from 0.

    Args:
        logits: finite, along the last axis.
        temperature: from 0, where most are −∞, to infinity.

    Raises: ValueError when the temperature is below 0.
    """
    require_temperature(temperature)
    shifted = _shifted(logits.astype(np.float64), temperature)
    logs: Float[np.ndarray, "*n k"] = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return logs


def curve(logits: Logits, temperatures: Logits) -> Curve:
    """Follow a softmax through temperatures.

    Args:
        logits: as `soften` takes them.
        temperatures: from 0 to infinity.

    Raises: ValueError when one is below 0, or as `soften` does.
    """
    z = as_logits(logits)
    heat = np.array([float(each) for each in temperatures])
    for each in heat:
        require_temperature(float(each))
    shifted = _shifted(z, heat[:, None])
    return Curve(
        temperatures=heat,
        probabilities=_shares(shifted),
        entropy=_entropy(shifted),
        slope=_slope(shifted, heat),
        numerical=_numerical(z, heat),
    )


def as_logits(logits: Logits) -> Float[np.ndarray, " k"]:
    """Make logits an array of float64 of their own.

    Raises: ValueError when there is none, or one is not finite.
    """
    z = np.array(logits, dtype=np.float64)
    if z.ndim != 1 or not z.size:
        raise ValueError(f"logits must be a row of at least one number, got the shape {z.shape}")
    if not np.isfinite(z).all():
        raise ValueError(f"logits must be finite, got {float(z[~np.isfinite(z)][0])}")
    return z


def require_temperature(temperature: float) -> None:
    """Refuse what is no temperature.

    Raises: ValueError when it is below 0 or not a number.
    """
    if not temperature >= 0:  # refuses NaN too
        raise ValueError(f"temperature must be from 0 to infinity, got {temperature!r}")


def _shifted(
    z: Float[np.ndarray, "*n k"], temperature: float | Float[np.ndarray, "m 1"]
) -> Float[np.ndarray, "*s k"]:
    """Give (z − m) / T; its limit at T = 0 is 0 for the largest and −∞ for the others."""
    with np.errstate(all="ignore"):
        below = np.maximum(z - z.max(-1, keepdims=True), -LARGEST)  # finite, so that ∞ makes it 0
        # 0.0 is added so that none is −0.
        shifted: Float[np.ndarray, "*s k"] = np.where(below == 0, 0.0, below / temperature) + 0.0
    return shifted


def _shares(shifted: Float[np.ndarray, "*n k"]) -> Float[np.ndarray, "*n k"]:
    powers = np.exp(shifted)
    shares: Float[np.ndarray, "*n k"] = powers / powers.sum(-1, keepdims=True)
    return shares


def _entropy(shifted: Float[np.ndarray, "n k"]) -> Float[np.ndarray, " n"]:
    """Give H = ln Σ exp s − Σ p s, of which nothing is the logarithm of 0."""
    powers = np.exp(shifted)
    totals = powers.sum(-1)
    weighed = (powers * np.where(powers > 0, shifted, 0.0)).sum(-1)
    entropy: Float[np.ndarray, " n"] = np.log(totals) - weighed / totals
    return entropy


def _variance(
    values: Float[np.ndarray, "n k"], weights: Float[np.ndarray, "n k"]
) -> Float[np.ndarray, " n"]:
    """Give Σ p (x − x̄)²; what weighs nothing counts nothing, also where it is infinite."""
    met = np.where(weights > 0, values, 0.0)
    means = (weights * met).sum(-1, keepdims=True)
    variance: Float[np.ndarray, " n"] = (weights * (met - means) ** 2).sum(-1)
    return variance


def _slope(
    shifted: Float[np.ndarray, "n k"], temperatures: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """Give Var(z) / T³, as Var(z / T) / T: a small T's cube would be 0; at both ends it is 0."""
    inner = (temperatures > 0) & np.isfinite(temperatures)
    spread = _variance(shifted, _shares(shifted))
    slope: Float[np.ndarray, " n"] = np.where(inner, spread / np.where(inner, temperatures, 1), 0.0)
    return slope


def _numerical(
    z: Float[np.ndarray, " k"], temperatures: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """Give dH/dT by a central difference; NaN at both ends."""
    step = temperatures * STEP
    inner = (step > 0) & np.isfinite(step)
    step, here = np.where(inner, step, 1.0)[:, None], np.where(inner, temperatures, 2.0)[:, None]
    ahead, behind = (_entropy(_shifted(z, here + each)) for each in (step, -step))
    numerical: Float[np.ndarray, " n"] = np.where(
        inner, (ahead - behind) / (2 * step[:, 0]), np.nan
    )
    return numerical
