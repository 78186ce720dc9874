"""The tab of the layers as spaces: images as points, a linear probe, and a shifted picture."""

from typing import Any

import numpy as np
import streamlit as st

from core import feature_maps
from core.feature_maps import SOFTMAX, Probe, Shift, Space
from core.shared import datasets
from core.shared.engine import Engine, EngineError
from core.shared.models import About, Source
from ui import blocks, inside, pinned, screen, words
from ui.blocks import Block
from ui.pinned import SAMPLE, Pin

__all__ = ["FEW", "IMAGES", "space", "spread"]

IMAGES = 1_000
WAYS = {"pca": "PCA", "tsne": "t-SNE"}
MOST, FEW = 12, 6  # layers that are probed, and for which the picture is shifted


def space(engine: Engine, source: Source, about: About, pin: Pin, looks: dict[str, Any]) -> None:
    """Draw the tab."""
    _shift(engine, source, about, pin, looks)
    if not about.data:
        st.info(
            "This network learned from ImageNet, whose images are not here: choose a network of "
            "digits, clothes or your own pictures to see its layers as spaces."
        )
        return
    if looks["layer"] != SOFTMAX:
        _points(engine, source, about, looks)
    _probe(engine, source, looks)


def spread(names: list[str], most: int = MOST) -> list[str]:
    """Choose layers that are evenly far apart, the first and the last among them; no softmax."""
    names = [name for name in names if name != SOFTMAX]
    if len(names) <= most:
        return names
    return [names[round(k * (len(names) - 1) / (most - 1))] for k in range(most)]


def _points(engine: Engine, source: Source, about: About, looks: dict[str, Any]) -> None:
    count = min(IMAGES, datasets.about(about.data).test)
    way = st.segmented_control(
        f"{count:,} test images by what {looks['layer']} gives for them, in a plane",
        list(WAYS),
        format_func=WAYS.__getitem__,
        default="pca",
        required=True,
        key="maps_way",
        bind="query-params",
        persist_state="session",
    )
    peeked: dict[str, int] = st.session_state.setdefault("maps_peeked", {"index": -1})
    layer = looks["layer"]

    def draw(_: object) -> list[Block]:
        try:
            found: Space = engine.call(feature_maps.SPACE, source, layer, IMAGES, way)
        except (EngineError, ValueError) as error:
            return [blocks.progress(0, words.sentence(str(error)), warn=True)]
        wrong = found.labels != found.read
        index = min(peeked["index"], len(found.labels) - 1)
        shares = "".join(f", {share:.0%}" for share in found.shares)
        of = f"{found.values:,} {'means of maps' if found.pooled else 'values'}"
        title = f"{layer}: {of} of each image by {WAYS[way]}"
        title += f"; the axes have{shares[1:]} of the variance" if shares else ""
        drawn = [
            inside.scatter(
                found.points,
                found.labels,
                wrong,
                about.classes,
                title=title,
                chosen=index,
                span=9,
            )
        ]
        if index >= 0:
            image = engine.call(SAMPLE, about.data, index)
            true, read = (about.classes[each[index]] for each in (found.labels, found.read))
            drawn.append(
                blocks.maps(
                    [
                        blocks.Maps(
                            name=f"test image {index:,}",
                            values=image.pixels,
                            high=1,
                            columns=1,
                            share=3.0,
                            look="ink" if len(image.pixels) == 1 else "colour",
                            range=f"{true}, read as {read}",
                            alt=f"Test image {index}, of the class {true}",
                        )
                    ],
                    span=3,
                )
            )
        return drawn

    screen.screen(
        "space_screen",
        lambda: None,
        draw,
        {"peek": lambda said: peeked.update(index=max(-1, int(said)))},
    )
    st.caption(
        "Point at an image to see it; those that the network reads wrongly are ringed. t-SNE keeps "
        "neighbours together and nothing else: distances between clusters mean little."
    )


def _probe(engine: Engine, source: Source, looks: dict[str, Any]) -> None:
    """Show how well each layer's values tell the classes apart by one linear step."""
    st.markdown(
        "**A linear probe of each layer.** How well do its values, frozen as they are, tell the "
        "classes apart? Ridge regression learns from at most a thousand validation images and is "
        "tested on as many others."
    )
    layers = tuple(spread(looks["layers"]))
    if not st.toggle(
        "Probe the layers", key="maps_probe", bind="query-params", persist_state="session"
    ):
        return
    try:
        found: tuple[Probe, ...] = engine.call(feature_maps.PROBE, source, layers)
    except (EngineError, ValueError) as error:
        st.warning(words.plain(words.sentence(str(error))))
        return
    rows = [
        {"layer": f"{k:02} {each.layer}", "right in %": round(100 * each.accuracy, 1)}
        for k, each in enumerate(found)
    ]
    st.bar_chart(rows, x="layer", y="right in %", height=300)
    best = max(found, key=lambda each: each.accuracy)
    st.caption(f"Best at {best.layer}, where {best.accuracy:.1%} are right.")


def _shift(engine: Engine, source: Source, about: About, pin: Pin, looks: dict[str, Any]) -> None:
    """Show how far each layer moves when the picture is shifted."""
    try:
        seen = pinned.see(engine, source, about, pin)
        layers = tuple(spread(looks["layers"], FEW))
        found: Shift = engine.call(feature_maps.SHIFT, source, seen.pixels, layers)
    except (EngineError, ValueError) as error:
        st.warning(words.plain(words.sentence(str(error))))
        return
    st.markdown(
        "**Pooling's invariance, measured.** The pinned picture shifted to the right by 0 to "
        f"{int(found.pixels[-1])} pixels: how far does each layer move, of its length?"
    )
    rows = [
        {"pixels": int(p), "layer": f"{k:02} {layer}", "moved": float(found.distance[k, s])}
        for k, layer in enumerate(found.layers)
        for s, p in enumerate(found.pixels)
        if np.isfinite(found.distance[k, s])
    ]
    st.line_chart(rows, x="pixels", y="moved", color="layer", height=300)
