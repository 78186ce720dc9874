"""An order of pixels hides no order of rows, and agreement is Spearman's."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from jaxtyping import Float
from scipy import stats

from core.saliency import ranking
from core.saliency.methods import METHODS, ORDERS
from core.saliency.ranking import precedence, rank_correlation, ranks, summed, support_of
from core.saliency.sources import source_of

EVERYWHERE = np.ones((5, 4), bool)


def from_most_to_least(values: Float[np.ndarray, "h w"], seed: int) -> None:
    """Each pixel once, and no value above the one before."""
    order = ranks(values, source_of(seed)).numpy()
    assert sorted(order) == list(range(values.size))
    assert (np.diff(values.ravel()[order]) <= 0).all()


@given(levels=some.lists(some.integers(-3, 3), min_size=20, max_size=20), seed=some.integers(0, 99))
@settings(derandomize=True, deadline=None, max_examples=50)
def test_ranks_go_from_the_largest_value_to_the_least(levels: list[int], seed: int) -> None:
    from_most_to_least(np.array(levels, np.float64).reshape(5, 4), seed)


def test_that_property_rejects_an_order_upside_down(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = torch.Tensor.argsort

    def upside_down(values: torch.Tensor, *, descending: bool, stable: bool) -> torch.Tensor:
        return usual(values, descending=not descending, stable=stable)

    monkeypatch.setattr(torch.Tensor, "argsort", upside_down)
    with pytest.raises(AssertionError):
        from_most_to_least(np.arange(20.0).reshape(5, 4), 0)


def ties_are_drawn(rank: Callable[[Float[np.ndarray, "h w"], torch.Generator], object]) -> None:
    """Of three equal pixels all six orders are alike likely, between a larger and a smaller one."""
    values = np.array([[0.5, 2.0, 0.5], [0.5, -1.0, -3.0]])
    source, seen = source_of(0), dict[tuple[int, ...], int]()
    for _ in range(1200):
        order = tuple(int(each) for each in rank(values, source))  # type: ignore[attr-defined]
        assert order[0] == 1
        assert order[4:] == (4, 5)
        seen[order[1:4]] = seen.get(order[1:4], 0) + 1
    assert len(seen) == 6
    assert stats.chisquare(list(seen.values())).pvalue > 0.01


def test_equal_pixels_are_in_any_order_alike_likely() -> None:
    ties_are_drawn(ranks)
    flat = np.zeros((6, 6))
    first, again, other = (ranks(flat, source_of(seed)).tolist() for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_that_rejects_ties_by_the_order_of_the_rows() -> None:
    with pytest.raises(AssertionError):
        ties_are_drawn(
            lambda values, source: torch.from_numpy(-values.ravel()).argsort(stable=True).tolist()
        )


def test_a_map_that_is_not_finite_has_no_order() -> None:
    with pytest.raises(ValueError, match="values must be finite for an order of pixels"):
        ranks(np.array([[1.0, np.nan]]), source_of(0))


def agrees_with_scipy(seed: int) -> None:
    """Compare with SciPy on maps with many ties, and on a part of them."""
    source = np.random.default_rng(seed)
    first, second = source.integers(-4, 5, (2, 5, 4)).astype(np.float64)
    part = source.random((5, 4)) > 0.3
    for counted in (EVERYWHERE, part):
        wanted = stats.spearmanr(first[counted], second[counted]).statistic
        assert rank_correlation(first, second, counted) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_rank_correlation_is_scipys(seed: int) -> None:
    agrees_with_scipy(seed)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda values: values,  # Pearson's
        lambda values: values.argsort(kind="stable").argsort(kind="stable").astype(float),
        lambda values: stats.rankdata(values, "min"),
    ],
)
def test_that_oracle_rejects_other_ranks(
    wrong: Callable[[Float[np.ndarray, " n"]], Float[np.ndarray, " n"]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ranking, "_mean_ranks", wrong)
    with pytest.raises(AssertionError):
        agrees_with_scipy(0)


def test_the_ends_of_agreement_and_where_there_is_none() -> None:
    rising = np.arange(20.0).reshape(5, 4)
    assert rank_correlation(rising, np.exp(rising), EVERYWHERE) == pytest.approx(1)
    assert rank_correlation(rising, -rising, EVERYWHERE) == pytest.approx(-1)
    nowhere = np.zeros((5, 4), bool)
    flat = np.full((5, 4), 3.0)
    for first, second, counted in (
        (rising, flat, EVERYWHERE),
        (flat, flat, EVERYWHERE),
        (rising, rising, nowhere),
        (rising, np.where(rising > 3, rising, np.inf), EVERYWHERE),
    ):
        assert np.isnan(rank_correlation(first, second, counted))
    half = rising >= 10
    assert rank_correlation(rising, np.maximum(rising, 10), half) == pytest.approx(1)


def test_the_support_is_the_ink_of_a_digit_and_all_of_a_photograph() -> None:
    digit = np.array([[[0.0, 0.2], [1.0, 0.0]]], np.float32)
    assert support_of(digit).tolist() == [[False, True], [True, False]]
    assert support_of(np.zeros((3, 2, 2), np.float32)).all()


def test_colours_are_added_with_their_signs() -> None:
    values = np.array([[[1.0, 2.0]], [[-3.0, 0.5]]], np.float32)
    assert summed(values).tolist() == [[-2.0, 2.5]]


def sizes_are_those_of_each_colour(order: Callable[[Float[np.ndarray, "d h w"], str], Any]) -> None:
    """The middle pixel is of no value in all, and of the largest size."""
    values = np.array([[[1.0, 4.0, -2.0]], [[0.5, -4.0, -1.0]]], np.float32)
    assert order(values, "value").tolist() == [[1.5, 0.0, -3.0]]
    assert order(values, "size").tolist() == [[1.5, 8.0, 3.0]]


def test_by_size_each_colour_counts_without_its_sign() -> None:
    sizes_are_those_of_each_colour(precedence)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda values, order: summed(values),
        lambda values, order: summed(abs(values)),
        lambda values, order: abs(summed(values)) if order == "size" else summed(values),
        lambda values, order: abs(values).max(0) if order == "size" else summed(values),
    ],
)
def test_that_rejects_other_sizes(wrong: Callable[..., Any]) -> None:
    with pytest.raises(AssertionError):
        sizes_are_those_of_each_colour(wrong)


def test_a_map_of_slopes_is_ordered_by_size_and_one_of_parts_by_value() -> None:
    """What is per unit of a pixel says by its sign brighter or darker, not for or against."""
    for method in METHODS.values():
        assert method.order in ORDERS
        slopes = method.signed and "per unit" in method.unit
        assert method.order == ("size" if slopes else "value"), method.title
