"""One change for all pictures: a run that is drawn while it is sought."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

from core.adversarial import NORMS
from core.adversarial.studies import UNIVERSAL, Universal, UniversalAttack
from core.shared.engine import Engine
from core.shared.models import About, Source
from ui import address, blocks
from ui.blocks import Block, Maps
from ui.panels.adversarial.settings import said
from ui.running import Rules, choose, choose_seed, study

__all__ = ["universal"]

BUDGETS = {"linf": (8 / 255, 16 / 255, 26 / 255, 38 / 255), "l2": (1.0, 2.0, 3.0, 5.0)}
STEPS = (20, 50, 100, 200)


def universal(engine: Engine, visitor: str, source: Source, about: About) -> None:
    """Draw the settings and the newest search for the pinned network."""
    if not about.data:
        st.info("It is learned from training images: choose a network whose data are here.")
        return
    st.markdown(
        "One change that is added to every picture alike. It is learned from a thousand training "
        "images and tried on test images that it never saw."
    )
    asked, rules = address.asked("universal"), Rules()
    places = st.columns([1, 1, 1, 1])
    norm = choose(places[0], "Norm", [*BUDGETS], "universal_norm", rules, said=NORMS.__getitem__)
    epsilon = places[1].selectbox(
        "ε",
        BUDGETS[norm],
        2,
        format_func=lambda size: said(norm, size),
        key=f"universal_{norm}",
        persist_state="session",
    )
    steps = choose(places[2], "Steps", STEPS, "universal_steps", rules, usual=1)
    seed = choose_seed(places[3], "universal_seed", rules)
    address.refuse("universal", asked, rules)

    def wish() -> UniversalAttack:
        return UniversalAttack(source=source, norm=norm, epsilon=epsilon, steps=steps, seed=seed)

    begin = "universal", "Look for it", "blur_on"
    study(engine, visitor, source, UNIVERSAL, begin, wish, _draw)


def _draw(state: Universal, _: Mapping[str, Any]) -> list[Block]:
    change = state.change if len(state.change) == 1 else state.change.mean(0, keepdims=True)
    reach = float(abs(state.change).max())
    return [
        blocks.maps(
            [
                Maps(
                    name="the change",
                    values=np.ascontiguousarray(change),
                    high=reach or 1.0,
                    columns=1,
                    share=3.2,
                    range=f"×{1 / reach:.3g}" if reach else "none yet",
                    alt=f"The change for all pictures, up to {255 * reach:.1f}/255",
                )
            ],
            span=4,
        ),
        blocks.figures(
            [
                ("step", f"{state.step:,} of {state.steps:,}", 1.2),
                ("fooled, learned from", f"{state.fooled:.1%} of {state.images:,}", 1.6),
                ("fooled, never seen", f"{state.held_out:.1%} of {state.others:,}", 1.6),
            ],
            span=8,
        ),
    ]
