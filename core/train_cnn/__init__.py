"""Train a CNN live: what a page may ask for and what it is given.

The work itself is in `core.train_cnn.learning` and `replaying`; this module needs no torch, so that
the server that draws the page needs none either.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8

from core.shared import datasets, runs
from core.shared.arithmetic import MOST_AN_IMAGE, arithmetic
from core.shared.recipes import Recipe

__all__ = [
    "CHANGE",
    "CURVES",
    "EXPORT",
    "FILM",
    "FROM_THE_START",
    "KEEP",
    "PREPARE",
    "READ",
    "REPLAY",
    "SHOW",
    "SORT",
    "TEST",
    "TRAIN",
    "UNTRAINED",
    "Activity",
    "Curves",
    "Faults",
    "Reading",
    "State",
    "Verdict",
    "images_a_second",
    "known",
    "planned",
    "require_room",
    "snapshots_kept",
    "training_images",
]

TRAIN = "core.train_cnn.learning:train"  # long work: submit it with a Recipe
CHANGE = "core.train_cnn.learning:change"  # the next six are asked of a run
KEEP = "core.train_cnn.learning:keep"
READ = "core.train_cnn.learning:read"
SHOW = "core.train_cnn.learning:show"
SORT = "core.train_cnn.learning:sort"
TEST = "core.train_cnn.learning:test"
UNTRAINED = "core.train_cnn.learning:untrained"  # a call
CURVES = "core.train_cnn.replaying:curves"  # these are calls on what a run has kept
EXPORT = "core.train_cnn.replaying:export"
FILM = "core.train_cnn.replaying:film"
PREPARE = "core.train_cnn.replaying:prepare"
REPLAY = "core.train_cnn.replaying:replay"


FROM_THE_START = (
    "seed",
    "initialisation",
    "loss",
    "network",
    "images",
)  # fields that no branch can have otherwise
MOST_PRODUCTS = 10**10  # multiply-adds of a step, forward: seconds on a slow CPU
MOST_VALUES = 10**8  # outputs of a step's layers: 400 MB, and as much again on the way back


@dataclass(frozen=True, slots=True)
class Reading:
    """An image as the network sees it and reads it."""

    seen: Float[np.ndarray, "c h w"]  # pixels from 0 to 1; in a digit 0 is paper, 1 is ink
    probabilities: Float[np.ndarray, " k"]  # of the classes


@dataclass(frozen=True, slots=True)
class Curves:
    """How a run went; each row has a value for each point."""

    epoch: Float[np.ndarray, " n"]
    training_loss: Float[np.ndarray, " n"]  # NaN where there is none; see training.Point
    training_accuracy: Float[np.ndarray, " n"]
    validation_loss: Float[np.ndarray, " n"]
    validation_accuracy: Float[np.ndarray, " n"]
    robust_accuracy: Float[np.ndarray, " n"]  # within the recipe's ε; NaN where it was not told
    changes: tuple[tuple[float, str, float], ...]  # the epoch, what was changed, its value


@dataclass(frozen=True, slots=True)
class Faults:
    """Some validation images that the network read, with what it made of them."""

    cell: tuple[int, int] | None  # all are truly the first class, read as the second
    count: int  # how many there are in all; of these the ones with the lowest p(true) are here
    index: Int[np.ndarray, " m"]  # among the validation images
    images: UInt8[np.ndarray, "m c h w"]
    true: Int[np.ndarray, " m"]
    read: Int[np.ndarray, " m"]
    p_true: Float[np.ndarray, " m"]  # probability of the true class
    p_read: Float[np.ndarray, " m"]  # and of the one that was read


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the network read some of the validation images."""

    step: int  # whose weights did
    loss: float
    accuracy: float
    images: int  # the first so many


@dataclass(frozen=True, slots=True)
class Activity:
    """The outputs of one layer for the first validation images."""

    layer: str
    counts: Int[np.ndarray, " b"]  # values in each of b equal bins
    low: float  # the lowest value, where the bins begin
    high: float  # the highest, where they end
    images: int  # that they were counted for
    squashing: str  # "relu" and the like, "sigmoid", "tanh" or ""
    idle: float | None  # share of maps or units that are 0 for all these images (ReLU),
    # or of values within a twentieth of an end of the range (sigmoid, tanh); else None


