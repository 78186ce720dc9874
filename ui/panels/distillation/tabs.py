"""The tabs below the panel's screen; what is in one is computed only while it is open."""

from collections.abc import Mapping

import streamlit as st

from core.distillation import ARMS, DISTIL, Distillation
from core.distillation.script import script
from ui import address
from ui.formulae import write_formulae
from ui.panels.distillation.calibrating import calibrating
from ui.panels.distillation.desk import Desk
from ui.panels.distillation.drawing import drawing
from ui.panels.distillation.halving import halving
from ui.panels.distillation.hinton import hinton
from ui.panels.distillation.knowing import knowing
from ui.panels.distillation.learning import learning
from ui.panels.distillation.looking import rules
from ui.panels.distillation.pulling import pulling
from ui.panels.distillation.widths import widths
from ui.panels.distillation.wording import FORMULAE, LESSONS
from ui.running import newest

__all__ = ["tabs"]

TABS = [
    "What to try",
    "Two classes",
    "Let students learn",
    "Grid",
    "Why T²?",
    "Dark knowledge",
    "Calibration",
    "Draws",
    "Hinton",
    "Formula",
    "The code",
]

KNOWN = (
    "heat_tab",
    "heat_arm",
    "heat_k",
    "heat_p",
    "heat_seed",
    "heat_cut",
    "heat_one",
    "heat_two",
    "heat_beside",
)  # what else has rules where it is drawn


def tabs(desk: Desk, asked: Mapping[str, str]) -> None:
    """Draw the tabs; one that is open says of what the address asks it that cannot be had."""
    told = rules(desk.looks)
    lessons, halves, learn, wide, why, dark, sure, draws, figures, formula, code = st.tabs(
        TABS, on_change="rerun", key="heat_tab", bind="query-params"
    )
    if lessons.open:
        lessons.markdown(LESSONS)
    for tab, draw in ((learn, learning), (wide, widths), (why, pulling), (sure, calibrating)):
        if tab.open:
            with tab:
                draw(desk)
    for tab, draw_by in ((halves, halving), (dark, knowing), (draws, drawing)):
        if tab.open:
            with tab:
                draw_by(desk, told)
    if figures.open:
        with figures:
            hinton(desk)
    if formula.open:
        with formula:
            write_formulae(FORMULAE)
    if code.open:
        with code:
            _code(desk)
    address.refuse("heat", asked, told, KNOWN)


def _code(desk: Desk) -> None:
    """Write the students of the newest distillation, or else of the usual one, as plain PyTorch."""
    if not desk.about.data:
        st.info("Pin a network whose training images are here.")
        return
    view = newest(desk.engine, desk.visitor, desk.source, DISTIL)
    config = Distillation(teacher=desk.source)
    if view is not None:
        config = Distillation(
            **{**view.config, "teacher": desk.source, "arms": (*view.config["arms"],)}
        )
    st.markdown(
        "A student of the newest distillation, or of the usual one, as plain PyTorch that gives "
        "the same weights; save it in Glassbox's folder and start it there."
    )
    arm = st.selectbox(
        "Student",
        config.arms,
        min(1, len(config.arms) - 1),
        format_func=ARMS.__getitem__,
        key="heat_arm",
    )
    st.code(script(config, arm), language="python", height=420)
