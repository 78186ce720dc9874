"""Attack a network: what a page may ask for and what it is given.

The work itself is in the modules beside this one, which need torch; this one, `studies` and
`defences` do not, so that the server that draws the page needs none either.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

__all__ = [
    "ATTACK",
    "LOSSES",
    "METHODS",
    "NORMS",
    "Attack",
    "Film",
    "Method",
    "Outcome",
]

ATTACK = "core.adversarial.attacking:attack"  # a call

NORMS = {"linf": "L∞", "l2": "L2", "l0": "L0"}
WAY = 2.5  # times epsilon: all steps together, where their size is not given
LOSSES = {"margin": "margin", "dlr": "DLR", "ce": "cross-entropy"}
MOST_STEPS, MOST_RESTARTS, MOST_QUERIES, LAST_SEED = 1_000, 20, 20_000, 2**31 - 1
NOISES, NOISES_OF_PHOTOGRAPHS = 100, 3  # changes at random that an outcome is compared with
WHITE, BLACK = "white box", "black box"


@dataclass(frozen=True, slots=True)
class Method:
    """One way to attack: what it is called, what it must know, and which of a config it heeds."""

    title: str
    box: str  # WHITE or BLACK
    knows: str  # of the network, in a sentence
    norms: tuple[str, ...]  # the first is the usual one
    heeds: tuple[str, ...]  # the fields of `Attack` besides norm, target and seed
    paper: str
    minimal: bool = False  # it looks for the least change, and epsilon only judges what it finds
    looks_first: bool = False  # its first moment is the clean image with its logits
    refines: bool = False  # it goes on from a success to a nearer one, also where others end early
    glances: bool = False  # it reads an image once a step and asks for no gradient
    learns: bool = False  # it teaches a network of its own first, by pictures of the same data


GRADIENT = "It knows the weights: each step asks for the gradient of a loss by the pixels."
LOGITS = "It sees the logits that are answered and nothing else."
METHODS = {
    "fgsm": Method(
        "FGSM",
        WHITE,
        GRADIENT,
        ("linf", "l2"),
        ("epsilon", "loss"),
        "Goodfellow, Shlens, Szegedy 2014, arXiv:1412.6572",
        looks_first=True,
    ),
    "bim": Method(
        "BIM",
        WHITE,
        GRADIENT,
        ("linf", "l2"),
        ("epsilon", "loss", "steps", "step_size"),
        "Kurakin, Goodfellow, Bengio 2016, arXiv:1607.02533",
        looks_first=True,
    ),
    "pgd": Method(
        "PGD",
        WHITE,
        GRADIENT,
        ("linf", "l2"),
        ("epsilon", "loss", "steps", "step_size", "restarts", "draws"),
        "Madry et al. 2017, arXiv:1706.06083",
    ),
    "mifgsm": Method(
        "MI-FGSM",
        WHITE,
        GRADIENT,
        ("linf", "l2"),
        ("epsilon", "loss", "steps", "step_size", "decay"),
        "Dong et al. 2017, arXiv:1710.06081",
        looks_first=True,
    ),
    "apgd": Method(
        "APGD",
        WHITE,
        GRADIENT,
        ("linf", "l2"),
        ("epsilon", "loss", "steps", "restarts", "draws"),
        "Croce, Hein 2020, arXiv:2003.01690",
    ),
    "deepfool": Method(
        "DeepFool",
        WHITE,
        "It knows the weights: each step asks for the gradients of the logits by the pixels.",
        ("l2", "linf"),
        ("epsilon", "steps", "overshoot"),
        "Moosavi-Dezfooli, Fawzi, Frossard 2015, arXiv:1511.04599",
        minimal=True,
        looks_first=True,
    ),
    "cw": Method(
        "Carlini–Wagner",
        WHITE,
        GRADIENT,
        ("l2",),
        ("epsilon", "steps", "searches", "rate", "confidence"),
        "Carlini, Wagner 2016, arXiv:1608.04644",
        minimal=True,
        refines=True,
    ),
    "jsma": Method(
        "JSMA",
        WHITE,
        "It knows the weights: each step asks for the gradients of the logits by the pixels.",
        ("l0",),
        ("epsilon", "steps"),
        "Papernot et al. 2015, arXiv:1511.07528",
        minimal=True,
        looks_first=True,
    ),
    "onepixel": Method(
        "One pixel",
        BLACK,
        LOGITS,
        ("l0",),
        ("epsilon", "queries", "population"),
        "Su, Vargas, Sakurai 2017, arXiv:1710.08864",
    ),
    "square": Method(
        "Square",
        BLACK,
        LOGITS,
        ("linf", "l2"),
        ("epsilon", "queries", "restarts"),
        "Andriushchenko et al. 2019, arXiv:1912.00049",
        glances=True,
    ),
    "nes": Method(
        "NES",
        BLACK,
        LOGITS,
        ("linf", "l2"),
        ("epsilon", "loss", "queries", "step_size", "population", "deviation"),
        "Ilyas et al. 2018, arXiv:1804.08598",
    ),
    "transfer": Method(
        "Transfer",
        BLACK,
        "It sees the logits of 2,000 images, half of them of its own making, teaches a network of "
        "its own by them, and attacks that.",
        ("linf", "l2"),
        ("epsilon", "loss", "steps", "step_size"),
        "Papernot et al. 2016, arXiv:1602.02697",
        learns=True,
    ),
}
WHOLE = {  # fields that are whole numbers, with their bounds
    "steps": (1, MOST_STEPS),
    "restarts": (1, MOST_RESTARTS),
    "draws": (1, 64),
    "searches": (1, 20),
    "queries": (1, MOST_QUERIES),
    "population": (4, 1_000),
    "seed": (0, LAST_SEED),
}
REAL = {  # fields that are not, with their bounds
    "step_size": (0.0, 100.0),
    "decay": (0.0, 10.0),
    "overshoot": (0.0, 1.0),
    "rate": (1e-6, 1.0),
    "confidence": (0.0, 100.0),
    "deviation": (1e-6, 1.0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """How to attack a picture.

    Pixels are from 0 to 1, and so are all distances: 8/255 is eight steps of an 8-bit pixel.

    method: one of METHODS, which says which of the other fields it heeds.
    norm: what epsilon bounds: "linf" the largest change of any value, "l2" the Euclidean length of
        the change, "l0" the number of pixels that change, in whatever channel; "" for the method's
        usual one.
    epsilon: the budget, in pixel units, or of "l0" in pixels. Methods that look for the least
        change are judged by it.
    loss: that grows on the way: "margin" is the largest other logit less the true one, "dlr" that
        over the distance of the first logit to the third, "ce" cross-entropy. With a target it is
        the target's logit less the largest other one, and so on.
    target: a class that the network shall read; None for any but the true one.
    steps: of the method; of Carlini–Wagner in each search, of JSMA pixels at most.
    step_size: of a step, in pixel units and the norm; 0 for 2.5 epsilon / steps.
    restarts: beginnings at random places, for those that are not fooled yet.
    draws: of a network that answers at random, over which each gradient is the mean.
    decay: of the momentum (μ).
    overshoot: beyond the boundary, as a share of the way (η).
    searches: of Carlini–Wagner, for the constant that weighs the loss against the distance.
    rate: of Carlini–Wagner's Adam.
    confidence: by how much the margin shall be exceeded (κ), in logits.
    queries: answers that a black box may be asked for.
    population: candidates of a generation, or directions of an estimated gradient.
    deviation: of these directions, in pixel units (σ).
    seed: of all that is random.
    early: whether it ends at the first success; else all steps are made and the best is kept.
    whole_levels: whether success counts only for 8-bit pixels, which are what can be saved.

    Raises: ValueError when a value is outside its range.
    """

    method: str = "pgd"
    norm: str = ""
    epsilon: float = 0.2
    loss: str = "margin"
    target: int | None = None
    steps: int = 40
    step_size: float = 0.0
    restarts: int = 1
    draws: int = 1
    decay: float = 1.0
    overshoot: float = 0.02
    searches: int = 6
    rate: float = 0.2
    confidence: float = 0.0
    queries: int = 1_000
    population: int = 50
    deviation: float = 0.01
    seed: int = 0
    early: bool = True
    whole_levels: bool = True

    def __post_init__(self) -> None:
        """Check each value; the target is for those to check who know the classes."""
        if self.method not in METHODS:
            raise ValueError(f"method must be one of {tuple(METHODS)}, got {self.method!r}")
        norms = METHODS[self.method].norms
        if self.norm not in ("", *norms):
            raise ValueError(f"norm must be one of {norms} for {self.method}, got {self.norm!r}")
        object.__setattr__(self, "norm", self.norm or norms[0])
        if self.loss not in LOSSES:
            raise ValueError(f"loss must be one of {tuple(LOSSES)}, got {self.loss!r}")
        for name, (lowest, most) in WHOLE.items():
            whole = getattr(self, name)
            if type(whole) is not int or not lowest <= whole <= most:
                raise ValueError(
                    f"{name} must be a whole number from {lowest} to {most:,}, got {whole!r}"
                )
        for name, (low, high) in REAL.items():
            value = getattr(self, name)
            if not low <= value <= high:  # also refuses NaN
                raise ValueError(f"{name} must be from {low:g} to {high:g}, got {value!r}")
        if self.norm == "linf" and not 0 <= self.epsilon <= 1:
            raise ValueError(f"epsilon must be from 0 to 1 in L∞, got {self.epsilon!r}")
        if not (self.epsilon >= 0 and math.isfinite(self.epsilon)):
            raise ValueError(f"epsilon must be finite and not below 0, got {self.epsilon!r}")
        if self.target is not None and (type(self.target) is not int or self.target < 0):
            raise ValueError(f"target must be the number of a class or None, got {self.target!r}")

    @property
    def about(self) -> Method:
        """What is known about the method."""
        return METHODS[self.method]

    @property
    def pairs(self) -> int:
        """Of NES, the pairs of opposite directions that a step tries: fewer with few queries."""
        return max(0, min(self.population, self.queries - 2) // 2)

    @property
    def moves(self) -> int:
        """How many steps are made: of NES as many as the queries allow."""
        if self.method != "nes":
            return self.steps
        return (self.queries - 1) // (2 * self.pairs + 1) if self.pairs else 0

    @property
    def length(self) -> float:
        """Of a step, in pixel units."""
        most = 1.0 if self.method == "nes" or self.steps == 1 else WAY
        return self.step_size or self.epsilon * min(most, WAY / max(1, self.moves))


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """An attack on one picture, moment by moment; the first row is the clean picture."""

    # Of the row. An attack that begins elsewhere, as PGD does, counts from that place; the clean
    # picture is then at −1. Beginnings after the first are counted on.
    step: Int[np.ndarray, " s"]
    margin: Float[np.ndarray, " s"]  # in logits; below 0 the network is fooled
    p_true: Float[np.ndarray, " s"]  # probability of the true class
    p_other: Float[np.ndarray, " s"]  # of the target, or of the likeliest other class
    linf: Float[np.ndarray, " s"]  # distance to the clean picture, in pixel units
    l2: Float[np.ndarray, " s"]
    l0: Int[np.ndarray, " s"]  # pixels that are changed
    gradient: Float[np.ndarray, " s"]  # ‖∂ loss / ∂ pixels‖₂; NaN where none was asked for
    queries: Int[np.ndarray, " s"]  # pictures that the network had read by then
    undone: Bool[np.ndarray, " s"]  # fooled there, not by the same in 8 bits, where that was asked
    best: int  # the row of the result, rounded; where none fools the one that came nearest
    shown: Int[np.ndarray, " m"]  # rows whose pictures are here
    pictures: UInt8[np.ndarray, "m c h w"]  # rounded to 8 bits, as the network sees them

    def title(self, row: int) -> str:
        """Name a row: the clean picture, the start where that is another, or the step."""
        if row == 0:
            return "clean"
        return "start" if self.step[row] == 0 else f"step {self.step[row]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an attack made of one picture, and what there is to be said against it."""

    clean: Float[np.ndarray, "c h w"]  # as the network sees it
    changed: Float[np.ndarray, "c h w"]  # likewise; the clean picture where the attack failed
    content: bytes  # the changed picture as PNG, a photograph at its own resolution
    size: tuple[int, int]  # of that, height and width; all distances are in its pixels
    label: int  # the class to get away from
    before: Float[np.ndarray, " k"]  # probabilities of the clean picture
    after: Float[np.ndarray, " k"]  # of the PNG, opened as an upload is
    already: bool  # the clean picture is read as was wanted: there was nothing to attack
    fooled: bool  # the PNG is read as was wanted
    found: bool  # so was something before it was rounded to 8 bits
    linf: float  # distance of the changed picture to the clean one, in pixel units
    l2: float
    l0: int  # pixels that are changed
    low: float  # of its pixels, at its own resolution
    high: float
    noise: int  # of so many shuffles of the change, those that lead away from the true class too
    noises: int  # that were tried; 0 where the attack failed
    alive: float  # the share of the gradients asked for that were not zero; NaN where none were
    steps: int  # the step that the result is of, as the film counts them; 0 where there is none
    queries: int  # pictures that the network read
    gradients: int  # of these, those whose gradient was asked for
    seconds: float  # that its own turns took
    film: Film
