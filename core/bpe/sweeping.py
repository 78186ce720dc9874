"""How large should a vocabulary be? Fewer tokens, on text it learned from and text it did not.

One encoding by all merges tells of every smaller vocabulary: with the first k merges, a text has as
many tokens as it has units, less one for each merge among those k that was done in it. What more
tokens cost is the embedding: a vector for each, of `width` numbers.
"""

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from core.bpe.encoding import Encoder, of_merges, scalars
from core.bpe.history import History
from core.bpe.tallying import count, tally

__all__ = ["HELD", "POINTS", "WIDTH", "Sweep", "divide", "sweep"]

HELD = 0.1  # share of a text that nothing is learned from: its end
POINTS = 60  # sizes at most
WIDTH = 768  # numbers of a token's vector in the smallest GPT-2


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Vocabularies of growing size, on two texts."""

    merges: Int[np.ndarray, " k"]  # from none to all, closer at the beginning
    vocabulary: Int[np.ndarray, " k"]  # tokens that are known then
    parameters: Int[np.ndarray, " k"]  # of the embedding
    sizes: tuple[int, int]  # bytes of what was learned from, and of what was held out
    unknown: int  # of what was held out: units that the alphabet lacks, each a token at any size
    tokens: Int[np.ndarray, "2 k"]
    rates: Float[np.ndarray, "2 k"]  # bytes per token; NaN for an empty text


def divide(text: str, held: float = HELD) -> tuple[str, str]:
    """Cut a text in two, to learn from and to hold out, at the end of a line if one is near.

    Raises: ValueError when the share is not between 0 and 1.
    """
    if not 0 < held < 1:
        raise ValueError(f"held must be between 0 and 1, got {held:g}")
    cut = round(len(text) * (1 - held))
    near = text.find("\n", cut, cut + len(text) // 50) + 1
    cut = near or cut
    return text[:cut], text[cut:]


def sweep(history: History, held: str, width: int = WIDTH) -> Generator[object, None, Sweep]:
    """Count what two texts become at each of some sizes.

    Args:
        history: of the text that is learned from.
        held: what nothing is learned from.
        width: of the embedding.

    Raises: ValueError when the width is not positive, or a text has lone surrogates.
    """
    if width < 1:
        raise ValueError(f"width must be at least 1, got {width}")
    vocabulary, most = history.vocabulary, history.steps
    spread = np.geomspace(1, most + 1, min(POINTS, most + 1)).round() - 1
    merges = np.unique(spread.astype(np.int64))
    curve, unknown = yield from _tokens(of_merges(vocabulary), scalars(held))
    tokens = np.stack([history.tokens[merges], curve[merges]])
    sizes = (len(history.corpus.text.encode()), len(held.encode()))
    known = vocabulary.alphabet + merges
    with np.errstate(invalid="ignore"):  # 0/0 of an empty text
        rates = np.array(sizes)[:, None] / tokens
    return Sweep(
        merges=merges,
        vocabulary=known,
        parameters=known * width,
        sizes=sizes,
        unknown=unknown,
        tokens=tokens,
        rates=rates,
    )


def _tokens(
    encoder: Encoder, text: str
) -> Generator[object, None, tuple[Int[np.ndarray, " s"], int]]:
    """Count a text's tokens after each number of merges, from none, and those that are unknown."""
    words = yield from tally(text, encoder.split)
    counts = yield from count(encoder, words)
    done = np.cumsum(counts.made[encoder.merges_from :])
    return counts.units - np.concatenate([[0], done]), counts.unknown
