"""What is drawn comes as often as it must; what may not be is left out after the softmax."""

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy.stats import chi2, chisquare, kstest

from core.distillation.drawing import draw, keep, pick, survival
from core.distillation.softening import probabilities
from core.lstm_gates.asking import built_in
from core.lstm_gates.sampling import distribution

quietly = settings(derandomize=True, deadline=None)
LOGITS = (2.0, 1.0, 0.5, 0.0, -0.5, -1.0)
VOCABULARY = np.random.default_rng(0).normal(0, 2, 5_000)


def nucleus(shares: np.ndarray, top_p: float) -> set[int]:
    """By trying all sets: of the smallest that have enough, the one with the most."""
    for size in range(1, len(shares) + 1):
        sets = list(combinations(range(len(shares)), size))
        best = max(sets, key=lambda each: shares[list(each)].sum())
        if shares[list(best)].sum() >= top_p:
            return set(best)
    return set(range(len(shares)))


different = some.lists(some.integers(-40, 40), min_size=1, max_size=7, unique=True)


@given(
    values=different,
    temperature=some.floats(0.3, 10),
    top_k=some.integers(0, 8),
    top_p=some.floats(0.01, 0.999),
)
@quietly
def test_the_fewest_are_kept_that_have_enough_and_no_more_than_k(
    values: list[int], temperature: float, top_k: int, top_p: float
) -> None:
    logits = [each / 4 for each in values]
    found = keep(logits, temperature, top_k, top_p)
    shares = torch.tensor(logits, dtype=torch.float64).div(temperature).softmax(0).numpy()
    ranked = set(np.argsort(-shares)[: top_k or None].tolist())
    assert set(np.flatnonzero(found.kept).tolist()) == nucleus(shares, top_p) & ranked
    np.testing.assert_allclose(found.whole, shares, rtol=1e-12)
    np.testing.assert_allclose(found.mass, shares[found.kept].sum(), rtol=1e-12)
    np.testing.assert_allclose(
        found.probabilities, np.where(found.kept, shares / found.mass, 0), rtol=1e-12
    )
    assert found.count == found.kept.sum()
    assert found.probabilities.sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(found.reached, np.sort(shares)[::-1].cumsum(), rtol=1e-12)