@dataclass(frozen=True, slots=True)
class State:
    """A network in training, frozen after a step."""

    step: int  # steps done
    steps: int  # steps in all
    epoch: float  # passes over the training images, done
    epochs: int  # in all
    learning_rate: float  # of the next step, with the schedule
    curves: Curves
    batch_loss: float | None  # of the last step's batch before that step
    changes: tuple[tuple[int, str, float], ...]  # the step, what was changed, and its value
    began: Recipe  # that the first step was taken by; where it is not the run's, it is a branch
    branched: dict[str, int]  # fields that cannot be moved live and changed all the same, by step
    classes: tuple[str, ...]
    validation: Verdict
    confusion: Int[np.ndarray, "k k"]  # of that; row: the true class, column: the one that was read
    faults: Faults
    kernels: Float[np.ndarray, "kernels c kh kw"]  # of the first layer with weights, at most 16
    kernels_of: str  # that layer
    kernels_in_all: int
    index: int  # of the watched image among the validation images
    label: int  # its class
    watched: Reading
    slope: Float[np.ndarray, "c h w"] | None  # ∂L/∂x of that image, where the recipe has an ε
    maps: dict[str, Float[np.ndarray, "_ _ _"]]  # of at most five layers, for the watched image
    maps_in_all: dict[str, int]  # of these layers; at most sixteen of each are here
    activity: tuple[Activity, ...]
    flow_step: int  # the step that the next three are of, counted from 1; 0: none yet
    flow_layers: tuple[str, ...]
    gradient: Float[np.ndarray, " l"]  # ‖∂L/∂w‖₂ of each layer; NaN before the first step
    update: Float[np.ndarray, " l"]  # ‖Δw‖₂ / ‖w‖₂
    kept: tuple[int, ...]  # steps whose weights are kept, for the time machine
    stopped_early: (
        int | None
    )  # the step whose weights these are, when the run ended with older ones
    drawn: Reading | None  # the visitor's drawing as it is read now; None: nothing is drawn
    tested: tuple[int, float] | None  # the step at which the test images were read; accuracy


def planned(state: State, recipe: Recipe) -> State:
    """Give the state of an untrained network the plan of the run that may begin with it."""
    steps = recipe.epochs * recipe.steps_an_epoch(training_images(recipe))
    rate = recipe.learning_rate * recipe.share(0, steps)
    return replace(state, steps=steps, epochs=recipe.epochs, learning_rate=rate)


def known(**config: Any) -> Recipe:
    """Read a run's config.

    Raises: ValueError or TypeError when it is of another version, or its data are not here.
    """
    recipe = Recipe(**config)
    datasets.about(recipe.data)
    return recipe


def snapshots_kept(recipe: Recipe) -> int:
    """Count the steps that a run keeps for the time machine, if nothing is changed in it.

    Raises: ValueError when the network cannot be built, or its data are not here.
    """
    about = datasets.about(recipe.data)
    layers = arithmetic(recipe.network, about.shape, len(about.classes))
    most = runs.most_snapshots(sum(layer.parameters for layer in layers))
    steps = recipe.epochs * recipe.steps_an_epoch(training_images(recipe))
    return len(runs.log_spaced(steps, most))


def training_images(recipe: Recipe) -> int:
    """Count the images that a run learns from.

    Raises: ValueError when its data are not here.
    """
    return recipe.images or datasets.about(recipe.data).training


def require_room(recipe: Recipe) -> None:
    """Refuse what cannot be built, and a step that would keep the device from all others.

    Raises: ValueError that names the row, the batch size or the marked class, the rule and the
        value.
    """
    about = datasets.about(recipe.data)
    classes = len(about.classes)
    if recipe.marked is not None and recipe.marked >= classes:
        raise ValueError(
            f"marked must be one of the {classes} classes of these data, from 0 to {classes - 1}, "
            f"got {recipe.marked}"
        )
    layers = arithmetic(recipe.network, about.shape, classes)
    images = training_images(recipe)
    size = min(recipe.batch_size, images)
    if "-batch" in recipe.network and 1 in (size, images % size):
        raise ValueError(
            "batch_size must leave no batch of one image, whose variance batch normalisation would "
            f"divide by, got {recipe.batch_size} for {images:,} images"
        )
    products = sum(layer.multiply_adds for layer in layers)
    values = sum(math.prod(layer.shape) for layer in layers)
    if values > MOST_AN_IMAGE:
        raise ValueError(
            f"a network must put out at most {MOST_AN_IMAGE:,} values an image, got {values:,}"
        )
    most = min(MOST_PRODUCTS // max(1, products), MOST_VALUES // values)
    if size > most:
        raise ValueError(
            f"batch_size must be at most {most:,} for this network, which takes {products:,} "
            f"multiply-adds an image and puts out {values:,} values, got {size:,}"
        )


def images_a_second(state: State, recipe: Recipe, pace: float) -> float:
    """Turn a run's progress a second into training images a second."""
    return pace * state.epochs * training_images(recipe)
