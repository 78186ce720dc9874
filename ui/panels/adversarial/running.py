"""What the panel's three runs have in common: the newest of a network, its start and its stop."""

from collections.abc import Callable
from dataclasses import asdict

import streamlit as st

from core.shared.engine import Engine, View
from core.shared.models import Source
from ui import live

__all__ = ["newest", "start_and_stop"]


def newest(engine: Engine, visitor: str, source: Source, function: str) -> View | None:
    """Find the visitor's newest run of a function for a network."""
    wanted = asdict(source)
    for view in engine.runs_of(visitor):
        if view.function == function and view.config.get("source") == wanted:
            return view
    return None


def start_and_stop(
    engine: Engine,
    view: View | None,
    name: str,
    label: str,
    icon: str,
    begin: Callable[[], None],
    *,
    ready: bool = True,
) -> None:
    """Draw the buttons.

    Args:
        engine: does it.
        view: the newest run; None for none.
        name: what the buttons' keys begin with.
        label: of the first button.
        icon: likewise.
        begin: starts a run.
        ready: whether it can.
    """
    moving = view is not None and view.live
    with st.container(horizontal=True):
        st.button(
            label,
            key=f"{name}_start",
            on_click=begin,
            icon=f":material/{icon}:",
            disabled=moving or not ready,
        )
        st.button(
            "Stop",
            key=f"{name}_stop",
            on_click=live.trying,
            args=(engine.stop, view.run if view else ""),
            disabled=not moving,
        )
