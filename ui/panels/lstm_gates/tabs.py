"""The tabs below the panel's screen; what is in one is computed only while it is open."""

import streamlit as st

from core.lstm_gates import Plan, texts
from core.lstm_gates.script import script
from ui import live
from ui.formulae import write_formulae
from ui.panels.lstm_gates.desk import Desk
from ui.panels.lstm_gates.gradients import gradients
from ui.panels.lstm_gates.holding import holding
from ui.panels.lstm_gates.meaning import meaning
from ui.panels.lstm_gates.racing import racing
from ui.panels.lstm_gates.remembering import remembering
from ui.panels.lstm_gates.saying import saying
from ui.panels.lstm_gates.wording import FORMULAE, LESSONS

__all__ = ["tabs"]

TABS = [
    "What to try",
    "Finding meaning",
    "Intervene",
    "Memory",
    "Gradients through time",
    "The race",
    "What it says",
    "Formula",
    "The code",
]


def tabs(desk: Desk, plan: Plan, visitor: str) -> None:
    """Draw the tabs."""
    lessons, finder, hold, memory, back, run, said, formula, code = st.tabs(
        TABS, on_change="rerun", key="lstm_tab", bind="query-params"
    )
    if lessons.open:
        lessons.markdown(LESSONS)
    for tab, draw in ((finder, meaning), (hold, holding), (memory, remembering), (back, gradients)):
        if tab.open:
            with tab:
                draw(desk)
    if run.open:
        with run:
            racing(desk.engine, visitor)
    if said.open:
        with said:
            view = live.seen(desk.engine, desk.shown)
            saying(desk, view.state if view else None)
    if formula.open:
        with formula:
            write_formulae(FORMULAE)
    if code.open:
        with code:
            _code(desk, plan)


def _code(desk: Desk, plan: Plan) -> None:
    """Write the run that is looked at, or else a new one, as plain PyTorch."""
    view = live.seen(desk.engine, desk.shown)
    changes = view.state.changes if view and view.state else ()
    learned = desk.plan if view else plan
    cut = texts.read(learned.text, learned.characters).cut
    st.markdown(
        "As plain PyTorch, beside text.txt and run.json of *The run as a zip*: the same weights."
    )
    st.code(script(learned, cut, changes), language="python", height=420)
