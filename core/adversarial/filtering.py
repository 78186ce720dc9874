"""What filters before a network are worth: against an attack that knows nothing of them, and one
that does.
"""

from collections.abc import Generator, Iterator
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from core.adversarial import Attack
from core.adversarial.attacking import CODE
from core.adversarial.defences import (
    COLUMNS,
    FILTERS,
    GRADIENTS,
    READINGS,
    WAYS,
    FilterTrial,
    Withstood,
)
from core.adversarial.filters import Filter, filter_of, straight_through
from core.adversarial.problems import Network
from core.adversarial.subjects import Subject
from core.shared.autoencoders import denoiser
from core.shared.models import about
from core.shared.studied import studied

__all__ = ["Filtering", "withstand"]


class Filtering:
    """Filters under trial, that can be looked at between two steps."""

    def __init__(self, config: FilterTrial) -> None:
        self.config, self.subject = config, Subject(config.source, config.images)
        self.data = about(config.source).data
        self.accuracy = np.full((1 + len(config.filters), len(COLUMNS)), np.nan)
        self.working = ""

    @property
    def progress(self) -> float:
        """The share that is measured."""
        return float(np.isfinite(self.accuracy).mean())

    def freeze(self) -> Withstood:
        """Look at what is measured."""
        return Withstood(
            filters=self.config.filters,
            accuracy=self.accuracy.copy(),
            images=len(self.subject.labels),
            working=self.working,
        )

    def measure(self) -> Iterator[object]:
        """Try one filter after another, yielding whenever others may have their turn."""
        subject, attack = self.subject, self.config.attack
        self.working = "now the network with no filter"
        changed = yield from self._attacked(subject.ask, attack)
        clean, attacked = (self._right(subject.ask, each) for each in (subject.images, changed))
        self.accuracy[0] = _share(clean), _share(attacked), _share(attacked)
        yield None
        for row, (name, strength) in enumerate(self.config.filters, 1):
            yield from self._try(row, name, strength, changed)
        self.working = ""

    def let_go(self) -> None:
        """Hold no network and no images any more."""
        self.subject.let_go()

    def _try(self, row: int, name: str, strength: float, changed: Tensor) -> Iterator[object]:
        """Measure one filter, on pictures that were changed without knowing it and on others."""
        config, subject, known = self.config, self.subject, FILTERS[name]
        title, denoise = known.title, None
        if name == "autoencoder":
            self.working = "now an autoencoder learns"
            denoise = yield from denoiser(self.data, strength)

        def judge(images: Tensor) -> Tensor:
            # All pictures meet the same draws, which no attack has seen.
            source = torch.Generator().manual_seed(config.seed + 1)
            behind = _behind(subject.ask, filter_of(name, strength, source, denoise))
            return self._right(behind, images, READINGS if known.drawn else 1)

        self.working = f"now {title}"
        clean, unaware = judge(subject.images), judge(changed)
        self.accuracy[row, :2] = _share(clean), _share(unaware)
        yield None
        worst = torch.minimum(clean, unaware)  # who knows more can do what who knows less does
        for way in known.ways:
            self.working = f"now {title}, known by {WAYS[way]}"
            source = torch.Generator().manual_seed(config.seed)
            filter_ = filter_of(name, strength, source, denoise)
            attack = replace(config.attack, draws=GRADIENTS if known.drawn else 1)
            if way == "straight":
                filter_ = straight_through(filter_)
            elif way == "none":
                attack = replace(attack, method="square", early=not known.drawn)
            behind = _behind(subject.ask, filter_)
            aware = yield from self._attacked(behind, attack, drawn=known.drawn)
            worst = torch.minimum(worst, judge(aware))
        self.accuracy[row, 2] = _share(worst)
        yield None

    def _attacked(
        self, network: Network, attack: Attack, *, drawn: bool = False
    ) -> Generator[object, None, Float[Tensor, "n c h w"]]:
        """Attack all images; those that withstand stay as they are."""
        changed = []
        for few in self.subject.parts():
            code = CODE[attack.method]
            batch = yield from self.subject.attack(few, attack, code, network, drawn=drawn)
            changed.append(batch.images)
        return torch.cat(changed)

    def _right(self, network: Network, images: Tensor, readings: int = 1) -> Float[Tensor, " n"]:
        """Tell how often each image is read right, as a share of the readings."""
        labels = self.subject.labels
        read = [self.subject.read(network, images) == labels for _ in range(readings)]
        return torch.stack(read).double().mean(0)


def withstand(config: FilterTrial) -> Iterator[Filtering]:
    """Measure the accuracy that filters leave to a network, yielding before the first one too.

    Of each filter: with clean images; with images that were attacked before anybody thought of the
    filter; and with those that were attacked through it. The last is counted, image by image, for
    the worst of what is tried: the gradient of the filter itself or straight through it, no
    gradient at all, the picture of the attack that does not know it, and the clean one. A filter
    that draws is read several times, with the same draws for all of these, of which the worst is
    a little lower than it were with others. No attack here is the strongest there is.

    Args:
        config: which filters, the budget and the images.

    Raises: ValueError when the data that the network learned from are not here.

    Source: Athalye, Carlini, Wagner 2018, arXiv:1802.00420, sections 4.1 (straight through) and 4.2
    (the mean over draws); He, Wei, Chen, Carlini, Song 2017, arXiv:1706.04701 (adaptive attacks on
    feature squeezing).
    """
    yield from studied(Filtering(config))


def _behind(network: Network, filter_: Filter) -> Network:
    return lambda images: network(filter_(images))


def _share(right: Float[Tensor, " n"]) -> float:
    return right.mean().item()
