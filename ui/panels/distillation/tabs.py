"""The tabs below the panel's screen; what is in one is computed only while it is open."""

from collections.abc import Mapping

import streamlit as st

from ui import address
from ui.formulae import write_formulae
from ui.panels.distillation.desk import Desk
from ui.panels.distillation.looking import rules
from ui.panels.distillation.wording import FORMULAE, LESSONS

__all__ = ["tabs"]

TABS = ["What to try", "Formula"]


def tabs(desk: Desk, asked: Mapping[str, str]) -> None:
    """Draw the tabs; one that is open says of what the address asks it that cannot be had."""
    lessons, formula = st.tabs(TABS, on_change="rerun", key="heat_tab", bind="query-params")
    if lessons.open:
        lessons.markdown(LESSONS)
    if formula.open:
        with formula:
            write_formulae(FORMULAE)
    address.refuse("heat", asked, rules(desk.looks), ("heat_tab",))
