"""What a network may read: texts drawn by rules, three that people wrote, and a visitor's own.

The last tenth of a text is for validation; the alphabet is that of the rest. A natural text's
alphabet has at most LARGEST characters, so that networks stay small: rarer ones are UNKNOWN.
"""

import platform
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from jaxtyping import Bool, Float, Int

from core.lstm_gates import UNKNOWN, generating
from core.lstm_gates.languages import LANGUAGES
from core.shared import natural
from core.shared import own_texts as own

__all__ = ["LARGEST", "LEAST", "TEXTS", "About", "Text", "limited", "places", "read"]

DRAWN = 200_000  # characters of a drawn text, unless more are asked for
SEED = 0
LEAST = own.LEAST  # characters
LARGEST = 1_000  # characters of an alphabet, UNKNOWN included


@dataclass(frozen=True, slots=True)
class About:
    """What a text is."""

    title: str
    about: str  # one sentence
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text, and what is known of each of its places.

    Of natural texts nothing is known: `truth` is empty, and the rest None.
    """

    name: str
    content: str
    alphabet: str  # UNKNOWN first, then sorted
    cut: int  # where validation begins; of a drawn text all is there as at its start
    truth: Mapping[str, Float[np.ndarray, " n"]]  # what is true after each character
    forced: Int[np.ndarray, " n"] | None = None  # place in the alphabet of the only character that
    # may come after, −1 where several may
    allowed: Bool[np.ndarray, "n k"] | None = None  # which may come after
    ideal: Float[np.ndarray, " n"] | None = None  # bits of each character for who knows all rules

    @property
    def parts(self) -> tuple[slice, slice]:
        """Give the places that are for training, and those that are for validation."""
        return slice(0, self.cut), slice(self.cut, len(self.content))


TEXTS = {
    "brackets": About(
        "Brackets",
        "Brackets up to four deep; after = comes how deep they are.",
        "drawn, after the data set of LSTMVis (Strobelt and others 2018, arXiv:1606.07461)",
    ),
    "quotes": About(
        "Quotes",
        "Words inside and outside of quotations of two kinds; what follows a full stop depends.",
        "drawn",
    ),
    "counting": About("Counting", "As many b as there were a, at most ten.", "drawn"),
    "copying": About("Copying", "A string of up to six letters, and the same again.", "drawn"),
    "adding": About("Adding", "Sums of two numbers from 0 to 99.", "drawn"),
    "python": About(
        "Python",
        f"Source code of Python's own library, {len(natural.MODULES)} of its files.",
        f"Python {platform.python_version()}, Lib/ (PSF licence)",
    ),
    "english": About(
        "English",
        "What Python's own help says of its language; a paragraph that comes again is left out.",
        f"Python {platform.python_version()}, pydoc_data/topics.py (PSF licence)",
    ),
    "tang": About(
        "Tang poems",
        "Three hundred poems of the Tang; characters beyond the 999 commonest are unknown.",
        "Debian's package fortunes-zh, colour codes removed (public domain)",
    ),
}


def read(name: str, characters: int = 0) -> Text:
    """Read a text.

    Args:
        name: one of TEXTS, or of a visitor's own, as `own.keep` gives it.
        characters: that are used, from the first on; 0, or more than there are, for all.

    Raises: ValueError when there is no such text, or fewer characters than LEAST are asked for.
    """
    if name not in TEXTS and not name.startswith(own.PREFIX):
        raise ValueError(f"name must be one of {tuple(TEXTS)} or a text of one's own, got {name!r}")
    if type(characters) is not int or (characters and characters < LEAST):
        raise ValueError(f"characters must be 0 or at least {LEAST}, got {characters!r}")
    return _read(name, characters)


def limited(content: str, most: int = LARGEST) -> str:
    """Make an alphabet: UNKNOWN, then the text's commonest characters, sorted.

    Args:
        content: the text, of which UNKNOWN itself is not counted.
        most: characters, UNKNOWN included.
    """
    counts = Counter(content)
    counts.pop(UNKNOWN, None)
    commonest = sorted(counts, key=lambda each: (-counts[each], each))[: most - 1]
    return UNKNOWN + "".join(sorted(commonest))


def places(text: str, alphabet: str) -> Int[np.ndarray, " n"]:
    """Give the place of each character in an alphabet, that of UNKNOWN where it is not in it.

    Args:
        text: of any length.
        alphabet: UNKNOWN first, then each character once.
    """
    points, letters = (
        np.frombuffer(each.encode("utf-32-le"), dtype=np.uint32) for each in (text, alphabet)
    )
    order = np.argsort(letters)
    found = np.searchsorted(letters[order], points)
    place = order[np.minimum(found, len(letters) - 1)]
    return np.where(letters[place] == points, place, 0)


@lru_cache(maxsize=12)
def _read(name: str, characters: int) -> Text:
    if name in LANGUAGES:
        return _drawn(name, characters or DRAWN)
    content = NATURAL[name]() if name in NATURAL else own.load(own.folder(), name)
    content = content[: characters or None]
    cut = len(content) * 9 // 10
    return Text(name=name, content=content, alphabet=limited(content[:cut]), cut=cut, truth={})


def _drawn(name: str, length: int) -> Text:
    content, known = generating.drawn(name, length, np.random.default_rng(SEED))
    before = known.fresh[known.fresh <= length * 9 // 10]
    for values in (known.forced, known.allowed, known.ideal, *known.truth.values()):
        values.flags.writeable = False  # all who read the text share them
    return Text(
        name=name,
        content=content,
        alphabet=generating.alphabet(name),
        cut=int(before[-1]),
        truth=known.truth,
        forced=known.forced,
        allowed=known.allowed,
        ideal=known.ideal,
    )


NATURAL: Mapping[str, Callable[[], str]] = {
    "python": natural.python_source,
    "english": partial(natural.help_topics, once=True),
    "tang": natural.tang_poems,
}
