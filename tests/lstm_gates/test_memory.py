"""Memory: what gates count as shut, for how long a unit keeps, and what another past changes."""

import math

import numpy as np
import pytest
import torch

from core.lstm_gates import memory as module
from core.lstm_gates.gates import gates
from core.lstm_gates.memory import edited, memory
from core.lstm_gates.readers import Reader, encode
from tests.lstm_gates.small import ALPHABET, KINDS, TEXT, plain, small
from tests.shared.untouched import leaves_untouched

EXACT = 1e-12
OPENED = {"lstm": "ifo", "gru": "rz", "rnn": ""}


@pytest.mark.parametrize("cell", list(OPENED))
def test_saturation_counts_what_is_nearly_shut_and_nearly_open(cell: str) -> None:
    reader = small(cell)
    for value in reader.parameters():
        value.mul_(3)  # so that each gate is both now and then
    told, wanted = memory(reader, TEXT).saturation, plain(reader, TEXT)
    assert set(told.left) == set(told.right) == set(told.mean) == set(OPENED[cell])
    for name in OPENED[cell]:
        for layer in (0, 1):
            for unit in (0, 7, 15):
                column = wanted[name][layer, :, unit].tolist()
                shares = told.left[name][layer, unit], told.right[name][layer, unit]
                assert shares[0] == sum(value < 0.1 for value in column) / len(column)
                assert shares[1] == sum(value > 0.9 for value in column) / len(column)
                mean = sum(column) / len(column)
                assert told.mean[name][layer, unit] == pytest.approx(mean, abs=EXACT)
        assert 0 < told.left[name].mean() < 1
        assert told.left[name].mean() != told.right[name].mean()


def constant(cell: str, bias: float) -> Reader:
    """Let every gate be the same at all characters: there is nothing but biases."""
    reader = small(cell)
    for layer in reader.layers:
        for name, value in layer.named_parameters():
            value.fill_(bias / 2 if name.startswith("bias") else 0)
    return reader


@pytest.mark.parametrize(("cell", "gate"), [("lstm", "f"), ("gru", "z")])
def test_a_gate_of_sigma_b_keeps_for_one_and_e_to_the_b_steps(cell: str, gate: str) -> None:
    told = memory(constant(cell, 3), TEXT)
    assert told.gate == gate
    np.testing.assert_allclose(told.steps, 1 + math.exp(3), rtol=1e-12)
    opened = int(50 / (1 + math.exp(-3)))  # the bin of σ(3)
    for counts in told.counts.values():
        assert counts.shape == (2, 50)
        assert counts[:, opened].tolist() == [16 * len(TEXT)] * 2
        assert counts.sum() == 2 * 16 * len(TEXT)
    assert told.edges[opened] <= 1 / (1 + math.exp(-3)) < told.edges[opened + 1]


def test_that_closed_form_rejects_another_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = constant("lstm", 3)
    reader.layers[0].get_parameter("bias_ih_l0")[:16] -= 1  # of the input gates
    right = memory(reader, TEXT).steps
    np.testing.assert_allclose(right, 1 + math.exp(3), rtol=1e-12)
    monkeypatch.setitem(module.KEEPING, "lstm", "i")
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(memory(reader, TEXT).steps, right)


def test_a_unit_that_never_forgets_keeps_for_ever_and_an_rnn_has_no_gate() -> None:
    assert np.isinf(memory(constant("lstm", 100), TEXT).steps).all()
    told = memory(small("rnn"), TEXT)
    assert told.gate == ""
    assert told.steps.shape == (2, 0)
    assert told.counts == {}


@pytest.mark.parametrize(("cell", "embedding"), KINDS)
def test_two_pasts_part_as_two_readings_do(cell: str, embedding: int) -> None:
    reader = small(cell, embedding)
    told = edited(reader, TEXT, 7, "e")
    other = TEXT[:7] + "e" + TEXT[8:]
    assert told.edited == other
    one, two = plain(reader, TEXT), plain(reader, other)
    distances = {"h": told.hidden, **({} if told.cells is None else {"c": told.cells})}
    assert set(distances) == {"h", "c"} & set(one)
    for name, found in distances.items():
        wanted = ((one[name] - two[name]) ** 2).sum(2).sqrt()
        np.testing.assert_allclose(found, wanted.numpy(), rtol=0, atol=EXACT)
        assert (found[:, :7] == 0).all()
        assert (found[:, 7] > 0).all()
    p, q = (each["logits"].softmax(1) for each in (one, two))
    np.testing.assert_allclose(told.variation, (p - q).abs().sum(1).numpy() / 2, atol=EXACT)
    divergence = (p * (p / q).log2()).sum(1).numpy()
    np.testing.assert_allclose(told.divergence, divergence, rtol=0, atol=EXACT)


def test_that_oracle_rejects_the_reading_of_another_text() -> None:
    reader = small("lstm")
    found = edited(reader, TEXT, 8, "e").hidden
    one, two = (gates(reader, text).values["h"] for text in (TEXT, TEXT[:7] + "e" + TEXT[8:]))
    wanted = np.linalg.norm(one - two, axis=2)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(found, wanted, atol=EXACT)


def forgetful() -> Reader:
    reader = small("rnn")
    for layer in reader.layers:
        layer.get_parameter("weight_hh_l0").zero_()
    return reader


def test_where_two_readings_meet_again() -> None:
    reader = forgetful()
    told = edited(reader, TEXT, 7, "e", threshold=1e-9)
    assert np.flatnonzero(told.variation).tolist() == [7]  # nothing goes on to the next character
    assert told.met == 8
    assert edited(reader, TEXT, len(TEXT) - 1, "e", threshold=1e-9).met is None
    same = edited(small("lstm"), TEXT, 7, TEXT[7])
    assert same.met == 7
    assert not same.variation.any()
    slow = edited(small("lstm"), TEXT, 7, "e", threshold=0.01)
    assert slow.met is not None
    assert slow.variation[slow.met - 1] >= 0.01 > slow.variation[slow.met :].max()


@pytest.mark.parametrize("cell", list(OPENED))
def test_a_network_is_left_as_it_is(cell: str) -> None:
    reader = small(cell)
    leaves_untouched(reader, lambda: memory(reader, TEXT))
    leaves_untouched(reader, lambda: edited(reader, TEXT, 3, "b"))
    with pytest.raises(ValueError, match=r"place must be from 0 to 27, got 28"):
        edited(reader, TEXT, 28, "b")
    with pytest.raises(ValueError, match=r"character must be one character, got 'bc'"):
        edited(reader, TEXT, 3, "bc")
    with pytest.raises(ValueError, match=r"threshold must be from 0 to 1, got nan"):
        edited(reader, TEXT, 3, "b", math.nan)
    with pytest.raises(ValueError, match="text must have from 1 to 20,000"):
        memory(reader, "")


def test_an_unknown_character_can_be_edited_in() -> None:
    told = edited(small("lstm"), "abc", 1, "☃")
    assert told.edited == "a☃c"
    assert encode("☃", ALPHABET).tolist() == [0]
    assert torch.tensor(told.variation[1]) > 0
