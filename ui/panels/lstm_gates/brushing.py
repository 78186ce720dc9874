"""Brush a span of characters: which units are on in it, and where else are they?"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from core.lstm_gates.selecting import Match, select
from ui import inside
from ui.blocks import Block
from ui.inside import Choice
from ui.sequences import Span

__all__ = ["AROUND", "BRUSHES", "FROM", "SIGNS", "Brushed", "brushing"]

BRUSHES = {"on_from": "0.5", "off_around": "0", "on_by": "either"}  # and what each is at first
FROM = ("0.1", "0.3", "0.5", "0.7", "0.9")
AROUND = {"0": "need not be", "1": "1 character", "3": "3 characters"}
SIGNS = {"either": "either sign", "high": "high values", "low": "low values"}
SIGN = {"either": 0, "high": 1, "low": -1}
TOLD = 8  # matches
HINT = (
    "Click a place, or go there by the arrow keys; drag along the characters to find the units "
    "that are on in a span."
)


class Brushed(NamedTuple):
    """What was brushed, as the screen shows it."""

    units: list[int]  # that are selected
    spans: list[Span]
    blocks: list[Block]
    hint: str


def brushing(
    values: Float[np.ndarray, "t u"], text: str, gate: str, looks: dict[str, Any]
) -> Brushed:
    """Select the units that are on in the span that was brushed, if one was."""
    if looks["span"] is None or looks["span"][0] >= len(text):
        return Brushed([], [], [], HINT)
    first, last = looks["span"][0], min(looks["span"][1], len(text) - 1)
    around = int(looks["off_around"])
    found = select(
        values,
        first,
        last,
        float(looks["on_from"]),
        before=around,
        after=around,
        sign=SIGN[looks["on_by"]],
    )
    matches = found.matches[:TOLD]
    spans = [Span(first=first, last=last)]
    spans += [Span(first=each.first, last=each.last, on=False) for each in matches]
    names = ", ".join(map(str, found.units[:TOLD]))
    more = f" and {len(found.units) - TOLD} more" if len(found.units) > TOLD else ""
    told = f"{_said(text, first, last)}: {len(found.units)} units have {gate} on all along" + (
        f", {names}{more}; they stand on top." if len(found.units) else "."
    )
    where = "; ".join(_match(text, each) for each in matches)
    rows = [
        Choice(
            name="on_from",
            label="On from",
            values=[(each, each) for each in FROM],
            chosen=looks["on_from"],
        ),
        Choice(name="on_by", label="by", values=[*SIGNS.items()], chosen=looks["on_by"]),
        Choice(
            name="off_around",
            label="Off before and after",
            values=[*AROUND.items()],
            chosen=looks["off_around"],
        ),
    ]
    say = f"{told} Where else they are on: {where}." if where else told
    return Brushed(found.units.tolist(), spans, [inside.choices(rows)], say)


def _said(text: str, first: int, last: int) -> str:
    return f"{first} to {last}, “{text[first : last + 1]}”".replace("\n", "↵")


def _match(text: str, match: Match) -> str:
    return f"{_said(text, match.first, match.last)} ({match.shared} of them)"
