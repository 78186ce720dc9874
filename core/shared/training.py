"""Teach a network from tensors on its device, a step at a time; any snapshot can be continued."""

from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass
from itertools import starmap
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from core.shared import snapshots
from core.shared.data import Dataset, Split
from core.shared.recipes import Recipe, require_rate
from core.shared.snapshots import Snapshot

__all__ = ["Evaluation", "Point", "Training", "evaluate"]

POINTS = 12  # of the curves, an epoch
MOST_POINTS = 300  # of the curves, a run
WATCHED = 500  # validation images that each point is computed on; the last takes all
CHUNK = 250  # images a forward pass outside of training


@dataclass(frozen=True, slots=True)
class Point:
    """One point of the curves; losses are mean cross-entropies in nats."""

    step: int  # steps done
    training_loss: float | None  # over the batches since the last point, each before its step
    training_accuracy: float | None  # the share of those images that were read right
    validation_loss: float
    validation_accuracy: float
    validation_images: int  # the first so many of the validation images


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How a network does on a set of images."""

    loss: float  # mean cross-entropy in nats
    accuracy: float
    confusion: Int[Tensor, "k k"]  # row: the true class, column: the class that was read


class Training:
    """A network on its way: weights, optimiser, place in the data, curves."""

    def __init__(
        self,
        network: nn.Sequential,
        dataset: Dataset,
        recipe: Recipe,
        snapshot: Snapshot | None = None,
    ) -> None:
        """Stand before the first step, or where the snapshot was taken.

        Args:
            network: pixels to logits, on the device of the data; it is trained in place.
            dataset: the data; the test part is never read here.
            recipe: how to learn.
            snapshot: of an earlier training of the same network by the same recipe.
        """
        self.network, self.dataset, self.recipe = network, dataset, recipe
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.logits = _quickest(network)
        self.rate = recipe.learning_rate
        self.optimiser = _optimiser(network, recipe)
        self.images = len(dataset.training)
        self.steps_an_epoch = recipe.steps_an_epoch(self.images)
        self.steps = recipe.epochs * self.steps_an_epoch
        apart = max(1, self.steps_an_epoch / POINTS, self.steps / MOST_POINTS)
        self.intervals = max(1, round(self.steps / apart))  # between the points of the curves
        self.step = 0
        self.batch_loss: Float[Tensor, ""] | None = None  # of the last step, as `advance` gives it
        self.points: list[Point] = []
        self.changes: list[tuple[int, float]] = []  # the learning rate from a step on
        self.confusion = torch.zeros(10, 10, dtype=torch.long)  # at the last point
        self._order: tuple[int, Tensor] | None = None
        self._window: list[tuple[Tensor, Tensor, Tensor]] = []
        self._carried = (0.0, 0, 0)  # of a window that a snapshot cut: loss, right, images
        if snapshot is None:
            self._add_point()
        else:
            self._go_back_to(snapshot)

    @property
    def progress(self) -> float:
        """The share of the steps that is done."""
        return self.step / self.steps

    def run(self) -> Iterator[Snapshot | None]:
        """Do the steps that are left, one at a time; yield before the first and after each.

        Returns: a snapshot at log-spaced steps, None at the others.
        Raises: FloatingPointError when the loss is no longer finite.
        """
        kept = snapshots.log_spaced(self.steps)
        yield self.snapshot() if self.step == 0 else None
        while self.step < self.steps:
            self.advance()
            yield self.snapshot() if self.step in kept else None

    def advance(self) -> Float[Tensor, ""]:
        """Do one step of the optimiser on the next batch.

        Returns: the batch's mean cross-entropy before the step, in nats, on the device.
        Raises: FloatingPointError when a point of the curves is due and no longer finite.
        """
        batch = self._batch()
        labels = self.dataset.training.labels[batch]
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate * self.recipe.share(self.step, self.steps)
        logits = self.logits(self.dataset.training.images[batch])
        loss = F.cross_entropy(logits, labels)
        loss.backward()
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.step += 1
        self.batch_loss = loss = loss.detach()
        self._window.append((loss, logits.detach(), labels))
        if self.step * self.intervals // self.steps > len(self.points) - 1:
            self._add_point()
        return loss

    def change_rate(self, rate: float) -> None:
        """Go on with another learning rate; the schedule stays.

        Raises: ValueError when it is no learning rate.
        """
        require_rate(rate)
        if rate != self.rate:
            self.rate = rate
            self.changes.append((self.step, rate))

    def snapshot(self) -> Snapshot:
        """Keep all that it takes to go on from here exactly as if nothing had happened.

        The tensors are the living ones: write or copy them before the next step.

        Raises: FloatingPointError when a weight is not finite, for nobody can go on from that.
        """
        if not all(bool(value.isfinite().all()) for value in self.network.parameters()):
            raise self._diverged()
        tensors = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        for name, parameter in self.network.named_parameters():
            for part, value in self.optimiser.state.get(parameter, {}).items():
                if isinstance(value, Tensor):
                    tensors[f"optimiser.{part}.{name}"] = value
        record: dict[str, Any] = {
            "rate": self.rate,
            "points": [astuple(point) for point in self.points],
            "changes": self.changes,
            "confusion": self.confusion.tolist(),
            "window": self._sums(),
        }
        return Snapshot(self.step, tensors, record)

    def _go_back_to(self, snapshot: Snapshot) -> None:
        """Take up weights, optimiser and curves of a snapshot.

        Raises: ValueError when it is of another network.
        """
        device = self.dataset.training.labels.device
        weights = _under("network.", snapshot)
        try:
            self.network.load_state_dict(weights)
        except RuntimeError as error:
            raise ValueError(f"snapshot must be of this network, got: {error}") from error
        for name, parameter in self.network.named_parameters():
            for part in {key.split(".")[0] for key in _under("optimiser.", snapshot)}:
                value = snapshot.tensors[f"optimiser.{part}.{name}"]
                value = value.to(device, copy=True)
                if value.shape == parameter.shape:  # a fused step takes equal layouts for granted
                    value = torch.empty_like(parameter.detach()).copy_(value)
                self.optimiser.state[parameter][part] = value
        record = snapshot.record
        self.step = snapshot.step
        self.rate = record["rate"]
        self.points = list(starmap(Point, record["points"]))
        self.changes = [(step, rate) for step, rate in record["changes"]]
        self.confusion = torch.tensor(record["confusion"])
        loss, right, images = record["window"]
        self._carried = (loss, right, images)

    def _batch(self) -> Int[Tensor, " n"]:
        """Choose the next images; the order depends on the seed and the epoch alone."""
        epoch, place = divmod(self.step, self.steps_an_epoch)
        if self._order is None or self._order[0] != epoch:
            source = torch.Generator().manual_seed((self.recipe.seed << 16) + epoch + 1)
            order = torch.randperm(self.images, generator=source)
            self._order = epoch, order.to(self.dataset.training.labels.device)
        size = self.recipe.batch_size
        return self._order[1][place * size : (place + 1) * size]

    def _sums(self) -> tuple[float, int, int]:
        """Add up the window: losses of its images, how many were right, how many there are."""
        loss, right, images = self._carried
        if self._window:
            means = torch.stack([mean for mean, _, _ in self._window]).tolist()
            for mean, (_, logits, _) in zip(means, self._window, strict=True):
                loss += mean * len(logits)
                images += len(logits)
            logits = torch.cat([logits for _, logits, _ in self._window])
            labels = torch.cat([labels for _, _, labels in self._window])
            right += int((logits.argmax(1) == labels).sum())
        return loss, right, images

    def _add_point(self) -> None:
        last = self.step == self.steps
        validation = self.dataset.validation
        count = None if last else WATCHED
        seen = Split(validation.images[:count], validation.labels[:count])
        result = evaluate(self.network, seen)
        loss, right, images = self._sums()
        self._window, self._carried = [], (0.0, 0, 0)
        self.confusion = result.confusion
        self.points.append(
            Point(
                self.step,
                loss / images if images else None,
                right / images if images else None,
                result.loss,
                result.accuracy,
                len(seen),
            )
        )
        if not torch.isfinite(torch.tensor(loss + result.loss)):
            raise self._diverged()

    def _diverged(self) -> FloatingPointError:
        rate = self.rate * self.recipe.share(max(0, self.step - 1), self.steps)
        return FloatingPointError(
            f"The loss was no longer a finite number by step {self.step:,}, at a learning "
            f"rate of {rate:.3g}: try a tenth of it."
        )


def evaluate(network: nn.Module, split: Split) -> Evaluation:
    """Read every image of a split; each module's mode and the gradients stay as they are."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        with torch.no_grad():
            logits = torch.cat([*map(_quickest(network), split.images.split(CHUNK))])
    finally:
        for module, was_training in modes:
            module.training = was_training
    classes = logits.shape[1]
    pairs = torch.bincount(split.labels * classes + logits.argmax(1), minlength=classes**2)
    confusion = pairs.view(classes, classes).cpu()
    return Evaluation(
        loss=float(F.cross_entropy(logits, split.labels)),
        accuracy=float(confusion.trace()) / len(split),
        confusion=confusion,
    )


def _quickest(network: nn.Module) -> Callable[[Tensor], Tensor]:
    """Give the network's quickest way from pixels to logits."""
    way: Callable[[Tensor], Tensor] = getattr(network, "at_once", network)
    return way


def _optimiser(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Make the recipe's optimiser; fused, it takes one call a step instead of one a tensor."""
    rate, decay = recipe.learning_rate, recipe.weight_decay
    if recipe.optimiser == "adam":
        return torch.optim.Adam(network.parameters(), rate, weight_decay=decay, fused=True)
    return torch.optim.SGD(
        network.parameters(),
        rate,
        momentum=0.9,
        weight_decay=decay,
        nesterov=recipe.optimiser == "nesterov",
        fused=True,
    )


def _under(prefix: str, snapshot: Snapshot) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in snapshot.tensors.items()
        if name.startswith(prefix)
    }
