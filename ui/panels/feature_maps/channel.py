"""The tab of one channel: what excites it, what happens without it, what it would like to see."""

from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st
from jaxtyping import Float

from core import feature_maps
from core.feature_maps import SOFTMAX, EffectiveField, Example, Lesion, Top
from core.shared import photographs
from core.shared.engine import Engine, EngineError
from core.shared.models import About, Source
from ui import blocks, inside, pinned, screen, words
from ui.blocks import Block, Maps, Picture
from ui.panels.feature_maps.dream import dream
from ui.pinned import Pin

__all__ = ["LESIONED", "NINE", "ONLY", "SEARCHED", "SILENCE", "channel"]

SEARCHED = (500, 1_000, 2_000, 5_000, 10_000)  # test images
NINE = 9
LESIONED = 1_000  # test images that are read without the channel
SHOWN = 5  # classes
SILENCE, ONLY = "silence it", "keep only it"
BOUND: dict[str, Any] = {"bind": "query-params", "persist_state": "session"}


def channel(
    engine: Engine, visitor: str, source: Source, about: About, pin: Pin, looks: dict[str, Any]
) -> None:
    """Draw the tab for the map that is chosen above."""
    layer, number = looks["layer"], looks["channel"]
    if layer == SOFTMAX:
        st.info("Softmax has no maps: choose a layer before it.")
        return
    st.markdown(f"**Map {number} of {layer}**: choose another above, by mouse or arrow keys.")
    left, right = st.columns(2)
    only = left.segmented_control(
        "Lesion", (SILENCE, ONLY), default=SILENCE, required=True, key="maps_only", **BOUND
    )
    images = len(photographs.photographs())
    if about.data:
        images = right.select_slider(
            "Test images to search", SEARCHED, 1_000, key="maps_searched", **BOUND
        )

    def draw(_: object) -> list[Block]:
        drawn: list[Block] = []
        parts: tuple[Callable[[], list[Block]], ...] = (
            lambda: _lesion(engine, source, about, pin, layer, number, only == ONLY),
            lambda: _top(engine, source, about, pin, layer, number, images),
            lambda: _field(engine, source, about, pin, layer, number),
        )
        for part in parts:
            try:
                drawn += part()
            except (EngineError, ValueError) as error:
                drawn.append(blocks.progress(0, words.sentence(str(error)), warn=True))
        return drawn

    def look(index: Any) -> None:
        if about.data:
            pin["wish"] = ("test", max(0, int(index)))
        else:
            pin["wish"] = ("photograph", photographs.photographs()[int(index)].name)

    screen.screen("channel_screen", lambda: None, draw, {"digit": look})
    dream(engine, visitor, source, pinned.look_of(about), layer, number)


def _top(
    engine: Engine,
    source: Source,
    about: About,
    pin: Pin,
    layer: str,
    number: int,
    images: int,
) -> list[Block]:
    look = pinned.see(engine, source, about, pin).look
    found: Top = engine.call(feature_maps.TOP, source, layer, number, NINE, images)
    whole = [
        Picture(
            pixels=each.pixels,
            name=about.classes[each.label] if each.label >= 0 else _named(about, each),
            words=f"{each.value:.3g} at {each.at[0]}, {each.at[1]}",
            tells=each.index,
        )
        for each in found.examples
    ]
    patches = [
        Maps(
            name=f"{each.value:.3g}",
            values=each.patch,
            high=1,
            columns=1,
            share=1.0,
            look=look,
            range=f"{each.patch.shape[1]}×{each.patch.shape[2]}",
            alt=f"The part of {_named(about, each)} that the map sees where it is largest",
        )
        for each in found.examples
    ]
    of = "test images" if about.data else "photographs"
    title = f"The {len(whole)} of {found.images:,} {of} that excite it most"
    hint = "Class, and the map's largest value with its place. Below: what it sees there."
    return [
        blocks.gallery("digit", title, hint, whole, grey=look == "grey", columns=NINE, span=12),
        blocks.maps(patches),
    ]


def _named(about: About, example: Example) -> str:
    """Name an image that was searched, in a few words."""
    if about.data:
        return f"test image {example.index}"
    title = photographs.photographs()[example.index].title
    return title.removeprefix("the ").removeprefix("a ").partition(",")[0]


def _lesion(
    engine: Engine, source: Source, about: About, pin: Pin, layer: str, number: int, only: bool
) -> list[Block]:
    seen = pinned.see(engine, source, about, pin)
    found: Lesion = engine.call(
        feature_maps.LESION, source, seen.pixels, layer, number, only, LESIONED
    )
    done = f"map {number} alone" if only else f"without map {number}"
    most = np.maximum(found.before, found.after).argsort()[::-1][:SHOWN]
    drawn = [
        inside.pairs(
            [(about.classes[k], float(found.before[k]), float(found.after[k])) for k in most],
            title="This picture",
            names=("whole", done),
            hint="Probability of the likeliest classes.",
            span=6 if found.images else 12,
        )
    ]
    if found.images:
        rows = [("all", found.accuracy_before, found.accuracy_after)]
        rows += [
            (about.classes[k], float(found.classes_before[k]), float(found.classes_after[k]))
            for k in _moved(found.classes_before, found.classes_after)
        ]
        drawn.append(
            inside.pairs(
                rows,
                title=f"{found.images:,} test images",
                names=("whole", done),
                hint="Share that is read right: of all, and of the classes that move most.",
                span=6,
            )
        )
    return drawn


def _moved(before: Float[np.ndarray, " k"], after: Float[np.ndarray, " k"]) -> list[int]:
    """List the classes whose share moves most; none that has no image."""
    change = np.nan_to_num(abs(after - before), nan=-1.0)
    order = np.argsort(-change, kind="stable")[: SHOWN - 1]
    return [int(k) for k in order if change[k] >= 0]


def _field(
    engine: Engine, source: Source, about: About, pin: Pin, layer: str, number: int
) -> list[Block]:
    seen = pinned.see(engine, source, about, pin)
    found: EffectiveField = engine.call(feature_maps.EFFECTIVE_FIELD, source, layer, number)
    top, left, bottom, right = found.box
    said = [
        ("theoretical field", f"{bottom - top}×{right - left} pixels", 1.0),
        (
            "effective: as large as where |∂| > 4.55 %",
            f"{found.side:.1f}×{found.side:.1f} pixels",
            1.0,
        ),
        ("images it is the mean of", f"{found.images}", 1.0),
        ("of these do not move it", f"{found.silent}", 1.0),
    ]
    return [
        inside.close(
            found.field,
            seen.pixels,
            channel=number,
            at=((top + bottom) // 2, (left + right) // 2),
            high=float(found.field.max()) or 1.0,
            field=found.box,
            title="Effective receptive field: |∂ the middle value / ∂ pixel|",
            sees="Theoretical: what it could see at all",
            look=seen.look,
            span=12,
            signed=False,
            beside=True,
        ),
        blocks.figures(said),
    ]
