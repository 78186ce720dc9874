"""A network learns, and can be looked at, spoken to and tested between two steps."""

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from core.shared import adversaries, data, devices, networks
from core.shared.digits import centre_by_mass, fit
from core.shared.evaluating import at_rest, evaluate
from core.shared.recipes import Recipe
from core.shared.snapshots import Snapshot
from core.shared.training import Training
from core.train_cnn import Activity, Reading, State, Verdict, require_room
from core.train_cnn.looking import activity, curves_of, faults, told

__all__ = [
    "MAPS",
    "Lesson",
    "array",
    "begin",
    "change",
    "first_kernels",
    "keep",
    "maps_of",
    "read",
    "show",
    "sort",
    "test",
    "train",
    "untrained",
]

PROBE = 100  # validation images whose activations are counted
DEAR = 0.01  # share of a run's time that may go into counting them
LAYERS, MAPS = 5, 16  # that are shown: layers with maps, maps of each
MAP_RANK = 4
MOST_ASKED = 20  # steps that are kept because somebody asked


class Lesson:
    """A training with what the visitor watches in it."""

    def __init__(self, training: Training) -> None:
        self.training, self.watched = training, 0
        self.ink: Float[np.ndarray, "h w"] | None = None
        self.cell: tuple[int, int] | None = None
        self.tested: tuple[int, float] | None = None
        self._activity: tuple[Activity, ...] = ()
        self._probed = (-1, 0.0, 0.0)  # the step and when they were counted; how long it took

    @property
    def progress(self) -> float:
        """The share of the work that is done."""
        return self.training.progress

    def recall(self, record: Mapping[str, Any]) -> None:
        """Take up what was watched, and counted, when a snapshot was taken."""
        self.watched = record.get("watched", 0)
        if "activity" in record:
            self._activity = told(record["activity"])
            self._probed = (self.training.step, time.monotonic(), 0.0)

    def snapshot(self) -> Snapshot:
        """Keep all that it takes to go on from here, and at which image."""
        snapshot = self.training.snapshot()
        return replace(snapshot, record={**snapshot.record, "watched": self.watched})

    def kept(self) -> Snapshot:
        """Keep the present step for good."""
        snapshot = self.training.keep()
        return replace(snapshot, record={**snapshot.record, "watched": self.watched})

    def freeze(self) -> State:
        """Look at the training; nothing in it moves by that, and the next step is measured."""
        training = self.training
        network, validation = training.network, training.dataset.validation
        image = validation.images[self.watched : self.watched + 1]
        label = int(validation.labels[self.watched])
        with at_rest(network):
            read = network(image)[0].softmax(0)
        maps, in_all = maps_of(network, image[0])
        kernels_of, kernels = first_kernels(network, training.dataset.shape)
        flow, evaluation = training.flow, training.evaluation
        names = flow.layers if flow else tuple(training.layers)
        training.measuring = True
        return State(
            step=training.step,
            steps=training.steps,
            epoch=training.epoch,
            epochs=training.recipe.epochs,
            learning_rate=training.rate,
            curves=curves_of(training),
            batch_loss=None if training.batch_loss is None else float(training.batch_loss),
            changes=tuple((each.step, each.name, each.value) for each in training.changes),
            began=training.began,
            branched=dict(training.branched),
            classes=training.dataset.classes,
            confusion=evaluation.confusion.numpy(),
            validation=Verdict(
                training.weights_of if training.evaluated == training.step else training.evaluated,
                evaluation.loss,
                evaluation.accuracy,
                len(evaluation.logits),
            ),
            faults=faults(evaluation, validation, self.cell),
            kernels=array(kernels[:MAPS]),
            kernels_of=kernels_of,
            kernels_in_all=len(kernels),
            index=self.watched,
            label=label,
            watched=Reading(array(image[0]), array(read)),
            slope=self._slope(image[0], label),
            maps=maps,
            maps_in_all=in_all,
            activity=self.activations(),
            flow_step=flow.step if flow else 0,
            flow_layers=names,
            gradient=np.array(flow.gradient if flow else [np.nan] * len(names), float),
            update=np.array(flow.update if flow else [np.nan] * len(names), float),
            kept=tuple(training.kept),
            stopped_early=training.best[0] if training.best and training.ended else None,
            drawn=self.reading(),
            tested=self.tested,
        )

    def reading(self) -> Reading | None:
        """Read what is drawn with the weights as they are now; None while nothing is drawn."""
        shape = self.training.dataset.shape
        if self.ink is None or shape[0] != 1:
            return None
        bring = centre_by_mass if self.training.recipe.data == "mnist" else fit
        seen = bring(self.ink)
        if seen is None:
            return None
        image = torch.from_numpy(seen).to(self.training.dataset.validation.images)[None, None]
        with at_rest(self.training.network):
            return Reading(seen[None], array(self.training.network(image)[0].softmax(0)))

    def _slope(self, image: Tensor, label: int) -> np.ndarray | None:
        """Look at how the loss of an image grows with its pixels, where a run is about that."""
        recipe = self.training.recipe
        if not recipe.epsilon:
            return None
        return array(adversaries.slope(self.training.network, image, label, recipe))

    def activations(self) -> tuple[Activity, ...]:
        """Count activations, again only when the last time is far enough back to be cheap."""
        now, here = time.monotonic(), self.training.step
        step, when, took = self._probed
        cheap = self.training.ended or now - when > took / DEAR
        if not self._activity or (step != here and cheap):
            images = self.training.dataset.validation.images[:PROBE]
            self._activity = activity(self.training.network, images)
            self._probed = here, now, time.monotonic() - now
        return self._activity


