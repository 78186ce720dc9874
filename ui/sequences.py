"""Blocks with a text along an axis, painted by ui/js/sequences.js: gates, lines, colours, steps."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from ui.blocks import Block

__all__ = [
    "Guesses",
    "Lane",
    "Line",
    "Map",
    "Span",
    "Term",
    "along",
    "gates",
    "influence",
    "passage",
    "saturation",
    "step",
    "typed",
]

MOST_VALUES = 2_000_000  # of all maps together; of more units the first are drawn
WHOLE = 32_767  # a value goes as a whole number up to this, two of them in the place of a float32
MISSING = -32_768  # and this is none
FIVE = 5  # guesses that the browser reads after each character


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One curve over a text."""

    name: str
    values: Float[np.ndarray, " t"]  # NaN is left out
    colour: int  # of those of the maps
    dashed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """Curves that share an axis from low to high."""

    lines: Sequence[Line]
    low: float = 0.0
    high: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Guesses:
    """The likeliest next characters after each character of a text."""

    alphabet: str
    likeliest: Int[np.ndarray, "t m"]  # places in the alphabet, of at most FIVE
    probabilities: Float[np.ndarray, "t m"]
    bits: Float[np.ndarray, " t"]  # −log₂ p of each character, by what came before; NaN at first


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One line of a calculation."""

    symbol: str  # what is computed, as "c"
    formula: str  # in letters, as "f·c′ + i·g"
    numbers: str  # the same with its numbers
    value: float
    colour: int = -1  # of those of the maps; −1 for none
    high: float = 1.0  # the value that gets the full colour
    signed: bool = False


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


def along(
    text: str,
    lanes: Sequence[Lane],
    *,
    at: int,
    title: str,
    hint: str = "",
    unknown: Sequence[int] = (),
    spans: Sequence[Span] = (),
    name: str = "time",
    brush: str = "",
    span: int = 12,
) -> Block:
    """Draw curves over a text; where maps of the same text are near, both scroll as one.

    A click, or an arrow key, tells the place of a character.

    Args:
        text: what was read.
        lanes: the curves, those of one axis together.
        at: the character that is looked at.
        title: over the curves.
        hint: under the title.
        unknown: places of characters that the network does not know.
        spans: characters that stand out.
        name: what a place is told by.
        brush: what a span is told by; "" where none can be chosen.
        span: twelfths of the screen.
    """
    words = {
        "kind": "along",
        "span": span,
        "title": title,
        "hint": hint,
        "text": text,
        "unknown": list(unknown),
        "lanes": [
            {
                "low": lane.low,
                "high": lane.high,
                "lines": [(each.name, each.colour, each.dashed) for each in lane.lines],
            }
            for lane in lanes
        ],
        "at": at,
        "spans": _spans(spans),
        "name": name,
        "brush": brush,
        "alt": f"{title}: {', '.join(each.name for lane in lanes for each in lane.lines)}; "
        "arrow keys go to the next character",
    }
    values = [each.values for lane in lanes for each in lane.lines]
    return Block(words, np.concatenate([np.empty(0), *values]))


def passage(
    text: str,
    values: Float[np.ndarray, " t"],
    guesses: Guesses,
    *,
    what: str,
    at: int,
    title: str,
    high: float = 1.0,
    signed: bool = False,
    five: bool = False,
    hint: str = "",
    unknown: Sequence[int] = (),
    spans: Sequence[Span] = (),
    name: str = "time",
    span: int = 12,
) -> Block:
    """Print a text, each character on the colour of its value.

    A click, or an arrow key, tells the place of a character.

    Args:
        text: what was read.
        values: of each character; NaN for no colour.
        guesses: what the network thinks comes next.
        what: the values are, as "f of unit 12".
        at: the character that is looked at.
        title: over the text.
        high: the value that gets the full colour.
        signed: from −high to high, blue and orange; else from 0, paper to ink.
        five: whether the five likeliest next characters stand under each character.
        hint: under the title.
        unknown: places of characters that the network does not know.
        spans: characters that stand out.
        name: what a place is told by.
        span: twelfths of the screen.

    Source: Karpathy 2015, "The unreasonable effectiveness of recurrent neural networks".
    """
    words = {
        "kind": "passage",
        "span": span,
        "title": title,
        "hint": hint,
        "text": text,
        "unknown": list(unknown),
        "what": what,
        "high": high,
        "signed": signed,
        "five": five,
        "alphabet": guesses.alphabet,
        "at": at,
        "spans": _spans(spans),
        "name": name,
        "alt": f"{title}: {len(text)} characters on the colours of {what}; "
        "arrow keys go to the next character",
    }
    guessed = (_five(each) for each in (guesses.likeliest, guesses.probabilities))
    numbers = (values, guesses.bits, *guessed)
    return Block(words, np.concatenate([each.ravel() for each in numbers]))


def step(
    terms: Sequence[Term], *, title: str, hint: str = "", note: str = "", span: int = 12
) -> Block:
    """Write out one step of one unit: what is computed, in letters, in numbers, and its value."""
    told = [
        {
            "symbol": each.symbol,
            "formula": each.formula,
            "numbers": each.numbers,
            "value": f"{each.value:.4f}".replace("-", "−"),
            "share": float(np.clip(np.nan_to_num(each.value / each.high), -1, 1)),
            "signed": each.signed,
            "colour": each.colour,
        }
        for each in terms
    ]
    return Block(
        {"kind": "step", "span": span, "title": title, "hint": hint, "note": note, "rows": told}
    )


def influence(
    text: str,
    shown: Float[np.ndarray, "t t"],
    values: Float[np.ndarray, "t t"],
    *,
    what: str,
    ends: tuple[str, str],
    at: tuple[int, int],
    title: str,
    signed: bool = False,
    edges: Sequence[int] = (),
    hint: str = "",
    unknown: Sequence[int] = (),
    name: str = "pair",
    span: int = 12,
) -> Block:
    """Draw which character influenced which prediction; a click, or an arrow key, tells (t, s).

    Args:
        text: what was read.
        shown: for the prediction after character t (row) and the character s (column) a share of
            the full colour, from 0 to 1, or from −1; what is after t is not drawn.
        values: the same in numbers.
        what: the values are, as "‖∂L/∂x‖".
        ends: the values that have no colour (or that of −1) and the full one, in words.
        at: the pair (t, s) that is looked at.
        title: over the map.
        signed: whether shares begin at −1.
        edges: for each t the first s through which a gradient comes, drawn as a line.
        hint: under the title.
        unknown: places of characters that the network does not know.
        name: what a pair is told by.
        span: twelfths of the screen.
    """
    words = {
        "kind": "influence",
        "span": span,
        "title": title,
        "hint": hint,
        "text": text,
        "unknown": list(unknown),
        "what": what,
        "ends": ends,
        "signed": signed,
        "edges": [int(edge) for edge in edges],
        "at": at,
        "name": name,
        "alt": f"{title}: {what} for each prediction and each of the {len(text)} characters; "
        "arrow keys go to the next ones",
    }
    later = np.triu(np.ones(shown.shape, bool), 1)
    drawn = _in_pairs(_whole(np.where(later, np.nan, shown), 1.0))
    return Block(words, np.concatenate([values.astype("<f4").ravel(), drawn]))


def saturation(
    left: Sequence[tuple[str, Float[np.ndarray, " u"]]],
    right: Sequence[Float[np.ndarray, " u"]],
    *,
    colours: Sequence[int],
    chosen: tuple[str, int],
    title: str,
    hint: str = "",
    axes: tuple[str, str] = ("share below 0.1", "share above 0.9"),
    name: str = "unit",
    span: int = 6,
) -> Block:
    """Draw units as points of a triangle, one colour a gate; a click tells (gate, unit).

    Args:
        left: each gate's name, and of its units the share of characters at which it is shut.
        right: and at which it is open.
        colours: of the gates, of those of the maps.
        chosen: the gate and the unit that are looked at.
        title: over the triangle.
        hint: under the title.
        axes: what the shares are, across and up.
        name: what a unit is told by.
        span: twelfths of the screen.

    Source: Karpathy, Johnson, Fei-Fei 2015, arXiv:1506.02078, figure 3.
    """
    words = {
        "kind": "saturation",
        "span": span,
        "title": title,
        "hint": hint,
        "gates": [gate for gate, _ in left],
        "units": [len(shares) for _, shares in left],
        "colours": list(colours),
        "chosen": chosen,
        "axes": axes,
        "name": name,
        "alt": f"{title}: {axes[0]} across, {axes[1]} up",
    }
    shares = [each for (_, shut), wide in zip(left, right, strict=True) for each in (shut, wide)]
    return Block(words, np.concatenate([np.empty(0), *shares]))


def typed(
    name: str, label: str, value: str, *, most: int = 2_000, lines: int = 3, span: int = 12
) -> Block:
    """Draw a field for a text; it tells it while it is typed, each time the newest.

    What is told as `name` is a text of at most `most` characters, which may be empty.
    """
    words = {"kind": "typed", "span": span, "name": name, "label": label}
    return Block({**words, "value": value, "most": most, "lines": lines})


def _spans(spans: Sequence[Span]) -> list[tuple[int, int, bool]]:
    return [(each.first, each.last, each.on) for each in spans]


def _five(values: Float[np.ndarray, "t m"]) -> Float[np.ndarray, "t 5"]:
    """Leave room for those that a small alphabet does not have."""
    room = np.full((len(values), FIVE), np.nan)
    room[:, : values.shape[1]] = values
    return room


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
