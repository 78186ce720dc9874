"""How maps are shown, on every screen of the panel: the view, and what gets the full colour."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from core.saliency.methods import SIZE, Method
from ui import explained, inside, words
from ui.blocks import Block
from ui.explained import LEVELS, SCALES, VIEWS, Pane, full
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


class Map(NamedTuple):
    """A map that is to be shown."""

    name: str
    words: str
    values: Float[np.ndarray, "h w"]
    unit: str
    negligible: float = 0.0  # up to which a value is none


def steer(looks: Looks) -> dict[str, Callable[[Any], object]]:
    """Say what to do with what the controls tell."""

    def view(chosen: Any) -> None:
        if chosen in VIEWS:
            looks["view"] = chosen

    def scale(chosen: Any) -> None:
        if chosen in SCALES:
            looks["scale"] = looks["wished"] = chosen

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
    own = list(reaches) or [explained.reach(each.values) for each in listed]
    most = own
    if looks["view"] == "contour":
        listed = [each._replace(values=explained.coarse(each.values)) for each in listed]
        own = [explained.reach(each.values) for each in listed]  # or no contour reaches it
    for each, high in zip(listed, own, strict=True):
        highest[each.unit] = max(highest.get(each.unit, 0.0), high)
    if looks["scale"] != "own":
        own = [full(each.values, looks["scale"], highest[each.unit]) for each in listed]
    return [
        Pane(
            name=each.name,
            words=each.words,
            values=each.values,
            high=high,
            unit=each.unit,
            view=looks["view"],
            under=_levels(each.values, high) if looks["view"] == "contour" else "",
            reach=whole,
            negligible=each.negligible,
        )
        for each, high, whole in zip(listed, own, most, strict=True)
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
    return f"{value:#.4g}".removesuffix(".").replace("-", "−")


def _levels(values: Float[np.ndarray, "h w"], high: float) -> str:
    """Say at which values a map has contours."""
    if not high:
        return ""
    sign = "±" if (values < 0).any() else ""
    written = [f"{sign}{level * high:.2g}".replace("e-0", "e-") for level in LEVELS]
    return f"lines at {words.listed(written)}"
