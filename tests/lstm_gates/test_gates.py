"""Gates: they are those of torch's own layers, and the residual tells when they are not."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from core.lstm_gates import GATES, UNKNOWN, Gates
from core.lstm_gates import gates as module
from core.lstm_gates.gates import Given, gates
from core.lstm_gates.readers import Reader, encode
from core.lstm_gates.recurrence import Weights
from tests.lstm_gates.small import ALPHABET, KINDS, TEXT, cell_of, plain, recurrent, small
from tests.shared.untouched import leaves_untouched

EXACT = 1e-12  # of values up to some tens in float64


def replayed(reader: Reader, text: str) -> dict[str, Tensor]:
    """Let torch's cells read, one character after the other; gives h and c, each (l, t, u)."""
    kept: dict[str, list[Tensor]] = {"h": [], "c": []}
    value = reader.see(encode(text, reader.alphabet)[None])[0]
    for layer in recurrent(reader):
        cell, rows = cell_of(layer), []
        state: Any = None
        for given in value:
            state = cell(given[None], state)
            rows.append(state if reader.cell == "lstm" else (state, state))
        value = torch.cat([h for h, _ in rows])
        kept["h"].append(value)
        kept["c"].append(torch.cat([c for _, c in rows]))
    return {name: torch.stack(each) for name, each in kept.items()}


def are_the_same(told: Gates, wanted: dict[str, Tensor]) -> None:
    for name, value in told.values.items():
        np.testing.assert_allclose(value, wanted[name].numpy(), rtol=0, atol=EXACT, err_msg=name)


@pytest.mark.parametrize(("cell", "embedding"), KINDS)
def test_gates_are_those_of_torchs_layers_and_cells(cell: str, embedding: int) -> None:
    reader = small(cell, embedding, layers=3)
    told = gates(reader, TEXT)
    assert tuple(told.values) == GATES[cell]
    assert told.residual < EXACT
    whole = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[cell](
        embedding or len(ALPHABET), 16, 3, batch_first=True, dtype=torch.float64
    )
    for number, layer in enumerate(reader.layers):
        for name, value in layer.named_parameters():
            getattr(whole, name.replace("_l0", f"_l{number}")).data.copy_(value)
    with torch.no_grad():
        top, _ = whole(reader.see(encode(TEXT, ALPHABET)[None]))
        logits = reader.head(top)[0]
    np.testing.assert_allclose(told.values["h"][-1], top[0].numpy(), rtol=0, atol=EXACT)
    cells = replayed(reader, TEXT)
    for name in {"c", "h"} & set(told.values):
        np.testing.assert_allclose(told.values[name], cells[name].numpy(), rtol=0, atol=EXACT)
    are_the_same(told, plain(reader, TEXT))
    probabilities = logits.softmax(1)
    for row, places, values in zip(probabilities, told.likeliest, told.probabilities, strict=True):
        assert places.tolist() == row.argsort(descending=True)[:5].tolist()
        np.testing.assert_allclose(values, row[places].numpy(), rtol=1e-9)


def in_another_order(weights: Weights, given: Given, room: Any) -> None:
    """Take the rows for those of i, f, o, g, as char-rnn has them."""
    parts = (getattr(weights, each.name).chunk(4) for each in fields(Weights))
    module._lstm(Weights(*(torch.cat([i, f, o, g]) for i, f, g, o in parts)), given, room)


def reset_before_the_product(weights: Weights, given: Given, room: Any) -> None:
    module._gru(weights, given, room)
    weight, bias = weights.hidden.chunk(3)[2], weights.bias_hidden.chunk(3)[2]
    before = torch.cat([torch.zeros_like(given.hidden[:1]), given.hidden[:-1]])
    by_input = module._by_input(weights, 2, given)
    room["n"].copy_((by_input + (room["r"] * before) @ weight.T + bias).tanh())
    room["h"].copy_((1 - room["z"]) * room["n"] + room["z"] * before)


def without_a_bias(weights: Weights, gate: int, given: Given, into: Tensor) -> Tensor:
    into[1:].addmm_(given.hidden[:-1], weights.hidden.chunk(given.gates)[gate].T)
    return into


def without_the_shift(weights: Weights, gate: int, given: Given, into: Tensor) -> Tensor:
    into += weights.bias_hidden.chunk(given.gates)[gate]
    return into.addmm_(given.hidden, weights.hidden.chunk(given.gates)[gate].T)


