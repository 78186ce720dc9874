"""One change for all pictures: a run that is drawn while it is sought."""

import numpy as np
import streamlit as st

from core.adversarial import NORMS
from core.adversarial.studies import UNIVERSAL, Universal, UniversalAttack
from core.shared.engine import Engine
from core.shared.models import About, Source
from ui import address, blocks
from ui.blocks import Block, Maps, Picture
from ui.panels.adversarial.settings import said
from ui.pinned import look_of
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
    epsilon = choose(
        places[1],
        "ε",
        BUDGETS[norm],
        f"universal_epsilon_{norm}",
        rules,
        usual=2,
        said=lambda size: said(norm, size),
    )
    steps = choose(places[2], "Steps", STEPS, "universal_steps", rules, usual=1)
    seed = choose_seed(places[3], "universal_seed", rules)
    address.refuse("universal", asked, rules, [f"universal_epsilon_{each}" for each in BUDGETS])

    def wish() -> UniversalAttack:
        return UniversalAttack(source=source, norm=norm, epsilon=epsilon, steps=steps, seed=seed)

    begin = "universal", "Look for it", "blur_on"
    study(
        engine,
        visitor,
        source,
        UNIVERSAL,
        begin,
        wish,
        lambda state, _: _draw(state, about),
        {"with_it": lambda _: None},
    )


def _draw(state: Universal, about: About) -> list[Block]:
    change = state.change if len(state.change) == 1 else state.change.mean(0, keepdims=True)
    reach = float(abs(state.change).max())
    return [
        blocks.figures(
            [
                ("step", f"{state.step:,} of {state.steps:,}", 1.0),
                ("fooled, learned from", f"{state.fooled:.1%} of {state.images:,}", 1.0),
                ("fooled, never seen", f"{state.held_out:.1%} of {state.others:,}", 1.0),
            ],
            columns=3,
        ),
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
        _gallery(state, about),
    ]


def _gallery(state: Universal, about: About) -> Block:
    """Show test pictures beside themselves with the change."""
    shown = zip(state.examples, state.changed, state.read, state.misread, strict=True)
    pictures: list[Picture] = []
    for clean, changed, read, misread in shown:
        for pixels, told, label in ((clean, "clean", read), (changed, "with it", misread)):
            name = f"read as {about.classes[label]}"
            pictures.append(Picture(pixels=pixels, name=name, words=told, tells=len(pictures)))
    return blocks.gallery(
        "with_it",
        "Test pictures, clean and with the change",
        "None of them was learned from. The change is the same for all.",
        pictures,
        grey=look_of(about) == "grey",
        narrow=4,
        span=8,
    )
