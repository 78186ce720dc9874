"""The tabs below the panel's screen; what is in one is computed only while it is open."""

from collections.abc import Mapping

import streamlit as st

from core.bpe.script import script
from ui import address
from ui.formulae import write_formulae
from ui.panels.bpe.desk import Desk
from ui.panels.bpe.encoding import encoding
from ui.panels.bpe.living import living
from ui.panels.bpe.siding import siding
from ui.panels.bpe.sweeping import sweeping
from ui.panels.bpe.taking import taking
from ui.panels.bpe.wording import FORMULAE, LESSONS
from ui.panels.bpe.world import speaking, world
from ui.running import Rules

__all__ = ["tabs"]

TABS = [
    "What to try",
    "Ties side by side",
    "Encoding",
    "A token's life",
    "Against the world",
    "Languages",
    "How many tokens?",
    "Take it away",
    "Formula",
    "The code",
]


def tabs(desk: Desk, asked: Mapping[str, str]) -> None:
    """Draw the tabs; one that is open says of what the address asks it that cannot be had."""
    rules: Rules = {}
    lessons, sides, encode, live, others, languages, sizes, take, formula, code = st.tabs(
        TABS, on_change="rerun", key="bpe_tab", bind="query-params"
    )
    if lessons.open:
        lessons.markdown(LESSONS)
    if sides.open:
        with sides:
            siding(desk, rules)
    if sizes.open:
        with sizes:
            sweeping(desk, rules)
    plain = ((encode, encoding), (live, living), (others, world), (languages, speaking))
    for tab, draw in (*plain, (take, taking)):
        if tab.open:
            with tab:
                draw(desk)
    if formula.open:
        with formula:
            write_formulae(FORMULAE)
    if code.open:
        with code:
            _code(desk)
    address.refuse("bpe", asked, rules)


def _code(desk: Desk) -> None:
    """Write the plan as plain Python."""
    st.markdown(
        "The same merges in plain Python. It counts all pairs anew for each merge, so that a "
        "thousand merges of Python's help take it about a quarter of a minute."
    )
    st.code(script(desk.plan), language="python", height=420)
