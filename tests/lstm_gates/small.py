"""Small networks of each kind, with weights large enough to tell right formulas from wrong."""

import torch
from torch import nn

from core.lstm_gates import UNKNOWN, Plan
from core.lstm_gates.readers import Reader, build

__all__ = ["ALPHABET", "KINDS", "TEXT", "cell_of", "recurrent", "small"]

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
