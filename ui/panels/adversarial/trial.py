"""Filters on trial: a run that is drawn as it comes, and the sentence that it comes to."""

from typing import Any

import numpy as np
import streamlit as st

from core.adversarial import METHODS, defences
from core.adversarial.defences import FILTERS, FilterTrial, Withstood
from core.adversarial.studies import COUNTS
from core.shared.engine import Engine, View
from core.shared.models import Source
from ui import charts, live, screen, words
from ui.blocks import Block
from ui.panels.adversarial.running import newest, start_and_stop
from ui.panels.adversarial.settings import said
from ui.panels.adversarial.wording import per_cent, short

__all__ = ["trial", "verdict"]

BOUND: dict[str, Any] = {"bind": "query-params", "persist_state": "session"}
BUDGETS = (8 / 255, 16 / 255, 26 / 255, 38 / 255)
GAIN = 0.1  # a share of the images that is no accident among 64
STANDS = 0.5  # of the clean accuracy with no filter, from which on one may speak of a defence


def trial(
    engine: Engine, visitor: str, source: Source, chosen: tuple[tuple[str, float], ...]
) -> dict[str, tuple[Any, str]]:
    """Draw the settings of a trial and the newest one; give the rules for the address."""
    st.markdown("**The same filters before many test images, and an attack that knows them**")
    places = st.columns([1, 1, 1, 1])
    titles = {name: METHODS[name].title for name in defences.KNOWING}
    method = places[0].selectbox(
        "Attack", [*titles], format_func=titles.__getitem__, key="filter_method", **BOUND
    )
    budgets = {said("linf", each): each for each in BUDGETS}
    epsilon = places[1].selectbox("ε in L∞", [*budgets], 2, key="filter_epsilon", **BOUND)
    images = places[2].selectbox("Test images", COUNTS, key="filter_images", **BOUND)
    seed = places[3].number_input("Seed", 0, 1_000, key="filter_seed", **BOUND)
    view = newest(engine, visitor, source, defences.FILTER)

    def begin() -> None:
        config = live.trying(
            FilterTrial,
            source=source,
            filters=chosen,
            method=method,
            epsilon=budgets[epsilon],
            images=images,
            seed=seed,
        )
        if config is not None:
            live.trying(engine.submit, defences.FILTER, config, visitor=visitor)

    start_and_stop(engine, view, "filter", "Try them", "filter_alt", begin)
    st.caption(
        "Of each filter the accuracy that it leaves to clean images, to images that were attacked "
        "before anybody thought of it, and to images that were attacked through it: by its own "
        "gradient, by BPDA, which goes back as if the filter did nothing, and by Square, which "
        "asks for no gradient. The worst counts, image by image."
    )
    if view is not None:
        run = view.run
        screen.screen("filter_screen", lambda: live.seen(engine, run), _draw, {})
    return {
        "filter_method": (titles[method], words.choices([*titles.values()])),
        "filter_epsilon": (epsilon, words.choices([*budgets])),
        "filter_images": (images, words.choices(COUNTS)),
        "filter_seed": (seed, "a whole number from 0 to 1,000"),
    }


def verdict(state: Withstood) -> str:
    """Say which filters stand when the attack knows them, and which only seemed to."""
    names = [short(*each) for each in state.filters]
    (clean, _, bare), (_, unaware, aware) = state.accuracy[0], state.accuracy[1:].T
    told = f"With no filter the attack leaves {per_cent(bare)}."
    stand = [k for k in np.argsort(-aware) if aware[k] >= max(bare + GAIN, STANDS * clean)]
    if stand:
        left = words.listed([f"{names[k]} ({per_cent(aware[k])})" for k in stand])
        told += (
            f" Known to it, {left} still {'stands' if len(stand) == 1 else 'stand'}, as far as "
            "these attacks go: a stronger one can only take more."
        )
    else:
        best = int(aware.argmax())
        told += (
            f" Known to it, none stands: the best, {names[best]}, leaves {per_cent(aware[best])}."
        )
    seemed = [k for k in range(len(names)) if unaware[k] - max(aware[k], bare) >= GAIN]
    if seemed:
        lost = words.listed([f"{names[k]} ({per_cent(unaware[k])})" for k in seemed])
        told += f" Only while it did not know them was more left behind {lost}."
    return told


def _draw(view: View | None) -> list[Block]:
    if view is None:
        return []
    state: Withstood | None = view.state
    if state is None:
        return [live.standing(view)]
    method = METHODS[str(view.config["method"])].title
    size = said("linf", float(view.config["epsilon"]))
    rows = [("No filter", "the dashed line: what the attack leaves", state.accuracy[0])]
    for (name, value), shares in zip(state.filters, state.accuracy[1:], strict=True):
        rows.append((short(name, value), f"known by {FILTERS[name].known_by}", shares))
    ended = not state.working and np.isfinite(state.accuracy).all()
    return [
        live.standing(view),
        charts.bars(
            f"Accuracy behind each filter, {method}, {size} in L∞, {state.images:,} test images",
            defences.COLUMNS,
            rows,
            mark=float(state.accuracy[0, 2]),
            under=verdict(state) if ended else words.sentence(state.working or "not all measured"),
        ),
    ]
