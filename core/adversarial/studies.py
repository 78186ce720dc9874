"""Studies of a network on many images: what a page may ask for and is given; needs no torch."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8

from core.adversarial import LOSSES, Attack
from core.shared.models import Source

__all__ = [
    "COUNTS",
    "EACH",
    "MOST_CLASSES",
    "MOST_CURVES",
    "MOST_NETWORKS",
    "SWEEP",
    "TARGETS",
    "TRANSFERS",
    "UNIVERSAL",
    "Misread",
    "Sweep",
    "Swept",
    "TargetMatrix",
    "Targeted",
    "TransferMatrix",
    "Transferred",
    "Universal",
    "UniversalAttack",
    "require_count",
]

SWEEP = "core.adversarial.sweeping:sweep"  # long work: submit it with a Sweep
TARGETS = "core.adversarial.targeting:target_all"  # long work: submit it with a TargetMatrix
TRANSFERS = "core.adversarial.transferring:transfer_all"  # submit it with a TransferMatrix
UNIVERSAL = "core.adversarial.universal:universal"  # long work: submit it with a UniversalAttack

COUNTS = (64, 128, 256, 500, 1_000)  # images of a sweep
MOST_CURVES, MOST_POINTS = 4, 40
EACH = (1, 2, 5, 10)  # images of each class in such a matrix
MOST_CLASSES = 20  # of it
MOST_NETWORKS = 6
BALLS = ("linf", "l2")
WHOLE = {  # fields that are whole numbers, with their bounds
    "images": (1, 10_000),
    "steps": (1, 2_000),
    "batch_size": (1, 1_000),
    "seed": (0, 2**31 - 1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """How to measure the accuracy that is left to a network under attack, over the budget.

    source: the network; the data that it learned from must be here.
    methods: at most four of METHODS, each with the norm.
    norm: of the budget.
    most: the largest budget, in pixel units.
    points: budgets, evenly far apart from 0 on.
    images: the first so many test images.
    loss: of the methods that heed one.
    steps: of these that heed them.
    queries: likewise.
    seed: of all that is random.

    Raises: ValueError when a value is outside its range.
    """

    source: Source
    methods: tuple[str, ...] = ("fgsm", "pgd")
    norm: str = "linf"
    most: float = 0.2
    points: int = 11
    images: int = 64
    loss: str = "margin"
    steps: int = 20
    queries: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        """Check each value."""
        object.__setattr__(self, "methods", tuple(self.methods))  # JSON has lists alone
        if not 1 <= len(set(self.methods)) == len(self.methods) <= MOST_CURVES:
            raise ValueError(
                f"methods must be 1 to {MOST_CURVES} different ones, got {self.methods!r}"
            )
        for method in self.methods:
            self.attack(method, self.most)
        if self.norm == "l0":
            raise ValueError("norm must be linf or l2 for a curve, got 'l0'")
        if type(self.points) is not int or not 2 <= self.points <= MOST_POINTS:  # noqa: PLR2004
            raise ValueError(
                f"points must be a whole number from 2 to {MOST_POINTS}, got {self.points!r}"
            )
        require_count(self.images)

    def attack(self, method: str, epsilon: float) -> Attack:
        """Give the attack of a curve at one budget."""
        return Attack(
            method=method,
            norm=self.norm,
            epsilon=epsilon,
            loss=self.loss,
            steps=self.steps,
            queries=self.queries,
            seed=self.seed,
        )

    @property
    def budgets(self) -> tuple[float, ...]:
        """The budgets, from 0 on."""
        return tuple(self.most * k / (self.points - 1) for k in range(self.points))


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """The accuracy that is left to a network under attack, as far as it is measured."""

    budgets: Float[np.ndarray, " b"]  # in pixel units
    names: tuple[str, ...]  # of the curves: the methods, and noise of the same size
    accuracy: Float[np.ndarray, "c b"]  # share of the images; NaN where it is not measured yet
    clean: float  # share of the images that are read right, read by themselves
    images: int
    working: str  # at what it is, in words


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetMatrix:
    """How to let images of each class be read as each other class.

    source: the network; the data that it learned from must be here.
    attack: on each image; the targets come with the images.
    each: images of each class, the first in the test set that are read right.

    Raises: ValueError when a value is outside its range.
    """

    source: Source
    attack: Attack
    each: int = 5

    def __post_init__(self) -> None:
        """Check each value."""
        if self.each not in EACH:
            raise ValueError(f"each must be one of {EACH}, got {self.each!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Targeted:
    """Which classes can be made to be read as which, as far as it is tried."""

    fooled: Int[np.ndarray, "k k"]  # row: the true class, column: the target that was reached
    tried: Int[np.ndarray, "k k"]  # so many images; 0 on the diagonal
    examples: dict[str, UInt8[np.ndarray, "m c h w"]]  # "3-8": threes that are read as 8, changed
    working: str  # at what it is, in words


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferMatrix:
    """How to let what fools one network be read by others.

    sources: two to six different networks of the same data, which must be here.
    attack: on each of them; without its target, for all its steps though it succeeds before, and
        with success in 8 bits alone. A picture at the boundary of one network is seldom beyond that
        of another, and what the network is surest to misread is; so a method that looks for the
        least change transfers badly.
    images: the first so many test images that all of the networks read right.

    Raises: ValueError when a value is outside its range.
    """

    sources: tuple[Source, ...]
    attack: Attack
    images: int = 64

    def __post_init__(self) -> None:
        """Check each value; whether the networks are alike is for those to check who load them."""
        object.__setattr__(self, "sources", tuple(self.sources))  # JSON has lists alone
        count = len(self.sources)
        if not 2 <= count <= MOST_NETWORKS:  # noqa: PLR2004
            raise ValueError(f"sources must be 2 to {MOST_NETWORKS} networks, got {count}")
        if len(set(self.sources)) < count:
            raise ValueError("sources must be different networks, got the same one twice")
        require_count(self.images)


@dataclass(frozen=True, slots=True)
class Misread:
    """Some changed pictures that a network misreads."""

    pictures: UInt8[np.ndarray, "m c h w"]
    labels: Int[np.ndarray, " m"]  # their classes
    read: Int[np.ndarray, " m"]  # what the network reads


@dataclass(frozen=True, slots=True, kw_only=True)
class Transferred:
    """Which networks misread what was made to fool which, as far as it is tried.

    The row is that of the network that the pictures were made on, the column that of the one that
    reads them. On the diagonal all images are tried; beside it only those changed pictures that
    fool the network they were made on. In the last row the changes of these, from all networks, are
    laid out anew: noise of the same size.
    """

    names: tuple[str, ...]  # of the networks
    misread: Int[np.ndarray, "r k"]  # one row more than networks
    tried: Int[np.ndarray, "r k"]  # so many pictures
    examples: dict[str, Misread]  # "0-1": made on the first, misread by the second; "2-1" of noise
    images: int  # that all networks read right; 0 until they are found
    working: str  # at what it is, in words


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
    examples: Float[np.ndarray, "m c h w"]  # some test pictures as they are, from 0 to 1
    changed: Float[np.ndarray, "m c h w"]  # and with the change
    read: Int[np.ndarray, " m"]  # the classes that the network reads in the first
    misread: Int[np.ndarray, " m"]  # and in the second


def require_count(images: int) -> None:
    """Refuse what is no number of test images.

    Raises: ValueError that says how many there may be.
    """
    if type(images) is not int or not 1 <= images <= COUNTS[-1]:
        raise ValueError(f"images must be a whole number from 1 to {COUNTS[-1]:,}, got {images!r}")
