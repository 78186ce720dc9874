"""Two classes alone: their softmax is a sigmoid."""

import math
from collections.abc import Sequence

import numpy as np
import streamlit as st

from core.distillation.sigmoid import sigmoid, two
from core.shared.engine import EngineError, View
from ui import blocks, charts, screen, temperature, words
from ui.blocks import Block, figures
from ui.numbers import plain, share, spelt
from ui.panels.distillation.desk import Desk
from ui.running import Rules, choose

__all__ = ["halving"]

REACH = 12.0  # of the difference that is drawn, at least
POINTS = 241
USUAL = ("the likeliest", "the second")


def halving(desk: Desk, rules: Rules) -> None:
    """Draw the sigmoid of two classes of the logits above."""
    st.markdown(
        "Between two classes the softmax is a sigmoid of what one logit is above the other: "
        "**p₁ / (p₁ + p₂) = σ((z₁ − z₂)/T)**. So a network of two classes needs one logit alone, "
        "and T makes the sigmoid steep or flat."
    )
    try:
        labels, _, _ = desk.logits()
    except (EngineError, ValueError) as error:
        st.info(words.sentence(str(error)))
        return
    first, second = st.columns(2)
    one = choose(first, "First class", [USUAL[0], *labels], "heat_one", rules)
    other = choose(second, "Second class", [USUAL[1], *labels], "heat_two", rules)

    screen.screen(
        "heat_two_screen", lambda: None, lambda _: _board(desk, one, other, _), {"T": desk.warm}
    )


def _board(desk: Desk, one: str, other: str, _: View | None) -> list[Block]:
    warm = desk.looks["T"]
    dial = temperature.dial("T", "Temperature T", warm)
    try:
        labels, logits, _shown = desk.logits()
    except (EngineError, ValueError) as error:
        return [blocks.progress(0, words.sentence(str(error)), warn=True)]
    a, b = _pair(labels, logits, one, other)
    if a == b:
        return [dial, blocks.said("Choose two classes that are not the same.")]
    if warm == 0 or math.isinf(warm):
        end = "a step: the larger logit has all" if warm == 0 else "½ wherever it stands"
        return [dial, blocks.said(f"At T = {spelt(warm)} the sigmoid is {end}.")]
    apart = float(logits[a] - logits[b])
    here, pull = two(apart, warm), two(0.0, warm, teacher=apart)
    reach = max(REACH, 1.2 * abs(apart))
    x = np.linspace(-reach, reach, POINTS)
    return [
        dial,
        figures(
            [
                (f"z of {labels[a]} − z of {labels[b]}", plain(apart), 1.1),
                ("softmax of these two", share(here.softmax), 1.0),
                (f"σ({plain(apart)} / {spelt(warm)})", share(here.sigmoid), 1.0),
                ("hard pull on a new student: σ(0) − 1", plain(pull.gradient), 1.2),
                ("soft pull: (σ(0) − σ(z/T)) / T", plain(pull.soft_gradient), 1.2),
            ]
        ),
        charts.lines(
            f"p of {labels[a]} beside {labels[b]}",
            f"z of {labels[a]} − z of {labels[b]}",
            x,
            [
                (f"T = {spelt(warm)}", sigmoid(x / warm)),
                *([] if warm == 1 else [("T = 1", sigmoid(x))]),
            ],
            share=True,
            now=int(np.abs(x - apart).argmin()),
            span=12,
        ),
    ]


def _pair(labels: Sequence[str], logits: np.ndarray, one: str, other: str) -> tuple[int, int]:
    """Find the two classes; the usual ones are those with the largest logits."""
    order = np.argsort(-logits, kind="stable")
    a = int(order[0]) if one == USUAL[0] else labels.index(one)
    if other != USUAL[1]:
        return a, labels.index(other)
    return a, int(order[0] if order[0] != a else order[1])
