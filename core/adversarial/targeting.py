"""Which class can be made to be read as which: images of each class, with each target in turn."""

from collections.abc import Iterator

import numpy as np
import torch

from core.adversarial.attacking import method_of
from core.adversarial.studies import MOST_CLASSES, Targeted, TargetMatrix
from core.adversarial.subjects import TEACHING, Subject
from core.shared.studied import studied
from core.shared.tested import LEVELS

__all__ = ["Targeting", "target_all"]

LOOKED_THROUGH = 1_000  # test images, for those that are read right


class Targeting:
    """A matrix under way, that can be looked at between two steps."""

    def __init__(self, config: TargetMatrix) -> None:
        self.config, self.subject = config, Subject(config.source, LOOKED_THROUGH)
        self.classes = self.subject.classes
        count = len(self.classes)
        if count > MOST_CLASSES:
            raise ValueError(f"network must have at most {MOST_CLASSES} classes, got {count}")
        images, labels = self.subject.images, self.subject.labels
        right = self.subject.read(self.subject.ask, images) == labels
        places = [((labels == k) & right).nonzero()[: config.each, 0] for k in range(count)]
        chosen = torch.cat(places)
        self.subject.images, self.subject.labels = images[chosen], labels[chosen]
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
        config, subject = self.config, self.subject
        if config.attack.about.learns:
            self.working = TEACHING
        code, _ = yield from method_of(config.source, config.attack)
        for target, name in enumerate(self.classes):
            self.working = f"now with the target {name}"
            rows = (subject.labels != target).nonzero()[:, 0]
            labels = subject.labels[rows]
            batch = yield from subject.attack(rows, config.attack, code, target=target)
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
        """Hold no network and no images any more."""
        self.subject.let_go()


def target_all(config: TargetMatrix) -> Iterator[Targeting]:
    """Let images of each class be read as each other class, yielding before the first target too.

    Args:
        config: which attack, and how many images.

    Raises: ValueError when the data that the network learned from are not here, or it has too many
        classes.
    """
    yield from studied(Targeting(config))
