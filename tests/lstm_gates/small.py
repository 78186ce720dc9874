"""Small networks of each kind, with weights large enough to tell right formulas from wrong."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from core.lstm_gates import GATES, UNKNOWN, Plan
from core.lstm_gates.readers import Reader, build, encode

__all__ = ["ALPHABET", "KINDS", "TEXT", "cell_of", "plain", "recurrent", "small"]

ALPHABET = UNKNOWN + "abcdefg()"
TEXT = "ab(cab)gg(a?d)(fe)ab(c(d)e)f"  # one character is unknown
KINDS = [("lstm", 0), ("gru", 0), ("rnn", 0), ("lstm", 7), ("gru", 7), ("rnn", 7)]


def small(
    cell: str, embedding: int = 0, layers: int = 2, dtype: torch.dtype = torch.float64
) -> Reader:
    plan = Plan(cell=cell, layers=layers, units=16, embedding=embedding, forget_bias=0.7)
    reader = build(plan, ALPHABET, torch.device("cpu")).to(dtype)
    source = torch.Generator().manual_seed(len(cell) + embedding)
    for value in reader.parameters():
        value.data += 0.3 * torch.randn(value.shape, generator=source, dtype=dtype)
    return reader.eval().requires_grad_(requires_grad=False)


def recurrent(reader: Reader) -> list[nn.RNNBase]:
    return [layer for layer in reader.layers if isinstance(layer, nn.RNNBase)]


def cell_of(layer: nn.RNNBase) -> nn.RNNCellBase:
    """Torch's network of one step with the same weights."""
    kinds: dict[str, type[nn.RNNCellBase]]
    kinds = {"LSTM": nn.LSTMCell, "GRU": nn.GRUCell, "RNN_TANH": nn.RNNCell}
    dtype = layer.get_parameter("weight_ih_l0").dtype
    made = kinds[layer.mode](layer.input_size, layer.hidden_size).to(dtype)  # type: ignore[call-arg]
    for name, value in layer.named_parameters():
        getattr(made, name.removesuffix("_l0")).data.copy_(value)
    return made.requires_grad_(requires_grad=False)


def plain(
    reader: Reader, text: str, nudges: Mapping[str, Tensor] | None = None
) -> dict[str, Tensor]:
    """Compute each gate from the weights of its name in torch's documentation, in plain loops.

    To c and h at each place (l, t, u) nudges are added. It gives the logits too.
    """
    found: dict[str, list[Tensor]] = {name: [] for name in GATES[reader.cell]}
    given = reader.see(encode(text, reader.alphabet)[None])[0]
    names = {"lstm": "ifgo", "gru": "rzn", "rnn": "h"}[reader.cell]
    for number, layer in enumerate(recurrent(reader)):

        def nudged(name: str, value: Tensor, place: int, number: int = number) -> Tensor:
            return value if nudges is None else value + nudges[name][number, place]

        split = {
            part: dict(zip(names, layer.get_parameter(part + "_l0").chunk(len(names)), strict=True))
            for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        }
        h = c = torch.zeros(layer.hidden_size, dtype=given.dtype)
        rows: dict[str, list[Tensor]] = {name: [] for name in found}
        for place, x in enumerate(given):
            left = {k: split["weight_ih"][k] @ x + split["bias_ih"][k] for k in names}
            right = {k: split["weight_hh"][k] @ h + split["bias_hh"][k] for k in names}
            if reader.cell == "lstm":
                now = {k: torch.sigmoid(left[k] + right[k]) for k in "ifo"}
                now["g"] = torch.tanh(left["g"] + right["g"])
                now["c"] = c = nudged("c", now["f"] * c + now["i"] * now["g"], place)
                now["h"] = h = nudged("h", now["o"] * torch.tanh(c), place)
            elif reader.cell == "gru":
                now = {k: torch.sigmoid(left[k] + right[k]) for k in "rz"}
                now["n"] = torch.tanh(left["n"] + now["r"] * right["n"])
                now["h"] = h = nudged("h", (1 - now["z"]) * now["n"] + now["z"] * h, place)
            else:
                now = {"h": nudged("h", torch.tanh(left["h"] + right["h"]), place)}
                h = now["h"]
            for name, value in now.items():
                rows[name].append(value)
        given = torch.stack(rows["h"])
        for name, column in rows.items():
            found[name].append(torch.stack(column))
    return {"logits": reader.head(given)} | {name: torch.stack(x) for name, x in found.items()}
