"""How a network of the panel learns: figures, curves in bits, and the way back in time."""

from collections.abc import Sequence

import numpy as np

from core.lstm_gates import Curves, Plan, State
from core.shared.engine import View
from ui import blocks, charts, words
from ui.blocks import Block

__all__ = ["training"]

Baselines = Sequence[tuple[str, float]]
NAMED = ("unigram", "trigram")  # n-grams that have a name in the chart, besides the best


def training(view: View, state: State, plan: Plan, step: int, baselines: Baselines) -> list[Block]:
    """Draw how a run stands.

    Args:
        view: of the run.
        state: its newest.
        plan: by which it learns.
        step: that is looked at.
        baselines: bits a character by n-grams, as far as they are counted.
    """
    curves = state.curves
    left = words.duration(view.seconds_left) if view.live else "–"
    known = np.flatnonzero(np.isfinite(curves.validation))
    read = int(curves.step[known[-1]]) if len(known) else state.step
    old = read != state.step and view.status != "running"
    said = [
        ("step", f"{state.step:,} of {state.steps:,}", 1.3),
        ("characters read", f"{state.characters:,}", 1.2),
        (
            f"bits at step {read:,}" if old else "validation, bits",
            f"{curves.validation[known[-1]]:.3f}" if len(known) else "–",
            1.0,
        ),
        ("time left", left, 1.0),
    ]
    if state.forced is not None:
        right, impossible = state.forced
        said[3:3] = [
            ("forced ones right", words.share(right), 1.1),
            ("p of impossible", f"{100 * impossible:.2g} %", 1.1),
        ]
    return [
        blocks.figures(said),
        _bits(curves, state, step, baselines),
        _norms(curves, state, plan, step),
        _time_machine(state, step),
    ]


def _bits(curves: Curves, state: State, step: int, baselines: Baselines) -> Block:
    """Draw the bits a character, and those of n-grams on the same axis."""
    flat = np.ones_like(curves.step)
    best = min(baselines, key=lambda each: each[1], default=("", 0.0))[0]
    shown = {*NAMED, best}
    rows = [("validation", curves.validation), ("training", curves.training)]
    rows += [(name, bits * flat) for name, bits in baselines if name in shown]
    told = (
        f"Thin lines are n-grams of other orders, up to 8; the best is the {best}."
        if best
        else "Counting the n-grams of the text …"
    )
    return charts.lines(
        "Bits per character",
        "step",
        curves.step,
        rows,
        now=_place(curves.step, step) if step != state.step else None,
        faint=[bits * flat for name, bits in baselines if name not in shown],
        under=told,
    )


def _norms(curves: Curves, state: State, plan: Plan, step: int) -> Block:
    """Draw the norm before it is clipped and after; where that was moved, at no single value."""
    rows = [("before clipping", curves.norm)]
    if plan.clip or "clip" in state.now:
        told = "after clipping" if "clip" in state.now else f"clipped at {plan.clip:g}"
        rows.append((told, curves.clipped))
    return charts.lines(
        "Norm of the gradient, all weights together",
        "step",
        curves.step,
        rows,
        now=_place(curves.step, step) if step < curves.step[-1] else None,
    )


def _time_machine(state: State, step: int) -> Block:
    """Let the visitor go back to any kept step; the rightmost place is now."""
    kept = state.kept
    names = [f"step {each:,} ({k} of {len(kept)})" for k, each in enumerate(kept, 1)]
    place = kept.index(step) if step != state.step and step in kept else len(kept)
    return blocks.drag(
        "at", "Time machine", 0, len(kept), place, [*names, f"now, step {state.step:,}"]
    )


def _place(steps: np.ndarray, step: int) -> int:
    return int(abs(steps - step).argmin())
