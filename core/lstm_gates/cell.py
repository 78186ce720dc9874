"""One unit at one step: the formula with every number of it."""

from collections.abc import Mapping

import torch
from torch import Tensor

from core.lstm_gates.gates import coded
from core.lstm_gates.readers import Reader
from core.lstm_gates.recurrence import weights_of
from core.lstm_gates.results import Cell, Sum, Term

__all__ = ["cell"]

ROWS = {"lstm": "ifgo", "gru": "rzn", "rnn": "h"}  # torch's order
SQUASHED = "ifozr"  # by σ; the others by tanh
TERMS = 6  # of each sum that are told


@torch.inference_mode()
def cell(reader: Reader, text: str, place: int, layer: int = 0, unit: int = 0) -> Cell:
    """Fill in one unit's formula at one character of a text.

    What stood before the step is torch's own; the step is computed in float64.

    Args:
        reader: left as it is.
        text: 1 to `room.longest` characters.
        place: of the character in the text, from 0.
        layer: from 0.
        unit: of the layer, from 0.

    Raises: ValueError when the text is empty or too long, or has no such character, or the network
        no such unit.
    """
    codes = coded(reader, text, "cell")
    units = weights_of(reader.layers[0]).hidden.shape[1]
    bounds = {
        "place": (place, len(text)),
        "layer": (layer, len(reader.layers)),
        "unit": (unit, units),
    }
    for name, (value, end) in bounds.items():
        if not 0 <= value < end:
            raise ValueError(f"{name} must be from 0 to {end - 1}, got {value}")
    given, before, torchs = _around(reader, codes[: place + 1], layer)
    weights = weights_of(reader.layers[layer])
    one_hot = layer == 0 and reader.embedding is None
    sums: dict[str, Sum] = {}
    for number, gate in enumerate(ROWS[reader.cell]):
        row = number * units + unit
        by_input, by_hidden = (each[row].cpu().double() for each in (weights.input, weights.hidden))
        inputs, hidden = float(by_input @ given), float(by_hidden @ before["h"])
        biases = float(weights.bias_input[row]), float(weights.bias_hidden[row])
        share = sums["r"].value if gate == "n" else 1.0  # that the reset gate lets through
        total = inputs + biases[0] + share * (hidden + biases[1])
        squash = torch.sigmoid if gate in SQUASHED else torch.tanh
        terms = _terms("x", by_input, given, reader.alphabet if one_hot else "")
        terms += _terms("h", by_hidden, before["h"], "")
        sums[gate] = Sum(
            gate=gate,
            inputs=inputs,
            hidden=hidden,
            bias_input=biases[0],
            bias_hidden=biases[1],
            total=total,
            value=float(squash(torch.tensor(total, dtype=torch.float64))),
            terms=tuple(sorted(terms, key=lambda term: -abs(term.product))[:TERMS]),
        )
    stood = {name: float(value[unit]) for name, value in before.items()}
    after = _after({gate: each.value for gate, each in sums.items()}, stood)
    return Cell(
        cell=reader.cell,
        character=text[place],
        place=place,
        layer=layer,
        unit=unit,
        sums=tuple(sums.values()),
        before=stood,
        after=after,
        residual=max(abs(float(value[unit]) - after[name]) for name, value in torchs.items()),
    )


def _around(
    reader: Reader, codes: Tensor, layer: int
) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
    """Give what a layer is given at the last character, and what it keeps before and after."""
    value = reader.see(codes[None])
    for below in list(reader.layers)[:layer]:
        value, _ = below(value)
    network, state = reader.layers[layer], None
    before = {"h": value.new_zeros(weights_of(network).hidden.shape[1])}
    if reader.cell == "lstm":
        before["c"] = before["h"]
    if len(codes) > 1:
        _, state = network(value[:, :-1])
        before = _named(state)
    _, last = network(value[:, -1:], state)
    kept = {name: each.cpu().double() for name, each in before.items()}
    return value[0, -1].cpu().double(), kept, _named(last)


def _named(state: Tensor | tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    """Give what torch keeps of a layer by its names, (u,) each."""
    if isinstance(state, tuple):
        return {"h": state[0][0, 0], "c": state[1][0, 0]}
    return {"h": state[0, 0]}


def _after(values: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    """Let the gates do their work."""
    if "o" in values:
        c = values["f"] * before["c"] + values["i"] * values["g"]
        squashed = float(torch.tensor(c, dtype=torch.float64).tanh())
        return {"c": c, "tanh": squashed, "h": values["o"] * squashed}
    if "z" in values:
        return {"h": (1 - values["z"]) * values["n"] + values["z"] * before["h"]}
    return {"h": values["h"]}


def _terms(of: str, weights: Tensor, values: Tensor, names: str) -> list[Term]:
    """Give the largest products of a sum, none that is 0."""
    largest = (weights * values).abs().topk(min(TERMS, len(values))).indices.tolist()
    found = (
        Term(of, names[each] if names else str(each), float(weights[each]), float(values[each]))
        for each in largest
    )
    return [term for term in found if term.product]
