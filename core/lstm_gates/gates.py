"""All gates of a network while it reads a text, from its own weights and its own h."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from core.lstm_gates import GATES, UNKNOWN, Gates
from core.lstm_gates.readers import Reader, encode
from core.lstm_gates.recurrence import Weights, weights_of
from core.lstm_gates.room import longest

__all__ = ["Reading", "bits", "coded", "gates", "read", "told"]

LIKELIEST = 5  # characters that are told after each
Room = dict[str, Float[Tensor, "t u"]]  # for each of a layer's gates


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


@dataclass(frozen=True, slots=True)
class Given:
    """What a layer's gates are computed from, besides its weights."""

    values: Float[Tensor, "t e"]  # that it is given
    places: Int[Tensor, " t"] | None  # of the ones among these, where they are one-hot
    hidden: Float[Tensor, "t u"]  # its own h, by torch
    gates: int  # blocks of rows that its weights have


def gates(reader: Reader, text: str) -> Gates:
    """Give every gate of every layer at each character, and what the network then expects.

    The network's layers read the text as they always do, which gives h of all characters. With
    these known, nothing but c = f c′ + i g goes from one character to the next: what comes into
    all gates are two matrix products a layer.

    Args:
        reader: left as it is.
        text: 1 to `room.longest` characters; those that it does not know are read as UNKNOWN.

    Returns: the gates in the precision of the network's weights; h = o·tanh(c), of which torch's
        own h differs by at most `residual`.
    Raises: ValueError when the text is empty or too long.

    Source: Hochreiter, Schmidhuber 1997, and Gers, Schmidhuber, Cummins 2000, for the LSTM; Cho et
        al. 2014, arXiv:1406.1078, for the GRU, its reset gate placed as torch has it: before it
        what h gives is a matrix product already (Chung et al. 2014, arXiv:1412.3555, footnote 1).
    """
    return told(reader, text, read(reader, coded(reader, text, "gates")))


@torch.inference_mode()
def read(reader: Reader, codes: Int[Tensor, " t"]) -> Reading:
    """Let the network read, and compute its gates."""
    every = [weights_of(layer) for layer in reader.layers]
    shape = len(every), len(codes), every[0].hidden.shape[1]
    hidden = every[0].hidden.new_empty(shape)
    values = {name: torch.empty_like(hidden) for name in GATES[reader.cell]}
    value = reader.see(codes[None])
    for number, layer in enumerate(reader.layers):
        before, (value, _) = value[0], layer(value)
        hidden[number] = value[0]
        given = Given(
            values=before,
            places=codes if number == 0 and reader.embedding is None else None,
            hidden=value[0],
            gates=every[number].hidden.shape[0] // shape[2],
        )
        room = {name: each[number] for name, each in values.items()}
        FORMULAS[reader.cell](every[number], given, room)
    values = {name: each.cpu() for name, each in values.items()}
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


def coded(reader: Reader, text: str, analysis: str) -> Int[Tensor, " t"]:
    """Give the codes of a text on the network's device.

    Raises: ValueError when it is empty or has more characters than may be asked about.
    """
    units = weights_of(reader.layers[0]).hidden.shape[1]
    most = longest(analysis, reader.cell, len(reader.layers), units)
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


def _by_input(
    weights: Weights, gate: int, given: Given, into: Float[Tensor, "t u"] | None = None
) -> Float[Tensor, "t u"]:
    """Give what a layer's input and its bias add to a gate: the first matrix product."""
    rows, bias = (each.chunk(given.gates)[gate] for each in (weights.input, weights.bias_input))
    if given.places is not None:  # times one-hot is a choice of columns
        return torch.index_select((rows.T + bias).contiguous(), 0, given.places, out=into)
    return torch.addmm(bias, given.values, rows.T, out=into)


def _add_hidden(
    weights: Weights, gate: int, given: Given, into: Float[Tensor, "t u"]
) -> Float[Tensor, "t u"]:
    """Add what h of the character before and its bias add to a gate: the second product."""
    rows, bias = (each.chunk(given.gates)[gate] for each in (weights.hidden, weights.bias_hidden))
    into += bias
    into[1:].addmm_(given.hidden[:-1], rows.T)
    return into


def _lstm(weights: Weights, given: Given, room: Room) -> None:
    """i, f, o = σ(…), g = tanh(…), c = f c′ + i g, h = o tanh(c)."""
    for gate, name in enumerate("ifgo"):  # the order of torch's rows
        sums = _add_hidden(weights, gate, given, _by_input(weights, gate, given, room[name]))
        _ = sums.tanh_() if name == "g" else sums.sigmoid_()
    added = torch.mul(room["i"], room["g"], out=room["c"]).cpu()
    _accumulate(room["f"].cpu().numpy(), added.numpy())
    room["c"].copy_(added)
    torch.mul(room["o"], room["c"].tanh(), out=room["h"])


def _gru(weights: Weights, given: Given, room: Room) -> None:
    """r, z = σ(…), n = tanh(x W + b + r (h′ W + b)), h = (1 − z) n + z h′."""
    for gate, name in enumerate("rz"):
        _add_hidden(weights, gate, given, _by_input(weights, gate, given, room[name])).sigmoid_()
    recurrent = _add_hidden(weights, 2, given, torch.zeros_like(room["n"]))
    _by_input(weights, 2, given, room["n"]).addcmul_(room["r"], recurrent).tanh_()
    before = torch.cat([torch.zeros_like(room["h"][:1]), given.hidden[:-1]])
    torch.lerp(room["n"], before, room["z"], out=room["h"])


def _rnn(weights: Weights, given: Given, room: Room) -> None:
    """h = tanh(…)."""
    _add_hidden(weights, 0, given, _by_input(weights, 0, given, room["h"])).tanh_()


FORMULAS: dict[str, Callable[..., None]] = {"lstm": _lstm, "gru": _gru, "rnn": _rnn}


def _accumulate(kept: Float[np.ndarray, "t u"], added: Float[np.ndarray, "t u"]) -> None:
    """Let what is added at each step be c, in its place: c = f c′ + what is added.

    It is done by numpy on the host, where the gates go anyway: a step is two calls on one row, and
    a call of torch's takes several times as long as the row does.
    """
    product = np.empty_like(added[0])
    for step in range(1, len(added)):
        np.multiply(kept[step], added[step - 1], out=product)
        added[step] += product
