"""At what of a history a visitor looks, and how that stands in the address."""

from collections.abc import Mapping
from typing import Any

from ui import address, words
from ui.running import Rules

__all__ = ["FOLLOWING", "GUESSING", "LONGEST", "Looks", "looks_of", "note", "rules"]

# How many merges are done, where the window begins and whether it follows them, the token that is
# looked at, whether the next merge is to be guessed and what was; the sentence that is encoded
# (None before anybody has typed one), the piece of it and the merge of that that are looked at.
Looks = dict[str, Any]

LONGEST = 1_000  # characters of the sentence
FAR = 10**7
FOLLOWING = {"yes": "goes where it merges", "no": "stays"}
GUESSING = {"no": "shown", "yes": "guess it first"}
CHOICES = {"bpe_next": ("guessing", GUESSING), "bpe_window": ("follow", FOLLOWING)}
NUMBERS = {  # whole numbers, by their keys: their looks, the usual one, and what it is
    "bpe_step": ("step", 100, "merges done, from 0 on"),
    "bpe_place": ("place", 0, "a byte of the text, from 0 on"),
    "bpe_piece": ("piece", 0, "a piece of the sentence, from 0 on"),
    "bpe_row": ("row", None, "a row of the encoding, from 0 on"),
    "bpe_token": ("token", None, "the id of a token"),
}


def looks_of(asked: Mapping[str, str]) -> Looks:
    """Read off the address at what is to be looked."""
    looks: Looks = {"sentence": asked.get("bpe_typed"), "guess": None}
    if looks["sentence"] is not None:
        looks["sentence"] = words.whole(looks["sentence"])[:LONGEST]
    for key, (name, usual, _) in NUMBERS.items():
        found = address.number(asked.get(key, ""), FAR)
        looks[name] = usual if found is None else found
    for key, (name, named) in CHOICES.items():
        looks[name] = asked[key] if asked.get(key) in named else next(iter(named))
    return looks


def rules(looks: Looks) -> Rules:
    """Give what the address may ask for besides settings, as it is now, and its rules."""
    told: Rules = {key: (looks[name], rule) for key, (name, _, rule) in NUMBERS.items()}
    told |= {key: (looks[name], words.choices([*named])) for key, (name, named) in CHOICES.items()}
    told["bpe_typed"] = looks["sentence"] or "", f"at most {LONGEST:,} characters"
    return told


def note(looks: Looks) -> None:
    """Write into the address at what is looked."""
    for key, (name, usual, _) in NUMBERS.items():
        address.note(key, "" if looks[name] == usual else str(looks[name]))
    for key, (name, named) in CHOICES.items():
        address.note(key, "" if looks[name] == next(iter(named)) else looks[name])
    address.note("bpe_typed", looks["sentence"] or "")
