"""One unit at one step, with every number of its formula."""

from core.lstm_gates import GATES, UNKNOWN
from core.lstm_gates.results import Cell, Sum
from core.lstm_gates.results import Term as Part
from ui import sequences
from ui.blocks import Block
from ui.sequences import Term

__all__ = ["stepping"]

SQUASHED = "ifozr"  # by σ; the others by tanh
TOLD = 3  # terms of a sum
SIGNED = "gnh"


def stepping(found: Cell, gate: str) -> Block:
    """Write out the step; of the gate that is looked at the largest terms are told."""
    names = GATES[found.cell]
    sums = {each.gate: each for each in found.sums}
    rows = [_sum(each, names.index(each.gate)) for each in found.sums]
    rows += _after(found, {name: each.value for name, each in sums.items()}, names)
    asked = sums.get(gate, found.sums[0])
    terms = "; ".join(_term(each, found) for each in asked.terms[:TOLD])
    cells = found.cell == "lstm"
    before, kept = ("h′ and c′", "h and c") if cells else ("h′", "h")
    return sequences.step(
        rows,
        title=f"Unit {found.unit} of layer {found.layer + 1} reads "
        f"{found.character!r} at {found.place}",
        hint=f"x: what the layer is given, {before}: what was kept after the character before.",
        note=f"What moves {asked.gate} most: {terms}. "
        f"Off from torch's {kept} by {found.residual:.1e} at most.",
    )


def _term(term: Part, found: Cell) -> str:
    """Write one product; a character that is given one-hot is its weight alone."""
    product = _plain(term.product)
    one_hot = term.name in (found.character, UNKNOWN) and term.value == 1
    if found.layer == 0 and term.of == "x" and one_hot:
        name = {"\n": "↵", " ": "␣", UNKNOWN: "unknown"}.get(term.name, term.name)
        return f"to read “{name}” adds {product}"
    what = f"h′ of unit {term.name}" if term.of == "h" else f"x {term.name}"
    return f"{what}, {_plain(term.value)}, times {_plain(term.weight)} adds {product}"


def _sum(each: Sum, colour: int) -> Term:
    squash = "σ" if each.gate in SQUASHED else "tanh"
    reset = each.gate == "n"
    hidden = "r·(W h′ + b)" if reset else "W h′"
    parts = (
        f"{_number(each.inputs)} + {_number(each.bias_input)} + r·({_number(each.hidden)} + "
        f"{_number(each.bias_hidden)})"
        if reset
        else f"{_number(each.inputs)} + {_number(each.hidden)} + "
        f"{_number(each.bias_input + each.bias_hidden)}"
    )
    return Term(
        symbol=each.gate,
        formula=f"{squash}(W x + {'b + ' if reset else ''}{hidden}{'' if reset else ' + b'})",
        numbers=f"{squash}({parts}) = {squash}({_number(each.total)})",
        value=each.value,
        colour=colour,
        signed=each.gate in SIGNED,
    )


def _after(found: Cell, gates: dict[str, float], names: tuple[str, ...]) -> list[Term]:
    """Write what the gates do."""
    before, after = found.before, found.after
    if found.cell == "lstm":
        i, f, g, o = (_number(gates[name]) for name in "ifgo")
        high = max(abs(after["c"]), abs(before["c"]), 1.0)
        return [
            Term(
                symbol="c",
                formula="f·c′ + i·g",
                numbers=f"{f}·{_number(before['c'])} + {i}·{g}",
                value=after["c"],
                colour=names.index("c"),
                high=high,
                signed=True,
            ),
            Term(
                symbol="h",
                formula="o·tanh(c)",
                numbers=f"{o}·{_number(after['tanh'])}",
                value=after["h"],
                colour=names.index("h"),
                signed=True,
            ),
        ]
    if found.cell == "gru":
        z, n = _number(gates["z"]), _number(gates["n"])
        return [
            Term(
                symbol="h",
                formula="(1 − z)·n + z·h′",
                numbers=f"(1 − {z})·{n} + {z}·{_number(before['h'])}",
                value=after["h"],
                colour=names.index("h"),
                signed=True,
            )
        ]
    return []


def _plain(value: float) -> str:
    return f"{value:.4f}".replace("-", "−")


def _number(value: float) -> str:
    said = _plain(value)
    return f"({said})" if said.startswith("−") else said
