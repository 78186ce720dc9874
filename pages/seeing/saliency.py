"""Saliency: Why this answer, and how would we know that the explanation is true?"""

from typing import Any

import streamlit as st

from core import saliency  # noqa: F401 – the panel's computation, by its targets
from core.shared.models import IMAGENET_SHAPE
from ui import address, pinned, screen, server, visitors
from ui.explained import SCALES, VIEWS
from ui.panels.saliency.screen import draw
from ui.panels.saliency.settings import settings
from ui.panels.saliency.showing import steer
from ui.panels.saliency.tabs import tabs
from ui.panels.saliency.taking import take

engine, visitor = server.engine(), visitors.visitor()
asked = address.asked("saliency")
looks: dict[str, Any] = st.session_state.setdefault(
    "saliency_looks",
    {
        "view": asked["saliency_view"] if asked.get("saliency_view") in VIEWS else "overlay",
        "wished": asked.get("saliency_scale", ""),  # the scale that was asked for, if one was
        "melted": address.number(asked.get("saliency_melted", "")) or 0,
    },
)
st.title("Saliency", anchor=False)
st.write("Why this answer, and how would we know that the explanation is true?")
chosen = pinned.choose(engine, visitor)
if chosen is None:
    st.info("Choose another network in the sidebar, or get this one ready there.")
    st.stop()
source, about, pin = chosen
usual = "most" if about.shape == IMAGENET_SHAPE else "own"  # of a photograph single pixels are dots
looks["scale"] = looks["wished"] if looks["wished"] in SCALES else usual

picture, side = st.columns([3.9, 1], gap="medium")
line = picture.container(horizontal=True)
with side:
    query = settings(engine, source, about, asked, looks, line)
with picture:
    screen.screen(
        "saliency_screen",
        lambda: None,
        lambda _: draw(engine, source, about, pin, query, looks),
        {**steer(looks), **pinned.steer(pin)},
    )
    take(engine, source, about, pin, query)
address.note("saliency_view", looks["view"] if looks["view"] != "overlay" else "")
address.note("saliency_scale", looks["scale"] if looks["scale"] != usual else "")
address.note("saliency_melted", str(looks["melted"] or ""))
tabs(engine, visitor, source, about, pin, query, looks)
