"""Look inside a network: what a page may ask for and what it is given.

The work itself is in the modules beside this one, which need torch; this one does not, so that the
server that draws the page needs none either.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

__all__ = [
    "CLICK",
    "CONVOLVE",
    "EFFECTIVE_FIELD",
    "LEARNED",
    "LOOK",
    "MAPS",
    "MIX",
    "WEIGH",
    "Click",
    "Convolved",
    "EffectiveField",
    "Gradient",
    "Layer",
    "Look",
]

CLICK = "core.feature_maps.clicking:click"  # all of these are calls
LOOK = "core.feature_maps.looking:look"
MAPS = "core.feature_maps.looking:maps"
WEIGH = "core.feature_maps.weighing:weigh"


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a network, and what it made of a picture."""

    name: str  # as `tracing` gives it
    kind: str  # in words: "convolution 5×5", "ReLU"
    shape: tuple[int, int, int]  # of its maps: channels, height, width
    weights: tuple[int, ...]  # the shape of its weight, if it has one; () for none
    parameters: int
    field: tuple[int, int]  # receptive field: height and width in pixels, at most the picture's
    low: float  # the lowest value in any map
    high: float
    dead: int  # maps that are 0 everywhere


@dataclass(frozen=True, slots=True)
class Look:
    """A picture on its way through a network."""

    layers: tuple[Layer, ...]
    logits: Float[np.ndarray, " k"]
    probabilities: Float[np.ndarray, " k"]  # softmax of these


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    """How one value of a map came about."""

    kind: str  # of the layer, as `Layer.kind`
    at: tuple[int, int, int]  # channel, row, column
    value: float  # as the network gave it, in float32
    computed: float  # the same from the numbers below, in float64
    formula: str  # in one line, with the numbers in it
    window: Float[np.ndarray, "k h w"] | None  # the inputs that take part, for each input channel
    kernel: Float[np.ndarray, "k h w"] | None  # by what each is multiplied; None: by nothing
    inside: Bool[np.ndarray, "h w"] | None  # whether each lies within the input, not its padding
    channels: tuple[int, ...]  # the input channels that take part
    sums: Float[np.ndarray, " k"] | None  # of the products, for each input channel
    bias: float
    corner: tuple[int, int]  # row and column of the window's first value in the input
    span: tuple[int, int]  # rows and columns of the input from the window's first to its last
    field: tuple[int, int, int, int]  # in the picture: top, left, bottom, right, the ends excluded


@dataclass(frozen=True, slots=True, kw_only=True)
class Gradient:
    """How the gradient of one weight came about, for one picture and its label."""

    loss: float  # cross-entropy in nats
    weight: float
    gradient: float  # ∂L/∂w as automatic differentiation gives it
    computed: float  # the sum of the products below, in float64
    delta: Float[np.ndarray, "h w"]  # ∂L/∂ each output that the weight has a part in
    taken: Float[np.ndarray, "h w"]  # the input by which the weight was multiplied there
    stepped: float  # w − η ∂L/∂w


CONVOLVE = "core.feature_maps.laboratory:convolve"  # these of the laboratory are calls too
EFFECTIVE_FIELD = "core.feature_maps.laboratory:effective_field"
LEARNED = "core.feature_maps.laboratory:learned"
MIX = "core.feature_maps.laboratory:mix"


@dataclass(frozen=True, slots=True, kw_only=True)
class Convolved:
    """What a window of the laboratory makes of a picture."""

    values: Float[np.ndarray, "c H W"]  # of each colour by itself, as they are
    grey: Float[np.ndarray, "H W"]  # of the picture's grey, 0.299 R + 0.587 G + 0.114 B
    height: str  # how the height came about, LaTeX
    width: str  # likewise


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectiveField:
    """How much each pixel moves the unit in the middle of a map."""

    field: Float[np.ndarray, "h w"]  # |∂ unit / ∂ pixel|, the mean over colours and pictures
    unit: tuple[int, int]  # its row and column in the map
    box: tuple[int, int, int, int]  # the theoretical field: top, left, bottom, right, ends excluded
    side: float  # of the effective field: √ of the number of pixels above 4.55 % of the largest
    images: int  # pictures that the mean is over
    silent: int  # of them, those that move the unit by no pixel, as behind a ReLU that gives 0
