"""Dark knowledge: what the pinned network gives to the wrong classes."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st
from jaxtyping import Float

from core.distillation.comparing import Matching
from core.distillation.darkness import Darkness
from core.distillation.results import Shown
from core.shared.engine import EngineError, View
from ui import blocks, knowledge, screen, temperature, words
from ui.blocks import Block, figures
from ui.knowledge import Face
from ui.numbers import plain, share
from ui.panels.distillation.agreeing import TEMPERATURES, agreeing, matching
from ui.panels.distillation.desk import Desk
from ui.running import Rules

__all__ = ["knowing"]

CALLS = "core.distillation.asking:"
COUNT = 12  # images of a cell
LEAST = 1e-6  # what is below it is paper


def knowing(desk: Desk, rules: Rules) -> None:
    """Draw the mean probabilities of each true class, the images of a cell, and another network."""
    st.markdown(
        "Row by row the mean of the teacher's probabilities over the test images of a class, its "
        "own class left out: a 2 may be a little like a 3 and a little like a 7. At T = 1 that is "
        "next to nothing beside the answer; a higher temperature brings it to light."
    )
    if not desk.taught():
        return
    looks = desk.looks

    def cell(said: Any) -> None:
        looks["cell"] = None if said is None else (int(said[0]), int(said[1]))

    told: dict[str, Callable[[Any], object]] = {"T": desk.warm, "cell": cell}
    screen.screen("heat_dark", lambda: None, lambda _: _board(desk, _), told)
    agreeing(desk, rules)


def _decade(chances: Float[np.ndarray, "k k"]) -> float:
    """Begin the colours a decade below the least, so that they tell cells apart at each T."""
    least = float(np.nanmin(chances))
    return max(LEAST, 10.0 ** math.floor(math.log10(least))) if least > 0 else LEAST


def _board(desk: Desk, _: View | None) -> list[Block]:
    warm, classes = desk.looks["T"], desk.about.classes
    try:
        found: Darkness = desk.engine.call(f"{CALLS}dark", desk.source, warm)
        true, other = desk.looks["cell"] or found.likeliest
        if not (0 <= true < len(classes) and 0 <= other < len(classes)):
            true, other = found.likeliest
        cell: Shown = desk.engine.call(f"{CALLS}shown", desk.source, warm, true, other, COUNT)
        match: Matching = desk.engine.call(f"{CALLS}matched", desk.source, None, TEMPERATURES)
    except (EngineError, ValueError) as error:
        return [blocks.progress(0, words.sentence(str(error)), warn=True)]
    faces = [
        Face(
            pixels=pixels,
            name=f"#{index:,}, a {classes[true]}",
            words=f"{classes[other]}: {share(float(chances[other]))}",
            hard=true,
            probabilities=[chances],
            tells=int(index),
        )
        for pixels, index, chances in zip(
            cell.pixels, cell.cell.indices, cell.cell.chances, strict=True
        )
    ]
    return [
        temperature.dial("T", "Temperature T", warm),
        figures(
            [
                ("mean entropy in nats", plain(found.entropy), 1.0),
                ("mean largest probability", share(found.largest), 1.0),
                (
                    "most alike",
                    f"{classes[found.likeliest[0]]} like {classes[found.likeliest[1]]}",
                    1.0,
                ),
            ]
        ),
        knowledge.darkness(
            classes,
            found.wrong,
            title="What a true class (row) is given of another (column)",
            hint="Colours on a log scale; click a cell for its images.",
            chosen=(true, other),
            lowest=_decade(found.wrong),
        ),
        matching(match, "Between (q − p)/T of a student who knows nothing, and z − v."),
        knowledge.faces(
            faces,
            classes,
            ["teacher"],
            title=f"Which {classes[true]} is most like a {classes[other]}?",
            hint=f"Together these {len(faces)} have {words.share(float(cell.cell.share.sum()))} of "
            f"all that goes from {classes[true]} to {classes[other]}.",
            columns=4,
            name="",
        ),
    ]
