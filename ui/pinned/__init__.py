"""The network and the picture that are pinned: chosen in the sidebar of every vision panel.

Both go along from panel to panel and stand in the address. Pictures of a visitor's own stay in
memory while they are here, named by what is in them.
"""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from core.shared import datasets, models, photographs
from core.shared.engine import Engine
from core.shared.models import About, Source
from ui import address, words
from ui.pinned.network import choose_network, networks_like, pin_run, pin_weights
from ui.pinned.picture import (
    KINDS,
    SAMPLE,
    Pin,
    Pinned,
    before,
    choose_picture,
    leave,
    look_of,
    offered,
    pictures_of,
    see,
    steer,
    take,
)
from ui.pinned.shown import blocks

__all__ = [
    "SAMPLE",
    "Pin",
    "Pinned",
    "before",
    "blocks",
    "choose",
    "leave",
    "look_of",
    "networks_like",
    "offered",
    "pin_run",
    "pin_weights",
    "see",
    "steer",
    "take",
]


KNOWN = [f"pin_{name}" for name in ("network", "step", "picture", "index", "data", "look")]


def choose(engine: Engine, visitor: str) -> tuple[Source, About, Pin] | None:
    """Draw the choice of network and picture in the sidebar; None while there is no such network.

    A sentence then stands there that says why.

    Returns: the network, what is known about it, and the choice of the picture, for `see`.
    """
    asked = address.asked("pin") or st.session_state.get("pin_later", {})
    pin: Pin = st.session_state.setdefault("pin", {"index": 0, "ink": None})
    pin["pictures"] = pictures_of(visitor)
    with st.sidebar:
        source = choose_network(engine, visitor, asked)
        about = None
        if source is not None:
            try:
                about = models.about(source)
            except ValueError as error:
                st.warning(words.plain(str(error)))
        if about is not None:
            if about.accuracy is not None:
                of = "its" if about.data else "ImageNet's validation"
                kind = " test images" if about.data else " images"
                st.caption(f"It reads {about.accuracy:.2%} of {of}{kind} right.")
            st.caption(words.plain(about.note))
            choose_picture(about, asked, pin)
    address.note("pin_network", st.session_state.pin_network)
    if not st.session_state.pin_network.startswith("run-"):
        address.note("pin_step", "")
    if source is None or about is None:
        address.refuse("pin", {**asked, **address.strangers()}, {}, KNOWN)
        ours = (
            "pin_network",
            "pin_step",
        )  # the picture is asked for still, once there is a network
        st.session_state.pin_later = {k: v for k, v in asked.items() if k not in ours}
        return None
    st.session_state.pin_later = {}
    own = pin.get("chosen")
    value = {"photograph": pin["photograph"], "own": own, "camera": own}.get(pin["kind"])
    shown = f"{pin['kind']}-{value}" if value else pin["kind"]
    test = pin["kind"] == "test"
    names = offered(about)
    _refuse(asked, shown, pin, names)
    address.note("pin_picture", shown)
    index = min(pin["index"], datasets.about(pin["data"]).test - 1) if test else 0
    address.note("pin_index", str(index or ""))
    address.note("pin_data", pin["data"] if test and pin["data"] != next(iter(names)) else "")
    return source, about, pin


def _refuse(asked: Mapping[str, str], shown: str, pin: Pin, data: Mapping[str, str]) -> None:
    """Say what of the address cannot be had."""
    kind, _, value = asked.get("pin_picture", "").partition("-")
    names = [each.name for each in photographs.photographs()]
    given: dict[str, tuple[Any, str]] = {}
    if kind not in KINDS or (kind == "photograph" and value and value not in names):
        rule = f"{words.choices(tuple(KINDS))}, for a photograph with its name"
        given["pin_picture"] = shown, rule
    if pin["kind"] == "test":
        most = datasets.about(pin["data"]).test - 1
        given["pin_index"] = min(pin["index"], most), f"a whole number from 0 to {most:,}"
        given["pin_data"] = pin["data"], words.choices(tuple(data))
    else:
        given["pin_index"] = "", "left out for a picture that is no test image"
    if st.session_state.pin_network.startswith("run-"):
        given["pin_step"] = st.query_params["pin_step"], "a step that the run has kept"
    address.refuse("pin", {**asked, **address.strangers()}, given, KNOWN)
