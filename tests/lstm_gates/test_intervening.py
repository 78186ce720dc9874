"""Clamps: nothing changes without one, and with one what follows is computed from it."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from core.lstm_gates import GATES, Clamp
from core.lstm_gates import intervening as module
from core.lstm_gates.gates import gates
from core.lstm_gates.intervening import clamped
from core.lstm_gates.readers import Reader, encode
from core.lstm_gates.results import Clamped
from tests.lstm_gates.small import ALPHABET, KINDS, TEXT, cell_of, recurrent, small
from tests.shared.untouched import leaves_untouched

EXACT = 1e-12
SPAN = range(6, 12)
KEEPING = (Clamp("f", 1, 0, (), 6, 11), Clamp("i", 0, 0, (), 6, 11))


@pytest.mark.parametrize(("cell", "embedding"), KINDS)
def test_without_a_clamp_nothing_is_changed(cell: str, embedding: int) -> None:
    reader = small(cell, embedding)
    told, free = clamped(reader, TEXT, ()), gates(reader, TEXT)
    assert told.gates.residual < EXACT
    for name, value in free.values.items():
        np.testing.assert_allclose(told.gates.values[name], value, rtol=0, atol=EXACT)
    for one, other in [(told.gates.bits, free.bits), (told.bits, free.bits)]:
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-10)
    assert told.apart.max() < EXACT
    assert sorted(told.characters) == sorted(ALPHABET)
    np.testing.assert_allclose(told.before.sum(1), 1, rtol=0, atol=EXACT)


def keeps_its_cells(told: Clamped) -> None:
    cells = told.gates.values["c"][0]
    for place in SPAN:
        assert (cells[place] == cells[SPAN.start - 1]).all()  # to the last bit
    assert (cells[SPAN.stop] != cells[SPAN.start - 1]).any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_cells_that_forget_nothing_and_let_nothing_in_keep_what_they_have(
    dtype: torch.dtype,
) -> None:
    keeps_its_cells(clamped(small("lstm", dtype=dtype), TEXT, KEEPING))


@pytest.mark.parametrize(
    "wrong",
    [
        KEEPING[:1],
        KEEPING[1:],
        (KEEPING[0], replace(KEEPING[1], layer=1)),
        (KEEPING[0], replace(KEEPING[1], units=(0, 1))),
        (KEEPING[0], replace(KEEPING[1], last=10)),
        (KEEPING[0], replace(KEEPING[1], first=7)),
        tuple(replace(each, last=None) for each in KEEPING),
    ],
)
def test_that_oracle_rejects_other_clamps(wrong: tuple[Clamp, ...]) -> None:
    with pytest.raises(AssertionError):
        keeps_its_cells(clamped(small("lstm"), TEXT, wrong))


def with_a_held_state(reader: Reader, clamp: Clamp) -> dict[str, Tensor]:
    """Let torch's cells read and put the value into the state that they keep."""
    value = reader.see(encode(TEXT, ALPHABET)[None])[0]
    kept: dict[str, list[Tensor]] = {"h": [], "c": []}
    for number, layer in enumerate(recurrent(reader)):
        cell, rows = cell_of(layer), []
        state: Any = None
        for place, given in enumerate(value):
            state = cell(given[None], state)
            pair = [each.clone() for each in (state if reader.cell == "lstm" else (state,))]
            if number == clamp.layer and place in SPAN:
                pair["hc".index(clamp.gate)][:, list(clamp.units)] = clamp.value
            state = tuple(pair) if reader.cell == "lstm" else pair[0]
            rows.append(pair)
        value = torch.cat([pair[0] for pair in rows])
        for name, column in zip("hc", zip(*rows, strict=True), strict=False):
            kept[name].append(torch.cat(column))
    return {
        "logits": reader.head(value),
        **{name: torch.stack(each) for name, each in kept.items() if each},
    }


def is_torchs(reader: Reader, told: Clamped, clamp: Clamp) -> None:
    wanted = with_a_held_state(reader, clamp)
    h = wanted["h"].numpy()
    np.testing.assert_allclose(told.gates.values["h"], h, rtol=0, atol=EXACT)
    after = wanted["logits"].softmax(1)[:, [ALPHABET.index(each) for each in told.characters]]
    np.testing.assert_allclose(told.after, after.numpy(), rtol=0, atol=EXACT)


