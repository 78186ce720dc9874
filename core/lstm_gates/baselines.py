"""What counting alone comes to: bits a character of the validation text, by n-grams.

They are counted once a text, when the page asks for them, an order a turn; a run's states tell what
has been found so far.
"""

from collections.abc import Generator
from typing import Any

from core.lstm_gates import ngrams, texts
from core.shared.turns import patient

__all__ = ["baselines", "found"]

TEXTS = 32  # texts whose figures are held

Baselines = tuple[tuple[str, float], ...]

_found: dict[tuple[str, int], dict[str, float]] = {}


def found(text: str, characters: int = 0) -> Baselines:
    """Give what has been counted of a text so far: names and bits a character."""
    return tuple(_found.get((text, characters), {}).items())


@patient
def baselines(text: str, characters: int = 0) -> Generator[Any, None, Baselines]:
    """Count the n-grams of a text, from order 1 to 8.

    Args:
        text: its name, as in `Plan.text`.
        characters: of it, as in `Plan.characters`.

    Raises: ValueError when there is no such text.
    """
    read = texts.read(text, characters)
    training, validation = (read.content[part] for part in read.parts)
    while len(_found) > TEXTS:
        del _found[next(iter(_found))]
    counted = _found.setdefault((text, characters), {})
    if len(counted) < ngrams.MOST:
        for name, bits in ngrams.bits(training, validation, read.alphabet):
            counted[name] = bits
            yield
    return tuple(counted.items())
