"""Train a CNN live: what a page may ask for and what it is given.

The work itself is in `core.train_cnn.learning`; this module needs no torch, so that the server
that draws the page needs none either.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from core.shared.recipes import Recipe

__all__ = [
    "CHANGE_RATE",
    "READ",
    "SHOW",
    "TABLE",
    "TEST",
    "TRAIN",
    "UNTRAINED",
    "Reading",
    "State",
    "images_a_second",
    "planned",
]

TRAIN = "core.train_cnn.learning:train"  # long work: submit it with a Recipe
CHANGE_RATE = "core.train_cnn.learning:change_rate"  # the next four are asked of a run
READ = "core.train_cnn.learning:read"
SHOW = "core.train_cnn.learning:show"
TEST = "core.train_cnn.learning:test"
UNTRAINED = "core.train_cnn.learning:untrained"  # these two are calls
TABLE = "core.train_cnn.learning:table"
TRAINING_IMAGES, VALIDATION_IMAGES, TEST_IMAGES = 50_000, 10_000, 10_000
SQUASHED = 1.7159  # the largest value of a unit: maps are drawn on the scale ±this


@dataclass(frozen=True, slots=True)
class Reading:
    """A digit as the network sees it and reads it."""

    seen: Float[np.ndarray, "28 28"]  # 0 is paper, 1 is ink
    probabilities: Float[np.ndarray, " 10"]  # of the digits 0 to 9


@dataclass(frozen=True, slots=True)
class State:
    """A network in training, frozen after a step."""

    step: int  # steps done
    steps: int  # steps in all
    epoch: float  # passes over the training images, done
    epochs: int  # in all
    learning_rate: float  # of the next step, with the schedule
    epoch_of: Float[np.ndarray, " n"]  # of each point of the curves
    training_loss: Float[np.ndarray, " n"]  # nats, NaN where there is none; see training.Point
    training_accuracy: Float[np.ndarray, " n"]
    validation_loss: Float[np.ndarray, " n"]
    validation_accuracy: Float[np.ndarray, " n"]
    batch_loss: float | None  # nats, of the last step's batch before that step
    changes: tuple[tuple[int, float], ...]  # the step, and the learning rate η from there on
    confusion: Int[np.ndarray, "10 10"]  # row: the true digit, column: the one that was read
    confusion_images: int  # validation images that the confusion matrix and the last point count
    kernels: Float[np.ndarray, "6 5 5"]  # of C1
    index: int  # of the watched digit among the validation images
    label: int  # what that digit is
    watched: Reading
    maps: dict[str, Float[np.ndarray, "c h w"]]  # of C1, S2, C3, S4 for the watched digit
    drawn: Reading | None  # the visitor's digit as it is read now; None: nothing is drawn
    tested: tuple[int, float] | None  # the step at which the test images were read; accuracy


def planned(state: State, recipe: Recipe) -> State:
    """Give the state of an untrained network the plan of the run that may begin with it."""
    steps = recipe.epochs * recipe.steps_an_epoch(TRAINING_IMAGES)
    rate = recipe.learning_rate * recipe.share(0, steps)
    return replace(state, steps=steps, epochs=recipe.epochs, learning_rate=rate)


def images_a_second(state: State, pace: float) -> float:
    """Turn a run's progress a second into training images a second."""
    return pace * state.epochs * TRAINING_IMAGES
