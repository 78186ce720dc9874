"""The softmax of two classes is a sigmoid: of the logit by which one is above the other.

    softmax((z, 0) / T) = (σ(z / T), σ(−z / T)),   σ(x) = 1 / (1 + exp(−x))

This module needs no torch.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from core.distillation.softening import as_logits, probabilities

__all__ = ["Two", "sigmoid", "two"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Two:
    """The softmax of two classes, which is a sigmoid."""

    softmax: float  # of the first class, by the softmax of (z, 0)
    sigmoid: float  # 1 / (1 + exp(−z / T))
    gradient: float  # of cross-entropy at T = 1 by z: σ(z) − y
    soft_gradient: float  # of KL(σ(v / T) ‖ σ(z / T)) by z: (σ(z / T) − σ(v / T)) / T


def two(logit: float, temperature: float, teacher: float = 0.0, label: int = 1) -> Two:
    """Compute the softmax of the logits (z, 0), and the sigmoid of z / T, which are the same.

    Args:
        logit: z, by which the first of two classes is above the second.
        temperature: above 0.
        teacher: v, likewise of a teacher.
        label: y, 1 for the first class, 0 for the second.

    Raises: ValueError when a value is outside its range.
    """
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature must be above 0 and finite, got {temperature!r}")
    if label not in (0, 1):
        raise ValueError(f"label must be 0 or 1, got {label!r}")
    student, guide = as_logits((logit, 0.0)), as_logits((teacher, 0.0))
    warm, plain = sigmoid(np.array([logit / temperature, logit])).tolist()
    return Two(
        softmax=float(probabilities(student, temperature)[0]),
        sigmoid=warm,
        gradient=plain - label,
        soft_gradient=float(
            probabilities(student, temperature)[0] - probabilities(guide, temperature)[0]
        )
        / temperature,
    )


def sigmoid(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Give 1 / (1 + exp(−x)) of each value, without overflow."""
    powers = np.exp(-np.abs(values))
    found: Float[np.ndarray, " n"] = np.where(values >= 0, 1.0, powers) / (1 + powers)
    return found
