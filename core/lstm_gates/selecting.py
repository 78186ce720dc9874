"""Units that are on here and off there, and where else they are on: LSTMVis' selection by brushing.

A unit is on where its value is at or above a threshold. Those are selected that are on at every
character of a span, and, if one asks for it, off at the characters right before and after.

Source: Strobelt, Gehrmann, Pfister and Rush 2018, arXiv:1606.07461, sections 4 and 5; negative
values can be selected as well.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

__all__ = ["Match", "Selection", "select"]

MOST = 20  # matches


@dataclass(frozen=True, slots=True)
class Match:
    """A run of characters in which the same ones of the selected units are on."""

    first: int
    last: int  # still of the run
    shared: int  # selected units that are on
    union: int  # units that are selected, or on in all of the run


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Units that follow what was brushed."""

    units: Int[np.ndarray, " m"]
    signs: Int[np.ndarray, " m"]  # 1 for those that are on by high values, −1 by low ones
    on: Int[np.ndarray, " t"]  # how many of them are on at each character
    matches: tuple[Match, ...]  # outside of the span: the most shared units first, then the
    # smallest union, then the longest run, then the earliest


def select(
    values: Float[np.ndarray, "t u"],
    first: int,
    last: int,
    threshold: float = 0.3,
    *,
    before: int = 0,
    after: int = 0,
    sign: int = 1,
    most: int = MOST,
) -> Selection:
    """Select units by a span, and find where else they are on.

    Args:
        values: of one gate of one layer.
        first: character of the span.
        last: character, still of the span.
        threshold: at or above which a value is on, above 0.
        before: characters right before the span at which the units are off; where the text has
            fewer, those.
        after: likewise.
        sign: 1 for units by their values, −1 by their negatives, 0 by either.
        most: matches.

    Raises: ValueError when the span is not in the text, the threshold is not above 0, or a number
        of characters is negative.
    """
    length = len(values)
    if not 0 <= first <= last < length:
        raise ValueError(
            f"the span must lie within the text, from 0 to {length - 1}, got {first} to {last}"
        )
    if not threshold > 0:
        raise ValueError(f"threshold must be above 0, got {threshold:g}")
    if before < 0 or after < 0:
        raise ValueError(f"before and after must not be negative, got {before} and {after}")
    if sign not in (-1, 0, 1):
        raise ValueError(f"sign must be −1, 0 or 1, got {sign!r}")
    signs = [1, -1] if sign == 0 else [sign]
    on = np.concatenate([each * values >= threshold for each in signs], axis=1)
    around = np.r_[max(0, first - before) : first, last + 1 : min(length, last + 1 + after)]
    selected = np.flatnonzero(on[first : last + 1].all(0) & ~on[around].any(0))
    units = values.shape[1]
    return Selection(
        units=selected % units,
        signs=np.array(signs)[selected // units],
        on=on[:, selected].sum(1),
        matches=_matches(on, selected, first, last)[:most],
    )


def _matches(
    on: Bool[np.ndarray, "t s"], selected: Int[np.ndarray, " m"], first: int, last: int
) -> tuple[Match, ...]:
    """Find each longest run in which the same selected units are on, and rank them."""
    which = on[:, selected]
    starts = np.flatnonzero(np.r_[True, (which[1:] != which[:-1]).any(1)])
    ends = np.r_[starts[1:], len(on)] - 1
    shared = which[starts].sum(1)
    throughout = np.logical_and.reduceat(on, starts, axis=0)
    throughout[:, selected] = True
    union = throughout.sum(1)
    elsewhere = (shared > 0) & ((ends < first) | (starts > last))
    rank = np.lexsort((starts, starts - ends, union, -shared))
    return tuple(
        Match(*(int(each[place]) for each in (starts, ends, shared, union)))
        for place in rank
        if elsewhere[place]
    )
