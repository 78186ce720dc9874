"""The film of an attack on one picture while it is taken: a row for each moment, some pictures."""

import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from torch import Tensor

from core.adversarial import Film
from core.adversarial.balls import norms
from core.adversarial.best import Batch, Row
from core.adversarial.goals import Goal

__all__ = ["Reel"]

PICTURES, ROWS = 48, 600  # at most: those whose pictures are kept, those with numbers
LEVELS = 255


class Reel:
    """The film of an attack on one picture while it is taken."""

    def __init__(
        self, clean: Float[Tensor, "1 c h w"], view: Callable[[Tensor], Tensor], goal: Goal
    ) -> None:
        """Begin with nothing.

        Args:
            clean: the picture.
            view: brings images into the form that the network takes.
            goal: what is wanted.
        """
        self.clean, self.view, self.goal = clean, view, goal
        self.numbers: list[tuple[float, ...]] = []
        self.pictures: list[tuple[int, Tensor]] = []
        self.every = 1  # row whose picture is kept
        self.best, self.still = 0, clean
        self.lowest, self.moments = math.inf, 0
        self.elsewhere = 0  # rows before the first moment of an attack that begins elsewhere

    def begin(self, logits: Float[Tensor, "1 k"]) -> None:
        """Show the clean picture first."""
        self._take(self.clean, logits, math.nan, 1, False)
        self.lowest = self.numbers[0][0]

    def add(self, row: Row) -> None:
        """Take a moment of the attack."""
        gradient = math.nan if row.gradient is None else float(row.gradient)
        self.moments += 1
        if self.moments == 1 and row.images.equal(self.clean):  # it is shown already
            self.numbers, self.pictures = [], []
        elif self.moments == 1:
            self.elsewhere = 1
        self._take(row.images, row.logits, gradient, row.queries, bool(row.undone))
        margin = self.numbers[-1][0]
        if bool(row.better) or (self.lowest > margin and self.lowest > 0):
            self.best, self.still = len(self.numbers) - 1, row.images
        self.lowest = min(self.lowest, margin)

    def film(self) -> Film:
        """Cut the film: at most ROWS rows, among them the first, the best and the last."""
        count = len(self.numbers)
        stills = dict(self.pictures)
        stills[self.best] = self._still(self.still)
        kept = (
            {round(k * (count - 1) / (ROWS - 1)) for k in range(ROWS)}
            if count > ROWS
            else range(count)
        )
        places = sorted({*kept, *stills})
        table = np.array([self.numbers[place] for place in places], float)
        margin, p_true, p_other, linf, l2, l0, gradient, queries, undone = table.T
        shown = sorted(stills)
        return Film(
            step=np.array(places) - self.elsewhere,
            margin=margin,
            p_true=p_true,
            p_other=p_other,
            linf=linf,
            l2=l2,
            l0=l0.astype(int),
            gradient=gradient,
            queries=queries.astype(int),
            undone=undone.astype(bool),
            best=places.index(self.best),
            shown=np.array([places.index(place) for place in shown]),
            pictures=np.stack([stills[place].cpu().numpy() for place in shown]),
        )

    def end(self, batch: Batch, logits: Float[Tensor, "1 k"]) -> None:
        """Mark the moment that the result is of, or show it last where it is of none."""
        if bool(batch.longer):
            self._take(batch.images, logits, math.nan, int(self.numbers[-1][7]), False)
            self.moments += 1
            self.best = len(self.numbers) - 1
        else:
            self.best = self.elsewhere + int(batch.steps)
        self.still = batch.images

    def _take(
        self, images: Tensor, logits: Tensor, gradient: float, queries: int, undone: bool
    ) -> None:
        goal, shares = self.goal, logits.double().softmax(1)[0]
        label = int(goal.labels)
        other = int(goal.targets) if goal.targets is not None else _likeliest_other(shares, label)
        sizes = norms(images - self.clean)
        place = len(self.numbers)
        self.numbers.append(
            (
                float(goal.margin(logits)),
                float(shares[label]),
                float(shares[other]),
                *(float(sizes[name]) for name in ("linf", "l2", "l0")),
                gradient,
                queries,
                undone,
            )
        )
        if place % self.every == 0:
            self.pictures.append((place, self._still(images)))
            if len(self.pictures) > PICTURES:
                self.every *= 2
                self.pictures = self.pictures[::2]

    def _still(self, images: Tensor) -> Tensor:
        return self.view(images)[0].mul(LEVELS).round().byte()


def _likeliest_other(shares: Float[Tensor, " k"], label: int) -> int:
    others = shares.clone()
    others[label] = -1
    return int(others.argmax())
