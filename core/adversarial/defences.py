"""Defences and their trial: what a page may ask for and is given; needs no torch."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from core.adversarial import Attack
from core.adversarial.studies import require_count
from core.shared.models import Source

__all__ = [
    "COLUMNS",
    "FAKE",
    "FILTER",
    "FILTERED",
    "FILTERS",
    "GRADIENTS",
    "KNOWING",
    "TRICKS",
    "WAYS",
    "Defended",
    "FakeDefence",
    "FilterTrial",
    "Filtered",
    "Known",
    "Withstood",
    "require_filters",
]

FAKE = "core.adversarial.faking:fake"  # long work: submit it with a FakeDefence
FILTER = "core.adversarial.filtering:withstand"  # long work: submit it with a FilterTrial
FILTERED = "core.adversarial.filtered:through"  # a call
TRICKS: dict[str, tuple[str, tuple[float, ...]]] = {  # what is done to a network, and how strongly
    "scale": ("multiply the logits by s", (1, 10, 30, 100, 1_000)),
    "levels": ("round each pixel to n levels", (256, 16, 8, 4, 2)),
    "noise": ("add noise with σ to each picture", (0, 0.02, 0.05, 0.1, 0.2)),
}


@dataclass(frozen=True, slots=True)
class Known:
    """What is known about a filter that stands before a network."""

    title: str
    unit: str  # of its strength
    strengths: tuple[float, ...]  # the first is the weakest
    usual: float  # one of them
    ways: tuple[str, ...]  # of those who know it, from WAYS
    paper: str
    drawn: bool = False  # whether it does something else each time

    @property
    def known_by(self) -> str:
        """Say how an attack that knows it gets through it."""
        ways = ", ".join(WAYS[way] for way in self.ways)
        return f"{ways}, the mean of {GRADIENTS} draws" if self.drawn else ways


READINGS = 16  # of an image, where what is read is drawn at random
GRADIENTS = 8  # of what is drawn at random, whose mean a step of an attack that knows it follows
QUERIES = 200  # of an attack with no gradient
WAYS = {  # past a filter, for an attack that knows it
    "own": "its gradient",
    "straight": "BPDA",  # backward as if the filter did nothing
    "none": "Square",  # with no gradient, which also sees one that is hidden
}
FILTERS = {
    "gaussian": Known(
        "Gaussian smoothing",
        "σ of the bell, in pixels",
        (0.5, 0.8, 1, 1.5, 2),
        1,
        ("own",),
        "Xu, Evans, Qi 2017, arXiv:1704.01155",
    ),
    "median": Known(
        "Median",
        "side of the window, in pixels",
        (3, 5, 7),
        3,
        ("own", "straight", "none"),
        "Xu, Evans, Qi 2017, arXiv:1704.01155",
    ),
    "jpeg": Known(
        "JPEG",
        "quality, as libjpeg has it",
        (90, 75, 50, 25, 10),
        50,
        ("straight", "none"),
        "Dziugaite, Ghahramani, Roy 2016, arXiv:1608.00853",
    ),
    "depth": Known(
        "Bit depth",
        "bits a value",
        (6, 5, 4, 3, 2, 1),
        2,
        ("straight", "none"),
        "Xu, Evans, Qi 2017, arXiv:1704.01155",
    ),
    "resize": Known(
        "Random resize and pad",
        "share of the side that is lost at most",
        (0.1, 0.2, 0.3, 0.4),
        0.2,
        ("own",),
        "Xie et al. 2017, arXiv:1711.01991",
        drawn=True,
    ),
    "autoencoder": Known(
        "Denoising autoencoder",
        "σ of the noise it learned by, in pixel units",
        (0.1, 0.2, 0.3, 0.5),
        0.3,
        ("own", "straight", "none"),
        "Vincent et al. 2008; Meng, Chen 2017, arXiv:1705.09064",
    ),
}
USUAL = tuple((name, about.usual) for name, about in FILTERS.items())
KNOWING = ("pgd", "apgd")  # methods that can follow the mean of several gradients
COLUMNS = ("clean", "attacked, not knowing it", "attacked, knowing it")


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeDefence:
    """How to make a network seem robust, and whom to ask whether it is.

    source: the network; the data that it learned from must be here.
    trick: one of TRICKS; each strength of it is tried, the first of which changes no decision.
    epsilon: of all attacks, in L∞.
    images: the first so many test images.
    steps: of the attacks by gradient.
    queries: of the attack without.
    seed: of all that is random.

    Raises: ValueError when a value is outside its range.
    """

    source: Source
    trick: str = "scale"
    epsilon: float = 0.1
    images: int = 64
    steps: int = 20
    queries: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        """Check each value."""
        if self.trick not in TRICKS:
            raise ValueError(f"trick must be one of {tuple(TRICKS)}, got {self.trick!r}")
        require_count(self.images)
        _ = self.attack

    @property
    def attack(self) -> Attack:
        """The attack by cross-entropy that the others are measured against."""
        return Attack(
            epsilon=self.epsilon,
            loss="ce",
            steps=self.steps,
            queries=self.queries,
            seed=self.seed,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Defended:
    """The accuracy under each attack of a network that only seems robust, as far as measured."""

    strengths: tuple[float, ...]  # of the trick
    names: tuple[str, ...]  # of the attacks
    accuracy: Float[np.ndarray, "a s"]  # share of the images; NaN where it is not measured yet
    clean: Float[np.ndarray, " s"]  # without any attack
    alive: Float[np.ndarray, " s"]  # share of the first attack's gradients that are not zero
    images: int
    working: str  # at what it is, in words


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterTrial:
    """How to ask what filters before a network are worth, once the attack knows them.

    source: the network; the data that it learned from must be here.
    filters: names of FILTERS, each once, with the strength of each.
    method: one of KNOWING, of all attacks that follow a gradient.
    epsilon: of all attacks, in pixel units and L∞.
    images: the first so many test images.
    steps: of each attack.
    seed: of all that is random.

    Raises: ValueError when a value is outside its range.
    """

    source: Source
    filters: tuple[tuple[str, float], ...] = USUAL
    method: str = "pgd"
    epsilon: float = 0.1
    images: int = 64
    steps: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        """Check each value."""
        given = tuple((name, strength) for name, strength in self.filters)  # JSON has lists alone
        object.__setattr__(self, "filters", given)
        require_filters(given)
        if self.method not in KNOWING:
            raise ValueError(f"method must be one of {KNOWING}, got {self.method!r}")
        require_count(self.images)
        _ = self.attack

    @property
    def attack(self) -> Attack:
        """The attack that knows no filter; it goes on after its first success, to be surer."""
        return Attack(
            method=self.method,
            epsilon=self.epsilon,
            steps=self.steps,
            queries=QUERIES,
            seed=self.seed,
            early=False,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Withstood:
    """What is left of a network's accuracy behind each filter, as far as it is measured.

    The first row is the network with no filter, for which there is nothing to know.
    """

    filters: tuple[tuple[str, float], ...]  # of the rows but the first
    accuracy: Float[np.ndarray, "f 3"]  # share of the images, by COLUMNS; NaN: not measured yet
    images: int
    working: str  # at what it is, in words


@dataclass(frozen=True, slots=True, kw_only=True)
class Filtered:
    """A picture behind a filter, clean and attacked."""

    clean: Float[np.ndarray, "c h w"]  # from 0 to 1
    changed: Float[np.ndarray, "c h w"]
    before: Float[np.ndarray, " k"]  # probabilities of the clean one; the mean where it is drawn
    after: Float[np.ndarray, " k"]  # of the attacked one


def require_filters(filters: tuple[tuple[str, float], ...]) -> None:
    """Refuse filters that are none.

    Raises: ValueError when there is none, one twice, an unknown one, or another strength.
    """
    if not 1 <= len({name for name, _ in filters}) == len(filters):
        raise ValueError(f"filters must be one or more, each once, got {filters!r}")
    for name, strength in filters:
        if name not in FILTERS:
            raise ValueError(f"filter must be one of {tuple(FILTERS)}, got {name!r}")
        if strength not in FILTERS[name].strengths:
            raise ValueError(
                f"strength of {name} must be one of {FILTERS[name].strengths}, got {strength!r}"
            )
