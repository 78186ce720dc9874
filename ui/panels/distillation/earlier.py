"""What all distillations of the pinned network came to, so that experiments can be compared."""

from collections.abc import Iterable
from dataclasses import asdict

import streamlit as st

from core.distillation import ARMS, DISTIL, Distilled
from core.shared.engine import View
from core.shared.models import Source
from ui.panels.distillation.desk import Desk

__all__ = ["earlier", "rows"]

FEWEST = 2  # of which a comparison is one


def earlier(desk: Desk) -> None:
    """List the visitor's distillations of the pinned network that have ended, the newest first."""
    ended = rows(desk.engine.runs_of(desk.visitor), desk.source)
    if len(ended) >= FEWEST:
        st.caption(f"Test errors of your {len(ended)} distillations of this teacher.")
        st.dataframe(ended, hide_index=True, key="distil_earlier")


def rows(views: Iterable[View], teacher: Source) -> list[dict[str, object]]:
    """Give a row for each distillation of a teacher that has ended."""
    return [
        _row(view, view.state)
        for view in views
        if view.function == DISTIL
        and view.config.get("teacher") == asdict(teacher)
        and isinstance(view.state, Distilled)
        and view.state.teacher_errors is not None
    ]


def _row(view: View, state: Distilled) -> dict[str, object]:
    config = view.config
    squared = "yes" if config["squared"] else "no"
    return {
        "run": view.number,
        "student": config["student"],
        "images": f"{config['images']:,}",
        "T": config["temperature"],
        "α": config["alpha"],
        "T²": squared,
        "mean": config["reduction"],
        "epochs": config["epochs"],
        **{ARMS[arm.name]: arm.errors for arm in state.arms},
    }
