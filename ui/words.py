"""Numbers in words, as a page shows them."""

import math
import re
from collections.abc import Sequence

from core.shared.layers import Layer

__all__ = [
    "a",
    "choices",
    "count",
    "duration",
    "listed",
    "pair",
    "plain",
    "sentence",
    "share",
    "size",
    "spaced",
    "table",
    "tested",
    "whole",
]

LEAST = 0.0005  # a smaller share is none in tenths of a per cent
LARGE = 10.0  # such a loss needs no third decimal


def a(noun: str) -> str:
    """Put the article before a noun or a digit: "a 3", "an 8", "an image"."""
    return f"an {noun}" if noun[:1].lower() in "aeiou8" else f"a {noun}"


def choices(values: Sequence[object]) -> str:
    """List what can be chosen: "a, b or c"."""
    *most, last = map(str, values)
    return f"{', '.join(most)} or {last}"


def count(number: int, noun: str) -> str:
    """Count things: "1 character", "2,000 characters"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def duration(seconds: float | None) -> str:
    """Say a time as a person would: "12 s", "3 min 5 s", "1 h 10 min"; a dash for no time."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def listed(names: Sequence[str]) -> str:
    """List what is so: "a, b and c"."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def pair(loss: float, accuracy: float) -> str:
    """Say a loss and an accuracy in per cent; a dash where there is none."""
    if math.isnan(loss):
        return "–"
    return f"{loss:{'.3f' if loss < LARGE else '.4g'}} · {100 * accuracy:.1f} %"


def sentence(text: str) -> str:
    """Make a message a sentence: a capital first, a full stop last."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def share(value: float) -> str:
    """Say a share from 0 to 1 in per cent; what is almost none is not rounded to it."""
    return "< 0.1 %" if 0 < value < LEAST else f"{100 * value:.1f} %"


def size(count: int) -> str:
    """Say how many bytes there are: "512 MB", "3.1 MB"; a MB is 2²⁰ of them."""
    return f"{count / 2**20:,.1f}".removesuffix(".0") + " MB"


def spaced(name: str) -> str:
    """Say a field's name as words: "learning rate"."""
    return name.replace("_", " ")


def table(layers: Sequence[Layer]) -> list[dict[str, str]]:
    """List a network's layers with all their arithmetic, and the sums at the end."""
    rows = [
        {
            "layer": layer.name,
            "output": "×".join(map(str, layer.shape)),
            "parameters": _sum(layer.formula, layer.parameters),
            "multiply-adds": _sum(layer.multiply_adds_formula, layer.multiply_adds),
            "sees": str(layer.field),
            "what it does": layer.kind,
            "side of the output": layer.size,
        }
        for layer in layers
    ]
    parameters = sum(layer.parameters for layer in layers)
    products = sum(layer.multiply_adds for layer in layers)
    return [
        *rows,
        dict.fromkeys(rows[0], "")
        | {
            "layer": "in all",
            "parameters": f"{parameters:,}",
            "multiply-adds": f"{products:,}",
        },
    ]


def plain(text: str) -> str:
    """Make Markdown show a text as it is."""
    return re.sub(r"([\\`*_{}\[\]<>()#+\-.!|~:$])", r"\\\1", text)


def _sum(formula: str, value: int) -> str:
    return f"{formula} = {value:,}" if formula else "–"


def tested(result: tuple[int, float] | None) -> str:
    """Say how many of the test digits were read right, and by the weights of which step."""
    if result is None:
        return ""
    step, accuracy = result
    return f"**{100 * accuracy:.2f} %** read right, by the weights of step {step:,}"


def whole(text: str) -> str:
    """Put U+FFFD where half of a character came alone, which no address can have."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
