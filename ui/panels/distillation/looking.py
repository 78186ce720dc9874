"""At what temperature a visitor looks, and at what, and how that stands in the address."""

import math
from collections.abc import Mapping
from typing import Any

from ui import address, words
from ui.running import Rules

__all__ = [
    "CHOICES",
    "FORMS",
    "FROM",
    "LONGEST",
    "PULLED",
    "SHIFTS",
    "SLIDERS",
    "SOURCES",
    "Looks",
    "looks_of",
    "note",
    "rules",
]

# The temperature, whose logits they are, the sliders' own, the class in the formula, the cell of
# the dark knowledge, the test image of each tab, what is drawn from, and the shift of a bias.
Looks = dict[str, Any]

FROM = {"network": "the pinned network", "sliders": "ten sliders"}
FORMS = {"stable": "the largest subtracted", "naive": "as the formula stands"}
SCALES = {"linear": "linear", "log": "log"}
SOURCES = {"above": "the softmax above", "reader": "the next character, by an LSTM for Python"}
PULLED = {
    "new": "who knows nothing yet",
    "sliders": "the ten sliders",
    "distilled": "the newest distilled one",
}
CHOICES = {
    "heat_logits": ("of", FROM),
    "heat_form": ("form", FORMS),
    "heat_scale": ("scale", SCALES),
    "heat_drawn": ("drawn", SOURCES),
    "heat_student": ("student", PULLED),
}
IMAGES = {"heat_pulled": "pulled", "heat_faced": "faced", "heat_image": "beside"}  # of the tests
TEXT = "def __init__(sel"
LONGEST = 500  # characters
SHIFTS = tuple(half / 2 for half in range(21))  # of a bias
SLIDERS = (3.0, 1.5, 0.5, 6.0, -1.0, 2.0, 0.0, -2.0, 4.5, -0.5)  # a 3 that looks like an 8
HIGHEST = 20.0  # of a slider, either way
FAR = 10**6


def looks_of(asked: Mapping[str, str]) -> Looks:
    """Read off the address at what is to be looked."""
    looks: Looks = {
        "T": _heat(asked.get("heat_T", "")),
        "own": _own(asked.get("heat_own", "")),
        "class": address.number(asked.get("heat_class", ""), FAR),
        "cell": address.numbers(asked.get("heat_cell", ""), 2),
        "text": words.whole(asked.get("heat_text", TEXT))[:LONGEST],
        "shift": _shift(asked.get("heat_shift", "")),
        "bias": _shift(asked.get("heat_bias", "")),
    }
    for key, name in IMAGES.items():
        looks[name] = address.number(asked.get(key, ""), FAR) or 0
    for key, (name, named) in CHOICES.items():
        looks[name] = asked[key] if asked.get(key) in named else next(iter(named))
    return looks


def rules(looks: Looks) -> Rules:
    """Give what the address may ask for, as it is now, and its rules."""
    told: Rules = {
        key: (looks[name], words.choices([*named])) for key, (name, named) in CHOICES.items()
    }
    told["heat_T"] = looks["T"], 'a number from 0, or "inf"'
    told["heat_own"] = _written(looks["own"]), f"ten numbers from {-HIGHEST:g} to {HIGHEST:g}"
    told["heat_class"] = looks["class"], "the number of a class, from 0"
    told["heat_cell"] = _pair(looks["cell"]), "the numbers of two classes, as 2-7"
    told["heat_text"] = looks["text"], f"a text of at most {LONGEST} characters"
    for name in ("shift", "bias"):
        told[f"heat_{name}"] = f"{looks[name]:g}", f"a number from 0 to {SHIFTS[-1]:g} in halves"
    for key, name in IMAGES.items():
        told[key] = looks[name], "the number of a test image, from 0"
    return told


def note(looks: Looks) -> None:
    """Write into the address at what is looked."""
    warm = looks["T"]
    address.note("heat_T", "" if warm == 1 else f"{warm:g}")
    address.note("heat_own", "" if looks["own"] == SLIDERS else _written(looks["own"]))
    address.note("heat_class", "" if looks["class"] is None else str(looks["class"]))
    address.note("heat_cell", _pair(looks["cell"]))
    address.note("heat_text", "" if looks["text"] == TEXT else looks["text"])
    for name in ("shift", "bias"):
        address.note(f"heat_{name}", f"{looks[name]:g}" if looks[name] else "")
    for key, name in IMAGES.items():
        address.note(key, str(looks[name] or ""))
    for key, (name, named) in CHOICES.items():
        address.note(key, "" if looks[name] == next(iter(named)) else looks[name])


def _heat(text: str) -> float:
    try:
        value = float(text) if text.isascii() else 1.0
    except ValueError:
        return 1.0
    return 1.0 if math.isnan(value) or value < 0 else value


def _own(text: str) -> tuple[float, ...]:
    try:
        values = tuple(float(each) for each in text.split(","))
    except ValueError:
        return SLIDERS
    fits = len(values) == len(SLIDERS) and all(abs(each) <= HIGHEST for each in values)
    return values if fits else SLIDERS


def _shift(text: str) -> float:
    named = {f"{shift:g}": shift for shift in SHIFTS}
    return named.get(text, 0.0)


def _pair(cell: tuple[int, int] | None) -> str:
    return "" if cell is None else f"{cell[0]}-{cell[1]}"


def _written(values: tuple[float, ...]) -> str:
    return ",".join(f"{each:g}" for each in values)
