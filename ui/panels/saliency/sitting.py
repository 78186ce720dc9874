"""What a sitting of the court has seen, drawn: who wins, the maps, their curves and areas."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from core.saliency.methods import SIZE
from core.saliency.packing import unpacked
from core.saliency.trials import MELTED, METHOD, Judged, Row
from core.shared.models import About
from ui import blocks, charts, explained, pinned, words
from ui.blocks import Block
from ui.explained import Pane
from ui.inside import Choice
from ui.panels.saliency.settings import baselines
from ui.panels.saliency.showing import Looks, Map, controls, ends, shown

__all__ = ["ANOTHER", "MEAN", "draw_sitting"]

ANOTHER = "This sitting is of another picture than the one that is pinned: hear them again."
MEAN = "mean"  # of all imputers
COLUMNS = 6
STRONG = 6  # curves with a colour of their own: the chosen, the winner, and who knows nothing


def draw_sitting(
    state: Judged, config: Mapping[str, Any], about: About, looks: Looks, *, of_another: bool
) -> list[Block]:
    """Draw what the court has seen so far.

    Args:
        state: the same.
        config: of the sitting, as `Court` has it.
        about: the network.
        looks: at what a session looks.
        of_another: whether another picture is pinned now.
    """
    pixels = unpacked(config["picture"])
    drawn = [_verdict(state, about)]
    if of_another:
        drawn.append(blocks.progress(0, ANOTHER, warn=True))
    named = baselines(about)
    imputers = {each: named[each] for each in state.imputers}
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
            _areas(state, place, named),
        ]
    return drawn


def _verdict(state: Judged, about: About) -> Block:
    done = sum(not np.isnan(row.total) or bool(row.refused) for row in state.rows)
    name = about.classes[state.target]
    if state.working or state.winner < 0:
        told = f"Why {name}? {done} of {state.expected} maps are judged. "
        told += words.sentence(state.working)
        return blocks.progress(done / state.expected, told)
    ranked = [state.rows[k] for k in _ranking(state)]
    level = [row for row in ranked if row.total == ranked[0].total]
    best = f"{_lead(ranked[0])}, insertion less deletion"
    if len(state.imputers) > 1:
        best += ", the mean of all that a gone pixel becomes"
    if len(level) > 1:
        told = f"{words.listed([_title(row) for row in level])} are level at {best}"
    else:
        told = f"{_title(ranked[0])} wins with {best}"
    if len(ranked) > len(level):
        second = ranked[len(level)]
        told += f"; then comes {_title(second)} with {_lead(second)}"
    first = next(row for row in ranked if row.role != METHOD)
    worse = [_title(row) for row in ranked if row.role == METHOD and row.total < first.total]
    told += f". Of those that know nothing, {_title(first)} is the best, with {_lead(first)}"
    told += f", and beats {words.listed(worse)}." if worse else ", and no method is below it."
    return blocks.progress(1, told, warn=bool(worse))


def _ranking(state: Judged) -> list[int]:
    """Order the rows that are judged by their insertion less their deletion."""
    known = [k for k, row in enumerate(state.rows) if not np.isnan(row.total)]
    return sorted(known, key=lambda k: -state.rows[k].total)


def _title(row: Row) -> str:
    title = row.query.about.title
    return f"{title} of random weights" if row.role == MELTED else title


def _lead(row: Row) -> str:
    """Say how much of insertion is left less deletion, in per cent as the areas are."""
    return f"{round(100 * row.total, 1) + 0:.1f} %".replace("-", "−")  # never −0.0


def _refused(row: Row) -> str:
    """Say why a method cannot explain this network, if so; which one it is stands beside it."""
    return words.sentence(row.refused.partition(": ")[2] or row.refused) if row.refused else ""


def _grid(state: Judged, pixels: Float[np.ndarray, "c h w"], about: About, looks: Looks) -> Block:
    against = state.rows[0].query.against if state.rows else None
    sure = f"{words.share(state.probability)} {about.classes[state.target]}"
    if against is not None:
        sure += f", of it and {about.classes[against]} alone"
    maps = [
        Map(
            _title(row),
            _refused(row) or ends(_extremes(row), row.query.about) + _shrunk(row, pixels),
            row.map,
            row.query.about.unit,
            row.negligible,
        )
        for row in state.rows
    ]
    reaches = [0.0 if row.refused else explained.reach(_extremes(row)) for row in state.rows]
    panes = [Pane(name="The picture", words=sure), *shown(maps, looks, reaches)]
    return explained.panes(
        pixels,
        panes,
        look=pinned.look_of(about),
        columns=COLUMNS,
        hint="Click a map to see its curves below in colour.",
        name="court_row",
    )


def _extremes(row: Row) -> Float[np.ndarray, "1 2"]:
    """Give the least and the largest value of the whole map, of which fewer may be drawn."""
    return np.array([[row.least, row.most]])


def _shrunk(row: Row, pixels: Float[np.ndarray, "c h w"]) -> str:
    """Say how many pixels a value that is drawn stands for."""
    if row.values.shape == pixels.shape[1:]:
        return ""
    times = np.array(pixels.shape[1:]) / row.values.shape
    return f"; drawn as means of {times[0]:.2g}×{times[1]:.2g} pixels"


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


def _areas(state: Judged, imputer: int | None, named: Mapping[str, str]) -> Block:
    def lead(k: int) -> float:
        both = state.rows[k].insertion_area - state.rows[k].deletion_area
        return float(both.mean() if imputer is None else both[imputer])

    order = sorted(_ranking(state), key=lambda k: -lead(k))
    order += [k for k in range(len(state.rows)) if k not in order]
    rows = []
    for k in order:
        row = state.rows[k]
        areas = [
            float(each.mean() if imputer is None else each[imputer])
            for each in (row.insertion_area, row.deletion_area)
        ]
        rows.append((_title(row), _refused(row) or _note(row), np.array(areas)))
    gone = "the mean over all" if imputer is None else f"for {named[state.imputers[imputer]]}"
    told = f"In the order of insertion less deletion, {gone}; the verdict is of the mean. "
    return charts.bars(
        "Areas under the curves",
        ["insertion, the more the better", "deletion, the less the better"],
        rows,
        under=told + _winners(state, named),
    )


def _note(row: Row) -> str:
    """Say what a map cost, and what it puts first where that is not its largest value."""
    cost = f"{row.passes:,} read, {row.gradients:,} gradients, {row.seconds:.2f} s"
    return cost + "; ordered by size, without the sign" * (row.query.about.order == SIZE)


def _winners(state: Judged, named: Mapping[str, str]) -> str:
    """Say who wins each of the two, and where that differs by what a pixel became."""
    if state.working or state.winner < 0:
        return ""
    return (
        f"Deletion is won by {_by_imputer(state, state.deletion_winners, named)}; "
        f"insertion by {_by_imputer(state, state.insertion_winners, named)}."
    )


def _by_imputer(state: Judged, winners: Sequence[int], named: Mapping[str, str]) -> str:
    won = {k: list[str]() for k in winners}
    for k, imputer in zip(winners, state.imputers, strict=True):
        won[k].append(named[imputer])
    titles = {k: _title(state.rows[k]) for k in won}
    if len(won) == 1:
        return titles[winners[0]]
    return words.listed([f"{titles[k]} ({'; '.join(gone)})" for k, gone in won.items()])
