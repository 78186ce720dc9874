"""What stands in the address besides the widgets' own values, and a word on what cannot be had."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from difflib import get_close_matches
from typing import Any

import streamlit as st
from streamlit.errors import StreamlitAPIException

from ui.words import plain

__all__ = ["PREFIXES", "asked", "note", "number", "numbers", "refuse", "strangers", "unknown"]

HIGHEST = 10**9  # of the numbers in an address
PREFIXES = frozenset(  # with which the keys of all pages begin, before the first "_"
    (
        *("attack", "curve", "dream", "fake", "filter", "harden", "lab", "maps", "matrix"),
        *(
            "grid",
            "hans",
            "heat",
            "lstm",
            "pin",
            "race",
            "saliency",
            "train",
            "transfer",
            "universal",
            "wanted",
        ),
        *("attacked", "bpe", "court", "distil", "melt"),
    )
)


def asked(prefix: str) -> dict[str, str]:
    """Read what the address asks of a page when this session opens it first; later nothing."""
    if st.session_state.get(f"{prefix}_opened"):
        return {}
    return {key: value for key, value in st.query_params.items() if key.startswith(f"{prefix}_")}


def strangers() -> dict[str, str]:
    """Read what the address asks of no page at all: once a session, as `asked` does."""
    if st.session_state.get("pin_opened"):
        return {}
    told = st.query_params.items()
    return {key: value for key, value in told if key.partition("_")[0] not in PREFIXES}


def unknown(wanted: Collection[str], known: Collection[str]) -> list[str]:
    """Say of each key that is none what it may have been meant to be."""
    sentences = []
    for key in wanted:
        if key not in known:
            near = get_close_matches(key, sorted(known), 1)
            meant = f": is {near[0]} meant?" if near else "."
            sentences.append(f"{key[:40]} in the address is no setting here{meant}")
    return sentences


def refuse(
    prefix: str,
    wanted: Mapping[str, str],
    given: Mapping[str, tuple[Any, str]],
    known: Collection[str] | None = None,
) -> None:
    """Say of each value that was asked for and could not be had what it has to be.

    Args:
        prefix: of the page's keys.
        wanted: what `asked` read before the widgets were drawn.
        given: for each key its present value, and the rule for it in words.
        known: keys that are settings besides; what is neither is said too. None is for a part of
            the page that does not know them all.
    """
    st.session_state[f"{prefix}_opened"] = True
    sentences = [
        f"{key} must be {rule}, got {wanted[key][:40]!r} in the address; "
        f"{'none' if value in (None, '') else value} was taken instead."
        for key, (value, rule) in given.items()
        if key in wanted and not _same(wanted[key], value)
    ]
    if known is not None:
        sentences += unknown(wanted, {*given, *known})
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
    """Put a value into the address; an empty one is taken out.

    What a widget was bound to in the run before it takes out itself, when it is drawn no more.
    """
    if value and st.query_params.get(key) != value:
        st.query_params[key] = value
    elif not value and key in st.query_params:
        with suppress(StreamlitAPIException):
            del st.query_params[key]


def _same(text: str, value: object) -> bool:
    try:
        return float(text) == float(str(value))
    except ValueError:
        parts, others = text.split(","), str(value).split(",")
        if len(parts) == len(others) > 1:
            return all(map(_same, parts, others))
        return text == str(value)
