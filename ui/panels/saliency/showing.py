"""How maps are shown, on every screen of the panel: the view, and what gets the full colour."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from jaxtyping import Float

from ui import explained, inside
from ui.blocks import Block
from ui.explained import SCALES, VIEWS, Pane
from ui.inside import Choice

__all__ = ["Looks", "Map", "controls", "number", "shown", "steer", "summed"]

Looks = dict[str, Any]  # at what a session looks: the view and the scale of the maps, and more
Map = tuple[str, str, Float[np.ndarray, "h w"], str]  # name, words, values, unit


def steer(looks: Looks) -> dict[str, Callable[[Any], object]]:
    """Say what to do with what the controls tell."""

    def view(chosen: Any) -> None:
        if chosen in VIEWS:
            looks["view"] = chosen

    def scale(chosen: Any) -> None:
        if chosen in SCALES:
            looks["scale"] = chosen

    return {"view": view, "scale": scale}


def controls(looks: Looks, *more: Choice, span: int = 12) -> Block:
    """Draw the choice of view and scale, and more of the kind."""
    rows = (
        Choice(name="view", label="Maps", values=[*VIEWS.items()], chosen=looks["view"]),
        Choice(
            name="scale", label="Full colour at", values=[*SCALES.items()], chosen=looks["scale"]
        ),
    )
    return inside.choices([*rows, *more], span=span)


def shown(maps: Iterable[Map], looks: Looks) -> list[Pane]:
    """Show some maps that stand beside each other."""
    listed, highest = list(maps), dict[str, float]()
    if looks["view"] == "contour":
        listed = [(name, words, explained.coarse(each), unit) for name, words, each, unit in listed]
    for _, _, values, unit in listed:
        highest[unit] = max(highest.get(unit, 0.0), explained.reach(values))
    return [
        Pane(
            name=name,
            words=words,
            values=values,
            high=explained.full(values, looks["scale"], highest[unit]),
            unit=unit,
            view=looks["view"],
        )
        for name, words, values, unit in listed
    ]


def summed(values: Float[np.ndarray, "d h w"]) -> Float[np.ndarray, "h w"]:
    """Add the colours of a map up."""
    total: np.ndarray = values.sum(0)
    return total


def number(value: float) -> str:
    """Write a number with four digits."""
    return f"{value:.4g}".replace("-", "−")
