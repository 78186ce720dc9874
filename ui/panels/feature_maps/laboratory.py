"""The tab of the convolution laboratory: one window over the pinned picture, and what it costs."""

from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st
from jaxtyping import Float

from core import feature_maps
from core.feature_maps import script
from core.feature_maps.kernels import KERNELS, Kernel, Window, compare, size
from core.shared.engine import Engine, EngineError
from core.shared.models import About, Source
from ui import address, blocks, inside, pinned, screen, words
from ui.blocks import Block
from ui.pinned import Pin

__all__ = ["laboratory"]

OWN, LEARNED = "own numbers", "learned: the map that is chosen above"
SIDES = (1, 2, 3, 4, 5, 7)
GREY = (0.299, 0.587, 0.114)  # of red, green and blue
MIXED = 4  # maps that are mixed
TENTHS = 10  # of a weight that a slider tells
USUAL_MIX, USUAL_COSTS = "20-10-10-10", "32-64-3-28"
DRAGS = {"stride": (1, 8), "padding": (0, 8), "dilation": (1, 4)}


def laboratory(
    engine: Engine, source: Source, about: About, pin: Pin, looks: dict[str, Any]
) -> None:
    """Draw the tab."""
    asked = address.asked("lab")
    lab: dict[str, Any] = st.session_state.setdefault(
        "lab",
        {
            "stride": 1,
            "padding": 0,
            "dilation": 1,
            "transposed": "no",
            "mix": [TENTHS, 0, 0, 0],
            "costs": {"into": 32, "out": 64, "width": 3, "side": 28},
        },
    )
    for name, (low, high) in DRAGS.items():
        value = address.number(asked.get(f"lab_{name}", ""))
        if value is not None and low <= value <= high:
            lab[name] = value
    if asked.get("lab_transposed") == "yes":
        lab["transposed"] = "yes"
    mix = address.numbers(asked.get("lab_mix", ""), MIXED)  # from 0 to 20, 10 is a weight of 0
    if mix and max(mix) <= 2 * TENTHS:
        lab["mix"] = [each - TENTHS for each in mix]
    costs = address.numbers(asked.get("lab_costs", ""), len(lab["costs"]))
    if costs and min(costs) > 0:
        lab["costs"] = dict(zip(lab["costs"], costs, strict=True))
    if asked.get("lab_kernel") in (*KERNELS, OWN, LEARNED):
        st.session_state.lab_kernel = asked["lab_kernel"]
    address.refuse("lab", asked, {})
    names = [*KERNELS, LEARNED, OWN]
    kernel_name = st.selectbox("Kernel", names, index=1, key="lab_kernel", persist_state="session")
    kernel = _kernel(engine, source, looks, kernel_name)
    if kernel is None:
        return

    def draw(_: object) -> list[Block]:
        try:
            seen = pinned.see(engine, source, about, pin)
            return [
                *_controls(lab),
                *_moving(engine, seen.pixels, seen.look, _window(lab, kernel), kernel_name),
                *_mixing(engine, source, seen.pixels, looks, lab),
                *_costs(lab),
            ]
        except (EngineError, ValueError) as error:
            return [*_controls(lab), blocks.progress(0, words.sentence(str(error)), warn=True)]

    screen.screen("lab_screen", lambda: None, draw, _told(lab))
    address.note("lab_kernel", "" if kernel_name == names[1] else kernel_name)
    for name, (low, _) in DRAGS.items():
        address.note(f"lab_{name}", "" if lab[name] == low else str(lab[name]))
    mixed = "-".join(str(each + TENTHS) for each in lab["mix"])
    address.note("lab_mix", "" if mixed == USUAL_MIX else mixed)
    cost = "-".join(map(str, lab["costs"].values()))
    address.note("lab_costs", "" if cost == USUAL_COSTS else cost)
    address.note("lab_transposed", "" if lab["transposed"] == "no" else "yes")
    try:
        window = _window(lab, kernel)
        _formula(window, about.shape)
        st.code(script.write_convolution(window, about.shape[0], "picture.npy"), language="python")
    except ValueError as error:
        st.caption(words.plain(words.sentence(str(error))))


