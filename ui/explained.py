"""Maps of what counts in a picture, painted by ui/js/explained.js: alone, over it, as contours."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ui.blocks import Block

__all__ = ["LEVELS", "SCALES", "VIEWS", "Pane", "coarse", "full", "panes", "reach", "spread"]

VIEWS = {"overlay": "laid over", "contour": "contours", "map": "the map alone"}
SCALES = {"own": "the largest value", "most": "99 % of the pixels", "one": "one for all of a unit"}
SHARE = 0.99  # of the pixels that reach less than the full colour, on the scale "most"
LEVELS = (0.25, 0.5, 0.75)  # of the full colour, at which there are contours
COARSE = 56  # values along each side of a map that has contours, at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Pane:
    """One picture of a row: the picture itself, or a map in one of the views."""

    name: str
    words: str  # under the name
    values: Float[np.ndarray, "h w"] | None = None  # None for the picture itself
    high: float = 1.0  # the value that gets the full colour, and −high the other
    view: str = "map"  # one of VIEWS
    unit: str = ""
    reach: float | None = None  # the largest absolute value of a map of which `values` are means
    under: str = ""  # words under the scale
    negligible: float = 0.0  # a map with no value beyond it is none


def panes(
    pixels: Float[np.ndarray, "c h w"],
    rows: Sequence[Pane],
    *,
    look: str,
    columns: int,
    title: str = "",
    hint: str = "",
    span: int = 12,
    name: str = "",
) -> Block:
    """Draw maps of one picture side by side; what is pointed at is marked on all of them.

    A map with no value beyond what is negligible is said to be empty and not drawn.

    Args:
        pixels: of the picture, from 0 to 1.
        rows: what is drawn.
        look: how the picture is painted; see ui/js/screen.js.
        columns: of them in a row.
        title: over them.
        hint: under the title.
        span: twelfths of the screen.
        name: what a click tells, with the number of the pane; "" for nothing.
    """
    numbers, described, offsets = [pixels.ravel()], [], dict[int, int]()
    offset = pixels.size
    for row in rows:
        told = {name: getattr(row, name) for name in ("name", "words", "unit", "view", "under")}
        if row.values is None:
            described.append({**told, "view": "picture", "empty": "", "h": 0, "w": 0, "at": 0})
            continue
        if id(row.values) not in offsets:
            offsets[id(row.values)] = offset
            numbers.append(row.values.ravel())
            offset += row.values.size
        most = reach(row.values) if row.reach is None else row.reach
        none = f"This map is empty: nothing beyond {most:.1g} {row.unit}."
        empty = none if most <= row.negligible else ""
        empty = empty if row.values.size else "There is no map."
        height, width = row.values.shape
        described.append(
            {
                **told,
                "empty": empty,
                "high": row.high or 1.0,
                "h": height,
                "w": width,
                "at": offsets[id(row.values)],
            }
        )
    words = {
        "kind": "explained",
        "span": span,
        "name": name,
        "shape": pixels.shape,
        "look": look,
        "rows": described,
        "columns": columns,
        "levels": LEVELS,
        "title": title,
        "hint": hint,
    }
    return Block(words, np.concatenate(numbers))


def reach(values: Float[np.ndarray, "h w"]) -> float:
    """Give the largest absolute value: what gets the full colour on a map's own scale."""
    return float(abs(values).max(initial=0.0))


def coarse(values: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "y x"]:
    """Take means of so many values that contours can be told apart; of a small map nothing."""
    times = max(1, -(-max(values.shape) // COARSE))  # also where there is no map
    height, width = (each - each % times for each in values.shape)
    parts = values[:height, :width].reshape(height // times, times, width // times, times)
    means: np.ndarray = parts.mean((1, 3))
    return means


def full(values: Float[np.ndarray, "h w"], scale: str, highest: float = 0.0) -> float:
    """Give the value that gets the full colour.

    Args:
        values: of the map.
        scale: one of SCALES.
        highest: what has it on the scale of all, for "one".
    """
    if scale == "most" and values.size:
        return float(np.quantile(abs(values), SHARE)) or reach(values)
    return highest if scale == "one" else reach(values)


def spread(values: Float[np.ndarray, "h w"], unit: str) -> str:
    """Say from where to where the values of a map go."""
    low, high = (f"{each:.3g}".replace("-", "−") for each in (values.min(), values.max()))
    return f"{low} to {high} {unit}".removesuffix(" none")
