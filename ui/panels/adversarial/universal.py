"""One change for all pictures: a run that is drawn while it is sought."""

from typing import Any

import numpy as np
import streamlit as st

from core.adversarial import NORMS
from core.adversarial.studies import UNIVERSAL, Universal, UniversalAttack
from core.shared.engine import Engine, View
from core.shared.models import About, Source
from ui import address, blocks, live, screen, words
from ui.blocks import Block, Maps
from ui.panels.adversarial.running import newest, start_and_stop
from ui.panels.adversarial.settings import said

__all__ = ["universal"]

BOUND: dict[str, Any] = {"bind": "query-params", "persist_state": "session"}
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
    asked = address.asked("universal")
    places = st.columns([1, 1, 1, 1])
    norm = places[0].selectbox(
        "Norm", [*BUDGETS], format_func=NORMS.__getitem__, key="universal_norm", **BOUND
    )
    epsilon = places[1].selectbox(
        "ε",
        BUDGETS[norm],
        2,
        format_func=lambda size: said(norm, size),
        key=f"universal_{norm}",
        persist_state="session",
    )
    steps = places[2].selectbox("Steps", STEPS, 1, key="universal_steps", **BOUND)
    seed = places[3].number_input("Seed", 0, 1_000, key="universal_seed", **BOUND)
    given = {
        "universal_norm": (NORMS[norm], words.choices([NORMS[each] for each in BUDGETS])),
        "universal_steps": (steps, words.choices(STEPS)),
        "universal_seed": (seed, "a whole number from 0 to 1,000"),
    }
    address.refuse("universal", asked, given)
    view = newest(engine, visitor, source, UNIVERSAL)

    def begin() -> None:
        config = UniversalAttack(source=source, norm=norm, epsilon=epsilon, steps=steps, seed=seed)
        live.trying(engine.submit, UNIVERSAL, config, visitor=visitor)

    start_and_stop(engine, view, "universal", "Look for it", "blur_on", begin)
    if view is None:
        return
    run = view.run
    screen.screen("universal_screen", lambda: live.seen(engine, run), _draw, {})


def _draw(view: View | None) -> list[Block]:
    if view is None:
        return []
    state: Universal | None = view.state
    if state is None:
        return [live.standing(view)]
    change = state.change if len(state.change) == 1 else state.change.mean(0, keepdims=True)
    reach = float(abs(state.change).max())
    return [
        live.standing(view),
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
