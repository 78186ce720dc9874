"""Hinton's figures: the paper's experiments, done again here, with our own results beside them."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from core.distillation.hinton import PAPER, STUDENTS, Prepared, prepared, shifted
from ui import blocks, charts, screen, words
from ui.blocks import Block, drag, figures
from ui.panels.distillation.desk import Desk
from ui.panels.distillation.looking import SHIFTS

__all__ = ["hinton"]


def hinton(desk: Desk) -> None:
    """Draw what the paper found and what our runs find."""
    try:
        found = prepared()
    except FileNotFoundError:
        st.info("`python -m bench.hinton` has not been run: its results are not in the assets.")
        return
    settings = ", ".join(f"{name} {value}" for name, value in found.settings.items())
    st.markdown(
        "Two layers of 1,200 units teach two of 800, at T = 20. In the paper the teacher alone saw "
        "shifted images, so the gap between the students is not distillation's alone: here one "
        "student more sees them too, and one learns from permuted wrong classes: with all the "
        "labels at hand a wrong order costs more than softness gives, unlike with 2,000 and "
        "α = 0.1. Ours learn from 50,000 images for a few epochs, and the paper's from 60,000 for "
        "many. "
        f"Errors are among 10,000 test images; ours are of "
        f"{words.count(len(found.seeds), 'seed')}, remade by `python -m bench.hinton`."
    )
    st.dataframe(_rows(found), hide_index=True, key="heat_hinton")
    looks = desk.looks

    def told(said: object) -> None:
        looks["shift"] = SHIFTS[min(max(0, int(str(said))), len(SHIFTS) - 1)]

    screen.screen(
        "heat_hinton_screen",
        lambda: None,
        lambda _: _board(found, looks["shift"]),
        {"shift": told},
    )
    st.caption(f"Settings: {settings}. {found.machine}, torch {found.torch}.")


def _rows(found: Prepared) -> list[dict[str, object]]:
    """Set the errors of each network beside the paper's."""
    both = [*zip(found.seeds, found.shifts, strict=True)]
    before, after = [shifted(seed, 0) for seed, _ in both], [shifted(*each) for each in both]
    raised = ", ".join(f"{shift:g}" for shift in found.shifts)
    rows = [
        ("the teacher", PAPER["teacher"], found.teacher),
        *(
            (f"student: {STUDENTS[name]}", PAPER.get(name), found.students[name])
            for name in STUDENTS
        ),
        ("student that never saw a 3", PAPER["left out"], [each.errors for each in before]),
        ("of these, 3s", PAPER["left out, of them 3s"], [each.of_left_out for each in before]),
        (
            f"its bias of the 3 raised, by {raised} as validation images say",
            PAPER["shifted"],
            [each.errors for each in after],
        ),
        ("of these, 3s", PAPER["shifted, of them 3s"], [each.of_left_out for each in after]),
    ]
    return [
        {
            "errors of": name,
            "paper": "–" if paper is None else f"{paper:,}",
            "ours, median": float(np.median(values)),
            "each seed": ", ".join(f"{each:,}" for each in values),
        }
        for name, paper, values in rows
    ]


def _board(found: Prepared, shift: float) -> list[Block]:
    seed = found.seeds[0]
    every = [shifted(seed, each) for each in SHIFTS]
    here = shifted(seed, shift)
    best = SHIFTS[int(np.argmin([each.errors for each in every]))]
    at = SHIFTS.index(shift)
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
            under=f"Fewest test errors at {best:g}, in the paper at {PAPER['shift']:g}; validation "
            f"images choose {found.shifts[0]:g}. Seed {seed}.",
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
