"""LeNet-5 learns MNIST, and can be looked at, spoken to and tested between two steps."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float

from core.shared import devices, networks
from core.shared.data import mnist
from core.shared.digits import centre_by_mass
from core.shared.layers import Layer
from core.shared.recipes import Recipe
from core.shared.snapshots import Snapshot
from core.shared.training import Training, evaluate
from core.train_cnn import Reading, State

__all__ = ["Lesson", "change_rate", "read", "show", "table", "test", "train", "untrained"]

MAPS = ("C1", "S2", "C3", "S4")
CURVES = ("training_loss", "training_accuracy", "validation_loss", "validation_accuracy")


class Lesson:
    """A training with what the visitor watches in it."""

    def __init__(self, training: Training, watched: int = 0) -> None:
        self.training, self.watched = training, watched
        self.ink: Float[np.ndarray, "h w"] | None = None
        self.tested: tuple[int, float] | None = None

    @property
    def progress(self) -> float:
        """The share of the steps that is done."""
        return self.training.progress

    def snapshot(self) -> Snapshot:
        """Keep all that it takes to go on from here, and at which digit."""
        snapshot = self.training.snapshot()
        return replace(snapshot, record={**snapshot.record, "watched": self.watched})

    def freeze(self) -> State:
        """Look at the training; nothing in it moves by that."""
        training = self.training
        network, validation = training.network, training.dataset.validation
        image = validation.images[self.watched : self.watched + 1]
        with torch.no_grad():
            given = networks.outputs(network, image)
        points = training.points
        curves = [[getattr(point, name) for point in points] for name in CURVES]
        return State(
            step=training.step,
            steps=training.steps,
            epoch=training.step / training.steps_an_epoch,
            epochs=training.recipe.epochs,
            learning_rate=training.rate * training.recipe.share(training.step, training.steps),
            epoch_of=np.array([point.step / training.steps_an_epoch for point in points]),
            **{name: np.array(row, float) for name, row in zip(CURVES, curves, strict=True)},
            batch_loss=None if training.batch_loss is None else float(training.batch_loss),
            changes=tuple(training.changes),
            confusion=training.confusion.numpy(),
            confusion_images=points[-1].validation_images,
            kernels=_array(training.network.get_parameter("C1.0.weight")[:, 0]),
            index=self.watched,
            label=int(validation.labels[self.watched]),
            watched=Reading(_array(image[0, 0]), _array(given["output"][0].softmax(0))),
            maps={name: _array(given[name][0]) for name in MAPS},
            drawn=self.reading(),
            tested=self.tested,
        )

    def reading(self) -> Reading | None:
        """Read the drawn digit with the weights as they are now; None while nothing is drawn."""
        seen = None if self.ink is None else centre_by_mass(self.ink)
        if seen is None:
            return None
        image = torch.from_numpy(seen).to(self.training.dataset.validation.images)[None, None]
        with torch.no_grad():
            return Reading(seen, _array(self.training.network(image)[0].softmax(0)))


def train(recipe: Recipe, snapshot: Snapshot | None = None) -> Iterator[Lesson | Snapshot]:
    """Train LeNet-5 on the 50,000 training digits, yielding before the first step and after each.

    Args:
        recipe: how; with its seed it determines every weight, on one kind of device.
        snapshot: where to go on; None starts anew.

    Returns: the same lesson again and again, and a snapshot at log-spaced steps.
    Raises: FloatingPointError when the loss is no longer finite.
    """
    lesson = _begin(recipe, snapshot)
    for kept in lesson.training.run():
        yield lesson  # first, so that from one lesson to the next is always one step
        if kept is not None:
            yield kept


def change_rate(lesson: Lesson, rate: float) -> None:
    """Go on with another learning rate."""
    lesson.training.change_rate(rate)


def read(lesson: Lesson, ink: Float[np.ndarray, "h w"] | None) -> Reading | None:
    """Read a drawn digit, and again in each state from now on; None takes it away."""
    lesson.ink = ink
    return lesson.reading()


def show(lesson: Lesson, index: int) -> None:
    """Show the feature maps of another validation digit, by its index.

    Raises: ValueError when there is no such digit.
    """
    count = len(lesson.training.dataset.validation)
    if not 0 <= index < count:
        raise ValueError(f"index must be from 0 to {count - 1:,}, got {index!r}")
    lesson.watched = index


def test(lesson: Lesson) -> tuple[int, float]:
    """Read the 10,000 test digits: the step and the share that was right."""
    result = evaluate(lesson.training.network, lesson.training.dataset.test)
    lesson.tested = lesson.training.step, result.accuracy
    return lesson.tested


def untrained(seed: int, index: int = 0, ink: Float[np.ndarray, "h w"] | None = None) -> State:
    """Look at the network that a run with this seed will start from.

    Args:
        seed: of the run.
        index: of the watched digit among the validation images.
        ink: a drawn digit to be read, as `read` takes it.

    Raises: ValueError when there is no such digit.
    """
    lesson = _begin(Recipe(seed=seed), None)
    show(lesson, index)
    lesson.ink = ink
    return lesson.freeze()


def table() -> tuple[Layer, ...]:
    """Describe the layers of the network that this panel trains."""
    return networks.table(networks.lenet5(torch.Generator().manual_seed(0)))


def _begin(recipe: Recipe, snapshot: Snapshot | None) -> Lesson:
    device = devices.choose()
    network = networks.lenet5(torch.Generator().manual_seed(recipe.seed)).to(device)
    watched = snapshot.record.get("watched", 0) if snapshot else 0
    return Lesson(Training(network, mnist(device), recipe, snapshot), watched)


def _array(values: torch.Tensor) -> np.ndarray:
    return values.detach().float().cpu().numpy().copy()
