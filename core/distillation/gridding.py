"""A grid of students: one distillation after the other, over widths, temperatures and seeds."""

from collections.abc import Iterator

import numpy as np

from core.distillation.distilling import Distilling
from core.distillation.grids import Grid, Gridded
from core.distillation.teaching import learned_from
from core.shared.studied import studied
from core.shared.turns import WAITING

__all__ = ["Gridding", "grid"]


class Gridding:
    """A grid under way, that can be looked at between two steps."""

    def __init__(self, config: Grid) -> None:
        self.config, self.tested = config, len(learned_from(config.teacher).test)
        shape = config.seeds, len(config.widths), 1 + len(config.temperatures)
        self.errors = np.full(shape, np.nan)
        self.teacher_errors: int | None = None
        self.working = ""
        self._now: Distilling | None = None

    @property
    def progress(self) -> float:
        """The share of the students that have learned."""
        ended = int(np.isfinite(self.errors).sum())
        return (ended + (self._now.progress if self._now else 0.0)) / self.errors.size

    def freeze(self) -> Gridded:
        """Look at who has ended."""
        return Gridded(
            alone=self.errors[:, :, 0].copy(),
            distilled=self.errors[:, :, 1:].copy(),
            teacher_errors=self.teacher_errors,
            tested=self.tested,
            working=self.working,
        )

    def measure(self) -> Iterator[object]:
        """Let one student after the other learn, yielding whenever others may have their turn."""
        for place, config in self.config.students():
            seed, row, column = place
            how = f"distilled at T = {config.temperature:g}" if column else "alone"
            self.working = f"now {self.config.widths[row]} units, {how}, seed {seed}"
            self._now = Distilling(config)
            for given in self._now.measure():
                yield given if given is WAITING else None
            (student,) = self._now.students
            self.errors[place], self.teacher_errors = student.errors, self._now.teacher_errors
            self._now = None
        self.working = ""

    def let_go(self) -> None:
        """Hold no network and no images any more."""
        self._now = None


def grid(config: Grid) -> Iterator[Gridding]:
    """Distil students of several widths at several temperatures, yielding before the first too.

    Args:
        config: which students.

    Raises: ValueError when the data that the teacher learned from are not here.

    Source: Hinton, Vinyals, Dean 2015, arXiv:1503.02531, section 3: small students prefer a T of
    2.5 to 4.
    """
    yield from studied(Gridding(config))
