"""What is left of a network's accuracy under attack, over the budget; noise stands beside it."""

from collections.abc import Generator, Iterator

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from core.adversarial import METHODS, Attack, Sweep, Swept
from core.adversarial.attacking import CODE
from core.adversarial.balls import distance, inward, project, random_change, rounded
from core.adversarial.driving import Batch, Network, drive
from core.adversarial.goals import Goal
from core.shared import data
from core.shared.evaluating import quickest
from core.shared.loading import Model, load
from core.shared.models import about

__all__ = ["AT_ONCE", "Sweeping", "sweep", "tested"]

NOISE = "noise of the same size"
AT_ONCE = 64  # images
LEVELS = 255


class Sweeping:
    """A sweep under way, that can be looked at between two steps."""

    def __init__(self, config: Sweep) -> None:
        model = load(config.source)
        images, labels = tested(model)
        self.config = config
        self.network: Network | None = quickest(model.network)
        self.images, self.labels = images[: config.images], labels[: config.images]
        self.names = (*(METHODS[each].title for each in config.methods), NOISE)
        self.accuracy = np.full((len(self.names), config.points), np.nan)
        with torch.no_grad():
            read = torch.cat([self._ask(few).argmax(1) for few in self.images.split(AT_ONCE)])
        self.clean = int((read == self.labels).sum()) / len(read)
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
            images=len(self.labels),
            working=self.working,
        )

    def measure(self) -> Iterator[object]:
        """Measure one point after another, yielding whenever others may have their turn."""
        config = self.config
        noise = len(config.methods)
        for place, epsilon in enumerate(config.budgets):
            self.accuracy[noise, place] = self._under_noise(epsilon)
            yield None
        for row, method in enumerate(config.methods):
            if METHODS[method].minimal:
                yield from self._distances(row, config.attack(method, config.most))
                continue
            left = torch.arange(len(self.images), device=self.labels.device)
            for place, epsilon in enumerate(config.budgets):
                size = f"{LEVELS * epsilon:.3g}/255" if config.norm == "linf" else f"{epsilon:.3g}"
                self.working = f"now {self.names[row]} within {size}"
                # Who is fooled in a smaller ball is fooled in this one, by the same picture.
                kept = [torch.empty_like(left[:0])]
                for few in left.split(AT_ONCE):
                    batch = yield from self._attack(few, config.attack(method, epsilon))
                    kept.append(few[~batch.fooled])
                left = torch.cat(kept)
                self.accuracy[row, place] = len(left) / len(self.images)
                yield None
        self.working = ""

    def let_go(self) -> None:
        """Hold no network and no images any more: an ended sweep may be kept for long."""
        self.network, self.images = None, self.images[:0].clone()

    def _ask(self, images: Tensor) -> Tensor:
        if self.network is None:
            raise ValueError("sweep must go on, got one that has ended")
        return self.network(images)

    def _attack(self, few: Tensor, attack: Attack) -> Generator[object, None, Batch]:
        goal = Goal(self.labels[few], None)
        code = CODE[attack.method]
        return (yield from drive(code, self._ask, self.images[few], goal, attack))

    def _distances(self, row: int, attack: Attack) -> Iterator[object]:
        """Of a method that looks for the least change one attack serves all budgets."""
        self.working = f"now {self.names[row]}"
        found = []
        for few in torch.arange(len(self.images), device=self.labels.device).split(AT_ONCE):
            batch = yield from self._attack(few, attack)
            far = distance(attack.norm, batch.images - self.images[few])
            found.append(torch.where(batch.fooled, far, torch.inf))
        distances = torch.cat(found)
        for place, epsilon in enumerate(self.config.budgets):
            right = distances > epsilon * (1 + 1e-5) + 1e-6
            self.accuracy[row, place] = int(right.sum()) / len(right)

    def _under_noise(self, epsilon: float) -> float:
        """Read each image with a change at random of the budget's size."""
        config, right = self.config, 0
        source = torch.Generator().manual_seed(config.seed)
        for few in torch.arange(len(self.images), device=self.labels.device).split(AT_ONCE):
            images = self.images[few]
            size = torch.full((len(few),), epsilon, device=images.device)
            change = random_change(config.norm, images, size, source)
            noisy = images + inward(change, images)
            noisy = project(config.norm, noisy, images, epsilon)
            levels = rounded(config.norm, noisy, images, epsilon)
            with torch.no_grad():
                right += int((self._ask(levels).argmax(1) == self.labels[few]).sum())
        return right / len(self.images)


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
    sweeping = Sweeping(config)
    try:
        yield sweeping
        for _ in sweeping.measure():
            yield sweeping
    finally:
        sweeping.let_go()


def tested(model: Model) -> tuple[Float[Tensor, "n c h w"], Int[Tensor, " n"]]:
    """Give the test images of the data that a network learned from, in whole 255ths, and labels.

    Raises: ValueError when they are not here, or of another shape.
    """
    if not model.data:
        title = about(model.source).title
        raise ValueError(f"network must be one whose data are here, got {title}")
    test = data.dataset(model.data, next(model.network.parameters()).device).test
    if test.images.shape[1:] != model.shape:
        shape = tuple(test.images.shape[1:])
        raise ValueError(f"network must take pictures of {shape}, got {model.shape}")
    return (test.images * LEVELS).round() / LEVELS, test.labels
