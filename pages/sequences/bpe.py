"""BPE: How does a vocabulary grow out of a text?"""

import streamlit as st

from ui import address, screen, server, words
from ui.panels.bpe import looking
from ui.panels.bpe.desk import Desk
from ui.panels.bpe.settings import settings
from ui.panels.bpe.tabs import tabs

asked = address.asked("bpe")
looks = st.session_state.setdefault("bpe_looks", looking.looks_of(asked))

st.title("BPE", anchor=False)
st.write(
    "How does a vocabulary grow out of a text? The commonest pair becomes one, again and again."
)
picture, side = st.columns([3.9, 1], gap="medium")
with side:
    plan, trouble = settings(asked, looking.rules(looks))
    if trouble:
        st.warning(words.plain(words.sentence(trouble)))
desk = Desk(server.engine(), plan, looks)
with picture:
    screen.screen("bpe_screen", lambda: None, desk.board, desk.steer())
tabs(desk, asked)
looking.note(looks)
