"""The home page: what this is, and where to begin."""

from itertools import groupby

import streamlit as st

from ui import frame

st.title("Glassbox", anchor=False)
st.markdown(
    "**A deep-learning playground that you can see through.**\n\n"
    "Train a network, look inside it, change one thing and watch what follows. Every number on "
    "these pages is computed while you look, by the same few lines of PyTorch that each page shows."
)
for section, panels in groupby(frame.panels(), key=lambda panel: panel.section):
    st.subheader(section.capitalize(), anchor=False)
    for panel in panels:
        with st.container(border=True):
            st.markdown(f"**{panel.title}**  \n{panel.question}")
            st.page_link(panel.path, label="Open", icon=":material/arrow_forward:")
st.subheader("In a lecture", anchor=False)
st.markdown(
    """
- **Everyone on their own machine.** Open this address in thirty browsers: each has runs of their
  own, and all of them share the device fairly, in turns.
- **A link is a state.** All settings of a page stand in its address. Set up an experiment, copy the
  address onto a slide, and it opens just so.
- **Nothing is lost.** Reload the page, close the lid, lose the network: your runs are still there.
  One that was left behind ends after a minute and can be continued from where it stood.
"""
)
