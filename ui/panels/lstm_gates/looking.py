"""At what of a network a visitor looks, and how that stands in the address."""

from collections.abc import Mapping
from itertools import takewhile
from typing import Any

from core.lstm_gates import GATES
from ui import address, words
from ui.panels.lstm_gates.brushing import AROUND, BRUSHES, FROM, SIGNS
from ui.panels.lstm_gates.wording import COLOURED, CUTS, ORDERS, PREDICTED, SHOWN
from ui.running import Rules

__all__ = ["LONGEST", "Looks", "cleaned", "first_change", "looks_of", "note", "rules"]

# What is typed (None before anybody has), the layer, the unit, the character and the gate that are
# looked at, the order of the units and how many are drawn, the step of the run, what is brushed and
# how, how influence is drawn, the value that is held, and a run that the next script run shall
# look at.
Looks = dict[str, Any]

LONGEST = 2_000  # characters that may be typed
FAR = 10**6
WIDEST = 1_000.0  # of what is held
KINDS = sorted({each for row in GATES.values() for each in row})
CHOICES = {  # what is chosen among a few, by its key: its looks, values, and the usual one
    "lstm_gate": ("gate", KINDS, "c"),
    "lstm_order": ("order", [*ORDERS], "number"),
    "lstm_most": ("shown", [*SHOWN], "64"),
    "lstm_on": ("on_from", [*FROM], BRUSHES["on_from"]),
    "lstm_by": ("on_by", [*SIGNS], BRUSHES["on_by"]),
    "lstm_around": ("off_around", [*AROUND], BRUSHES["off_around"]),
    "lstm_of": ("of", [*PREDICTED], "actual"),
    "lstm_scale": ("scale", [*COLOURED], "absolute"),
    "lstm_cut": ("cut", [*CUTS], "no"),
}
NUMBERS = {  # likewise whole numbers: the least, the highest, the usual one, and what it is
    "lstm_layer": ("layer", 1, 3, 1, "a layer, from 1 to 3"),
    "lstm_unit": ("unit", 0, FAR, 39, "a unit, from 0 on"),  # it counts the built-in's brackets
    "lstm_time": ("time", 0, LONGEST, 0, "a character's place, from 0 on"),
}
PAIRS = {  # and two of them
    "lstm_span": ("span", None, "the places of two characters, the earlier first, as 3-7"),
    "lstm_pair": ("pair", (0, 0), "the places of two characters, the later first, as 7-3"),
}


def looks_of(asked: Mapping[str, str]) -> Looks:
    """Read off the address at what is to be looked."""
    looks: Looks = {
        "typed": cleaned(asked["lstm_typed"]) if asked.get("lstm_typed") else None,
        "step": address.number(asked.get("lstm_step", "")),
        "held": _held(asked.get("lstm_at", "")),
        "began": "",
    }
    for key, (name, values, usual) in CHOICES.items():
        looks[name] = asked[key] if asked.get(key) in values else usual
    for key, (name, least, highest, usual_number, _) in NUMBERS.items():
        found = address.number(asked.get(key, ""), highest)
        looks[name] = usual_number if found is None else max(least, found)
    for key, (name, usual_pair, _) in PAIRS.items():
        pair = address.numbers(asked.get(key, ""), 2)
        ordered = pair is not None and (pair[0] <= pair[1]) == (
            name == "span" or pair[0] == pair[1]
        )
        looks[name] = pair if ordered else usual_pair
    return looks


def rules(looks: Looks) -> Rules:
    """Give what the address may ask for besides settings, as it is now, and its rules."""
    told: Rules = {
        "lstm_typed": (looks["typed"] or "", f"at most {LONGEST:,} characters"),
        "lstm_at": (f"{looks['held']:g}", "a number"),
        "lstm_step": (
            "the newest" if looks["step"] is None else looks["step"],
            "a step that the run has kept",
        ),
    }
    told |= {
        key: (looks[name], words.choices(values)) for key, (name, values, _) in CHOICES.items()
    }
    told |= {key: (looks[name], rule) for key, (name, *_, rule) in NUMBERS.items()}
    return told | {key: (_pair(looks[name]), rule) for key, (name, _, rule) in PAIRS.items()}


def note(looks: Looks) -> None:
    """Write into the address at what is looked."""
    address.note("lstm_typed", looks["typed"] or "")
    address.note("lstm_step", "" if looks["step"] is None else str(looks["step"]))
    address.note("lstm_at", f"{looks['held']:g}" if looks["held"] else "")
    for key, (name, _, usual) in CHOICES.items():
        address.note(key, "" if looks[name] == usual else looks[name])
    for key, (name, _, _, usual_number, _) in NUMBERS.items():
        address.note(key, "" if looks[name] == usual_number else str(looks[name]))
    for key, (name, usual_pair, _) in PAIRS.items():
        address.note(key, "" if looks[name] == usual_pair else _pair(looks[name]))


def cleaned(text: str) -> str:
    """Cut a text that was typed, and put U+FFFD where half of a character came alone."""
    return words.whole(text[:LONGEST]).replace("\r\n", "\n").replace("\r", "\n")


def first_change(old: str, new: str) -> int:
    """Give the place of the first character at which a text became another; 0 in an empty one."""
    same = sum(1 for _ in takewhile(lambda two: two[0] == two[1], zip(old, new, strict=False)))
    return max(0, min(same, len(new) - 1))


def _pair(pair: tuple[int, int] | None) -> str:
    return "" if pair is None else f"{pair[0]}-{pair[1]}"


def _held(text: str) -> float:
    try:
        value = float(text) if text.isascii() else 0.0
    except ValueError:
        return 0.0
    return value if abs(value) <= WIDEST else 0.0  # NaN is none either
