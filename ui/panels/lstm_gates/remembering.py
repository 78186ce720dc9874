"""Memory: how long each unit keeps what it has, and one character edited."""

from typing import Any

import numpy as np
import streamlit as st

from core.lstm_gates import GATES
from core.lstm_gates.results import Edited, Memory
from core.shared.engine import EngineError
from ui import blocks, charts, screen, sequences, words
from ui.blocks import Block, Histogram
from ui.panels.lstm_gates.desk import Desk
from ui.panels.lstm_gates.wording import CALLED, EMPTY
from ui.running import BOUND, Rules
from ui.sequences import Lane, Line

__all__ = ["remembering"]

SHUT = "nearly shut, below 0.1"
OPEN = "nearly open, above 0.9"
NEXT = "the next one of its alphabet"
SPACES = {"\n": "↵ newline", " ": "␣ space", "\t": "⇥ tabulator"}


def remembering(desk: Desk, rules: Rules) -> None:
    """Draw how the gates are spread, and how a change dies away."""
    known = desk.alphabet[1:]
    shown = {NEXT: NEXT, **{each: SPACES.get(each, each) for each in known}}
    other = st.selectbox(
        "In place of the character chosen above stands",
        list(shown),
        format_func=lambda each: shown.get(each, each),
        key="lstm_other",
        **BOUND,
    )
    rules["lstm_other"] = shown[other], "a character that the network knows"

    def unit(said: Any) -> None:
        desk.looks["gate"], desk.looks["unit"] = str(said[0]), int(said[1])

    def time(said: Any) -> None:
        desk.looks["time"] = int(said)

    screen.screen(
        "lstm_memory",
        lambda: None,
        lambda _: _drawn(desk, other),
        {"memory_unit": unit, "edited_time": time},
    )


def _drawn(desk: Desk, other: str) -> list[Block]:
    looks, text = desk.looks, desk.typed
    place = min(looks["time"], len(text) - 1)
    layer = min(looks["layer"], desk.plan.layers) - 1
    try:
        found: Memory = desk.ask("memory", desk.long)
        first = [blocks.progress(0, EMPTY)]
        if text:
            known = desk.alphabet[1:]
            now = known[(known.find(text[place]) + 1) % len(known)] if other == NEXT else other
            first = _edited(desk.ask("edited", text, place, now), text, layer)
    except (EngineError, ValueError) as error:
        return [blocks.progress(0, words.sentence(str(error)), warn=True)]
    return [*first, *_spread(found, desk, layer)]


def _edited(apart: Edited, text: str, layer: int) -> list[Block]:
    was, now = (repr(each[apart.place])[1:-1] for each in (text, apart.edited))
    if was == now:
        told = "It stands there already: choose another one."
    elif apart.met is None:
        told = "At the end of the text the predictions still differ."
    else:
        told = (
            f"From {words.count(apart.met - apart.place, 'character')} after it on the predictions "
            f"differ by less than {100 * apart.threshold:g} %."
        )
    states = [Line(name="h", values=apart.hidden[layer], colour=5)]
    if apart.cells is not None:
        states.append(Line(name="c", values=apart.cells[layer], colour=4))
    far = "‖h − h′‖" if apart.cells is None else "‖c − c′‖ and ‖h − h′‖"
    high = max(float(np.max(each.values)) for each in states) or 1.0
    parted = Line(name="p", values=apart.variation, colour=0)
    return [
        sequences.along(
            text,
            [Lane(lines=states, high=high), Lane(lines=[parted])],
            at=apart.place,
            title=f"One character edited: {was} becomes {now}",
            hint=f"Distance {far} of the two readings in layer {layer + 1}; p: total variation of "
            f"their predictions. {told}",
            name="edited_time",
        )
    ]


def _spread(found: Memory, desk: Desk, layer: int) -> list[Block]:
    gates = list(found.counts)
    if not gates:
        return [blocks.progress(0, "A plain RNN has no gates: it keeps nothing as it is.")]
    names = GATES[desk.plan.cell]
    spread = found.saturation
    looks = desk.looks
    machine = " The time machine above moves it." if desk.shown in desk.views else ""
    histograms = [
        Histogram(
            name=f"{gate}, {CALLED[gate]}",
            counts=found.counts[gate][layer],
            low=0.0,
            high=1.0,
            words=f"mean {spread.mean[gate][layer].mean():.2f}",
            warn=False,
        )
        for gate in gates
    ]
    steps = np.sort(found.steps[layer])[::-1]
    return [
        sequences.saturation(
            [(gate, spread.left[gate][layer]) for gate in gates],
            [spread.right[gate][layer] for gate in gates],
            colours=[names.index(gate) for gate in gates],
            chosen=(looks["gate"], looks["unit"]),
            title=f"How often each unit of layer {layer + 1} is nearly shut, and nearly open",
            hint=f"In the corner 0, 0 a gate is always in between.{machine}",
            axes=(SHUT, OPEN),
            name="memory_unit",
        ),
        charts.lines(
            f"Effective memory 1 / (1 − mean {found.gate}), in characters",
            "units, the longest first",
            np.arange(1.0, len(steps) + 1),
            [("1 / (1 − mean)", np.where(np.isfinite(steps), steps, np.nan))],
            log=True,
            under=f"Half of the units keep for {np.median(steps):.1f} characters or more.",
        ),
        blocks.histograms(
            f"Values of the gates of layer {layer + 1} over {len(desk.long):,} characters",
            histograms,
            span=6,
        ),
    ]
