"""What a page is told of a network at a temperature; needs no torch."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from core.distillation.calibrating import Fitted, Likelihood, Reliability
from core.distillation.darkness import Cell, Faces

__all__ = ["Calibration", "Faced", "Pictured", "Shown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictured:
    """A test image as a network reads it."""

    index: int
    count: int  # test images
    pixels: Float[np.ndarray, "c h w"]  # from 0 to 1
    label: int
    logits: Float[np.ndarray, " k"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A cell of a teacher's dark knowledge, and its images."""

    cell: Cell
    pixels: Float[np.ndarray, "m c h w"]  # from 0 to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Faced:
    """What a teacher, a student and the label say about a test image."""

    index: int
    pixels: Float[np.ndarray, "c h w"]  # from 0 to 1
    label: int
    faces: Faces
    teacher: Float[np.ndarray, " k"]  # logits
    student: Float[np.ndarray, " k"] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What temperatures do: one is fitted on validation images, all are told of test images."""

    fitted: Fitted  # on validation
    before: Reliability  # on test, at T = 1
    after: Reliability  # on test, at the fitted T
    present: Reliability  # on test, at the T that was asked for
    validation: Likelihood  # NLL against β = 1 / T, of which the fitted one is the lowest point
    test: Likelihood
