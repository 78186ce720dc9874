"""The tab of the layers as spaces: images as points, a linear probe, and a shifted picture."""

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from core import feature_maps
from core.feature_maps import SOFTMAX, Probe, Shift, Space
from core.shared import datasets, models
from core.shared.engine import Engine, EngineError
from core.shared.models import About, Source
from ui import address, blocks, inside, pinned, screen, words
from ui.blocks import Block
from ui.pinned import SAMPLE, Pin

__all__ = ["COUNTS", "MEASURES", "WAYS", "images", "space", "spread"]

WAYS = {"pca": "PCA", "tsne": "t-SNE"}
MEASURES = {
    "distance": "all values",
    "pooled_distance": "means of maps",
    "cosine": "angle",
}
COUNTS = (100, 200, 500, 1_000, 2_000)
MANY, FEW = 1_000, 100  # images at first: of a small network, and of one of ImageNet
ROW = 26  # pixels of a layer in a chart
MOST = 12  # layers that are measured at first
BOUND: dict[str, Any] = {"bind": "query-params", "persist_state": "session"}


def space(engine: Engine, source: Source, about: About, pin: Pin, looks: dict[str, Any]) -> None:
    """Draw the tab."""
    st.markdown("**The layer as a space**: each image is a point, by what the layer gives for it.")
    left, middle, right = st.columns([2, 2, 1])
    titles = pinned.offered(about)
    data = left.selectbox(
        "Images", list(titles), format_func=titles.__getitem__, key="maps_data", **BOUND
    )
    count = middle.select_slider(
        "How many",
        COUNTS,
        FEW if about.shape == models.IMAGENET_SHAPE else MANY,
        key="maps_images",
        **BOUND,
    )
    way = right.segmented_control(
        "In a plane by",
        list(WAYS),
        format_func=WAYS.__getitem__,
        default="pca",
        required=True,
        key="maps_way",
        **BOUND,
    )
    if looks["layer"] == SOFTMAX:
        st.info("Softmax is no layer of the network: choose one before it to see its points.")
    else:
        _points(engine, source, about, looks["layer"], data, count, way)
    chosen = _layers(looks)
    if not chosen:
        st.info("Choose a layer.")
        return
    _probe(engine, source, chosen, data, 2 * count)
    _shift(engine, source, about, pin, chosen)


def images(about: About) -> tuple[str, int]:
    """Tell whose images the tab shows now, and how many."""
    state, titles = st.session_state, pinned.offered(about)
    data = state.get("maps_data")
    usual = FEW if about.shape == models.IMAGENET_SHAPE else MANY
    return (data if data in titles else next(iter(titles))), state.get("maps_images", usual)


def spread(names: list[str], most: int = MOST) -> list[str]:
    """Choose layers that are evenly far apart, the first and the last among them; no softmax."""
    names = [name for name in names if name != SOFTMAX]
    if len(names) <= most:
        return names
    return [names[round(k * (len(names) - 1) / (most - 1))] for k in range(most)]


def _layers(looks: dict[str, Any]) -> tuple[str, ...]:
    """Let the layers be chosen that are compared, in the network's order."""
    st.markdown("**Layer by layer**")
    names = [name for name in looks["layers"] if name != SOFTMAX]
    usual = spread(names)
    if looks.get("compared_of") != names:  # of another network, or the first
        wished = looks.pop("wished", "")
        places = address.numbers(wished, 1 + wished.count("-")) or ()
        asked = [names[place] for place in places if place < len(names)]
        looks.update(compared_of=names, compared=asked or usual)
        st.session_state.maps_compared = looks["compared"]
    elif "maps_compared" not in st.session_state:  # another tab was open meanwhile
        st.session_state.maps_compared = looks["compared"]
    chosen = st.multiselect("Layers to compare", names, key="maps_compared")
    looks["compared"] = [name for name in names if name in chosen]
    places_now = "-".join(str(names.index(name)) for name in looks["compared"])
    address.note("maps_compare", "" if looks["compared"] == usual else places_now)
    return tuple(looks["compared"])


