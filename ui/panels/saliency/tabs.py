"""The tabs below the saliency panel's screen."""

from typing import Any

import streamlit as st

from core.saliency import Query
from core.saliency.script import MAP, write_explanation
from core.shared.engine import Engine, EngineError
from core.shared.models import About, Source
from ui import pinned, words
from ui.beside import PICTURE, offer_picture
from ui.formulae import write_formulae
from ui.panels.saliency.attacked import attacked
from ui.panels.saliency.court import court
from ui.panels.saliency.hans import laboratory
from ui.panels.saliency.melt import melt
from ui.panels.saliency.screen import attribution
from ui.panels.saliency.wanted import wanted
from ui.panels.saliency.wording import FORMULAE, LESSONS
from ui.pinned import Pin

__all__ = ["tabs"]

TABS = [
    "What to try",
    "The court",
    "Melt",
    "Before and after an attack",
    "What the class wants",
    "Clever Hans",
    "Formula",
    "The code",
]


def tabs(
    engine: Engine,
    visitor: str,
    source: Source,
    about: About,
    pin: Pin,
    query: Query,
    looks: dict[str, Any],
) -> None:
    """Draw the tabs; what is in one is computed only while it is open."""
    lessons, trial, sanity, twins, wish, horse, formula, code = st.tabs(
        TABS, on_change="rerun", key="saliency_tab", bind="query-params"
    )
    if lessons.open:
        lessons.markdown(LESSONS)
    if trial.open:
        with trial:
            court(engine, visitor, source, about, pin, query, looks)
    if sanity.open:
        with sanity:
            melt(engine, source, about, pin, query, looks)
    if twins.open:
        with twins:
            attacked(engine, source, about, pin, query, looks)
    if wish.open:
        with wish:
            wanted(engine, visitor, source, about)
    if horse.open:
        with horse:
            laboratory(engine, visitor, source, about, looks)
    if formula.open:
        with formula:
            write_formulae(FORMULAE)
    if code.open:
        with code:
            _code(engine, source, about, pin, query)


def _code(engine: Engine, source: Source, about: About, pin: Pin, query: Query) -> None:
    """Write the explanation on the screen as plain PyTorch."""
    try:
        seen = pinned.see(engine, source, about, pin)
        found = attribution(engine, source, seen, query)
        text = write_explanation(source, found.query, PICTURE)
    except (EngineError, ValueError) as error:
        st.warning(words.plain(words.sentence(str(error))))
        return
    told = f"it ends at the map on the screen, but for rounding, and saves it as *{MAP}*"
    offer_picture(seen.pixels, "saliency_npy", "it", told)
    st.code(text, language="python")
