"""What is left of a network's accuracy under attack, over the budget; noise stands beside it."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from core.adversarial import METHODS, Attack
from core.adversarial.attacking import method_of
from core.adversarial.balls import distance, project, random_change, rounded
from core.adversarial.problems import Method
from core.adversarial.studies import Sweep, Swept
from core.adversarial.subjects import AT_ONCE, TEACHING, Subject, together
from core.shared.studied import studied
from core.shared.tested import LEVELS

__all__ = ["Sweeping", "sweep"]

NOISE = "noise of the same size"


class Sweeping:
    """A sweep under way, that can be looked at between two steps."""

    def __init__(self, config: Sweep) -> None:
        self.config, self.subject = config, Subject(config.source, config.images)
        self.names = (*(METHODS[each].title for each in config.methods), NOISE)
        self.accuracy = np.full((len(self.names), config.points), np.nan)
        self.clean = self._right(self.subject.images)
        self.working = ""

    @property
    def progress(self) -> float:
        """The share of the points that are measured."""
        return float(np.isfinite(self.accuracy).mean())

    def freeze(self) -> Swept:
        """Look at what is measured."""
        return Swept(
            budgets=np.array(self.config.budgets),
            names=self.names,
            accuracy=self.accuracy.copy(),
            clean=self.clean,
            images=len(self.subject.labels),
            working=self.working,
        )

    def measure(self) -> Iterator[object]:
        """Measure one point after another, yielding whenever others may have their turn."""
        config, subject = self.config, self.subject
        noise = len(config.methods)
        for place, epsilon in enumerate(config.budgets):
            self.accuracy[noise, place] = self._under_noise(epsilon)
            yield None
        for row, method in enumerate(config.methods):
            most = config.attack(method, config.most)
            self.working = TEACHING if most.about.learns else f"now {self.names[row]}"
            code, _ = yield from method_of(config.source, most)
            if most.about.minimal:
                yield from self._distances(row, most, code)
                continue
            left = torch.arange(len(subject.images), device=subject.labels.device)
            many = together(most, subject.images.shape[1:])
            for place, epsilon in enumerate(config.budgets):
                size = f"{LEVELS * epsilon:.3g}/255" if config.norm == "linf" else f"{epsilon:.3g}"
                self.working = f"now {self.names[row]} within {size}"
                # Who is fooled in a smaller ball is fooled in this one, by the same picture.
                kept = [torch.empty_like(left[:0])]
                for few in left.split(many):
                    batch = yield from subject.attack(few, config.attack(method, epsilon), code)
                    kept.append(few[~batch.fooled])
                left = torch.cat(kept)
                self.accuracy[row, place] = len(left) / len(subject.images)
                yield None
        self.working = ""

    def let_go(self) -> None:
        """Hold no network and no images any more."""
        self.subject.let_go()

    def _right(self, images: Float[Tensor, "n c h w"]) -> float:
        """Give the share of the images that are read right."""
        read = self.subject.read(self.subject.ask, images)
        return int((read == self.subject.labels).sum()) / len(read)

    def _distances(self, row: int, attack: Attack, code: Method) -> Iterator[object]:
        """Of a method that looks for the least change one attack serves all budgets."""
        found = []
        for few in self.subject.parts():
            batch = yield from self.subject.attack(few, attack, code)
            far = distance(attack.norm, batch.images - self.subject.images[few])
            found.append(torch.where(batch.fooled, far, torch.inf))
        distances = torch.cat(found)
        for place, epsilon in enumerate(self.config.budgets):
            right = distances > epsilon * (1 + 1e-5) + 1e-6
            self.accuracy[row, place] = int(right.sum()) / len(right)

    def _under_noise(self, epsilon: float) -> float:
        """Read each image with a change at random of the budget's size, cut off from 0 to 1.

        What leaves the pixels is not turned round: that would paint a black background grey.
        """
        config, noisy = self.config, []
        source = torch.Generator().manual_seed(config.seed)
        for images in self.subject.images.split(AT_ONCE):
            size = torch.full((len(images),), epsilon, device=images.device)
            change = random_change(config.norm, images, size, source)
            moved = project(config.norm, images + change, images, epsilon)
            noisy.append(rounded(config.norm, moved, images, epsilon))
        return self._right(torch.cat(noisy))


def sweep(config: Sweep) -> Iterator[Sweeping]:
    """Measure the accuracy under attack over the budget, yielding before the first point too.

    At ε = 0 it is the accuracy of the clean images; it never rises with ε, as a smaller ball lies
    in a larger one.

    Args:
        config: which attacks, budgets and images.

    Raises: ValueError when the data that the network learned from are not here.

    Source: Carlini et al. 2019, arXiv:1902.06705, section 4.3 (vary the budget, reach 0 %, compare
    with noise).
    """
    yield from studied(Sweeping(config))
