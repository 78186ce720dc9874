"""A race of cells at copying over a distance: what a page asks for and is given; needs no torch."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float

__all__ = ["RACE", "RUNNERS", "Race", "Raced", "Runner"]

RACE = "core.lstm_gates.racing:race"  # long work: submit it with a Race

WHOLE = {  # the lowest and the highest value of each field of a race that is a whole number
    "distance": (2, 200),
    "symbols": (1, 10),
    "units": (16, 128),
    "steps": (1, 20_000),
    "seed": (0, 2**31 - 1),
}
RATES = 1e-5, 1.0


@dataclass(frozen=True, slots=True)
class Runner:
    """One of those that learn side by side."""

    title: str
    cell: str
    forget_bias: float


RUNNERS = (
    Runner("RNN", "rnn", 0.0),
    Runner("GRU", "gru", 0.0),
    Runner("LSTM, forget bias 0", "lstm", 0.0),
    Runner("LSTM, forget bias 1", "lstm", 1.0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """How cells learn to say again what they were told some steps before.

    distance: steps from where a symbol is read to where it is to be said.
    symbols: that are to be said again, one after the other; not more than the distance.
    units: of each network's one layer.
    steps: of the optimiser.
    seed: of weights and texts; all read the same texts.
    learning_rate: η, of Adam.

    Raises: ValueError when a value is outside its range.
    """

    distance: int = 20
    symbols: int = 2
    units: int = 32
    steps: int = 1_500
    seed: int = 0
    learning_rate: float = 0.005

    def __post_init__(self) -> None:
        """Check each value."""
        for name, (lowest, most) in WHOLE.items():
            whole = getattr(self, name)
            if type(whole) is not int or not lowest <= whole <= most:
                raise ValueError(
                    f"{name} must be a whole number from {lowest} to {most:,}, got {whole!r}"
                )
        if self.symbols > self.distance:
            raise ValueError(
                f"symbols must be at most the distance, {self.distance}, got {self.symbols}"
            )
        rate = self.learning_rate
        if type(rate) not in (int, float) or not RATES[0] <= rate <= RATES[1]:
            raise ValueError(f"learning_rate must be from {RATES[0]:g} to {RATES[1]:g}, got {rate}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Raced:
    """How far the runners have come; each row is one of RUNNERS.

    The gradients are of −log₂ p of the last symbol to be said, in the mean of some texts that
    nobody learns from; the last of t columns is at distance 0.
    """

    CHANCE: ClassVar[float] = 3.0  # bits of a guess among the eight symbols

    step: int  # steps done
    steps: int  # in all
    points: Float[np.ndarray, " n"]  # steps at which the curves have points
    bits: Float[np.ndarray, "r n"]  # a symbol to be said, mean since the point before
    right: Float[np.ndarray, "r n"]  # share of the symbols that were said right, likewise
    norms: Float[
        np.ndarray, "r n"
    ]  # of the gradient by all weights, before it is clipped, likewise
    hidden: Float[np.ndarray, "r t"]  # ‖∂L/∂h‖₂ after each character, of the newest weights
    cells: Float[np.ndarray, "r t"]  # ‖∂L/∂c‖₂; NaN without c
    product: Float[np.ndarray, "r t"]  # mean over units of the product of the gates that keep, of
    # all characters after; NaN without such a gate
    geometric: Float[np.ndarray, "r t"]  # the geometric mean of the same
