"""Blocks with a text along an axis, painted by ui/js/sequences.js: gates, lines, colours, steps."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ui.blocks import Block

__all__ = ["Map", "Span", "gates"]

MOST_VALUES = 2_000_000  # of all maps together; of more units the first are drawn
WHOLE = 32_767  # a value goes as a whole number up to this, two of them in the place of a float32
MISSING = -32_768  # and this is none


@dataclass(frozen=True, slots=True, kw_only=True)
class Map:
    """One gate of all units at all characters."""

    name: str  # the letter, as "f"
    title: str  # in a word or two, as "forget"
    values: Float[np.ndarray, "t u"]
    high: float = 1.0  # the value that gets the full colour
    signed: bool = False  # from −high to high, blue and orange; else from 0, paper to ink


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Some characters of a text that stand out."""

    first: int
    last: int  # it is within
    on: bool = True  # orange; else blue
    words: str = ""


def gates(
    text: str,
    maps: Sequence[Map],
    order: Sequence[int],
    *,
    at: tuple[int, int],
    title: str,
    hint: str = "",
    unknown: Sequence[int] = (),
    spans: Sequence[Span] = (),
    name: str = "place",
    brush: str = "",
    span: int = 12,
) -> Block:
    """Draw maps of time × unit below each other, the characters along the axis that they share.

    A click, or an arrow key, tells (unit, time); a drag along the characters, or over a map with
    shift, tells (first, last) of a span, and Escape tells None for it.

    Args:
        text: what was read; it may be empty.
        maps: the gates, in the order in which they are drawn; the k-th has the colour k.
        order: the units that are drawn, from above.
        at: the unit and the character that are looked at.
        title: over the maps.
        hint: under the title.
        unknown: places of characters that the network does not know.
        spans: characters that stand out.
        name: what a place is told by.
        brush: what a span is told by; "" where none can be chosen.
        span: twelfths of the screen.
    """
    most = max(1, MOST_VALUES // max(1, len(maps) * len(text)))
    shown = list(order)[:most]
    if len(shown) < len(order):
        hint = f"{hint} The first {len(shown):,} of {len(order):,} units are drawn.".strip()
    peaks = [_reach(each.values) for each in maps]
    words = {
        "kind": "gates",
        "span": span,
        "title": title,
        "hint": hint,
        "text": text,
        "unknown": list(unknown),
        "maps": [
            {
                "name": each.name,
                "title": each.title,
                "signed": each.signed,
                "high": each.high,
                "peak": peak,
            }
            for each, peak in zip(maps, peaks, strict=True)
        ],
        "order": [int(unit) for unit in shown],
        "at": at,
        "spans": _spans(spans),
        "name": name,
        "brush": brush,
        "alt": f"{title}: {', '.join(each.title for each in maps)} of {len(shown)} units at "
        f"{len(text)} characters; arrow keys go to the next character and unit",
    }
    values = [_whole(each.values[:, shown].T, peak) for each, peak in zip(maps, peaks, strict=True)]
    return Block(words, _in_pairs(np.concatenate([np.empty(0, "<i2"), *values])))


def _spans(spans: Sequence[Span]) -> list[tuple[int, int, bool, str]]:
    return [(each.first, each.last, each.on, each.words) for each in spans]


def _reach(values: np.ndarray) -> float:
    """Give the largest absolute value that is one; 1 where there is none."""
    known = abs(values[np.isfinite(values)])
    return float(known.max(initial=0.0)) or 1.0


def _whole(values: np.ndarray, peak: float) -> np.ndarray:
    """Write values from −peak to peak as whole numbers of 16 bits."""
    known = np.isfinite(values)
    scaled = np.where(known, np.round(np.where(known, values, 0.0) / peak * WHOLE), MISSING)
    return scaled.astype("<i2").ravel()


def _in_pairs(whole: np.ndarray) -> np.ndarray:
    """Put two numbers of 16 bits into the place of each float32, as they lie in memory."""
    return np.pad(whole, (0, len(whole) % 2)).view("<f4")
