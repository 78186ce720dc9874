"""The same picture fooled under three norms, side by side: which change does the eye see?"""

from typing import Any

import numpy as np
import streamlit as st

from core import adversarial
from core.adversarial import NORMS, Attack, Outcome
from core.shared.engine import Engine, EngineError
from core.shared.models import About, Source
from ui import blocks, pinned, screen, words
from ui.blocks import Block, Maps
from ui.panels.adversarial.settings import said
from ui.pinned import Pin

__all__ = ["norms"]

LEAST: dict[str, dict[str, Any]] = {  # who looks for the least change in each norm
    "linf": {"method": "deepfool", "norm": "linf", "epsilon": 1.0, "steps": 100},
    "l2": {"method": "cw", "norm": "l2", "epsilon": 1e6, "steps": 200, "searches": 6},
    "l0": {"method": "jsma", "norm": "l0", "epsilon": 1e6, "steps": 200},
}
LARGE = 96 * 96  # pixels, from which fewer steps are made
FEW = {"linf": {"steps": 30}, "l2": {"steps": 30, "searches": 2}, "l0": {"steps": 60}}


def norms(engine: Engine, source: Source, about: About, pin: Pin, config: Attack) -> None:
    """Draw the least changes that fool, each with its size in all three norms."""
    st.markdown(
        "The least change that fools the network, sought in each norm: *DeepFool* in L∞, "
        "*Carlini–Wagner* in L2, *JSMA* in L0. They differ in what is spared."
    )
    screen.screen(
        "attack_norms",
        lambda: None,
        lambda _: _draw(engine, source, about, pin, config.target),
        {},
    )


def _draw(
    engine: Engine, source: Source, about: About, pin: Pin, target: int | None
) -> list[Block]:
    drawn: list[Block] = []
    try:
        seen = pinned.see(engine, source, about, pin)
        for norm, given in LEAST.items():
            few = FEW[norm] if seen.pixels[0].size > LARGE else {}
            least = Attack(**{**given, **few}, target=target, early=True)
            found: Outcome = engine.call(
                adversarial.ATTACK, source, seen.pixels, seen.label, least, None
            )
            drawn += _card(norm, least, found, about, seen.look)
    except (EngineError, ValueError) as error:
        drawn.append(blocks.progress(0, words.sentence(str(error)), warn=True))
    return drawn


def _card(norm: str, least: Attack, found: Outcome, about: About, look: str) -> list[Block]:
    change = found.changed - found.clean
    reach = float(abs(change).max())
    read = about.classes[int(found.after.argmax())]
    title = f"least in {NORMS[norm]}"
    told = f"{read}, {100 * found.after.max():.1f} %" if found.fooled else "not fooled"
    return [
        blocks.maps(
            [
                Maps(
                    name=title,
                    values=found.changed,
                    high=1,
                    columns=1,
                    share=2.2,
                    look=look,
                    range=least.about.title,
                    alt=f"{title}, found by {least.about.title}: {told}",
                ),
                Maps(
                    name="difference",
                    values=change if len(change) == 1 else np.mean(change, 0, keepdims=True),
                    high=reach or 1.0,
                    columns=1,
                    share=2.2,
                    range=f"×{1 / reach:.3g}" if reach else "none",
                    alt=f"What {least.about.title} changed",
                ),
            ],
            span=4,
            framed=True,
            numbers=[
                *((NORMS[name], said(name, getattr(found, name))) for name in LEAST),
                ("read as", told),
            ],
        )
    ]
