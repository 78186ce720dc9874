"""The tab of one channel: what excites it, what happens without it, what it would like to see."""

from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st

from core import feature_maps
from core.feature_maps import SOFTMAX, Ascent, Dream, EffectiveField, Lesion, Top
from core.shared import photographs
from core.shared.engine import Engine, EngineError, View
from core.shared.models import About, Source
from ui import blocks, inside, live, pinned, screen, words
from ui.blocks import Block, Maps, Picture
from ui.pinned import Pin

__all__ = ["LESIONED", "NINE", "channel"]

SEARCHED = (500, 1_000, 2_000, 5_000, 10_000)  # test images
NINE = 9
LESIONED = 1_000  # test images that are read without the channel
BOUND: dict[str, Any] = {"bind": "query-params", "persist_state": "session"}
TRIES = (50, 100, 200, 400)


def channel(
    engine: Engine, visitor: str, source: Source, about: About, pin: Pin, looks: dict[str, Any]
) -> None:
    """Draw the tab for the map that is chosen above."""
    layer, number = looks["layer"], looks["channel"]
    if layer == SOFTMAX:
        st.info("Softmax has no maps: choose a layer before it.")
        return
    st.markdown(f"**Map {number} of {layer}**: choose another above, by mouse or arrow keys.")
    left, middle, right = st.columns(3)
    images = left.select_slider(
        "Test images to search", SEARCHED, 1_000, key="maps_searched", **BOUND
    )
    steps = middle.select_slider("Steps of its dream", TRIES, 100, key="maps_steps", **BOUND)
    only = right.segmented_control(
        "Lesion",
        ("silence it", "keep only it"),
        default="silence it",
        required=True,
        key="maps_only",
        **BOUND,
    )
    dreams: dict[tuple[Source, str, int], str] = st.session_state.setdefault("maps_dreams", {})

    def dream() -> None:
        config = Ascent(source=source, layer=layer, channel=number, steps=steps)
        run = live.trying(engine.submit, feature_maps.MAXIMISE, config, visitor=visitor)
        if run:
            dreams[source, layer, number] = run

    run = dreams.get((source, layer, number), "")
    view = live.seen(engine, run) if run else None
    under_way = view is not None and view.live
    with st.container(horizontal=True):
        st.button(
            "Let it dream",
            key="maps_dream",
            on_click=dream,
            icon=":material/bedtime:",
            disabled=under_way,
        )
        st.button(
            "Wake it",
            key="maps_wake",
            on_click=live.trying,
            args=(engine.stop, run),
            disabled=not under_way,
        )
    at = st.session_state.setdefault("maps_frame", {"place": -1})

    def draw(view: View | None) -> list[Block]:
        drawn: list[Block] = []
        parts: tuple[Callable[[], list[Block]], ...] = (
            lambda: _top(engine, source, about, pin, layer, number, images),
            lambda: _lesion(engine, source, about, pin, layer, number, only != "silence it"),
            lambda: _field(engine, source, about, pin, layer, number),
        )
        for part in parts:
            try:
                drawn += part()
            except (EngineError, ValueError) as error:
                drawn.append(blocks.progress(0, words.sentence(str(error))))
        return [*drawn, *_dream(view, at["place"])]

    def look(index: Any) -> None:
        if about.data:
            pin["wish"] = ("test", max(0, int(index)))
        else:
            pin["wish"] = ("photograph", photographs.photographs()[int(index)].name)

    screen.screen(
        "channel_screen",
        lambda: live.seen(engine, run) if run else None,
        draw,
        {
            "digit": look,
            "frame": lambda said: at.update(place=int(said)),
            "place": lambda _: None,
        },
    )
    st.caption(
        "The dream climbs the gradient of the map's mean from noise, with jitter and blur; see "
        "Erhan et al. 2009 and Yosinski et al. 2015. A click on an image pins it."
    )


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
            name=about.classes[each.label] if each.label >= 0 else "no class of its own",
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
            alt=f"The part of test image {each.index} that the map sees where it is largest",
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


def _lesion(
    engine: Engine, source: Source, about: About, pin: Pin, layer: str, number: int, only: bool
) -> list[Block]:
    seen = pinned.see(engine, source, about, pin)
    found: Lesion = engine.call(
        feature_maps.LESION, source, seen.pixels, layer, number, only, LESIONED
    )
    best, now = int(found.before.argmax()), int(found.after.argmax())
    done = f"with map {number} alone" if only else f"without map {number}"

    def share(value: float) -> str:
        return "–" if np.isnan(value) else f"{100 * value:.1f} %"

    rows = [
        (f"p({about.classes[best]}) of this picture", share(float(found.before[best])), 1.0),
        (done, f"{share(float(found.after[best]))}, read as {about.classes[now]}", 1.2),
    ]
    if found.images:
        rows += [
            (f"right of {found.images:,} test images", share(found.accuracy_before), 1.0),
            (done, share(found.accuracy_after), 1.0),
        ]
    drop = found.classes_before - found.classes_after
    if np.isfinite(drop).any() and np.nanmax(drop) > 0:
        worst = int(np.nanargmax(drop))
        was, is_ = (
            share(float(each[worst])) for each in (found.classes_before, found.classes_after)
        )
        rows.append((f"hit hardest: {about.classes[worst]}", f"{was} → {is_}", 1.6))
    return [blocks.figures(rows)]


def _field(
    engine: Engine, source: Source, about: About, pin: Pin, layer: str, number: int
) -> list[Block]:
    seen = pinned.see(engine, source, about, pin)
    found: EffectiveField = engine.call(feature_maps.EFFECTIVE_FIELD, source, layer, number)
    top, left, bottom, right = found.box
    said = [
        ("theoretical field", f"{bottom - top}×{right - left} pixels", 1.0),
        ("effective, about", f"{found.side:.1f}×{found.side:.1f} pixels", 1.0),
        ("images it is the mean of", f"{found.images}", 1.0),
        ("of these move it not", f"{found.silent}", 1.0),
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
            beside=True,
        ),
        blocks.figures(said),
    ]


def _dream(view: View | None, place: int) -> list[Block]:
    if view is None:
        return []
    drawn = [live.standing(view)]
    state: Dream | None = view.state
    if state is None:
        return drawn
    frames = [*state.film]
    chosen = frames[place] if 0 <= place < len(frames) else None
    picture = chosen.picture / 255 if chosen else state.picture
    step, value = (chosen.step, chosen.value) if chosen else (state.step, state.value)
    names = [f"step {each.step}" for each in frames] + ["now"]
    return [
        *drawn,
        blocks.maps(
            [
                Maps(
                    name="Its dream",
                    values=picture,
                    high=1,
                    columns=1,
                    share=3.2,
                    look="colour" if len(picture) > 1 else "grey",
                    range=f"step {step} of {state.steps}: mean {value:.3g}",
                    alt="The picture that excites the map most, as far as it is found",
                )
            ],
            span=4,
        ),
        blocks.drag(
            "frame", "Film", 0, len(frames), len(frames) if chosen is None else place, names, span=8
        ),
    ]
