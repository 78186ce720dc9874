"""The tabs below the panel's screen; what is in one is computed only while it is open."""

from collections.abc import Mapping

import streamlit as st

from ui import address
from ui.formulae import write_formulae
from ui.panels.bpe.desk import Desk
from ui.panels.bpe.wording import FORMULAE, LESSONS
from ui.running import Rules

__all__ = ["tabs"]

TABS = ["What to try", "Formula"]


def tabs(desk: Desk, asked: Mapping[str, str]) -> None:
    """Draw the tabs; one that is open says of what the address asks it that cannot be had."""
    rules: Rules = {}
    lessons, formula = st.tabs(TABS, on_change="rerun", key="bpe_tab", bind="query-params")
    if lessons.open:
        lessons.markdown(LESSONS)
    if formula.open:
        with formula:
            write_formulae(FORMULAE)
    address.refuse("bpe", asked, rules)
