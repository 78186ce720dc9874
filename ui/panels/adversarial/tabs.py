"""The tabs below the attack panel's screen."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from core.adversarial import Attack
from core.adversarial.script import ATTACKED, write_attack
from core.shared.engine import Engine, EngineError
from core.shared.models import About, Source
from ui import address, pinned, words
from ui.beside import PICTURE, offer_picture
from ui.formulae import write_formulae
from ui.panels.adversarial.curves import curves
from ui.panels.adversarial.fakes import fakes
from ui.panels.adversarial.filters import filters
from ui.panels.adversarial.hardening import hardening
from ui.panels.adversarial.norms import norms
from ui.panels.adversarial.screen import outcome, reaches_through
from ui.panels.adversarial.targets import targets
from ui.panels.adversarial.transfers import transfers
from ui.panels.adversarial.universal import universal
from ui.panels.adversarial.wording import FORMULAE, LESSONS
from ui.pinned import Pin

__all__ = ["tabs"]

TABS = [
    "What to try",
    "Norms",
    "Curves",
    "Targets",
    "Transfer",
    "Universal",
    "Defences",
    "Adversarial training",
    "Fake robustness",
    "Formula",
    "The code",
]


def tabs(
    engine: Engine,
    visitor: str,
    source: Source,
    about: About,
    pin: Pin,
    config: Attack,
    looks: dict[str, Any],
    asked: Mapping[str, str],
) -> None:
    """Draw the tabs; what is in one is computed only while it is open."""
    drawn = st.tabs(TABS, on_change="rerun", key="attack_tab", bind="query-params")
    opened = next((title for title, tab in zip(TABS, drawn, strict=True) if tab.open), TABS[0])
    address.refuse("attack", asked, {"attack_tab": (opened, words.choices(TABS))})
    lessons, sides, sweep, matrix, shared, single, shield, hardened, faked, formula, code = drawn
    if lessons.open:
        lessons.markdown(LESSONS)
    if sides.open:
        with sides:
            norms(engine, source, about, pin, config)
    if sweep.open:
        with sweep:
            curves(engine, visitor, source, about)
    if matrix.open:
        with matrix:
            targets(engine, visitor, source, about, config, looks)
    if shared.open:
        with shared:
            transfers(engine, visitor, source, about, config, looks)
    if single.open:
        with single:
            universal(engine, visitor, source, about)
    if shield.open:
        with shield:
            filters(engine, visitor, source, about, pin, config, looks)
    if hardened.open:
        with hardened:
            hardening(engine, visitor, about)
    if faked.open:
        with faked:
            fakes(engine, visitor, source, about)
    if formula.open:
        with formula:
            write_formulae(FORMULAE)
    if code.open:
        with code:
            _code(engine, source, about, pin, config, looks)


def _code(
    engine: Engine, source: Source, about: About, pin: Pin, config: Attack, looks: dict[str, Any]
) -> None:
    """Write the attack on the screen as plain PyTorch."""
    try:
        seen = pinned.see(engine, source, about, pin)
        config, found = outcome(engine, source, seen, config, looks)
    except (EngineError, ValueError) as error:
        st.warning(words.plain(words.sentence(str(error))))
        return
    try:
        text = write_attack(source, config, found.label, PICTURE)
    except ValueError as error:
        st.caption(words.plain(words.sentence(str(error))))
        return
    told = "it ends at the picture on the screen"
    if seen.photograph is not None and reaches_through(config):
        told = (
            "it attacks the picture as the network sees it, behind the resize that is attacked on "
            "the screen"
        )
    told += f", and saves what fools as *{ATTACKED}*, to be uploaded"
    offer_picture(seen.pixels, "attack_npy", "it", told)
    st.code(text, language="python")
