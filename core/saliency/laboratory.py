"""The Clever-Hans laboratory: what a page may ask of it and is given, and how a map is scored.

It needs no torch: the server reads it too. The work itself is in `core.saliency.hans`.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from core.saliency import LAST_SEED, Query
from core.saliency.methods import VALUE, Method
from core.shared.models import Source

__all__ = [
    "COUNTS",
    "HANS",
    "MOST_QUERIES",
    "Answers",
    "Examination",
    "Examined",
    "Inside",
    "Scored",
    "inside",
    "relevance",
]

HANS = "core.saliency.hans:examine"  # long work: submit it with an Examination

COUNTS = (16, 32, 64, 128, 256)  # pictures that each method explains, of either kind
MOST_QUERIES = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """How to find out whether a network goes by a mark, and which methods tell.

    source: the network; the data that it learned from must be here.
    marked: the class whose training images had the mark, or might have had it.
    queries: the methods; each is asked about that class, whatever its target.
    images: test pictures of that class, and as many of others, that each method explains at most.
    seed: of the choice of the test pictures; the k-th that is explained adds k to a query's seed.

    Raises: ValueError when a value is outside its range.
    """

    source: Source
    marked: int
    queries: tuple[Query, ...] = (Query(), Query(method="gradient_input"))
    images: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        """Check each value; the class is for those to check who know the network."""
        if type(self.marked) is not int or self.marked < 0:
            raise ValueError(f"marked must be the number of a class, got {self.marked!r}")
        asked = tuple(replace(each, target=self.marked) for each in self.queries)
        object.__setattr__(self, "queries", asked)
        if not 1 <= len(set(asked)) == len(asked) <= MOST_QUERIES:
            raise ValueError(
                f"queries must be 1 to {MOST_QUERIES} different ones, got {len(self.queries)}"
            )
        if type(self.images) is not int or not 1 <= self.images <= COUNTS[-1]:
            raise ValueError(
                f"images must be a whole number from 1 to {COUNTS[-1]}, got {self.images!r}"
            )
        if type(self.seed) is not int or not 0 <= self.seed <= LAST_SEED:
            raise ValueError(f"seed must be from 0 to {LAST_SEED}, got {self.seed!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """How the network reads some test pictures as they are, and with the mark on them."""

    images: int
    right: tuple[float, float]  # share of them that is read right: without the mark, with it
    named: tuple[float, float]  # share of them that is read as the marked class, likewise


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """How much of a method's maps lies inside the mark, over some pictures with the mark.

    The errors are standard errors of the mean over the pictures; NaN where there are fewer than
    two, as all is where there is none.
    """

    images: int  # that were explained: all are read as the marked class
    empty: int  # of these, maps without any relevance; they count as beside the mark
    mass: float  # mean share of the relevance, as `relevance` has it, that is inside
    mass_error: float
    hits: float  # share of the maps whose largest relevance is inside; where several pixels have
    # it, the share of these that are
    hits_error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What one method says of the network."""

    query: Query
    refusal: str  # why it cannot explain this network, in a sentence; else ""
    others: Inside  # pictures of other classes, read as the marked one because of the mark
    own: Inside  # pictures of the marked class
    values: Float[np.ndarray, "d h w"] | None  # its map of the example
    negligible: float  # as `Attribution` has it, of the example


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What an examination has found out so far."""

    box: tuple[int, int, int, int]  # top, left, bottom, right of the mark, as `marks.place` has it
    chance: float  # the mark's share of a picture's area
    own: Answers | None  # test pictures of the marked class; None until they are read
    others: Answers | None  # test pictures of the other classes
    methods: tuple[Scored, ...]  # one for each query, in their order
    example: Float[np.ndarray, "c h w"] | None  # a picture with the mark, read as the marked class
    label: int | None  # its class
    working: str  # at what it is, in words


def relevance(values: Float[np.ndarray, "d h w"], method: Method) -> Float[np.ndarray, "h w"]:
    """Give what a method says of how much each pixel counts for the class, summed over the colours.

    Of a map whose sign is for or against the class that is what is above 0; of a slope, whose sign
    says brighter or darker, and of what has no sign, the absolute values. Where 0 says nothing it
    is what is above the map's mean: a map that is positive everywhere would else have the mark's
    share of the area inside the mark, wherever it is bright.

    Args:
        values: a map.
        method: by which it was made.
    """
    exact = values.astype(np.float64)
    if method.relative:
        exact = (exact - exact.mean((1, 2), keepdims=True)).clip(min=0)
    elif method.signed and method.order == VALUE:
        exact = exact.clip(min=0)
    total: np.ndarray = abs(exact).sum(0)
    return total


def inside(
    relevance: Float[np.ndarray, "h w"], box: tuple[int, int, int, int]
) -> tuple[float, float]:
    """Give the share of the relevance inside a box, and how far its largest value is there.

    Args:
        relevance: of each pixel, not below 0.
        box: top, left, bottom, right.

    Returns: the share, and 1 where the largest value is inside, 0 where it is outside, or between
        these the share of the pixels with that value that are. Where nothing is above 0, 0 and 0.
    """
    if not relevance.any():
        return 0.0, 0.0
    top, left, bottom, right = box
    largest = relevance == relevance.max()
    return (
        float(relevance[top:bottom, left:right].sum() / relevance.sum()),
        float(largest[top:bottom, left:right].sum() / largest.sum()),
    )
