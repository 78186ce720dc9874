"""What a vocabulary may grow out of: texts that people wrote, textbook examples, one's own."""

import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial

from core.shared import natural
from core.shared import own_texts as own

__all__ = ["LEAST", "TEXTS", "About", "read"]

LEAST = 1  # characters of one's own


@dataclass(frozen=True, slots=True)
class About:
    """What a text is."""

    title: str
    about: str  # one sentence
    source: str


TEXTS = {
    "topics": About(
        "Python's help",
        "What Python's own help says of its language, topic after topic.",
        f"Python {platform.python_version()}, pydoc_data/topics.py (PSF licence)",
    ),
    "python": About(
        "Python code",
        f"Source code of Python's own library, {len(natural.MODULES)} of its files.",
        f"Python {platform.python_version()}, Lib/ (PSF licence)",
    ),
    "tang": About(
        "Tang poems",
        "Three hundred poems of the Tang, three bytes a character.",
        "Debian's package fortunes-zh, colour codes removed (public domain)",
    ),
    "wikipedia": About(
        "aaabdaaabac",
        "Wikipedia's example: its second merge is a tie, and its first pair overlaps itself.",
        "Wikipedia, “Byte-pair encoding” (CC BY-SA 4.0)",
    ),
    "sennrich": About(
        "low, lower, newest, widest",
        "The words of the paper that brought merges to language, as often as there.",
        "Sennrich, Haddow, Birch 2016, arXiv:1508.07909, algorithm 1",
    ),
}
WORDS = {"low": 5, "lower": 2, "newest": 6, "widest": 3}  # Sennrich's


@lru_cache(maxsize=4)
def read(name: str) -> str:
    """Read a text.

    Args:
        name: one of TEXTS, or of a visitor's own, as `own_texts.keep` gives it.

    Raises: ValueError when there is no such text.
    """
    if name in READ:
        return READ[name]()
    if not name.startswith(own.PREFIX):
        raise ValueError(f"text must be one of {tuple(TEXTS)} or a text of one's own, got {name!r}")
    return own.load(own.folder(), name)


READ: Mapping[str, Callable[[], str]] = {
    "topics": partial(natural.help_topics, once=False),
    "python": natural.python_source,
    "tang": natural.tang_poems,
    "wikipedia": lambda: "aaabdaaabac",
    "sennrich": lambda: " ".join(word for word, times in WORDS.items() for _ in range(times)),
}
