"""Teach a network from tensors on its device, a step at a time; any snapshot can be continued."""

import math
from collections.abc import Iterator
from dataclasses import asdict, astuple, dataclass, replace
from itertools import starmap
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from core.shared import adversaries, marks, networks, runs, stepping
from core.shared.data import Dataset, Split
from core.shared.evaluating import CHUNK, Evaluation, evaluate, judge, loss_of, quickest, read
from core.shared.recipes import MOVABLE, WITH_MOMENTUM, Recipe
from core.shared.snapshots import Snapshot, under
from core.shared.stepping import Flow

__all__ = ["Change", "Flow", "Point", "Training"]

POINTS = 12  # of the curves, an epoch
MOST_POINTS = 300  # of the curves, a run
WATCHED = 500  # validation images that each point is computed on
ATTACKED, EVERY = 200, 3  # of these, on which the robust accuracy is; of so many points one has it
DROPOUT_SEEDS = 1 << 32  # steps of one seed that have masks of their own


@dataclass(frozen=True, slots=True)
class Point:
    """One point of the curves; losses are as the recipe's loss has it."""

    step: int  # steps done
    seen: int  # training images seen, each epoch anew
    training_loss: float | None  # over the batches since the last point, each before its step,
    training_accuracy: float | None  # and the share that was read right; as an adversary moved them
    validation_loss: float
    validation_accuracy: float
    validation_images: int  # the first so many of the validation images, the same for all points
    robust_accuracy: float | None = None  # of the first ATTACKED of them, within the recipe's ε;
    # the first point, each third after it, and that of the last weights have it