def train(recipe: Recipe, snapshot: Snapshot | None = None) -> Iterator[Lesson | Snapshot | None]:
    """Train the recipe's network on its data, yielding before the first step and after each.

    Args:
        recipe: how; with its seed it determines every weight, on one kind of device.
        snapshot: where to go on; None starts anew.

    Returns: the same lesson again and again, before it a snapshot at log-spaced steps, and None
        while all validation images are read at the end.
    Raises: FloatingPointError when the loss is no longer finite; ValueError when the network does
        not fit the data, or the data are not here.
    """
    lesson = begin(recipe, snapshot)
    for kept in lesson.training.run():
        if kept == "busy":
            yield None
            continue
        if isinstance(kept, Snapshot):  # first: what the lesson tells of is on the disk
            yield replace(kept, record={**kept.record, "watched": lesson.watched})
        yield lesson


def change(lesson: Lesson, name: str, value: float) -> None:
    """Go on with another learning rate, momentum, weight decay or batch size.

    Raises: ValueError when it has no such value, or the batch is too large for the network.
    """
    recipe = replace(lesson.training.now, **{name: value})  # type: ignore[arg-type] # it checks
    require_room(recipe)
    lesson.training.change(name, value)


def read(lesson: Lesson, ink: Float[np.ndarray, "h w"] | None) -> Reading | None:
    """Read a drawing, and again in each state from now on; None takes it away."""
    lesson.ink = ink
    return lesson.reading()


def show(lesson: Lesson, index: int) -> None:
    """Show the feature maps of another validation image, by its index.

    Raises: ValueError when there is no such image.
    """
    count = len(lesson.training.dataset.validation)
    if not 0 <= index < count:
        raise ValueError(f"index must be from 0 to {count - 1:,}, got {index!r}")
    lesson.watched = index


def sort(lesson: Lesson, cell: tuple[int, int] | None) -> None:
    """Show the validation images of one cell of the confusion matrix, None the worst mistakes.

    Raises: ValueError when there is no such cell.
    """
    count = len(lesson.training.dataset.classes)
    if cell is not None and not all(0 <= each < count for each in cell):
        raise ValueError(f"cell must be two classes from 0 to {count - 1}, got {cell!r}")
    lesson.cell = cell


