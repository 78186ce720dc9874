"""The screen of the saliency panel: a picture, the map of one method, and what it adds up to."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from core import saliency
from core.saliency import Attribution, Query, Surrogate
from core.shared.engine import Engine, EngineError
from core.shared.models import About, Source
from ui import blocks, charts, explained, pinned, words
from ui.blocks import Block
from ui.explained import VIEWS, Pane
from ui.panels.saliency.showing import Looks, Map, controls, ends, legend, number, shown, summed
from ui.pinned import Pin, Pinned

__all__ = ["attribution", "draw", "places", "weights", "why"]


FAITHFUL = 0.5  # R²: a sum that explains less of the scores stands for nothing
WEIGHTS = (
    "Each says by how much the score rises when its superpixel is there; the map has it spread "
    "over the superpixel's pixels."
)
UNFAITHFUL = "Its fidelity is so low that these weights explain little of what the network does."


def attribution(engine: Engine, source: Source, seen: Pinned, query: Query) -> Attribution:
    """Explain the answer to the pinned picture.

    Raises: EngineError when it cannot be explained so.
    """
    found: Attribution = engine.call(saliency.EXPLAIN, source, seen.pixels, query)
    return found


def draw(
    engine: Engine, source: Source, about: About, pin: Pin, query: Query, looks: Looks
) -> list[Block]:
    """Draw why the network answers as it does; what cannot be had is said in a sentence."""
    seen = None
    try:
        seen = pinned.see(engine, source, about, pin)
        found = attribution(engine, source, seen, query)
    except (EngineError, ValueError) as error:
        refused = blocks.progress(0, words.sentence(str(error)), warn=True)
        return [refused] if seen is None else [refused, *_dragged(seen), _picture(seen)]
    about_it = found.query.about
    values = summed(found.values, about_it)
    told = ends(values, about_it)
    (over,) = shown(
        [
            Map(
                VIEWS[looks["view"]].capitalize(),
                legend(about_it),
                values,
                about_it.unit,
                found.negligible,
            )
        ],
        looks,
    )
    rows = [
        Pane(name="The picture", words=seen.title),
        Pane(
            name=about_it.title,
            words=told,
            values=values,
            high=explained.full(values, looks["scale"], explained.reach(values)),
            unit=about_it.unit,
            negligible=found.negligible,
        ),
        over,
    ][: 2 if looks["view"] == "map" else 3]
    untrained = source.kind == "run" and source.step == 0
    told_why = why(found, about)
    if untrained:
        told_why += " Its weights are those that it began with: no map can show what it learned."
    drawn = [blocks.progress(found.probability, told_why, warn=untrained), controls(looks)]
    drawn += [
        *_dragged(seen),
        explained.panes(seen.pixels, rows, look=seen.look, columns=3),
        *_numbers(found, values),
    ]
    if found.surrogate is not None:
        drawn.append(weights(found.surrogate))
    return [*drawn, *pinned.blocks(engine, replace(seen, count=0), found.probabilities)]


def _dragged(seen: Pinned) -> list[Block]:
    """Draw the slider of a data set's images."""
    if not seen.count:
        return []
    return [blocks.drag("index", "Test image", 0, seen.count - 1, seen.index, span=12)]


def _picture(seen: Pinned) -> Block:
    """Draw the picture alone, in its place."""
    pane = Pane(name="The picture", words=seen.title)
    return explained.panes(seen.pixels, [pane], look=seen.look, columns=3)


def why(found: Attribution, about: About) -> str:
    """Say what is explained."""
    query = found.query
    name = about.classes[query.target or 0]
    sure = words.share(found.probability)
    if query.against is None:
        return f"Why {name}? It is sure of that by {sure}, with a logit of {number(found.score)}."
    other = about.classes[query.against]
    than = "larger" if found.score >= 0 else "smaller"
    return f"Why {name} rather than {other}? Its logit is {than} by {number(abs(found.score))}."


def places(found: Attribution) -> tuple[str, str]:
    """Say of how many places the map tells something: a name, and the number."""
    if found.surrogate is not None:
        return "superpixels", str(found.grid[0])
    return "places", "×".join(map(str, found.grid))


def weights(surrogate: Surrogate) -> Block:
    """Draw the weights of the simple model that stands for the network."""
    ordered = np.sort(surrogate.weights)[::-1]
    return charts.lines(
        "Weights of the superpixels, in logits",
        "superpixel, the largest first",
        np.arange(1.0, len(ordered) + 1),
        [("weight", ordered)],
        under=f"{WEIGHTS} {_nothing(surrogate)}"
        + ("" if surrogate.fidelity > FAITHFUL else f" {UNFAITHFUL}"),
        span=12,
    )


def _numbers(found: Attribution, values: Float[np.ndarray, "h w"]) -> list[Block]:
    """Show what the map adds up to, and what it cost."""
    total = number(float(values.sum(dtype=np.float64)))
    adds = [("score", number(found.score), 0.9)]
    if not np.isnan(found.baseline):
        adds += [
            ("baseline's", number(found.baseline), 0.9),
            ("sum of map", total, 0.9),
            ("missing", number(found.gap), 0.9),
        ]
    if found.surrogate is not None:
        adds.append(("fidelity R²", f"{found.surrogate.fidelity:.3f}", 0.9))
    costs = [
        ("pictures" if found.surrogate is None else "different pictures", f"{found.passes:,}", 0.9),
        ("gradients", f"{found.gradients:,}", 0.9),
        ("seconds", f"{found.seconds:.2f}", 0.9),
        (*places(found), 0.9),
    ]
    return [blocks.figures(adds, span=6), blocks.figures(costs, span=6)]


def _nothing(surrogate: Surrogate) -> str:
    """Say what the simple model makes of nothing at all, and what the network does."""
    fitted, own = number(surrogate.intercept), number(surrogate.empty)
    if fitted == own:
        return f"With none of them there the sum and the network both say {own}."
    return f"With none of them there the sum says {fitted}, and the network itself {own}."
