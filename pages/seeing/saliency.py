"""Saliency: Why this answer, and how would we know that the explanation is true?"""

from typing import Any

import streamlit as st

from core import saliency  # noqa: F401 – the panel's computation, by its targets
from ui import address, pinned, screen, server, visitors
from ui.explained import VIEWS
from ui.panels.saliency.screen import draw, steer
from ui.panels.saliency.settings import settings
from ui.panels.saliency.tabs import tabs

engine, visitor = server.engine(), visitors.visitor()
asked = address.asked("saliency")
view = asked.get("saliency_view", "")
looks: dict[str, Any] = st.session_state.setdefault(
    "saliency_looks", {"view": view if view in VIEWS else next(iter(VIEWS))}
)
st.title("Saliency", anchor=False)
st.write("Why this answer, and how would we know that the explanation is true?")
chosen = pinned.choose(engine, visitor)
if chosen is None:
    st.info("Choose another network in the sidebar, or get this one ready there.")
    st.stop()
source, about, pin = chosen


picture, side = st.columns([3.9, 1], gap="medium")
with side:
    query = settings(engine, source, about, asked, looks)
with picture:
    screen.screen(
        "saliency_screen",
        lambda: None,
        lambda _: draw(engine, source, about, pin, query, looks),
        {**steer(looks), **pinned.steer(pin)},
    )
address.note("saliency_view", looks["view"] if looks["view"] != next(iter(VIEWS)) else "")
tabs(engine, visitor, source, about, pin, query, looks)