@pytest.mark.parametrize("cell", list(GATES))
@pytest.mark.parametrize("layer", [0, 1])
def test_a_held_h_is_what_torchs_cells_go_on_from(cell: str, layer: int) -> None:
    reader = small(cell)
    clamp = Clamp("h", -0.5, layer, (2, 3), SPAN.start, SPAN.stop - 1)
    told = clamped(reader, TEXT, (clamp,))
    is_torchs(reader, told, clamp)
    assert (told.gates.values["h"][layer, SPAN.start : SPAN.stop, 2:4] == -0.5).all()
    assert told.apart[SPAN.start] > 1e-4
    assert told.apart[: SPAN.start].max() < EXACT
    assert told.gates.residual < EXACT  # of what came before
    free = gates(reader, TEXT)
    np.testing.assert_allclose(told.bits, free.bits, rtol=0, atol=1e-10)
    np.testing.assert_allclose(told.apart, abs(told.after - told.before).sum(1) / 2, atol=EXACT)
    moved = abs(told.after - told.before).max(0)
    assert (np.diff(moved) <= 0).all()


def held_too_late(clamps: list[Clamp]) -> Any:
    return module_held([replace(each, first=each.first + 1) for each in clamps])


def held_for_show(clamps: list[Clamp]) -> Any:
    """Hold what is told and not what is computed from it: the gate is never handed on."""
    return lambda name, place, value: value


module_held = module._held


@pytest.mark.parametrize("wrong", [held_too_late, held_for_show])
def test_that_oracle_rejects_clamps_that_do_not_hold(
    monkeypatch: pytest.MonkeyPatch, wrong: Callable[[list[Clamp]], Any]
) -> None:
    monkeypatch.setattr(module, "_held", wrong)
    reader = small("gru")
    clamp = Clamp("h", -0.5, 0, (2, 3), SPAN.start, SPAN.stop - 1)
    with pytest.raises(AssertionError):
        is_torchs(reader, clamped(reader, TEXT, (clamp,)), clamp)


def test_a_held_cell_gives_h_by_its_output_gate() -> None:
    told = clamped(small("lstm"), TEXT, (Clamp("c", 2.0, 0, (4,), 3, 3),)).gates.values
    assert told["c"][0, 3, 4] == 2
    assert told["h"][0, 3, 4] == pytest.approx(told["o"][0, 3, 4] * np.tanh(2), abs=EXACT)
    after = told["f"][0, 4, 4] * 2 + told["i"][0, 4, 4] * told["g"][0, 4, 4]
    assert told["c"][0, 4, 4] == pytest.approx(after, abs=EXACT)


@pytest.mark.parametrize("gate", GATES["gru"])
def test_each_gate_of_a_gru_can_be_held(gate: str) -> None:
    told = clamped(small("gru"), TEXT, (Clamp(gate, 0.25, 1),))
    assert (told.gates.values[gate][1] == 0.25).all()
    assert told.apart.min() > 0
    assert np.isnan(told.gates.residual)  # no character is read as torch would


def test_of_two_clamps_the_last_one_holds() -> None:
    told = clamped(small("rnn"), TEXT, (Clamp("h", 0.1, 0), Clamp("h", 0.2, 0, (1,), 0, 0)))
    assert told.gates.values["h"][0, :2, 1].tolist() == [0.2, 0.1]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (("q", 0.0, 0), "gate must be one of"),
        (("f", float("nan"), 0), "value must be from -1e\\+06 to 1e\\+06, got nan"),
        (("f", 1e300, 0), "value must be from -1e\\+06 to 1e\\+06, got 1e\\+300"),
        (("f", 0.0, -1), "layer must be a whole number, not below 0, got -1"),
        (("f", 0.0, 0, (), 3, 2), "last must not be before first, 3, got 2"),
        (("f", 0.0, 0, (-2,)), "units must be a whole number"),
    ],
)
def test_a_clamp_refuses_what_it_cannot_be(wrong: tuple[Any, ...], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Clamp(*wrong)


def test_a_network_is_left_as_it_is_and_refuses_what_it_lacks() -> None:
    reader = small("lstm")
    leaves_untouched(reader, lambda: clamped(reader, TEXT, KEEPING))
    refused = {
        "gate must be one of": Clamp("z", 0, 0),
        "layer must be from 0 to 1, got 2": Clamp("f", 0, 2),
        "units must be from 0 to 15, got 16": Clamp("f", 0, 0, (16,)),
        "first must be from 0 to 27, got 28": Clamp("f", 0, 0, (), 28),
    }
    for sentence, clamp in refused.items():
        leaves_untouched(reader, (partial(clamped, reader, TEXT, (clamp,)), sentence))
    with pytest.raises(ValueError, match="clamps must be at most 100, got 101"):
        clamped(reader, TEXT, 101 * KEEPING[:1])
    with pytest.raises(ValueError, match="text must have from 1 to 2,000 characters"):
        clamped(reader, "a" * 2_001, ())
