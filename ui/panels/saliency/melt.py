"""Melt: layer by layer the network forgets what it learned; which maps notice?"""

from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st

from core import saliency
from core.saliency import Query
from core.saliency.methods import METHODS
from core.saliency.trials import Melted
from core.shared.engine import Engine, EngineError
from core.shared.models import About, Source
from ui import blocks, charts, explained, pinned, screen, words
from ui.blocks import Block
from ui.panels.saliency.showing import Looks, controls, shown, steer, summed
from ui.pinned import Pin, Pinned

__all__ = ["melt"]

BESIDE = ("gradient", "guided", "gradcam", "gradient_input")  # quick ones, beside the chosen
MOST = 4  # methods
ALL_STEPS = 12  # layers, up to which the curves have a point for each at once


def melt(
    engine: Engine, source: Source, about: About, pin: Pin, query: Query, looks: Looks
) -> None:
    """Draw the slider, the maps of the network as it melts, and how like the first they stay."""
    st.markdown(
        "The slider gives random weights to one layer after another, from the last one on. What "
        "explains the network must become another map; what stays the same shows the picture. "
        "The correlation is of ranks, on the pixels that are not background: there all maps agree "
        "for nothing."
    )

    def dragged(value: Any) -> None:
        looks["melted"] = max(0, int(value))

    with st.spinner("The network melts…", show_time=True):
        screen.screen(
            "saliency_melt",
            lambda: None,
            lambda _: _draw(engine, source, about, pin, query, looks),
            {**steer(looks), "melted": dragged},
        )


def _draw(
    engine: Engine, source: Source, about: About, pin: Pin, query: Query, looks: Looks
) -> list[Block]:
    try:
        seen = pinned.see(engine, source, about, pin)
        queries = _queries(engine, source, seen, query)
        whole = [_melted(engine, source, seen, each, 0) for each in queries]
    except (EngineError, ValueError) as error:
        return [blocks.progress(0, words.sentence(str(error)), warn=True)]
    layers = whole[0].layers
    place = min(looks.get("melted", 0), len(layers))
    now = [_melted(engine, source, seen, each, place) for each in queries]
    names = ["none", *(f"{k} of {len(layers)}: to {name}" for k, name in enumerate(layers, 1))]
    maps = [
        (
            found.attribution.query.about.title,
            f"like the first by {_said(found.correlation)}" if place else "as it is",
            summed(found.attribution.values),
            found.attribution.query.about.unit,
        )
        for found in now
    ]
    sure = now[0].attribution.probability
    target = about.classes[now[0].attribution.query.target or 0]
    told = (
        f"With {place} of {len(layers)} layers melted it reads {target} by {100 * sure:.1f} %"
        + (": it has learned nothing any more." if place == len(layers) else ".")
    )
    return [
        blocks.progress(place / len(layers), told),
        blocks.drag("melted", "Layers with random weights", 0, len(layers), place, names),
        controls(looks),
        explained.panes(seen.pixels, shown(maps, looks), look=seen.look, columns=MOST),
        _chart(engine, source, seen, queries, place, len(layers), looks),
    ]


def _queries(engine: Engine, source: Source, seen: Pinned, query: Query) -> list[Query]:
    """Choose the method of the page and some quick ones that can explain this network."""
    names = list(dict.fromkeys([query.method, *(each for each in BESIDE if each in METHODS)]))
    found: list[Query] = []
    for name in names:
        given = (
            query
            if name == query.method
            else Query(method=name, target=query.target, against=query.against, seed=query.seed)
        )
        try:
            _melted(engine, source, seen, given, 0)
        except EngineError:
            if name == query.method:
                raise
            continue
        found.append(given)
    return found[:MOST]


def _melted(engine: Engine, source: Source, seen: Pinned, query: Query, place: int) -> Melted:
    found: Melted = engine.call(saliency.MELT, source, seen.pixels, replace(query, melted=0), place)
    return found


def _chart(
    engine: Engine,
    source: Source,
    seen: Pinned,
    queries: list[Query],
    place: int,
    layers: int,
    looks: Looks,
) -> Block:
    """Draw the correlations: of every place, or where there are many layers of those looked at."""
    places = list(range(layers + 1))
    if layers > ALL_STEPS:
        of, visited = looks.get("melt_visited", (None, set()))
        key = (source, seen.title, tuple(queries))
        visited = ({0} if of != key else visited) | {place}
        looks["melt_visited"] = key, visited
        places = sorted(visited)
    rows = [
        (
            METHODS[query.method].title,
            np.array([_melted(engine, source, seen, query, each).correlation for each in places]),
        )
        for query in queries
    ]
    return charts.lines(
        "Rank correlation with the map of the network as it was learned",
        "layers with random weights",
        np.array(places, float),
        rows,
        now=places.index(place),
        under="1 is the same order of pixels, 0 none in common."
        + (" The places that you look at are drawn." if layers > ALL_STEPS else ""),
        span=12,
    )


def _said(correlation: float) -> str:
    return (
        "nothing: it is flat" if np.isnan(correlation) else f"{correlation:.2f}".replace("-", "−")
    )
