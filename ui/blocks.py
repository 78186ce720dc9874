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
    "Axis",
    "Block",
    "Maps",
    "curves",
    "drag",
    "figures",
    "maps",
    "matrix",
    "pack",
    "pad",
    "progress",
    "reading",
]

SERIES = ("training", "validation")
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
    ink: bool = False  # black on white, from 0 to high


def progress(value: float, text: str, *, warn: bool = False) -> Block:
    """Say how far something is, from 0 to 1, and how it stands."""
    return Block({"kind": "progress", "span": 12, "value": value, "text": text, "warn": warn})


def figures(rows: Sequence[tuple[str, str, float]]) -> Block:
    """Show named numbers in a row; each keeps its place and its share of the width."""
    return Block({"kind": "figures", "span": 12, "rows": list(rows)})


def curves(
    axis: Axis,
    x: Float[np.ndarray, " n"],
    training: Float[np.ndarray, " n"],
    validation: Float[np.ndarray, " n"],
    last: float,
) -> Block:
    """Draw two curves over epochs up to the last one; NaN is left out."""
    rows = [1 - row if axis.mirrored else row for row in (training, validation)]
    known = np.concatenate(rows)
    known = known[np.isfinite(known) & (known > 0)]
    low, high = min([axis.low, *known]), max([axis.high, *known])
    ends = ", ".join(
        f"{name} {axis.read.format(_last(row)).replace('nan', '–')}"
        for name, row in zip(SERIES, (training, validation), strict=True)
    )
    words = {
        "kind": "curves",
        "span": 6,
        "title": axis.title,
        "alt": f"{axis.title}: {ends}",
        "series": SERIES,
        "low": low,
        "high": high,
        "mirrored": axis.mirrored,
        "ticks": [(value, axis.tick(value)) for value in _steps(low, high)],
        "last": last,
        "n": len(x),
    }
    return Block(words, np.concatenate([x, *rows]))


def maps(panels: Sequence[Maps]) -> Block:
    """Draw a board of maps; hovering reads a value."""
    offset, described = 0, []
    for panel in panels:
        count, height, width = panel.values.shape
        words = {name: getattr(panel, name) for name in Maps.__slots__ if name != "values"}
        described.append({**words, "c": count, "h": height, "w": width, "offset": offset})
        offset += panel.values.size
    numbers = np.concatenate([panel.values.ravel() for panel in panels])
    return Block({"kind": "maps", "span": 12, "panels": described}, numbers)


def matrix(counts: Int[np.ndarray, "10 10"], title: str, *, span: int) -> Block:
    """Draw a confusion matrix of ten classes: rows are true, columns are read."""
    right = counts.trace() / max(1, counts.sum())
    alt = f"{title}; {right:.1%} are on the diagonal"
    return Block({"kind": "matrix", "span": span, "title": title, "alt": alt}, counts.ravel())


def drag(name: str, label: str, lowest: int, highest: int, value: int) -> Block:
    """Draw a slider that tells its value while it is dragged."""
    words = {"kind": "drag", "span": 12, "name": name, "label": label}
    return Block({**words, "lowest": lowest, "highest": highest, "value": value})


def pad(name: str, title: str, *, blank: bool, span: int) -> Block:
    """Draw a pad for a mouse, a pen or a finger; it tells its ink as 84×84 bytes in base64.

    Where nothing is known of its ink (`blank`), a pad that has some tells it again.
    """
    return Block({"kind": "pad", "span": span, "name": name, "title": title, "blank": blank})


def reading(
    read: tuple[Float[np.ndarray, "28 28"], Float[np.ndarray, " 10"]] | None,
    title: str,
    hint: str,
    *,
    span: int,
) -> Block:
    """Show what a network sees of a digit and its ten probabilities; the hint, where none is."""
    words = {"kind": "reading", "span": span, "title": title, "hint": hint}
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


def _steps(low: float, high: float) -> list[float]:
    """List the round numbers between two ends of a log axis, at most about eight."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    digits = (1, 3) if len(decades) <= MOST_DECADES else (1,)
    every = 1 + len(decades) // (2 * MOST_DECADES)
    steps = [digit * 10.0**power for power in decades[::every] for digit in digits]
    return [step for step in steps if low <= step <= high]


def _last(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known[-1]) if len(known) else math.nan
