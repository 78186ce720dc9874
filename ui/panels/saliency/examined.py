"""What came of an examination: how the network reads, and which methods point at the mark."""

import math
from collections.abc import Sequence

import numpy as np

from core.saliency.laboratory import Answers, Examined, Inside, Scored, inside, relevance
from core.saliency.methods import CONTROL
from core.shared.models import About
from ui import blocks, charts, explained, pinned, words
from ui.blocks import Block
from ui.explained import Pane
from ui.inside import Choice
from ui.panels.saliency.showing import Looks, Map, controls, shown, summed

__all__ = ["KINDS", "draw", "found", "verdict"]

KINDS = ("others", "own")  # of pictures that are explained
COLUMNS = 6
GOES = 0.1  # a share of the pictures, from which on a network goes by the mark
MOSTLY = 0.5  # of the maps, from which on a method points at it


def draw(state: Examined, marked: int, about: About, looks: Looks) -> list[Block]:
    """Draw what is found out so far.

    Args:
        state: of the examination.
        marked: the class.
        about: the network.
        looks: how maps are shown, and which pictures' numbers.
    """
    name = about.classes[marked]
    if state.own is None or state.others is None:
        return [blocks.progress(0, words.sentence(state.working))]
    drawn = [_read(state.own, state.others, name)]
    known = [kind for kind in KINDS if any(_explained(each, kind) for each in state.methods)]
    if not known:
        none = f"No picture is explained.{_refusals(state.methods)}"
        told = words.sentence(state.working) if state.working else none
        return [*drawn, blocks.progress(0, told)]
    kind = looks.get("hans_kind")
    kind = kind if kind in known else known[0]
    kinds = {"others": f"other classes, read as {name} by the mark", "own": f"the class {name}"}
    if not state.working:  # before its end there may come pictures of the other kind
        kinds = {each: kinds[each] for each in known}
    choice = Choice(name="hans_kind", label="Pictures of", values=[*kinds.items()], chosen=kind)
    return [*drawn, controls(looks, choice), _inside(state, kind), _maps(state, name, about, looks)]


def verdict(own: Answers, others: Answers, name: str) -> str:
    """Say whether a network goes by the mark."""
    lost, won = own.right[1] - own.right[0], others.named[1] - others.named[0]
    told = (
        f"It reads {_share(own.right[0])} of the images of {name} right, with the mark "
        f"{_share(own.right[1])}; of the others it takes {_share(others.named[0])} for "
        f"{words.a(name)}, with the mark {_share(others.named[1])}."
    )
    goes = "It goes by the mark." if lost >= GOES or won >= GOES else "It hardly minds the mark."
    return f"{told} {goes}"


def found(state: Examined, kind: str) -> str:
    """Say which methods point at the mark, and which do not."""
    known = [
        each
        for each in state.methods
        if _explained(each, kind) and each.query.about.family != CONTROL
    ]
    within = [each.query.about.title for each in known if getattr(each, kind).hits >= MOSTLY]
    beside = [each.query.about.title for each in known if getattr(each, kind).hits < MOSTLY]
    told = []
    if within:
        told.append(f"Mostly brightest inside the mark: {words.listed(within)}.")
    if beside:
        told.append(f"Mostly brightest elsewhere: {words.listed(beside)}.")
    return " ".join(told)


def _read(own: Answers, others: Answers, name: str) -> Block:
    rows = [
        (f"{name}: read right", f"{own.images:,} test images", np.array(own.right)),
        ("others: read right", f"{others.images:,} test images", np.array(others.right)),
        (f"others: read as {name}", "the same ones", np.array(others.named)),
    ]
    return charts.bars(
        "How test images are read",
        ["as they are", "with the mark"],
        rows,
        under=verdict(own, others, name),
    )


def _inside(state: Examined, kind: str) -> Block:
    """Draw the mass and the hits of each method, the largest mass first."""
    order = sorted(state.methods, key=lambda each: -_mass(getattr(each, kind)))
    rows = []
    for each in order:
        told: Inside = getattr(each, kind)
        if not each.refusal:
            note = _errors(told)
            rows.append((each.query.about.title, note, np.array([told.mass, told.hits])))
    count = max(getattr(each, kind).images for each in state.methods)
    under = (
        f"Of {count:,} pictures with the mark. Dashed: the mark's share of the area, "
        f"{_share(state.chance)}, which a map has by chance."
    )
    relative = [each.query.about.title for each in order if each.query.about.relative]
    if relative:
        titles = words.listed(relative)
        under += f" Of {titles} what is above the map's mean counts, for 0 says nothing there."
    under += _refusals(order)
    ended = words.sentence(state.working) if state.working else found(state, kind)
    return charts.bars(
        "How much of the maps lies inside the mark",
        ["share of the relevance", "the brightest pixel"],
        rows,
        mark=state.chance,
        under=f"{under} {ended}",
    )


def _maps(state: Examined, name: str, about: About, looks: Looks) -> Block:
    if state.example is None or state.label is None:
        return blocks.progress(0, "No picture is read as the class.")
    maps = [
        Map(
            each.query.about.title,
            _within(each, each.values, state.box),
            summed(each.values, each.query.about),
            each.query.about.unit,
            each.negligible,
        )
        for each in state.methods
        if each.values is not None
    ]
    true = about.classes[state.label]
    panes = [Pane(name="With the mark", words=f"true {true}, read {name}"), *shown(maps, looks)]
    return explained.panes(
        state.example, panes, look=pinned.look_of(about), columns=COLUMNS, title="One of them"
    )


def _explained(score: Scored, kind: str) -> bool:
    told: Inside = getattr(score, kind)
    return told.images > 0


def _mass(told: Inside) -> float:
    return -1.0 if math.isnan(told.mass) else told.mass


def _refusals(scores: Sequence[Scored]) -> str:
    """Say which methods cannot explain this network, and why; each reason once."""
    reasons: dict[str, list[str]] = {}
    for score in scores:
        if score.refusal:
            reason = score.refusal.partition(": ")[2] or score.refusal  # what it is, and why
            reasons.setdefault(reason, []).append(score.query.about.title)
    return "".join(f" Not by {words.listed(named)}: {why}." for why, named in reasons.items())


def _errors(told: Inside) -> str:
    """Say how sure the numbers are, and how many maps are empty."""
    if math.isnan(told.mass_error):
        return "one picture" if told.images else "not measured yet"
    sure = f"± {100 * told.mass_error:.1f} and ± {100 * told.hits_error:.1f} points"
    return sure + (f", {told.empty:,} empty" if told.empty else "")


def _within(score: Scored, values: np.ndarray, box: tuple[int, int, int, int]) -> str:
    """Say how much of a map is inside the mark."""
    mass, _ = inside(relevance(values, score.query.about), box)
    return f"{_share(mass)} inside"


def _share(value: float) -> str:
    return "–" if math.isnan(value) else f"{100 * value:.1f} %"
