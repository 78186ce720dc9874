"""A network, a picture and a class: what every way to explain asks, and how its answer is made."""

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from core.saliency import Query, Surrogate
from core.saliency.nearby import Nearby, nearby
from core.saliency.sources import ABSENT, DRAWN, source_of
from core.shared import devices
from core.shared.blurring import blurred
from core.shared.evaluating import quickest
from core.shared.folding import folded, folded_at
from core.shared.loading import Model

__all__ = ["Answer", "Code", "Question", "absent"]

LARGE = 256 * 3 * 224 * 224
AT_ONCE = {"cpu": 64 * 28 * 28, "cuda": LARGE, "mps": LARGE}  # values of pictures at a time
FEWEST = 4  # pictures at a time
GREY = 0.5
BLUR = 1 / 14  # standard deviation of the Gaussian, as a share of the picture's side


@dataclass(slots=True, eq=False)
class Question:
    """What is asked of a network about one picture; it counts what is read to answer it."""

    model: Model
    network: nn.Module  # the model's own, or a private copy with random weights; at rest, frozen
    image: Float[Tensor, "1 c h w"]
    query: Query
    passes: int = 0
    gradients: int = 0
    way: Callable[[Tensor], Tensor] | None = field(init=False, default=None)  # as `quick`
    heard: Float[Tensor, " k"] | None = field(init=False, default=None)  # as `logits`, or not yet
    meant: int | None = field(init=False, default=None)  # as `target`

    @property
    def logits(self) -> Float[Tensor, " k"]:
        """Give what the network reads in the picture; it is not asked again when it was heard."""
        if self.heard is None:
            with torch.no_grad():
                self.heard = self.network(self.image)[0]
        return self.heard

    @property
    def target(self) -> int:
        """Give the class that is explained: the query's, or else the one that the network reads.

        Raises: ValueError when there is no such class, or the other one is none, or the same.
        """
        if self.meant is None:
            target, classes = self.query.target, len(self.model.classes)
            meant = int(self.logits.argmax()) if target is None else target
            for name, number in (("target", target), ("against", self.query.against)):
                if number is not None and number >= classes:
                    raise ValueError(f"{name} must be from 0 to {classes - 1}, got {number}")
            if meant == self.query.against:
                raise ValueError(
                    f"against must be another class than the one that is read, got {meant}"
                )
            self.meant = meant
        return self.meant

    @property
    def quick(self) -> Callable[[Tensor], Tensor]:
        """Give the quickest way from pixels to logits, whose last bits may differ."""
        if self.way is None:
            self.way = quickest(self.folded)
        return self.way

    @property
    def folded(self) -> nn.Module:
        """Give the network that has this way."""
        return folded(self.network, self._shape)

    def folded_at(self, layer: str) -> nn.Module:
        """Give it if it has a layer and gives the same there, else the network itself."""
        return folded_at(self.network, self._shape, layer)

    @property
    def _shape(self) -> tuple[int, int, int]:
        return self.image.shape[1], self.image.shape[2], self.image.shape[3]

    @property
    def at_once(self) -> int:
        """Tell how many pictures are read at a time."""
        return max(FEWEST, AT_ONCE[self.image.device.type] // self.image.numel())

    def source(self, purpose: int = DRAWN) -> torch.Generator:
        """Give a new source of random numbers, of the query's seed, for one purpose of it."""
        return source_of(self.query.seed, purpose)

    def score(self, logits: Float[Tensor, "n k"]) -> Float[Tensor, " n"]:
        """Give what is to be explained, of each picture: a logit, or the difference of two."""
        against = self.query.against
        scores = logits[:, self.target]
        return scores if against is None else scores - logits[:, against]

    def ask(
        self, images: Float[Tensor, "n c h w"], way: Callable[[Tensor], Tensor] | None = None
    ) -> Float[Tensor, " n"]:
        """Give the scores of pictures.

        Args:
            images: from 0 to 1.
            way: another way from these to the logits; None for the quickest.
        """
        devices.pulse()
        self.passes += len(images)
        with torch.no_grad():
            return self.score((way or self.quick)(_laid(images)))

    def near(self, size: int) -> tuple[Float[Tensor, " 1"], Nearby | None]:
        """Give the picture's score, and a quicker way for others that differ in a box of a size."""
        devices.pulse()
        logits, near = nearby(self.folded, _laid(self.image), size)
        if logits is None:
            return self.ask(self.image), near
        self.passes += 1
        return self.score(logits), near

    def slope(
        self, images: Float[Tensor, "n c h w"], network: Callable[[Tensor], Tensor] | None = None
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, "n c h w"]]:
        """Give the scores of pictures, and the gradient of each by its pixels.

        Args:
            images: from 0 to 1.
            network: another way from these to the logits; None for the quickest.
        """
        devices.pulse()
        self.passes += len(images)
        self.gradients += len(images)
        leaf = _laid(images.detach())
        with torch.enable_grad():
            leaf.requires_grad_()
            scores = self.score((network or self.quick)(leaf))
            (gradient,) = torch.autograd.grad(scores.sum(), leaf)  # a sum keeps pictures apart
        return scores.detach(), gradient

    def absent(self) -> Float[Tensor, "1 c h w"]:
        """Give the picture in which everything is absent, by the query's baseline."""
        return absent(self.image, self.query.baseline, self.source(ABSENT))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """The map that a way to explain gives."""

    values: Float[Tensor, "d h w"]  # of each colour, or one for all
    grid: tuple[int, int] | None = None  # as `Attribution` has it; None: each pixel
    baseline: float = math.nan  # the score of the baseline, where completeness is promised
    layer: str = ""  # that was taken
    surrogate: Surrogate | None = None


def _laid(images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Copy pictures into the layout that is quicker.

    Of one channel `contiguous` would copy nothing, and what comes after lie the slower way.
    """
    return torch.empty_like(images, memory_format=torch.channels_last).copy_(images)


Code = Callable[[Question], Generator[Any, None, Answer]]


def absent(
    image: Float[Tensor, "1 c h w"], baseline: str, source: torch.Generator
) -> Float[Tensor, "1 c h w"]:
    """Give what stands for a picture of which nothing is there.

    Args:
        image: the picture, from 0 to 1.
        baseline: one of BASELINES: black, grey of 0.5, the picture blurred with a Gaussian whose
            standard deviation is a fourteenth of its side, uniform noise, or the picture's mean.
        source: of the noise.

    Raises: ValueError when there is no such baseline.
    """
    match baseline:
        case "black":
            return torch.zeros_like(image)
        case "grey":
            return torch.full_like(image, GREY)
        case "blur":
            return blurred(image, BLUR * max(image.shape[2:]))
        case "noise":
            return torch.rand(image.shape, generator=source).to(image)
        case "own":
            return image.mean((2, 3), keepdim=True).expand_as(image).clone()
    raise ValueError(f"baseline must be black, grey, blur, noise or own, got {baseline!r}")
