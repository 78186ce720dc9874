"""The court: many maps of one picture on trial, beside an edge detector, noise, a blob, and a
network that has learned nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st

from core import saliency
from core.saliency import BASELINES, Query
from core.saliency.methods import METHODS
from core.saliency.packing import in_levels, packed, unpacked
from core.saliency.trials import USUAL, Court, Judged
from core.shared import models
from core.shared.engine import Engine, EngineError
from core.shared.models import About, Source
from ui import address, pinned, words
from ui.blocks import Block
from ui.panels.saliency.settings import baselines, for_photographs, offered
from ui.panels.saliency.showing import Looks, steer
from ui.panels.saliency.sitting import MEAN, draw_sitting
from ui.pinned import Pin, Pinned
from ui.running import BOUND, Rules, choose_seed, study

__all__ = ["court", "of_another"]

IMPUTERS = ("grey", "blur", "noise", "own")


def court(
    engine: Engine,
    visitor: str,
    source: Source,
    about: About,
    pin: Pin,
    query: Query,
    looks: Looks,
) -> None:
    """Draw the court of the pinned picture, and its newest sitting."""
    st.markdown(
        "All maps of one picture on trial. Take the pixels away that a map puts first, and the "
        "probability should fall at once (*deletion*); put them into an empty picture, and it "
        "should rise at once (*insertion*). First is what has the largest value; of a slope, as a "
        "gradient is, the largest without its sign, summed over the colours: the sign says whether "
        "brighter or darker raises the score, not for or against. Three witnesses saw nothing of "
        "the network, and one looked at a network with random weights: a method that does not beat "
        "them explained little."
    )
    named = offered(source)
    kept = st.session_state.get("saliency_methods", [])
    if not set(kept) <= set(named):  # of another network
        st.session_state.saliency_methods = [name for name in kept if name in named]
    chosen = st.multiselect(
        "Methods",
        named,
        [name for name in USUAL if name in named],
        format_func=lambda name: METHODS[name].title,
        key="saliency_methods",
        **BOUND,
    )
    asked, rules = address.asked("court"), Rules()
    wished = asked.get("court_imputer", MEAN)
    imputer = looks.setdefault("court_imputer", wished if wished in (MEAN, *BASELINES) else MEAN)
    rules["court_imputer"] = imputer, words.choices((MEAN, *BASELINES))
    left, right = st.columns([5, 1])
    seed = choose_seed(right, "court_seed", rules)
    address.refuse("court", asked, rules, ())
    gone = left.multiselect(
        "A pixel that is gone becomes",
        list(BASELINES),
        list(IMPUTERS),
        format_func=baselines(about).__getitem__,
        key="saliency_imputers",
        **BOUND,
    )
    large = about.shape == models.IMAGENET_SHAPE

    def wish() -> Court:
        seen = pinned.see(engine, source, about, pin)
        queries = []
        for name in chosen:
            given = for_photographs(name) if large else {}
            own = Query(method=name, target=query.target, against=query.against, **given)
            queries.append(query if name == query.method else replace(own, seed=seed))
        return Court(
            source=source,
            picture=packed(seen.pixels),
            queries=tuple(queries),
            imputers=tuple(gone),
            seed=seed,
        )

    def draw(state: Judged, config: Mapping[str, Any]) -> list[Block]:
        other = of_another(config["picture"], lambda: pinned.see(engine, source, about, pin))
        return draw_sitting(state, config, about, looks, of_another=other)

    begun = study(
        engine,
        visitor,
        source,
        saliency.JUDGE,
        ("saliency_court", "Hear them", "gavel"),
        wish,
        draw,
        _steers(looks),
        ready=bool(chosen and gone),
    )
    address.note("court_imputer", looks["court_imputer"].replace(MEAN, ""))
    if not begun:
        st.caption("It takes a second or two for a digit, about a minute for a photograph.")


def of_another(picture: str, see: Callable[[], Pinned]) -> bool:
    """Tell whether a sitting is of another picture than the one that is pinned.

    Args:
        picture: the sitting's, as `packing.packed` writes it.
        see: gives what is pinned, or raises EngineError or ValueError.
    """
    try:
        seen = see()
    except (EngineError, ValueError):
        return False  # the picture cannot be had: what else is on the page says so
    return not np.array_equal(in_levels(seen.pixels), in_levels(unpacked(picture)))


def _steers(looks: Looks) -> dict[str, Callable[[Any], object]]:
    """Say what to do with what each control tells."""

    def noted(name: str) -> Callable[[Any], object]:
        def take(value: Any) -> None:
            looks[name] = value

        return take

    return {
        **steer(looks),
        "court_imputer": noted("court_imputer"),
        "court_row": noted("court_row"),
    }
