"""How alike two networks read the same images, and what pulls one towards the other.

This module needs no torch.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from core.distillation.pulling import cosine, soft_gradient
from core.distillation.softening import log_probabilities, probabilities, require_temperature
from core.shared.turns import patient

__all__ = ["Compared", "Matching", "compare", "divergences", "match", "require_images"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """How alike two networks read the same images."""

    images: int
    agreement: float  # share that both read as the same class
    divergence: float  # mean KL(p_T ‖ q_T) in nats
    plain: float  # likewise at T = 1
    teacher_errors: int
    student_errors: int
    shared_errors: int  # images that both read as the same wrong class


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """How the gradient of the soft loss becomes that of matching logits as T grows."""

    temperatures: Float[np.ndarray, " t"]
    cosine: Float[np.ndarray, " t"]  # between (q_T − p_T) / T and z − v of mean 0; mean over images
    low: Float[np.ndarray, " t"]  # nine in ten images are between this, the 0.05 quantile,
    high: Float[np.ndarray, " t"]  # and this, the 0.95 quantile
    plain: Float[np.ndarray, " t"]  # ‖(q_T − p_T) / T‖₂, mean over images: falls as 1 / T²
    squared: Float[np.ndarray, " t"]  # T² times that: stays
    hard: float  # ‖q₁ − y‖₂, mean over images
    images: int  # where z is not v


def compare(
    teacher: Float[np.ndarray, "n k"],
    student: Float[np.ndarray, "n k"],
    labels: Int[np.ndarray, " n"],
    temperature: float = 1.0,
) -> Compared:
    """Tell how alike two networks read the same images.

    Args:
        teacher, student: their logits.
        labels: the true classes.
        temperature: from 0 to infinity.

    Raises: ValueError when there is no image, or the temperature is below 0.
    """
    require_images(labels)
    read, other = teacher.argmax(1), student.argmax(1)
    return Compared(
        images=len(labels),
        agreement=float((read == other).mean()),
        divergence=float(divergences(teacher, student, temperature).mean()),
        plain=float(divergences(teacher, student, 1.0).mean()),
        teacher_errors=int((read != labels).sum()),
        student_errors=int((other != labels).sum()),
        shared_errors=int(((read == other) & (read != labels)).sum()),
    )


@patient
def match(
    teacher: Float[np.ndarray, "n k"],
    student: Float[np.ndarray, "n k"],
    labels: Int[np.ndarray, " n"],
    temperatures: Float[np.ndarray, " t"],
) -> Generator[Any, None, Matching]:
    """Tell how near the soft loss's gradient is to that of matching logits, and how large.

    Args:
        teacher, student: logits v and z; where they are the same an image does not count.
        labels: the true classes.
        temperatures: above 0, finite.

    Raises: ValueError when no image is left, or a temperature is outside its range.

    Source: Hinton, Vinyals, Dean 2015, arXiv:1503.02531, equations 2 to 4.
    """
    require_images(labels)
    if not ((temperatures > 0) & np.isfinite(temperatures)).all():
        raise ValueError("temperatures must be above 0 and finite")
    v, z = (each.astype(np.float64) for each in (teacher, student))
    apart = z - v
    apart = apart - apart.mean(1, keepdims=True)
    differ = np.linalg.norm(apart, axis=1) > 0
    if not differ.any():
        raise ValueError("student must differ from teacher on some image, got the same logits")
    v, z, apart = v[differ], z[differ], apart[differ]
    cosines, plain = [], []
    for each in temperatures.tolist():
        gradient = soft_gradient(z, v, each)
        cosines.append(cosine(gradient, apart))
        plain.append(np.linalg.norm(gradient, axis=1).mean())
        yield
    angles, norms = np.array(cosines).reshape(-1, len(v)), np.array(plain)
    hard = probabilities(student, 1.0) - np.eye(student.shape[1])[labels]
    return Matching(
        temperatures=temperatures,
        cosine=np.nanmean(angles, axis=1),
        low=np.nanquantile(angles, 0.05, axis=1),
        high=np.nanquantile(angles, 0.95, axis=1),
        plain=norms,
        squared=norms * temperatures**2,
        hard=float(np.linalg.norm(hard, axis=1).mean()),
        images=len(v),
    )


def divergences(
    teacher: Float[np.ndarray, "n k"], student: Float[np.ndarray, "n k"], temperature: float
) -> Float[np.ndarray, " n"]:
    """Give KL(p_T ‖ q_T) of each image in nats; infinite where the student rules out what is.

    Args:
        teacher, student: their logits.
        temperature: from 0 to infinity.

    Raises: ValueError when the temperature is below 0.
    """
    require_temperature(temperature)
    logs, others = (log_probabilities(each, temperature) for each in (teacher, student))
    chances = np.exp(logs)
    met = chances > 0
    apart = np.where(met, logs, 0.0) - np.where(met, others, 0.0)
    found: Float[np.ndarray, " n"] = np.where(met, chances * apart, 0.0).sum(1)
    above: Float[np.ndarray, " n"] = np.maximum(found, 0.0)  # what is below 0 is rounding
    return above


def require_images(labels: Int[np.ndarray, " n"]) -> None:
    """Refuse to tell anything of no image.

    Raises: ValueError when there is none.
    """
    if not len(labels):
        raise ValueError("labels must be of at least one image, got none")
