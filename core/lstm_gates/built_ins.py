"""The built-in networks, told without loading them; this module needs no torch."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.lstm_gates import Plan

__all__ = ["BUILT_INS", "FOLDER", "BuiltIn", "require_built_in"]

FOLDER = Path(__file__).parents[2] / "assets" / "readers"
TITLES = {
    "brackets": "LSTM of 64 units, brackets",
    "brackets-gru": "GRU of 64 units, brackets",
    "brackets-rnn": "plain RNN of 64 units, brackets",
    "python": "LSTM of two times 128 units, Python",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltIn:
    """One of the networks that are there from the start."""

    name: str
    title: str
    plan: Plan  # by which it learned
    alphabet: str
    bits: float  # a character of the validation text
    right: float | None  # as in `State.forced`; None where nobody knows
    impossible: float | None


def _told() -> dict[str, BuiltIn]:
    file = FOLDER / "readers.json"
    outcomes: dict[str, dict[str, Any]] = {}
    if file.is_file():  # else they are being made
        outcomes = json.loads(file.read_text(encoding="utf-8"))
    return {
        name: BuiltIn(
            name=name,
            title=title,
            plan=Plan(**outcomes[name]["plan"]),
            alphabet=outcomes[name]["alphabet"],
            bits=outcomes[name]["bits"],
            right=outcomes[name]["right"],
            impossible=outcomes[name]["impossible"],
        )
        for name, title in TITLES.items()
        if name in outcomes
    }


BUILT_INS = _told()


def require_built_in(name: str) -> BuiltIn:
    """Give what is known of a network.

    Raises: ValueError when there is no such network.
    """
    if name not in BUILT_INS:
        raise ValueError(f"name must be one of {tuple(BUILT_INS)}, got {name!r}")
    return BUILT_INS[name]
