"""BPE as its definition reads: recount everything, merge everywhere, again and again.

Slow, and of nothing that the engine uses but the pre-tokenizers and the type of a vocabulary.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from core.bpe.splitting import pieces
from core.bpe.vocabulary import Vocabulary

Word = list[int]


def learned(
    text: str, merges: int, *, units: str = "bytes", split: str = "gpt2", order: str = "value"
) -> Vocabulary:
    """Learn by HF's rule: the commonest pair, of equally common ones the smaller ids.

    order: of the alphabet of bytes: "value", or "hf", by the characters HF writes them with.
    """
    alphabet = _alphabet(text, units, split, order)
    number = {unit: place for place, unit in enumerate(alphabet)}
    words = [[number[unit] for unit in units_of(piece, units)] for piece in pieces(text, split)]
    tokens, done = list(alphabet), []
    for _ in range(merges):
        counts = Counter(pair for word in words for pair in pairwise(word))
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        made = len(tokens)
        left, right = best
        tokens.append((tokens[left][0] + tokens[right][0], tokens[right][1]))
        done.append(best)
        words = [replaced(word, best, made) for word in words]
    return Vocabulary(
        units=units,
        split=split,
        tokens=tuple(token for token, _ in tokens),
        ends=tuple(ends for _, ends in tokens),
        merges=tuple(done),
    )


def encoded(vocabulary: Vocabulary, text: str) -> list[list[int]]:
    """Encode each piece as Sennrich's paper says it: each merge over all, in the learned order."""
    number = {
        unit: place
        for place, unit in enumerate(
            zip(
                vocabulary.tokens[: vocabulary.alphabet],
                vocabulary.ends[: vocabulary.alphabet],
                strict=True,
            )
        )
    }
    found = []
    for piece in pieces(text, vocabulary.split):
        word = [number.get(unit, -1) for unit in units_of(piece, vocabulary.units)]
        for place, pair in enumerate(vocabulary.merges):
            word = replaced(word, pair, vocabulary.alphabet + place)
        found.append(word)
    return found


def replaced(word: Sequence[int], pair: tuple[int, int], made: int) -> Word:
    """Replace a pair from the left."""
    found, place = [], 0
    while place < len(word):
        if tuple(word[place : place + 2]) == pair:
            found.append(made)
            place += 2
        else:
            found.append(word[place])
            place += 1
    return found


def units_of(piece: str, units: str) -> list[tuple[bytes, bool]]:
    if units == "bytes":
        return [(bytes([each]), False) for each in piece.encode()]
    return [(each.encode(), place == len(piece) - 1) for place, each in enumerate(piece)]


def _alphabet(text: str, units: str, split: str, order: str) -> list[tuple[bytes, bool]]:
    if units == "bytes":
        printed = [*range(33, 127), *range(161, 173), *range(174, 256)]
        rest = [each for each in range(256) if each not in printed]
        order_of = range(256) if order == "value" else [*printed, *rest]
        return [(bytes([each]), False) for each in order_of]
    found = {unit for piece in pieces(text, split) for unit in units_of(piece, units)}
    return sorted(found, key=lambda unit: unit[0].decode() + "</w>" * unit[1])
