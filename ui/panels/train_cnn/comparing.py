"""Runs beside one another: up to four on one axis, and the chosen one again with one change."""

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from core import train_cnn
from core.shared.engine import View
from core.shared.recipes import Recipe
from ui import address, live, words
from ui.panels.train_cnn.choices import CHOICES, called, change, said
from ui.panels.train_cnn.desk import Desk

__all__ = ["compare", "take_asked"]

OVERLAID = 3  # runs over the chosen one


def take_asked(asked: Mapping[str, str]) -> dict[str, tuple[Any, str]]:
    """Choose what the address asks for; the present values, with the rules for them."""
    what, value = change(asked.get("train_what", ""), asked.get("train_value", ""))
    if asked:
        st.session_state.train_what, st.session_state.train_value = what, value
    return {
        "train_what": (what, f"one of {words.choices(tuple(CHOICES))}"),
        "train_value": (said(what, value), f"a value that {what} can have"),
    }


def compare(
    desk: Desk,
    chosen: View | None,
    recipe: Recipe,
    start: Callable[[Recipe | None, int | None], None],
) -> list[str]:
    """Draw the choice of other runs, and the buttons for the chosen one with one change.

    Args:
        desk: the visitor's.
        chosen: the run that is looked at; None for none.
        recipe: of a new run.
        start: takes the recipe of a twin and None, or of a branch and its step.

    Returns: the runs that are drawn over the chosen one.
    """
    offered = [run for run in desk.views if not chosen or run != chosen.run]
    # With each new run it is another box, as that of the runs is.
    key = f"train_others_{next(iter(desk.views), '')}"
    if key not in st.session_state:
        given = [run for run in desk.looks["others"] if run in offered]
        st.session_state[key] = given[:OVERLAID]
    others: list[str] = st.multiselect(
        "Draw over the chosen run's curves",
        offered,
        format_func=desk.told,
        max_selections=OVERLAID,
        key=key,
        placeholder="up to three other runs",
    )
    desk.looks["others"] = others
    st.markdown("**One change.** The chosen run again: same seed, same order of the images.")
    what = st.selectbox(
        "Change",
        list(CHOICES),
        format_func=called,
        key="train_what",
        persist_state="session",
    )
    value = st.selectbox(
        "to",
        CHOICES[what],
        format_func=lambda v: said(what, v),
        key="train_value",
        persist_state="session",
    )
    step = desk.looks["step"]
    made, refusal = live.made(desk.recipes[chosen.run] if chosen else recipe, what, value)
    st.button(
        "From the start", key="train_twin", on_click=start, args=(made, None), disabled=not made
    )
    st.button(
        "From here in time" if step is None else f"From step {step:,}",
        key="train_branch",
        on_click=start,
        args=(made, step),
        disabled=not made or step is None or what in train_cnn.FROM_THE_START,
        help="Move the time machine to the step first.",
    )
    if refusal:
        st.caption(refusal)
    usual = (what, value) == change("", "")
    address.note("train_what", "" if usual else what)
    address.note("train_value", "" if usual else said(what, value))
    address.note("train_others", ",".join(others))
    return others
