"""The tabs below the panel's screen; what is in one is computed only while it is open."""

from collections.abc import Mapping

import streamlit as st

from ui import address
from ui.formulae import write_formulae
from ui.panels.distillation.calibrating import calibrating
from ui.panels.distillation.desk import Desk
from ui.panels.distillation.drawing import drawing
from ui.panels.distillation.hinton import hinton
from ui.panels.distillation.knowing import knowing
from ui.panels.distillation.learning import learning
from ui.panels.distillation.looking import rules
from ui.panels.distillation.pulling import pulling
from ui.panels.distillation.wording import FORMULAE, LESSONS

__all__ = ["tabs"]

TABS = [
    "What to try",
    "Let students learn",
    "Why T²?",
    "Dark knowledge",
    "Calibration",
    "Draws",
    "Hinton's figures",
    "Formula",
]

KNOWN = ("heat_tab", "heat_k", "heat_p", "heat_seed")  # what else has rules where it is drawn


def tabs(desk: Desk, asked: Mapping[str, str]) -> None:
    """Draw the tabs; one that is open says of what the address asks it that cannot be had."""
    told = rules(desk.looks)
    lessons, learn, why, dark, sure, draws, figures, formula = st.tabs(
        TABS, on_change="rerun", key="heat_tab", bind="query-params"
    )
    if lessons.open:
        lessons.markdown(LESSONS)
    plain = ((learn, learning), (why, pulling), (dark, knowing), (sure, calibrating))
    for tab, draw in (*plain, (figures, hinton)):
        if tab.open:
            with tab:
                draw(desk)
    if draws.open:
        with draws:
            drawing(desk, told)
    if formula.open:
        with formula:
            write_formulae(FORMULAE)
    address.refuse("heat", asked, told, KNOWN)
