"""Feature maps: What does each layer see?"""

from typing import Any

import streamlit as st

from core import feature_maps  # noqa: F401 – the panel's computation, by its targets
from ui import address, pinned, screen, server, visitors
from ui.panels.feature_maps.screen import RATES, SCALES, SORTS, draw, refuse, steer
from ui.panels.feature_maps.tabs import refuse_widgets, tabs

engine, visitor = server.engine(), visitors.visitor()
asked = address.asked("maps")
weight = asked.get("maps_weight", "")
place = address.numbers(asked.get("maps_at", ""), 2)
looks: dict[str, Any] = st.session_state.setdefault(
    "maps_looks",
    {
        "layer": asked.get("maps_layer", ""),
        "chosen": address.number(asked.get("maps_channel", "")),  # None: the layer's usual one
        "channel": 0,
        "network": "",
        "at": place,
        "sort": asked["maps_sort"] if asked.get("maps_sort") in SORTS else "index",
        "scale": asked["maps_scale"] if asked.get("maps_scale") in SCALES else "layer",
        "weight": address.numbers(weight, 1 + weight.count("-")) if weight else None,
        "label": asked.get("maps_label", ""),
        "rate": asked["maps_rate"] if asked.get("maps_rate") in RATES else "0.1",
        "wished": asked.get("maps_compare", ""),
        "layers": [],
        "order": [],
        "shape": (),
        "place": (0, 0),
    },
)
st.title("Feature maps", anchor=False)
st.write("What does each layer see? Follow one picture through one network, down to single sums.")
chosen = pinned.choose(engine, visitor)
if chosen is None:
    st.info("Choose another network in the sidebar, or get this one ready there.")
    st.stop()
source, about, pin = chosen


screen.screen(
    "maps_screen",
    lambda: None,
    lambda _: draw(engine, source, about, pin, looks),
    {**steer(looks), **pinned.steer(pin)},
)
at = looks["at"]
refuse(asked, looks)
address.note("maps_layer", looks["layer"])
address.note("maps_channel", "" if looks["chosen"] is None else str(looks["channel"]))
address.note("maps_at", "-".join(map(str, at)) if at else "")
address.note("maps_weight", "-".join(map(str, looks["weight"] or ())))
address.note("maps_label", looks["label"])
address.note("maps_rate", "" if looks["rate"] == "0.1" else looks["rate"])
address.note("maps_sort", "" if looks["sort"] == "index" else looks["sort"])
address.note("maps_scale", "" if looks["scale"] == "layer" else looks["scale"])
if looks["layer"]:
    tabs(engine, visitor, source, about, pin, looks)
refuse_widgets(asked, about)
