"""What a screen is made of: each block is a few words and numbers that ui/js/screen.js paints."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int

__all__ = [
    "ACCURACY",
    "LOSS",
    "SQUARED",
    "Axis",
    "Block",
    "Histogram",
    "Line",
    "Maps",
    "Picture",
    "curves",
    "dots",
    "drag",
    "figures",
    "gallery",
    "histograms",
    "maps",
    "matrix",
    "pack",
    "pad",
    "progress",
    "reading",
    "said",
]

SERIES = ("training", "validation")
PLACES = 12  # of a gallery
MOST_DECADES = 5  # of a log axis that has a line at 3 as well


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A log axis; it reaches further when a value does."""

    title: str
    low: float
    high: float
    read: str  # how a value is written
    mirrored: bool = False  # of a share p it shows 1 − p from above, so that 90, 99, 99.9 % spread

    def tick(self, value: float) -> str:
        """Write a value beside its line."""
        return f"{100 * (1 - value):g} %" if self.mirrored else f"{value:g}"


SQUARED = Axis(title="Squared error", low=0.002, high=0.6, read="{:.3f}")
LOSS = Axis(title="Loss in nats", low=0.01, high=4, read="{:.3f}")
ACCURACY = Axis(title="Accuracy", low=0.002, high=1, read="{:.1%}", mirrored=True)


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a screen: words for JSON, and numbers that go as they are."""

    words: dict[str, Any]
    numbers: Float[np.ndarray, "..."] = field(default_factory=lambda: np.empty(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Maps:
    """Some maps of one size, as a montage."""

    name: str
    values: Float[np.ndarray, "c h w"]
    high: float  # the value that gets the full colour; 0 is paper, −high the other colour
    columns: int
    share: float  # of the board's width, against its neighbours
    range: str  # size and scale in words, under the name
    alt: str
    low: float = 0.0  # of "colour": the value that is black
    look: str = "signed"  # blue below 0, orange above; "ink", "grey", "colour": see screen.js


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Two curves of one run."""

    name: str
    x: Float[np.ndarray, " n"]
    training: Float[np.ndarray, " n"]  # NaN is left out
    validation: Float[np.ndarray, " n"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """How often each value comes, in equal bins."""

    name: str
    counts: Int[np.ndarray, " b"]
    low: float
    high: float
    words: str  # under the name
    warn: bool  # whether something is wrong with it


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture with two words under it."""

    pixels: Float[np.ndarray, "c h w"]  # from 0 to 1
    name: str
    words: str
    tells: int  # what a click on it tells


def progress(value: float, text: str, *, warn: bool = False) -> Block:
    """Say how far something is, from 0 to 1, and how it stands."""
    return Block({"kind": "progress", "span": 12, "value": value, "text": text, "warn": warn})


def said(text: str) -> Block:
    """Say something in a sentence or two."""
    return Block({"kind": "progress", "span": 12, "value": None, "text": text, "warn": False})


def figures(rows: Sequence[tuple[str, str, float]], *, span: int = 12, columns: int = 0) -> Block:
    """Show named numbers in a row; each keeps its place and its share of the width.

    With so many `columns` all are alike wide, and those of the next row stand below the first.
    """
    return Block({"kind": "figures", "span": span, "rows": list(rows), "columns": columns})


def curves(
    axis: Axis, lines: Sequence[Line], last: float, marks: Sequence[tuple[float, str]], now: float
) -> Block:
    """Draw runs over epochs.

    Args:
        axis: of the values.
        lines: the runs, the one that is looked at first.
        last: the epoch at which the axis ends.
        marks: epochs at which something was changed, and what.
        now: the epoch that is looked at, when it is not the newest; else NaN.
    """
    rows = [
        (line.x, *(1 - row if axis.mirrored else row for row in (line.training, line.validation)))
        for line in lines
    ]
    known = np.concatenate([row for _, *pair in rows for row in pair])
    known = known[np.isfinite(known) & (known > 0)]
    low, high = min([axis.low, *known]), max([axis.high, *known])
    ends = ", ".join(
        f"{name} {axis.read.format(_last(row)).replace('nan', '–')}"
        for name, row in zip(SERIES, (lines[0].training, lines[0].validation), strict=True)
    )
    changes = "".join(f"; {what} from epoch {epoch:.2f} on" for epoch, what in marks)
    words = {
        "kind": "curves",
        "span": 6,
        "title": axis.title,
        "alt": f"{axis.title}: {ends}{changes}",
        "series": SERIES,
        "low": low,
        "high": high,
        "mirrored": axis.mirrored,
        "ticks": [(value, axis.tick(value)) for value in _steps(low, high)],
        "last": last,
        "names": [line.name for line in lines],
        "sizes": [len(line.x) for line in lines],
        "marks": list(marks),
        "now": None if math.isnan(now) else now,
    }
    return Block(words, np.concatenate([np.concatenate(each) for each in rows]))


def dots(
    title: str, names: Sequence[str], values: Float[np.ndarray, " n"], low: float, high: float
) -> Block:
    """Draw a value for each name on a log axis; it reaches further when a value does."""
    known = values[np.isfinite(values) & (values > 0)]
    low, high = min([low, *known]), max([high, *known])
    words = {
        "kind": "dots",
        "span": 6,
        "title": title,
        "alt": title + ": " + ", ".join(f"{n} {v:.2g}" for n, v in zip(names, values, strict=True)),
        "names": list(names),
        "low": low,
        "high": high,
        "ticks": [(value, f"{value:g}") for value in _decades(low, high)],
    }
    return Block(words, values)


def histograms(title: str, rows: Sequence[Histogram], *, span: int = 12) -> Block:
    """Draw a small histogram for each of some layers, each as high as its highest bin."""
    described = [
        {name: getattr(row, name) for name in Histogram.__slots__ if name != "counts"}
        for row in rows
    ]
    words = {"kind": "histograms", "span": span, "title": title, "rows": described}
    return Block(
        {**words, "bins": len(rows[0].counts) if rows else 0}, _joined([r.counts for r in rows])
    )


def gallery(
    name: str,
    title: str,
    hint: str,
    pictures: Sequence[Picture],
    *,
    grey: bool = False,
    columns: int = 6,
    narrow: int = 3,
    places: int = 0,
    span: int,
) -> Block:
    """Show pictures in a grid that keeps its places; a click on one tells its number.

    One channel is ink on paper, or with `grey` light on black. On a small screen there are as many
    columns as `narrow` says. Without `places` there are as many as are usual.
    """
    shapes = [picture.pixels.shape for picture in pictures]
    words = {
        "kind": "gallery",
        "span": span,
        "name": name,
        "title": title,
        "hint": hint,
        "shape": shapes[0] if shapes else (1, 1, 1),
        "grey": grey,
        "columns": columns,
        "narrow": narrow,
        "places": places or (columns if columns > PLACES // 2 else PLACES),
        "rows": [(picture.name, picture.words, picture.tells) for picture in pictures],
    }
    return Block(words, _joined([picture.pixels.ravel() for picture in pictures]))


def maps(
    panels: Sequence[Maps],
    *,
    span: int = 12,
    framed: bool = False,
    numbers: Sequence[tuple[str, str]] = (),
) -> Block:
    """Draw a board of maps; hovering reads a value. A frame says that they belong together.

    Named numbers stand below, two in a row.
    """
    offset, described = 0, []
    for panel in panels:
        count, height, width = panel.values.shape
        looks = {name: getattr(panel, name) for name in Maps.__slots__ if name != "values"}
        described.append({**looks, "c": count, "h": height, "w": width, "offset": offset})
        offset += panel.values.size
    values = np.concatenate([panel.values.ravel() for panel in panels])
    words = {"kind": "maps", "span": span, "panels": described, "framed": framed}
    return Block({**words, "numbers": list(numbers)}, values)


def matrix(
    name: str,
    counts: Int[np.ndarray, "k k"],
    classes: Sequence[str],
    title: str,
    note: str,
    chosen: tuple[int, int] | None,
    *,
    span: int,
    alt: str = "",
) -> Block:
    """Draw a confusion matrix: rows are true, columns are read; a click on a cell tells it.

    A click on the chosen cell tells None; the note stands above the columns. What the matrix says
    in a sentence (`alt`) is the share on its diagonal, if nothing else.
    """
    right = counts.trace() / max(1, counts.sum())
    words = {
        "kind": "matrix",
        "span": span,
        "name": name,
        "title": title,
        "classes": list(classes),
        "note": note,
        "chosen": chosen,
        "alt": alt or f"{title}; {right:.1%} are on the diagonal",
    }
    return Block(words, counts.ravel())


def drag(
    name: str,
    label: str,
    lowest: int,
    highest: int,
    value: int,
    names: Sequence[str] | None = None,
    *,
    span: int = 12,
) -> Block:
    """Draw a slider that tells its value while it is dragged; names say each value in words."""
    words = {"kind": "drag", "span": span, "name": name, "label": label, "names": names}
    return Block({**words, "lowest": lowest, "highest": highest, "value": value})


def pad(name: str, title: str, *, blank: bool, span: int) -> Block:
    """Draw a pad for a mouse, a pen or a finger; it tells its ink as 84×84 bytes in base64.

    Where nothing is known of its ink (`blank`), a pad that has some tells it again.
    """
    return Block({"kind": "pad", "span": span, "name": name, "title": title, "blank": blank})


def reading(
    read: tuple[Float[np.ndarray, "c h w"], Float[np.ndarray, " k"]] | None,
    classes: Sequence[str],
    title: str,
    hint: str,
    *,
    span: int,
) -> Block:
    """Show what a network sees of an image and its probabilities; the hint, where none is."""
    words = {
        "kind": "reading",
        "span": span,
        "classes": list(classes),
        "title": title,
        "hint": hint,
        "shape": None if read is None else read[0].shape,
    }
    if read is None:
        return Block({**words, "offset": None})
    return Block(words, np.concatenate([each.ravel() for each in read]))


def pack(header: dict[str, Any], blocks: Sequence[Block]) -> bytes:
    """Put a header and its blocks into one packet, as ui/js/screen.js reads it."""
    offset, described = 0, []
    for block in blocks:
        words = {"offset": offset, **block.words}
        if "panels" in words:
            words["panels"] = [
                {**panel, "offset": offset + panel["offset"]} for panel in words["panels"]
            ]
        described.append(words)
        offset += block.numbers.size
    text = json.dumps({**header, "blocks": described}, allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    numbers = b"".join(block.numbers.astype("<f4").tobytes() for block in blocks)
    return len(text).to_bytes(4, "little") + text + numbers


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.empty(0)


def _steps(low: float, high: float) -> list[float]:
    """List the round numbers between two ends of a log axis, at most about eight."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    digits = (1, 3) if len(decades) <= MOST_DECADES else (1,)
    every = 1 + len(decades) // (2 * MOST_DECADES)
    steps = [digit * 10.0**power for power in decades[::every] for digit in digits]
    return [step for step in steps if low <= step <= high]


def _decades(low: float, high: float) -> list[float]:
    """List the powers of ten between two ends of a log axis, at most about eight."""
    powers = range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)
    return [10.0**power for power in powers[:: 1 + len(powers) // (2 * MOST_DECADES - 1)]]


def _last(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known[-1]) if len(known) else math.nan
