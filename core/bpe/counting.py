"""The pairs before any merge: which there are, how often, and where."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from core.bpe.corpus import OUTSIDE, Corpus

__all__ = ["Pairs", "count"]

SHORT = 2**16  # ids below fit in two bytes, which NumPy sorts by counting


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Pairs sorted by their keys, left · size + right; each with its places in their order."""

    keys: Int[np.ndarray, " k"]
    counts: Int[np.ndarray, " k"]  # in the whole text
    places: Int[np.ndarray, " n"]  # in the row, of the right one of the two; a pair's are together
    upto: Int[np.ndarray, " k1"]  # where in `places` those of each pair begin, and where all end


def count(corpus: Corpus, size: int) -> Generator[Any, None, Pairs]:
    """Count the pairs of units; yields now and then.

    Args:
        corpus: the text.
        size: more than any id.
    """
    row = corpus.row
    places = np.flatnonzero((row[:-1] != OUTSIDE) & (row[1:] != OUTSIDE)) + 1
    yield
    order = _sorted(row[places], size)
    yield
    lefts = row[places[order] - 1]
    yield
    order = order[_sorted(lefts, size)]
    yield
    places = places[order]
    yield
    keys = row[places - 1].astype(np.int64) * size + row[places]
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    yield
    times = corpus.times()
    yield
    counts = np.add.reduceat(times[places], starts) if len(starts) else np.zeros(0, np.int64)
    return Pairs(
        keys=keys[starts],
        counts=counts,
        places=places.astype(np.int32),
        upto=np.append(starts, len(places)),
    )


def _sorted(ids: Int[np.ndarray, " n"], size: int) -> Int[np.ndarray, " n"]:
    """Give what sorts ids; equals stay as they are."""
    return np.argsort(ids.astype(np.uint16) if size < SHORT else ids, kind="stable")