def _points(
    engine: Engine, source: Source, about: About, layer: str, data: str, count: int, way: str
) -> None:
    peeked: dict[str, int] = st.session_state.setdefault("maps_peeked", {"index": 0})
    of = datasets.about(data)

    def draw(_: object) -> list[Block]:
        try:
            found: Space = engine.call(feature_maps.SPACE, source, layer, count, way, 0, data)
            index = min(peeked["index"], len(found.labels) - 1)
            image = engine.call(SAMPLE, data, index)
        except (EngineError, ValueError) as error:
            return [blocks.progress(0, words.sentence(str(error)), warn=True)]
        own = data == about.data
        wrong = (found.labels != found.read) & own
        true, read = of.classes[found.labels[index]], about.classes[found.read[index]]
        panel = blocks.Maps(
            name=f"test image {index:,}",
            values=image.pixels,
            high=1,
            columns=1,
            share=3.0,
            look="ink" if len(image.pixels) == 1 else "colour",
            range=f"{true}, read as {read}",
            alt=f"Test image {index}, of the class {true}",
        )
        shares = "".join(f", {share:.0%}" for share in found.shares)
        taken = f"{found.values:,} {'means' if found.pooled else 'values'}"
        title = f"{len(found.labels):,} test images by {taken} of {layer}, {WAYS[way]}"
        title += f"; the axes have{shares[1:]} of the variance" if shares else ""
        return [
            inside.scatter(
                found.points,
                found.labels,
                wrong,
                of.classes,
                title=title,
                chosen=index,
                span=9,
            ),
            blocks.maps([panel], span=3),
        ]

    screen.screen(
        "space_screen",
        lambda: None,
        draw,
        {"peek": lambda said: peeked.update(index=max(0, int(said)))},
    )
    st.caption(
        "Point at an image to see it; those that the network reads wrongly are ringed. t-SNE keeps "
        "neighbours together and nothing else: distances between clusters mean little."
    )


def _probe(engine: Engine, source: Source, layers: tuple[str, ...], data: str, count: int) -> None:
    """Show how well each layer's values tell the classes apart by one linear step."""
    if not st.toggle("Train a linear probe on each layer", key="maps_probe", **BOUND):
        st.caption("How well can a linear classifier read the classes from each layer's values?")
        return
    try:
        found: tuple[Probe, ...] = engine.call(feature_maps.PROBE, source, layers, count, 0, data)
    except (EngineError, ValueError) as error:
        st.warning(words.plain(words.sentence(str(error))))
        return
    rows = [
        {
            "layer": f"{each.layer}, {each.values:,} {'means' if each.pooled else 'values'}: "
            f"{each.accuracy:.1%}",
            "right": each.accuracy,
        }
        for each in found
    ]
    x = {"field": "right", "type": "quantitative", "axis": {"format": "%"}, "title": "read right"}
    _chart(rows, {"mark": {"type": "bar", "tooltip": True}, "encoding": {"x": x}})
    best = max(found, key=lambda each: each.accuracy)
    st.caption(
        f"Best at {best.layer}, where {best.accuracy:.1%} are right. Ridge regression learns the "
        "classes from one half of the validation images and reads the other."
    )


def _shift(engine: Engine, source: Source, about: About, pin: Pin, layers: tuple[str, ...]) -> None:
    """Show how far each layer moves when the picture is shifted."""
    try:
        seen = pinned.see(engine, source, about, pin)
        found: Shift = engine.call(feature_maps.SHIFT, source, seen.pixels, layers)
    except (EngineError, ValueError) as error:
        st.warning(words.plain(words.sentence(str(error))))
        return
    measure = st.segmented_control(
        "Pooling's invariance, measured: how far each layer moves when the pinned picture is "
        f"shifted to the right by 0 to {int(found.pixels[-1])} pixels, by",
        list(MEASURES),
        format_func=MEASURES.__getitem__,
        default="distance",
        required=True,
        key="maps_moved",
        **BOUND,
    )
    values = getattr(found, measure)
    if measure == "cosine":
        values, digits = np.degrees(np.arccos(np.clip(values, -1, 1))), ".0f"
        told = "Each number is the angle between the values before and after, in degrees."
    else:
        digits = ".2f"
        told = "Each number is the distance of the values from those before, over their length."
    rows = [
        {"pixels": int(p), "layer": layer, "moved": float(values[k, s])}
        for k, layer in enumerate(found.layers)
        for s, p in enumerate(found.pixels)
        if np.isfinite(values[k, s])
    ]
    x = {"field": "pixels", "type": "ordinal", "title": "pixels shifted", "axis": {"labelAngle": 0}}
    shades = {"range": ["#fff4e8", "#e07b1f"]}  # black is read on both
    colour = {"field": "moved", "type": "quantitative", "scale": shades}
    number = {"field": "moved", "type": "quantitative", "format": digits}
    drawn = [
        {
            "mark": {"type": "rect", "tooltip": True},
            "encoding": {"color": {**colour, "legend": None}},
        },
        {"mark": {"type": "text", "color": "#000", "fontSize": 12}, "encoding": {"text": number}},
    ]
    _chart(rows, {"encoding": {"x": x}, "layer": drawn})
    st.caption(told)


def _chart(rows: list[dict[str, Any]], spec: dict[str, Any]) -> None:
    """Draw values of layers, a row for each."""
    wide = {"labelLimit": 260}
    y = {"field": "layer", "type": "nominal", "sort": None, "title": None, "axis": wide}
    spec["encoding"]["y"] = y
    spec["height"] = 50 + ROW * len({row["layer"] for row in rows})
    st.vega_lite_chart(pd.DataFrame(rows), spec)
