"""Melt: layer by layer the network forgets what it learned; which maps notice?"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st

from core import saliency
from core.saliency import METHODS, Query
from core.saliency.trials import Melted
from core.shared.engine import Engine, EngineError
from core.shared.models import About, Source
from ui import blocks, charts, explained, pinned, screen, words
from ui.blocks import Block
from ui.explained import Pane
from ui.panels.saliency.screen import summed, views
from ui.pinned import Pin, Pinned

__all__ = ["melt"]

BESIDE = ("gradient", "guided", "gradcam", "gradient_input")  # quick ones, beside the chosen
MOST = 4  # methods
ALL_STEPS = 12  # layers, up to which the curves have a point for each
Looks = dict[str, Any]


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

    def view(chosen: Any) -> None:
        if chosen in explained.VIEWS:
            looks["view"] = chosen

    steer: dict[str, Callable[[Any], object]] = {"melted": dragged, "view": view}
    with st.spinner("The network melts…", show_time=True):
        screen.screen(
            "saliency_melt",
            lambda: None,
            lambda _: _draw(engine, source, about, pin, query, looks),
            steer,
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
    panes: list[Pane] = []
    for before, found in zip(whole, now, strict=True):
        title = before.attribution.query.about.title
        unit = before.attribution.query.about.unit
        first, then = summed(before.attribution.values), summed(found.attribution.values)
        told = f"like the first by {_said(found.correlation)}" if place else "as it is"
        panes.append(
            Pane(
                name=title,
                words=told,
                values=then,
                high=explained.reach(then),
                unit=unit,
                view=looks["view"],
            )
        )
        del first
    sure = now[0].attribution.probability
    target = about.classes[now[0].attribution.query.target or 0]
    told = (
        f"With {place} of {len(layers)} layers melted it reads {target} by {100 * sure:.1f} %"
        + (": it has learned nothing any more." if place == len(layers) else ".")
    )
    return [
        blocks.progress(place / len(layers), told),
        blocks.drag("melted", "Layers with random weights", 0, len(layers), place, names),
        views(looks),
        explained.panes(seen.pixels, panes, look=seen.look, columns=MOST),
        _chart(engine, source, seen, queries, place, len(layers)),
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
    engine: Engine, source: Source, seen: Pinned, queries: list[Query], place: int, layers: int
) -> Block:
    if layers <= ALL_STEPS:
        places = list(range(layers + 1))
    else:
        steps = np.geomspace(1, layers, ALL_STEPS // 2).round().astype(int)
        places = sorted({0, place, *(int(each) for each in steps)})
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
        under="1 is the same order of pixels, 0 none in common.",
        span=12,
    )


def _said(correlation: float) -> str:
    return (
        "nothing: it is flat" if np.isnan(correlation) else f"{correlation:.2f}".replace("-", "−")
    )
