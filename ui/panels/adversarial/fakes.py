"""The laboratory of fake robustness: hide the gradient, and see who still fools the network."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

from core.adversarial import defences
from core.adversarial.defences import TRICKS, Defended, FakeDefence
from core.adversarial.studies import COUNTS
from core.shared.engine import Engine
from core.shared.models import About, Source
from ui import address, charts
from ui.blocks import Block
from ui.panels.adversarial.settings import said
from ui.running import Rules, choose, choose_seed, study

__all__ = ["fakes"]

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
    asked, rules = address.asked("fake"), Rules()
    places = st.columns([2, 1, 1, 1])
    trick = choose(places[0], "Defend it", [*TITLES], "fake_trick", rules, said=TITLES.__getitem__)
    epsilon = choose(
        places[1],
        "ε in L∞",
        BUDGETS,
        "fake_epsilon",
        rules,
        usual=2,
        said=lambda size: said("linf", size),
    )
    images = choose(places[2], "Test images", COUNTS, "fake_images", rules)
    seed = choose_seed(places[3], "fake_seed", rules)
    address.refuse("fake", asked, rules, ())

    def wish() -> FakeDefence:
        return FakeDefence(source=source, trick=trick, epsilon=epsilon, images=images, seed=seed)

    begin = "fake", "Attack it", "experiment"
    study(engine, visitor, source, defences.FAKE, begin, wish, _draw)


def _draw(state: Defended, config: Mapping[str, Any]) -> list[Block]:
    trick, size = TRICKS[str(config["trick"])][0], said("linf", float(config["epsilon"]))
    x = np.arange(len(state.strengths), dtype=float)
    strengths = [f"{each:g}" for each in state.strengths]
    return [
        charts.lines(
            f"Accuracy under attack, {size}, {state.images:,} test images",
            trick,
            x,
            [*zip(state.names, state.accuracy, strict=True)],
            share=True,
            stops=[*zip(x.tolist(), strengths, strict=True)],
            under=state.working or "The network can stand no more than the lowest of these curves.",
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
