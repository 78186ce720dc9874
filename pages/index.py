"""The frame: page config, navigation found from the folders, and what every page's sidebar has."""

from itertools import groupby
from pathlib import Path

import streamlit as st

from core.shared.patience import Patience, waiting
from ui import frame, screen, server

ROOT = Path(__file__).parents[1]
st.set_page_config(page_title="Glassbox", page_icon=ROOT / "assets" / "icon.svg", layout="wide")

home = st.Page(
    Path(__file__).parent / "home.py", title="Home", icon=":material/home:", default=True
)
sections = {
    section.capitalize(): [
        st.Page(panel.path, title=panel.title, help=panel.question) for panel in group
    ]
    for section, group in groupby(frame.panels(), key=lambda panel: panel.section)
}
chosen = st.navigation({"": [home], **sections}, expanded=True)

with st.sidebar:
    owners = server.engine().ready()["owners"]
    for owner in owners:
        icon = ":material/memory:" if owner["alive"] else ":material/hourglass_top:"
        st.caption(f"{icon} {owner['name'] or owner['trouble'] or 'The engine is starting'}")

with waiting(Patience(unwanted=screen.unwanted())):
    chosen.run()
