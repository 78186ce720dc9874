"""Melt: layer by layer the network forgets what it learned; which maps notice?"""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import streamlit as st

from core import saliency
from core.saliency import Query
from core.saliency.methods import METHODS, SIZE
from core.saliency.trials import Melted
from core.shared.engine import Engine, EngineError
from core.shared.models import About, Source
from ui import address, blocks, charts, explained, pinned, screen, words
from ui.blocks import Block
from ui.panels.saliency.showing import Looks, Map, controls, shown, steer, summed
from ui.pinned import Pin, Pinned
from ui.running import Rules, choose_seed

__all__ = ["melt"]

BESIDE = ("gradient", "guided", "gradcam", "gradient_input")  # quick ones, beside the chosen
MOST = 4  # methods
SEED = 160  # pixels
ALL_STEPS = 12  # layers, up to which the curves have a point for each at once


def melt(
    engine: Engine, source: Source, about: About, pin: Pin, query: Query, looks: Looks
) -> None:
    """Draw the slider, the maps of the network as it melts, and how like the first they stay."""
    st.markdown(
        "The slider gives random weights to one layer after another, from the last one on, of the "
        "same mean and spread as the learned ones; what it normalises by stays. What explains the "
        "network must become another map; what stays the same shows the picture. Ranks are "
        "compared with those of the map as it was: of the values, or where their sign only says "
        "brighter or darker of their sizes; of a digit on its ink alone, for on the background "
        "maps agree for nothing. The seed is that of the random weights."
    )
    asked, rules = address.asked("melt"), Rules()
    seed = choose_seed(st.container(width=SEED), "melt_seed", rules)
    address.refuse("melt", asked, rules, ())
    query = replace(query, seed=seed)

    def dragged(value: Any) -> None:
        looks["melted"] = max(0, int(value))

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
    names = ["none", *(f"{k} of {len(layers)}: to {name}" for k, name in enumerate(layers, 1))]
    slider = blocks.drag("melted", "Layers with random weights", 0, len(layers), place, names)
    try:
        now = [_melted(engine, source, seen, each, place) for each in queries]
        known = _known(engine, source, seen, queries, (place, now), looks, len(layers))
    except EngineError as error:
        return [blocks.progress(0, words.sentence(str(error)), warn=True), slider]
    maps = [
        Map(
            found.attribution.query.about.title,
            _said(found) if place else "as it is",
            summed(found.attribution.values, found.attribution.query.about),
            found.attribution.query.about.unit,
            found.attribution.negligible,
        )
        for found in now
    ]
    sure = now[0].attribution.probability
    target = about.classes[now[0].attribution.query.target or 0]
    told = (
        f"With {place} of {len(layers)} layers melted it reads {target} by {100 * sure:.1f} %"
        + (": all its weights are random now." if place == len(layers) else ".")
    )
    return [
        blocks.progress(place / len(layers), told),
        slider,
        controls(looks),
        explained.panes(seen.pixels, shown(maps, looks), look=seen.look, columns=MOST),
        _chart(queries, place, len(layers), known),
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


def _known(
    engine: Engine,
    source: Source,
    seen: Pinned,
    queries: list[Query],
    here: tuple[int, list[Melted]],
    looks: Looks,
    layers: int,
) -> dict[int, list[float]]:
    """Note the correlations here, and of a small network everywhere; they are kept by place."""
    of, known = looks.get("melt_known", (None, {}))
    key = (source, hash(seen.pixels.tobytes()), tuple(queries))
    if of != key:
        known = {0: [1.0] * len(queries)}
        looks["melt_known"] = key, known
    place, found = here
    known[place] = [_agreement(each) for each in found]
    if layers <= ALL_STEPS and seen.photograph is None:
        for k in range(layers + 1):
            if k not in known:
                known[k] = [_agreement(_melted(engine, source, seen, q, k)) for q in queries]
    return dict(known)


def _chart(queries: list[Query], place: int, layers: int, known: dict[int, list[float]]) -> Block:
    places = sorted(known)
    between = [(a + b) / 2 for a, b in pairwise(places) if b > a + 1]  # where no line may go
    x = np.array(sorted([*places, *between]))
    rows = [
        (
            METHODS[query.method].title,
            np.array([known[int(k)][i] if k in known else np.nan for k in x]),
        )
        for i, query in enumerate(queries)
    ]
    more = "" if len(places) > layers else " The places that you have looked at are drawn."
    return charts.lines(
        "Rank correlation with the map of the network as it was learned",
        "layers with random weights",
        x,
        rows,
        now=int(np.searchsorted(x, place)),
        ends=(-1.05, 1.05),
        under=f"1 is the same order of pixels, 0 no more alike than chance.{more}",
        span=12,
    )


def _agreement(found: Melted) -> float:
    """Give the correlation that matters: of sizes where the sign says brighter or darker."""
    by_size = found.attribution.query.about.order == SIZE
    return found.absolute if by_size else found.correlation


def _said(found: Melted) -> str:
    agreement = _agreement(found)
    if np.isnan(agreement):
        return "it is flat: nothing to compare"
    of = "sizes" if found.attribution.query.about.order == SIZE else "values"
    return f"ranks of {of} agree by {round(agreement, 2) + 0:.2f}".replace("-", "−")  # no −0.00
