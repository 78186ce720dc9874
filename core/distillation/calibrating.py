"""Whether a network is right as often as it says, and the temperature that makes it so.

Dividing all logits by one number moves no answer: the accuracy stays. The number is found on
validation images and judged on test images. This module needs no torch.
"""

import math
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from core.distillation.comparing import require_images
from core.distillation.softening import log_probabilities, probabilities, require_temperature
from core.shared.turns import patient

__all__ = [
    "BINS",
    "Fitted",
    "Likelihood",
    "Newton",
    "Reliability",
    "fit",
    "likelihood",
    "reliability",
]

BINS = 15
MOST = 200  # steps of Newton and bisection together
CLOSE = 1e-12  # by how much of itself β is known in the end


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """How often a network is right, by how sure it is."""

    temperature: float
    edges: Float[np.ndarray, " e"]  # of the b bins, e = b + 1; a bin is (lo, hi]
    counts: Int[np.ndarray, " b"]  # images
    accuracy: Float[np.ndarray, " b"]  # share that is read right; NaN where there is no image
    confidence: Float[np.ndarray, " b"]  # mean of the largest probability; likewise
    error: float  # ECE = Σ counts / n |accuracy − confidence|, the empty bins skipped
    worst: float  # the largest |accuracy − confidence|
    likelihood: float  # NLL: mean of −ln p of the true class, in nats; may be infinite at T = 0
    right: float  # share of all images; no temperature moves it
    sure: float  # mean confidence of all images
    images: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Likelihood:
    """NLL against β = 1 / T: a convex curve."""

    beta: Float[np.ndarray, " n"]
    values: Float[np.ndarray, " n"]  # mean of −ln p of the true class, in nats
    slope: Float[np.ndarray, " n"]  # by β: mean of Σ p z − z_y
    curvature: Float[np.ndarray, " n"]  # mean of Var_p(z), never below 0


@dataclass(frozen=True, slots=True)
class Newton:
    """A point that the search for β went through."""

    beta: float
    value: float  # NLL
    slope: float
    bisected: bool  # the step to it was none of Newton's, which had left what brackets the minimum


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """The temperature at which the true classes are the likeliest.

    It is 0 when every image is read right, and infinite when the true class's logit is no larger
    on average than the others': no other has the smallest NLL then.
    """

    temperature: float
    beta: float  # 1 / T
    value: float  # NLL there, in nats, on the images it was found on
    path: tuple[Newton, ...]


def reliability(
    logits: Float[np.ndarray, "n k"],
    labels: Int[np.ndarray, " n"],
    temperature: float = 1.0,
    bins: int = BINS,
) -> Reliability:
    """Sort images by how sure a network is of its answer, and see how often it is right.

    Args:
        logits: of each image.
        labels: the true classes.
        temperature: from 0 to infinity.
        bins: of the same width each, (lo, hi].

    Raises: ValueError when there is no image, a logit is not finite, a label is no class, or a
        value is outside its range.

    Source: Guo, Pleiss, Sun, Weinberger 2017, arXiv:1706.04599, equations 1 to 3 and 5.
    """
    _require(logits, labels)
    require_temperature(temperature)
    if bins < 1:
        raise ValueError(f"bins must be at least 1, got {bins!r}")
    chances = probabilities(logits, temperature)
    right = logits.argmax(1) == labels  # of the logits: where all are alike no answer is moved
    sure = chances.max(1)
    edges = np.linspace(0, 1, bins + 1)
    places = np.clip(edges.searchsorted(sure, side="left") - 1, 0, bins - 1)
    counts = np.bincount(places, minlength=bins)
    sums = [np.bincount(places, each, minlength=bins) for each in (right.astype(float), sure)]
    met = counts > 0
    accuracy, confidence = (np.where(met, each / np.where(met, counts, 1), np.nan) for each in sums)
    apart = np.abs(accuracy - confidence)[met]
    losses = -_own(log_probabilities(logits, temperature), labels)
    return Reliability(
        temperature=float(temperature),
        edges=edges,
        counts=counts,
        accuracy=accuracy,
        confidence=confidence,
        error=float(counts[met] @ apart) / len(labels),
        worst=float(apart.max()),
        likelihood=float(losses.mean()),
        right=float(right.mean()),
        sure=float(sure.mean()),
        images=len(labels),
    )


