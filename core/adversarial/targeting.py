"""Which class can be made to be read as which: images of each class, with each target in turn."""

from collections.abc import Iterator

import numpy as np
import torch

from core.adversarial import MOST_CLASSES, Targeted, TargetMatrix
from core.adversarial.attacking import CODE
from core.adversarial.driving import Network, drive
from core.adversarial.goals import Goal
from core.adversarial.sweeping import AT_ONCE, tested
from core.shared.evaluating import quickest
from core.shared.loading import load

__all__ = ["Targeting", "target_all"]

LEVELS = 255
LOOKED_THROUGH = 1_000  # test images, for those that are read right


class Targeting:
    """A matrix under way, that can be looked at between two steps."""

    def __init__(self, config: TargetMatrix) -> None:
        model = load(config.source)
        self.config, self.classes = config, model.classes
        count = len(model.classes)
        if count > MOST_CLASSES:
            raise ValueError(f"network must have at most {MOST_CLASSES} classes, got {count}")
        self.network: Network | None = quickest(model.network)
        images, labels = (values[:LOOKED_THROUGH] for values in tested(model))
        with torch.no_grad():
            right = [
                self.network(few).argmax(1) == true
                for few, true in zip(images.split(AT_ONCE), labels.split(AT_ONCE), strict=True)
            ]
        known = torch.cat(right)
        places = [((labels == k) & known).nonzero()[: config.each, 0] for k in range(count)]
        chosen = torch.cat(places)
        self.images, self.labels = images[chosen], labels[chosen]
        self.fooled = np.zeros((count, count), int)
        self.tried = np.zeros((count, count), int)
        self.examples: dict[str, np.ndarray] = {}
        self.working = ""

    @property
    def progress(self) -> float:
        """The share of the targets that are tried."""
        return float((self.tried.sum(0) > 0).mean())

    def freeze(self) -> Targeted:
        """Look at what is tried."""
        return Targeted(
            fooled=self.fooled.copy(),
            tried=self.tried.copy(),
            examples=dict(self.examples),
            working=self.working,
        )

    def measure(self) -> Iterator[object]:
        """Try one target after another, yielding whenever others may have their turn."""
        config = self.config
        for target, name in enumerate(self.classes):
            self.working = f"now with the target {name}"
            rows = (self.labels != target).nonzero()[:, 0]
            labels = self.labels[rows]
            goal = Goal(labels, torch.full_like(labels, target))
            code = CODE[config.attack.method]
            batch = yield from drive(code, self._ask, self.images[rows], goal, config.attack)
            for true in range(len(self.classes)):
                mine = labels == true
                fooled = batch.images[mine & batch.fooled]
                self.tried[true, target] = int(mine.sum())
                self.fooled[true, target] = len(fooled)
                if len(fooled):
                    levels = fooled.mul(LEVELS).round().byte().cpu().numpy()
                    self.examples[f"{true}-{target}"] = levels
            yield None
        self.working = ""

    def let_go(self) -> None:
        """Hold no network and no images any more: an ended matrix may be kept for long."""
        self.network, self.images = None, self.images[:0].clone()

    def _ask(self, images: torch.Tensor) -> torch.Tensor:
        if self.network is None:
            raise ValueError("matrix must go on, got one that has ended")
        return self.network(images)


def target_all(config: TargetMatrix) -> Iterator[Targeting]:
    """Let images of each class be read as each other class, yielding before the first target too.

    Args:
        config: which attack, and how many images.

    Raises: ValueError when the data that the network learned from are not here, or it has too many
        classes.
    """
    targeting = Targeting(config)
    try:
        yield targeting
        for _ in targeting.measure():
            yield targeting
    finally:
        targeting.let_go()
