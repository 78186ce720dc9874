"""The laboratory of fake robustness: hide the gradient, and see who still fools the network."""

from typing import Any

import numpy as np
import streamlit as st

from core.adversarial import defences
from core.adversarial.defences import TRICKS, Defended, FakeDefence
from core.adversarial.studies import COUNTS
from core.shared.engine import Engine, View
from core.shared.models import About, Source
from ui import address, charts, live, screen, words
from ui.blocks import Block
from ui.panels.adversarial.running import newest, start_and_stop
from ui.panels.adversarial.settings import said

__all__ = ["fakes"]

BOUND: dict[str, Any] = {"bind": "query-params", "persist_state": "session"}
TITLES = {name: f"{title[:1].upper()}{title[1:]}" for name, (title, _) in TRICKS.items()}
BUDGETS = (8 / 255, 16 / 255, 26 / 255, 38 / 255)
FAKED = 0.2  # a share of the images that cross-entropy leaves and others do not


def fakes(engine: Engine, visitor: str, source: Source, about: About) -> None:
    """Draw the settings and the newest result for the pinned network."""
    if not about.data:
        st.info("The laboratory needs test images: choose a network whose data are here.")
        return
    st.markdown(
        "Do something to the network that hides its gradient and changes hardly a decision. PGD by "
        "cross-entropy then reports a robust network. See the other three before you believe it."
    )
    asked = address.asked("fake")
    places = st.columns([2, 1, 1, 1])
    trick = places[0].selectbox(
        "Defend it", [*TITLES], format_func=TITLES.__getitem__, key="fake_trick", **BOUND
    )
    budgets = {said("linf", each): each for each in BUDGETS}
    epsilon = places[1].selectbox("ε in L∞", [*budgets], 2, key="fake_epsilon", **BOUND)
    images = places[2].selectbox("Test images", COUNTS, key="fake_images", **BOUND)
    seed = places[3].number_input("Seed", 0, 1_000, key="fake_seed", **BOUND)
    given = {
        "fake_trick": (TITLES[trick], words.choices([*TITLES.values()])),
        "fake_epsilon": (epsilon, words.choices([*budgets])),
        "fake_images": (images, words.choices(COUNTS)),
        "fake_seed": (seed, "a whole number from 0 to 1,000"),
    }
    address.refuse("fake", asked, given)
    view = newest(engine, visitor, source, defences.FAKE)

    def begin() -> None:
        config = FakeDefence(
            source=source, trick=trick, epsilon=budgets[epsilon], images=images, seed=seed
        )
        live.trying(engine.submit, defences.FAKE, config, visitor=visitor)

    start_and_stop(engine, view, "fake", "Attack it", "experiment", begin)
    if view is None:
        return
    run = view.run
    screen.screen("fake_screen", lambda: live.seen(engine, run), _draw, {})


def _draw(view: View | None) -> list[Block]:
    if view is None:
        return []
    state: Defended | None = view.state
    if state is None:
        return [live.standing(view)]
    trick, size = TRICKS[str(view.config["trick"])][0], said("linf", float(view.config["epsilon"]))
    x = np.arange(len(state.strengths), dtype=float)
    strengths = [f"{each:g}" for each in state.strengths]
    return [
        live.standing(view),
        charts.lines(
            f"Accuracy under attack, {size}, {state.images:,} test images",
            trick,
            x,
            [*zip(state.names, state.accuracy, strict=True)],
            share=True,
            stops=[*zip(x.tolist(), strengths, strict=True)],
            under=state.working or "The lowest of these curves is what the network can stand.",
            span=8,
        ),
        charts.checks("Does cross-entropy tell the truth?", _checks(state, strengths), span=4),
    ]


def _checks(state: Defended, strengths: list[str]) -> list[tuple[bool | None, str, str]]:
    """Say of each strength what was gained, by the worst of all attacks."""
    found: list[tuple[bool | None, str, str]] = []
    for column, strength in enumerate(strengths):
        shares = state.accuracy[:, column]
        if np.isnan(shares).any():
            found.append((None, strength, "not measured yet"))
            continue
        alive = state.alive[column]
        told = (
            f"clean {100 * state.clean[column]:.0f} %; cross-entropy leaves {100 * shares[0]:.0f} "
            f"%, the worst attack {100 * shares.min():.0f} %"
            + ("" if np.isnan(alive) else f"; {100 * alive:.0f} % of the gradients are not zero")
        )
        found.append((bool(shares[0] - shares.min() < FAKED), strength, told))
    return found
