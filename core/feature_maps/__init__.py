"""Look inside a network: what a page may ask for and what it is given.

The work itself is in the modules beside this one, which need torch; this one does not, so that the
server that draws the page needs none either.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from core.shared.frames import Frame
from core.shared.models import Source

__all__ = [
    "CLICK",
    "CONVOLVE",
    "EFFECTIVE_FIELD",
    "LEARNED",
    "LESION",
    "LOOK",
    "MAPS",
    "MAXIMISE",
    "MIX",
    "PROBE",
    "SEES",
    "SHIFT",
    "SOFTMAX",
    "SPACE",
    "TOP",
    "WAYS",
    "WEIGH",
    "Ascent",
    "Click",
    "Convolved",
    "Dream",
    "EffectiveField",
    "Example",
    "Gradient",
    "Layer",
    "Lesion",
    "Look",
    "Probe",
    "Shift",
    "Space",
    "Top",
]

CLICK = "core.feature_maps.clicking:click"  # all of these but one are calls
CONVOLVE = "core.feature_maps.laboratory:convolve"
EFFECTIVE_FIELD = "core.feature_maps.laboratory:effective_field"
LEARNED = "core.feature_maps.laboratory:learned"
LESION = "core.feature_maps.channels:lesion"
LOOK = "core.feature_maps.looking:look"
MAPS = "core.feature_maps.looking:maps"
MIX = "core.feature_maps.laboratory:mix"
MAXIMISE = "core.feature_maps.climbing:maximise"  # long work: submit it with an Ascent
PROBE = "core.feature_maps.spaces:probe"
SEES = "core.feature_maps.clicking:sees"
SHIFT = "core.feature_maps.spaces:shift"
SPACE = "core.feature_maps.spaces:space"
TOP = "core.feature_maps.channels:top"
WEIGH = "core.feature_maps.weighing:weigh"

SOFTMAX = "softmax"  # stands as a layer behind the last: it takes the logits
WAYS = ("pca", "tsne")  # to lay a layer's values out on a plane
MOST_STEPS, LAST_SEED = 2_000, 2**31 - 1  # of an ascent


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a network, and what it made of a picture."""

    name: str  # as `tracing` gives it
    kind: str  # in words: "convolution 5×5", "ReLU"
    shape: tuple[int, int, int]  # of its maps: channels, height, width
    weights: tuple[int, ...]  # the shape of its weight, if it has one; () for none
    parameters: int
    field: tuple[int, int]  # receptive field: height and width in pixels, its padding too
    low: float  # the lowest value in any map
    high: float
    dead: int  # maps that are 0 everywhere


@dataclass(frozen=True, slots=True)
class Look:
    """A picture on its way through a network."""

    layers: tuple[Layer, ...]  # the last is SOFTMAX
    parameters: int  # of the whole network, those that take part
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
    first: int  # the input channel that the weights count from: a group's first
    sums: Float[np.ndarray, " k"] | None  # of the products, for each input channel
    bias: float
    corner: tuple[int, int]  # row and column of the window's first value in the input
    span: tuple[int, int]  # rows and columns of the input from the window's first to its last
    field: tuple[int, int, int, int]  # in the picture: top, left, bottom, right, the ends excluded
    # The layers whose values a block adds, each a channel of the window, or the one that it takes
    # over: "block7.project.norm", "block7 takes", "scale · layer"; () for maps of an input.
    parts: tuple[str, ...] = ()


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


@dataclass(frozen=True, slots=True)
class Example:
    """An image for which a channel is large, and where it is largest."""

    index: int  # among the test images, or among the photographs
    label: int  # its class; -1 for none that the network has
    value: float  # the largest of the channel's map
    at: tuple[int, int]  # row and column of that value in the map
    field: tuple[int, int, int, int]  # what it sees of the image: top, left, bottom, right
    pixels: Float[np.ndarray, "c h w"]  # the image, from 0 to 1
    patch: Float[np.ndarray, "c ph pw"]  # the part of it within the field


