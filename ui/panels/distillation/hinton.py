"""Hinton's figures: the paper's experiments, done again here, with our own results beside them."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from core.distillation.hinton import PAPER, Prepared, prepared, shifted
from ui import blocks, charts, screen
from ui.blocks import Block, drag, figures
from ui.panels.distillation.desk import Desk

__all__ = ["hinton"]

SHIFTS = tuple(round(each, 1) for each in np.arange(0, 10.1, 0.5).tolist())
NAMES = {"teacher": "the teacher", "plain": "student alone", "distilled": "student distilled"}


def hinton(desk: Desk) -> None:
    """Draw what the paper found and what our runs find."""
    try:
        found = prepared()
    except FileNotFoundError:
        st.info("`python -m bench.hinton` has not been run: its results are not in the assets.")
        return
    settings = ", ".join(f"{name} {value}" for name, value in found.settings.items())
    st.markdown(
        "Two layers of 1,200 units teach two of 800 on all of MNIST; T = 20. In the paper the "
        "teacher alone saw shifted images: so do ours, and the gap is not distillation's alone. "
        f"Errors are among 10,000 test images; ours are of {len(found.seeds)} "
        f"{'seed' if len(found.seeds) == 1 else 'seeds'}, remade by `python -m bench.hinton`."
    )
    rows = [
        {
            "network": NAMES.get(name, name),
            "paper": PAPER.get(name),
            "ours, median": float(np.median(values)),
            "each seed": ", ".join(f"{each:,}" for each in values),
        }
        for name, values in (("teacher", found.teacher), *found.students.items())
    ]
    st.dataframe(rows, hide_index=True, key="heat_hinton")
    looks = desk.looks

    def told(said: object) -> None:
        looks["shift"] = SHIFTS[min(max(0, int(str(said))), len(SHIFTS) - 1)]

    screen.screen(
        "heat_hinton_screen",
        lambda: None,
        lambda _: _board(found, looks.get("shift", 0.0)),
        {"shift": told},
    )
    st.caption(f"Settings: {settings}. {found.machine}, torch {found.torch}.")


def _board(found: Prepared, shift: float) -> list[Block]:
    seed = found.seeds[0]
    every = [shifted(seed, each) for each in SHIFTS]
    here = shifted(seed, shift)
    best = SHIFTS[int(np.argmin([each.errors for each in every]))]
    at = SHIFTS.index(shift) if shift in SHIFTS else 0
    return [
        blocks.said(
            "A student that never saw a 3: its bias of the 3 is too low, and what the teacher said "
            "about other digits has taught it the rest."
        ),
        drag(
            "shift",
            "Added to the logit of the 3",
            0,
            len(SHIFTS) - 1,
            at,
            names=[f"{each:g}" for each in SHIFTS],
        ),
        figures(
            [
                ("test errors", f"{here.errors:,}", 1.0),
                ("of them 3s", f"{here.of_left_out:,} of {here.left_out:,}", 1.0),
                ("others read as 3", f"{here.taken_for:,}", 1.0),
                ("paper: before and after", f"{PAPER['left out']}, {PAPER['shifted']}", 1.0),
            ]
        ),
        charts.lines(
            "Errors against the shift of the bias",
            "shift",
            np.array(SHIFTS),
            [
                ("all errors", np.array([float(each.errors) for each in every])),
                ("3s", np.array([float(each.of_left_out) for each in every])),
            ],
            now=at,
            under=f"Fewest at {best:g}; the paper's best was {PAPER['shift']:g}. Seed {seed}.",
        ),
        *_small(found.small),
    ]


def _small(small: dict[int, dict[float, tuple[int, ...]]]) -> Sequence[Block]:
    """Draw the errors of small students by temperature."""
    return [
        charts.lines(
            f"Test errors of students with {units} units, by T",
            "T, on a log scale",
            np.log10(np.array(sorted(by_heat))),
            [("median", np.array([float(np.median(by_heat[each])) for each in sorted(by_heat)]))],
            faint=[
                np.array([float(by_heat[each][seed]) for each in sorted(by_heat)])
                for seed in range(min(len(values) for values in by_heat.values()))
            ],
            stops=[(float(np.log10(each)), f"{each:g}") for each in sorted(by_heat)],
        )
        for units, by_heat in small.items()
    ]
