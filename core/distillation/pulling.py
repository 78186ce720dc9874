"""Where a loss pulls the logits of a student: its gradient, class by class.

    ∂/∂z CE(y, q₁) = q₁ − y        ∂/∂z KL(p_T ‖ q_T) = (q_T − p_T) / T → (z − v) / (k T²)

A step of descent goes against it. This module needs no torch.

Source: Hinton, Vinyals, Dean 2015, arXiv:1503.02531, equations 2 to 4.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from core.distillation.softening import Logits, as_logits, probabilities, require_temperature

__all__ = ["Pull", "cosine", "pull", "soft_gradient"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """The gradients by a student's logits z, beside a teacher's v; all in nats a logit."""

    temperature: float
    student: Float[np.ndarray, " k"]  # q_T
    teacher: Float[np.ndarray, " k"]  # p_T
    likely: Float[np.ndarray, " k"]  # q₁, what cross-entropy sees
    label: Float[np.ndarray, " k"]  # y, one-hot
    hard: Float[np.ndarray, " k"]  # of cross-entropy: q₁ − y
    soft: Float[np.ndarray, " k"]  # of KL(p_T ‖ q_T): (q_T − p_T) / T; NaN at T = 0
    squared: Float[np.ndarray, " k"]  # T² times that: T (q_T − p_T); at T = ∞ its limit
    limit: Float[np.ndarray, " k"]  # what `soft` tends to: (z − v) / (k T²), both of mean 0
    cosine: float  # between `soft` and z − v, both of mean 0; NaN where one is 0
    total: Float[np.ndarray, " k"]  # α hard + (1 − α) squared


def pull(
    student: Logits, teacher: Logits, label: int, temperature: float, alpha: float = 0.5
) -> Pull:
    """Compute where the hard label and the teacher pull each logit.

    Args:
        student: logits z.
        teacher: logits v, of the same classes.
        label: the true class.
        temperature: T of the soft loss, from 0 to infinity.
        alpha: weight of the hard label.

    Raises: ValueError when the two are of different classes, or a value is outside its range.
    """
    z, v = as_logits(student), as_logits(teacher)
    require_temperature(temperature)
    if z.shape != v.shape:
        raise ValueError(f"teacher must have as many logits as student, {len(z)}, got {len(v)}")
    if not 0 <= label < len(z):
        raise ValueError(f"label must be from 0 to {len(z) - 1}, got {label!r}")
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must be from 0 to 1, got {alpha!r}")
    likely, truth = probabilities(z, 1.0), np.eye(len(z))[label]
    apart = (z - z.mean()) - (v - v.mean())
    hard, squared = likely - truth, _squared(z, v, temperature)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        limit = apart / len(z) / temperature / temperature + 0.0  # none is −0
    soft = soft_gradient(z, v, temperature)
    return Pull(
        temperature=float(temperature),
        student=probabilities(z, temperature),
        teacher=probabilities(v, temperature),
        likely=likely,
        label=truth,
        hard=hard,
        soft=soft,
        squared=squared,
        limit=limit,
        cosine=float(cosine(squared, apart)),
        total=alpha * hard + (1 - alpha) * squared,
    )


def soft_gradient(
    student: Float[np.ndarray, "*n k"], teacher: Float[np.ndarray, "*n k"], temperature: float
) -> Float[np.ndarray, "*n k"]:
    """Give ∂/∂z KL(p_T ‖ q_T) = (q_T − p_T) / T of many logits; NaN at T = 0, 0 at T = ∞.

    Where T is so small that it has no finite value it is infinite.
    """
    if math.isinf(temperature):
        return np.zeros(student.shape)
    if temperature == 0:
        return np.full(student.shape, np.nan)
    with np.errstate(over="ignore"):
        gradient: Float[np.ndarray, "*n k"] = (
            _difference(student, teacher, temperature) / temperature
        )
    return gradient


def cosine(
    one: Float[np.ndarray, "*n k"], other: Float[np.ndarray, "*n k"]
) -> Float[np.ndarray, "*n"] | np.float64:
    """Give the cosine of the angle between vectors; NaN where one is 0 or not a number."""
    norms = np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Float[np.ndarray, "*n"] = (one * other).sum(-1) / norms
    return found


def _squared(
    z: Float[np.ndarray, " k"], v: Float[np.ndarray, " k"], temperature: float
) -> Float[np.ndarray, " k"]:
    """Give T (q_T − p_T); at T = ∞ its limit."""
    if math.isinf(temperature):
        limit: Float[np.ndarray, " k"] = ((z - z.mean()) - (v - v.mean())) / len(z)
        return limit
    return temperature * _difference(z, v, temperature)


def _difference(
    z: Float[np.ndarray, "*n k"], v: Float[np.ndarray, "*n k"], temperature: float
) -> Float[np.ndarray, "*n k"]:
    """Give q_T − p_T, also where T is so high that nearly nothing is left of it."""
    q, p = (probabilities(each, temperature) for each in (z, v))
    difference: Float[np.ndarray, "*n k"] = q - p
    apart = z - v
    if temperature == 0 or np.abs(apart).max() > temperature:
        return difference
    # q / p = exp((z − v) / T) / Σ p exp((z − v) / T): two numbers that are nearly the same are not
    # subtracted.
    ratio = apart / temperature
    whole = np.log1p((p * np.expm1(ratio)).sum(-1, keepdims=True))
    ours: Float[np.ndarray, "*n k"] = p * np.expm1(ratio - whole)
    return ours
