"""The tabs below the saliency panel's screen."""

from typing import Any

import streamlit as st

from core.saliency import Query
from core.shared.engine import Engine
from core.shared.models import About, Source
from ui.panels.saliency.wording import FORMULAE, LESSONS
from ui.pinned import Pin

__all__ = ["tabs"]

TABS = ["What to try", "Formula"]


def tabs(
    engine: Engine,
    visitor: str,
    source: Source,
    about: About,
    pin: Pin,
    query: Query,
    looks: dict[str, Any],
) -> None:
    """Draw the tabs; what is in one is computed only while it is open."""
    lessons, formula = st.tabs(TABS, on_change="rerun", key="saliency_tab", bind="query-params")
    if lessons.open:
        lessons.markdown(LESSONS)
    if formula.open:
        with formula:
            for title, lines in FORMULAE:
                st.markdown(f"**{title}**")
                for line in lines:
                    st.latex(line)
