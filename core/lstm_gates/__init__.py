"""LSTM gates: what a page may ask for and what it is given.

The work itself is in the modules beside this one; this one needs no torch, so that the server that
draws the page needs none either.

A network is one of the built-in ones, a run's newest, or a run as it stood at a kept step. What can
be asked of any of them is listed in `core.lstm_gates.asking`:

    engine.call(BUILT_IN, name, "gates", text)
    engine.ask(run, NEWEST, "gates", text)
    engine.recall(run, STEP, step, "gates", text)
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int

__all__ = [
    "BASELINES",
    "BUILT_IN",
    "CELLS",
    "CHANGE",
    "EXPORT",
    "GATES",
    "LONGEST",
    "NEWEST",
    "RANGES",
    "STEP",
    "TRAIN",
    "UNKNOWN",
    "Clamp",
    "Curves",
    "Gates",
    "Plan",
    "Saturation",
    "State",
]

TRAIN = "core.lstm_gates.learning:train"  # long work: submit it with a Plan
BUILT_IN = "core.lstm_gates.asking:built_in"  # a call: which network, what, and about what
NEWEST = "core.lstm_gates.asking:newest"  # asked of a run
STEP = "core.lstm_gates.asking:step"  # a call on what a run has kept
CHANGE = "core.lstm_gates.learning:change"  # asked of a run
BASELINES = "core.lstm_gates.baselines:baselines"  # a call: which text, and how much of it
EXPORT = "core.lstm_gates.replaying:export"  # a call on what a run has kept

CELLS = ("lstm", "gru", "rnn")
GATES = {  # of each cell, in the order in which they are shown; what is kept from step to step last
    "lstm": ("i", "f", "g", "o", "c", "h"),  # input, forget, candidate, output, cell, hidden
    "gru": ("r", "z", "n", "h"),  # reset, update, candidate, hidden
    "rnn": ("h",),
}
RANGES = {  # between which the values of each lie; c has no end
    **dict.fromkeys("iforz", (0.0, 1.0)),
    **dict.fromkeys("gnh", (-1.0, 1.0)),
}
LONGEST = {  # text in characters that may be asked about; of large networks less, `room.longest`
    "gates": 20_000,
    "cell": 20_000,
    "memory": 20_000,
    "edited": 20_000,
    "clamped": 2_000,
    "through_time": 1_000,
    "influence": 200,
}
UNKNOWN = "\ufffd"  # stands for each character that a network has not learned; always its first
OPTIMISERS = ("adam", "rmsprop", "sgd")
LARGEST_HELD = 1e6  # value, in size
WHOLE = {  # the lowest and the highest value of each field of a plan that is a whole number
    "characters": (0, 10_000_000),
    "layers": (1, 3),
    "units": (16, 512),
    "embedding": (0, 256),
    "window": (2, 1_000),
    "batch": (1, 256),
    "steps": (1, 1_000_000),
    "seed": (0, 2**31 - 1),
}
BETWEEN = {  # and of each that is not
    "forget_bias": (-5.0, 5.0),
    "dropout": (0.0, 0.9),
    "clip": (0.0, 1_000.0),
    "learning_rate": (1e-6, 10.0),
    "cooling": (0.0, 1.0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a network learns to say the next character, so that it can be done again.

    text: what it reads, one of `texts.TEXTS`, or "own-" and the name of a visitor's own.
    characters: of it that are used; 0 for all.
    cell: one of CELLS.
    layers: that stand on each other.
    units: of each layer.
    embedding: values that stand for a character; 0 for one-hot.
    forget_bias: the forget gates' bias at first, the sum of the two that torch has (LSTM only).
    dropout: share of the outputs of each layer but the last that a step leaves out.
    window: characters through which a gradient goes back (truncated backpropagation through time).
    batch: places of the text that are read side by side; each goes on where it was.
    clip: the largest norm of the gradient of all weights together; 0 for none.
    optimiser: one of OPTIMISERS.
    learning_rate: η.
    cooling: share of the steps, the last ones, over which η falls in a line to almost 0.
    steps: of the optimiser, of `batch` · `window` characters each.
    seed: of weights, dropout and generated text.

    Raises: ValueError when a value is outside its range.
    """

    text: str = "brackets"
    characters: int = 0
    cell: str = "lstm"
    layers: int = 1
    units: int = 64
    embedding: int = 0
    forget_bias: float = 1.0
    dropout: float = 0.0
    window: int = 64
    batch: int = 32
    clip: float = 5.0
    optimiser: str = "adam"
    learning_rate: float = 0.01
    cooling: float = 0.5
    steps: int = 1_500
    seed: int = 0

    def __post_init__(self) -> None:
        """Check each value; texts are for those to check who have them."""
        if not isinstance(self.text, str):
            raise ValueError(f"text must be a name, got {self.text!r}")
        for name, known in (("cell", CELLS), ("optimiser", OPTIMISERS)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {known}, got {getattr(self, name)!r}")
        for name, (lowest, most) in WHOLE.items():
            whole = getattr(self, name)
            if type(whole) is not int or not lowest <= whole <= most:
                raise ValueError(
                    f"{name} must be a whole number from {lowest} to {most:,}, got {whole!r}"
                )
        for name, (least, highest) in BETWEEN.items():
            value = getattr(self, name)
            if type(value) not in (int, float) or not least <= value <= highest:  # refuses NaN too
                raise ValueError(f"{name} must be from {least:g} to {highest:g}, got {value!r}")

    def share(self, step: int) -> float:
        """Say which share of the learning rate the step after so many has."""
        return min(1.0, (self.steps - step) / max(1.0, self.cooling * self.steps))


@dataclass(frozen=True, slots=True)
class Clamp:
    """A value that is held while a text is read.

    Raises: ValueError when there is no such gate, the span is empty, or the value is too large.
    """

    gate: str  # of GATES of the cell, also "c" and "h"
    value: float
    layer: int  # from 0
    units: tuple[int, ...] = ()  # empty for all of the layer
    first: int = 0  # character at which it begins
    last: int | None = None  # at which it still holds; None for the end of the text

    def __post_init__(self) -> None:
        """Check each value; what a network has is for those to check who know it."""
        object.__setattr__(self, "units", tuple(self.units))  # JSON has lists alone
        known = tuple(sorted({gate for gates in GATES.values() for gate in gates}))
        if self.gate not in known:
            raise ValueError(f"gate must be one of {known}, got {self.gate!r}")
        if not abs(self.value) <= LARGEST_HELD:  # also refuses NaN
            raise ValueError(
                f"value must be from -{LARGEST_HELD:g} to {LARGEST_HELD:g}, got {self.value!r}"
            )
        for name, least in (("layer", self.layer), ("first", self.first), *self._places()):
            if type(least) is not int or least < 0:
                raise ValueError(f"{name} must be a whole number, not below 0, got {least!r}")
        if self.last is not None and self.last < self.first:
            raise ValueError(f"last must not be before first, {self.first}, got {self.last}")

    def _places(self) -> list[tuple[str, int]]:
        last = [] if self.last is None else [("last", self.last)]
        return [*(("units", unit) for unit in self.units), *last]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """All gates of a network while it reads a text."""

    text: str
    cell: str
    alphabet: str  # the k characters that the network knows, UNKNOWN first
    unknown: Bool[np.ndarray, " t"]  # which characters it does not know
    values: dict[str, Float[np.ndarray, "l t u"]]  # by GATES[cell]
    residual: float  # the largest difference of what these give for h from what torch gives
    likeliest: Int[np.ndarray, "t m"]  # places in the alphabet, after each character: five, or all
    probabilities: Float[np.ndarray, "t m"]  # of these, the highest first
    bits: Float[np.ndarray, " t"]  # −log₂ p of each character, by what came before; NaN at first


@dataclass(frozen=True, slots=True, kw_only=True)
class Saturation:
    """How often each unit's gates are nearly shut or nearly open, while a text is read.

    Source: Karpathy, Johnson, Fei-Fei 2015, arXiv:1506.02078, section 4.2.
    """

    left: dict[str, Float[np.ndarray, "l u"]]  # share of the characters at which it is below 0.1,
    right: dict[str, Float[np.ndarray, "l u"]]  # and above 0.9; by the gates from 0 to 1
    mean: dict[str, Float[np.ndarray, "l u"]]


@dataclass(frozen=True, slots=True)
class Curves:
    """How a run went; each row has a value for each point."""

    step: Float[np.ndarray, " n"]
    training: Float[np.ndarray, " n"]  # bits a character, since the point before; NaN at first
    validation: Float[np.ndarray, " n"]  # bits a character
    norm: Float[np.ndarray, " n"]  # of the gradient at the last step, before it is clipped
    clipped: Float[np.ndarray, " n"]  # and after
    right: Float[np.ndarray, " n"]  # as in `State.forced`; NaN where nobody knows
    impossible: Float[np.ndarray, " n"]


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A network in training, frozen after a step."""

    step: int  # steps done
    steps: int  # in all
    characters: int  # read so far, each time anew
    alphabet: str
    curves: Curves
    baselines: tuple[tuple[str, float], ...]  # bits a character of the validation text, by n-grams
    samples: tuple[
        tuple[int, str], ...
    ]  # what it said by itself at the kept steps, at temperature 1
    forced: tuple[float, float] | None  # of a generated text: share right where the next character
    # is forced, and mean probability of what is impossible; None where nobody knows
    kept: tuple[int, ...]  # steps whose weights are kept, for the time machine
    now: dict[str, float] = field(default_factory=dict)  # what was changed since the start
    changes: tuple[tuple[int, str, float], ...] = ()  # the step, what was changed, and its value
