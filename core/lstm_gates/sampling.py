"""A network says what may come next, one character after the other."""

from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from core.lstm_gates.readers import Reader, States, decode, encode
from core.lstm_gates.threads import few
from core.shared.evaluating import at_rest

__all__ = ["advance", "distribution", "pick", "sample"]

LONGEST, HOTTEST = 10_000, 100.0  # characters; temperature


def sample(
    reader: Reader,
    start: str,
    length: int,
    temperature: float,
    source: torch.Generator,
    *,
    top_k: int = 0,
    top_p: float = 1.0,
) -> str:
    """Let a network go on with a text.

    Args:
        reader: whose modes and weights stay as they are.
        start: what it reads before; at least one character.
        length: characters that it says.
        temperature: that logits are divided by; at 0 it says the likeliest.
        source: draws, on the CPU, so that a seed says the same on every device.
        top_k: of the likeliest characters that may be said; 0 for all.
        top_p: probability that those which may be said have together at least; 1 for all.

    Returns: what comes after the start.
    Raises: ValueError when a value is outside its range.
    """
    if not start:
        raise ValueError("start must have at least one character, got none")
    if not 0 <= length <= LONGEST:
        raise ValueError(f"length must be from 0 to {LONGEST:,} characters, got {length!r}")
    device = reader.head.weight.device
    draws = torch.rand(length, generator=source).to(device)
    said: list[Tensor] = []
    with at_rest(reader), few(reader):
        logits, left = reader(encode(start, reader.alphabet)[None].to(device))
        values, states = logits[:, -1], _flat(left)
        for draw in draws:
            chances = distribution(values[0], temperature, top_k=top_k, top_p=top_p)
            said.append(pick(chances, draw))
            values, states = advance(reader, said[-1][None], states)
    return decode(torch.stack(said), reader.alphabet) if said else ""


def distribution(
    logits: Float[Tensor, " k"], temperature: float, *, top_k: int = 0, top_p: float = 1.0
) -> Float[Tensor, " k"]:
    """Give the probabilities by which a character is drawn.

    All characters take part in the softmax; what may not be said is left out after it.

    Args:
        logits: of all characters.
        temperature: that they are divided by; 0 for the likeliest alone, the first of equals.
        top_k: of the likeliest that are left, the first of equals; 0 for all.
        top_p: the fewest of the likeliest are left that have at least this together; 1 for all.

    Raises: ValueError when a value is outside its range.
    Source: Holtzman et al. 2020, arXiv:1904.09751, section 3.1, of top p.
    """
    if not 0 <= temperature <= HOTTEST:  # refuses NaN too
        raise ValueError(f"temperature must be from 0 to {HOTTEST:g}, got {temperature!r}")
    if top_k < 0:
        raise ValueError(f"top_k must be 0 or more characters, got {top_k!r}")
    if not 0 < top_p <= 1:
        raise ValueError(f"top_p must be above 0 and at most 1, got {top_p!r}")
    if temperature == 0:
        alone = torch.zeros_like(logits)
        alone[logits.argmax()] = 1
        return alone
    chances = ((logits - logits.max()) / temperature).softmax(0)  # no overflow near 0
    if 0 < top_k < len(chances) or top_p < 1:
        sizes, order = chances.sort(descending=True, stable=True)
        dropped = sizes.cumsum(0) - sizes >= top_p  # those before it are enough
        if top_k:
            dropped[top_k:] = True
        chances = chances.index_fill(0, order[dropped], 0)
        chances = chances / chances.sum()
    return chances


def pick(chances: Float[Tensor, " k"], draw: Float[Tensor, ""]) -> Int[Tensor, ""]:
    """Give the place at which the sum of probabilities passes a number.

    Args:
        chances: that add up to about 1.
        draw: a number from 0 to 1, without 1.
    """
    sums = chances.cumsum(0)
    # Times what the sum is when rounded; from the right, so that no place without a chance is met.
    place = torch.searchsorted(sums, (draw * sums[-1])[None], right=True)[0]
    return place.clamp(max=len(chances) - 1)


def advance(
    reader: Reader, codes: Int[Tensor, " n"], states: States
) -> tuple[Float[Tensor, "n k"], States]:
    """Read one character in each of n texts; a cell's own call is quicker than a text of one.

    Args:
        reader: in eval mode.
        codes: of the characters.
        states: of each layer, (n, u) or a pair of these.

    Returns: the logits of the next character, and the states after it.
    """
    value, left = reader.see(codes), States()
    for layer, state in zip(reader.layers, states, strict=True):
        weights = cast(nn.RNNBase, layer).all_weights[0]
        if isinstance(state, tuple):
            pair = torch.lstm_cell(value, state, *weights)
            left.append(pair)
            value = pair[0]
        else:
            cell = torch.gru_cell if reader.cell == "gru" else torch.rnn_tanh_cell
            value = cell(value, state, *weights)
            left.append(value)
    return reader.head(value), left


def _flat(states: States) -> States:
    """Take away the first axis, which is of one layer."""
    return [
        (state[0][0], state[1][0]) if isinstance(state, tuple) else state[0] for state in states
    ]
