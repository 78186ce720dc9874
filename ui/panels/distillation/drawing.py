"""Drawing from a softmax: a thousand draws against theory, top-k and top-p."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from core.distillation.drawing import draw
from core.shared.engine import EngineError, View
from ui import blocks, screen, temperature, words
from ui.blocks import Block, figures
from ui.numbers import heat, plain, share
from ui.panels.distillation.desk import Desk
from ui.running import BOUND, Rules, choose_seed

__all__ = ["drawing"]

DRAWS = 1_000


def drawing(desk: Desk, rules: Rules) -> None:
    """Draw a thousand draws from the logits above."""
    st.markdown(
        "The same T a third time: for drawing. What top-k or top-p keeps is chosen from **all** "
        "classes, after the softmax; whoever cuts the logits before it shows probabilities that "
        "are too large. Whiskers are two standard deviations."
    )
    first, second, third = st.columns(3)
    top_k = int(first.number_input("top k, 0 for all", 0, 1_000, 0, key="heat_k", **BOUND))
    top_p = float(second.slider("top p", 0.05, 1.0, 1.0, 0.05, key="heat_p", **BOUND))
    seed = choose_seed(third, "heat_seed", rules)
    rules["heat_k"] = top_k, "a whole number from 0 to 1,000"
    rules["heat_p"] = top_p, "a number from 0.05 to 1"

    def warm(said: Any) -> None:
        desk.looks["T"] = heat(said)

    told: dict[str, Callable[[Any], object]] = {"T": warm}
    screen.screen("heat_draws", lambda: None, lambda _: _board(desk, top_k, top_p, seed, _), told)


def _board(desk: Desk, top_k: int, top_p: float, seed: int, _: View | None) -> list[Block]:
    warm = desk.looks["T"]
    try:
        labels, logits, _shown = desk.logits()
        found = draw(logits, warm, seed, DRAWS, top_k, top_p)
    except (EngineError, ValueError) as error:
        return [blocks.progress(0, words.sentence(str(error)), warn=True)]
    kept = found.kept
    cut = kept.count < len(labels)
    return [
        temperature.dial("T", "Temperature T", warm),
        figures(
            [
                ("classes that are kept", f"{kept.count:,} of {len(labels):,}", 1.0),
                ("their probability together", share(kept.mass), 1.0),
                ("χ²", f"{plain(found.chi_squared)}, {found.freedom} degrees", 1.0),
                ("chance of one as large", plain(found.chance), 1.0),
            ]
        ),
        temperature.draws(
            labels,
            found.counts,
            found.expected,
            found.spread,
            before=DRAWS * kept.whole if cut else None,
            title=f"{DRAWS:,} draws against theory",
            hint="Outlined: before anything was cut." if cut else "",
            span=12,
        ),
    ]
