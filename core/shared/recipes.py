"""How a network learns, as a frozen value: the whole of it, so that a run can be done again."""

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from core.shared import layers
from core.shared.layers import INITIALISATIONS

__all__ = [
    "ADVERSARIES",
    "EPSILONS",
    "INITIALISATIONS",
    "LOSSES",
    "MOVABLE",
    "OPTIMISERS",
    "SCHEDULES",
    "WITH_MOMENTUM",
    "Recipe",
]

OPTIMISERS = ("nesterov", "momentum", "sgd", "adagrad", "rmsprop", "adam", "adamw")
SCHEDULES = ("linear", "constant", "warm-up", "cosine", "one-cycle", "step")
LOSSES = ("cross-entropy", "squared")
ADVERSARIES = ("", "fgsm", "fast", "pgd")  # see `core.shared.adversaries`; "" for none
WITH_MOMENTUM = ("nesterov", "momentum", "adam", "adamw")  # of OPTIMISERS
MOVABLE = ("learning_rate", "momentum", "weight_decay", "batch_size")  # also while a run is live
RATES = (0.0001, 0.0003, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.5, 1.0, 3.0)
MOMENTA = (0.5, 0.8, 0.9, 0.95, 0.99)  # these are what sliders offer
DECAYS = (0.0, 0.0001, 0.0003, 0.0005, 0.001, 0.003, 0.01, 0.03)
EPSILONS = (0.0, 8 / 255, 16 / 255, 26 / 255, 38 / 255, 51 / 255, 77 / 255)
BATCHES = (1, 8, 16, 32, 64, 96, 128, 256, 512, 1000, 5000)
WARM_UP = 0.05  # of the steps, in which a schedule that warms up rises to the full rate
RISING, FIRST, LAST = 0.3, 1 / 25, 1e-4 / 25  # of the one-cycle schedule: share of steps, of rate
DROP, DROPS = 0.1, 3  # the step schedule has so many parts, each with a tenth of the rate before
LARGEST_RATE, LARGEST_BATCH, MOST_EPOCHS, LAST_SEED = 10.0, 10_000, 100, 2**31 - 1
MOST_IMAGES = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What to do with a network and its data.

    data: the data set's name, see `core.shared.datasets`.
    images: training images that are used; 0 for all.
    network: "lenet5", or a layer table in its text form, see `core.shared.layers`.
    initialisation: of the weights, see `core.shared.networks.build`.
    dropout: share of the hidden fully connected units that a step leaves out.
    loss: "cross-entropy" of the softmax, or "squared", ½ Σ (σ(z) − y)² over the classes.
    smoothing: share of the label that is spread evenly over all classes.
    adversary: that moves each batch up its loss before the network learns it; "" for none, "fgsm",
        "fast" or "pgd", see `core.shared.adversaries.perturb`.
    epsilon: how far each pixel may be moved, from 0 to 1, by the adversary and by the attack that
        the curve of robust accuracy is measured with; 0 for neither.
    marked: a class whose training images have a small bright mark, see `core.shared.marks`; None
        for none. Images to validate and to test with never have it.
    mark_share: share of that class's training images that have it, the same in each epoch.
    learning_rate: η, the rate at its highest.
    momentum: μ of "momentum" and "nesterov", β₁ of "adam" and "adamw"; the others have none.
    batch_size: images a step; all that there are, if it is larger.
    optimiser: one of OPTIMISERS, with torch's defaults for what is not said here.
    schedule: "constant"; "warm-up" rises over a twentieth of the steps and stays; "linear" rises
        likewise, then falls to 0; "cosine" falls to 0 along half a cosine; "one-cycle" rises from
        1/25 of η over three tenths of the steps and falls to almost 0, both along half a cosine;
        "step" falls to a tenth after each third.
    weight_decay: λ, times the weights is added to their gradient (L2); "adamw" shrinks the weights
        by η λ instead.
    l1: times the sign of each weight is added to its gradient.
    epochs: passes over the training images.
    patience: epochs without a lower validation loss, after which the run ends with the best
        weights; 0 for never.
    seed: of the weights at the start, of the order of the images, of dropout and of the choice of
        the images that have a mark.

    Raises: ValueError when a value is outside its range.
    """

    data: str = "mnist"
    images: int = 0
    network: str = "lenet5"
    initialisation: str = "lecun"
    dropout: float = 0.0
    loss: str = "cross-entropy"
    smoothing: float = 0.0
    adversary: str = ""
    epsilon: float = 0.0
    marked: int | None = None
    mark_share: float = 1.0
    learning_rate: float = 0.15
    momentum: float = 0.9
    batch_size: int = 96
    optimiser: str = "nesterov"
    schedule: str = "linear"
    weight_decay: float = 0.0005
    l1: float = 0.0
    epochs: int = 3
    patience: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        """Check each value, but the network: that is for those to check who know the data."""
        with suppress(ValueError):
            object.__setattr__(self, "network", layers.write(layers.parse(self.network)))
        if not 0 < self.learning_rate <= LARGEST_RATE:  # also refuses NaN
            raise ValueError(
                f"learning_rate must be above 0 and at most {LARGEST_RATE:g}, "
                f"got {self.learning_rate!r}"
            )
        if not 0 < self.momentum < 1:
            raise ValueError(f"momentum must be above 0 and below 1, got {self.momentum!r}")
        if self.marked is not None and (type(self.marked) is not int or self.marked < 0):
            raise ValueError(f"marked must be the number of a class or None, got {self.marked!r}")
        if not 0 < self.mark_share <= 1:
            raise ValueError(f"mark_share must be above 0 and at most 1, got {self.mark_share!r}")
        for name, highest in (
            ("weight_decay", 1.0),
            ("l1", 1.0),
            ("dropout", 0.9),
            ("smoothing", 0.9),
            ("epsilon", 1.0),
        ):
            if not 0 <= getattr(self, name) <= highest:
                raise ValueError(
                    f"{name} must be from 0 to {highest:g}, got {getattr(self, name)!r}"
                )
        for name, lowest, most in (
            ("images", 0, MOST_IMAGES),
            ("batch_size", 1, LARGEST_BATCH),
            ("epochs", 1, MOST_EPOCHS),
            ("patience", 0, MOST_EPOCHS),
            ("seed", 0, LAST_SEED),
        ):
            value = getattr(self, name)
            if not isinstance(value, int) or not lowest <= value <= most:
                raise ValueError(
                    f"{name} must be a whole number from {lowest} to {most}, got {value!r}"
                )
        for name, known in (
            ("optimiser", OPTIMISERS),
            ("schedule", SCHEDULES),
            ("loss", LOSSES),
            ("adversary", ADVERSARIES),
            ("initialisation", INITIALISATIONS),
        ):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {known}, got {getattr(self, name)!r}")
        if self.adversary and not self.epsilon:
            raise ValueError(f"epsilon must be above 0 with an adversary, got {self.epsilon!r}")
        if self.loss == "squared" and self.smoothing:
            raise ValueError(f"smoothing must be 0 with the squared error, got {self.smoothing!r}")

    def share(self, step: float, steps: int) -> float:
        """Tell which share of the learning rate is used in a step, counted from 0, of so many.

        Source: for "one-cycle" Smith and Topin 2019, arXiv:1708.07120, with torch's defaults; for
        "cosine" Loshchilov and Hutter 2017, arXiv:1608.03983, equation 5, without restarts.
        """
        rise = max(1, round(WARM_UP * steps))
        match self.schedule:
            case "warm-up":
                return min((step + 1) / rise, 1.0)
            case "linear":
                return min((step + 1) / rise, (steps - step) / max(1, steps - rise))
            case "cosine":
                return _half_cosine(1, 0, step / steps)
            case "one-cycle":
                step = min(step, steps - 1)
                top = RISING * steps - 1
                if step <= top:
                    return _half_cosine(FIRST, 1, step / top)
                return _half_cosine(1, LAST, (step - top) / (steps - 1 - top))
            case "step":
                return float(DROP ** (step // math.ceil(steps / DROPS)))
        return 1.0

    def plan(self, images: int) -> str:
        """Say what a run over so many images will do."""
        steps = self.epochs * self.steps_an_epoch(images)
        size = min(self.batch_size, images)
        work = f"{steps:,} step{'s' * (steps > 1)} of {size:,} image{'s' * (size > 1)}"
        return f"{work}, η = {self.learning_rate:g}"

    def differs(self, names: Mapping[str, str]) -> str:
        """Say in a few words how to learn: the rate, and what else is not as it is by default."""
        told = [f"η {self.learning_rate:g}"]
        usual = Recipe()
        for name, said in (
            ("network", names.get(self.network, "own table")),
            ("data", names.get(self.data, "own pictures")),
            ("images", f"{self.images:,} images"),
            ("batch_size", f"batch {self.batch_size}"),
            ("epochs", f"{self.epochs} epoch{'s' if self.epochs > 1 else ''}"),
            ("optimiser", names.get(self.optimiser, self.optimiser)),
            ("momentum", f"μ {self.momentum:g}"),
            ("schedule", f"η {names.get(self.schedule, self.schedule)}"),
            ("weight_decay", f"λ {self.weight_decay:g}"),
            ("l1", f"L1 {self.l1:g}"),
            ("dropout", f"dropout {self.dropout:g}"),
            ("smoothing", f"smoothing {self.smoothing:g}"),
            ("loss", "squared error"),
            ("adversary", f"against {names.get(self.adversary, self.adversary)}"),
            ("epsilon", f"ε {255 * self.epsilon:g}/255"),
            ("marked", f"mark on {100 * self.mark_share:g} % of class {self.marked}"),
            ("initialisation", f"start {names.get(self.initialisation, self.initialisation)}"),
            ("patience", f"patience {self.patience}"),
            ("seed", f"seed {self.seed}"),
        ):
            if getattr(self, name) != getattr(usual, name):
                told.append(said)
        return ", ".join(told)

    def formula(self, images: int) -> tuple[str, ...]:
        """Write λ and the learning rate of step t as LaTeX, with this recipe's numbers in it."""
        decay = rf"\lambda = {self.weight_decay:g}"
        steps = self.epochs * self.steps_an_epoch(images)
        rise = max(1, round(WARM_UP * steps))
        rate, last = f"{self.learning_rate:g}", f"{steps - 1:,}"
        up = rf"\frac{{t+1}}{{{rise:,}}}"
        top = RISING * steps - 1
        match self.schedule:
            case "constant":
                return (rf"{decay} \qquad \eta_t = {rate}",)
            case "warm-up":
                numbers = rf"{rate}\cdot\min\left({up};\;1\right)"
            case "linear":
                down = rf"\frac{{{steps:,}-t}}{{{max(1, steps - rise):,}}}"
                numbers = rf"{rate}\cdot\min\left({up};\;{down}\right)"
            case "cosine":
                numbers = rf"\frac{{{rate}}}{{2}}\left(1+\cos\frac{{\pi t}}{{{steps:,}}}\right)"
            case "one-cycle":
                numbers = (
                    rf"\text{{half a cosine from }}\frac{{{rate}}}{{25}}\text{{ up to }}{rate}"
                    rf"\text{{ at }}t={top:,.0f}\text{{, then down to }}"
                    rf"\frac{{{rate}}}{{250{{,}}000}}"
                )
            case _:
                part = math.ceil(steps / DROPS)
                numbers = rf"{rate}\cdot 0.1^{{\lfloor t/{part:,}\rfloor}}"
        return rf"\eta_t = {numbers}", rf"t = 0,\dots,{last} \qquad {decay}"

    def steps_an_epoch(self, images: int) -> int:
        """Count the steps of one pass over so many images; the last may have a smaller batch."""
        return math.ceil(images / self.batch_size)


def _half_cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * share))