def forgetting_too_late(kept: Any, added: Any) -> None:
    for step in range(1, len(added)):
        added[step] += kept[step - 1] * added[step - 1]


MUTANTS: list[tuple[str, str, Callable[..., object]]] = [
    ("lstm", "FORMULAS", in_another_order),
    ("gru", "FORMULAS", reset_before_the_product),
    ("lstm", "_accumulate", forgetting_too_late),
    *((cell, "_add_hidden", without_a_bias) for cell in GATES),
    *((cell, "_add_hidden", without_the_shift) for cell in GATES),
]


@pytest.mark.parametrize(("cell", "name", "wrong"), MUTANTS)
def test_the_residual_and_the_oracle_reject_wrong_formulas(
    monkeypatch: pytest.MonkeyPatch, cell: str, name: str, wrong: Callable[..., object]
) -> None:
    reader = small(cell)
    right = plain(reader, TEXT)
    if name == "FORMULAS":
        monkeypatch.setitem(module.FORMULAS, cell, wrong)
    else:
        monkeypatch.setattr(module, name, wrong)
    told = gates(reader, TEXT)
    assert told.residual > 1e-3
    with pytest.raises(AssertionError):
        are_the_same(told, right)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_h_is_o_times_tanh_of_c_to_the_last_bit(dtype: torch.dtype) -> None:
    told = gates(small("lstm", dtype=dtype), TEXT)
    o, c, h = (torch.from_numpy(told.values[name]) for name in "och")
    assert h.dtype == dtype
    assert torch.equal(h, o * c.tanh())
    assert told.residual < (1e-6 if dtype == torch.float32 else EXACT)  # of values below 1


def test_bits_are_of_each_character_by_what_came_before() -> None:
    reader = small("gru", 7)
    told = gates(reader, TEXT)
    assert np.isnan(told.bits[0])
    codes = encode(TEXT, ALPHABET)
    for place in (1, 5, len(TEXT) - 1):
        logits, _ = reader(codes[None, :place])
        chance = logits[0, -1].softmax(0)[codes[place]]
        assert told.bits[place] == pytest.approx(-float(torch.log2(chance)), abs=1e-9)
    assert [TEXT[place] for place in np.flatnonzero(told.unknown)] == ["?"]
    assert told.alphabet[0] == UNKNOWN


def test_one_character_is_a_text_and_a_small_alphabet_has_fewer_likeliest() -> None:
    reader = small("lstm", 7)
    told = gates(reader, "a")
    assert told.values["c"].shape == (2, 1, 16)
    assert np.isnan(told.bits).all()
    reader.alphabet = UNKNOWN + "ab"
    reader.head = nn.Linear(16, 3, dtype=torch.float64)
    assert gates(reader, "ab").likeliest.shape == (2, 3)


@pytest.mark.parametrize("text", ["", "a" * 20_001])
def test_a_text_has_an_end_and_a_beginning(text: str) -> None:
    with pytest.raises(ValueError, match=r"text must have from 1 to 20,000 characters, got"):
        gates(small("lstm"), text)


@pytest.mark.parametrize("cell", list(GATES))
def test_a_network_is_left_as_it_is(cell: str) -> None:
    reader = small(cell)
    leaves_untouched(reader, lambda: gates(reader, TEXT))
    leaves_untouched(reader.train(), (lambda: gates(reader, ""), "text must have"))


@pytest.mark.gpu
@pytest.mark.parametrize(("cell", "embedding"), KINDS)
def test_on_a_gpu_gates_are_the_same_in_true_fp32(cell: str, embedding: int) -> None:
    """A sum has under 50 terms below 4, of which float32 rounds each by 6e-8: 1e-5 in all.

    A gate's slope is at most 1, and what is kept shrinks as it goes on, so c is off by few times
    that much. TensorFloat-32 has 10 bits, 5e-4 a term, and is seen.
    """
    reader = small(cell, embedding, dtype=torch.float32)
    wanted = gates(reader, TEXT)
    allowed = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False  # as devices.prepare has it
    try:
        told = gates(reader.cuda(), TEXT)
    finally:
        torch.backends.cudnn.allow_tf32 = allowed
    assert told.residual < 5e-5
    for name, value in told.values.items():
        np.testing.assert_allclose(value, wanted.values[name], rtol=0, atol=5e-5)
