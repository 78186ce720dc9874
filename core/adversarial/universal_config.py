"""One change for all pictures: what a page may ask for and what it is given; needs no torch."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from core.adversarial import LOSSES
from core.shared.models import Source

__all__ = ["UNIVERSAL", "Universal", "UniversalAttack"]

UNIVERSAL = "core.adversarial.universal:universal"  # long work: submit it with a UniversalAttack

BALLS = ("linf", "l2")
WHOLE = {  # fields that are whole numbers, with their bounds
    "images": (1, 10_000),
    "steps": (1, 2_000),
    "batch_size": (1, 1_000),
    "seed": (0, 2**31 - 1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class UniversalAttack:
    """How to look for one change that fools a network on most pictures.

    source: the network.
    epsilon: the budget, in pixel units and the norm.
    norm: what epsilon bounds: "linf" the largest change of any value, "l2" the Euclidean length of
        the change.
    loss: whose mean over the pictures grows, as `Attack` has it.
    images: training pictures that are learned from; all, if they are fewer.
    steps: up the gradient, each for a batch.
    batch_size: pictures of a step; all, if they are fewer.
    seed: of the choice of the pictures and of the batches.

    Raises: ValueError when a value is outside its range.
    """

    source: Source
    epsilon: float = 0.1
    norm: str = "linf"
    loss: str = "margin"
    images: int = 1_000
    steps: int = 100
    batch_size: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        """Check each value; whether the data are here is for those to check who load them."""
        if self.norm not in BALLS:
            raise ValueError(f"norm must be one of {BALLS}, got {self.norm!r}")
        if self.loss not in LOSSES:
            raise ValueError(f"loss must be one of {tuple(LOSSES)}, got {self.loss!r}")
        if not (self.epsilon >= 0 and math.isfinite(self.epsilon)):
            raise ValueError(f"epsilon must be finite and not below 0, got {self.epsilon!r}")
        if self.norm == "linf" and self.epsilon > 1:
            raise ValueError(f"epsilon must be from 0 to 1 in L∞, got {self.epsilon!r}")
        for name, (lowest, most) in WHOLE.items():
            whole = getattr(self, name)
            if type(whole) is not int or not lowest <= whole <= most:
                raise ValueError(
                    f"{name} must be a whole number from {lowest} to {most:,}, got {whole!r}"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Universal:
    """One change for all pictures, as far as it is found."""

    step: int  # steps done; 0 is no change at all
    steps: int  # in all
    change: Float[np.ndarray, "c h w"]  # in whole 255ths; what leaves black to white is cut off
    fooled: float  # share of the pictures learned from that are read otherwise than unchanged
    held_out: float  # the same of test pictures, which nothing was learned from
    images: int  # pictures that `fooled` is a share of
    others: int  # and that `held_out` is
