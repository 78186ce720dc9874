"""Filters on trial: a run that is drawn as it comes, and the sentence that it comes to."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

from core.adversarial import METHODS, defences
from core.adversarial.defences import FILTERS, FilterTrial, Withstood
from core.adversarial.studies import COUNTS
from core.shared.engine import Engine
from core.shared.models import Source
from ui import charts, words
from ui.blocks import Block
from ui.panels.adversarial.settings import said
from ui.panels.adversarial.wording import per_cent, short
from ui.running import Rules, choose, choose_seed, study

__all__ = ["trial", "verdict"]

BUDGETS = (8 / 255, 16 / 255, 26 / 255, 38 / 255)
GAIN = 0.1  # a share of the images that is no accident among 64
STANDS = 0.5  # of the clean accuracy with no filter, from which on one may speak of a defence


def trial(
    engine: Engine, visitor: str, source: Source, chosen: tuple[tuple[str, float], ...]
) -> Rules:
    """Draw the settings of a trial and the newest one; give the rules for the address."""
    st.markdown("**The same filters before many test images, and an attack that knows them**")
    places = st.columns([1, 1, 1, 1])
    rules = Rules()
    method = choose(
        places[0],
        "Attack",
        defences.KNOWING,
        "filter_method",
        rules,
        said=lambda name: METHODS[name].title,
    )
    epsilon = choose(
        places[1],
        "ε in L∞",
        BUDGETS,
        "filter_epsilon",
        rules,
        usual=2,
        said=lambda size: said("linf", size),
    )
    images = choose(places[2], "Test images", COUNTS, "filter_images", rules)
    seed = choose_seed(places[3], "filter_seed", rules)
    st.caption(
        "Of each filter the accuracy that it leaves to clean images, to images that were attacked "
        "before anybody thought of it, and to images that were attacked through it: by its own "
        "gradient, by BPDA, which goes back as if the filter did nothing, and by Square, which "
        "asks for no gradient. The worst counts, image by image."
    )

    def wish() -> FilterTrial:
        return FilterTrial(
            source=source, filters=chosen, method=method, epsilon=epsilon, images=images, seed=seed
        )

    begin = "filter", "Try them", "filter_alt"
    study(engine, visitor, source, defences.FILTER, begin, wish, _draw)
    return rules


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


def _draw(state: Withstood, config: Mapping[str, Any]) -> list[Block]:
    method = METHODS[str(config["method"])].title
    size = said("linf", float(config["epsilon"]))
    rows = [("No filter", "the dashed line: what the attack leaves", state.accuracy[0])]
    for (name, value), shares in zip(state.filters, state.accuracy[1:], strict=True):
        rows.append((short(name, value), f"known by {FILTERS[name].known_by}", shares))
    ended = not state.working and np.isfinite(state.accuracy).all()
    return [
        charts.bars(
            f"Accuracy behind each filter, {method}, {size} in L∞, {state.images:,} test images",
            defences.COLUMNS,
            rows,
            mark=float(state.accuracy[0, 2]),
            under=verdict(state) if ended else words.sentence(state.working or "not all measured"),
        ),
    ]
