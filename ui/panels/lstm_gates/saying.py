"""What the network says by itself, at a temperature, and what it said as it learned."""

import streamlit as st

from core.shared.engine import EngineError
from ui import live, words
from ui.panels.lstm_gates.desk import Desk
from ui.running import BOUND, Rules

__all__ = ["saying"]

LENGTH = 400  # characters
HOTTEST = 2.0


def saying(desk: Desk, rules: Rules) -> None:
    """Draw a sample, and those of the kept steps."""
    left, right = st.columns(2)
    temperature = left.slider(
        "Temperature", 0.0, HOTTEST, 1.0, 0.05, key="lstm_temperature", **BOUND
    )
    seed = right.number_input("Seed of the draws", 0, 1_000, 0, key="lstm_draws", **BOUND)
    rules["lstm_temperature"] = temperature, f"a number from 0 to {HOTTEST:g}"
    rules["lstm_draws"] = seed, "a whole number from 0 to 1,000"
    try:
        said = desk.ask("sample", desk.typed, LENGTH, float(temperature), int(seed))
    except (EngineError, ValueError) as error:
        st.warning(words.plain(words.sentence(str(error))))
        return
    st.caption("It goes on from the text above. At 0 it always says the likeliest.")
    st.code(said, language=None, wrap_lines=True)
    view = live.seen(desk.engine, desk.shown)
    state = view.state if view else None
    if state is not None and state.samples:
        st.markdown("**What it said as it learned**, of temperature 1")
        for step, text in reversed(state.samples):
            st.caption(f"step {step:,}")
            st.code(text, language=None, wrap_lines=True)
