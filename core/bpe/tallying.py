"""How often each token stands in a long text, and each merge is done: in turns, word by word.

A piece that comes again is encoded once. As a merge of learned tokens never comes before one that
was learned earlier, what is left at any smaller vocabulary follows from the merges that are done.
"""

import time
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from core.bpe.encoding import UNKNOWN, Encoder, merging, units_of
from core.bpe.splitting import parts
from core.shared.progress import Done

__all__ = ["Counts", "Tally", "count", "tally"]

TURN = 0.02  # seconds

Tally = Counter[str]  # how often each different piece stands in a text, in the order of the text


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What a text becomes."""

    units: int  # before any merge
    tokens: int
    unknown: int  # of these, how many the vocabulary has no token for
    uses: Int[np.ndarray, " v"]  # how often each token stands there at the end
    made: Int[np.ndarray, " v"]  # how often each was made by a merge, on the way


def tally(text: str, split: str) -> Generator[None, None, Tally]:
    """Count the pieces of a long text, in turns."""
    found: Tally = Counter()
    for few in parts(text, split):
        found.update(few)
        yield
    return found


def count(encoder: Encoder, words: Mapping[str, int]) -> Generator[Done, None, Counts]:
    """Encode each different piece, and count by how often it stands there.

    Returns: how far it is, about every 20 ms, and the counts at the end.
    """
    size = len(encoder.tokens)
    uses, made = [0] * size, [0] * size
    before = after = unknown = 0
    first = _first(encoder)
    turn = time.monotonic()
    for done, (word, often) in enumerate(words.items()):
        if time.monotonic() - turn > TURN:
            yield Done(done, len(words), "different pieces")
            turn = time.monotonic()
        ids = first(word)
        work = merging(ids, encoder.join)
        while True:
            try:
                next(work)
                yield Done(done, len(words), "different pieces")
            except StopIteration as end:
                left, merged = end.value
                break
        before += often * len(ids)
        after += often * len(left)
        for each in left:
            if each == UNKNOWN:
                unknown += often
            else:
                uses[each] += often
        for each in merged:
            made[each] += often
    return Counts(
        units=before,
        tokens=after,
        unknown=unknown,
        uses=np.array(uses, dtype=np.int64),
        made=np.array(made, dtype=np.int64),
    )


def _first(encoder: Encoder) -> Callable[[str], list[int]]:
    """Give what turns a piece into the ids of its units; of bytes by a table, as it is quicker."""
    if encoder.units == "bytes":
        table = [encoder.alphabet[bytes([each]), False] for each in range(256)]
        return lambda piece: [table[each] for each in piece.encode("utf-8", "surrogateescape")]
    known = encoder.alphabet
    return lambda piece: [known.get(unit, UNKNOWN) for unit in units_of(encoder, piece)]
