"""All gates of a network while it reads a text, from its own weights and its own h."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from core.lstm_gates import GATES, LONGEST, UNKNOWN, Gates
from core.lstm_gates.readers import Reader, encode
from core.lstm_gates.recurrence import Weights, weights_of

__all__ = ["Reading", "bits", "coded", "gates", "read", "told"]

LIKELIEST = 5  # characters that are told after each


@dataclass(frozen=True, slots=True)
class Reading:
    """What a network does with a text, as tensors: the gates on the host, the rest on its device.

    The values give h anew: it is what the gates say, and `hidden` what torch says.
    """

    codes: Int[Tensor, " t"]
    values: dict[str, Float[Tensor, "l t u"]]  # by GATES of the cell
    hidden: Float[Tensor, "l t u"]  # torch's own
    logits: Float[Tensor, "t k"]  # of the next character after each, by torch's own
    same: int  # the first so many characters, at which `values` are to give torch's h


def gates(reader: Reader, text: str) -> Gates:
    """Give every gate of every layer at each character, and what the network then expects.

    The network's layers read the text as they always do, which gives h of all characters. With
    these known, nothing but c = f c′ + i g goes from one character to the next: what comes into
    all gates are two matrix products a layer.

    Args:
        reader: left as it is.
        text: 1 to LONGEST["gates"] characters; those that it does not know are read as UNKNOWN.

    Returns: the gates in the precision of the network's weights; h = o·tanh(c), of which torch's
        own h differs by at most `residual`.
    Raises: ValueError when the text is empty or too long.

    Source: Hochreiter, Schmidhuber 1997, and Gers, Schmidhuber, Cummins 2000, for the LSTM; Cho et
        al. 2014, arXiv:1406.1078, for the GRU, its reset gate placed as torch has it: before it
        what h gives is a matrix product already (Chung et al. 2014, arXiv:1412.3555, footnote 1).
    """
    reading = read(reader, coded(reader, text, LONGEST["gates"]))
    return told(reader, text, reading)


@torch.inference_mode()
def read(reader: Reader, codes: Int[Tensor, " t"]) -> Reading:
    """Let the network read, and compute its gates."""
    every = [weights_of(layer) for layer in reader.layers]
    shape = len(every), len(codes), every[0].hidden.shape[1]
    hidden = every[0].hidden.new_empty(shape)
    values = {name: torch.empty(shape, dtype=hidden.dtype) for name in GATES[reader.cell]}
    value = reader.see(codes[None])
    for number, layer in enumerate(reader.layers):
        given, (value, _) = value, layer(value)
        hidden[number] = value[0]
        places = codes if number == 0 and reader.embedding is None else None
        room = {name: each[number] for name, each in values.items()}
        sums = _input_sums(every[number], given[0], places)
        FORMULAS[reader.cell](every[number], sums, value[0], room)
    return Reading(codes, values, hidden, reader.head(value[0]), len(codes))


def told(reader: Reader, text: str, reading: Reading) -> Gates:
    """Say it without torch."""
    places, probabilities = _likeliest(reading.logits)
    unknown = reading.codes == reader.alphabet.index(UNKNOWN)
    off = (reading.values["h"] - reading.hidden.cpu())[:, : reading.same].abs()
    return Gates(
        text=text,
        cell=reader.cell,
        alphabet=reader.alphabet,
        unknown=unknown.cpu().numpy(),
        values={name: value.numpy() for name, value in reading.values.items()},
        residual=float(off.max()) if reading.same else math.nan,
        likeliest=places.cpu().numpy(),
        probabilities=probabilities.cpu().numpy(),
        bits=bits(reading.logits, reading.codes).cpu().numpy(),
    )


def coded(reader: Reader, text: str, most: int) -> Int[Tensor, " t"]:
    """Give the codes of a text on the network's device.

    Raises: ValueError when it is empty or has more characters than may be.
    """
    if not 1 <= len(text) <= most:
        raise ValueError(f"text must have from 1 to {most:,} characters, got {len(text):,}")
    return encode(text, reader.alphabet).to(reader.head.weight.device)


@torch.inference_mode()
def bits(logits: Float[Tensor, "t k"], codes: Int[Tensor, " t"]) -> Float[Tensor, " t"]:
    """Give −log₂ p of each character by what came before, NaN for the first."""
    after = nn.functional.cross_entropy(logits[:-1], codes[1:], reduction="none")
    return torch.cat([after.new_full((1,), torch.nan), after / math.log(2)])


@torch.inference_mode()
def _likeliest(logits: Float[Tensor, "t k"]) -> tuple[Int[Tensor, "t m"], Float[Tensor, "t m"]]:
    """Give the likeliest characters and their probabilities, five or all there are."""
    probabilities, places = logits.softmax(1).topk(min(LIKELIEST, logits.shape[1]))
    return places, probabilities


def _input_sums(
    weights: Weights, given: Float[Tensor, "t e"], places: Int[Tensor, " t"] | None
) -> Float[Tensor, "t z"]:
    """Give what a layer's input adds to its gates, with that bias: the first matrix product."""
    if places is not None:  # times one-hot is a choice of columns
        return nn.functional.embedding(places, weights.input.T).add_(weights.bias_input)
    return torch.addmm(weights.bias_input, given, weights.input.T)


