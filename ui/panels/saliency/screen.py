"""The screen of the saliency panel: a picture, the map of one method, and what it adds up to."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float

from core import saliency
from core.saliency import Attribution, Query, Surrogate
from core.shared.engine import Engine, EngineError
from core.shared.models import About, Source
from ui import blocks, charts, explained, inside, pinned, words
from ui.blocks import Block
from ui.explained import VIEWS, Pane
from ui.inside import Choice
from ui.pinned import Pin, Pinned

__all__ = ["attribution", "draw", "legend", "number", "over", "steer", "summed", "views", "why"]

Looks = dict[str, Any]  # at what a session looks: the view of the maps


def attribution(engine: Engine, source: Source, seen: Pinned, query: Query) -> Attribution:
    """Explain the answer to the pinned picture.

    Raises: EngineError when it cannot be explained so.
    """
    found: Attribution = engine.call(saliency.EXPLAIN, source, seen.pixels, query)
    return found


def steer(looks: Looks) -> dict[str, Callable[[Any], object]]:
    """Say what to do with what each control of the screen tells."""

    def view(chosen: Any) -> None:
        if chosen in VIEWS:
            looks["view"] = chosen

    return {"view": view}


def draw(
    engine: Engine, source: Source, about: About, pin: Pin, query: Query, looks: Looks
) -> list[Block]:
    """Draw why the network answers as it does; what cannot be had is said in a sentence."""
    try:
        seen = pinned.see(engine, source, about, pin)
        found = attribution(engine, source, seen, query)
    except (EngineError, ValueError) as error:
        return [blocks.progress(0, words.sentence(str(error)), warn=True)]
    values = summed(found.values)
    unit, high = found.query.about.unit, explained.reach(values)
    told = explained.spread(values, unit)
    title = found.query.about.title
    rows = [
        Pane(name="The picture", words=seen.title),
        Pane(name=title, words=told, values=values, high=high, unit=unit),
        Pane(
            name=over(looks),
            words=legend(found),
            values=values,
            high=high,
            unit=unit,
            view=looks["view"],
        ),
    ]
    drawn = [
        blocks.progress(found.probability, why(found, about), warn=False),
        views(looks, 6 if seen.count else 12),
    ]
    if seen.count:
        drawn.append(blocks.drag("index", "Test image", 0, seen.count - 1, seen.index, span=6))
    drawn += [
        explained.panes(seen.pixels, rows, look=seen.look, columns=3),
        _numbers(found, values),
    ]
    if found.surrogate is not None:
        drawn.append(_weights(found.surrogate))
    return [*drawn, *pinned.blocks(engine, replace(seen, count=0), found.probabilities)]


def why(found: Attribution, about: About) -> str:
    """Say what is explained."""
    query = found.query
    name = about.classes[query.target or 0]
    sure = f"{100 * found.probability:.1f} %"
    if query.against is None:
        return f"Why {name}? It is sure of that by {sure}, with a logit of {number(found.score)}."
    other = about.classes[query.against]
    return f"Why {name} rather than {other}? Its logit is larger by {number(found.score)}."


def summed(values: Float[np.ndarray, "d h w"]) -> Float[np.ndarray, "h w"]:
    """Add the colours of a map up."""
    total: np.ndarray = values.sum(0)
    return total


def over(looks: Looks) -> str:
    """Name the view that was chosen."""
    return VIEWS[looks["view"]].capitalize()


def legend(found: Attribution) -> str:
    """Say what the colours mean."""
    if not found.query.about.signed:
        return "orange: much"
    return "orange for it, blue against"


def views(looks: Looks, span: int = 12) -> Block:
    """Draw the choice of how maps are shown."""
    row = Choice(name="view", label="Maps", values=[*VIEWS.items()], chosen=looks["view"])
    return inside.choices([row], span=span)


def _numbers(found: Attribution, values: Float[np.ndarray, "h w"]) -> Block:
    rows = [("sum of the map", number(float(values.sum(dtype=np.float64))), 1.0)]
    if not np.isnan(found.baseline):
        rows += [
            ("score", number(found.score), 1.0),
            ("score of the baseline", number(found.baseline), 1.0),
            ("missing to completeness", number(found.gap), 1.0),
        ]
    rows += [
        ("pictures read", f"{found.passes:,}", 1.0),
        ("gradients", f"{found.gradients:,}", 1.0),
        ("seconds", f"{found.seconds:.2f}", 1.0),
        ("places computed", "×".join(map(str, found.grid)), 1.0),
    ]
    if found.surrogate is not None:
        rows.append(("fidelity R²", f"{found.surrogate.fidelity:.3f}", 1.0))
    return blocks.figures(rows)


def _weights(surrogate: Surrogate) -> Block:
    """Draw the weights of the simple model that stands for the network."""
    weights = np.sort(surrogate.weights)[::-1]
    return charts.lines(
        "Weights of the superpixels, in logits",
        "superpixel, the largest first",
        np.arange(1.0, len(weights) + 1),
        [("weight", weights)],
        under="Each says by how much the score rises when its superpixel is there.",
        span=12,
    )


def number(value: float) -> str:
    """Write a number with four digits."""
    return f"{value:.4g}".replace("-", "−")
