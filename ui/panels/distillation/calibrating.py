"""Calibration: is the network as often right as it is sure? One temperature is fitted for that."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from core.distillation.calibrating import Reliability
from core.distillation.results import Calibration
from core.shared.engine import EngineError, View
from ui import blocks, knowledge, screen, temperature, words
from ui.blocks import Block, figures
from ui.numbers import plain, spelt
from ui.panels.distillation.desk import Desk

__all__ = ["calibrating"]

CALIBRATED = "core.distillation.asking:calibrated"


def calibrating(desk: Desk) -> None:
    """Draw reliability, and NLL against 1/T, at the temperature that is looked at."""
    st.markdown(
        "The same T once more, for another end: not to teach, but so that what is said with 90 % "
        "is right nine times in ten. It is fitted by Newton's method on the validation images and "
        "reported on the test images. The largest stays the largest: no answer changes."
    )
    if not desk.about.data:
        st.info("The images that the network learned from have to be here.")
        return

    told: dict[str, Callable[[Any], object]] = {"T": desk.warm}
    screen.screen("heat_calibration", lambda: None, lambda _: _board(desk, _), told)


def _board(desk: Desk, _: View | None) -> list[Block]:
    warm = desk.looks["T"]
    try:
        found: Calibration = desk.engine.call(CALIBRATED, desk.source, warm)
    except (EngineError, ValueError) as error:
        return [blocks.progress(0, words.sentence(str(error)), warn=True)]
    fitted = found.fitted.temperature
    rows = []
    for name, each in (("T = 1", found.before), ("fitted", found.after), ("here", found.present)):
        rows += [
            (f"ECE, {name}", f"{100 * each.error:.2f} %", 1.0),
            (f"NLL, {name}", plain(each.likelihood), 1.0),
        ]
    return [
        temperature.dial("T", "Temperature T", warm, also=[(fitted, f"fitted, {spelt(fitted)}")]),
        figures(
            [
                ("fitted T", spelt(fitted), 1.0),
                ("accuracy, at any T", words.share(found.present.right), 1.0),
                *rows,
            ],
            columns=4,
        ),
        _reliability(found.present, f"Test images, T = {spelt(warm)}"),
        knowledge.nll(
            found.validation.beta,
            [("validation", found.validation.values), ("test", found.test.values)],
            temperature=warm,
            fitted=fitted,
            title="NLL against 1/T: a convex curve",
            hint="In nats an image. Drag the mark.",
            name="T",
        ),
        _reliability(found.before, "As it is, T = 1"),
        _reliability(found.after, f"At the fitted T = {spelt(fitted)}"),
    ]


def _reliability(found: Reliability, title: str) -> Block:
    return knowledge.reliability(
        found.counts, found.confidence, found.accuracy, error=found.error, title=title
    )
