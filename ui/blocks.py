"""What a screen is made of: each block is a few words and numbers that ui/js/screen.js paints."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int

__all__ = [
    "Block",
    "Maps",
    "accuracies",
    "drag",
    "figures",
    "losses",
    "maps",
    "matrix",
    "pack",
    "pad",
    "progress",
    "reading",
]

SERIES = ("training", "validation")


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


def figures(rows: Sequence[tuple[str, str]]) -> Block:
    """Show named numbers in a row; each keeps its place."""
    return Block({"kind": "figures", "span": 12, "rows": list(rows)})


def losses(
    x: Float[np.ndarray, " n"],
    training: Float[np.ndarray, " n"],
    validation: Float[np.ndarray, " n"],
    last: float,
) -> Block:
    """Draw two losses in nats over epochs, on a log axis; NaN is left out."""
    ticks = [(value, f"{value:g}") for value in (0.01, 0.03, 0.1, 0.3, 1, 3)]
    alt = f"Loss: training {_last(training):.3f}, validation {_last(validation):.3f} nats"
    words = {"title": "Loss in nats", "low": 0.01, "high": 4, "reverse": False, "alt": alt}
    return _curves(words, ticks, last, x, training, validation)


def accuracies(
    x: Float[np.ndarray, " n"],
    training: Float[np.ndarray, " n"],
    validation: Float[np.ndarray, " n"],
    last: float,
) -> Block:
    """Draw two accuracies over epochs, the axis such that 90, 99, 99.9 % are equally far apart."""
    ticks = [(wrong, f"{100 * (1 - wrong):g} %") for wrong in (1, 0.3, 0.1, 0.03, 0.01, 0.003)]
    alt = f"Accuracy: training {_last(training):.1%}, validation {_last(validation):.1%}"
    words = {"title": "Accuracy", "low": 0.002, "high": 1, "reverse": True, "alt": alt}
    return _curves(words, ticks, last, x, 1 - training, 1 - validation)


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


def pad(name: str, title: str, *, span: int) -> Block:
    """Draw a pad for a mouse, a pen or a finger; it tells its ink as 84×84 bytes in base64."""
    return Block({"kind": "pad", "span": span, "name": name, "title": title})


def reading(
    seen: Float[np.ndarray, "28 28"] | None,
    probabilities: Float[np.ndarray, " 10"] | None,
    title: str,
    hint: str,
    *,
    span: int,
) -> Block:
    """Show what a network sees of a digit and how it reads it; the hint, where there is none."""
    words = {"kind": "reading", "span": span, "title": title, "hint": hint}
    if seen is None or probabilities is None:
        return Block({**words, "offset": None})
    return Block(words, np.concatenate([seen.ravel(), probabilities]))


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


def _curves(
    words: dict[str, Any], ticks: list[tuple[float, str]], last: float, *rows: np.ndarray
) -> Block:
    kind = {"kind": "curves", "span": 6, "series": SERIES, "n": len(rows[0])}
    return Block({**kind, **words, "ticks": ticks, "last": last}, np.concatenate(rows))


def _last(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known[-1]) if len(known) else math.nan