def _kernel(engine: Engine, source: Source, looks: dict[str, Any], name: str) -> Kernel | None:
    if name in KERNELS:
        return KERNELS[name]
    if name == LEARNED:
        try:
            into = (looks["weight"] or (0,))[0]
            found: Kernel = engine.call(
                feature_maps.LEARNED, source, looks["layer"], looks["channel"], into
            )
        except EngineError as error:
            st.warning(words.plain(words.sentence(str(error))))
            return None
        return found
    side = st.select_slider("Side", SIDES, 3, key="lab_side", persist_state="session")
    base = {str(k): [0.0] * side for k in range(side)}
    base[str(side // 2)][side // 2] = 1.0
    edited = st.data_editor(base, key=f"lab_numbers_{side}", hide_index=True, width=90 * side)
    columns = [[float(value or 0) for value in column] for column in edited.values()]
    return tuple(zip(*columns, strict=True))


def _window(lab: dict[str, Any], kernel: Kernel) -> Window:
    moved = {name: lab[name] for name in DRAGS}
    return Window(kernel=kernel, transposed=lab["transposed"] == "yes", **moved)


def _told(lab: dict[str, Any]) -> dict[str, Callable[[Any], object]]:
    def within(name: str) -> Callable[[Any], None]:
        low, high = DRAGS[name]
        return lambda said: lab.update({name: min(max(int(said), low), high)})

    def mixed(place: int) -> Callable[[Any], None]:
        def tell(said: Any) -> None:
            lab["mix"][place] = min(max(int(said), -TENTHS), TENTHS)

        return tell

    def cost(name: str) -> Callable[[Any], None]:
        def tell(said: Any) -> None:
            lab["costs"][name] = max(1, int(said))

        return tell

    return {
        **{name: within(name) for name in DRAGS},
        "transposed": lambda said: lab.update(transposed="yes" if said == "yes" else "no"),
        **{f"mix{k}": mixed(k) for k in range(MIXED)},
        **{f"cost_{name}": cost(name) for name in lab["costs"]},
    }


def _controls(lab: dict[str, Any]) -> list[Block]:
    values = [("no", "plain"), ("yes", "transposed")]
    return [
        *(
            blocks.drag(name, name.capitalize(), low, high, lab[name], span=3)
            for name, (low, high) in DRAGS.items()
        ),
        inside.choices(
            [inside.Choice(name="transposed", label="", values=values, chosen=lab["transposed"])],
            span=3,
        ),
    ]


def _moving(
    engine: Engine, pixels: Float[np.ndarray, "c h w"], look: str, window: Window, name: str
) -> list[Block]:
    made = engine.call(feature_maps.CONVOLVE, pixels, window)
    grey = pixels[0] if len(pixels) == 1 else np.tensordot(GREY, pixels, 1)
    return [
        inside.convolving(
            grey,
            np.array(window.kernel),
            made.grey,
            stride=window.stride,
            padding=window.padding,
            dilation=window.dilation,
            transposed=window.transposed,
            title="The picture" + (", in grey" if len(pixels) > 1 else ""),
            result_title=f"What {name} makes of it, {made.grey.shape[0]}×{made.grey.shape[1]}",
            look="ink" if look == "ink" else "grey",
        )
    ]


def _mixing(
    engine: Engine,
    source: Source,
    pixels: Float[np.ndarray, "c h w"],
    looks: dict[str, Any],
    lab: dict[str, Any],
) -> list[Block]:
    """Mix the first maps of the chosen layer, as a 1×1 convolution does."""
    if not looks["layer"]:
        return []
    maps = engine.call(feature_maps.MAPS, source, pixels, looks["layer"])
    order = looks["order"][:MIXED]
    if maps.shape[1:] == (1, 1) or not order:
        return []
    weights = np.array(lab["mix"][: len(order)]) / TENTHS
    mixed = engine.call(feature_maps.MIX, maps[order], weights)
    high = float(abs(maps[order]).max()) or 1.0
    sum_ = " + ".join(f"{w:g}·map {k}" for w, k in zip(weights, order, strict=True))
    shown = [(f"map {k}", maps[k], f"Map {k}") for k in order] + [("mixed", mixed, f"Mix {sum_}")]
    panels = [
        blocks.Maps(
            name=name,
            values=values[None],
            high=high,
            columns=1,
            share=2.0,
            range=f"±{high:.2g}",
            alt=alt,
        )
        for name, values, alt in shown
    ]
    names = [f"{k / TENTHS:g}" for k in range(-TENTHS, TENTHS + 1)]
    return [
        blocks.figures([(f"A 1×1 convolution mixes the maps of {looks['layer']}", sum_, 1.0)]),
        blocks.maps(panels),
        *(
            blocks.drag(
                f"mix{k}",
                f"Weight of map {order[k]}",
                -TENTHS,
                TENTHS,
                lab["mix"][k],
                names,
                span=3,
            )
            for k in range(len(order))
        ),
    ]


def _costs(lab: dict[str, Any]) -> list[Block]:
    costs = lab["costs"]
    width = min(costs["width"], 11)
    told = compare(min(costs["into"], 512), min(costs["out"], 512), width, min(costs["side"], 224))
    rows = [
        ("full convolution", f"{told.full.parameters:,} weights", 1.0),
        ("its multiply-adds", f"{told.full.multiply_adds:,}", 1.0),
        ("depthwise + pointwise", f"{told.separable.parameters:,} weights", 1.0),
        ("their multiply-adds", f"{told.separable.multiply_adds:,}", 1.0),
        ("ratio 1/out + 1/kernel²", told.ratio_formula, 1.2),
    ]
    drags = {"into": 512, "out": 512, "width": 11, "side": 224}
    labels = {"into": "Maps in", "out": "Maps out", "width": "Kernel", "side": "Side of the maps"}
    return [
        blocks.figures(rows),
        *(
            blocks.drag(f"cost_{name}", labels[name], 1, most, min(costs[name], most), span=3)
            for name, most in drags.items()
        ),
    ]


def _formula(window: Window, shape: tuple[int, int, int]) -> None:
    (_, height), (_, width) = size(window, shape[1], 0), size(window, shape[2], 1)
    st.latex(rf"\text{{height}} = {height} \qquad \text{{width}} = {width}")
