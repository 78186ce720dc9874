"""What a study of many images has in common with another: a network, and the images."""

import math
from collections.abc import Generator, Iterator, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from core.adversarial import Attack
from core.adversarial.best import Batch
from core.adversarial.driving import drive
from core.adversarial.goals import Goal
from core.adversarial.portions import VALUES
from core.adversarial.problems import Method, Network
from core.shared.evaluating import quickest
from core.shared.folding import folded
from core.shared.loading import Model, load
from core.shared.models import Source
from core.shared.tested import tested

__all__ = ["AT_ONCE", "TEACHING", "Subject", "together"]

AT_ONCE = 64  # images
MANY = 1_024  # where a step of the attack costs next to nothing, but for being a step
TEACHING = "now teaching a network of its own by the answers of the one that is attacked"


def together(attack: Attack, shape: Sequence[int]) -> int:
    """Say how many images c×h×w an attack moves at once: the fewer are left, the dearer is each."""
    if not attack.about.glances:
        return AT_ONCE
    return max(AT_ONCE, min(MANY, VALUES // math.prod(shape)))  # a turn and memory have an end


class Subject:
    """A network and some test images of its data, until the study of them ends."""

    def __init__(self, source: Source, images: int) -> None:
        """Load them.

        Args:
            source: the network.
            images: the first so many test images.

        Raises: ValueError when the data that the network learned from are not here.
        """
        model = load(source)
        self.classes = model.classes
        self.network: Network | None = quickest(model.network)
        self.model: Model | None = model
        self.images, self.labels = (each[:images] for each in tested(model))

    def ask(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        """Ask the network.

        Raises: ValueError when the study has ended.
        """
        if self.network is None:
            raise ValueError("study must go on, got one that has ended")
        return self.network(images)

    def climb(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        """Ask a copy of the network that is quicker and the same but for its last bits.

        Raises: ValueError when the study has ended.
        """
        if self.model is None:
            raise ValueError("study must go on, got one that has ended")
        return quickest(folded(self.model.network, self.model.shape))(images)

    def parts(self, size: int = AT_ONCE) -> Iterator[Tensor]:
        """Give the places of the images, so many at a time."""
        return iter(torch.arange(len(self.images), device=self.labels.device).split(size))

    def read(self, network: Network, images: Float[Tensor, "n c h w"]) -> Int[Tensor, " n"]:
        """Tell the class that a network names for each image."""
        with torch.no_grad():
            return torch.cat([network(few).argmax(1) for few in images.split(AT_ONCE)])

    def attack(
        self,
        few: Int[Tensor, " m"],
        attack: Attack,
        method: Method,
        network: Network | None = None,
        *,
        target: int | None = None,
        drawn: bool = False,
    ) -> Generator[object, None, Batch]:
        """Lead some of the images away from their class, moment by moment.

        Args:
            few: their places.
            attack: how.
            method: its code.
            network: that is attacked; None for the subject's own, of which a quicker copy is
                climbed and, where success counts in 8 bits, the network itself asked in the end.
            target: a class that all of them shall be read as; None for any but their own.
            drawn: whether that network answers at random: then every image is attacked, also one
                whose first reading happens to be wrong, and one that no reading of the attack
                misread is as it was where its margin was the lowest.
        """
        labels, saved, logits = self.labels[few], None, None
        goal = Goal(labels, None if target is None else torch.full_like(labels, target))
        if network is None:
            network, saved = self.climb, self.ask
        if drawn:
            logits = F.one_hot(goal.labels, len(self.classes)).to(self.images)
        images = self.images[few]
        return (yield from drive(method, network, images, goal, attack, saved, logits, drawn=drawn))

    def let_go(self) -> None:
        """Hold no network and no images any more: an ended study may be kept for long."""
        self.network = self.model = None
        self.images = self.images[:0].clone()
