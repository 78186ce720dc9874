"""Which class can be made to be read as which: a matrix that is drawn as it comes."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from core.adversarial import METHODS, NORMS, Attack, studies
from core.adversarial.studies import EACH, Targeted, TargetMatrix
from core.shared.engine import Engine
from core.shared.models import About, Source
from ui import address, blocks
from ui.blocks import Block, Picture
from ui.panels.adversarial.settings import epsilon_of, said
from ui.pinned import look_of
from ui.running import Rules, choose, study

__all__ = ["targets"]

PLACES = 6  # of the gallery


def targets(
    engine: Engine,
    visitor: str,
    source: Source,
    about: About,
    config: Attack,
    looks: dict[str, Any],
) -> None:
    """Draw the settings and the newest matrix of the pinned network."""
    if not about.data:
        st.info("The matrix needs test images: choose a network whose data are here, as MNIST's.")
        return
    asked, rules = address.asked("matrix"), Rules()
    epsilon = epsilon_of(config.norm, looks["places"][config.norm])
    each = choose(
        st.columns([1, 4])[0], "Images of each class", EACH, "matrix_each", rules, usual=2
    )
    address.refuse("matrix", asked, rules)
    st.caption(
        f"{config.about.title} as it is set on the right, up to {said(config.norm, epsilon)} in "
        f"{NORMS[config.norm]}, with each class as the target in turn, until it is reached."
    )

    def wish() -> TargetMatrix:
        looks["cell"] = None
        attack = replace(config, epsilon=epsilon, target=None, early=True)
        return TargetMatrix(source=source, each=each, attack=attack)

    def cell(told: Any) -> None:
        looks["cell"] = None if told is None else (int(told[0]), int(told[1]))

    study(
        engine,
        visitor,
        source,
        studies.TARGETS,
        ("matrix", "Try all targets", "grid_on"),
        wish,
        lambda state, given: _draw(state, given["attack"], about, looks.get("cell")),
        {"targets": cell, "example": lambda _: None},
    )


def _draw(
    state: Targeted, config: Mapping[str, Any], about: About, cell: tuple[int, int] | None
) -> list[Block]:
    tried, fooled = int(state.tried.sum()), int(state.fooled.sum())
    method = METHODS[str(config["method"])].title
    size = said(str(config["norm"]), float(config["epsilon"]))
    title = f"Images that {method} makes the target, up to {size}"
    share = fooled / tried if tried else 0.0
    drawn = [
        blocks.matrix(
            "targets",
            state.fooled,
            about.classes,
            title,
            state.working or f"the target; {share:.0%} of {tried:,} are reached",
            cell,
            span=7,
            alt=f"{title}: {fooled:,} of {tried:,} reach their target",
        )
    ]
    pictures = []
    hint = "Click a cell to see its images."
    if cell is not None and max(cell) < len(about.classes):
        true, target = (about.classes[k] for k in cell)
        shown = state.examples.get(f"{cell[0]}-{cell[1]}", ())
        hint = f"True {true}, read as {target}: {len(shown)} of {state.tried[cell]}."
        pictures = [
            Picture(pixels=each / 255, name=f"{true} → {target}", words="changed", tells=k)
            for k, each in enumerate(shown[:PLACES])
        ]
    drawn.append(
        blocks.gallery(
            "example",
            "Its images, changed",
            hint,
            pictures,
            grey=look_of(about) == "grey",
            columns=3,
            span=5,
        )
    )
    return drawn
