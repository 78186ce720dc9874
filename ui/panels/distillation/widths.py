"""A grid of students: how wide one is, and how warm its teacher speaks."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st
from jaxtyping import Float

from core.distillation.grids import GRID, Grid, Gridded
from ui import address, blocks, charts, knowledge
from ui.blocks import Block
from ui.panels.distillation.desk import Desk
from ui.panels.distillation.learning import EPOCHS, IMAGES, SHARES
from ui.running import Rules, choose, study

__all__ = ["widths"]

WIDTHS = {  # units of each row
    "8, 16, 32, 64": (8, 16, 32, 64),
    "10, 30, 100, 300": (10, 30, 100, 300),
    "2, 4, 8, 16, 32, 64, 128, 256": (2, 4, 8, 16, 32, 64, 128, 256),
}
HEATS = {
    "1, 2, 4, 8, 20": (1.0, 2.0, 4.0, 8.0, 20.0),
    "1, 1.5, 2, 2.5, 3, 4, 6, 10": (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 10.0),
}
SEEDS = (1, 3, 5, 10)
ALONE = "alone"


def widths(desk: Desk) -> None:
    """Draw the settings of a grid and the newest one of the pinned network."""
    st.markdown(
        "A narrow student cannot follow everything that a teacher whispers at a high temperature; "
        "the paper found T from 2.5 to 4 best for its smallest ones. Here every width learns alone "
        "and at each T, from the same images; one layer of ReLU units."
    )
    if not desk.taught():
        return
    asked, rules = address.asked("grid"), Rules()
    first, second = st.columns([2, 2, 1]), st.columns(3)
    given = {
        "widths": WIDTHS[choose(first[0], "Units", [*WIDTHS], "grid_widths", rules)],
        "temperatures": HEATS[choose(first[1], "Temperatures T", [*HEATS], "grid_T", rules)],
        "seeds": choose(first[2], "Seeds", SEEDS, "grid_seeds", rules, usual=1),
        "images": choose(
            second[0], "Labelled images", IMAGES, "grid_images", rules, usual=3, said="{:,}".format
        ),
        "alpha": choose(
            second[1],
            "α, weight of the hard labels",
            SHARES,
            "grid_alpha",
            rules,
            usual=1,
            said="{:g}".format,
        ),
        "epochs": choose(second[2], "Epochs", EPOCHS, "grid_epochs", rules, usual=4, said=str),
    }
    address.refuse("grid", asked, rules, ())
    study(
        desk.engine,
        desk.visitor,
        desk.source,
        GRID,
        ("grid", "Fill the grid", "grid_on"),
        lambda: Grid(teacher=desk.source, **given),
        _draw,
    )


def _draw(state: Gridded, config: Mapping[str, Any]) -> list[Block]:
    """Draw the errors of each width and temperature, mean over the seeds that have ended.

    What distilling saves is said of the seeds of which both have ended.
    """
    units, heats = config["widths"], config["temperatures"]
    errors = np.concatenate([state.alone[:, :, None], state.distilled], axis=2)
    counts = np.isfinite(errors).sum(0)
    means = _means(errors)

    def said(row: int, column: int) -> str:
        how = f"distilled at T = {heats[column - 1]:g}" if column else ALONE
        each = ", ".join(f"{e:,.0f}" for e in errors[:, row, column] if np.isfinite(e))
        return f"{units[row]} units, {how}: {each or 'not yet'}" + (
            f", mean {means[row, column]:,.0f}" if counts[row, column] > 1 else ""
        )

    columns = [ALONE, *(f"{heat:g}" for heat in heats)]
    teacher = (
        "" if state.teacher_errors is None else f" The teacher's are {state.teacher_errors:,}."
    )
    drawn = [
        knowledge.grid(
            [str(each) for each in units],
            columns,
            means,
            [[said(row, column) for column in range(len(columns))] for row in range(len(units))],
            title=f"Errors among {state.tested:,} test images, mean over seeds",
            corner="units ↓ T →",
            hint=f"Underlined: the fewest of a width.{teacher}",
            under="Point at a cell for each seed's errors.",
            span=12,
        ),
    ]
    if state.working:
        drawn.insert(0, blocks.said(state.working))
    saved = _saved(errors)
    known = [row for row in range(len(units)) if np.isfinite(saved[row]).any()]
    if known:
        drawn.append(
            charts.lines(
                "Errors saved by distilling, in % of those of the student alone",
                "T, on a log scale",
                np.log10(np.array(heats)),
                [(f"{units[row]} units", saved[row]) for row in known],
                stops=[(float(np.log10(heat)), f"{heat:g}") for heat in heats],
                titles=[f"T = {heat:g}" for heat in heats],
                under="Whoever picks the T of the fewest test errors has used the test images to "
                "choose: for a figure to report, choose on validation images.",
                span=12,
            )
        )
    return drawn


def _means(values: Float[np.ndarray, "seeds widths n"]) -> Float[np.ndarray, "widths n"]:
    """Average over the seeds that are known; NaN where none is."""
    counts = np.isfinite(values).sum(0)
    sums = np.where(np.isfinite(values), values, 0.0).sum(0)
    means: Float[np.ndarray, "widths n"] = np.where(
        counts > 0, sums / np.maximum(counts, 1), np.nan
    )
    return means


def _saved(errors: Float[np.ndarray, "seeds widths n"]) -> Float[np.ndarray, "widths t"]:
    """Give what share of the errors of those alone the distilled do not make, in %."""
    alone, distilled = errors[:, :, :1], errors[:, :, 1:]
    both = np.isfinite(alone) & np.isfinite(distilled)
    made = _means(np.where(both, distilled, np.nan))
    before = _means(np.where(both, alone, np.nan))
    saved: Float[np.ndarray, "widths t"] = 100 * (1 - made / np.where(before > 0, before, np.nan))
    return saved
