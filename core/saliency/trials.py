"""Explanations on trial: what a page may ask for and is given; needs no torch."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Float16

from core.saliency import ALL, BASELINES, LAST_SEED, Attribution, Query
from core.saliency.methods import CONTROL
from core.saliency.packing import unpacked
from core.shared.models import Source

__all__ = [
    "CONTROLS",
    "MELTED",
    "METHOD",
    "MOST_QUERIES",
    "SPARING",
    "USUAL",
    "Court",
    "Judged",
    "Melted",
    "Row",
]

METHOD, MELTED = "method", "melted"  # what a row is there for, if it is no CONTROL
USUAL = (  # ten to be tried, of all families
    "gradient",
    "gradient_input",
    "smoothgrad",
    "integrated",
    "guided",
    "deeplift",
    "gradcam",
    "occlusion",
    "rise",
    "lime",
)
SPARING = {"samples": 10, "masks": 200}  # fields of a query, where pictures are large
CONTROLS = ("edges", "random", "blob")  # stand trial beside whatever is chosen
MOST_QUERIES = 24
POINTS = (2, 100)
NONE = -1  # no row


@dataclass(frozen=True, slots=True, kw_only=True)
class Court:
    """Which explanations of one answer to try, and how.

    source: the network.
    picture: as `packing.packed` writes it; the explanations are of it as it is then, in 8 bits.
    queries: one or more, none twice, all of one target and one other class, and no control among
        them: the controls stand trial in any case.
    imputers: of BASELINES, what stands for a pixel that is gone; each is tried.
    points: steps of a curve.
    seed: of the controls, of noise in place of pixels, and of the order of equal pixels.

    Raises: ValueError when a value is outside its range.
    """

    source: Source
    picture: str
    queries: tuple[Query, ...]
    imputers: tuple[str, ...] = ("grey", "blur", "noise", "own")
    points: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        """Check each value; whether the network takes the picture is for those who load it."""
        for name in ("queries", "imputers"):
            object.__setattr__(self, name, tuple(getattr(self, name)))  # JSON has lists alone
        if not 1 <= len(set(self.queries)) == len(self.queries) <= MOST_QUERIES:
            raise ValueError(
                f"queries must be 1 to {MOST_QUERIES} different ones, got {len(self.queries)}"
            )
        for query in self.queries:
            if query.about.family == CONTROL:
                raise ValueError(f"queries must be of methods, got the control {query.method!r}")
        if len({(query.target, query.against) for query in self.queries}) > 1:
            raise ValueError("queries must be about the same classes, got different ones")
        if not self.imputers or len(set(self.imputers)) < len(self.imputers):
            raise ValueError(f"imputers must be one or more, each once, got {self.imputers!r}")
        for imputer in self.imputers:
            if imputer not in BASELINES:
                raise ValueError(f"imputer must be one of {tuple(BASELINES)}, got {imputer!r}")
        for name, (lowest, most) in (("points", POINTS), ("seed", (0, LAST_SEED))):
            whole = getattr(self, name)
            if type(whole) is not int or not lowest <= whole <= most:
                raise ValueError(
                    f"{name} must be a whole number from {lowest} to {most:,}, got {whole!r}"
                )
        _ = unpacked(self.picture)

    def rows(self, target: int) -> tuple[tuple[str, Query], ...]:
        """List what stands trial, and what for: the queries, controls, and a melted network."""
        queries = [replace(query, target=target) for query in self.queries]
        first = queries[0]
        controls = [
            Query(method=name, target=target, against=first.against, seed=self.seed)
            for name in CONTROLS
        ]
        return (
            *((METHOD, query) for query in queries),
            *((CONTROL, query) for query in controls),
            (MELTED, replace(first, melted=ALL)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One map on trial, as far as it has come.

    All of its curves are of the network as it is, also where the map is that of a melted one.
    """

    role: str  # METHOD, CONTROL or MELTED
    query: Query  # with the target, and the layer that was taken, filled in
    refused: str  # a sentence why this method cannot explain this network; "" where it can
    values: Float16[np.ndarray, "h w"]  # summed over the colours, as a share of `scale`; shrunk
    # and where 0 says nothing, less their mean: so are the next three
    scale: float  # the largest value, without its sign, of the whole map
    least: float  # value
    most: float
    negligible: float  # as `Attribution` has it
    passes: int  # pictures that the network read for the map
    gradients: int
    seconds: float
    deletion: Float[np.ndarray, "i p"]  # probability by imputer and share; NaN: not measured yet
    insertion: Float[np.ndarray, "i p"]

    @property
    def map(self) -> Float[np.ndarray, "h w"]:
        """The map in its units, a pixel the mean of those that it stands for."""
        return self.values.astype(np.float32) * np.float32(self.scale)

    @property
    def deletion_area(self) -> Float[np.ndarray, " i"]:
        """The area under each curve of deletion, by trapezoids; the less the better."""
        return _area(self.deletion)

    @property
    def insertion_area(self) -> Float[np.ndarray, " i"]:
        """The area under each curve of insertion, by trapezoids; the more the better."""
        return _area(self.insertion)

    @property
    def total(self) -> float:
        """The area of insertion less that of deletion, the mean over the imputers; from −1 to 1."""
        return float((self.insertion_area - self.deletion_area).mean())


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What the court has seen so far."""

    rows: tuple[Row, ...]  # those that are there yet
    expected: int  # rows in the end
    imputers: tuple[str, ...]
    shares: Float[np.ndarray, " p"]  # of the pixels that are gone, or there
    target: int
    probability: float  # of the target, for the picture as it is
    working: str  # at what it is, in words; "" at the end

    @property
    def deletion_winners(self) -> tuple[int, ...]:
        """The row with the least area of deletion by each imputer; −1 while there is none."""
        areas = [-row.deletion_area for row in self.rows]
        return tuple(_best([each[i] for each in areas]) for i in range(len(self.imputers)))

    @property
    def insertion_winners(self) -> tuple[int, ...]:
        """The row with the largest area of insertion by each imputer; −1 while there is none."""
        areas = [row.insertion_area for row in self.rows]
        return tuple(_best([each[i] for each in areas]) for i in range(len(self.imputers)))

    @property
    def winner(self) -> int:
        """The row with the largest total; −1 while there is none. Of equal ones the first."""
        return _best([row.total for row in self.rows])


@dataclass(frozen=True, slots=True, kw_only=True)
class Melted:
    """The map of a network that has melted, beside that of the network as it was."""

    attribution: Attribution  # of the melted network
    correlation: float  # of the ranks of the two, on the support; NaN: one is constant there
    absolute: float  # the same of the values without their signs; NaN where 0 says nothing too
    support: int  # pixels on which they are compared
    layers: tuple[str, ...]  # that can melt, the first to go first


def _area(curves: Float[np.ndarray, "i p"]) -> Float[np.ndarray, " i"]:
    area: Float[np.ndarray, " i"] = np.trapezoid(curves, dx=1 / (curves.shape[1] - 1), axis=1)
    return area


def _best(values: list[float]) -> int:
    """Find the largest number; NaN is none."""
    known = np.array([-np.inf if np.isnan(each) else each for each in values])
    return int(known.argmax()) if np.isfinite(known).any() else NONE