@dataclass(frozen=True, slots=True)
class Top:
    """The images for which a channel's largest value is highest, the highest first."""

    layer: str
    channel: int
    images: int  # that were searched: the first so many test images
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesion:
    """How a network reads with a part of a layer put out."""

    layer: str
    channel: int
    only: bool  # the channel is all that is left; else it is all that is missing
    before: Float[np.ndarray, " k"]  # probabilities of the picture with the layer whole
    after: Float[np.ndarray, " k"]  # and with the part put out
    images: int  # test images that were read besides, the first; 0 where the data are not here
    accuracy_before: float  # of these; NaN where there are none
    accuracy_after: float
    classes_before: Float[np.ndarray, " k"]  # share of each class's images read right; NaN: none
    classes_after: Float[np.ndarray, " k"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ascent:
    """How to change a picture so that a channel grows.

    source: the network.
    layer: one of those that `looking.look` lists, but for the softmax.
    channel: whose mean is to grow.
    steps: up the gradient.
    rate: what a step changes a pixel by, in the root mean square; black to white is 1.
    jitter: pixels by which a step shifts the picture at most, along both axes.
    blur: standard deviation, in pixels, of the Gaussian that smooths the picture; 0 for none.
    every: steps from one smoothing to the next.
    weight_decay: the share of its distance to the data's mean that a pixel loses in a step.
        In the last quarter of the steps there is neither jitter nor blur nor decay.
    seed: of the noise at the start and of the shifts.

    Raises: ValueError when a value is outside its range.
    """

    source: Source
    layer: str
    channel: int
    steps: int = 200
    rate: float = 0.02
    jitter: int = 2
    blur: float = 0.5
    every: int = 4
    weight_decay: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        """Check each value; the layer and the channel are for those to check who load it."""
        for name, lowest, most in (
            ("steps", 1, MOST_STEPS),
            ("jitter", 0, 32),
            ("every", 1, MOST_STEPS),
            ("seed", 0, LAST_SEED),
        ):
            whole = getattr(self, name)
            if type(whole) is not int or not lowest <= whole <= most:
                raise ValueError(
                    f"{name} must be a whole number from {lowest} to {most}, got {whole!r}"
                )
        for name, highest in (("rate", 1.0), ("blur", 10.0), ("weight_decay", 1.0)):
            value = getattr(self, name)
            if not 0 <= value <= highest:  # also refuses NaN
                raise ValueError(f"{name} must be from 0 to {highest:g}, got {value!r}")

    @property
    def held(self) -> int:
        """The steps that shift the picture, smooth it and draw it to grey: not the last quarter."""
        return self.steps - self.steps // 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Dream:
    """What a channel would like to see, as far as it is found."""

    step: int  # steps done; 0 is the noise that it began with
    steps: int  # in all
    value: float  # the channel's mean for this picture
    blank: float  # and for one whose pixels are all 0
    gradient: float  # ‖∂ value / ∂ pixels‖₂ at this picture
    picture: Float[np.ndarray, "c h w"]  # pixels from 0 to 1
    film: tuple[Frame, ...]  # at log-spaced steps up to this one
    frames: int  # that the film has in the end, at most 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """The values of a layer for many images, each image a point of a plane."""

    layer: str
    way: str  # one of WAYS
    points: Float[np.ndarray, "n 2"]
    labels: Int[np.ndarray, " n"]  # the true classes
    read: Int[np.ndarray, " n"]  # the classes that the network read
    values: int  # of an image that went in
    pooled: bool  # they are means on a coarser grid, as the maps had too many values
    shares: tuple[float, ...]  # of the variance, along each axis; () where the way has none


@dataclass(frozen=True, slots=True)
class Probe:
    """How well a linear classifier tells the classes apart by what a layer gives."""

    layer: str
    accuracy: float  # on images that it did not learn from
    values: int  # of an image that it sees
    pooled: bool  # they are means on a coarser grid, as the maps had too many values


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """How far each layer moves when the picture is shifted to the right.

    A distance is ‖a(shifted) − a‖ / ‖a‖, where a is all that a layer gives or the means of its
    maps; a cosine is that of the angle between the two. Both are NaN where a layer gives only 0.
    """

    layers: tuple[str, ...]
    pixels: Int[np.ndarray, " s"]  # by which the picture is shifted: 0, 1, 2 …
    distance: Float[np.ndarray, "l s"]
    cosine: Float[np.ndarray, "l s"]
    pooled_distance: Float[np.ndarray, "l s"]
    pooled_cosine: Float[np.ndarray, "l s"]
