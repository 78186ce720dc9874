"""One test image as the teacher, the label and each student of a run read it."""

from collections.abc import Callable
from typing import Any

from core.distillation import ARMS, FACED
from core.distillation.darkness import face
from core.shared.engine import EngineError, View
from ui import blocks, knowledge, live, screen, temperature, words
from ui.blocks import Block, drag, figures
from ui.knowledge import Face
from ui.numbers import plain
from ui.panels.distillation.desk import Desk

__all__ = ["facing"]


def facing(desk: Desk, run: str) -> None:
    """Draw what the students of a run say about a test image, with their newest weights."""
    told: dict[str, Callable[[Any], object]] = {"T": desk.warm, "faced": desk.image("faced")}
    screen.screen(
        "distil_faces", lambda: live.seen(desk.engine, run), lambda view: _board(desk, view), told
    )


def _board(desk: Desk, view: View | None) -> list[Block]:
    if view is None or view.status in ("waiting", "failed"):
        return []
    looks, classes, warm = desk.looks, desk.about.classes, desk.looks["T"]
    try:
        seen, said = desk.engine.ask(view.run, FACED, looks["faced"])
        found = {arm: face(seen.logits, each, seen.label, warm) for arm, each in said.items()}
    except (EngineError, KeyError, ValueError) as error:
        return [blocks.progress(0, words.sentence(str(error)), warn=True)]
    shown = [each.student for each in found.values() if each.student is not None]
    shown.append(next(iter(found.values())).teacher)  # last: students have the curves' colours
    return [
        drag("faced", "Test image", 0, seen.count - 1, seen.index),
        temperature.dial("T", "Temperature T of all bars", warm),
        knowledge.faces(
            [
                Face(
                    pixels=seen.pixels,
                    name=f"#{seen.index:,}, a {classes[seen.label]}",
                    hard=seen.label,
                    probabilities=shown,
                )
            ],
            classes,
            [*(ARMS[arm] for arm in found), "the teacher"],
            title="Teacher, students and label on one image",
            hint="The students' newest weights; the dot is the label.",
            columns=1,
            name="",
        ),
        figures(
            [
                (f"KL(teacher ‖ {ARMS[arm]})", plain(each.divergence), 1.0)
                for arm, each in found.items()
            ]
        ),
    ]
