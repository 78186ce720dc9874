"""Words and numbers on the screen, in places that do not move when they change."""

import html
import math
from collections.abc import Sequence

import numpy as np
import streamlit as st
from jaxtyping import Float

from core.shared.layers import Layer

__all__ = ["duration", "figures", "pair", "probabilities", "table", "tested"]


def figures(pairs: Sequence[tuple[str, str]]) -> None:
    """Show named numbers in a row; each keeps its place and width."""
    cells = "".join(
        f'<div style="min-width:5.6rem;flex:1 1 auto"><div style="font-size:.85rem;opacity:.8">'
        f'{html.escape(name)}</div><div style="font-size:1.15rem;font-weight:600;'
        f'font-variant-numeric:tabular-nums;white-space:nowrap">{html.escape(value)}</div></div>'
        for name, value in pairs
    )
    st.html(f'<div style="display:flex;flex-wrap:wrap;gap:.3rem 1rem">{cells}</div>')


def probabilities(values: Float[np.ndarray, " k"]) -> None:
    """Show the probabilities of classes as bars, the best one marked."""
    best = int(values.argmax())
    rows = "".join(
        f'<div style="display:grid;grid-template-columns:1rem 1fr 3.6rem;gap:.5rem;'
        f'align-items:center;font-weight:{700 if digit == best else 400}"><span>{digit}</span>'
        f'<span style="background:color-mix(in srgb, currentColor 12%, transparent);'
        f'border-radius:3px"><span style="display:block;height:.95rem;border-radius:3px;'
        f'width:{100 * value:.1f}%;background:{"#d55e00" if digit == best else "#0072b2"}"></span>'
        f'</span><span style="text-align:right;font-variant-numeric:tabular-nums">'
        f"{value:.1%}</span></div>"
        for digit, value in enumerate(values)
    )
    st.html(f'<div style="font-size:.9rem;line-height:1.45">{rows}</div>')


def duration(seconds: float | None) -> str:
    """Say a time as a person would: "12 s", "3 min 5 s", "1 h 10 min"; a dash for no time."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def pair(losses: Float[np.ndarray, " n"], accuracies: Float[np.ndarray, " n"]) -> str:
    """Say the last loss in nats and the last accuracy in per cent."""
    if math.isnan(losses[-1]):
        return "–"
    return f"{losses[-1]:.3f} · {100 * accuracies[-1]:.1f} %"


def table(layers: Sequence[Layer]) -> str:
    """Write a network's layers as a Markdown table, the parameters as sums."""
    rows = [
        f"| **{layer.name}** | {layer.kind} | {'×'.join(map(str, layer.shape))} "
        f"| {layer.formula} = {layer.parameters:,} |"
        for layer in layers
    ]
    total = f"| | | | **{sum(layer.parameters for layer in layers):,}** |"
    return "\n".join(["| layer | what it does | output | parameters |", "|-|-|-|-|", *rows, total])


def tested(result: tuple[int, float] | None) -> str:
    """Say how many of the test digits were read right, and by the weights of which step."""
    if result is None:
        return ""
    step, accuracy = result
    return f"**{100 * accuracy:.2f} %** read right, by the weights of step {step:,}"
