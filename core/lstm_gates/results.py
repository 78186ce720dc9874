"""What the analyses of a network give besides its gates; needs no torch."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from core.lstm_gates import Gates, Saturation

__all__ = ["Cell", "Clamped", "Edited", "Influence", "Memory", "Sum", "Term", "ThroughTime"]


@dataclass(frozen=True, slots=True)
class Term:
    """One product of a sum."""

    of: str  # "x": what the layer is given; "h": its own h after the character before
    name: str  # the character that one-hot stands for, else the number of the value, from 0
    weight: float
    value: float

    @property
    def product(self) -> float:
        """What it adds."""
        return self.weight * self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """What comes into one gate of one unit at one step, and what the gate makes of it.

    The total is the sum of the four parts; in a GRU's candidate n it is inputs + bias_input +
    r · (hidden + bias_hidden).
    """

    gate: str
    inputs: float  # Σ weight · value of what the layer is given
    hidden: float  # and of its own h
    bias_input: float
    bias_hidden: float
    total: float
    value: float  # σ(total) or tanh(total)
    terms: tuple[Term, ...]  # the largest of both sums, by size


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Every number of one unit's formula at one step."""

    cell: str
    character: str  # that is read
    place: int  # of it in the text
    layer: int
    unit: int
    sums: tuple[Sum, ...]  # i, f, g, o of an LSTM, r, z, n of a GRU, h of an RNN
    before: dict[str, float]  # "h", and of an LSTM "c", after the character before
    after: dict[str, float]  # likewise after this one; of an LSTM "tanh", that of c, too
    residual: float  # the largest difference of `after` from what torch gives for h and c


@dataclass(frozen=True, slots=True, kw_only=True)
class Clamped:
    """What a network does while some of its values are held, beside what it does by itself."""

    gates: Gates  # of the clamped network; its residual is that of the characters before the
    # first that a clamp holds at, NaN where there is none
    bits: Float[np.ndarray, " t"]  # −log₂ p of each character by the free network; NaN at first
    characters: str  # whose probability moves most at any place, the farthest moved first
    before: Float[np.ndarray, "t m"]  # probabilities of these, after each character: as it is,
    after: Float[np.ndarray, "t m"]  # and clamped
    apart: Float[np.ndarray, " t"]  # total variation of the two predictions after each character,
    # Σ |p − q| / 2, from 0 to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """How long the units keep what they have, while a text is read."""

    saturation: Saturation
    edges: Float[np.ndarray, " b1"]  # of the histograms' bins, from 0 to 1
    counts: dict[str, Int[np.ndarray, "l b"]]  # by the gates from 0 to 1: values of all units
    gate: str  # by which a unit keeps: "f" of an LSTM, "z" of a GRU, "" of an RNN
    steps: Float[np.ndarray, "l u"]  # 1 / (1 − its mean); of an RNN (l, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """How a network's reading of two texts parts and meets again, which differ in one character."""

    text: str
    edited: str
    place: int  # of the character
    cells: Float[np.ndarray, "l t"] | None  # ‖c − c of the edited text‖₂; None without c
    hidden: Float[np.ndarray, "l t"]  # ‖h − h of the edited text‖₂
    variation: Float[np.ndarray, " t"]  # of the predictions, Σ |p − q| / 2, from 0 to 1
    divergence: Float[np.ndarray, " t"]  # Σ p log₂ (p / q) in bits, q of the edited text
    threshold: float
    met: int | None  # the first character from which on the variation stays below the threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class ThroughTime:
    """How a loss depends on what was kept at each character before it.

    The loss is −log₂ p of the character at `target`, so the last h that it depends on is the one
    after the character before that: of t characters that one has distance 0.
    """

    text: str
    target: int
    bits: float  # the loss
    cells: Float[np.ndarray, "l t"] | None  # ‖∂L/∂c‖₂ over a layer's units, None without c,
    hidden: Float[np.ndarray, "l t"]  # ‖∂L/∂h‖₂; both along all ways on which L depends on it
    gate: str  # by which a unit keeps: "f" of an LSTM, "z" of a GRU, "" of an RNN
    product: Float[np.ndarray, "l t"] | None  # mean over the units of this gate's product over all
    # characters after it, which in an LSTM is ∂c/∂c along the cell path; None without such a gate
    geometric: Float[np.ndarray, "l t"] | None  # the geometric mean of the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Influence:
    """How much each character that is read moves each prediction."""

    text: str
    characters: str  # what each row is about: the character said to come after
    of: str  # "predicted", the likeliest one, or "actual"; the last row then has none: NaN
    score: str  # whose gradient it is: "logit" or "log_probability", natural
    window: int  # characters through which the gradient goes back; 0 for all
    values: Float[np.ndarray, "t t"]  # row: prediction after a character; column: what was read:
    # the norm of the gradient by what the first layer is given of it, one-hot or embedded

    @property
    def normalised(self) -> Float[np.ndarray, "t t"]:
        """Each row as shares of its largest value; a row of zeros stays one."""
        largest = self.values.max(axis=1, keepdims=True)
        return self.values / np.where(largest == 0, 1, largest)
