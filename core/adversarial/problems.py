"""What an attack is given: clean images, what is wanted of them, and a network that may be asked.

A method is a generator function of a `Problem` and a config. It yields a `Moment` wherever there is
something to see, and is sent the rows that go on, or None for all of them:

    def method(problem, attack, source):
        images = problem.clean
        while True:
            keep = yield Moment(images)
            if keep is not None:
                problem, images = problem.take(keep), images[keep]
            images = ...
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from core.adversarial import Attack
from core.adversarial.goals import Goal
from core.adversarial.portions import portion
from core.shared import devices

__all__ = ["Counts", "Method", "Moment", "Network", "Problem"]

Network = Callable[[Tensor], Tensor]  # (n, c, h, w), pixels from 0 to 1, to (n, k) logits


class Moment(NamedTuple):
    """Where an attack stands."""

    images: Float[Tensor, "n c h w"]  # within reach of the clean ones
    logits: Float[Tensor, "n k"] | None = None  # of these, if they are known
    gradient: Float[Tensor, " n"] | None = None  # Euclidean length of the loss's; NaN: not asked


@dataclass(slots=True)
class Counts:
    """What was asked of the network so far."""

    queries: int = 0  # pictures that were read
    gradients: int = 0  # of these, those with a gradient
    checked: bool = False  # whether the goals are known to be classes of the network


@dataclass(slots=True)
class Problem:
    """Some clean images, what is wanted of them, and the network to be asked."""

    network: Network
    clean: Float[Tensor, "n c h w"]
    goal: Goal
    counts: Counts = field(default_factory=Counts)
    saved: Network | None = None  # how it reads images that were saved; None: as any others

    def take(self, keep: Tensor) -> "Problem":
        """Give the problem of some of the images; what they ask is counted in one place."""
        return replace(self, clean=self.clean[keep], goal=self.goal.take(keep))

    def logits(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        """Ask the network."""
        return self._answers(self.network, images)

    def read(self, levels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        """Ask for what is read when images of whole 255ths are saved and opened again."""
        return self._answers(self.saved or self.network, levels)

    def _answers(self, network: Network, images: Tensor) -> Tensor:
        self.counts.queries += len(images)
        answers = []
        with torch.no_grad():
            for few in images.split(portion(images.shape[1:])):
                devices.pulse()
                answers.append(network(few))
        return self._checked(torch.cat(answers))

    def _checked(self, logits: Tensor) -> Tensor:
        """Refuse goals that are no classes of the network, at its first answer."""
        if not self.counts.checked:
            self.goal.check(logits.shape[1])
            self.counts.checked = True
        return logits

    def gradient(
        self, images: Float[Tensor, "n c h w"], loss: str, draws: int = 1
    ) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, "n k"]]:
        """Ask for the gradient of each image's loss by its pixels, and for the logits.

        Args:
            images: where.
            loss: as `Goal.loss` takes it.
            draws: of a network that answers at random, over which both are the mean.

        Source: Athalye, Engstrom, Ilyas, Kwok 2017, arXiv:1707.07397, section 2.2 (the mean of the
        gradients over draws).
        """

        def of(logits: Tensor) -> Tensor:
            return self.goal.loss(loss, logits)

        gradient, logits = self.slope(images, of)
        for _ in range(draws - 1):
            again, answer = self.slope(images, of)
            gradient, logits = gradient + again, logits + answer
        return gradient / draws, logits / draws

    def slope(
        self, images: Float[Tensor, "n c h w"], value: Callable[[Tensor], Tensor]
    ) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, "n k"]]:
        """Ask for the gradient of any function of each image's logits, and for the logits.

        What is not finite in it is 0: no step can follow it.
        """
        devices.pulse()
        self.counts.queries += len(images)
        self.counts.gradients += len(images)
        with torch.enable_grad():
            leaf = images.detach().requires_grad_()
            logits = self._checked(self.network(leaf))
            (gradient,) = torch.autograd.grad(value(logits).sum(), leaf)
        return gradient.nan_to_num(0, 0, 0), logits.detach()


Method = Callable[[Problem, Attack, torch.Generator], Generator[Moment, Tensor | None, None]]
