"""The court: many maps of one picture on trial, beside an edge detector, noise, a blob, and a
network that has learned nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st
from jaxtyping import Float

from core import saliency
from core.saliency import BASELINES, Query
from core.saliency.methods import CONTROL, METHODS
from core.saliency.packing import packed, unpacked
from core.saliency.trials import MELTED, METHOD, Court, Judged, Row
from core.shared import models
from core.shared.engine import Engine
from core.shared.models import About, Source
from ui import blocks, charts, explained, pinned, words
from ui.blocks import Block
from ui.explained import Pane
from ui.inside import Choice
from ui.panels.saliency.settings import for_photographs
from ui.panels.saliency.showing import Looks, centred, controls, ends, number, shown, steer
from ui.pinned import Pin
from ui.running import BOUND, study

__all__ = ["court"]

USUAL = (  # ten, of all families
    "gradient",
    "gradient_input",
    "smoothgrad",
    "integrated",
    "guided",
    "deeplift",
    "gradcam",
    "occlusion",
    "rise",
    "lime",
)
IMPUTERS = ("grey", "blur", "noise", "own")
MEAN = "mean"  # of all imputers
COLUMNS = 6
STRONG = 5  # curves with a colour of their own


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
        "should rise at once (*insertion*). Three witnesses saw nothing of the network, and one "
        "looked at a network with random weights: a method that does not beat them explained "
        "little."
    )
    left, right = st.columns([3, 2])
    named = [name for name in METHODS if METHODS[name].family != CONTROL]
    chosen = left.multiselect(
        "Methods",
        named,
        [name for name in USUAL if name in named],
        format_func=lambda name: METHODS[name].title,
        key="saliency_methods",
        **BOUND,
    )
    gone = right.multiselect(
        "A pixel that is gone becomes",
        list(BASELINES),
        list(IMPUTERS),
        format_func=BASELINES.__getitem__,
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
            queries.append(query if name == query.method else replace(own, seed=query.seed))
        return Court(
            source=source,
            picture=packed(seen.pixels),
            queries=tuple(queries),
            imputers=tuple(gone),
            seed=query.seed,
        )

    def draw(state: Judged, config: Mapping[str, Any]) -> list[Block]:
        return _draw(state, config, about, looks)

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
    if not begun:
        st.caption("It takes a second or two for a digit, about a minute for a photograph.")


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


def _draw(state: Judged, config: Mapping[str, Any], about: About, looks: Looks) -> list[Block]:
    pixels = unpacked(config["picture"])
    drawn = [_verdict(state, about)]
    imputers = {each: BASELINES[each] for each in state.imputers}
    if len(imputers) > 1:
        imputers = {MEAN: "the mean of all", **imputers}
    imputer = looks.get("court_imputer")
    if imputer not in imputers:
        imputer = next(iter(imputers))
    drawn.append(
        controls(
            looks,
            Choice(
                name="court_imputer",
                label="What is gone becomes",
                values=[*imputers.items()],
                chosen=imputer,
            ),
        )
    )
    drawn.append(_grid(state, pixels, about, looks))
    place = list(state.imputers).index(imputer) if imputer != MEAN else None
    if state.rows:
        chosen = looks.get("court_row")
        row = chosen - 1 if isinstance(chosen, int) and 0 < chosen <= len(state.rows) else 0
        drawn += [
            _curves(state, "deletion", place, row),
            _curves(state, "insertion", place, row),
            _areas(state, place),
        ]
    return drawn


def _verdict(state: Judged, about: About) -> Block:
    done = sum(not np.isnan(row.total) or bool(row.refused) for row in state.rows)
    name = about.classes[state.target]
    if state.working or state.winner < 0:
        told = f"Why {name}? {done} of {state.expected} maps are judged. "
        told += words.sentence(state.working)
        return blocks.progress(done / state.expected, told)
    ranking = _ranking(state)
    best = state.rows[ranking[0]]
    told = f"{_title(best)} wins, by {number(best.total)}"
    if len(ranking) > 1:
        second = state.rows[ranking[1]]
        told += f", before {_title(second)} by {number(second.total)}"
    others = [k for k in ranking if state.rows[k].role != METHOD]
    first = state.rows[others[0]]
    worse = [
        _title(state.rows[k])
        for k in ranking[ranking.index(others[0]) :]
        if state.rows[k].role == METHOD
    ]
    told += f". Of those that know nothing, {_title(first)} is the best, by {number(first.total)}"
    told += f", and beats {words.listed(worse)}." if worse else ", and no method is below it."
    return blocks.progress(1, told, warn=bool(worse))


def _ranking(state: Judged) -> list[int]:
    """Order the rows that are judged by their insertion less their deletion."""
    known = [k for k, row in enumerate(state.rows) if not np.isnan(row.total)]
    return sorted(known, key=lambda k: -state.rows[k].total)


def _title(row: Row) -> str:
    title = row.query.about.title
    return f"{title} of random weights" if row.role == MELTED else title


def _grid(state: Judged, pixels: Float[np.ndarray, "c h w"], about: About, looks: Looks) -> Block:
    sure = f"{100 * state.probability:.1f} % {about.classes[state.target]}"
    maps = [
        (_title(row), row.refused or ends(values, row.query.about), values, row.query.about.unit)
        for row in state.rows
        for values in (centred(row.map, row.query.about),)
    ]
    panes = [Pane(name="The picture", words=sure), *shown(maps, looks)]
    return explained.panes(
        pixels,
        panes,
        look=pinned.look_of(about),
        columns=COLUMNS,
        hint="Click a map to see its curves below in colour.",
        name="court_row",
    )


def _curves(state: Judged, which: str, imputer: int | None, chosen: int) -> Block:
    rows = [(_title(row), _curve(getattr(row, which), imputer)) for row in state.rows]
    wanted = [
        chosen,
        *_ranking(state)[:1],
        *(k for k, row in enumerate(state.rows) if row.role != METHOD),
    ]
    strong = list(dict.fromkeys(wanted))[:STRONG]
    faint = [values for k, (_, values) in enumerate(rows) if k not in strong]
    target = "gone" if which == "deletion" else "there"
    return charts.lines(
        f"{which.capitalize()}: the probability",
        f"share of the pixels that is {target}",
        state.shares,
        [rows[k] for k in strong],
        faint=faint,
        share=True,
        under="The sooner it falls, the better."
        if which == "deletion"
        else "The sooner it rises, the better.",
        stops=[(each, f"{100 * each:.0f} %") for each in (0.0, 0.25, 0.5, 0.75, 1.0)],
    )


def _curve(curves: Float[np.ndarray, "i p"], imputer: int | None) -> Float[np.ndarray, " p"]:
    found: np.ndarray = curves.mean(0) if imputer is None else curves[imputer]
    return found


def _areas(state: Judged, imputer: int | None) -> Block:
    order = _ranking(state)
    order += [k for k in range(len(state.rows)) if k not in order]
    rows = []
    for k in order:
        row = state.rows[k]
        areas = [
            float(each.mean() if imputer is None else each[imputer])
            for each in (row.insertion_area, row.deletion_area)
        ]
        cost = (
            row.refused or f"{row.passes:,} read, {row.gradients:,} gradients, {row.seconds:.2f} s"
        )
        rows.append((_title(row), cost, np.array(areas)))
    return charts.bars(
        "Areas under the curves",
        ["insertion, the more the better", "deletion, the less the better"],
        rows,
        under="In the order of insertion less deletion, the mean over all that a pixel became.",
    )
