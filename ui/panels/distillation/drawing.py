"""Drawing from a softmax: a thousand draws against theory, top-k and top-p."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import streamlit as st
from jaxtyping import Float

from core.distillation.drawing import Kept, draw
from core.shared.engine import EngineError, View
from ui import blocks, inside, screen, sequences, temperature, words
from ui.blocks import Block, figures
from ui.inside import Choice
from ui.numbers import plain, share
from ui.panels.distillation.desk import Desk
from ui.panels.distillation.looking import LONGEST, SOURCES
from ui.running import BOUND, Rules, choose_seed
from ui.tokens import spelt

__all__ = ["drawing"]

DRAWS = 1_000
READER = "core.lstm_gates.asking:built_in"


def drawing(desk: Desk, rules: Rules) -> None:
    """Draw a thousand draws from the logits above."""
    st.markdown(
        "The same T a third time: for drawing. What top-k or top-p keeps is chosen from **all** "
        "classes, after the softmax; whoever cuts the logits before it shows probabilities that "
        "are too large. Whiskers are two standard deviations."
    )
    first, second, third, fourth = st.columns(4)
    top_k = int(first.number_input("top k, 0 for all", 0, 1_000, 0, key="heat_k", **BOUND))
    top_p = float(second.slider("top p", 0.05, 1.0, 1.0, 0.05, key="heat_p", **BOUND))
    cut_to = int(
        third.number_input(
            "logits a display keeps, 0 for all",
            0,
            1_000,
            0,
            key="heat_cut",
            help="Some demonstrations keep 50 logits, forget the others, and then take the "
            "softmax. Nothing is drawn from that here: it is only set beside the truth.",
            **BOUND,
        )
    )
    seed = choose_seed(fourth, "heat_seed", rules)
    rules["heat_cut"] = cut_to, "a whole number from 0 to 1,000"
    rules["heat_k"] = top_k, "a whole number from 0 to 1,000"
    rules["heat_p"] = top_p, "a number from 0.05 to 1"

    looks = desk.looks

    def text(said: Any) -> None:
        looks["text"] = words.whole(str(said))[:LONGEST]

    def of(said: Any) -> None:
        if said in SOURCES:
            looks["drawn"] = said

    told: dict[str, Callable[[Any], object]] = {"T": desk.warm, "text": text, "drawn": of}
    screen.screen(
        "heat_draws", lambda: None, lambda _: _board(desk, top_k, top_p, cut_to, seed, _), told
    )


def _board(
    desk: Desk, top_k: int, top_p: float, cut_to: int, seed: int, _: View | None
) -> list[Block]:
    warm, of, typed = (desk.looks[name] for name in ("T", "drawn", "text"))
    choice = Choice(name="drawn", label="Logits of", values=[*SOURCES.items()], chosen=of)
    head = [inside.choices([choice])]
    if of == "reader":
        head.append(sequences.typed("text", "A text to go on with", typed, most=LONGEST, lines=2))
    try:
        labels, logits = _logits(desk, of, typed)
        found = draw(logits, warm, seed, DRAWS, top_k, top_p, cut_to)
    except (EngineError, ValueError) as error:
        return [*head, blocks.progress(0, words.sentence(str(error)), warn=True)]
    kept = found.kept
    cut, free = kept.count < len(labels), found.freedom
    degrees = f"{words.count(free, 'degree')} of freedom"
    return [
        *head,
        temperature.dial("T", "Temperature T", warm),
        figures(
            [
                ("classes that are kept", f"{kept.count:,} of {len(labels):,}", 1.0),
                ("their probability together", share(kept.mass), 1.0),
                ("χ²", f"{plain(found.chi_squared)}, {degrees}" if free else "–", 1.0),
                ("chance of a χ² as large", plain(found.chance) if free else "–", 1.0),
            ]
        ),
        *_cut(found.kept, labels),
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


def _cut(kept: Kept, labels: Sequence[str]) -> list[Block]:
    """Say what a display shows that cuts the logits before the softmax, beside what is true."""
    if not 0 < kept.cut_to < len(labels):
        return []
    first = kept.order[0]
    return [
        figures(
            [
                (f"the {kept.cut_to:,} likeliest, in truth", share(kept.cut_mass), 1.0),
                ("such a display says", "1", 0.8),
                (f"p of {labels[first]}, in truth", share(float(kept.whole[first])), 1.0),
                ("such a display says", share(float(kept.cut[first])), 0.8),
            ]
        )
    ]


def _logits(desk: Desk, of: str, typed: str) -> tuple[Sequence[str], Float[np.ndarray, " k"]]:
    """Give what is drawn from: classes or characters, and their logits."""
    if of == "above":
        labels, logits, _ = desk.logits()
        return labels, logits
    if not typed:
        raise ValueError("text must have a character to go on from, got none")
    found = desk.engine.call(READER, "python", "expected", typed)
    return [spelt(each) for each in found.alphabet], found.logits.astype(np.float64)
