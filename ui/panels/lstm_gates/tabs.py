"""The tabs below the panel's screen; what is in one is computed only while it is open."""

from collections.abc import Mapping

import streamlit as st

from core import lstm_gates
from core.lstm_gates import Plan, texts
from core.lstm_gates.script import script
from ui import address, live, words
from ui.formulae import write_formulae
from ui.panels.lstm_gates.desk import GONE, Desk
from ui.panels.lstm_gates.gradients import gradients
from ui.panels.lstm_gates.holding import holding
from ui.panels.lstm_gates.meaning import meaning
from ui.panels.lstm_gates.racing import racing
from ui.panels.lstm_gates.remembering import remembering
from ui.panels.lstm_gates.saying import saying
from ui.panels.lstm_gates.wording import FORMULAE, LESSONS
from ui.running import Rules

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


def tabs(desk: Desk, plan: Plan, visitor: str, asked: Mapping[str, str]) -> None:
    """Draw the tabs; one that is open says of what the address asks it that cannot be had."""
    rules: Rules = {}
    lessons, finder, hold, memory, back, run, said, formula, code = st.tabs(
        TABS, on_change="rerun", key="lstm_tab", bind="query-params"
    )
    if lessons.open:
        lessons.markdown(LESSONS)
    asking = ((finder, meaning), (hold, holding), (memory, remembering), (back, gradients))
    for tab, draw in (*asking, (said, saying)):
        if tab.open:
            with tab:
                if desk.text is None:
                    st.info(words.plain(GONE))
                else:
                    draw(desk, rules)
    if run.open:
        with run:
            racing(desk.engine, visitor)
    if formula.open:
        with formula:
            write_formulae(FORMULAE)
    if code.open:
        with code:
            _code(desk, plan)
    address.refuse("lstm", asked, rules)


def _code(desk: Desk, plan: Plan) -> None:
    """Write the run that is looked at, or else a new one, as plain PyTorch."""
    view = live.seen(desk.engine, desk.shown)
    if view is None or desk.text is None:
        st.markdown("A new run by the settings, as plain PyTorch; its zip has the files it reads.")
        cut = texts.read(plan.text, plan.characters).cut
        st.code(script(plan, cut), language="python", height=420)
        return
    st.markdown(
        "This run as plain PyTorch: on the same machine it gives the same weights. "
        "*The run as a zip* has it as run.py with the files that it reads, and the newest weights."
    )
    live.take_away("lstm", desk.engine, view, lstm_gates.EXPORT)
    changes = view.state.changes if view.state else ()
    taken = None if view.live or view.state is None else max(1, view.state.step)
    written = script(desk.plan, desk.text.cut, changes, taken)
    st.code(written, language="python", height=420)
