"""The tabs below the saliency panel's screen."""

from typing import Any

import streamlit as st

from core.saliency import Query
from core.shared.engine import Engine
from core.shared.models import About, Source
from ui.panels.saliency.attacked import attacked
from ui.panels.saliency.court import court
from ui.panels.saliency.melt import melt
from ui.panels.saliency.wording import FORMULAE, LESSONS
from ui.pinned import Pin

__all__ = ["tabs"]

TABS = ["What to try", "The court", "Melt", "Before and after an attack", "Formula"]


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
    lessons, trial, sanity, twins, formula = st.tabs(
        TABS, on_change="rerun", key="saliency_tab", bind="query-params"
    )
    if lessons.open:
        lessons.markdown(LESSONS)
    if trial.open:
        with trial:
            court(engine, visitor, source, about, pin, query, looks)
    if sanity.open:
        with sanity:
            melt(engine, source, about, pin, query, looks)
    if twins.open:
        with twins:
            attacked(engine, source, about, pin, query, looks)
    if formula.open:
        with formula:
            for title, lines in FORMULAE:
                st.markdown(f"**{title}**")
                for line in lines:
                    st.latex(line)