def keep(lesson: Lesson) -> Snapshot:
    """Keep the present step for good, for the time machine and for other panels to look into.

    Raises: ValueError when a visitor has kept too many already.
    """
    most = lesson.training.keeps + MOST_ASKED
    if lesson.training.step not in lesson.training.kept and len(lesson.training.kept) >= most:
        raise ValueError(f"a run must keep at most {most} steps, got one more: wait for its end")
    return lesson.kept()


def test(lesson: Lesson) -> tuple[int, float]:
    """Read the test images: the step and the share that was right."""
    training = lesson.training
    result = evaluate(training.network, training.dataset.test, training.recipe)
    lesson.tested = training.weights_of, result.accuracy
    return lesson.tested


def untrained(
    recipe: Recipe,
    index: int = 0,
    ink: Float[np.ndarray, "h w"] | None = None,
    cell: tuple[int, int] | None = None,
) -> State:
    """Look at the network that a run by this recipe will start from.

    Args:
        recipe: of the run.
        index: of the watched image among the validation images.
        ink: a drawing to be read, as `read` takes it.
        cell: of the confusion matrix, as `sort` takes it.

    Raises: ValueError when there is no such image or cell.
    """
    lesson = begin(recipe, None)
    show(lesson, index)
    sort(lesson, cell)
    lesson.ink = ink
    return lesson.freeze()


def begin(recipe: Recipe, snapshot: Snapshot | None) -> Lesson:
    """Stand before the first step of a run, or where the snapshot was taken."""
    require_room(recipe)
    device = devices.choose()
    dataset = data.dataset(recipe.data, device, recipe.images)
    network = networks.build(
        recipe.network,
        torch.Generator().manual_seed(recipe.seed),
        shape=dataset.shape,
        classes=len(dataset.classes),
        mean=dataset.mean,
        deviation=dataset.deviation,
        initialisation=recipe.initialisation,
        dropout=recipe.dropout,
    ).to(device)
    lesson = Lesson(Training(network, dataset, recipe, snapshot))
    if snapshot:
        lesson.recall(snapshot.record)
    return lesson


def maps_of(
    network: nn.Sequential, image: Float[Tensor, "c h w"]
) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """Compute the feature maps of an image in a few layers.

    Returns: at most sixteen maps of at most five layers, by their names, and how many there are.
    """
    with at_rest(network):
        given = networks.outputs(network, image[None])
    maps = {name: each[0] for name, each in given.items() if _is_shown(name, each)}
    chosen = _spread(list(maps), LAYERS)
    return {name: array(maps[name][:MAPS]) for name in chosen}, {n: len(maps[n]) for n in chosen}


def first_kernels(
    network: nn.Sequential, shape: tuple[int, int, int]
) -> tuple[str, Float[Tensor, "m c h w"]]:
    """Give the weights of the first layer that has some, as pictures, and that layer's name.

    Args:
        network: whose it is.
        shape: of one image. A fully connected layer that sees it gives a picture for each unit; one
            that sees pooled images a row of numbers.

    Raises: ValueError when no layer has weights.
    """
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d):
            return name.split(".")[0], layer.weight
        if isinstance(layer, nn.Linear):
            whole = layer.weight.shape[1] == math.prod(shape)
            seen = shape if whole else (1, 1, layer.weight.shape[1])
            return name.split(".")[0], layer.weight.view(-1, *seen)
    raise ValueError("network must have a layer with weights, got none")


def array(values: Tensor) -> np.ndarray:
    """Copy a tensor into an array."""
    return values.detach().float().cpu().numpy().copy()


def _is_shown(name: str, output: Tensor) -> bool:
    return name not in ("normalise", "output") and output.ndim == MAP_RANK and output.shape[-1] > 1


def _spread(names: list[str], most: int) -> list[str]:
    """Choose names that are evenly far apart, the first and the last among them."""
    if len(names) <= most:
        return names
    return [names[round(k * (len(names) - 1) / (most - 1))] for k in range(most)]
