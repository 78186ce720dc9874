"""The settings of an explanation: widgets in, a query out; each stands in the address."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core import saliency
from core.saliency import BASELINES, Query
from core.saliency.methods import CONTROL, METHODS
from core.saliency.trials import SPARING
from core.shared import models
from core.shared.engine import Engine, EngineError
from core.shared.models import About, Source
from ui import address, explained, words
from ui.pinned import look_of
from ui.running import BOUND, Rules

__all__ = ["baselines", "for_photographs", "offered", "settings", "usual"]

READ, NOTHING = "what it reads", "nothing else"
WHOLE_LAYER = "the last one"
CHOICES: dict[str, tuple[str, tuple[Any, ...], str]] = {  # of a query: label, values, help
    "baseline": ("What stands for absent", tuple(BASELINES), "A pixel that is away looks so."),
    "steps": ("Steps", (10, 20, 50, 100, 200), "From the baseline to the picture."),
    "samples": ("Samples", (5, 10, 25, 50, 100), "Over which the mean is taken."),
    "deviation": ("Noise σ", (0.05, 0.1, 0.15, 0.2, 0.3), "Black to white is 1."),
    "size": ("Side of the box", (0, 1, 2, 4, 7, 10, 14, 28, 56, 84), "In pixels."),
    "stride": ("Stride", (0, 1, 2, 4, 7, 8, 14, 16, 28), "Pixels from one box to the next."),
    "masks": ("Masks", (100, 200, 500, 1_000, 2_000, 4_000), "Pictures with parts hidden."),
    "cells": ("Cells", (4, 5, 7, 10, 14), "Along each side of the grid of a mask."),
    "segments": ("Superpixels", (10, 25, 50, 100, 200), "About so many."),
}
OF_TABS = ("methods", "imputers", "melted")
NOISE = "noise"  # of BASELINES
METHOD, CLASS = 236, 166  # pixels: on a phone the classes stand beside each other
KNOWN = tuple(  # settings of other methods and of the tabs
    f"saliency_{name}"
    for name in (*CHOICES, *("class", "against", "layer", "seed", "tab"), *OF_TABS)
)
BOX = ("size", "stride")  # of which 0 stands for a part of the picture's side


def settings(
    engine: Engine,
    source: Source,
    about: About,
    asked: Mapping[str, str],
    looks: dict[str, Any],
    line: DeltaGenerator,
) -> Query:
    """Draw the settings, those of the method here and what comes before all of them in a line.

    Args:
        engine: knows the layers of the network.
        source: the network.
        about: the network.
        asked: what the address asked for when the page was opened.
        looks: at what the session looks; the method that was chosen is noted.
        line: is met before the maps, also on a phone; the method and the classes are chosen there.
    """
    rules: Rules = {}
    named = {name: METHODS[name].title for name in offered(source)}
    method = _box(line, "Method", named, "method", "integrated", rules, width=METHOD)
    known, large = METHODS[method], about.shape == models.IMAGENET_SHAPE
    was, looks["chosen"] = looks.get("chosen"), (method, large)
    if was and was != (method, large):  # each has its usual settings
        for name in CHOICES:
            key = f"saliency_{name}"
            if name in known.heeds and key in st.session_state:
                st.session_state[key] = usual(method, name, large=large)
            else:
                st.session_state.pop(key, None)
            address.note(key, "")
    st.caption(f"{known.says} {known.paper}.")
    if known.caution:
        st.caption(f":material/warning: {known.caution}")
    target, against = _classes(line, about, rules)
    given: dict[str, Any] = {}
    if "layer" in known.heeds:
        given["layer"] = _layer(engine, source, rules)
    for name in CHOICES:
        if name in known.heeds:
            given[name] = _value(method, name, about, rules)
    seed = 0
    if "seed" in known.heeds or given.get("baseline") == NOISE:
        seed = st.number_input("Seed", 0, saliency.LAST_SEED, 0, key="saliency_seed", **BOUND)
        rules["saliency_seed"] = seed, f"a whole number from 0 to {saliency.LAST_SEED:,}"
    rules["saliency_view"] = looks["view"], words.choices([*explained.VIEWS])
    rules["saliency_scale"] = looks["scale"], words.choices([*explained.SCALES])
    address.refuse("saliency", asked, rules, KNOWN)
    return Query(method=method, target=target, against=against, seed=seed, **given)


def offered(source: Source) -> tuple[str, ...]:
    """List the methods that may explain a network: rollout needs attention, which few have."""
    attention = source.kind == "zoo" and source.name.startswith("vit")
    return tuple(
        name
        for name, known in METHODS.items()
        if known.family != CONTROL and (name != "rollout" or attention)
    )


def baselines(about: About) -> dict[str, str]:
    """Name what may stand for a pixel that is absent, as a picture for a network shows it.

    A digit is drawn as ink on paper, dark on light or light on dark: its 0 is the paper.
    """
    empty = "empty (0: no ink)" if look_of(about) == "ink" else "black (0)"
    return {**BASELINES, "black": empty}


def usual(method: str, name: str, *, large: bool) -> Any:
    """Give what a field of a query is at first."""
    query = Query(method=method)
    found = getattr(query, name)
    return min(found, SPARING[name]) if large and name in SPARING else found


def for_photographs(method: str) -> dict[str, Any]:
    """Give those fields of a query that are others where pictures are large."""
    return {
        name: usual(method, name, large=True) for name in SPARING if name in METHODS[method].heeds
    }


def _classes(line: DeltaGenerator, about: About, rules: Rules) -> tuple[int | None, int | None]:
    """Draw the choice of a class, and of another that it is explained against."""
    names = [READ, *about.classes]
    named = {each: each for each in names}
    chosen = _box(line, "Why", named, "class", READ, rules, free=True, width=CLASS)
    others = [NOTHING, *(each for each in about.classes if each != chosen)]
    other = {each: each for each in others}
    against = _box(line, "rather than", other, "against", NOTHING, rules, free=True, width=CLASS)
    return (
        None if chosen == READ else about.classes.index(chosen),
        None if against == NOTHING else about.classes.index(against),
    )


def _layer(engine: Engine, source: Source, rules: Rules) -> str:
    """Draw the choice of the layer whose maps are weighed."""
    found = []
    with suppress(EngineError):  # the map, asked for next, says what is wrong
        found = engine.call(saliency.LAYERS, source)
    names = {"": WHOLE_LAYER} | {
        each.name: f"{each.name}: {each.kind}, {each.rows}×{each.columns}"
        for each in reversed(found)
    }
    return _box(st, "Layer", names, "layer", "", rules, free=True)


def _box(
    place: Any,
    label: str,
    values: Mapping[str, str],
    name: str,
    first: str,
    rules: Rules,
    *,
    free: bool = False,
    width: Literal["stretch"] | int = "stretch",
) -> str:
    key = f"saliency_{name}"
    if st.session_state.get(key) not in (None, *values):  # of another network
        del st.session_state[key]
    chosen: str = place.selectbox(
        label,
        list(values),
        [*values].index(first),
        format_func=lambda each: values.get(each, each),
        key=key,
        width=width,
        **BOUND,
    )
    what = "the name of one" if free else words.choices([*values.values()])
    rules[key] = values[chosen], what
    return chosen


def _value(method: str, name: str, about: About, rules: Rules) -> Any:
    label, values, told = CHOICES[name]
    side, key = min(about.shape[1:]), f"saliency_{name}"

    def said(value: Any) -> str:
        if name in BOX and value == 0:
            return f"{Query().box(side)[BOX.index(name)]}, automatic"
        return baselines(about).get(value, str(value))

    kept = tuple(each for each in values if name not in BOX or each <= side)
    first = usual(method, name, large=about.shape == models.IMAGENET_SHAPE)
    chosen = st.selectbox(
        label, kept, kept.index(first), format_func=said, key=key, help=told, **BOUND
    )
    rules[key] = said(chosen), words.choices([said(each) for each in kept])
    return chosen
