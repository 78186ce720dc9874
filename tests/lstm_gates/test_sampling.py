"""What a network says is drawn from the probabilities that it gives."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy.stats import chisquare

from core.lstm_gates import CELLS, UNKNOWN, Plan
from core.lstm_gates.readers import Reader, build, encode
from core.lstm_gates.sampling import advance, distribution, pick, sample
from tests.shared.untouched import leaves_untouched

CPU = torch.device("cpu")
ALPHABET = UNKNOWN + "abcd"
BIAS = torch.tensor([-1.0, 0.5, 2.0, 0.0, 1.0])

logits_of = some.lists(some.floats(-30, 30, width=32), min_size=1, max_size=12)


def deaf() -> Reader:
    """A network that always says the same, whatever it reads."""
    reader = build(Plan(units=16), ALPHABET, CPU)
    with torch.no_grad():
        reader.head.weight.zero_()
        reader.head.bias.copy_(BIAS)
    return reader


@given(values=logits_of, temperature=some.floats(0.05, 100))
@settings(derandomize=True, deadline=None)
def test_a_temperature_divides_the_logits_of_the_whole_alphabet(
    values: list[float], temperature: float
) -> None:
    exact = np.exp((np.array(values, np.float64) - max(values)) / temperature)
    found = distribution(torch.tensor(values), temperature).double().numpy()
    assert np.allclose(found, exact / exact.sum(), rtol=1e-4, atol=1e-30)


def test_no_temperature_is_the_likeliest_and_a_small_one_goes_there() -> None:
    alone = torch.tensor([0.0, 0.0, 1.0, 0.0, 0.0])
    assert torch.equal(distribution(BIAS, 0), alone)
    assert torch.equal(distribution(BIAS * 100, 1e-30), alone)
    assert torch.equal(distribution(torch.tensor([1.0, 1.0]), 0), torch.tensor([1.0, 0.0]))


@given(values=logits_of, top_k=some.integers(0, 14), top_p=some.floats(0.01, 1))
@settings(derandomize=True, deadline=None)
def test_what_may_be_said_is_the_fewest_of_the_likeliest(
    values: list[float], top_k: int, top_p: float
) -> None:
    whole = distribution(torch.tensor(values), 1.0)
    found = distribution(torch.tensor(values), 1.0, top_k=top_k, top_p=top_p)
    order = sorted(range(len(values)), key=lambda each: (-float(whole[each]), each))
    left, total = [], 0.0
    for each in order[: top_k or None]:  # brute force: one after the other, until it is enough
        if total >= top_p - 1e-6:
            break
        left.append(each)
        total += float(whole[each])
    if top_p < 1 - 1e-6 and abs(total - top_p) < 1e-5:
        return  # it is rounding that tells
    exact = torch.zeros(len(values)).index_fill(0, torch.tensor(left), 1) * whole
    exact = exact / exact.sum()
    # At a top p of 1 those are left out that are too small to change the sum: below 1e-5.
    assert torch.allclose(found, exact, atol=2e-5)
    if top_k:
        assert int((found > 0).sum()) <= top_k


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_each_character_is_as_frequent_as_it_is_likely(temperature: float) -> None:
    chances = distribution(BIAS, temperature)
    grid = (torch.arange(2_000) + 0.5) / 2_000
    places = torch.stack([pick(chances, each) for each in grid])
    assert torch.allclose(places.bincount(minlength=5) / 2_000, chances, atol=1e-3)


def test_what_has_no_chance_is_never_met() -> None:
    chances = torch.tensor([0.0, 0.5, 0.0, 0.5, 0.0])
    ends = [0.0, 0.5, 0.49999997, float(np.nextafter(np.float32(1), np.float32(0)))]
    assert [int(pick(chances, torch.tensor(each))) for each in ends] == [1, 3, 1, 3]


def p_value(said: str, temperature: float) -> float:
    counts = torch.bincount(encode(said, ALPHABET), minlength=5).numpy()
    expected = np.exp(BIAS.double().numpy() / temperature)
    return float(chisquare(counts, expected / expected.sum() * len(said)).pvalue)


def test_a_long_sample_has_the_statistics_of_the_network_at_this_temperature() -> None:
    said = sample(deaf(), "a", 3_000, 2.0, torch.Generator().manual_seed(0))
    assert len(said) == 3_000
    assert p_value(said, 2.0) > 0.01
    assert p_value(said, 1.0) < 1e-9  # and the oracle rejects another temperature


@pytest.mark.parametrize("cell", CELLS)
def test_a_step_at_a_time_reads_as_torch_reads_the_whole(cell: str) -> None:
    reader = build(Plan(cell=cell, units=16, layers=2, dropout=0.5), ALPHABET, CPU).double().eval()
    codes = torch.randint(5, (3, 20), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        wanted = reader(codes)[0]
        zero = torch.zeros(3, 16, dtype=torch.float64)
        states = [(zero, zero) if cell == "lstm" else zero for _ in range(2)]
        for place in range(20):
            logits, states = advance(reader, codes[:, place], states)
            assert torch.allclose(logits, wanted[:, place], rtol=0, atol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_at_no_temperature_it_says_what_reading_all_again_says(cell: str) -> None:
    plan = Plan(cell=cell, units=16, layers=2, dropout=0.5)
    reader = build(plan, ALPHABET, CPU).train()
    with torch.no_grad():
        for each in reader.parameters():
            each.mul_(9)  # so that it says more than one thing
    text = "abca"
    said = sample(reader, text, 30, 0.0, torch.Generator().manual_seed(0))
    assert reader.training
    reader.eval()
    for _ in range(30):
        with torch.no_grad():
            text += ALPHABET[int(reader(encode(text, ALPHABET)[None])[0][0, -1].argmax())]
    assert said == text[4:]
    assert len(set(said)) > 1


def test_a_seed_says_the_same_and_another_something_else() -> None:
    one, same, other = (
        sample(deaf(), "a?", 40, 1.0, torch.Generator().manual_seed(seed), top_k=3)
        for seed in (1, 1, 2)
    )
    assert one == same != other
    assert set(one) <= set("bda")
    assert sample(deaf(), "a", 0, 1.0, torch.Generator()) == ""


def test_it_leaves_the_network_as_it_is() -> None:
    reader = deaf()
    source = torch.Generator()
    leaves_untouched(reader, lambda: sample(reader, "a", 5, 1.0, source))
    for start, length, temperature, sentence in (
        ("", 5, 1.0, "start must have at least one character"),
        ("a", -1, 1.0, "length must be from 0 to 10,000"),
        ("a", 5, math.nan, "temperature must be from 0 to 100, got nan"),
    ):
        refused = partial(sample, reader, start, length, temperature, source)
        leaves_untouched(reader, (refused, sentence))
    for named, sentence in (({"top_k": -1}, "top_k must be"), ({"top_p": 0.0}, "top_p must be")):
        with pytest.raises(ValueError, match=sentence):
            distribution(BIAS, 1.0, **named)
