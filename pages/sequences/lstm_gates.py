"""LSTM gates: What does it keep, what does it forget, and what for?"""

import streamlit as st

from core import lstm_gates
from core.lstm_gates.built_ins import BUILT_INS
from ui import address, live, screen, server, visitors, words
from ui.panels.lstm_gates import looking
from ui.panels.lstm_gates.desk import Desk
from ui.panels.lstm_gates.settings import planned, settings
from ui.panels.lstm_gates.tabs import tabs

engine, visitor = server.engine(), visitors.visitor()
views, plans = live.readable(engine.runs_of(visitor), lstm_gates.TRAIN, lstm_gates.Plan)
asked = address.asked("lstm")
looks = st.session_state.setdefault("lstm_looks", looking.looks_of(asked))
if asked.get("lstm_run"):
    st.session_state.lstm_run = asked["lstm_run"]
if looks["began"]:
    st.session_state.lstm_run, looks["began"] = looks["began"], ""
known = (*views, *BUILT_INS)
shown = st.session_state.get("lstm_run", "")
shown = shown if shown in known else known[0]
desk = Desk(engine, views, plans, looks, shown)


def start() -> None:
    """Start a run by the settings, and look at it."""
    run = live.trying(engine.submit, lstm_gates.TRAIN, plan, visitor=visitor)
    if run:
        looks.update(began=run, step=None)


def steer(name: str, key: str) -> None:
    """Let the run that is under way go on with the value that was just chosen."""
    view = views.get(shown)
    if view and view.live:
        live.trying(live.tell, engine, view.run, lstm_gates.CHANGE, name, st.session_state[key])


st.title("LSTM gates", anchor=False)
st.write("What does it keep, what does it forget, and what for? Type, and every gate answers.")
buttons = st.container(horizontal=True, gap="xsmall")
picture, side = st.columns([3.9, 1], gap="medium")
with side:
    plan, trouble = settings(asked, steer, looking.rules(looks))
    st.caption(planned(plan))
    if trouble:
        st.warning(words.plain(words.sentence(trouble)))
with buttons:
    chosen = views.get(shown)
    live.transport("lstm", engine, chosen, start, bool(trouble))
    live.choose("lstm", engine, visitor, views, desk.told, chosen, [*BUILT_INS], shown)
with picture:
    screen.screen("lstm_screen", lambda: live.seen(engine, shown), desk.board, desk.steer())
address.note("lstm_run", shown if shown != known[0] else "")
tabs(desk, plan, visitor, asked)
looking.note(looks)
