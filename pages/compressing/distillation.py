"""Distillation: What does a teacher know beyond the answer?"""

import streamlit as st

from ui import address, pinned, screen, server, visitors
from ui.panels.distillation import looking
from ui.panels.distillation.desk import Desk
from ui.panels.distillation.tabs import tabs

engine, visitor = server.engine(), visitors.visitor()
asked = address.asked("heat")
looks = st.session_state.setdefault("heat_looks", looking.looks_of(asked))

st.title("Distillation", anchor=False)
st.write("What does a teacher know beyond the answer? Its temperature brings it to light.")
chosen = pinned.choose(engine, visitor)
if chosen is None:
    st.info("Choose another network in the sidebar, or get this one ready there.")
    st.stop()
desk = Desk(engine, visitor, *chosen, looks)
screen.screen("heat_screen", lambda: None, desk.board, desk.steer())
tabs(desk, asked)
looking.note(looks)
