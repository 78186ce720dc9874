"""The tabs below the second panel's screen."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from core import feature_maps
from core.feature_maps import SOFTMAX, Click, Layer, Look, script
from core.shared import photographs
from core.shared.engine import Engine, EngineError
from core.shared.models import About, Source
from ui import address, pinned, words
from ui.beside import PICTURE, offer_picture
from ui.formulae import write_formulae
from ui.panels.feature_maps.channel import LESIONED, NINE, ONLY, SEARCHED, SILENCE, channel
from ui.panels.feature_maps.dream import ascent
from ui.panels.feature_maps.laboratory import laboratory
from ui.panels.feature_maps.space import COUNTS, MEASURES, WAYS, images, space, spread
from ui.panels.feature_maps.wording import FORMULAE, LESSONS
from ui.pinned import Pin, Pinned

__all__ = ["refuse_widgets", "tabs"]

TABS = [
    "What to try",
    "Convolution laboratory",
    "This map",
    "Layers as spaces",
    "Formula",
    "The code",
]
# What stands in the address, also while it is not drawn.
KNOWN = [
    f"maps_{name}"
    for name in (
        *("layer", "channel", "at", "weight", "label", "rate", "sort", "scale", "compare", "tab"),
        *("only", "searched", "images", "data", "way", "moved", "probe"),
    )
]
AVERAGED, SHIFTED = 100, 8  # images and pixels, as the tabs have them


def tabs(
    engine: Engine, visitor: str, source: Source, about: About, pin: Pin, looks: dict[str, Any]
) -> None:
    """Draw the tabs; what is in one is computed only while it is open."""
    lessons, lab, one, spaces, formula, code = st.tabs(
        TABS,
        on_change="rerun",
        key="maps_tab",
        bind="query-params",
    )
    if lessons.open:
        lessons.markdown(LESSONS)
    if lab.open:
        with lab:
            laboratory(engine, source, about, pin, looks)
    if one.open:
        with one:
            channel(engine, visitor, source, about, pin, looks)
    if spaces.open:
        with spaces:
            space(engine, source, about, pin, looks)
    if formula.open:
        with formula:
            write_formulae(FORMULAE)
    if code.open:
        with code:
            _code(engine, source, about, pin, looks)


def refuse_widgets(asked: Mapping[str, str], about: About) -> None:
    """Say what of the address the widgets of the tabs, as far as they are drawn, could not take."""
    state, titles = st.session_state, pinned.offered(about)
    offered: dict[str, Mapping[Any, object]] = {
        "maps_tab": dict(zip(TABS, TABS, strict=True)),
        "maps_only": {each: each for each in (SILENCE, ONLY)},
        "maps_searched": {each: each for each in SEARCHED},
        "maps_images": {each: each for each in COUNTS},
        "maps_data": titles,
        "maps_way": WAYS,
        "maps_moved": MEASURES,
        "maps_probe": {True: "true", False: "false"},
    }
    given = {
        key: (values[state[key]], words.choices(tuple(values.values())))
        for key, values in offered.items()
        if key in state
    }
    address.refuse("maps", asked, given, KNOWN)


def _code(engine: Engine, source: Source, about: About, pin: Pin, looks: dict[str, Any]) -> None:
    """Write what is on the screen as plain PyTorch."""
    try:
        seen = pinned.see(engine, source, about, pin)
        look: Look = engine.call(feature_maps.LOOK, source, seen.pixels)
        layer = next(each for each in look.layers if each.name == looks["layer"])
        texts = []
        if layer.name != SOFTMAX:
            texts.append(("All maps of the layer", script.write_maps(source, layer, PICTURE)))
        texts += _value(engine, source, seen, layer, looks)
        texts += _tabs(source, about, layer, looks) if layer.name != SOFTMAX else []
    except (EngineError, ValueError, StopIteration) as error:
        st.warning(words.plain(words.sentence(str(error))))
        return
    told = "it gives the numbers on the screen or in the tabs"
    offer_picture(seen.pixels, "maps_npy", "one of these", told)
    for title, text in texts:
        with st.expander(title, expanded=title == texts[0][0]):
            st.code(text, language="python")


def _value(
    engine: Engine, source: Source, seen: Pinned, layer: Layer, looks: dict[str, Any]
) -> list[tuple[str, str]]:
    at = (looks["channel"], *looks["place"])
    try:
        told: Click = engine.call(feature_maps.CLICK, source, seen.pixels, layer.name, at)
    except EngineError:  # its arithmetic is no single line
        return []
    of = None if layer.name == SOFTMAX else layer
    texts = [("The chosen value", script.write_value(source, of, told, PICTURE))]
    if told.kernel is not None and looks["weight"] is not None:
        index = (looks["channel"], *looks["weight"])[: len(layer.weights)]
        if len(index) != len(layer.weights) or "target" not in looks:
            return texts
        label = looks["target"]
        rate = float(looks["rate"])
        text = script.write_gradient(source, layer, index, label, rate, PICTURE)
        texts.append(("The gradient of the chosen weight", text))
    return texts


def _tabs(
    source: Source, about: About, layer: Layer, looks: dict[str, Any]
) -> list[tuple[str, str]]:
    """Write what the tabs of the map and of the spaces show."""
    state, number = st.session_state, looks["channel"]
    only = state.get("maps_only") == ONLY
    searched = state.get("maps_searched", 1_000) if about.data else len(photographs.photographs())
    layers = looks.get("compared") or spread(looks["layers"])
    data, count = images(about)
    way = state.get("maps_way") or "pca"
    top = script.write_top(source, layer, number, NINE, searched)
    lesion = script.write_lesion(source, layer, number, only, PICTURE, LESIONED)
    return [
        ("The images that excite it most", top),
        ("The map alone" if only else "The map silenced", lesion),
        ("Its dream", script.write_dream(ascent(source, layer.name, number))),
        ("Its effective field", script.write_effective_field(source, layer, number, AVERAGED)),
        ("The layer as a space", script.write_space(source, layer, count, way, data)),
        ("A linear probe of each layer", script.write_probe(source, layers, 2 * count, 0, data)),
        ("The picture shifted", script.write_shift(source, layers, PICTURE, SHIFTED)),
    ]
