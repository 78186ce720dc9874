"""The race: four cells learn the same copying task, and their gradients reach as far as they do."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

from core.lstm_gates.races import RACE, RUNNERS, Race, Raced
from core.shared.engine import Engine, View
from ui import address, blocks, charts, live, running, screen
from ui.blocks import Block
from ui.running import Rules

__all__ = ["racing"]

LEAST = 1e-12  # end of the axis of norms
DISTANCES = (5, 10, 20, 40, 80)
SYMBOLS = (1, 2, 4)
STEPS = (300, 600, 1_500, 3_000)


def racing(engine: Engine, visitor: str) -> None:
    """Draw the settings of a race, and the newest one."""
    st.markdown(
        "Four networks of 32 units read the same texts: some symbols, a long pause, and then they "
        "are asked for them. What they learn from must come back through the pause: watch how much "
        "of the gradient does, while they train."
    )
    asked, columns, rules = address.asked("race"), st.columns(4), Rules()
    distance = running.choose(columns[0], "Distance", DISTANCES, "race_distance", rules, usual=2)
    symbols = running.choose(columns[1], "Symbols", SYMBOLS, "race_symbols", rules, usual=1)
    steps = running.choose(
        columns[2], "Steps", STEPS, "race_steps", rules, usual=2, said="{:,}".format
    )
    seed = running.choose_seed(columns[3], "race_seed", rules)
    address.refuse("race", asked, rules, ())
    view = next((each for each in engine.runs_of(visitor) if each.function == RACE), None)
    moving = view is not None and view.live

    def start() -> None:
        made = Race(distance=distance, symbols=symbols, steps=steps, seed=seed)
        live.trying(engine.submit, RACE, made, visitor=visitor)

    with st.container(horizontal=True):
        st.button(
            "Start the race",
            key="race_start",
            on_click=start,
            icon=":material/sprint:",
            disabled=moving,
        )
        st.button(
            "Stop",
            key="race_stop",
            on_click=live.trying,
            args=(engine.stop, view.run if view else ""),
            disabled=not moving,
        )
    if view is None:
        return
    run = view.run

    def drawn(now: View | None) -> list[Block]:
        if now is None:
            return []
        told = [live.standing(now, resumes=False)]
        return told if now.state is None else [*told, *_drawn(now.state, now.config)]

    screen.screen("race_screen", lambda: live.seen(engine, run), drawn, {})


def _drawn(state: Raced, config: Mapping[str, Any]) -> list[Block]:
    names = [each.title for each in RUNNERS]

    def rows(values: np.ndarray) -> list[tuple[str, np.ndarray]]:
        return [(name, row) for name, row in zip(names, values, strict=True)]

    def back(values: np.ndarray) -> list[tuple[str, np.ndarray]]:
        return rows(np.where(values > LEAST, values, np.nan)[:, ::-1])

    distance = np.arange(float(state.hidden.shape[1]))
    far = f"steps back from where it is asked; the symbols were {config['distance']} steps back"
    drawn = [blocks.figures([("step", f"{state.step:,} of {state.steps:,}", 1.0)])]
    if len(state.points):
        drawn += [
            charts.lines(
                "Bits a symbol to be said",
                "step",
                state.points,
                rows(state.bits),
                under=f"{state.CHANCE:g} bits is guessing among eight.",
            ),
            charts.lines("Said right", "step", state.points, rows(state.right), share=True),
        ]
    drawn += [
        charts.lines(
            "‖∂L/∂h‖ by distance, newest weights",
            far,
            distance,
            back(state.hidden),
            log=True,
        ),
        charts.lines(
            "‖∂L/∂c‖ by distance",
            far,
            distance,
            back(state.cells),
            log=True,
            under="The RNN and the GRU have no c.",
        ),
        charts.lines(
            "Π of the gates that keep (f, or z): geometric mean over the units",
            far,
            distance,
            back(state.geometric),
            log=True,
        ),
    ]
    if len(state.points):
        drawn.append(
            charts.lines(
                "Norm of the gradient by all weights, before clipping",
                "step",
                state.points,
                back(state.norms[:, ::-1]),
                log=True,
            )
        )
    return drawn
