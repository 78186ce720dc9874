"""Selection by brushing, against a loop over every unit and every run of characters."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from core.lstm_gates.selecting import Match, Selection, select

quiet = settings(derandomize=True, deadline=None, max_examples=150)


def drawn(seed: int, length: int = 14, units: int = 6) -> np.ndarray:
    values = np.random.default_rng(seed).standard_normal((length, units)).cumsum(0)
    return np.round(np.tanh(0.6 * values), 1)


def by_loop(
    values: np.ndarray,
    first: int,
    last: int,
    threshold: float,
    before: int,
    after: int,
    signs: Sequence[int],
) -> tuple[list[tuple[int, int]], list[int], list[Match]]:
    length, units = values.shape

    def on(place: int, each: tuple[int, int]) -> bool:
        unit, sign = each
        return bool(sign * values[place, unit] >= threshold)

    every = [(unit, sign) for sign in signs for unit in range(units)]
    around = [p for p in range(first - before, last + after + 1) if 0 <= p < length]
    around = [place for place in around if not first <= place <= last]
    selected = [
        each
        for each in every
        if all(on(place, each) for place in range(first, last + 1))
        and not any(on(place, each) for place in around)
    ]
    which = [frozenset(each for each in selected if on(place, each)) for place in range(length)]
    found = []
    for start in range(length):
        for end in range(start, length):
            same = {which[place] for place in range(start, end + 1)} == {which[start]}
            grows = (start > 0 and which[start - 1] == which[start]) or (
                end + 1 < length and which[end + 1] == which[start]
            )
            if same and not grows and which[start] and (end < first or start > last):
                throughout = {e for e in every if all(on(p, e) for p in range(start, end + 1))}
                union = len(throughout | set(selected))
                found.append(Match(start, end, len(which[start]), union))
    found.sort(key=lambda m: (-m.shared, m.union, -(m.last - m.first), m.first))
    return selected, [len(each) for each in which], found


def agrees(found: Selection, *given: Any) -> None:
    selected, on, matches = by_loop(*given)
    assert list(zip(found.units.tolist(), found.signs.tolist(), strict=True)) == selected
    assert found.on.tolist() == on
    assert list(found.matches) == matches


@given(
    seed=some.integers(0, 999),
    span=some.tuples(some.integers(0, 13), some.integers(0, 13)),
    threshold=some.sampled_from([0.1, 0.3, 0.7]),
    around=some.tuples(some.integers(0, 2), some.integers(0, 20)),
    sign=some.sampled_from([-1, 0, 1]),
)
@quiet
def test_a_selection_is_what_a_loop_over_all_units_finds(
    seed: int, span: tuple[int, int], threshold: float, around: tuple[int, int], sign: int
) -> None:
    first, last = sorted(span)
    values, (before, after) = drawn(seed), around
    found = select(values, first, last, threshold, before=before, after=after, sign=sign)
    signs = [1, -1] if sign == 0 else [sign]
    agrees(found, values, first, last, threshold, before, after, signs)


def test_that_oracle_rejects_each_change() -> None:
    values = drawn(2166, length=40, units=9)
    given = (values, 5, 7, 0.3, 1, 1, [1])
    found = select(values, 5, 7, before=1, after=1)
    agrees(found, *given)
    assert len(found.matches) > 2
    for wrong in (
        select(values, 5, 6, before=1, after=1),
        select(values, 5, 7),
        select(values, 5, 7, 0.61, before=1, after=1),
        select(values, 5, 7, before=0, after=1),
        select(values, 5, 7, before=1, after=0),
        select(values, 5, 7, before=1, after=1, sign=-1),
        replace(found, matches=found.matches[::-1]),
        replace(found, matches=found.matches[1:]),
        replace(found, on=found.on + 1),
    ):
        with pytest.raises(AssertionError):
            agrees(wrong, *given)


def test_the_order_of_matches_by_hand() -> None:
    """Two units are brushed at 0; a third one, and one more, are on now and then."""
    values = np.array(
        [
            *([1, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1], [1, 0, 0, 0], [0, 0, 1, 1]),
            *([1, 1, 0, 0], [0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0]),
        ]
    )
    found = select(values.astype(float), 0, 0, 0.5, after=1)
    assert found.units.tolist() == [0, 1]
    assert found.matches == (
        Match(7, 8, 2, 2),
        Match(5, 5, 2, 2),
        Match(2, 2, 2, 4),
        Match(3, 3, 1, 2),
    )
    assert len(select(values.astype(float), 0, 0, 0.5, most=2).matches) == 2


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"first": -1}, "the span must lie within the text, from 0 to 13, got -1 to 5"),
        ({"last": 14}, "got 3 to 14"),
        ({"first": 6}, "got 6 to 5"),
        ({"threshold": 0.0}, "threshold must be above 0, got 0"),
        ({"threshold": np.nan}, "threshold must be above 0, got nan"),
        ({"before": -1}, "before and after must not be negative, got -1 and 0"),
        ({"sign": 2}, "sign must be −1, 0 or 1, got 2"),
    ],
)
def test_a_wrong_span_is_refused(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        select(drawn(0), **{"first": 3, "last": 5, **wrong})
