"""Where the hard label and the teacher pull each logit."""

from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st
from jaxtyping import Float

from core.distillation import DISTIL, LOGITS
from core.distillation.pulling import pull
from core.distillation.results import Pictured
from core.shared.engine import EngineError, View
from ui import blocks, inside, screen, temperature, words
from ui.blocks import Block, drag, figures
from ui.inside import Choice
from ui.numbers import known
from ui.panels.distillation.desk import Desk
from ui.panels.distillation.looking import PULLED
from ui.running import newest
from ui.temperature import Arrows

__all__ = ["pulling"]

PICTURE = "core.distillation.asking:picture"


def pulling(desk: Desk) -> None:
    """Draw both gradients for a test image and a student."""
    st.markdown(
        "A new student has all logits alike. Cross-entropy pulls by **q₁ − y**: one class up, "
        "all others down alike. The teacher pulls by **(q − p)/T**: also apart among the wrong "
        "ones. That gradient falls as 1/T², so the soft term is multiplied by T²: else a high "
        "temperature would leave it nothing to say beside the hard one."
    )
    if not desk.taught():
        return
    looks = desk.looks

    def student(said: Any) -> None:
        if said in PULLED:
            looks["student"] = said

    told: dict[str, Callable[[Any], object]] = {
        "T": desk.warm,
        "pulled": desk.image("pulled"),
        "student": student,
    }
    screen.screen("heat_pull", lambda: None, lambda _: _board(desk, _), told)


def _board(desk: Desk, _: View | None) -> list[Block]:
    warm, classes = desk.looks["T"], desk.about.classes
    try:
        seen: Pictured = desk.engine.call(PICTURE, desk.source, desk.looks["pulled"])
    except (EngineError, ValueError) as error:
        return [blocks.progress(0, words.sentence(str(error)), warn=True)]
    whose = desk.looks["student"]
    choice = Choice(name="student", label="The student", values=[*PULLED.items()], chosen=whose)
    head = [
        drag("pulled", "Test image", 0, seen.count - 1, seen.index),
        inside.choices([choice]),
        temperature.dial("T", "Temperature T", warm),
    ]
    try:
        found = pull(_student(desk, whose, seen.index), seen.logits, seen.label, warm)
    except (EngineError, KeyError, ValueError) as error:
        return [*head, blocks.progress(0, words.sentence(str(error)), warn=True)]
    limited = warm > 0 and np.isfinite(warm)
    rows = [
        Arrows(name="hard: q₁ − y", values=found.hard),
        Arrows(name="soft: (q − p)/T", values=found.soft, note="without T²"),
        Arrows(name="soft: T² (q − p)/T", values=found.squared, note="with T²"),
        *([Arrows(name="limit: (z − v)/(N T²)", values=found.limit)] if limited else []),
    ]
    return [
        *head,
        temperature.arrows(
            classes,
            [each for each in rows if np.isfinite(each.values).all()],
            title=f"Gradients by the student's logits; the image is a {classes[seen.label]}",
            span=12,
        ),
        figures(
            [
                ("‖hard‖", known(float(np.linalg.norm(found.hard))), 1.0),
                ("‖soft‖", known(float(np.linalg.norm(found.soft))), 1.0),
                ("‖soft · T²‖", known(float(np.linalg.norm(found.squared))), 1.0),
                ("cosine of soft and z − v", known(found.cosine), 1.2),
            ]
        ),
    ]


def _student(desk: Desk, whose: str, index: int) -> Float[np.ndarray, " k"]:
    """Give the logits of a student for a test image.

    Raises: ValueError when there is no such student; EngineError when it cannot be asked.
    """
    count = len(desk.about.classes)
    if whose == "new":
        return np.zeros(count)
    if whose == "sliders":
        if len(desk.looks["own"]) != count:
            raise ValueError(f"the ten sliders must be of ten classes, got a network of {count}")
        return np.array(desk.looks["own"], np.float64)
    view = newest(desk.engine, desk.visitor, desk.source, DISTIL)
    if view is None or view.status == "waiting" or "distilled" not in view.config["arms"]:
        raise ValueError("no distilled student of this network is here: let students learn first")
    found: Float[np.ndarray, " k"] = desk.engine.ask(view.run, LOGITS, "distilled", (index,))[0]
    return np.array(found, np.float64)
