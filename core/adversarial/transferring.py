"""Whom else a picture fools that was made to fool one network: several networks, two by two."""

import math
from collections.abc import Generator, Iterator
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from core.adversarial.attacking import method_of
from core.adversarial.balls import rounded, shuffled
from core.adversarial.problems import Network
from core.adversarial.studies import Misread, TransferMatrix, Transferred
from core.adversarial.subjects import TEACHING, Subject, together
from core.shared.evaluating import quickest
from core.shared.loading import Model, load
from core.shared.models import about
from core.shared.studied import studied
from core.shared.tested import LEVELS

__all__ = ["Transferring", "transfer_all"]

LOOKED_THROUGH = 10_000  # test images, for those that all networks read right
EXAMPLES = 6  # pictures of a cell that are kept


class Transferring:
    """A matrix under way, that can be looked at between two steps."""

    def __init__(self, config: TransferMatrix) -> None:
        self.config = config
        self.attack = replace(config.attack, target=None, early=False, whole_levels=True)
        self.subject = Subject(config.sources[0], LOOKED_THROUGH)
        models = [load(source) for source in config.sources]
        for model in models[1:]:
            _require_alike(models[0], model)
        self.networks: list[Network] = [quickest(model.network) for model in models]
        self.names = tuple(about(source).title for source in config.sources)
        count = len(self.names)
        self.misread, self.tried = np.zeros((2, count + 1, count), int)
        self.examples: dict[str, Misread] = {}
        self.images = self.attacked = 0
        self.draws = torch.Generator().manual_seed(config.attack.seed)
        self.working = ""

    @property
    def progress(self) -> float:
        """The share of the images that are attacked, over all networks."""
        return self.attacked / (len(self.names) * self.images) if self.images else 0.0

    def freeze(self) -> Transferred:
        """Look at what is tried."""
        return Transferred(
            names=self.names,
            misread=self.misread.copy(),
            tried=self.tried.copy(),
            examples=dict(self.examples),
            images=self.images,
            working=self.working,
        )

    def measure(self) -> Iterator[object]:
        """Attack one network after another, yielding whenever others may have their turn.

        Raises: ValueError when there is no test image that all of them read right.
        """
        yield from self._choose()
        images, labels = self.subject.images, self.subject.labels
        for row in range(len(self.networks)):
            changed = yield from self._changed(row)
            fooled = self.subject.read(self.networks[row], changed) != labels
            noisy = self._noise(images[fooled], changed[fooled])
            for column in range(len(self.networks)):
                tried = torch.ones_like(fooled) if column == row else fooled
                self._count(row, column, changed[tried], labels[tried])
                self._count(len(self.networks), column, noisy, labels[fooled])
            yield None
        self.working = ""

    def let_go(self) -> None:
        """Hold no network and no images any more."""
        self.networks = []
        self.subject.let_go()

    def _choose(self) -> Iterator[object]:
        """Keep the first images that all networks read right."""
        self.working = "now looking for images that all of them read right"
        subject, found, kept = self.subject, 0, []
        for few in subject.parts():
            right = torch.ones_like(few, dtype=torch.bool)
            for network in self.networks:
                right &= subject.read(network, subject.images[few]) == subject.labels[few]
                yield None
            kept.append(few[right])
            found += len(kept[-1])
            if found >= self.config.images:
                break
        chosen = torch.cat(kept)[: self.config.images]
        if not len(chosen):
            raise ValueError("sources must read some test image right, all of them, got none")
        subject.images, subject.labels = subject.images[chosen], subject.labels[chosen]
        self.images = len(chosen)

    def _changed(self, row: int) -> Generator[object, None, Float[Tensor, "n c h w"]]:
        """Attack one of the networks; where that fails the image stays as it is."""
        if self.attack.about.learns:
            self.working = TEACHING
        code, _ = yield from method_of(self.config.sources[row], self.attack)
        self.working = f"now {self.attack.about.title} on {self.names[row]}"
        changed = []
        size = together(self.attack, self.subject.images.shape[1:])
        for few in self.subject.parts(size):
            batch = yield from self.subject.attack(few, self.attack, code, self.networks[row])
            changed.append(batch.images)
            self.attacked += len(few)
        return torch.cat(changed)

    def _noise(
        self, clean: Float[Tensor, "n c h w"], changed: Float[Tensor, "n c h w"]
    ) -> Float[Tensor, "n c h w"]:
        """Lay the change of each image out anew."""
        if not len(clean):
            return clean
        noise = shuffled(changed - clean, clean, self.draws)
        return rounded("linf", clean + noise, clean, math.inf)

    def _count(
        self, row: int, column: int, pictures: Float[Tensor, "n c h w"], labels: Int[Tensor, " n"]
    ) -> None:
        """Let a network read pictures, and add those that it misreads to a cell."""
        if not len(pictures):
            return
        read = self.subject.read(self.networks[column], pictures)
        wrong: Bool[Tensor, " n"] = read != labels
        self.tried[row, column] += len(pictures)
        self.misread[row, column] += int(wrong.sum())
        key = f"{row}-{column}"
        room = EXAMPLES - (len(self.examples[key].labels) if key in self.examples else 0)
        shown = wrong.nonzero()[:room, 0]
        if not len(shown):
            return
        few = pictures[shown].mul(LEVELS).round().byte()
        made = [each.cpu().numpy() for each in (few, labels[shown], read[shown])]
        if key in self.examples:  # noise is of one network's changes after the other's
            old = self.examples[key]
            pairs = zip((old.pictures, old.labels, old.read), made, strict=True)
            made = [np.concatenate(pair) for pair in pairs]
        self.examples[key] = Misread(*made)


def transfer_all(config: TransferMatrix) -> Iterator[Transferring]:
    """Let what fools each network be read by all others, yielding before the first step too.

    Only images that all networks read right are attacked, so that a misread picture is the
    change's doing. The attack goes on to its last step and keeps what its own network is surest to
    misread, as what just crosses one boundary is seldom beyond another.

    Args:
        config: which networks, attack and images.

    Raises: ValueError when the networks are not of the same data, these are not here, or no test
        image is read right by all.

    Source: Papernot, McDaniel, Goodfellow 2016, arXiv:1605.07277 (such a matrix, two by two); Liu,
    Chen, Liu, Song 2016, arXiv:1611.02770 (images that all networks read right). They count all
    pictures; here a picture that does not fool its own network is no try at another. The noise
    beside it is ours.
    """
    yield from studied(Transferring(config))


def _require_alike(first: Model, other: Model) -> None:
    """Refuse networks whose pictures or classes are not the same."""
    if (first.data, first.classes, first.shape) != (other.data, other.classes, other.shape):
        titles = " and ".join(repr(about(each.source).title) for each in (first, other))
        raise ValueError(f"sources must be of the same data, classes and shape, got {titles}")
