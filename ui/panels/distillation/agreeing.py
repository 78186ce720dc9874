"""The pinned network beside another one that learned from the same data: how alike they read."""

import numpy as np
import streamlit as st

from core.distillation.comparing import Compared, Matching
from core.distillation.results import Faced
from core.shared.engine import EngineError, View
from core.shared.models import Source
from ui import blocks, charts, knowledge, pinned, screen, words
from ui.blocks import Block, drag, figures
from ui.knowledge import Face
from ui.numbers import plain, spelt
from ui.panels.distillation.desk import Desk
from ui.running import Rules, choose

__all__ = ["TEMPERATURES", "agreeing", "matching"]

CALLS = "core.distillation.asking:"
NOBODY = "no other network"
TEMPERATURES = tuple(float(each) for each in np.geomspace(0.5, 100, 24))


def agreeing(desk: Desk, rules: Rules) -> None:
    """Let a visitor choose another network, and draw how alike the two read the test images."""
    known = pinned.networks_like(desk.engine, desk.visitor, desk.about)
    others = {title: source for title, source in known.values() if source != desk.source}
    chosen = choose(
        st.container(),
        "Compare with a student",
        [NOBODY, *others],
        "heat_beside",
        rules,
        about="Any network here that learned from the same data: train one in *Train a CNN*.",
    )
    if chosen == NOBODY:
        return
    student = others[chosen]

    told = {"beside": desk.image("beside")}
    screen.screen(
        "heat_beside_screen",
        lambda: None,
        lambda _: _board(desk, student, chosen, _),
        told,
    )


def _board(desk: Desk, student: Source, name: str, _: View | None) -> list[Block]:
    warm, classes, call = desk.looks["T"], desk.about.classes, desk.engine.call
    index = desk.looks["beside"]
    try:
        found: Compared = call(f"{CALLS}compared", desk.source, student, warm)
        seen: Faced = call(f"{CALLS}faced", desk.source, student, index, warm)
        match: Matching | None = None
        if found.plain > 0:  # two that are the same pull each other nowhere
            match = call(f"{CALLS}matched", desk.source, student, TEMPERATURES)
    except (EngineError, ValueError) as error:
        return [blocks.progress(0, words.sentence(str(error)), warn=True)]
    faces = seen.faces
    said = [faces.teacher, *([] if faces.student is None else [faces.student])]
    return [
        figures(
            [
                ("read alike", words.share(found.agreement), 1.0),
                (f"KL(teacher ‖ student) at T = {spelt(warm)}", plain(found.divergence), 1.2),
                ("at T = 1", plain(found.plain), 0.8),
                ("teacher's errors", f"{found.teacher_errors:,} of {found.images:,}", 1.0),
                ("student's errors", f"{found.student_errors:,} of {found.images:,}", 1.0),
                ("the same error", f"{found.shared_errors:,}", 0.8),
            ]
        ),
        drag("beside", "Test image", 0, found.images - 1, seen.index),
        knowledge.faces(
            [
                Face(
                    pixels=seen.pixels,
                    name=f"#{seen.index:,}, a {classes[seen.label]}",
                    words=f"KL {plain(faces.divergence)}",
                    hard=seen.label,
                    probabilities=said,
                )
            ],
            classes,
            [desk.about.title, name],
            title="Teacher, student and label on one image",
            hint=f"At T = {spelt(warm)}; the dot is the label.",
            columns=1,
            name="",
            span=6,
        ),
        *([matching(match, f"Between (q − p)/T of {name} and z − v.")] if match else []),
    ]


def matching(match: Matching, under: str) -> Block:
    """Draw how the soft gradient becomes that of matching logits as T grows."""
    return charts.lines(
        "Soft gradients become those of matching logits",
        "log₁₀ of T",
        np.log10(match.temperatures),
        [("cosine, mean over the images", match.cosine)],
        faint=[match.low, match.high],
        under=f"{under} Thin: nine in ten images lie between.",
    )
