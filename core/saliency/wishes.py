"""The picture that a class wants: what a page may ask for and is given; needs no torch."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from core.saliency import LAST_SEED
from core.shared.frames import Frame
from core.shared.models import Source

__all__ = ["GENERATOR", "NONE", "PRIORS", "Granted", "Neighbour", "Wanted", "Wish"]

NONE, GENERATOR = "none", "generator"
PRIORS = {NONE: "each pixel by itself", GENERATOR: "by a generator"}
WHOLE = {  # fields that are whole numbers, with their bounds
    "target": (0, 100_000),
    "steps": (1, 2_000),
    "jitter": (0, 32),
    "every": (1, 2_000),
    "seed": (0, LAST_SEED),
}
REAL = {"rate": 1.0, "blur": 10.0, "weight_decay": 1.0}  # from 0 on, with the largest


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How to look for the picture that a class wants.

    What climbs is the pixels, or with the generator the values of a code, each measured in its
    standard deviations over training images.

    source: the network.
    target: the class whose logit is to grow.
    priors: of PRIORS, one picture for each.
    steps: up the gradient.
    rate: what a step changes what climbs by, in the root mean square; black to white is 1.
    jitter: pixels by which a step shifts the picture at most, along both axes.
    blur: standard deviation, in pixels, of the Gaussian that smooths the pixels; 0 for none. After
        the last step they are not smoothed, and what a generator draws never is.
    every: steps from one smoothing to the next.
    weight_decay: the share of its distance to the data's mean that what climbs loses in a step.
    seed: of the noise at the start, of the shifts, and of the training images that tell a
        generator's range.

    Raises: ValueError when a value is outside its range.
    """

    source: Source
    target: int
    priors: tuple[str, ...] = (NONE, GENERATOR)
    steps: int = 100
    rate: float = 0.05
    jitter: int = 1
    blur: float = 0.5
    every: int = 4
    weight_decay: float = 0.02
    seed: int = 0

    def __post_init__(self) -> None:
        """Check each value; the class and the data are for those to check who load the network."""
        object.__setattr__(self, "priors", tuple(self.priors))  # JSON has lists alone
        for prior in self.priors:
            if prior not in PRIORS:
                raise ValueError(f"prior must be one of {tuple(PRIORS)}, got {prior!r}")
        if not 1 <= len(set(self.priors)) == len(self.priors):
            raise ValueError(f"priors must be one or more, each once, got {self.priors!r}")
        for name, (lowest, most) in WHOLE.items():
            whole = getattr(self, name)
            if type(whole) is not int or not lowest <= whole <= most:
                raise ValueError(
                    f"{name} must be a whole number from {lowest} to {most:,}, got {whole!r}"
                )
        for name, highest in REAL.items():
            value = getattr(self, name)
            if not 0 <= value <= highest:  # also refuses NaN
                raise ValueError(f"{name} must be from 0 to {highest:g}, got {value!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """The training image that is nearest to a picture."""

    index: int  # in the training images, counted from 0
    label: int
    distance: float  # in L2, over all pixels
    logit: float  # of the class that is wanted
    pixels: Float[np.ndarray, "c h w"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The picture that a class wants, as far as it is found under one prior."""

    prior: str  # one of PRIORS
    step: int  # steps done; 0 is what it began with
    logit: float  # of the class
    probability: float  # of the class
    gradient: float  # ‖∂ logit / ∂ what climbs‖₂ at this picture
    picture: Float[np.ndarray, "c h w"]  # pixels from 0 to 1
    film: tuple[Frame, ...]  # at log-spaced steps up to this one; their value is the logit
    nearest: Neighbour | None  # None where the data are not here


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """What became of a wish so far."""

    pictures: tuple[Wanted, ...]  # those that are begun, as the wish names their priors
    steps: int  # of each
    mean: Float[np.ndarray, "c h w"] | None  # of the class's training images; None: none are here
    mean_logit: float  # of the class, for that picture; NaN: there is none
    mean_probability: float
    usual: float  # L2 from test images of the class to the nearest training image, median; NaN
    working: str  # at what it is besides the steps, in words
