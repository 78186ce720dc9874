"""A layer as its formula has it, one character after the other, every value of it in the open."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from core.lstm_gates import GATES

__all__ = ["Hold", "Weights", "replay", "weights_of"]

# Given a gate's name, the place of the character and its values (n, u): what it is instead.
Hold = Callable[[str, int, Tensor], Tensor]
Held = Callable[[str, Tensor], Tensor]  # the same at one place
State = dict[str, Tensor]  # each value (n, u) of a step by its name


@dataclass(frozen=True, slots=True)
class Weights:
    """What a layer has learned, not to be learned from here; rows in torch's order.

    That is i, f, g, o for the LSTM, r, z, n for the GRU.
    """

    input: Float[Tensor, "z e"]
    hidden: Float[Tensor, "z u"]
    bias_input: Float[Tensor, " z"]
    bias_hidden: Float[Tensor, " z"]


def weights_of(layer: nn.Module) -> Weights:
    """Take the weights of a layer, as they are, not copied."""
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    return Weights(*(layer.get_parameter(name).detach() for name in names))


def replay(
    cell: str,
    weights: Weights,
    given: Float[Tensor, "n t e"],
    hold: Hold | None = None,
    window: int = 0,
) -> dict[str, list[Tensor]]:
    """Let a layer read, from h = 0 and c = 0, in operations that torch can differentiate.

    Args:
        cell: one of CELLS.
        weights: of the layer.
        given: what it reads.
        hold: changes each value where it is computed; what comes after is computed from that.
        window: characters after which a gradient goes back no further; 0 for never.

    Returns: by GATES of the cell the values (n, u) at each place.
    """
    sums = (given @ weights.input.T + weights.bias_input).unbind(1)
    nothing = given.new_zeros(len(given), weights.hidden.shape[1])
    state, into, step = {"h": nothing, "c": nothing}, weights.hidden.T, STEPS[cell]
    kept: dict[str, list[Tensor]] = {name: [] for name in GATES[cell]}
    for place, each in enumerate(sums):
        if window and place % window == 0:
            state = {name: value.detach() for name, value in state.items()}

        def held(name: str, value: Tensor, place: int = place) -> Tensor:
            return value if hold is None else hold(name, place, value)

        state = step(each, torch.addmm(weights.bias_hidden, state["h"], into), state, held)
        for name, column in kept.items():
            column.append(state[name])
    return kept


def _lstm(given: Tensor, recurrent: Tensor, before: State, held: Held) -> State:
    """c = f c′ + i g, h = o tanh(c)."""
    sums = (given + recurrent).chunk(4, 1)
    i, f, o = (held(name, sums[row].sigmoid()) for name, row in (("i", 0), ("f", 1), ("o", 3)))
    g = held("g", sums[2].tanh())
    c = held("c", f * before["c"] + i * g)
    h = held("h", o * c.tanh())
    return {"i": i, "f": f, "g": g, "o": o, "c": c, "h": h}


def _gru(given: Tensor, recurrent: Tensor, before: State, held: Held) -> State:
    """h = (1 − z) n + z h′, where the reset gate multiplies what h′ gives and its bias."""
    left, right = given.chunk(3, 1), recurrent.chunk(3, 1)
    r, z = (held(name, (left[row] + right[row]).sigmoid()) for name, row in (("r", 0), ("z", 1)))
    n = held("n", (left[2] + r * right[2]).tanh())
    h = held("h", (1 - z) * n + z * before["h"])
    return {"r": r, "z": z, "n": n, "h": h}


def _rnn(given: Tensor, recurrent: Tensor, before: State, held: Held) -> State:
    """h = tanh(…), of which nothing of the step before is needed but what h′ gave."""
    return {"h": held("h", (given + recurrent).tanh())}


STEPS = {"lstm": _lstm, "gru": _gru, "rnn": _rnn}
