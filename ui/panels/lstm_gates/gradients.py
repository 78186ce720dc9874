"""Gradients through time: how far back a prediction depends on what was read."""

from typing import Any

import numpy as np
import streamlit as st

from core.lstm_gates.results import Influence, ThroughTime
from core.shared.engine import EngineError
from ui import blocks, charts, inside, screen, sequences, words
from ui.blocks import Block
from ui.inside import Choice
from ui.panels.lstm_gates.desk import Desk
from ui.panels.lstm_gates.wording import COLOURED, CUTS, PREDICTED

__all__ = ["gradients"]

LEAST = 1e-12  # end of the axis of norms
DECADES = 6  # that have a colour
SHORTEST = 2  # characters
SURE = 0.01  # bits
SPREAD = "the mean over the units is that of those that keep, the geometric one that of most."
ALONG = {  # by the gate that keeps: what the gradient would be if nothing but it went on
    "f": f"Along the cells alone a gradient by c is multiplied by f at each character: {SPREAD}",
    "z": f"Where z alone goes on, a gradient by h is multiplied by it at each character: {SPREAD}",
    "": "A plain RNN has no gate that keeps: all of h goes through the weights at each character.",
}


def gradients(desk: Desk, _: object) -> None:
    """Draw the norms against distance, and which character influenced which prediction."""
    looks = desk.looks
    chosen = {"of": PREDICTED, "scale": COLOURED, "cut": CUTS}

    def choose(name: str) -> Any:
        def told(said: Any) -> None:
            if said in chosen[name]:
                looks[name] = said

        return told

    def pair(said: Any) -> None:
        looks["pair"] = int(said[0]), int(said[1])

    st.markdown(
        "How far back does a prediction look? First, the gradient of the last character's bits by "
        "what was kept after each character before it. Below, each row is a prediction, each "
        "column a character that it may depend on."
    )
    screen.screen(
        "lstm_gradients",
        lambda: None,
        lambda _: _drawn(desk, looks),
        {"pair": pair, **{name: choose(name) for name in chosen}},
    )


def _drawn(desk: Desk, looks: dict[str, Any]) -> list[Block]:
    text = desk.typed[: desk.most("influence")]
    if len(text) < SHORTEST:
        return [blocks.progress(0, "Type at least two characters.", warn=True)]
    window = desk.plan.window if looks["cut"] == "yes" else 0
    try:
        norms: ThroughTime = desk.ask("through_time", text)
        found: Influence = desk.ask("influence", text, looks["of"], "log_probability", window)
    except (EngineError, ValueError) as error:
        return [blocks.progress(0, words.sentence(str(error)), warn=True)]
    rows = [
        Choice(name="of", label="Prediction of", values=[*PREDICTED.items()], chosen=looks["of"]),
        Choice(name="scale", label="Colour", values=[*COLOURED.items()], chosen=looks["scale"]),
        Choice(
            name="cut",
            label="Gradient",
            values=[(each, told.format(desk.plan.window)) for each, told in CUTS.items()],
            chosen=looks["cut"],
        ),
    ]
    drawn = [_norms(norms, desk), inside.choices(rows), _map(found, looks, desk)]
    if len(text) < len(desk.typed):
        drawn.insert(0, blocks.progress(0, f"Of the first {len(text)} characters of the text."))
    return drawn


def _norms(norms: ThroughTime, desk: Desk) -> Block:
    """Draw the norms against the distance to the prediction."""
    layer = min(desk.looks["layer"], desk.plan.layers) - 1
    distance = np.arange(float(norms.hidden.shape[1]))
    rows = [("‖∂L/∂h‖", norms.hidden[layer][::-1])]
    if norms.cells is not None:
        rows.insert(0, ("‖∂L/∂c‖", norms.cells[layer][::-1]))
    if norms.geometric is not None:
        rows.append((f"Π {norms.gate}, geometric mean", norms.geometric[layer][::-1]))
    if norms.product is not None:
        rows.append((f"Π {norms.gate}, mean", norms.product[layer][::-1]))
    last = repr(norms.text[norms.target])[1:-1]
    sure = " It was sure of it: there is hardly a gradient." if norms.bits < SURE else ""
    return charts.lines(
        f"Gradient of the {norms.bits:.2f} bits of the last character, {last}",
        "characters back",
        distance,
        [(name, np.where(values > LEAST, values, np.nan)) for name, values in rows],
        log=True,
        span=12,
        under=f"Layer {layer + 1}. {ALONG[norms.gate]}{sure}",
    )


def _map(found: Influence, looks: dict[str, Any], desk: Desk) -> Block:
    values = np.nan_to_num(found.values)
    most = float(values.max()) or 1.0
    match looks["scale"]:
        case "rows":
            shown, ends = np.nan_to_num(found.normalised), ("0", "the row's largest")
        case "log":
            decades = np.log10(np.maximum(values, LEAST) / most)
            shown = np.clip(1 + decades / DECADES, 0, 1)
            ends = (f"{most * 10**-DECADES:.0e} or less", f"{most:.2g}")
        case _:
            shown, ends = values / most, ("0", f"{most:.2g}")
    length = len(found.text)
    # Windows follow each other; none of them slides.
    edges = [row - row % found.window for row in range(length)] if found.window else ()
    pair = tuple(min(int(each), length - 1) for each in looks["pair"])
    return sequences.influence(
        found.text,
        shown,
        values,
        what="‖∂ log p / ∂x‖",
        ends=ends,
        at=(pair[0], pair[1]),
        title=f"Which character influenced the prediction of {PREDICTED[found.of]}",
        edges=edges,
        hint="A row is the prediction after its character, a column what was read. Above the "
        "diagonal there is nothing: nobody reads the future.",
    )
