"""The tab of the convolution laboratory: one window over the pinned picture, and what it costs."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import streamlit as st
from jaxtyping import Float

from core import feature_maps
from core.feature_maps import Look, script
from core.feature_maps.kernels import KERNELS, LARGEST, Kernel, Window, compare, size
from core.shared.engine import Engine, EngineError
from core.shared.models import About, Source
from ui import address, blocks, inside, pinned, screen, words
from ui.beside import PICTURE
from ui.blocks import Block
from ui.pinned import Pin

__all__ = ["laboratory"]

OWN, LEARNED = "own numbers", "learned: the map that is chosen above"
SIDES = (1, 2, 3, 4, 5, 7)
GREY = (0.299, 0.587, 0.114)  # of red, green and blue
MIXED = 4  # maps that are mixed
TENTHS = 10  # of a weight that a slider tells
USUAL = {"mix": "20-10-10-10", "costs": "32-64-3-28", "transposed": "no", "own": ""}
MOST_COSTS = {"into": 512, "out": 512, "width": 11, "side": 224}
DRAGS = {"stride": (1, 8), "padding": (0, 8), "dilation": (1, 4)}


def laboratory(
    engine: Engine, source: Source, about: About, pin: Pin, looks: dict[str, Any]
) -> None:
    """Draw the tab."""
    asked = address.asked("lab")
    lab = _asked(asked, looks)
    names = [*KERNELS, LEARNED, OWN]
    kernel_name = st.selectbox("Kernel", names, index=1, key="lab_kernel", persist_state="session")
    kernel = _kernel(engine, source, looks, kernel_name, lab)
    _refuse(asked, lab, kernel_name)
    if kernel is None:
        return

    def window(_: object) -> list[Block]:
        try:
            seen = pinned.see(engine, source, about, pin)
            moved = _moving(engine, seen.pixels, seen.look, _window(lab, kernel), kernel_name)
        except (EngineError, ValueError) as error:
            moved = [blocks.progress(0, words.sentence(str(error)), warn=True)]
        return [*_controls(lab), *moved]

    def others(_: object) -> list[Block]:
        try:
            seen = pinned.see(engine, source, about, pin)
            mixed = _mixing(engine, source, seen.pixels, looks, lab)
        except (EngineError, ValueError) as error:
            mixed = [blocks.progress(0, words.sentence(str(error)), warn=True)]
        return [*mixed, *_costs(lab)]

    told = _told(lab)
    screen.screen("lab_screen", lambda: None, window, told)
    try:
        _formula(_window(lab, kernel), about.shape)
    except ValueError as error:
        st.caption(words.plain(words.sentence(str(error))))
    _choose(looks, lab)
    screen.screen("mix_screen", lambda: None, others, told)
    first = "-".join(map(str, looks["order"][:MIXED]))
    usual = {
        "kernel": names[1],
        "maps": first,
        **{name: str(low) for name, (low, _) in DRAGS.items()},
        **USUAL,
    }
    for name, value in _noted(lab, kernel_name).items():
        address.note(f"lab_{name}", "" if value == usual[name] else value)
    try:
        _code(engine, source, about, pin, looks, lab, _window(lab, kernel))
    except (EngineError, ValueError) as error:
        st.caption(words.plain(words.sentence(str(error))))


def _asked(asked: Mapping[str, str], looks: dict[str, Any]) -> dict[str, Any]:
    """Give the laboratory's state, with what the address asks for."""
    lab: dict[str, Any] = st.session_state.setdefault(
        "lab",
        {
            "stride": 1,
            "padding": 0,
            "dilation": 1,
            "transposed": "no",
            "mix": [TENTHS, 0, 0, 0],
            "costs": {"into": 32, "out": 64, "width": 3, "side": 28},
            "base": (),  # own numbers at first, along the rows
            "own": (),  # and now
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
    most = MOST_COSTS.values()
    if costs and all(1 <= cost <= high for cost, high in zip(costs, most, strict=True)):
        lab["costs"] = dict(zip(lab["costs"], costs, strict=True))
    text = asked.get("lab_maps", "")
    maps = address.numbers(text, 1 + text.count("-")) or ()
    if maps and len(maps) == len(set(maps) & set(looks["order"])) <= MIXED:
        st.session_state[_key(looks)] = [*maps]
    lab["maps"] = st.session_state.get(_key(looks), looks["order"][:MIXED])
    own = _own(asked.get("lab_own", ""))
    if own:
        lab.update(base=own, own=own)
        st.session_state.lab_side = math.isqrt(len(own))
    if asked.get("lab_kernel") in (*KERNELS, OWN, LEARNED):
        st.session_state.lab_kernel = asked["lab_kernel"]
    return lab


def _own(text: str) -> tuple[float, ...]:
    """Read a kernel's own numbers; none where it is anything else."""
    try:
        numbers = tuple(map(float, text.split(",")))
    except ValueError:
        return ()
    known = math.isqrt(len(numbers)) in SIDES and math.isqrt(len(numbers)) ** 2 == len(numbers)
    return numbers if known and all(abs(each) <= LARGEST for each in numbers) else ()


def _choose(looks: dict[str, Any], lab: dict[str, Any]) -> None:
    """Let the visitor choose the maps of the layer that are mixed; at first they are its first."""
    if len(looks["order"]) > MIXED and looks["shape"][1:] != (1, 1):
        lab["maps"] = st.multiselect(
            "Maps that a 1×1 convolution mixes",
            sorted(looks["order"]),
            looks["order"][:MIXED],
            key=_key(looks),
            max_selections=MIXED,
            placeholder="up to four maps",
            persist_state="session",
        )


def _key(looks: dict[str, Any]) -> str:
    return f"lab_maps_{looks['network']}_{looks['layer']}"


def _noted(lab: dict[str, Any], kernel: str) -> dict[str, str]:
    """Write the laboratory's state for the address."""
    return {
        "kernel": kernel,
        **{name: str(lab[name]) for name in DRAGS},
        "transposed": lab["transposed"],
        "mix": "-".join(str(each + TENTHS) for each in lab["mix"]),
        "maps": "-".join(map(str, lab["maps"])),
        "costs": "-".join(map(str, lab["costs"].values())),
        "own": ",".join(map(_written, lab["own"])) if kernel == OWN else "",
    }


def _written(number: float) -> str:
    return repr(number).removesuffix(".0")


def _refuse(asked: Mapping[str, str], lab: dict[str, Any], kernel: str) -> None:
    """Say what of the address cannot be had."""
    noted = _noted(lab, kernel)
    rules = {
        "kernel": words.choices((*KERNELS, LEARNED, OWN)),
        **{name: f"from {low} to {high}" for name, (low, high) in DRAGS.items()},
        "transposed": "yes or no",
        "mix": f"{MIXED} numbers from 0 to {2 * TENTHS}, as {USUAL['mix']}",
        "maps": f"up to {MIXED} maps of the layer, as 0-1-2-3",
        "costs": f"maps in and out, kernel and side, as {USUAL['costs']}",
    }
    given = {f"lab_{name}": (noted[name], rule) for name, rule in rules.items()}
    if not _own(asked.get("lab_own", "")):
        rule = "the numbers of a square kernel, as 0,1,0,1,-4,1,0,1,0"
        given["lab_own"] = noted["own"], rule
    address.refuse("lab", asked, given, ["lab_own"])


def _kernel(
    engine: Engine, source: Source, looks: dict[str, Any], name: str, lab: dict[str, Any]
) -> Kernel | None:
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
    if f"lab_numbers_{side}" not in st.session_state:  # another tab was open meanwhile
        lab["base"] = lab["own"]
    if len(lab["base"]) == side * side:
        base = {str(k): list(lab["base"][k::side]) for k in range(side)}
    edited = st.data_editor(base, key=f"lab_numbers_{side}", hide_index=True, width=90 * side)
    columns = [[float(value or 0) for value in column] for column in edited.values()]
    rows = tuple(zip(*columns, strict=True))
    lab["own"] = tuple(value for row in rows for value in row)
    return rows


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
            lab["costs"][name] = min(max(1, int(said)), MOST_COSTS[name])

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
    """Mix some maps of the chosen layer, as a 1×1 convolution does."""
    if not looks["layer"]:
        return []
    maps = engine.call(feature_maps.MAPS, source, pixels, looks["layer"])
    order = [k for k in lab["maps"] if k < len(maps)]  # another layer's may be told still
    if maps.shape[1:] == (1, 1) or not order:
        return []
    weights = np.array(lab["mix"][: len(order)]) / TENTHS
    mixed = engine.call(feature_maps.MIX, maps[order], weights)
    high = float(abs(maps[order]).max()) or 1.0
    sum_ = " + ".join(f"{w:g}·map {k}" for w, k in zip(weights, order, strict=True))
    own = max(high, float(abs(mixed).max()))  # a sum may be larger than what it is made of
    shown = [(f"map {k}", maps[k], f"Map {k}", high) for k in order]
    shown.append(("mixed", mixed, f"Mix {sum_}", own))
    panels = [
        blocks.Maps(
            name=name,
            values=values[None],
            high=most,
            columns=1,
            share=2.0,
            range=f"±{most:.2g}",
            alt=alt,
        )
        for name, values, alt, most in shown
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
    told = compare(*costs.values())
    rows = [
        ("full convolution", f"{told.full.parameters:,} weights", 1.0),
        ("its multiply-adds", f"{told.full.multiply_adds:,}", 1.0),
        ("depthwise + pointwise", f"{told.separable.parameters:,} weights", 1.0),
        ("their multiply-adds", f"{told.separable.multiply_adds:,}", 1.0),
        ("ratio 1/out + 1/kernel²", told.ratio_formula, 1.2),
    ]
    labels = {"into": "Maps in", "out": "Maps out", "width": "Kernel", "side": "Side of the maps"}
    return [
        blocks.figures(rows),
        *(
            blocks.drag(f"cost_{name}", labels[name], 1, most, costs[name], span=3)
            for name, most in MOST_COSTS.items()
        ),
    ]


def _code(
    engine: Engine,
    source: Source,
    about: About,
    pin: Pin,
    looks: dict[str, Any],
    lab: dict[str, Any],
    window: Window,
) -> None:
    """Write what is on the tab as plain PyTorch; tab by tab, so that it is found where it is."""
    texts = {"The moving window": script.write_convolution(window, about.shape[0], PICTURE)}
    seen = pinned.see(engine, source, about, pin)
    look: Look = engine.call(feature_maps.LOOK, source, seen.pixels)
    layer = next(each for each in look.layers if each.name == looks["layer"])
    order = [k for k in lab["maps"] if k < layer.shape[0]]
    if order and layer.shape[1:] != (1, 1):
        weights = [each / TENTHS for each in lab["mix"][: len(order)]]
        mixed = script.write_mix(source, layer, order, weights, PICTURE)
        texts["The mix of maps, a 1×1 convolution"] = mixed
    texts["Depthwise and pointwise"] = script.write_costs(*lab["costs"].values())
    for title, text in texts.items():
        with st.expander(f"The code: {title.lower()}"):
            st.code(text, language="python")


def _formula(window: Window, shape: tuple[int, int, int]) -> None:
    (_, height), (_, width) = size(window, shape[1], 0), size(window, shape[2], 1)
    for place, name, side in zip(st.columns(2), "hw", (height, width), strict=True):
        place.latex(rf"\small {name} = {side}")
