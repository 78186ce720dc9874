"""Intervene: hold a gate or a cell, and see the predictions move."""

from typing import Any

import numpy as np
import streamlit as st

from core.lstm_gates import GATES, RANGES, Clamp, Gates
from core.lstm_gates.results import Clamped
from core.shared.engine import EngineError
from ui import blocks, screen, sequences, words
from ui.blocks import Block
from ui.panels.lstm_gates.desk import Desk
from ui.panels.lstm_gates.screen import largest, place_of
from ui.panels.lstm_gates.wording import CALLED, EMPTY
from ui.running import BOUND, Rules
from ui.sequences import Guesses, Lane, Line

__all__ = ["holding"]

ONE, ALL = "the chosen unit", "all units of the layer"
WHOLE = "over the whole text"
SPANS = {  # from the chosen character on, so many characters; None for all that follow
    "from the chosen character on": None,
    "at the chosen character alone": 1,
    "for 5 characters from it on": 5,
    "for 20 characters from it on": 20,
}
SHOWN = 4  # characters whose probabilities are drawn
WIDEST = 4.0  # of c, where it cannot be asked


def holding(desk: Desk, rules: Rules) -> None:
    """Draw what is held, and what comes of it."""
    st.markdown(
        "Correlation is no cause. Hold a value while the text above is read: all that comes after "
        "is computed from what is held. The unit, layer and character are those chosen above."
    )
    gates = GATES[desk.plan.cell]
    called = {each: f"{each}, {CALLED[each]}" for each in gates}
    columns = st.columns([1, 1.4, 1.6, 2])
    gate = columns[0].selectbox(
        "Hold",
        gates,
        gates.index("c") if "c" in gates else 0,
        format_func=called.__getitem__,
        key="lstm_hold",
        **BOUND,
    )
    units = columns[1].selectbox("of", (ONE, ALL), key="lstm_held", **BOUND)
    span = columns[2].selectbox("when", (WHOLE, *SPANS), key="lstm_when", **BOUND)
    rules["lstm_hold"] = called[gate], words.choices([*called.values()])
    rules["lstm_held"] = units, words.choices([ONE, ALL])
    rules["lstm_when"] = span, words.choices([WHOLE, *SPANS])
    low, high = RANGES.get(gate) or _ends(desk)
    key = f"lstm_at_{gate}_{high:g}"  # each has a slider of its own, which begins where one was
    first = st.session_state.setdefault(f"{key}_first", min(max(desk.looks["held"], low), high))
    value = columns[3].slider(
        "at", low, high, first, (high - low) / 40, key=key, format="%.2f", persist_state="session"
    )
    desk.looks["held"] = value

    def draw(_: object) -> list[Block]:
        return _drawn(desk, gate, units == ONE, span, value)

    def time(said: Any) -> None:
        desk.looks["time"] = int(said)

    screen.screen("lstm_holding", lambda: None, draw, {"held_time": time})


def _ends(desk: Desk) -> tuple[float, float]:
    """Give the range of the unit's c over a long text, rounded up: what is typed moves it not."""
    try:
        found: Gates = desk.ask("gates", desk.long)
    except (EngineError, ValueError):
        return -WIDEST, WIDEST
    place = place_of(found, desk.looks)
    most = largest(found.values["c"][place.layer][:, place.unit])
    return -max(1.0, float(np.ceil(most))), max(1.0, float(np.ceil(most)))


def _drawn(desk: Desk, gate: str, one: bool, span: str, value: float) -> list[Block]:
    looks, text, plan = desk.looks, desk.typed, desk.plan
    if not text:
        return [blocks.progress(0, EMPTY)]
    layer, unit = min(looks["layer"], plan.layers) - 1, min(looks["unit"], plan.units - 1)
    time = min(looks["time"], len(text) - 1)
    first, length = (0, None) if span == WHOLE else (time, SPANS[span])
    last = None if length is None else min(time + length, len(text)) - 1
    clamp = Clamp(gate, value, layer, (unit,) if one else (), first, last)
    try:
        found: Clamped = desk.ask("clamped", text, (clamp,))
    except (EngineError, ValueError) as error:
        return [blocks.progress(0, words.sentence(str(error)), warn=True)]
    held = found.gates
    before, after = (
        f"{each[1:].mean():.3f}" if len(each) > 1 else "–" for each in (found.bits, held.bits)
    )
    what = f"unit {unit}" if one else f"all {plan.units} units"
    unknown = np.flatnonzero(held.unknown).tolist()
    lines = []
    for number, character in enumerate(found.characters[:SHOWN]):
        name = {"\n": "↵", " ": "␣"}.get(character, character)
        lines += [
            Line(name=name, values=found.after[:, number], colour=number),
            Line(name=f"{name}°", values=found.before[:, number], colour=number, dashed=True),
        ]
    return [
        blocks.figures(
            [
                ("bits a character, free", before, 1.0),
                ("held", after, 1.0),
                ("predictions apart, at most", words.share(float(found.apart.max())), 1.2),
            ]
        ),
        sequences.passage(
            text,
            found.apart,
            Guesses(
                alphabet=held.alphabet,
                likeliest=held.likeliest,
                probabilities=held.probabilities,
                bits=held.bits,
            ),
            what="total variation of the two predictions",
            at=time,
            title=f"With {gate} of {what} held at {value:.2f}".replace("-", "−"),
            five=True,
            hint="Colour: how far its prediction is from the free one. Below: what it expects now; "
            "a ring has what really came.",
            unknown=unknown,
            name="held_time",
        ),
        sequences.along(
            text,
            [Lane(lines=lines)],
            at=time,
            title="Probability of the next character: those that move most",
            hint="Dashed and with °: the free network.",
            unknown=unknown,
            name="held_time",
        ),
    ]
