"""One student: a network with its optimiser, what its loss is made of, and how it went."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from core.distillation import Arm, Distillation
from core.distillation.losses import hard_term, soft_term
from core.shared import networks
from core.shared.arithmetic import MOST_AN_IMAGE, arithmetic
from core.shared.data import Dataset
from core.shared.evaluating import quickest
from core.shared.stepping import take_up

__all__ = ["Student", "build", "require_room"]

DROPOUT_SEEDS = 1 << 32  # steps of one seed that have masks of their own
MOST_PRODUCTS = 10**10  # multiply-adds of a step, forward: seconds on a slow CPU
MOST_VALUES = 10**8  # outputs of a step's layers
RECORDED = ("steps", "errors", "agreed", "divergence")
CURVES = ("epochs", "validation", "hard", "soft", "agreement")


class Student:
    """A network on its way; all arms of a run have the same first weights."""

    def __init__(self, arm: str, config: Distillation, network: nn.Sequential) -> None:
        self.arm, self.config, self.network = arm, config, network
        self.logits = quickest(network)
        self.parameters = list(network.parameters())
        self.optimiser = torch.optim.Adam(self.parameters, config.learning_rate, fused=True)
        self.drops = any(isinstance(layer, networks.Dropout) for layer in network.modules())
        self.steps = 0  # done
        self.curves: dict[str, list[float]] = {name: [] for name in CURVES}
        self.errors: int | None = None
        self.agreed: float | None = None
        self.divergence: float | None = None
        self.tested: Float[Tensor, "n k"] | None = None  # logits of the test images, in the end
        self._norms: list[Float[Tensor, " two"]] = []  # of the steps since the last point

    def learn(
        self,
        images: Float[Tensor, "n c h w"],
        labels: Int[Tensor, " n"],
        targets: Float[Tensor, "n k"] | None,
        *,
        measured: bool,
    ) -> None:
        """Do one step of the optimiser.

        Args:
            images: the batch.
            labels: the classes, or `losses.UNLABELLED`.
            targets: what the teacher says; None where the arm learns from labels alone.
            measured: whether the gradient of each term is measured by itself.
        """
        if self.drops:
            networks.reseed(self.network, self.config.seed * DROPOUT_SEEDS + self.steps)
        terms = self.terms(self.logits(images), labels, targets)
        hard, soft = terms
        part = None  # the slopes of the hard term, where there are two
        if measured and hard is not None and soft is not None:
            part = torch.autograd.grad(hard, self.parameters, retain_graph=True)
        first, *others = (term for term in terms if term is not None)
        slopes = torch.autograd.grad(sum(others, first), self.parameters)
        if measured:
            self._norms.append(_norms(hard is not None, part, slopes))
        for parameter, slope in zip(self.parameters, slopes, strict=True):
            parameter.grad = slope
        self.optimiser.step()
        self.steps += 1

    def terms(
        self,
        logits: Float[Tensor, "n k"],
        labels: Int[Tensor, " n"],
        targets: Float[Tensor, "n k"] | None,
    ) -> tuple[Float[Tensor, ""] | None, Float[Tensor, ""] | None]:
        """Compute the two terms of the loss; None is one that this arm does not have."""
        config = self.config
        if targets is None:
            smoothing = config.smoothing if self.arm == "smoothed" else 0.0
            return hard_term(logits, labels, 1.0, smoothing), None
        hard = hard_term(logits, labels, config.alpha) if config.alpha > 0 else None
        if config.alpha == 1:
            return hard, None
        return hard, soft_term(
            logits,
            targets,
            config.temperature,
            1 - config.alpha,
            squared=config.squared,
            reduction=config.reduction,
        )

    def add_point(self, epoch: float, wrong: float, agreement: float) -> None:
        """Add a point to the curves; the norms are of the steps that were measured since the last.

        Raises: FloatingPointError when a gradient was not finite.
        """
        hard, soft = math.nan, math.nan
        if self._norms:
            hard, soft = torch.stack(self._norms).cpu().double().mean(0).tolist()
            self._norms = []
            if not any(map(math.isfinite, (hard, soft))):
                raise self.diverged()
        for name, value in zip(CURVES, (epoch, wrong, hard, soft, agreement), strict=True):
            self.curves[name].append(value)

    def diverged(self) -> FloatingPointError:
        """Say that the student cannot go on, and what to try."""
        return FloatingPointError(
            f'The student "{self.arm}" has no finite gradient any more, at a learning rate of '
            f"{self.config.learning_rate:.3g}: try a tenth of it."
        )

    def freeze(self, points: int) -> Arm:
        """Look at how it is doing, as far as its first so many points."""
        curves = {name: np.array(values[:points], float) for name, values in self.curves.items()}
        return Arm(
            name=self.arm,
            errors=self.errors,
            agreed=self.agreed,
            divergence=self.divergence,
            **curves,
        )

    def tensors(self) -> dict[str, Tensor]:
        """Give all tensors that it takes to go on from here; they are the living ones."""
        found = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        for name, parameter in self.network.named_parameters():
            for part, value in self.optimiser.state.get(parameter, {}).items():
                found[f"optimiser.{part}.{name}"] = value
        if self.tested is not None:
            found["tested"] = self.tested
        if self._norms:
            found["norms"] = torch.stack(self._norms)
        return found

    def record(self) -> dict[str, Any]:
        """Give all else, as JSON values."""
        told = {name: getattr(self, name) for name in RECORDED}
        return told | {"curves": self.curves}

    def take_up(self, tensors: Mapping[str, Tensor], record: Mapping[str, Any]) -> None:
        """Stand where another stood that gave these.

        Raises: ValueError when that was another network.
        """
        try:
            self.network.load_state_dict(_under("network.", tensors))
        except RuntimeError as error:
            raise ValueError(f"snapshot must be of this student, got: {error}") from error
        take_up(self.network, self.optimiser, _under("optimiser.", tensors))
        device = self.parameters[0].device
        self._norms = [*tensors["norms"].to(device)] if "norms" in tensors else []
        self.tested = tensors.get("tested")
        self.curves = {name: list(record["curves"][name]) for name in CURVES}
        for name in RECORDED:
            setattr(self, name, record[name])


def build(arm: str, config: Distillation, dataset: Dataset) -> Student:
    """Build a student before its first step, on the device of the data.

    Raises: ValueError when the table cannot be built for these data, or takes too much.
    """
    require_room(config, dataset)
    network = networks.build(
        config.student,
        torch.Generator().manual_seed(config.seed),
        shape=dataset.shape,
        classes=len(dataset.classes),
        mean=dataset.mean,
        deviation=dataset.deviation,
    ).to(dataset.training.labels.device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # the quicker layout
    return Student(arm, config, network)


def require_room(config: Distillation, dataset: Dataset) -> None:
    """Refuse what cannot be built, and a step that would keep the device from all others.

    Raises: ValueError that names the row or the batch size, the rule and the value.
    """
    layers = arithmetic(config.student, dataset.shape, len(dataset.classes))
    products = sum(layer.multiply_adds for layer in layers)
    values = sum(math.prod(layer.shape) for layer in layers)
    if values > MOST_AN_IMAGE:
        raise ValueError(
            f"student must put out at most {MOST_AN_IMAGE:,} values an image, got {values:,}"
        )
    most = min(MOST_PRODUCTS // max(1, products), MOST_VALUES // values)
    if config.batch_size > most:
        raise ValueError(
            f"batch_size must be at most {most:,} for this student, which takes {products:,} "
            f"multiply-adds an image and puts out {values:,} values, got {config.batch_size:,}"
        )


def _norms(
    hard: bool, part: tuple[Tensor, ...] | None, slopes: tuple[Tensor, ...]
) -> Float[Tensor, " two"]:
    """Measure the gradients of the hard and the soft term; NaN is that of none.

    Args:
        hard: whether there is a hard term.
        part: its slopes, where there is a soft one too; what is left of the whole is then that's.
        slopes: of the whole loss.
    """

    def norm(tensors: tuple[Tensor, ...] | list[Tensor]) -> Float[Tensor, ""]:
        return torch.stack(torch._foreach_norm(tensors)).square().sum().sqrt()

    if part is not None:
        return torch.stack([norm(part), norm(torch._foreach_sub(slopes, part))])
    whole = norm(slopes)
    none = torch.full_like(whole, math.nan)
    return torch.stack([whole, none] if hard else [none, whole])


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