@dataclass(frozen=True, slots=True)
class Change:
    """What was changed while a run was live, from a step on."""

    step: int
    seen: int  # training images until then
    name: str  # of the recipe's field
    value: float


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
            snapshot: of an earlier training of the same network. Where that one's recipe had
                another rate, momentum, decay or batch size than this one's, this one's is taken.
        """
        self.network, self.dataset, self.recipe = network, dataset, recipe
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.logits = quickest(network)
        self.layers = networks.parameters_by_layer(network)
        self.drops = any(isinstance(layer, networks.Dropout) for layer in network.modules())
        self.now = recipe  # with what was changed since the start
        self.began = recipe  # that the first step was taken by; a branch may have another since
        self.branched: dict[str, int] = {}  # other fields than MOVABLE, by the step of the branch
        self.optimiser = stepping.optimiser(network, recipe)
        self.images = len(dataset.training)
        self.total = recipe.epochs * self.images
        steps = recipe.epochs * recipe.steps_an_epoch(self.images)
        apart = max(1, steps / recipe.epochs / POINTS, steps / MOST_POINTS)
        parameters = sum(each.numel() for each in network.parameters())
        self.keeps = runs.most_snapshots(parameters)  # for good
        self.intervals = max(1, round(steps / apart))  # between the points of the curves
        self.step = self.seen = 0
        self.ended = False
        self.batch_loss: Float[Tensor, ""] | None = None  # of the last step, as `advance` gives it
        self.points: list[Point] = []
        self.changes: list[Change] = []
        self.evaluated = 0  # the step at which `evaluation` was made
        self.kept: list[int] = []  # steps whose snapshots are kept for good
        self.flow: Flow | None = None  # of the last step that was measured
        self.measuring = True  # whether the next step is
        self.best: tuple[int, float, dict[str, Tensor]] | None = None  # step, loss, weights
        self._evaluation: Evaluation | None = None
        self._used = recipe.learning_rate  # by the last step
        self._order: tuple[int, Tensor] | None = None
        self._marked: Bool[Tensor, " n"] | None = None  # the training images that have a mark
        if recipe.marked is not None:
            labels, share = dataset.training.labels, recipe.mark_share
            self._marked = marks.planted(labels, recipe.marked, share, recipe.seed)
        self._window: list[tuple[Tensor, Tensor, Tensor]] = []
        self._carried = (0.0, 0, 0)  # of a window that a snapshot cut: loss, right, images
        if snapshot is None:
            self._add_point()
        else:
            self._go_back_to(snapshot)

    @property
    def steps(self) -> int:
        """Steps in all, if the batch size stays as it is now."""
        if self.ended:
            return self.step
        epoch, place = divmod(self.seen, self.images)
        size = self.now.batch_size
        rest = math.ceil((self.images - place) / size)
        return self.step + rest + (self.recipe.epochs - epoch - 1) * math.ceil(self.images / size)

    @property
    def evaluation(self) -> Evaluation:
        """How the network did at the last point of the curves, or does after its end."""
        if self._evaluation is None:
            self._evaluation = evaluate(self.network, self._watched(WATCHED), self.recipe)
            self.evaluated = self.step
        return self._evaluation

    @property
    def weights_of(self) -> int:
        """The step that the present weights are of; by early stopping an earlier one."""
        older = self.ended and self.best is not None
        return self.best[0] if older and self.best else self.step

    @property
    def progress(self) -> float:
        """The share of the work that is done."""
        return 1.0 if self.ended else self.seen / self.total

    @property
    def epoch(self) -> float:
        """Passes over the training images that are done."""
        return self.seen / self.images

    @property
    def rate(self) -> float:
        """The learning rate of the next step, with the schedule.

        Its steps are those that were planned; once the batch size has changed, the share of the
        images that were seen tells where in them we are.
        """
        planned = self.recipe.epochs * self.began.steps_an_epoch(self.images)
        cut = any(change.name == "batch_size" for change in self.changes)
        place = self.seen / self.total * planned if cut else self.step
        return self.now.learning_rate * self.now.share(place, planned)

    def run(self) -> Iterator[Snapshot | Literal["stepped", "busy"]]:
        """Do the steps that are left, one at a time, and at the end read all validation images.

        Returns: before the first step and after each "stepped", or at log-spaced steps a snapshot;
            "busy" between two parts of the reading, and while a point is attacked.
        Raises: FloatingPointError when the loss is no longer finite.
        """
        yield from self._withstand()
        yield self.keep() if self.step == 0 else "stepped"
        while not self.ended:
            spaced = runs.log_spaced(self.steps, self.keeps)
            self.measuring |= self.step + 1 in spaced
            self.advance()
            yield from self._withstand()
            if not self.ended:
                yield self.keep() if self.step in spaced else "stepped"
        validation = self.dataset.validation
        if len(self.evaluation.logits) < len(validation):
            logits = []
            for images in validation.images.split(CHUNK):
                logits.append(read(self.network, images))
                yield "busy"
            self._evaluation = judge(torch.cat(logits), validation.labels, self.recipe)
            self.evaluated = self.step
        yield "stepped" if self.step in self.kept else self.keep()

    def advance(self) -> Float[Tensor, ""]:
        """Do one step of the optimiser on the next batch.

        Returns: the batch's mean loss before the step, on the device.
        Raises: FloatingPointError when a point of the curves is due and no longer finite.
        """
        batch = self._batch()
        labels = self.dataset.training.labels[batch]
        rate = self._used = self.rate
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        if self.drops:
            networks.reseed(self.network, self.recipe.seed * DROPOUT_SEEDS + self.step)
        logits = self.logits(self._moved(self._shown(batch), labels))
        loss = loss_of(self.recipe, logits, labels, self.recipe.smoothing)
        loss.backward()
        sizes = stepping.gradient_norms(self.layers) if self.measuring else None
        if self.recipe.l1:
            for parameter in self.network.parameters():
                if parameter.grad is not None:
                    parameter.grad.add_(parameter.detach().sign(), alpha=self.recipe.l1)
        if sizes is not None:
            self.flow = stepping.step_and_measure(self.layers, self.optimiser, sizes, self.step + 1)
            self.measuring = False
        else:
            self.optimiser.step()
        self.optimiser.zero_grad()
        self.step += 1
        self.seen += len(labels)
        self.ended = self.seen >= self.total
        self.batch_loss = loss = loss.detach()
        self._window.append((loss, logits.detach(), labels))
        before = self.points[-1].seen * self.intervals // self.total
        if self.seen * self.intervals // self.total > before:
            self._add_point()
        return loss

    def change(self, name: str, value: float) -> None:
        """Go on with another learning rate, momentum, weight decay or batch size.

        Nothing changes where the optimiser has no momentum.

        Raises: ValueError when it has no such value, or is none of these.
        """
        if name not in MOVABLE:
            raise ValueError(f"name must be one of {MOVABLE}, got {name!r}")
        changed = replace(self.now, **{name: value})  # type: ignore[arg-type] # it checks them
        idle = name == "momentum" and self.recipe.optimiser not in WITH_MOMENTUM
        if changed == self.now or idle:
            return
        self.now = changed
        self.changes.append(Change(self.step, self.seen, name, value))
        stepping.adjust(self.optimiser, changed)

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
        if self._evaluation is not None and self.evaluated == self.step:
            tensors["evaluation.logits"] = self._evaluation.logits
        if self.best:
            tensors |= {f"best.{name}": value for name, value in self.best[2].items()}
        record: dict[str, Any] = {
            "seen": self.seen,
            "ended": self.ended,
            "recipe": asdict(self.recipe),
            "began": asdict(self.began),
            "branched": self.branched,
            "now": {name: getattr(self.now, name) for name in MOVABLE},
            "points": [astuple(point) for point in self.points],
            "changes": [astuple(change) for change in self.changes],
            "kept": self.kept,
            "window": self._sums(),
            "flow": astuple(self.flow) if self.flow else None,
            "best": self.best[:2] if self.best else None,
        }
        return Snapshot(self.step, tensors, record)

    def keep(self) -> Snapshot:
        """Take a snapshot that is to be kept for good, for the time machine."""
        if self.step not in self.kept:
            self.kept.append(self.step)
        return self.snapshot()

    def _go_back_to(self, snapshot: Snapshot) -> None:
        """Take up weights, optimiser and curves of a snapshot.

        Raises: ValueError when it is of another network.
        """
        device = self.dataset.training.labels.device
        weights, record, recipe = under("network.", snapshot), snapshot.record, self.recipe
        if not {"recipe", "began", "branched", "kept"} <= record.keys():
            raise ValueError(
                "This run is of an older version of Glassbox and cannot be taken up again."
            )
        try:
            self.network.load_state_dict(weights)
        except RuntimeError as error:
            raise ValueError(f"snapshot must be of this network, got: {error}") from error
        earlier = Recipe(**record["recipe"])
        if earlier.loss != recipe.loss:
            raise ValueError(
                f"loss must stay {earlier.loss!r} in a branch, whose curves would else mix two "
                f"quantities, got {recipe.loss!r}"
            )
        if earlier.optimiser == recipe.optimiser:
            stepping.take_up(self.network, self.optimiser, under("optimiser.", snapshot))
        self.step, self.seen = snapshot.step, record["seen"]
        early = record["ended"] and self.seen < earlier.epochs * self.images
        self.ended = self.seen >= self.total or (early and earlier.patience == recipe.patience)
        self.points = list(starmap(Point, record["points"]))
        if earlier.epsilon != recipe.epsilon:  # one curve cannot tell of two budgets
            self.points = [replace(point, robust_accuracy=None) for point in self.points]
        self.changes = list(starmap(Change, record["changes"]))
        self.kept = list(record["kept"])
        self.began, self.branched = Recipe(**record["began"]), dict(record["branched"])
        for name, value in asdict(self.recipe).items():
            if name not in MOVABLE and getattr(earlier, name) != value:
                self.branched[name] = self.step
        for name in MOVABLE:
            if record["recipe"][name] == getattr(self.recipe, name):
                self.now = replace(self.now, **{name: record["now"][name]})
            elif record["now"][name] != (value := getattr(self.recipe, name)):
                self.changes.append(Change(self.step, self.seen, name, value))
        stepping.adjust(self.optimiser, self.now)
        loss, right, images = record["window"]
        self._carried = (loss, right, images)
        if record["flow"]:
            step, *rows = record["flow"]
            self.flow = Flow(step, *map(tuple, rows))
        if record["best"] and self.recipe.patience:
            best = under("best.", snapshot)
            step, value = record["best"]
            self.best = step, value, {name: each.to(device) for name, each in best.items()}
        logits = snapshot.tensors.get("evaluation.logits")
        if logits is not None:  # else it is made when somebody asks for it
            labels = self._watched(len(logits)).labels.cpu()
            self._evaluation = judge(logits, labels, self.recipe)
            self.evaluated = self.step

    def _batch(self) -> Int[Tensor, " n"]:
        """Choose the next images; the order depends on the seed and the epoch alone."""
        epoch, place = divmod(self.seen, self.images)
        if self._order is None or self._order[0] != epoch:
            source = torch.Generator().manual_seed((self.recipe.seed << 16) + epoch + 1)
            order = torch.randperm(self.images, generator=source)
            self._order = epoch, order.to(self.dataset.training.labels.device)
        return self._order[1][place : place + self.now.batch_size]

    def _shown(self, batch: Int[Tensor, " n"]) -> Float[Tensor, "n c h w"]:
        """Give the images of a batch, with the recipe's mark on those that have it."""
        images = self.dataset.training.images[batch]
        return images if self._marked is None else marks.marked(images, self._marked[batch])

    def _moved(self, images: Tensor, labels: Tensor) -> Tensor:
        """Let the recipe's adversary move a batch; where it begins depends on the step alone."""
        if not self.recipe.adversary:
            return images
        source = torch.Generator().manual_seed(self.recipe.seed * DROPOUT_SEEDS + self.step)
        return adversaries.perturb(self.network, images, labels, self.recipe, source)

    def _withstand(self) -> Iterator[Literal["busy"]]:
        """Attack the images of the point that the present weights are of, if nobody has."""
        due = self.ended or len(self.points) % EVERY == 1
        here = [k for k, point in enumerate(self.points) if point.step == self.weights_of]
        if not due or not here or not self.recipe.epsilon:
            return
        point = self.points[here[-1]]
        if point.robust_accuracy is not None:
            return
        few, share = self._watched(ATTACKED), 0.0
        epsilon = self.recipe.epsilon
        for right in adversaries.withstood(self.network, few.images, few.labels, epsilon):
            share = float(right.float().mean())
            yield "busy"
        self.points[here[-1]] = replace(point, robust_accuracy=share)

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

    def _watched(self, count: int) -> Split:
        validation = self.dataset.validation
        return Split(validation.images[:count], validation.labels[:count])

    def _add_point(self) -> None:
        result = evaluate(self.network, self._watched(WATCHED), self.recipe)
        loss, right, images = self._sums()
        self._window, self._carried = [], (0.0, 0, 0)
        self._evaluation, self.evaluated = result, self.step
        self.points.append(
            Point(
                self.step,
                self.seen,
                loss / images if images else None,
                right / images if images else None,
                result.loss,
                result.accuracy,
                len(result.logits),
            )
        )
        if not math.isfinite(loss + result.loss):
            raise self._diverged()
        if self.recipe.patience:
            self._stop_early(result)

    def _stop_early(self, result: Evaluation) -> None:
        """Keep the weights of the lowest validation loss, and end with them when it stays away."""
        if self.best is None or result.loss < self.best[1]:
            weights = self.network.state_dict()
            self.best = self.step, result.loss, {n: each.clone() for n, each in weights.items()}
            return
        best = next(point.seen for point in self.points if point.step == self.best[0])
        if self.ended or self.seen - best >= self.recipe.patience * self.images:
            self.network.load_state_dict(self.best[2])
            self.ended = True
            self._evaluation = None  # it was of the weights that have just gone

    def _diverged(self) -> FloatingPointError:
        return FloatingPointError(
            f"The loss was no longer a finite number by step {self.step:,}, at a learning "
            f"rate of {self._used:.3g}: try a tenth of it."
        )
