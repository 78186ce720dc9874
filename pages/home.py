"""The home page: what this is, and where to begin."""

import streamlit as st

from ui import frame

st.title("Glassbox")
st.write("A deep-learning playground that you can see through.")
for panel in frame.panels():
    st.page_link(panel.path, label=f"**{panel.title}**: {panel.question}")
