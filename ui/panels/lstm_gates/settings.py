"""The settings of a run: widgets in, a plan out; each stands in the address."""

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from core.lstm_gates import CELLS, OPTIMISERS, Plan, room, texts
from ui import address, words
from ui.own_text import Shelf
from ui.running import BOUND, Rules

__all__ = ["CELL_NAMES", "MOVABLE", "planned", "settings"]

CELL_NAMES = {"lstm": "LSTM", "gru": "GRU", "rnn": "plain RNN (tanh)"}
OPTIMISER_NAMES = {"adam": "Adam", "rmsprop": "RMSProp", "sgd": "SGD"}
UNITS = (16, 32, 64, 128, 256, 512)
INPUTS = (0, 8, 16, 32, 64, 128)
BIASES = (-2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 5.0)
DROPOUTS = (0.0, 0.1, 0.2, 0.3, 0.5)
WINDOWS = (4, 8, 16, 32, 64, 128, 256)
BATCHES = (1, 4, 8, 16, 32, 64, 128)
COOLINGS = (0.0, 0.25, 0.5, 0.75, 1.0)
CLIPS = (0.0, 0.1, 0.25, 0.5, 1.0, 5.0, 20.0)
RATES = (0.0001, 0.0003, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0)
STEPS = (100, 200, 300, 400, 600, 1_000, 1_500, 2_000, 5_000, 10_000, 20_000)
MOVABLE = ("learning_rate", "clip")  # also while a run is live
KNOWN = (  # what else may stand in the address: what has rules where it is drawn
    *("lstm_text", "lstm_run", "lstm_tab", "lstm_feature", "lstm_among", "lstm_hold", "lstm_held"),
    *("lstm_when", "lstm_other", "lstm_temperature", "lstm_draws"),
)


def settings(
    asked: Mapping[str, str], steer: Callable[[str, str], None], looks: Rules
) -> tuple[Plan, str]:
    """Draw the settings.

    Args:
        asked: what the address asked for when the page was opened.
        steer: takes the field and the widget's key of what a live run may go on with.
        looks: what else the address may ask for: its present value, and the rule for it.

    Returns: the plan of a new run, and a sentence on why there can be no such run, or nothing.
    """
    usual, rules = Plan(), dict(looks)
    given: dict[str, Any] = {"text": SHELF.choose(asked)}

    def box(label: str, name: str, names: Mapping[str, str]) -> Any:
        key = f"lstm_{name}"
        first = [*names].index(getattr(usual, name))
        chosen = st.selectbox(
            label, [*names], first, format_func=names.__getitem__, key=key, **BOUND
        )
        rules[key] = names[chosen], words.choices([*names.values()])
        given[name] = chosen
        return chosen

    def slide(
        label: str, name: str, values: tuple[Any, ...], told: str = "", zero: str = "", **more: Any
    ) -> None:
        def said(value: Any) -> str:
            return zero if zero and not value else f"{value:,g}"

        key = f"lstm_{name}"
        given[name] = st.select_slider(
            label,
            values,
            getattr(usual, name),
            format_func=said,
            key=key,
            help=told or None,
            **more,
            **BOUND,
        )
        rules[key] = said(given[name]), words.choices([said(each) for each in values])

    def moving(name: str) -> dict[str, Any]:
        return {"on_change": steer, "args": (name, f"lstm_{name}")}

    cell = box("Cell", "cell", {each: CELL_NAMES[each] for each in CELLS})
    slide("Layers", "layers", (1, 2, 3))
    slide("Units a layer", "units", UNITS)
    slide("Learning rate η", "learning_rate", RATES, **moving("learning_rate"))
    slide("Steps", "steps", STEPS, "Of the optimiser, each of batch × window characters.")
    seed = st.number_input("Seed", 0, 2**31 - 1, 0, key="lstm_seed", **BOUND)
    rules["lstm_seed"] = seed, "a whole number from 0 to 2,147,483,647"
    with st.expander("Window, clipping, start", key="lstm_more", on_change="ignore"):
        slide(
            "Window",
            "window",
            WINDOWS,
            "Characters through which a gradient goes back (truncated backpropagation).",
        )
        slide("Places read side by side", "batch", BATCHES)
        slide(
            "η falls over the last share of steps",
            "cooling",
            COOLINGS,
            "In a line to almost 0; 0 for a rate that stays.",
        )
        slide("Clip the gradient's norm at", "clip", CLIPS, zero="no clipping", **moving("clip"))
        slide(
            "Forget gates' bias at first",
            "forget_bias",
            BIASES,
            "The sum of the two that torch has. Of other cells there is none.",
            disabled=cell != "lstm",
        )
        slide("Values of a character", "embedding", INPUTS, zero="one-hot")
        slide("Dropout between layers", "dropout", DROPOUTS, disabled=given["layers"] == 1)
        box("Optimiser", "optimiser", {each: OPTIMISER_NAMES[each] for each in OPTIMISERS})
    address.refuse("lstm", asked, rules, KNOWN)
    try:
        plan = Plan(seed=int(seed), **given)
        room.require_room(plan)
    except ValueError as error:
        return Plan(), str(error)
    return plan, ""


def planned(plan: Plan) -> str:
    """Say how large a run by this plan is."""
    text = texts.read(plan.text, plan.characters)
    weights = room.parameters(plan, len(text.alphabet))
    read = plan.steps * plan.batch * plan.window
    return (
        f"A new run: {weights:,} weights, {len(text.alphabet)} characters in its alphabet, "
        f"{read:,} characters read, {read / text.cut:.1f} times the text."
    )


def _about(name: str) -> str:
    if name in texts.TEXTS:
        return texts.TEXTS[name].about
    text = texts.read(name)
    return f"{len(text.content):,} characters, {len(text.alphabet) - 1} different ones."


SHELF = Shelf(
    prefix="lstm",
    titles={name: about.title for name, about in texts.TEXTS.items()},
    read=texts.read,
    about=_about,
    use="train on it",
)
