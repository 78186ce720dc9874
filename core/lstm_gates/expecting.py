"""What a network expects after a text: the logits of its whole alphabet."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from core.lstm_gates.readers import Reader, encode
from core.shared.evaluating import at_rest

__all__ = ["LONGEST", "Expected", "expected"]

LONGEST = 10_000  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What may come next."""

    text: str  # after which
    alphabet: str
    logits: Float[np.ndarray, " k"]  # of each character of the alphabet


def expected(reader: Reader, text: str) -> Expected:
    """Give the logits of the next character, none left out.

    Args:
        reader: left as it is.
        text: 1 to 10,000 characters that it reads before.

    Raises: ValueError when the text is empty or too long.
    """
    if not 1 <= len(text) <= LONGEST:
        raise ValueError(f"text must have from 1 to {LONGEST:,} characters, got {len(text):,}")
    codes = encode(text, reader.alphabet)[None].to(reader.head.weight.device)
    with at_rest(reader):
        logits = reader(codes)[0][0, -1]
    return Expected(
        text=text, alphabet=reader.alphabet, logits=logits.cpu().double().numpy().copy()
    )
