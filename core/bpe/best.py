"""Which pairs could be merged next, the best first: by count, and of equals by the rule."""

from collections.abc import Callable
from heapq import nsmallest
from typing import Any

import numpy as np
from jaxtyping import Int

from core.bpe.corpus import OUTSIDE
from core.bpe.history import History
from core.bpe.ties import order_of

__all__ = ["best"]

PART = 250_000  # tokens that are looked through at a time

Above = Int[np.ndarray, " a"]  # pairs that are commoner than the last of the best
Equal = Int[np.ndarray, " e"]  # and those as common


def best(
    history: History, step: int, most: int
) -> tuple[Int[np.ndarray, " k"], Int[np.ndarray, " k"], int]:
    """Find the best pairs when so many merges are done.

    Args:
        history: of a plan.
        step: merges done.
        most: pairs.

    Returns: their numbers, their counts, and how many are as common as the first.
    """
    counts = history.counts(step)
    alive = int((counts > 0).sum())
    if not alive:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), 0
    least = np.partition(counts, -min(most, alive))[-min(most, alive)]
    above = np.flatnonzero(counts > least)
    equal = np.flatnonzero(counts == least)
    order = _order(history, step, above, equal, most - len(above))
    above = np.array(sorted(above.tolist(), key=lambda pair: (-counts[pair], order(pair))), int)
    equal = np.array(nsmallest(most - len(above), equal.tolist(), key=order), int)
    chosen = np.concatenate([above, equal])
    return chosen, counts[chosen], int((counts == counts[chosen[0]]).sum())


def _order(
    history: History, step: int, above: Above, equal: Equal, wanted: int
) -> Callable[[int], Any]:
    lefts, rights, vocabulary = history.lefts, history.rights, history.vocabulary
    size = len(vocabulary.tokens)
    if history.plan.ties == "first":
        places = _places(history, step, above, equal, wanted)
        return lambda pair: places.get(pair, len(history.gone))
    return order_of(
        history.plan.ties,
        history.grown,
        lambda pair: int(lefts[pair]) * size + int(rights[pair]),
        size,
    )


def _places(history: History, step: int, above: Above, equal: Equal, wanted: int) -> dict[int, int]:
    """Find where in the row some pairs are first: all `above`, and the first few of `equal`."""
    known = np.concatenate([above, equal])
    size = len(history.vocabulary.tokens)
    keys = history.lefts[known].astype(np.int64) * size + history.rights[known]
    order = np.argsort(keys)
    keys, known = keys[order], known[order]
    sought, fewest = set(above.tolist()), min(wanted, len(equal))
    found: dict[int, int] = {}
    starts, ids = history.cut(np.arange(len(history.gone)), step)
    for first in range(0, len(ids) - 1, PART):
        few = ids[first : first + PART + 1]
        pairs = few[:-1] * size + few[1:]
        pairs[(few[:-1] == OUTSIDE) | (few[1:] == OUTSIDE)] = OUTSIDE
        at = np.minimum(np.searchsorted(keys, pairs), len(keys) - 1)
        hits = np.flatnonzero(keys[at] == pairs)
        numbers, firsts = np.unique(known[at[hits]], return_index=True)
        for number, hit in zip(numbers.tolist(), hits[firsts].tolist(), strict=True):
            found.setdefault(number, int(starts[first + hit]))
        if len(found) >= len(sought) + fewest and sought <= found.keys():
            break
    return found
