"""Finding meaning: which unit stands for what, chosen here and measured there."""

from collections.abc import Mapping

import numpy as np
import streamlit as st
from jaxtyping import Float

from core.lstm_gates import GATES, Gates, texts
from core.lstm_gates.features import FEATURES, features
from core.lstm_gates.finding import Finding, survey
from core.lstm_gates.languages import LANGUAGES, Truth
from core.shared.engine import EngineError
from ui import words
from ui.panels.lstm_gates.desk import Desk
from ui.running import BOUND, Rules

__all__ = ["meaning"]

ALL = "all of them"
MEASURES = {"area": "area under the ROC curve", "correlation": "correlation"}
Known = Mapping[str, tuple[Truth, Float[np.ndarray, " t"]]]


def meaning(desk: Desk, rules: Rules) -> None:
    """Draw the search for units that go with something that is known of the text."""
    text, known = _known(desk)
    st.markdown(
        f"All units of all gates are searched while the network reads {len(text):,} characters "
        "that it did not learn from. A unit is *chosen* by the first half of them and measured on "
        "the second, *held out*: what is chosen from hundreds of units looks good on what chose "
        "it. *Chance* is the best of the same search after the feature was shifted along the text."
    )
    try:
        found: Gates = desk.ask("gates", text)
    except (EngineError, ValueError) as error:
        st.warning(words.plain(words.sentence(str(error))))
        return
    outcomes = _survey(found, known, ALL)
    known = {name: known[name] for name in outcomes}
    names = {name: words.spaced(name) for name in known}
    _overview(outcomes, names)
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
    st.caption(known[chosen][0].about)
    searched = outcomes if among == ALL else _survey(found, {chosen: known[chosen]}, among)
    _table(desk, searched[chosen])


def _survey(found: Gates, known: Known, among: str) -> dict[str, Finding]:
    """Search all units for all that is known; the last search is kept for the next script run."""
    key = among, tuple(known), hash(found.values["h"].tobytes())
    kept = st.session_state.setdefault("lstm_survey", {})
    if kept.get(among, ("",))[0] != key:
        values = found.values if among == ALL else {among: found.values[among]}
        features = {name: feature for name, (_, feature) in known.items()}
        kept[among] = key, survey(values, features, {name: each[0] for name, each in known.items()})
    outcomes: dict[str, Finding] = kept[among][1]
    return outcomes


def _overview(outcomes: Mapping[str, Finding], names: Mapping[str, str]) -> None:
    """List how well the best unit goes with each thing that is known."""
    rows = [
        {
            "known": names[name],
            "best": f"{each.rows[0].gate} {each.rows[0].unit}",
            "held out": each.rows[0].held_out,
            "chance": each.chance.held_out,
            "measure": MEASURES[each.measure],
        }
        for name, each in outcomes.items()
    ]
    rows.sort(key=lambda row: float(row["chance"]) - float(row["held out"]))  # type: ignore[arg-type]
    number = st.column_config.NumberColumn(format="%.3f")
    st.markdown("**What it knows**, what goes farthest beyond chance first:")
    st.dataframe(
        rows,
        hide_index=True,
        height=min(len(rows), 6) * 35 + 38,
        column_config={"held out": number, "chance": number},
        key="lstm_known",
    )


def _known(desk: Desk) -> tuple[str, Known]:
    """Give what is searched, and what is known of it: the generator's states, and features."""
    text = texts.read(desk.plan.text, desk.plan.characters)
    piece = desk.long
    part = slice(text.cut, text.cut + len(piece))
    drawn = LANGUAGES[text.name].truths if text.name in LANGUAGES else {}
    known = {name: (drawn[name], np.asarray(text.truth[name][part])) for name in text.truth}
    for name, values in features(piece).items():
        known.setdefault(name, (FEATURES[name], values))
    return piece, known


def _table(desk: Desk, outcome: Finding) -> None:
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
    told = MEASURES[outcome.measure].capitalize().replace("roc", "ROC")
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
