"""The accuracy that is left under attack, over the budget: a run that is drawn as it comes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

from core.adversarial import METHODS, NORMS, studies
from core.adversarial.studies import COUNTS, Sweep, Swept
from core.shared.engine import Engine
from core.shared.models import About, Source
from ui import address, charts
from ui.blocks import Block
from ui.panels.adversarial.settings import said
from ui.running import Rules, choose, choose_some, study

__all__ = ["curves"]

FITS = {norm: [name for name in METHODS if norm in METHODS[name].norms] for norm in ("linf", "l2")}
USUAL = {"linf": ["fgsm", "pgd"], "l2": ["pgd", "deepfool"]}
MOST = {"linf": (8 / 255, 16 / 255, 32 / 255, 51 / 255, 77 / 255), "l2": (1.0, 2.0, 3.0, 5.0)}
WIDEST = {"linf": 51 / 255, "l2": 3.0}
STEPS = (5, 10, 20, 40)
SAME = 1e-9


def curves(engine: Engine, visitor: str, source: Source, about: About) -> None:
    """Draw the settings and the newest sweep of the pinned network."""
    if not about.data:
        st.info("Curves need test images: choose a network whose data are here, as MNIST's.")
        return
    asked, rules = address.asked("curve"), Rules()
    places = st.columns([1, 3, 1, 1, 1])
    norm = choose(places[0], "Norm", [*FITS], "curve_norm", rules, said=NORMS.__getitem__)
    methods = choose_some(
        places[1],
        f"Attacks, at most {studies.MOST_CURVES}",
        {name: METHODS[name].title for name in FITS[norm]},
        "curve_by",
        asked,
        rules,
        usual=USUAL[norm],
        most=studies.MOST_CURVES,
        among=norm,
    )
    images = choose(places[2], "Test images", COUNTS, "curve_images", rules)
    most = choose(
        places[3],
        "ε up to",
        MOST[norm],
        f"curve_most_{norm}",
        rules,
        usual=MOST[norm].index(WIDEST[norm]),
        said=lambda size: said(norm, size),
    )
    steps = choose(places[4], "Steps", STEPS, "curve_steps", rules, usual=2)
    address.refuse("curve", asked, rules, [f"curve_most_{each}" for each in MOST])

    def wish() -> Sweep:
        return Sweep(
            source=source,
            methods=tuple(methods),
            norm=norm,
            most=most,
            images=images,
            steps=steps,
        )

    begin, ready = ("curve", "Measure", "show_chart"), bool(methods)
    if not study(engine, visitor, source, studies.SWEEP, begin, wish, _draw, ready=ready):
        st.caption(
            "The share of the test images that is still read right when each attack may use so "
            "much, beside changes at random of the same size. Who is fooled within a smaller ε is "
            "fooled within a larger one."
        )


def _draw(swept: Swept, config: Mapping[str, Any]) -> list[Block]:
    norm = str(config["norm"])
    scale = 255 if norm == "linf" else 1
    unit = "ε in 255ths, L∞" if norm == "linf" else "ε in L2"
    rows = [(name, accuracy) for name, accuracy in zip(swept.names, swept.accuracy, strict=True)]
    return [
        charts.lines(
            f"Accuracy under attack, {swept.images:,} test images",
            unit,
            np.round(scale * swept.budgets, 6),
            rows,
            share=True,
            under=swept.working
            or "A lower curve is a stronger attack; no curve says how strong the best is. Noise is "
            "one draw at random of that size, cut off from 0 to 1: where it lies below an attack, "
            "that has found nothing.",
            span=8,
        ),
        charts.checks("At ε = 0", _checks(swept), span=4),
    ]


def _checks(swept: Swept) -> list[tuple[bool | None, str, str]]:
    """Ask of each curve whether it begins at the clean accuracy."""
    found: list[tuple[bool | None, str, str]] = []
    for name, row in zip(swept.names, swept.accuracy, strict=True):
        first = row[0]
        if np.isnan(first):
            found.append((None, name, "not measured yet"))
            continue
        told = f"{100 * first:.1f} %; the clean images by themselves {100 * swept.clean:.1f} %"
        found.append((bool(abs(first - swept.clean) < SAME), name, told))
    return found
