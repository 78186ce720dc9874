"""The screen of the panel: a text, all gates of a layer while it is read, one unit, one step."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from core.lstm_gates import GATES, RANGES, Gates
from core.lstm_gates.results import Cell
from core.lstm_gates.room import longest
from ui import inside, sequences, words
from ui.blocks import Block, figures
from ui.inside import Choice
from ui.panels.lstm_gates.brushing import brushing
from ui.panels.lstm_gates.looking import LONGEST
from ui.panels.lstm_gates.stepping import stepping
from ui.panels.lstm_gates.wording import CALLED, ORDERS, SHOWN
from ui.sequences import Guesses, Lane, Line, Map

__all__ = ["Place", "draw", "field", "largest", "order_of", "place_of", "rows_of"]

FLAT = 3.0  # of c, beyond which h = o·tanh(c) hardly changes; what is beyond has the full colour
STRANGE = 12  # characters that are told where it does not know them


class Place(NamedTuple):
    """At what of the gates one looks."""

    layer: int  # from 0
    unit: int
    time: int
    gate: str


def place_of(found: Gates, looks: dict[str, Any]) -> Place:
    """Give what is looked at, as far as the network and the text have it."""
    layers, count, units = found.values["h"].shape
    gate = looks["gate"] if looks["gate"] in found.values else "h"
    layer, unit = min(looks["layer"], layers) - 1, min(looks["unit"], units - 1)
    return Place(layer, unit, min(looks["time"], count - 1), gate)


def draw(found: Gates, cell: Cell, looks: dict[str, Any], typed: str) -> list[Block]:
    """Draw all gates of the layer that is looked at, one unit of it, and one step of that."""
    layers, count, units = found.values["h"].shape
    number, unit, time, gate = place_of(found, looks)
    layer, names = number + 1, GATES[found.cell]
    maps = [_map(name, found.values[name][layer - 1]) for name in names]
    order = order_of(found.values[gate][layer - 1], looks["order"])
    rows = [
        Choice(
            name="gate",
            label="Look at",
            values=[(each, f"{each}, {CALLED[each]}") for each in names],
            chosen=gate,
        ),
        Choice(name="order", label="Units by", values=[*ORDERS.items()], chosen=looks["order"]),
    ]
    if layers > 1:
        numbers = [(str(number), str(number)) for number in range(1, layers + 1)]
        rows.insert(0, Choice(name="layer", label="Layer", values=numbers, chosen=str(layer)))
    fewer = [(each, told) for each, told in SHOWN.items() if each == "all" or int(each) < units]
    if len(fewer) > 1:
        most = looks["shown"] if looks["shown"] in dict(fewer) else "all"
        rows.append(Choice(name="most", label="Draw", values=fewer, chosen=most))
    unknown = np.flatnonzero(found.unknown).tolist()
    brushed = brushing(found.values[gate][number], found.text, gate, looks)
    drawn = rows_of(order, brushed.units, unit, looks["shown"])
    hint = brushed.hint
    if len(drawn) < units:
        hint = f"{len(drawn)} of its {units} units are drawn. {hint}"
    chosen = maps[names.index(gate)]
    values = chosen.values[:, unit]
    high = chosen.high if gate in RANGES else largest(values)
    known = found.bits[np.isfinite(found.bits)]
    return [
        field(typed, found.alphabet, longest("gates", found.cell, layers, units)),
        inside.choices(rows),
        figures(
            [
                ("bits a character", f"{known.mean():.3f}" if len(known) else "–", 1.0),
                ("characters", f"{count:,}", 1.0),
                ("not in its alphabet", f"{len(unknown):,}", 1.0),
                ("largest |h − torch's h|", f"{found.residual:.1e}", 1.3),
            ]
        ),
        sequences.passage(
            found.text,
            values,
            Guesses(
                alphabet=found.alphabet,
                likeliest=found.likeliest,
                probabilities=found.probabilities,
                bits=found.bits,
            ),
            what=f"{gate} of unit {unit}",
            at=time,
            title=f"The text by {gate} ({CALLED[gate]}) of unit {unit}, layer {layer}",
            high=high,
            signed=chosen.signed,
            five=True,
            hint="Under each character the five likeliest to come next; a ring has what came.",
            unknown=unknown,
        ),
        sequences.gates(
            found.text,
            maps,
            drawn,
            at=(unit, time),
            title=f"All gates of layer {layer}: {units} units, {words.count(count, 'character')}",
            hint=hint,
            unknown=unknown,
            spans=brushed.spans,
            brush="span",
        ),
        *brushed.blocks,
        sequences.along(
            found.text,
            _lanes(maps, unit),
            at=time,
            title=f"Unit {unit} of layer {layer}",
            unknown=unknown,
        ),
        stepping(cell, gate),
    ]


def field(typed: str, alphabet: str, most: int = LONGEST) -> Block:
    """Draw the field for the text; over it stands which of its characters are not known."""
    label, known = "Type a text", set(alphabet[1:])
    strange = list(dict.fromkeys(each for each in typed if each not in known))
    if not typed:
        label += ": there is nothing to read yet"
    elif strange:
        named = " ".join(
            each if each.isprintable() and not each.isspace() else f"U+{ord(each):04X}"
            for each in strange[:STRANGE]
        )
        more = f" and {len(strange) - STRANGE} more" if len(strange) > STRANGE else ""
        label += f". What it never learned is all alike to it: {named.replace(' ', '  ')}{more}"
    most = min(most, LONGEST)
    if len(typed) >= most:
        label += f". It reads at most {most:,} characters"
    return sequences.typed("typed", label, typed, most=most)


def largest(values: Float[np.ndarray, "..."]) -> float:
    """Give the largest size of the values that are numbers; 1 where there is none above 0."""
    return float(abs(values[np.isfinite(values)]).max(initial=0.0)) or 1.0


def rows_of(order: list[int], selected: list[int], unit: int, shown: str) -> list[int]:
    """Choose the units that are drawn: the selected ones, then as many as asked for, by the order.

    The one that is looked at is always among them, at the end where it would not be.
    """
    above = set(selected)
    rows = [*selected, *(each for each in order if each not in above)]
    rows = rows if shown == "all" else rows[: max(len(selected), int(shown))]
    return rows if unit in rows else [*rows, unit]


def order_of(values: Float[np.ndarray, "t u"], by: str) -> list[int]:
    """Put the units into an order, the largest first; by time, the one that peaks first."""
    match by:
        case "mean":
            key = -values.mean(0)
        case "spread":
            key = -values.std(0)
        case "time":
            key = abs(values).argmax(0)
        case _:
            key = np.arange(values.shape[1])
    return [int(each) for each in np.argsort(key, kind="stable")]


def _lanes(maps: list[Map], unit: int) -> list[Lane]:
    """Draw one unit's gates over each other where they have the same axis."""
    lanes: dict[tuple[float, float], list[Line]] = {}
    for number, each in enumerate(maps):
        high = each.high if each.name in RANGES else largest(each.values[:, unit])
        ends = (-high if each.signed else 0.0, high)
        line = Line(name=each.name, values=each.values[:, unit], colour=number)
        lanes.setdefault(ends, []).append(line)
    return [Lane(lines=lines, low=low, high=high) for (low, high), lines in lanes.items()]


def _map(name: str, values: Float[np.ndarray, "t u"]) -> Map:
    low, high = RANGES.get(name, (-1.0, min(largest(values), FLAT)))
    return Map(name=name, title=CALLED[name], values=values, high=high, signed=low < 0)
