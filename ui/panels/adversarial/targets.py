"""Which class can be made to be read as which: a matrix that is drawn as it comes."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from core.adversarial import Attack, studies
from core.adversarial.studies import EACH, Targeted, TargetMatrix
from core.shared.engine import Engine
from core.shared.models import About, Source
from ui import address, blocks
from ui.blocks import Block, Picture
from ui.panels.adversarial.cells import PLACES, as_set, cell_of, gallery, made, tell_cell
from ui.running import Rules, choose, study

__all__ = ["targets"]


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
    each = choose(
        st.columns([1, 4])[0], "Images of each class", EACH, "matrix_each", rules, usual=2
    )
    address.refuse("matrix", asked, rules, ())
    attack, told = as_set(config, looks)
    st.caption(f"{told}, with each class as the target in turn, until it is reached.")

    def wish() -> TargetMatrix:
        looks["cell"] = None
        return TargetMatrix(source=source, each=each, attack=replace(attack, early=True))

    study(
        engine,
        visitor,
        source,
        studies.TARGETS,
        ("matrix", "Try all targets", "grid_on"),
        wish,
        lambda state, given: _draw(
            state, given["attack"], about, cell_of(looks, "cell", state.tried.shape)
        ),
        {"targets": tell_cell(looks, "cell"), "example": lambda _: None},
    )


def _draw(
    state: Targeted, config: Mapping[str, Any], about: About, cell: tuple[int, int] | None
) -> list[Block]:
    tried, fooled = int(state.tried.sum()), int(state.fooled.sum())
    method, size = made(config)
    title = f"Images that {method} makes the target, up to {size}"
    share = fooled / tried if tried else 0.0
    return [
        blocks.matrix(
            "targets",
            state.fooled,
            about.classes,
            title,
            state.working or f"the target; {share:.0%} of {tried:,} are reached",
            cell,
            span=7,
            alt=f"{title}: {fooled:,} of {tried:,} reach their target",
        ),
        _gallery(state, about, cell),
    ]


def _gallery(state: Targeted, about: About, cell: tuple[int, int] | None) -> Block:
    """Show the pictures of a cell; one each of some cells while none is chosen."""
    cells = [cell] if cell else _spread(state)
    pictures = [
        Picture(
            pixels=each / 255,
            name=f"{about.classes[true]} → {about.classes[target]}",
            words="changed",
            tells=k,
        )
        for true, target in cells
        for k, each in enumerate(state.examples.get(f"{true}-{target}", ())[: None if cell else 1])
    ]
    hint = "Click a cell to see its pictures." + (" Here is one each of some." if pictures else "")
    if cell:
        true, target = (about.classes[k] for k in cell)
        hint = f"True {true}, read as {target}: {state.fooled[cell]} of {state.tried[cell]}."
    return gallery("example", hint, pictures, about)


def _spread(state: Targeted) -> list[tuple[int, int]]:
    """Choose cells with pictures, of other classes and other targets as far as there are."""
    count = len(state.fooled)
    order = [(k, (k + shift) % count) for shift in range(1, count) for k in range(count)]
    return [cell for cell in order if state.fooled[cell]][:PLACES]
