"""The tabs below the panel's screen; what is in one is computed only while it is open."""

import streamlit as st

from core.lstm_gates import Plan
from ui.formulae import write_formulae
from ui.panels.lstm_gates.desk import Desk
from ui.panels.lstm_gates.wording import FORMULAE, LESSONS

__all__ = ["tabs"]

TABS = ["What to try", "Formula"]


def tabs(desk: Desk, plan: Plan) -> None:
    """Draw the tabs."""
    lessons, formula = st.tabs(TABS, on_change="rerun", key="lstm_tab", bind="query-params")
    if lessons.open:
        lessons.markdown(LESSONS)
    if formula.open:
        with formula:
            write_formulae(FORMULAE)
