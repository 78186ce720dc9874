"""A class that the students of a run never saw: their errors as its bias is raised."""

from collections.abc import Callable
from typing import Any

from core.distillation import ARMS, UNSEEN
from core.distillation.hinton import Shifted
from core.shared.engine import EngineError, View
from ui import blocks, live, screen, words
from ui.blocks import Block, drag, figures
from ui.panels.distillation.desk import Desk
from ui.panels.distillation.looking import SHIFTS

__all__ = ["unseen"]


def unseen(desk: Desk, run: str) -> None:
    """Draw what a bias of the class that was left out does to students who have ended."""
    looks = desk.looks

    def shift(said: Any) -> None:
        looks["bias"] = SHIFTS[min(max(0, int(said)), len(SHIFTS) - 1)]

    told: dict[str, Callable[[Any], object]] = {"bias": shift}
    screen.screen(
        "distil_unseen", lambda: live.seen(desk.engine, run), lambda view: _board(desk, view), told
    )


def _board(desk: Desk, view: View | None) -> list[Block]:
    if view is None or view.status != "finished" or view.config["left_out"] is None:
        return []
    name, shift = desk.about.classes[view.config["left_out"]], desk.looks["bias"]
    arms = view.config["arms"]
    try:
        found: list[Shifted] = [desk.engine.ask(view.run, UNSEEN, arm, shift) for arm in arms]
    except (EngineError, KeyError, ValueError) as error:
        return [blocks.progress(0, words.sentence(str(error)), warn=True)]
    rows = [
        row
        for arm, each in zip(arms, found, strict=True)
        for row in (
            (f"test errors, {ARMS[arm]}", f"{each.errors:,}", 1.0),
            (f"of them images of {name}", f"{each.of_left_out:,} of {each.left_out:,}", 1.0),
            (f"others read as {name}", f"{each.taken_for:,}", 1.0),
        )
    ]
    return [
        drag(
            "bias",
            f"Added to the logit of {name}, which no student ever saw",
            0,
            len(SHIFTS) - 1,
            SHIFTS.index(shift),
            names=[f"{each:g}" for each in SHIFTS],
        ),
        figures(rows, columns=3),
    ]
