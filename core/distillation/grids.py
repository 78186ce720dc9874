"""Students of several widths, each distilled at several temperatures: what a page may ask for.

The work itself is in `gridding`; this module needs no torch.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from core.distillation import Distillation
from core.shared.models import Source

__all__ = ["GRID", "Grid", "Gridded"]

GRID = "core.distillation.gridding:grid"  # long work: submit it with a Grid
WIDEST = 1_200  # units
MOST = {"widths": 8, "temperatures": 10}
SEEDS = (1, 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Students with one hidden layer: of each width one alone, and one distilled at each T.

    teacher: the network; the data that it learned from must be here.
    widths: units of the hidden layer.
    temperatures: T of the soft term.
    seeds: so many students of each kind, with the seeds 0, 1, 2 …
    images: labelled training images, the first of each class in turn.
    alpha: weight of the hard labels.
    epochs: passes over the images.

    Raises: ValueError when a value is outside its range.
    """

    teacher: Source
    widths: tuple[int, ...] = (8, 16, 32, 64)
    temperatures: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0, 20.0)
    seeds: int = 3
    images: int = 2_000
    alpha: float = 0.1
    epochs: int = 20

    def __post_init__(self) -> None:
        """Check each value; what each student's own distillation refuses is refused here."""
        for name, most in MOST.items():
            values = getattr(self, name)
            if not 1 <= len(values) <= most or len({*values}) < len(values):
                raise ValueError(f"{name} must be 1 to {most} values, each once, got {values!r}")
        for width in self.widths:
            if type(width) is not int or not 1 <= width <= WIDEST:
                raise ValueError(
                    f"widths must be whole numbers from 1 to {WIDEST:,}, got {width!r}"
                )
        lowest, highest = SEEDS
        if type(self.seeds) is not int or not lowest <= self.seeds <= highest:
            raise ValueError(
                f"seeds must be a whole number from {lowest} to {highest}, got {self.seeds!r}"
            )
        for _ in self.students():
            pass

    def students(self) -> Iterator[tuple[tuple[int, int, int], Distillation]]:
        """Give each student, of one seed after the other.

        Returns: its place, which is the seed's, the width's, and 0 for the one alone or 1, 2, 3 …
            for the temperatures; and how it learns.
        """
        for seed in range(self.seeds):
            for row, width in enumerate(self.widths):
                for column, temperature in enumerate((None, *self.temperatures)):
                    yield (
                        (seed, row, column),
                        Distillation(
                            teacher=self.teacher,
                            student=f"fc{width}-relu",
                            arms=("alone",) if temperature is None else ("distilled",),
                            temperature=1.0 if temperature is None else temperature,
                            images=self.images,
                            alpha=self.alpha,
                            epochs=self.epochs,
                            seed=seed,
                        ),
                    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Gridded:
    """How a grid stands: errors of the test images, NaN where a student has not ended."""

    alone: Float[np.ndarray, "seeds widths"]
    distilled: Float[np.ndarray, "seeds widths temperatures"]
    teacher_errors: int | None
    tested: int  # test images
    working: str
