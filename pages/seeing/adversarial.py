"""Adversarial attacks: How little must change before the network is wrong?"""

from typing import Any

import streamlit as st

from core import adversarial  # noqa: F401 – the panel's computation, by its targets
from core.shared.wanted import only_while
from ui import address, pinned, screen, server, visitors
from ui.panels.adversarial.screen import draw, steer
from ui.panels.adversarial.settings import settings
from ui.panels.adversarial.tabs import tabs
from ui.panels.adversarial.taking import take

engine, visitor = server.engine(), visitors.visitor()
asked = address.asked("attack")
looks: dict[str, Any] = st.session_state.setdefault("attack_looks", {"places": {}, "frame": None})
st.title("Adversarial attacks", anchor=False)
st.write("How little must change before the network is wrong?")
chosen = pinned.choose(engine, visitor)
if chosen is None:
    st.info("Choose another network in the sidebar, or get this one ready there.")
    st.stop()
source, about, pin = chosen


picture, side = st.columns([3.9, 1], gap="medium")
with side:
    config = settings(asked, about, looks)
with picture:
    screen.screen(
        "attack_screen",
        lambda: None,
        lambda _: draw(engine, source, about, pin, config, looks),
        {**steer(looks, config.norm), **pinned.steer(pin)},
    )
    with only_while(lambda: bool(st.session_state.get("pin"))):  # a newer script ends this one
        take(engine, source, about, pin, config, looks)
address.note("attack_epsilon", str(looks["places"][config.norm]))
with only_while(lambda: bool(st.session_state.get("pin"))):
    tabs(engine, visitor, source, about, pin, config, looks, asked)
