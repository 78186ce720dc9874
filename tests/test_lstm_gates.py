"""LSTM gates: what may be asked for, and the network that everything else reads."""

import math
from typing import Any

import pytest
import torch

from core.lstm_gates import UNKNOWN, Plan
from core.lstm_gates.readers import build, decode, encode

ALPHABET = UNKNOWN + "abc"


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"cell": "mlp"}, "cell must be one of"),
        ({"units": 15}, "units must be a whole number from 16 to 512, got 15"),
        ({"layers": True}, "layers must be a whole number from 1 to 3, got True"),
        ({"dropout": math.nan}, "dropout must be from 0 to 0.9, got nan"),
        ({"clip": -1.0}, "clip must be from 0 to 1000, got -1.0"),
    ],
)
def test_a_plan_refuses_what_it_cannot_be(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Plan(**wrong)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("embedding", [0, 7])
def test_layers_on_each_other_are_torchs_own_network_of_several(cell: str, embedding: int) -> None:
    reader = build(Plan(cell=cell, layers=3, units=16, embedding=embedding), ALPHABET).double()
    kind = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}[cell]
    whole = kind(embedding or len(ALPHABET), 16, 3, batch_first=True).double()
    for number, layer in enumerate(reader.layers):
        for name, value in layer.named_parameters():
            getattr(whole, name.replace("_l0", f"_l{number}")).data.copy_(value)
    codes = torch.randint(4, (2, 30), generator=torch.Generator().manual_seed(0))
    logits, states = reader(codes)
    wanted, _ = whole(reader.see(codes))
    torch.testing.assert_close(logits, reader.head(wanted), rtol=0, atol=1e-12)
    half, left = reader(codes[:, :11])
    rest, last = reader(codes[:, 11:], left)
    torch.testing.assert_close(torch.cat([half, rest], 1), logits, rtol=0, atol=1e-12)
    for one, other in zip(last, states, strict=True):
        pairs = zip(one, other, strict=True) if cell == "lstm" else [(one, other)]
        assert all(torch.allclose(a, b, rtol=0, atol=1e-12) for a, b in pairs)


def test_the_forget_bias_is_what_both_of_torchs_add_up_to() -> None:
    reader = build(Plan(units=16, forget_bias=3.0, layers=2), ALPHABET)
    for layer in reader.layers:
        total = layer.get_parameter("bias_ih_l0") + layer.get_parameter("bias_hh_l0")
        assert (total[16:32] == 3).all()
        assert (total[:16].abs() <= 0.5).all()  # of the input gates, 2/√16
        assert total[:16].any()


def test_a_seed_is_a_network_and_the_global_source_stays() -> None:
    before = torch.get_rng_state()
    one, same, other = (build(Plan(seed=seed, units=16), ALPHABET) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one.head.weight, same.head.weight)
    assert not torch.equal(one.head.weight, other.head.weight)


def test_what_is_not_in_the_alphabet_is_unknown() -> None:
    assert encode("abxc", ALPHABET).tolist() == [1, 2, 0, 3]
    assert decode(encode("abxc", ALPHABET), ALPHABET) == f"ab{UNKNOWN}c"