@pytest.mark.parametrize("seed", range(12))
def test_it_is_the_distribution_that_the_network_of_characters_draws_from(seed: int) -> None:
    source = np.random.default_rng(seed)
    logits = source.normal(0, 3, 40)
    temperature, top_p = float(source.uniform(0.2, 3)), float(source.uniform(0.1, 1))
    top_k = int(source.integers(0, 40))
    truth = distribution(torch.tensor(logits), temperature, top_k=top_k, top_p=top_p).numpy()
    found = keep(logits, temperature, top_k, top_p).probabilities
    np.testing.assert_allclose(found, truth, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_a_display_that_cuts_to_fifty_before_the_softmax_says_something_else(
    temperature: float,
) -> None:
    """The whole vocabulary takes part; what others make of fifty of it is told beside it."""
    found = keep(VOCABULARY, temperature, 0, 0.9, cut_to=50)
    truth = torch.tensor(VOCABULARY).div(temperature).softmax(0).numpy()
    np.testing.assert_allclose(found.whole, truth, rtol=1e-11)
    order = np.argsort(-VOCABULARY)
    assert found.cut_mass == pytest.approx(truth[order[:50]].sum(), rel=1e-11)
    np.testing.assert_allclose(
        found.cut[order[:50]], truth[order[:50]] / truth[order[:50]].sum(), rtol=1e-11
    )
    assert found.cut[order[50:]].sum() == 0
    assert found.cut_mass < 0.7  # and the display says 1
    assert (found.cut > 0).sum() == 50 < found.count  # top p needs more than fifty
    assert not np.allclose(found.cut, found.whole, atol=1e-4)  # the oracle sees the cut
    assert keep(VOCABULARY, temperature).cut_mass == pytest.approx(1)


def test_it_takes_the_whole_alphabet_of_a_network_of_characters() -> None:
    told = built_in("python", "expected", "import ")
    found = keep(told.logits, 2.0, 0, 0.8, cut_to=20)
    assert len(found.whole) == len(told.alphabet)
    truth = distribution(torch.tensor(told.logits), 2.0, top_p=0.8).numpy()
    np.testing.assert_allclose(found.probabilities, truth, rtol=1e-9)
    assert found.cut_mass < 0.95


def test_ties_are_kept_in_their_order_and_at_zero_they_share() -> None:
    assert np.flatnonzero(keep((1.0, 3.0, 3.0, 3.0), 1.0, top_k=2).kept).tolist() == [1, 2]
    cold = keep((1.0, 3.0, 3.0), 0.0)
    assert cold.probabilities.tolist() == [0, 0.5, 0.5]
    assert np.flatnonzero(keep((1.0, 3.0, 3.0), 0.0, top_p=0.5).kept).tolist() == [1]
    hot = keep((1.0, 3.0, 2.0, 0.0), math.inf, top_k=2)
    assert np.flatnonzero(hot.kept).tolist() == [1, 2]  # all alike: the larger logits still
    assert hot.mass == 0.5


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 9, 30, 97])
@pytest.mark.parametrize("value", [0.0, 1e-9, 0.4, 3.0, 9.5, 41.0, 300.0])
def test_the_chance_of_a_sum_is_that_of_scipy(freedom: int, value: float) -> None:
    assert survival(value, freedom) == pytest.approx(chi2.sf(value, freedom), rel=1e-9, abs=1e-300)
    other = chi2.sf(value, freedom + 1)  # the oracle sees one freedom more or less
    if 1e-12 < other < 0.99:
        assert survival(value, freedom) != pytest.approx(other, rel=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_what_is_said_of_the_draws_is_so(seed: int) -> None:
    found = draw(LOGITS, 1.5, seed)
    shares = torch.tensor(LOGITS, dtype=torch.float64).div(1.5).softmax(0).numpy()
    assert len(found.drawn) == found.counts.sum() == 1_000
    np.testing.assert_array_equal(found.counts, [(found.drawn == k).sum() for k in range(6)])
    np.testing.assert_allclose(found.expected, 1_000 * shares, rtol=1e-12)
    np.testing.assert_allclose(found.spread, np.sqrt(1_000 * shares * (1 - shares)), rtol=1e-12)
    truth = chisquare(found.counts, 1_000 * shares)
    assert found.chi_squared == pytest.approx(truth.statistic, rel=1e-9)
    assert found.freedom == 5
    assert found.chance == pytest.approx(truth.pvalue, rel=1e-9)


def many(temperature: float = 1.5, **others: float) -> tuple[np.ndarray, np.ndarray]:
    found = [draw(LOGITS, temperature, seed, **others) for seed in range(300)]  # type: ignore[arg-type]
    return np.array([each.counts for each in found]), np.array([each.chance for each in found])


def test_over_many_seeds_they_come_as_often_as_they_must_and_spread_as_they_must() -> None:
    counts, chances = many()
    one = draw(LOGITS, 1.5, 0)
    error = one.spread / math.sqrt(len(counts))
    assert (np.abs(counts.mean(0) - one.expected) < 4 * error).all()
    # A deviation over 300 seeds is known to one in √600.
    np.testing.assert_allclose(counts.std(0, ddof=1), one.spread, rtol=5 / math.sqrt(600))
    assert kstest(chances, "uniform").pvalue > 1e-3


def test_that_these_oracles_reject_draws_at_another_temperature() -> None:
    counts, _ = many(temperature=1.7)
    one = draw(LOGITS, 1.5, 0)
    error = one.spread / math.sqrt(len(counts))
    assert not (np.abs(counts.mean(0) - one.expected) < 4 * error).all()
    wrong = [chisquare(each, one.expected).pvalue for each in counts]
    assert kstest(wrong, "uniform").pvalue < 1e-6


def test_what_is_left_out_is_never_drawn_and_what_is_rare_counts_as_one() -> None:
    found = draw(LOGITS, 1.0, 3, 2_000, top_k=3, top_p=0.95)
    assert found.counts[3:].sum() == 0
    assert found.expected[3:].sum() == 0
    assert found.freedom == 2
    rare = draw((8.0, 7.5, 0.0, 0.5, -1.0), 1.0, 0)
    assert (rare.expected[2:] < 5).all()
    assert rare.freedom == 2
    seen = [*rare.counts[:2], rare.counts[2:].sum()]
    due = [*rare.expected[:2], rare.expected[2:].sum()]
    assert rare.chi_squared == pytest.approx(chisquare(seen, due).statistic, rel=1e-9)


@pytest.mark.parametrize(("logits", "temperature"), [((1.0, 9.0, 2.0), 0.0), ((3.0,), 1.0)])
def test_where_one_alone_may_come_there_is_no_freedom(
    logits: Sequence[float], temperature: float
) -> None:
    found = draw(logits, temperature, 0)
    assert found.counts.max() == 1_000
    assert (found.freedom, math.isnan(found.chi_squared), math.isnan(found.chance)) == (
        0,
        True,
        True,
    )


def test_a_seed_draws_the_same_again_and_another_something_else() -> None:
    one = draw(LOGITS, 1.0, 5).drawn
    np.testing.assert_array_equal(one, draw(LOGITS, 1.0, 5).drawn)
    assert (one != draw(LOGITS, 1.0, 6).drawn).mean() > 0.3
    # Little of it changes with a little heat, so that the bars do not jump while it is dragged.
    hotter = draw(LOGITS, 1.02, 5)
    sums = [keep(LOGITS, each).probabilities.cumsum() for each in (1.0, 1.02)]
    share = np.abs(sums[1] - sums[0]).sum()  # of all draws, as far as one place each
    assert (one != hotter.drawn).mean() < share + 4 * math.sqrt(share / 1_000) < 0.1


def test_no_place_without_a_chance_is_met_at_the_ends_of_the_sum() -> None:
    shares = keep((-800.0, 0.0, -800.0, 0.0, -800.0), 1.0).probabilities
    assert shares[[0, 2, 4]].sum() == 0
    assert set(draw((-800.0, 0.0, -800.0, 0.0, -800.0), 1.0, 0, 100_000).drawn) == {1, 3}
    assert probabilities(np.array([-800.0, 0.0]), 1.0)[0] == 0
    ends = np.array([0.0, np.nextafter(0.5, 0), 0.5, np.nextafter(1.0, 0)])
    assert pick(np.array([0.0, 0.5, 0.0, 0.5, 0.0]), ends).tolist() == [1, 1, 3, 3]
    assert pick(np.full(10, 0.1), ends[-1:]).tolist() == [9]  # whose sum is a little below 1


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"top_k": -1}, "top_k must be 0 or more classes, got -1"),
        ({"cut_to": -2}, "cut_to must be 0 or more classes, got -2"),
        ({"top_p": 0.0}, "top_p must be above 0 and at most 1, got 0.0"),
        ({"top_p": math.nan}, "top_p must be above 0 and at most 1, got nan"),
        ({"temperature": -1.0}, "temperature must be from 0 to infinity, got -1.0"),
        ({"count": 0}, "count must be from 1 to 1,000,000, got 0"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"logits": ()}, "logits must be a row of at least one number"),
    ],
)
def test_what_cannot_be_drawn_from_is_refused(changed: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        draw(**({"logits": LOGITS, "temperature": 1.0, "seed": 0} | changed))  # type: ignore[arg-type]


def test_a_sum_below_zero_or_without_freedom_has_no_chance() -> None:
    for value, freedom in ((-1.0, 3), (math.nan, 3), (1.0, 0)):
        with pytest.raises(ValueError, match="value and freedom must be from 0 and 1 on"):
            survival(value, freedom)
