"""Explain an answer: what a page may ask for and what it is given.

The work itself is in the modules beside this one, which need torch; this one does not, so that the
server that draws the page needs none either.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

__all__ = [
    "ALL",
    "BASELINES",
    "EXPLAIN",
    "FAMILIES",
    "METHODS",
    "Attribution",
    "Method",
    "Query",
    "Surrogate",
]

EXPLAIN = "core.saliency.explaining:explain"  # a call

PIXELS, MAPS, MASKS, CONTROL = "gradient", "activation map", "perturbation", "control"
FAMILIES = (PIXELS, MAPS, MASKS, CONTROL)
ALL = 1_000  # layers: more than any network has
BASELINES = {  # what stands for a pixel that is absent
    "black": "black",
    "grey": "grey",
    "blur": "the picture, blurred",
    "noise": "noise",
    "own": "the picture's mean colour",
}
LAST_SEED = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Method:
    """One way to explain: what it is called, what its numbers say, which of a query it heeds."""

    title: str
    family: str  # one of FAMILIES
    says: str  # what a value of its map is, in a sentence
    unit: str  # of a value
    heeds: tuple[str, ...]  # the fields of `Query` besides target, against, melted and seed
    paper: str
    baseline: str = ""  # its usual one
    complete: bool = False  # its values add up to the score less the baseline's
    signed: bool = True  # whether a value below 0 can be, and speaks against the class
    caution: str = ""  # what is known against it, in a sentence


METHODS = {
    "gradient": Method(
        "Gradient",
        PIXELS,
        "How fast the score rises with the pixel.",
        "logits per unit of brightness",
        (),
        "Simonyan, Vedaldi, Zisserman 2013, arXiv:1312.6034, section 3",
        caution="It says what would change the answer from here, not what made it.",
    ),
    "gradient_input": Method(
        "Gradient × input",
        PIXELS,
        "How fast the score rises with the pixel, times the pixel: a black one has none.",
        "logits",
        (),
        "Shrikumar, Greenside, Shcherbina, Kundaje 2016, arXiv:1605.01713, section 2",
        caution="What is black can have no part, whatever the network makes of it.",
    ),
    "smoothgrad": Method(
        "SmoothGrad",
        PIXELS,
        "How fast the score rises with the pixel: the mean over pictures with noise.",
        "logits per unit of brightness",
        ("samples", "deviation"),
        "Smilkov, Thorat, Kim, Viégas, Wattenberg 2017, arXiv:1706.03825, section 3",
        caution="It speaks of pictures with noise, which the network may never have learned from.",
    ),
    "vargrad": Method(
        "VarGrad",
        PIXELS,
        "How much the gradient varies from one picture with noise to the next: its variance.",
        "(logits per unit of brightness)²",
        ("samples", "deviation"),
        "Adebayo, Gilmer, Goodfellow, Kim 2018, arXiv:1810.03307",
        signed=False,
        caution="It says where the gradient is unsteady, not whether the pixel speaks for the "
        "class or against it.",
    ),
    "integrated": Method(
        "Integrated gradients",
        PIXELS,
        "The gradient, averaged from the baseline to the picture, times what the pixel changes.",
        "logits",
        ("baseline", "steps"),
        "Sundararajan, Taly, Yan 2017, arXiv:1703.01365, equation 1",
        baseline="black",
        complete=True,
        caution="A pixel that is as in the baseline has no part: each baseline gives another map.",
    ),
    "expected": Method(
        "Expected gradients",
        PIXELS,
        "The gradient on the way from other pictures to this, times what the pixel differs by.",
        "logits",
        ("samples",),
        "Erion, Janizek, Sturmfels, Lundberg, Lee 2021, arXiv:1906.10670, section 2.2",
        complete=True,
        caution="It adds up on average over the draw alone: what is missing is sampling error. "
        "Where the training images are not here, the built-in photographs are the baselines.",
    ),
    "deeplift": Method(
        "DeepLIFT",
        PIXELS,
        "What the pixel adds to the score, as each unit differs from the baseline's: Rescale rule.",
        "logits",
        ("baseline",),
        "Shrikumar, Greenside, Kundaje 2017, arXiv:1704.02685, sections 3.2 and 3.5.1",
        baseline="black",
        complete=True,
        caution="Another network that computes the same function may get another map.",
    ),
    "guided": Method(
        "Guided backpropagation",
        PIXELS,
        "A gradient of which each ReLU lets pass only what is above 0, value and slope.",
        "logits per unit of brightness",
        (),
        "Springenberg, Dosovitskiy, Brox, Riedmiller 2014, arXiv:1412.6806, section 3.4",
        caution="It barely depends on the weights: it restores edges of the picture, and does so "
        "after the network has melted (Adebayo et al. 2018, Nie et al. 2018).",
    ),
    "deconvnet": Method(
        "Deconvnet",
        PIXELS,
        "A gradient of which each ReLU lets pass the slopes above 0, whatever its value.",
        "logits per unit of brightness",
        (),
        "Zeiler, Fergus 2013, arXiv:1311.2901, section 2.1",
        caution="It barely depends on the class or the weights (Nie et al. 2018), and without "
        "pooling not even on the picture.",
    ),
    "rollout": Method(
        "Attention rollout",
        MAPS,
        "How much of the patch flows into the class token through the attention of all blocks.",
        "share",
        (),
        "Abnar, Zuidema 2020, arXiv:2005.00928, section 3",
        signed=False,
        caution="It is the same for every class, and knows nothing of what the values carry.",
    ),
}
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Surrogate:
    """A simple model in the network's place: so much for each superpixel that is there."""

    segments: Int[np.ndarray, "h w"]  # the superpixel that each pixel belongs to: 0, 1, 2 …
    weights: Float[np.ndarray, " s"]  # of each superpixel, in logits
    intercept: float  # the score when all are absent, by the surrogate
    fidelity: float  # R², weighted, on the pictures that it was fitted to; 1 is exact


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """What each pixel has to do with an answer, by one method, and what it cost to find out."""

    query: Query  # with target, and the layer that was taken, filled in
    values: Float[np.ndarray, "d h w"]  # of each colour, or one for all of them; as they are
    score: float  # logit of the target, less that of `against`, for the picture
    probability: float  # of the target
    baseline: float  # the score of the baseline; NaN where there is none
    grid: tuple[int, int]  # rows and columns that were computed; each pixel, or fewer
    melted: tuple[str, ...]  # the layers that got random weights, the last first
    layers: int  # that the network has, which could be
    passes: int  # pictures that the network read
    gradients: int  # of these, those whose gradient was asked for
    seconds: float
    surrogate: Surrogate | None = None

    @property
    def gap(self) -> float:
        """What is missing to completeness: score − baseline's − Σ values; NaN without a baseline.

        Source: Sundararajan, Taly, Yan 2017, arXiv:1703.01365, proposition 1.
        """
        return self.score - self.baseline - float(self.values.sum(dtype=np.float64))
