"""Networks that only seem robust: their gradient is hidden, and who needs none still fools them."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from core.adversarial import Attack
from core.adversarial.attacking import CODE
from core.adversarial.defences import GRADIENTS, READINGS, TRICKS, Defended, FakeDefence
from core.adversarial.problems import Method, Network
from core.adversarial.subjects import Subject, together
from core.adversarial.transfer import transfer_method
from core.shared.studied import studied

__all__ = ["Faking", "defended", "fake"]


def defended(network: Network, trick: str, strength: float, source: torch.Generator) -> Network:
    """Give a network with a trick done to it that hides its gradient.

    Args:
        network: pixels from 0 to 1 to logits; it stays as it is.
        trick: "scale" multiplies the logits; "levels" rounds the pixels, whose gradient is then 0
            almost everywhere; "noise" adds normal noise, drawn anew for each reading.
        strength: the factor, the number of levels or the standard deviation.
        source: of the noise.

    Source: Athalye, Carlini, Wagner 2018, arXiv:1802.00420, section 3 (shattered, stochastic and
    vanishing gradients).
    """
    match trick:
        case "scale":
            return lambda images: strength * network(images)
        case "levels":
            steps = strength - 1
            return lambda images: network((images * steps).round() / steps)

    def noisy(images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        if strength == 0:
            return network(images)
        return network(images + strength * torch.randn(images.shape, generator=source).to(images))

    return noisy


class Faking:
    """The laboratory at work, that can be looked at between two steps."""

    def __init__(self, config: FakeDefence) -> None:
        self.config, self.subject = config, Subject(config.source, config.images)
        self.strengths = TRICKS[config.trick][1]
        self.attacks = _attacks(config.attack, config.trick, self.subject.ask)
        shape = len(self.attacks), len(self.strengths)
        self.accuracy = np.full(shape, np.nan)
        self.clean, self.alive = (np.full(shape[1], np.nan) for _ in range(2))
        self.working = ""

    @property
    def progress(self) -> float:
        """The share that is measured."""
        return float(np.isfinite(self.accuracy).mean())

    def freeze(self) -> Defended:
        """Look at what is measured."""
        return Defended(
            strengths=self.strengths,
            names=tuple(self.attacks),
            accuracy=self.accuracy.copy(),
            clean=self.clean.copy(),
            alive=self.alive.copy(),
            images=len(self.subject.labels),
            working=self.working,
        )

    def measure(self) -> Iterator[object]:
        """Let each attack try each strength, yielding whenever others may have their turn."""
        config, subject = self.config, self.subject
        for column, strength in enumerate(self.strengths):
            source = torch.Generator().manual_seed(config.seed)
            network = defended(subject.ask, config.trick, strength, source)
            self.clean[column] = self._right(network, subject.images)
            yield None
            for row, (name, (method, attack)) in enumerate(self.attacks.items()):
                self.working = f"{TRICKS[config.trick][0]}, {strength:g}: {name}"
                changed, asked, dead = [], 0, 0
                for few in subject.parts(together(attack, subject.images.shape[1:])):
                    drawn = config.trick == "noise"
                    batch = yield from subject.attack(few, attack, method, network, drawn=drawn)
                    changed.append(batch.images)
                    asked, dead = asked + batch.asked, dead + batch.dead
                self.accuracy[row, column] = self._right(network, torch.cat(changed))
                if row == 0:
                    self.alive[column] = 1 - dead / asked if asked else np.nan
                yield None
        self.working = ""

    def let_go(self) -> None:
        """Hold no network and no images any more."""
        self.subject.let_go()

    def _right(self, network: Network, images: Tensor) -> float:
        """Read images, several times where the answers are at random; give the share of right."""
        draws = READINGS if self.config.trick == "noise" else 1
        labels, right = self.subject.labels, 0
        for _ in range(draws):
            right += int((self.subject.read(network, images) == labels).sum())
        return right / (draws * len(images))


def _attacks(usual: Attack, trick: str, open_network: Network) -> dict[str, tuple[Method, Attack]]:
    """Name the attacks: the one that is misled, and those that are not."""
    if trick == "noise":  # a reading that happens to be wrong is no success yet
        usual = replace(usual, early=False)
    sure = replace(usual, loss="margin")
    name = "PGD, margin"
    if trick == "noise":
        sure, name = replace(sure, draws=GRADIENTS), f"PGD, margin, mean of {GRADIENTS} gradients"
    return {
        "PGD, cross-entropy": (CODE["pgd"], usual),
        name: (CODE["pgd"], sure),
        f"Square, {usual.queries} queries": (CODE["square"], replace(sure, method="square")),
        "PGD on the network without it": (
            transfer_method(open_network),
            replace(usual, loss="margin"),
        ),
    }


def fake(config: FakeDefence) -> Iterator[Faking]:
    """Hide a network's gradient more and more, and measure four attacks on it.

    The decisions of the network hardly change, or not at all; the accuracy that cross-entropy's
    gradient leaves to it rises all the same. The other attacks tell that nothing was gained.

    Args:
        config: the trick, the budget and the images.

    Raises: ValueError when the data that the network learned from are not here.

    Source: Athalye, Carlini, Wagner 2018, arXiv:1802.00420; Carlini et al. 2019, arXiv:1902.06705.
    """
    yield from studied(Faking(config))
