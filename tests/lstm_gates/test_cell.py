"""One unit's formula at one step: its numbers are torch's cell's, and they add up."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from core.lstm_gates import cell as module
from core.lstm_gates.cell import cell
from core.lstm_gates.gates import gates
from core.lstm_gates.readers import Reader, encode
from core.lstm_gates.recurrence import Weights, weights_of
from core.lstm_gates.results import Cell
from tests.lstm_gates.small import ALPHABET, KINDS, TEXT, cell_of, recurrent, small
from tests.shared.untouched import leaves_untouched

EXACT = 1e-12


def is_torchs(reader: Reader, told: Cell) -> None:
    """Let torch's network of one step go from what stood before to what comes after."""
    whole = gates(reader, TEXT).values
    layer, unit, place = told.layer, told.unit, told.place
    assert told.before["h"] == pytest.approx(whole["h"][layer, place - 1, unit], abs=EXACT)
    h = torch.from_numpy(whole["h"][layer, place - 1])[None]
    given = reader.see(encode(TEXT, ALPHABET)[None])[0, place]
    if layer:
        given = torch.from_numpy(whole["h"][layer - 1, place])
    state: Any = h
    if reader.cell == "lstm":
        state = h, torch.from_numpy(whole["c"][layer, place - 1])[None]
    after = cell_of(recurrent(reader)[layer])(given[None], state)
    named = {"h": after[0], "c": after[1]} if reader.cell == "lstm" else {"h": after}
    for name, value in named.items():
        assert told.after[name] == pytest.approx(float(value[0, unit]), abs=EXACT)
    for each in told.sums:
        assert each.value == pytest.approx(whole[each.gate][layer, place, unit], abs=EXACT)
    assert told.residual < EXACT


@pytest.mark.parametrize(("kind", "embedding"), KINDS)
@pytest.mark.parametrize("layer", [0, 1])
def test_a_step_is_torchs_own_and_its_parts_add_up(kind: str, embedding: int, layer: int) -> None:
    reader = small(kind, embedding)
    told = cell(reader, TEXT, 9, layer, 5)
    is_torchs(reader, told)
    share = 1.0
    for each in told.sums:
        share = told.sums[0].value if each.gate == "n" else 1.0
        total = each.inputs + each.bias_input + share * (each.hidden + each.bias_hidden)
        assert each.total == pytest.approx(total, abs=EXACT)
        sizes = [abs(term.product) for term in each.terms]
        assert sizes == sorted(sizes, reverse=True)
    if kind == "lstm":
        i, f, g, o = (each.value for each in told.sums)
        assert [each.gate for each in told.sums] == list("ifgo")
        assert told.after["c"] == f * told.before["c"] + i * g
        assert told.after["h"] == o * told.after["tanh"]


def test_the_terms_are_the_largest_products_and_say_whose_they_are() -> None:
    reader = small("lstm")
    told = cell(reader, TEXT, 9, 0, 5)
    weights = weights_of(reader.layers[0])
    letter = next(term for term in told.sums[0].terms if term.of == "x")
    assert letter.name == TEXT[9] == told.character
    assert letter.weight == float(weights.input[5, ALPHABET.index(TEXT[9])])
    h = torch.from_numpy(gates(reader, TEXT).values["h"][0, 8])
    products = (weights.hidden[5] * h).abs()
    own = [term for term in told.sums[0].terms if term.of == "h"]
    largest = products.argsort(descending=True)[: len(own)].tolist()
    assert [int(term.name) for term in own] == largest
    assert sum(term.of == "x" for term in told.sums[0].terms) == 1  # the rest of one-hot is 0
    every = [term for unit in range(16) for term in cell(reader, TEXT, 9, 1, unit).sums[0].terms]
    assert {term.of for term in every} == {"x", "h"}


def test_nothing_stands_before_the_first_character() -> None:
    told = cell(small("lstm"), TEXT, 0, 1, 2)
    assert told.before == {"h": 0, "c": 0}
    assert [each.hidden for each in told.sums] == [0] * 4
    assert told.residual < EXACT


def of_another_order(weights: Weights) -> Weights:
    rows = torch.arange(weights.hidden.shape[0]).chunk(4)
    order = torch.cat([rows[0], rows[1], rows[3], rows[2]])
    parts = (weights.input, weights.hidden, weights.bias_input, weights.bias_hidden)
    return Weights(*(part[order] for part in parts))


def without_a_bias(weights: Weights) -> Weights:
    return replace(weights, bias_hidden=torch.zeros_like(weights.bias_hidden))


MUTANTS = [("lstm", of_another_order), ("gru", without_a_bias), ("rnn", without_a_bias)]


@pytest.mark.parametrize(("kind", "wrong"), MUTANTS)
def test_the_residual_rejects_other_weights(
    monkeypatch: pytest.MonkeyPatch, kind: str, wrong: Callable[[Weights], Weights]
) -> None:
    monkeypatch.setattr(module, "weights_of", lambda layer: wrong(weights_of(layer)))
    reader = small(kind)
    told = cell(reader, TEXT, 9, 1, 5)
    assert told.residual > 1e-3
    with pytest.raises(AssertionError):
        is_torchs(reader, told)


def test_a_network_of_float32_is_met_within_its_rounding() -> None:
    told = cell(small("gru", dtype=torch.float32), TEXT, 20, 1, 3)
    assert 0 < told.residual < 1e-6


@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn"])
def test_a_network_is_left_as_it_is(kind: str) -> None:
    reader = small(kind)
    leaves_untouched(reader, lambda: cell(reader, TEXT, 4))
    refused = {
        "place must be from 0 to 27, got 28": (28, 0, 0),
        "layer must be from 0 to 1, got 2": (0, 2, 0),
        "unit must be from 0 to 15, got -1": (0, 0, -1),
    }
    for sentence, (place, layer, unit) in refused.items():
        with pytest.raises(ValueError, match=sentence):
            cell(reader, TEXT, place, layer, unit)
