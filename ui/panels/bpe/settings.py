"""The settings of a vocabulary: widgets in, a plan out; each stands in the address."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from core.bpe import SPLITS, TIES, UNITS, Plan, texts
from ui import address, words
from ui.own_text import Shelf
from ui.running import BOUND, Rules

__all__ = ["ASKED", "settings"]

MERGES = (0, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000)
TEXTBOOK = {  # what a textbook example is read by, as long as nobody chooses otherwise
    "wikipedia": {"bpe_units": "bytes", "bpe_split": "none", "bpe_merges": 10},
    "sennrich": {"bpe_units": "characters", "bpe_split": "spaces", "bpe_merges": 10},
}
LABELS = {"units": "Units", "split": "Pre-tokenizer", "ties": "Among equally common pairs"}
HELP = {
    "units": "What a text is made of before the first merge.",
    "split": "It cuts the text into pieces that no merge crosses. By white space each space is a "
    "piece of its own, and so at least a token, which textbooks leave out.",
    "ties": "Which pair is merged where several are the commonest. Libraries disagree.",
}
ASKED = ("bpe_tab", "bpe_other", "bpe_width")  # what else has rules where it is drawn


def settings(asked: Mapping[str, str], looks: Rules) -> tuple[Plan, str]:
    """Draw the settings.

    Args:
        asked: what the address asked for when the page was opened.
        looks: what else the address may ask for: its present value, and the rule for it.

    Returns: the plan, and a sentence on why it is another one than was asked for, or nothing.
    """
    usual, rules = Plan(), dict(looks)
    given: dict[str, Any] = {"text": SHELF.choose(asked)}
    for name, named in (("units", UNITS), ("split", SPLITS), ("ties", TIES)):
        key = f"bpe_{name}"
        chosen = st.selectbox(
            LABELS[name],
            [*named],
            [*named].index(getattr(usual, name)),
            format_func=named.__getitem__,
            key=key,
            help=HELP[name],
            **BOUND,
        )
        rules[key] = named[chosen], words.choices([*named.values()])
        given[name] = chosen
    given["merges"] = st.select_slider(
        "Merges, at most",
        MERGES,
        usual.merges,
        format_func="{:,}".format,
        key="bpe_merges",
        **BOUND,
    )
    rules["bpe_merges"] = (
        f"{given['merges']:,}",
        words.choices([f"{each:,}" for each in MERGES]),
    )
    address.refuse("bpe", asked, rules, ("bpe_text", *ASKED))
    try:
        return Plan(**given), ""
    except ValueError as error:
        return Plan(**{**given, "ties": usual.ties}), str(error)


def _about(name: str) -> str:
    if name in texts.TEXTS:
        return texts.TEXTS[name].about
    text = texts.read(name)
    characters = words.count(len(text), "character")
    return f"{characters}, {len(text.encode()):,} bytes; {len(set(text)):,} different."


def _chosen(name: str) -> None:
    """Set what a textbook has with its example."""
    st.session_state.update(TEXTBOOK.get(name, {}))


SHELF = Shelf(
    prefix="bpe",
    titles={name: about.title for name, about in texts.TEXTS.items()},
    read=texts.read,
    about=_about,
    use="read it and learn from it",
    least=texts.LEAST,
    chosen=_chosen,
)
