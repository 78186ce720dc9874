"""Softmax temperature and distillation: what a page may ask for and what it is given.

The work itself is in the modules beside this one; this one needs no torch.

The loss of a student, in nats, for one image:

    α · CE(y, q₁) + (1 − α) · T² · KL(p_T ‖ q_T),   p_T = softmax(z_teacher / T), q_T likewise

Source: Hinton, Vinyals, Dean 2015, arXiv:1503.02531, section 2; who says α elsewhere may mean the
weight of the other term.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from core.shared.models import Source

__all__ = [
    "ARMS",
    "DISTIL",
    "EXPORT",
    "FACED",
    "LABELS_ALONE",
    "LOGITS",
    "REDUCTIONS",
    "UNSEEN",
    "Arm",
    "Distillation",
    "Distilled",
]

DISTIL = "core.distillation.distilling:distil"  # long work: submit it with a Distillation
LOGITS = "core.distillation.distilling:logits"  # asked of a run
EXPORT = "core.distillation.exporting:export"  # likewise
FACED = "core.distillation.facing:faced"  # likewise
UNSEEN = "core.distillation.unseen:unseen"  # likewise

ARMS = {  # students, all with the same seed, order of images, and budget
    "alone": "hard labels alone",
    "distilled": "distilled",
    "smoothed": "hard labels, smoothed",
    "permuted": "distilled, wrong classes permuted",  # within each image, by the seed
}
LABELS_ALONE = ("alone", "smoothed")  # of these, those that no teacher speaks to
REDUCTIONS = ("batchmean", "mean")  # of the soft term; "mean" divides by the classes too: a trap
HOTTEST = 100.0
WHOLE = {
    "images": (10, 50_000),
    "unlabelled": (0, 50_000),
    "batch_size": (1, 1_000),
    "epochs": (1, 100),
    "seed": (0, 2**31 - 1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Distillation:
    """How students learn from a teacher, so that it can be done again.

    teacher: the network; the data that it learned from must be here.
    student: a layer table in its text form, see `core.shared.layers`.
    arms: of ARMS, those that are trained, side by side.
    images: labelled training images, the first of each class in turn.
    unlabelled: further training images, from which the distilled learn by the soft term alone.
    left_out: a class whose training images no student ever sees, so that there are fewer; None for
        none.
    temperature: T of the soft term.
    alpha: weight of the hard labels; the soft term has 1 − alpha. 0 for soft targets alone.
    squared: whether the soft term is multiplied by T².
    reduction: one of REDUCTIONS.
    smoothing: share of the label that the smoothed student's labels spread over all classes.
    learning_rate: η of Adam.
    batch_size: images a step.
    epochs: passes over the images.
    seed: of the weights, the order and the permutation.

    Raises: ValueError when a value is outside its range.
    """

    teacher: Source
    student: str = "fc48-relu"
    arms: tuple[str, ...] = tuple(ARMS)
    images: int = 2_000
    unlabelled: int = 0
    left_out: int | None = None
    temperature: float = 4.0
    alpha: float = 0.1
    squared: bool = True
    reduction: str = "batchmean"
    smoothing: float = 0.1
    learning_rate: float = 0.001
    batch_size: int = 64
    epochs: int = 50
    seed: int = 0

    def __post_init__(self) -> None:
        """Check each value; the student's table is for those to check who know the data."""
        if not 0 < self.temperature <= HOTTEST:
            raise ValueError(
                f"temperature must be above 0 and at most {HOTTEST:g}, got {self.temperature!r}"
            )
        for name, highest in (("alpha", 1.0), ("smoothing", 0.9)):
            value = getattr(self, name)
            if math.isnan(value) or not 0 <= value <= highest:
                raise ValueError(f"{name} must be from 0 to {highest:g}, got {value!r}")
        if not 0 < self.learning_rate <= 1:
            raise ValueError(
                f"learning_rate must be above 0 and at most 1, got {self.learning_rate!r}"
            )
        if not self.arms or len({*self.arms}) < len(self.arms) or not {*self.arms} <= {*ARMS}:
            raise ValueError(f"arms must be some of {tuple(ARMS)}, each once, got {self.arms!r}")
        if self.reduction not in REDUCTIONS:
            raise ValueError(f"reduction must be one of {REDUCTIONS}, got {self.reduction!r}")
        if self.left_out is not None and (type(self.left_out) is not int or self.left_out < 0):
            raise ValueError(
                f"left_out must be the number of a class or None, got {self.left_out!r}"
            )
        for name, (lowest, most) in WHOLE.items():
            whole = getattr(self, name)
            if type(whole) is not int or not lowest <= whole <= most:
                raise ValueError(
                    f"{name} must be a whole number from {lowest} to {most:,}, got {whole!r}"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """How one student is doing; a point is taken before the first step and after each epoch."""

    name: str  # one of ARMS
    epochs: Float[np.ndarray, " n"]
    validation: Float[np.ndarray, " n"]  # share of the validation images that are read wrong
    hard: Float[np.ndarray, " n"]  # ‖∇ of α · CE‖₂ over all weights, mean over some of the epoch's
    # steps; NaN before the first of them, and where there is no such term
    soft: Float[np.ndarray, " n"]  # likewise of (1 − α) · T² · KL
    agreement: Float[np.ndarray, " n"]  # share of the validation images read as the teacher reads
    errors: int | None  # of the test images, in the end
    agreed: float | None  # share of the test images read as the teacher reads, then
    divergence: float | None  # KL(teacher ‖ student) in nats on the test images at T = 1, then


@dataclass(frozen=True, slots=True, kw_only=True)
class Distilled:
    """How a distillation stands."""

    epoch: float
    arms: tuple[Arm, ...]
    teacher_errors: int | None  # of the test images; None until the end
    tested: int  # test images
    watched: int  # validation images that the points are computed on: the first so many
