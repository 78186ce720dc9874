"""Explain an answer: what a page may ask for and what it is given.

The work itself is in the modules beside this one, which need torch; this one does not, so that the
server that draws the page needs none either.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from core.saliency.methods import METHODS, Method

__all__ = [
    "ALL",
    "BASELINES",
    "EXPLAIN",
    "JUDGE",
    "LAYERS",
    "MELT",
    "WANT",
    "Attribution",
    "Layer",
    "Query",
    "Surrogate",
]

EXPLAIN = "core.saliency.explaining:explain"  # a call
JUDGE = "core.saliency.judging:judge"  # long work: submit it with a `trials.Court`
LAYERS = "core.saliency.cams:layers"  # a call
MELT = "core.saliency.sanity:melt"  # a call
WANT = "core.saliency.wanting:want"  # long work: submit it with a `wishes.Wish`

ALL = 1_000  # layers: more than any network has
BASELINES = {  # what stands for a pixel that is absent
    "black": "black",
    "grey": "grey",
    "blur": "the picture, blurred",
    "noise": "noise",
    "own": "the picture's mean colour",
}
LAST_SEED = 2**31 - 1
# Logits are of 32 bits, and this about their last one as a share of them: what is less than it of
# how far apart they are is lost in them. Even one for each pixel of a photograph, 224×224 times,
# adds up to half a hundredth of that alone.
ROUNDING = 1e-7
QUARTER, STEPS = 4, 28  # of the picture's side: the box, and how far it moves, unless told

WHOLE = {  # fields that are whole numbers, with their bounds
    "steps": (1, 1_000),
    "samples": (1, 500),
    "size": (0, 512),
    "stride": (0, 512),
    "masks": (10, 10_000),
    "cells": (2, 32),
    "segments": (2, 400),
    "melted": (0, ALL),
    "seed": (0, LAST_SEED),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What to explain, and how.

    The score is the logit of `target`, less that of `against` where there is one.

    method: one of METHODS, which says which of the other fields it heeds.
    target: a class; None for the one that the network reads.
    against: another class, for why A rather than B.
    layer: whose maps are weighed, as `tracing` names it; "" for the last one that gives maps.
    baseline: one of BASELINES; "" for the method's usual one.
    steps: from the baseline to the picture.
    samples: pictures with noise, or baselines, over which a mean is taken.
    deviation: of that noise (σ), in pixel units, black to white is 1.
    size: pixels of a side of the box that hides a part; 0 for a quarter of the picture's.
    stride: pixels from one box to the next; 0 for a twenty-eighth of the picture's side.
    masks: pictures with parts hidden that the network reads.
    cells: along each side of the coarse grid from which masks are drawn.
    segments: superpixels, about.
    melted: so many layers, from the last one on, get random weights before.
    seed: of all that is random.

    Raises: ValueError when a value is outside its range.
    """

    method: str = "gradient"
    target: int | None = None
    against: int | None = None
    layer: str = ""
    baseline: str = ""
    steps: int = 50
    samples: int = 25
    deviation: float = 0.15
    size: int = 0
    stride: int = 0
    masks: int = 500
    cells: int = 7
    segments: int = 50
    melted: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        """Check each value; classes and layers are for those to check who know the network."""
        if self.method not in METHODS:
            raise ValueError(f"method must be one of {tuple(METHODS)}, got {self.method!r}")
        if self.baseline not in ("", *BASELINES):
            raise ValueError(f"baseline must be one of {tuple(BASELINES)}, got {self.baseline!r}")
        usual = self.about.baseline
        object.__setattr__(self, "baseline", self.baseline or usual)
        for name in ("target", "against"):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < 0):
                raise ValueError(f"{name} must be the number of a class or None, got {value!r}")
        if self.against is not None and self.against == self.target:
            raise ValueError(f"against must be another class than target, got {self.against} twice")
        for name, (lowest, most) in WHOLE.items():
            whole = getattr(self, name)
            if type(whole) is not int or not lowest <= whole <= most:
                raise ValueError(
                    f"{name} must be a whole number from {lowest} to {most:,}, got {whole!r}"
                )
        if not 0 <= self.deviation <= 1:  # also refuses NaN
            raise ValueError(f"deviation must be from 0 to 1, got {self.deviation!r}")

    @property
    def about(self) -> Method:
        """What is known about the method."""
        return METHODS[self.method]

    def box(self, side: int) -> tuple[int, int]:
        """Give the size of the box that hides a part, and how far it moves, in pixels.

        Args:
            side: of the picture, the shorter one.
        """
        size = self.size or max(1, side // QUARTER)
        return size, self.stride or min(size, max(1, side // STEPS))


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer whose maps can be weighed."""

    name: str  # as `tracing` gives it
    kind: str  # in words
    rows: int  # of its maps
    columns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Surrogate:
    """A simple model in the network's place: so much for each superpixel that is there."""

    segments: Int[np.ndarray, "h w"]  # the superpixel that each pixel belongs to: 0, 1, 2 …
    weights: Float[np.ndarray, " s"]  # of each superpixel, in logits
    intercept: float  # the score when all are absent, by the surrogate
    empty: float  # the same, by the network itself
    fidelity: float  # R², weighted, on the pictures that it was fitted to; 1 is exact, 0 a constant


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """What each pixel has to do with an answer, by one method, and what it cost to find out."""

    query: Query  # with target, and the layer that was taken, filled in
    values: Float[np.ndarray, "d h w"]  # of each colour, or one for all of them; as they are
    score: float  # logit of the target, less that of `against`, for the picture
    probabilities: Float[np.ndarray, " k"]  # of the classes
    spread: float  # of their logits: the largest less the least
    baseline: float  # the score of the baseline; NaN where there is none
    grid: tuple[int, int]  # rows and columns that were computed: each pixel, or fewer; of
    # superpixels their number, and 1
    melted: tuple[str, ...]  # the layers that got random weights, the last first
    layers: int  # that the network has, which could be
    passes: int  # pictures that the network read for the map, not to know the answer
    gradients: int  # of these, those whose gradient was asked for
    seconds: float  # of the method itself: not of loading, melting, or of others' turns
    surrogate: Surrogate | None = None

    @property
    def probability(self) -> float:
        """Of the target."""
        return float(self.probabilities[self.query.target])

    @property
    def negligible(self) -> float:
        """Up to here a value of the map is none, beside an answer whose logits are so far apart."""
        power = self.query.about.power
        return (ROUNDING * self.spread) ** power if power else 0.0

    @property
    def gap(self) -> float:
        """What is missing to completeness: score − baseline's − Σ values; NaN without a baseline.

        Source: Sundararajan, Taly, Yan 2017, arXiv:1703.01365, proposition 1.
        """
        return self.score - self.baseline - float(self.values.sum(dtype=np.float64))
