"""How a network learns, as a frozen value: the whole of it, so that a run can be done again."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["OPTIMISERS", "SCHEDULES", "Recipe"]

OPTIMISERS = ("nesterov", "momentum", "adam")
SCHEDULES = ("linear", "constant")
RATES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)  # those that a slider offers
DECAYS = (0.0, 0.0001, 0.0003, 0.001, 0.003, 0.01)
BATCHES = (8, 16, 32, 64, 128, 256, 512)
WARM_UP = 0.05  # of the steps, in which the linear schedule rises to the full rate
LARGEST_RATE, LARGEST_BATCH, MOST_EPOCHS, LAST_SEED = 10.0, 10_000, 100, 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What to do with a network and its data.

    learning_rate: η, the rate at its highest.
    batch_size: images a step.
    optimiser: "momentum" is SGD with momentum 0.9, "nesterov" the same looking ahead, "adam" is
        Adam with β = 0.9, 0.999.
    schedule: "linear" warms up over a twentieth of the steps, then falls to 0; "constant" stays.
    weight_decay: λ, times the weights is added to their gradient (L2).
    epochs: passes over the training images.
    seed: of the weights at the start and of the order of the images.

    Raises: ValueError when a value is outside its range.
    """

    learning_rate: float = 0.1
    batch_size: int = 64
    optimiser: str = "nesterov"
    schedule: str = "linear"
    weight_decay: float = 0.001
    epochs: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        """Check each value."""
        require_rate(self.learning_rate)
        if not 0 <= self.weight_decay <= 1:
            raise ValueError(f"weight_decay must be from 0 to 1, got {self.weight_decay!r}")
        for name, lowest, highest in (
            ("batch_size", 1, LARGEST_BATCH),
            ("epochs", 1, MOST_EPOCHS),
            ("seed", 0, LAST_SEED),
        ):
            value = getattr(self, name)
            if not isinstance(value, int) or not lowest <= value <= highest:
                raise ValueError(
                    f"{name} must be a whole number from {lowest} to {highest}, got {value!r}"
                )
        for name, known in (("optimiser", OPTIMISERS), ("schedule", SCHEDULES)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {known}, got {getattr(self, name)!r}")

    def share(self, step: int, steps: int) -> float:
        """Tell which share of the learning rate is used in a step, counted from 0, of so many."""
        if self.schedule == "constant":
            return 1.0
        rise = max(1, round(WARM_UP * steps))
        return min((step + 1) / rise, (steps - step) / max(1, steps - rise))

    def plan(self, images: int) -> str:
        """Say what a run over so many images will do."""
        steps = self.epochs * self.steps_an_epoch(images)
        way = "constant" if self.schedule == "constant" else "rising, then falling to 0"
        return f"{steps:,} steps of {self.batch_size} images; η = {self.learning_rate:g}, {way}"

    def differs(self, names: Mapping[str, str]) -> str:
        """Say in a few words how to learn: the rate, and what else is not as it is by default."""
        told = [f"η {self.learning_rate:g}"]
        usual = Recipe()
        for name, said in (
            ("batch_size", f"batch {self.batch_size}"),
            ("epochs", f"{self.epochs} epoch{'s' if self.epochs > 1 else ''}"),
            ("optimiser", names[self.optimiser]),
            ("schedule", f"η {names[self.schedule]}"),
            ("weight_decay", f"λ {self.weight_decay:g}"),
            ("seed", f"seed {self.seed}"),
        ):
            if getattr(self, name) != getattr(usual, name):
                told.append(said)
        return ", ".join(told)

    def formula(self, images: int) -> tuple[str, ...]:
        """Write λ and the learning rate of step t as LaTeX, with this recipe's numbers in it."""
        decay = rf"\lambda = {self.weight_decay:g}"
        if self.schedule == "constant":
            return (rf"{decay} \qquad \eta_t = {self.learning_rate:g}",)
        steps = self.epochs * self.steps_an_epoch(images)
        rise = max(1, round(WARM_UP * steps))
        fall, last = f"{max(1, steps - rise):,}", f"{steps - 1:,}"
        up, down = rf"\frac{{t+1}}{{{rise:,}}}", rf"\frac{{{steps:,}-t}}{{{fall}}}"
        numbers = rf"{self.learning_rate:g}\cdot\min\left({up};\;{down}\right)"
        return rf"\eta_t = {numbers}", rf"t = 0,\dots,{last} \qquad {decay}"

    def steps_an_epoch(self, images: int) -> int:
        """Count the steps of one pass over so many images; the last may have a smaller batch."""
        return math.ceil(images / self.batch_size)


def require_rate(rate: float) -> None:
    """Refuse a learning rate that is none.

    Raises: ValueError when it is not above 0 and at most 10.
    """
    if not 0 < rate <= LARGEST_RATE:  # also refuses NaN
        raise ValueError(
            f"learning_rate must be above 0 and at most {LARGEST_RATE:g}, got {rate!r}"
        )
