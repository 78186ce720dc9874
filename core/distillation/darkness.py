"""What a teacher knows beyond the answer: the probabilities of the wrong classes.

This module needs no torch.

Source: Hinton, Vinyals, Dean 2015, arXiv:1503.02531, section 1.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from core.distillation.comparing import divergences, require_images
from core.distillation.softening import probabilities

__all__ = [
    "Cell",
    "Darkness",
    "Faces",
    "darken",
    "face",
    "most",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Darkness:
    """The mean of a teacher's probabilities, by true class."""

    temperature: float
    mean: Float[np.ndarray, "k k"]  # row: the true class; NaN without an image of it
    wrong: Float[np.ndarray, "k k"]  # likewise, its diagonal NaN
    counts: Int[np.ndarray, " k"]  # images of each class
    entropy: float  # mean of the probabilities' entropy, in nats
    largest: float  # mean of the largest probability
    likeliest: tuple[int, int]  # the cell of the largest wrong probability: true class, other


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """The images of one class to which a teacher gives most of another."""

    true: int
    other: int
    mean: float  # of the other class's probability
    indices: Int[np.ndarray, " m"]  # of the images, the largest first
    chances: Float[np.ndarray, "m k"]  # the teacher's probabilities of each
    share: Float[np.ndarray, " m"]  # of the sum over the class's images that each image has


@dataclass(frozen=True, slots=True, kw_only=True)
class Faces:
    """What a teacher, a student and the label say about one image."""

    teacher: Float[np.ndarray, " k"]  # p_T
    student: Float[np.ndarray, " k"] | None  # q_T
    hard: Float[np.ndarray, " k"]  # one-hot
    divergence: float  # KL(p_T ‖ q_T) in nats; NaN without a student


def darken(
    logits: Float[np.ndarray, "n k"], labels: Int[np.ndarray, " n"], temperature: float
) -> Darkness:
    """Average a teacher's probabilities over the images of each class.

    Args:
        logits: the teacher's.
        labels: the true classes.
        temperature: from 0 to infinity.

    Raises: ValueError when there is no image, or the temperature is below 0.
    """
    require_images(labels)
    chances = probabilities(logits, temperature)
    classes = logits.shape[1]
    counts = np.bincount(labels, minlength=classes)
    sums = np.zeros((classes, classes))
    np.add.at(sums, labels, chances)
    mean = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], np.nan)
    wrong = np.where(np.eye(classes, dtype=bool), np.nan, mean)
    place = int(np.nanargmax(np.where(np.isnan(wrong), -1.0, wrong)))
    return Darkness(
        temperature=float(temperature),
        mean=mean,
        wrong=wrong,
        counts=counts,
        entropy=float(_entropies(chances).mean()),
        largest=float(chances.max(1).mean()),
        likeliest=divmod(place, classes),
    )


def most(
    logits: Float[np.ndarray, "n k"],
    labels: Int[np.ndarray, " n"],
    temperature: float,
    true: int,
    other: int,
    count: int = 12,
) -> Cell:
    """Find the images of a class to which a teacher gives most of another class.

    Args:
        logits, labels, temperature: as `darken` takes them.
        true: the class of the images.
        other: the class that they look like.
        count: images at most.

    Raises: ValueError when there is no such class, or no image of it.
    """
    require_images(labels)
    classes = logits.shape[1]
    for name, value in (("true", true), ("other", other)):
        if not 0 <= value < classes:
            raise ValueError(f"{name} must be from 0 to {classes - 1}, got {value!r}")
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count!r}")
    places = np.flatnonzero(labels == true)
    if not len(places):
        raise ValueError(f"true must be a class of which there are images, got {true}")
    chances = probabilities(logits[places], temperature)
    # By the logarithm: at a low T many probabilities are 0.
    own = logits[places].astype(np.float64)
    margin = own[:, other] - own.max(1)
    order = np.lexsort((-margin, -chances[:, other]))[:count]
    whole = chances[:, other].sum()
    return Cell(
        true=true,
        other=other,
        mean=float(whole / len(places)),
        indices=places[order],
        chances=chances[order],
        share=chances[order, other] / whole if whole > 0 else np.zeros(len(order)),
    )


def face(
    teacher: Float[np.ndarray, " k"],
    student: Float[np.ndarray, " k"] | None,
    label: int,
    temperature: float,
) -> Faces:
    """Set what a teacher, a student and the label say about one image side by side.

    Args:
        teacher: its logits.
        student: its logits; None for none.
        label: the true class.
        temperature: of both, from 0 to infinity.

    Raises: ValueError when a value is outside its range.
    """
    if not 0 <= label < len(teacher):
        raise ValueError(f"label must be from 0 to {len(teacher) - 1}, got {label!r}")
    if student is not None:
        divergence = float(divergences(teacher[None], student[None], temperature)[0])
    return Faces(
        teacher=probabilities(teacher, temperature),
        student=None if student is None else probabilities(student, temperature),
        hard=np.eye(len(teacher))[label],
        divergence=np.nan if student is None else divergence,
    )


def _entropies(chances: Float[np.ndarray, "n k"]) -> Float[np.ndarray, " n"]:
    """Give −Σ p ln p of each row, in nats."""
    logs = np.log(np.where(chances > 0, chances, 1.0))
    found: Float[np.ndarray, " n"] = -(chances * logs).sum(1)
    return found
