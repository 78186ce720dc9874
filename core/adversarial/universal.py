"""One change that fools a network on most pictures: up the mean loss of many of them."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from core.adversarial.balls import distance, steepest
from core.adversarial.goals import Goal
from core.adversarial.portions import portion
from core.adversarial.problems import Network
from core.adversarial.studies import Universal, UniversalAttack
from core.shared import devices
from core.shared.evaluating import quickest
from core.shared.loading import load
from core.shared.studied import studied
from core.shared.tested import known

__all__ = ["Search", "universal"]

WAY = 2.5  # times epsilon, of all steps together
LOOKED_AT = 500  # pictures by which a share is told, at most
SHOWN = 6  # test pictures
LEVELS, SLACK = 255, 1e-3  # of a pixel; of a level, below which two values are the same
TINY = 1e-12


class Search:
    """A change on its way, that can be looked at between two steps."""

    def __init__(self, config: UniversalAttack) -> None:
        model = load(config.source)
        data = known(model)
        self.config, self.step = config, 0
        self.network: Network | None = quickest(model.network)
        self.draws = torch.Generator().manual_seed(config.seed)
        chosen = torch.randperm(len(data.training), generator=self.draws)[: config.images]
        self.images = data.training.images[chosen.to(data.training.labels.device)]
        self.others = data.test.images[:LOOKED_AT]
        self.change = torch.zeros_like(self.images[:1])
        self.labels = self._read(self.images, self.change)
        self.other_labels = self._read(self.others, self.change)
        self.seen: Universal | None = None

    @property
    def progress(self) -> float:
        """The share of the steps that is done."""
        return self.step / self.config.steps

    def freeze(self) -> Universal:
        """Look at the change, in 8 bits, and at what it does."""
        if self.seen is None or self.seen.step != self.step:
            change = _rounded(self.config.norm, self.change, self.config.epsilon)
            few, labels = self.images[:LOOKED_AT], self.labels[:LOOKED_AT]
            read, others_read = self._read(few, change), self._read(self.others, change)
            self.seen = Universal(
                step=self.step,
                steps=self.config.steps,
                change=_told(change[0]),
                fooled=(read != labels).double().mean().item(),
                held_out=(others_read != self.other_labels).double().mean().item(),
                images=len(few),
                others=len(self.others),
                examples=_told(self.others[:SHOWN]),
                changed=_told((self.others[:SHOWN] + change).clamp(0, 1)),
                read=_told(self.other_labels[:SHOWN]),
                misread=_told(others_read[:SHOWN]),
            )
        return self.seen

    def let_go(self) -> None:
        """Look a last time, and hold no network and no pictures any more."""
        self.freeze()
        self.network = None
        self.images = self.others = self.images[:0].clone()

    def measure(self) -> Iterator[None]:
        """Take all steps, yielding after each."""
        while self.step < self.config.steps:
            self.move()
            yield

    def move(self) -> None:
        """Take one step up the mean loss of a batch.

        Raises: FloatingPointError when the gradient is not finite.
        """
        config, network = self.config, self._asked()
        order = torch.randperm(len(self.images), generator=self.draws)
        batch = order[: config.batch_size].to(self.labels.device)
        gradient, goal = torch.zeros_like(self.change), Goal(self.labels[batch], None)
        size = portion(self.images.shape[1:])
        for part in torch.arange(len(batch), device=batch.device).split(size):
            devices.pulse()
            with torch.enable_grad():
                leaf = self.change.detach().requires_grad_()
                logits = network((self.images[batch[part]] + leaf).clamp(0, 1))
                loss = goal.take(part).loss(config.loss, logits).sum()
                gradient = gradient + torch.autograd.grad(loss, leaf)[0]
        if not bool(gradient.isfinite().all()):
            raise FloatingPointError(
                f"the gradient was not finite after {self.step} steps: try another loss"
            )
        length = min(1, WAY / config.steps) * config.epsilon
        change = self.change + length * steepest(config.norm, gradient)
        self.change = _within(config.norm, change, config.epsilon)
        self.step += 1

    def _asked(self) -> Network:
        if self.network is None:
            raise ValueError("search must go on, got one that has ended")
        return self.network

    @torch.no_grad()
    def _read(
        self, images: Float[Tensor, "n c h w"], change: Float[Tensor, "1 c h w"]
    ) -> Int[Tensor, " n"]:
        """Ask how pictures are read with a change."""
        network, found = self._asked(), []
        for few in images.split(portion(images.shape[1:])):
            devices.pulse()
            found.append(network((few + change).clamp(0, 1)).argmax(1))
        return torch.cat(found)


def universal(config: UniversalAttack) -> Iterator[Search]:
    """Look for one change that fools a network on most pictures, yielding before each step too.

    Each step goes up the mean loss of a batch and back into the ball. What the network reads in
    the unchanged pictures is what it is to be led away from, whether that is right or wrong.

    Args:
        config: of what, and how; with its seed it determines each change, on one kind of device.

    Raises: ValueError when the network's data are not here, or it has too few classes for the
        loss; FloatingPointError when the gradient is not finite.

    Source: Moosavi-Dezfooli, Fawzi, Fawzi, Frossard 2016, arXiv:1610.08401, equation 1, for what is
    sought and how it is measured; Shafahi, Najibi, Xu, Dickerson, Davis, Goldstein 2018,
    arXiv:1811.11304, algorithm 2, for the way to it: stochastic gradient ascent and projection, in
    L∞ by the gradient's signs. Their cap on the loss is left out, as the margin needs none.
    """
    yield from studied(Search(config))


def _told(tensor: Tensor) -> np.ndarray:
    """Copy what is shown, as others may look at it when the search has gone on."""
    copied: np.ndarray = tensor.cpu().numpy().copy()
    return copied


def _within(norm: str, change: Float[Tensor, "1 c h w"], epsilon: float) -> Tensor:
    """Bring a change back to within epsilon."""
    if norm == "linf":
        return change.clamp(-epsilon, epsilon)
    shorter: Tensor = (epsilon / change.norm().clamp(min=TINY)).clamp(max=1)
    return change * shorter


def _rounded(norm: str, change: Float[Tensor, "1 c h w"], epsilon: float) -> Tensor:
    """Bring a change to whole 255ths, the nearest ones, or if those are too far shorter ones."""
    whole = (change * LEVELS).round()
    if float(distance(norm, whole)) > epsilon * LEVELS + SLACK:
        whole = change.sign() * ((change * LEVELS).abs() + SLACK).floor()
    return whole / LEVELS
