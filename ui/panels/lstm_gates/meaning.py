"""Finding meaning: which unit stands for what, chosen here and measured there."""

from collections.abc import Mapping

import numpy as np
import streamlit as st
from jaxtyping import Float

from core.lstm_gates import GATES, Gates, texts
from core.lstm_gates.features import FEATURES, features
from core.lstm_gates.finding import Finding, find
from core.lstm_gates.languages import LANGUAGES, Truth
from core.shared.engine import EngineError
from ui import words
from ui.panels.lstm_gates.desk import Desk
from ui.running import BOUND, Rules

__all__ = ["meaning"]

ALL = "all of them"


def meaning(desk: Desk, rules: Rules) -> None:
    """Draw the search for units that go with something that is known of the text."""
    text, known = _known(desk)
    if not known:
        st.info("Of this text nothing is known that changes from character to character.")
        return
    st.markdown(
        f"All units of all gates are searched while the network reads {len(text):,} characters "
        "that it did not learn from. A unit is *chosen* by the first half of them and measured on "
        "the second, *held out*: what is chosen from hundreds of units looks good on what chose "
        "it. *Chance* is the best of the same search after the feature was shifted along the text."
    )
    names = {name: words.spaced(name) for name in known}
    left, right = st.columns(2)
    chosen = left.selectbox(
        "What is known of each character",
        list(names),
        format_func=names.__getitem__,
        key="lstm_feature",
        **BOUND,
    )
    gates = (ALL, *GATES[desk.plan.cell])
    among = right.selectbox("Among the gates", gates, key="lstm_among", **BOUND)
    rules["lstm_feature"] = names[chosen], words.choices([*names.values()])
    rules["lstm_among"] = among, words.choices(gates)
    truth, feature = known[chosen]
    st.caption(truth.about)
    try:
        found: Gates = desk.ask("gates", text)
        searched = found.values if among == ALL else {among: found.values[among]}
        outcome = find(searched, feature, truth.whether)
    except (EngineError, ValueError) as error:
        st.warning(words.plain(words.sentence(str(error))))
        return
    _table(desk, outcome)


def _known(desk: Desk) -> tuple[str, Mapping[str, tuple[Truth, Float[np.ndarray, " t"]]]]:
    """Give what is searched, and what is known of it: the generator's states, and features."""
    text = texts.read(desk.plan.text, desk.plan.characters)
    piece = desk.long
    part = slice(text.cut, text.cut + len(piece))
    drawn = LANGUAGES[text.name].truths if text.name in LANGUAGES else {}
    known = {name: (drawn[name], np.asarray(text.truth[name][part])) for name in text.truth}
    for name, values in features(piece).items():
        if np.ptp(values[: len(values) // 2]) and np.ptp(values[len(values) // 2 :]):
            known.setdefault(name, (FEATURES[name], values))
    return piece, known


def _table(desk: Desk, outcome: Finding) -> None:
    area = outcome.measure == "area"
    rows = [
        {
            "gate": row.gate,
            "unit": row.unit,
            "held out": row.held_out,
            "chosen": row.chosen,
            "goes": "with it" if row.sign > 0 else "against it",
            "layer": row.layer + 1,
        }
        for row in outcome.rows
    ]
    told = "Area under the ROC curve" if area else "Correlation"
    best = outcome.rows[0]
    st.markdown(
        f"**{told}.** Best: **{best.gate}** of unit **{best.unit}** in layer {best.layer + 1}, "
        f"**{best.held_out:.3f}** on held-out text; chance {outcome.chance.held_out:.3f}."
    )
    number = st.column_config.NumberColumn(format="%.3f")
    picked = st.dataframe(
        rows,
        hide_index=True,
        column_config={"chosen": number, "held out": number},
        on_select="rerun",
        selection_mode="single-row",
        key=f"lstm_found_{desk.shown}",
    )
    chosen = picked["selection"]["rows"]
    st.caption(
        f"{outcome.halves[0]:,} characters chose, {outcome.halves[1]:,} were held out. "
        "Select a row and look at its unit above."
    )
    if chosen:
        row = outcome.rows[chosen[0]]
        st.button(
            f"Look at {row.gate} of unit {row.unit}, layer {row.layer + 1}",
            key="lstm_look",
            on_click=desk.looks.update,
            args=({"gate": row.gate, "unit": row.unit, "layer": row.layer + 1},),
        )