@patient
def likelihood(
    logits: Float[np.ndarray, "n k"],
    labels: Int[np.ndarray, " n"],
    beta: Float[np.ndarray, " m"],
) -> Generator[Any, None, Likelihood]:
    """Follow NLL along β = 1 / T.

    Args:
        logits: of each image.
        labels: the true classes.
        beta: from 0 on, finite.

    Raises: ValueError when there is no image, a logit is not finite, a label is no class, or a β
        is below 0.
    """
    _require(logits, labels)
    if not ((beta >= 0) & np.isfinite(beta)).all():
        raise ValueError("beta must be from 0 on and finite")
    found = []
    for each in beta.tolist():
        found.append(_at(logits.astype(np.float64), labels, each))
        yield
    values, slope, curvature = np.array(found).reshape(-1, 3).T
    return Likelihood(beta=beta, values=values, slope=slope, curvature=curvature)


def fit(logits: Float[np.ndarray, "n k"], labels: Int[np.ndarray, " n"]) -> Fitted:
    """Find the temperature with the smallest NLL, by Newton's method on β = 1 / T.

    The curve is convex, so its slope crosses 0 once. Two β enclose that place, and a step that
    would leave what they enclose is a bisection instead.

    Args:
        logits: of each image, best of validation images.
        labels: the true classes.

    Raises: ValueError when there is no image, a logit is not finite, or a label is no class.

    Source: Guo et al. 2017, arXiv:1706.04599, section 4.2; they take a quasi-Newton method on T.
    """
    _require(logits, labels)
    z = logits.astype(np.float64)
    z = z - z.max(1, keepdims=True)
    if not z.any():  # any is as good
        return Fitted(temperature=1.0, beta=1.0, value=math.log(z.shape[1]), path=())
    if (_own(z, labels) == 0).all():  # the surer the better
        even = probabilities(z, 0.0)
        value = float(-np.log(_own(even, labels)).mean())
        return Fitted(temperature=0.0, beta=math.inf, value=value, path=())
    value, slope, curvature = _at(z, labels, 0.0)
    if slope >= 0:  # on average the true class has no larger logit than the others
        return Fitted(temperature=math.inf, beta=0.0, value=value, path=())
    low, high = 0.0, 1.0
    while _at(z, labels, high)[1] < 0:
        low, high = high, 2 * high
    beta, bisected, path = min(max(1.0, low), high), False, list[Newton]()
    for _ in range(MOST):
        value, slope, curvature = _at(z, labels, beta)
        path.append(Newton(beta, value, slope, bisected))
        if slope < 0:
            low = beta
        else:
            high = beta
        step = beta - slope / curvature if curvature > 0 else math.nan
        bisected = not low <= step <= high
        following = (low + high) / 2 if bisected else step
        if abs(following - beta) <= CLOSE * beta:
            break
        beta = following
    return Fitted(temperature=1 / beta, beta=beta, value=value, path=tuple(path))


def _at(
    z: Float[np.ndarray, "n k"], labels: Int[np.ndarray, " n"], beta: float
) -> tuple[float, float, float]:
    """Give NLL at a β, its slope and its curvature."""
    z = z - z.max(1, keepdims=True)
    powers = np.exp(beta * z)
    totals = powers.sum(1)
    chances = powers / totals[:, None]
    means = (chances * z).sum(1)
    own = _own(z, labels)
    spread = (chances * (z - means[:, None]) ** 2).sum(1)
    value = float((np.log(totals) - beta * own).mean())
    return value, float((means - own).mean()), float(spread.mean())


def _own(
    values: Float[np.ndarray, "n k"], labels: Int[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """Give each row's value of its true class."""
    found: Float[np.ndarray, " n"] = values[np.arange(len(labels)), labels]
    return found


def _require(logits: Float[np.ndarray, "n k"], labels: Int[np.ndarray, " n"]) -> None:
    require_images(labels)
    if not np.isfinite(logits).all():
        raise ValueError("logits must be finite, got others")
    if not ((labels >= 0) & (labels < logits.shape[1])).all():
        raise ValueError(f"labels must be from 0 to {logits.shape[1] - 1}, got others")