def _hidden_sums(
    weights: Weights, hidden: Float[Tensor, "t u"], into: Float[Tensor, "t z"]
) -> None:
    """Add what h of the character before adds, with that bias: the second matrix product."""
    into += weights.bias_hidden
    into[1:].addmm_(hidden[:-1], weights.hidden.T)


def _lstm(
    weights: Weights,
    sums: Float[Tensor, "t z"],
    hidden: Float[Tensor, "t u"],
    room: dict[str, Float[Tensor, "t u"]],
) -> None:
    """i, f, o = σ(…), g = tanh(…), c = f c′ + i g, h = o tanh(c)."""
    _hidden_sums(weights, hidden, sums)
    for name, part in zip("ifgo", sums.chunk(4, 1), strict=True):  # the order of torch's rows
        room[name].copy_(part)
        _squash(name, room[name])
    torch.mul(room["i"], room["g"], out=room["c"])
    _accumulate(room["f"].numpy(), room["c"].numpy())
    torch.mul(room["o"], room["c"].tanh(), out=room["h"])


def _gru(
    weights: Weights,
    sums: Float[Tensor, "t z"],
    hidden: Float[Tensor, "t u"],
    room: dict[str, Float[Tensor, "t u"]],
) -> None:
    """r, z = σ(…), n = tanh(x W + b + r (h′ W + b)), h = (1 − z) n + z h′."""
    recurrent = torch.zeros_like(sums)
    _hidden_sums(weights, hidden, recurrent)
    by_input, by_hidden = (each.cpu().chunk(3, 1) for each in (sums, recurrent))
    for number, name in enumerate("rz"):
        torch.add(by_input[number], by_hidden[number], out=room[name])
        _squash(name, room[name])
    torch.addcmul(by_input[2], room["r"], by_hidden[2], out=room["n"])
    _squash("n", room["n"])
    before = torch.cat([torch.zeros_like(room["h"][:1]), hidden[:-1].cpu()])
    torch.lerp(room["n"], before, room["z"], out=room["h"])


def _rnn(
    weights: Weights,
    sums: Float[Tensor, "t z"],
    hidden: Float[Tensor, "t u"],
    room: dict[str, Float[Tensor, "t u"]],
) -> None:
    """h = tanh(…)."""
    _hidden_sums(weights, hidden, sums)
    room["h"].copy_(sums)
    _squash("h", room["h"])


FORMULAS: dict[str, Callable[..., None]] = {"lstm": _lstm, "gru": _gru, "rnn": _rnn}


def _squash(name: str, sums: Float[Tensor, "t u"]) -> None:
    """Let a gate's sums be its values."""
    if name in "ifozr":
        sums.sigmoid_()
    else:
        sums.tanh_()


def _accumulate(kept: Float[np.ndarray, "t u"], added: Float[np.ndarray, "t u"]) -> None:
    """Let what is added at each step be c, in its place: c = f c′ + what is added.

    It is done by numpy on the host, where the gates go anyway: a step is two calls on one row, and
    a call of torch's takes several times as long as the row.
    """
    product = np.empty_like(added[0])
    for step in range(1, len(added)):
        np.multiply(kept[step], added[step - 1], out=product)
        added[step] += product
