"""How maps are shown, on every screen of the panel: the view, and what gets the full colour."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from core.saliency.methods import SIZE, Method
from ui import explained, inside
from ui.blocks import Block
from ui.explained import SCALES, VIEWS, Pane, full
from ui.inside import Choice

__all__ = [
    "Looks",
    "Map",
    "controls",
    "ends",
    "legend",
    "number",
    "shown",
    "steer",
    "summed",
]

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


def shown(maps: Iterable[Map], looks: Looks, reaches: Sequence[float] = ()) -> list[Pane]:
    """Show some maps that stand beside each other.

    Args:
        maps: in their order.
        looks: which view, and which scale.
        reaches: of each map the largest absolute value, where its values are means of others.
    """
    listed, highest = list(maps), dict[str, float]()
    own = list(reaches) or [explained.reach(values) for _, _, values, _ in listed]
    most = own
    if looks["view"] == "contour":
        listed = [(name, words, explained.coarse(each), unit) for name, words, each, unit in listed]
        own = [explained.reach(values) for _, _, values, _ in listed]  # or no contour reaches it
    for (_, _, _, unit), high in zip(listed, own, strict=True):
        highest[unit] = max(highest.get(unit, 0.0), high)
    return [
        Pane(
            name=name,
            words=words,
            values=values,
            high=high if looks["scale"] == "own" else full(values, looks["scale"], highest[unit]),
            unit=unit,
            view=looks["view"],
            reach=whole,
        )
        for (name, words, values, unit), high, whole in zip(listed, own, most, strict=True)
    ]


def summed(values: Float[np.ndarray, "d h w"], method: Method) -> Float[np.ndarray, "h w"]:
    """Add the colours of a map up, and take away its mean where 0 says nothing."""
    total: np.ndarray = values.sum(0)
    if method.relative:  # so that colours can say something
        total = total - total.mean(dtype=np.float64).astype(total.dtype)
    return total


def legend(method: Method) -> str:
    """Say what the colours of a map mean."""
    if method.relative:
        return "orange: above the map's mean, blue: below"
    if not method.signed:
        return "orange: much"
    if method.order == SIZE:
        return "orange: brighter raises it, blue: darker does"
    return "orange for it, blue against"


def ends(values: Float[np.ndarray, "h w"], method: Method) -> str:
    """Say from where to where the values of a map, as it is shown, go."""
    return explained.spread(values, method.unit) + ", less the mean" * method.relative


def number(value: float) -> str:
    """Write a number with four digits."""
    return f"{value:.4g}".replace("-", "−")
