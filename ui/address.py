"""What stands in the address besides the widgets' own values, and a word on what cannot be had."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from ui.words import plain

__all__ = ["asked", "note", "number", "numbers", "refuse"]

HIGHEST = 10**9  # of the numbers in an address


def asked(prefix: str) -> dict[str, str]:
    """Read what the address asks of a page when this session opens it first; later nothing."""
    if st.session_state.get(f"{prefix}_opened"):
        return {}
    return {key: value for key, value in st.query_params.items() if key.startswith(f"{prefix}_")}


def refuse(prefix: str, wanted: Mapping[str, str], given: Mapping[str, tuple[Any, str]]) -> None:
    """Say of each value that was asked for and could not be had what it has to be.

    Args:
        prefix: of the page's keys.
        wanted: what `asked` read before the widgets were drawn.
        given: for each key its present value, and the rule for it in words.
    """
    st.session_state[f"{prefix}_opened"] = True
    sentences = [
        f"{key} must be {rule}, got {wanted[key][:40]!r} in the address; "
        f"it is {'none' if value in (None, '') else value} now."
        for key, (value, rule) in given.items()
        if key in wanted and not _same(wanted[key], value)
    ]
    if sentences:
        st.toast(
            "\n\n".join(map(plain, sentences)), icon=":material/link_off:", duration="infinite"
        )


def number(text: str, highest: int = HIGHEST) -> int | None:
    """Read a whole number from 0 to the highest; None where there is none."""
    known = text.isascii() and text.isdigit() and len(text) <= len(str(highest))
    return int(text) if known and int(text) <= highest else None


def numbers(text: str, count: int) -> tuple[int, ...] | None:
    """Read so many whole numbers with a "-" between them; None where it is anything else."""
    found = [number(part) for part in text.split("-")]
    known = tuple(each for each in found if each is not None)
    return known if len(known) == len(found) == count else None


def note(key: str, value: str) -> None:
    """Put a value into the address; an empty one is taken out."""
    if value and st.query_params.get(key) != value:
        st.query_params[key] = value
    elif not value and key in st.query_params:
        del st.query_params[key]


def _same(text: str, value: object) -> bool:
    try:
        return float(text) == float(str(value))
    except ValueError:
        return text == str(value)
