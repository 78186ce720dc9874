"""Train a CNN live: what a page may ask for and what it is given.

The work itself is in `core.train_cnn.learning`; this module needs no torch, so that the server
that draws the page needs none either.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from core.shared.recipes import Recipe

__all__ = ["TRAIN", "Reading", "State", "images_a_second"]

TRAIN = "core.train_cnn.learning:train"
CHANGE_RATE = "core.train_cnn.learning:change_rate"
READ = "core.train_cnn.learning:read"
SHOW = "core.train_cnn.learning:show"
TEST = "core.train_cnn.learning:test"
UNTRAINED = "core.train_cnn.learning:untrained"
TABLE = "core.train_cnn.learning:table"
TRAINING_IMAGES, VALIDATION_IMAGES, TEST_IMAGES = 50_000, 10_000, 10_000


@dataclass(frozen=True, slots=True)
class Reading:
    """A drawn digit, as the network sees it and reads it."""

    seen: Float[np.ndarray, "28 28"] | None  # 0 is paper, 1 is ink; None: nothing is drawn
    probabilities: Float[np.ndarray, " 10"] | None  # of the digits 0 to 9


@dataclass(frozen=True, slots=True)
class State:
    """A network in training, frozen after a step."""

    step: int  # steps done
    steps: int  # steps in all
    epoch: float  # passes over the training images, done
    learning_rate: float  # of the next step, with the schedule
    curves: Float[np.ndarray, "n 6"]  # a row for each core.shared.training.Point, NaN for None
    changes: tuple[tuple[int, float], ...]  # the learning rate from a step on
    confusion: Int[np.ndarray, "10 10"]  # row: the true digit, column: the one that was read
    confusion_images: int  # validation images that the confusion matrix and the last point count
    kernels: Float[np.ndarray, "6 5 5"]  # of C1
    watched: Float[np.ndarray, "28 28"]  # the digit whose maps these are
    label: int  # what that digit is
    maps: dict[str, Float[np.ndarray, "c h w"]]  # of C1, S2, C3, S4 for the watched digit
    watched_probabilities: Float[np.ndarray, " 10"]
    drawn: Reading | None  # the visitor's digit as it is read now
    tested: tuple[int, float] | None  # the step at which the test images were read; accuracy


def images_a_second(recipe: Recipe, pace: float) -> float:
    """Turn a run's progress a second into training images a second."""
    return pace * recipe.epochs * TRAINING_IMAGES
