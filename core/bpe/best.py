"""Which pairs could be merged next, the best first: by count, and of equals by the rule.

Thousands may be equal, so a rule's order is first looked at roughly, by numbers in an array, and
those that cannot be among the best are left out.
"""

from heapq import nsmallest

import numpy as np
from jaxtyping import Int

from core.bpe.corpus import OUTSIDE
from core.bpe.history import History
from core.bpe.ties import order_of

__all__ = ["best"]

PART = 250_000  # places of the row that are looked through at a time

Pairs = Int[np.ndarray, " k"]


def best(history: History, step: int, most: int) -> tuple[Pairs, Int[np.ndarray, " k"], int]:
    """Find the best pairs when so many merges are done.

    Args:
        history: of a plan.
        step: merges done.
        most: pairs.

    Returns: their numbers, their counts, and how many are as common as the first.
    """
    counts = history.counts(step)
    most = min(most, int((counts > 0).sum()))
    if not most:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), 0
    least = _at(counts, most)
    chosen = np.flatnonzero(counts > least)
    levels = [chosen[counts[chosen] == count] for count in np.unique(counts[chosen])[::-1]]
    levels.append(np.flatnonzero(counts == least))
    pairs = np.concatenate([_first(history, step, level, most) for level in levels])[:most]
    return pairs, counts[pairs], len(levels[0])


def _at(counts: Int[np.ndarray, " q"], place: int) -> int:
    """Give the count that so many pairs have or exceed; looks among the highest alone."""
    threshold = int(counts.max())
    while len(high := counts[counts >= threshold]) < place:
        threshold //= 2
    return int(np.partition(high, -place)[-place])


def _first(history: History, step: int, pairs: Pairs, most: int) -> Int[np.ndarray, " m"]:
    """Put pairs that are equally frequent in order; gives the first of them."""
    ties, size = history.plan.ties, len(history.vocabulary.tokens)
    if len(pairs) == 1:
        return pairs
    if ties == "first":
        return _first_met(history, step, pairs, most)

    def key_of(pair: int) -> int:
        return int(history.lefts[pair]) * size + int(history.rights[pair])

    order = order_of(ties, history.grown, key_of, size)
    if len(pairs) > most:
        rough = _roughly(history, pairs)
        pairs = pairs[rough <= np.partition(rough, most - 1)[most - 1]]
    return np.array(nsmallest(most, pairs.tolist(), key=order), np.int64)


def _roughly(history: History, pairs: Pairs) -> Pairs:
    """Give numbers in a rule's order, some of them equal where its own are not."""
    lefts, rights = history.lefts[pairs].astype(np.int64), history.rights[pairs]
    if history.plan.ties == "shorter":
        lengths = np.array(history.grown.lengths)
        return np.asarray(lengths[lefts] + lengths[rights])
    size = len(history.vocabulary.tokens)
    if history.plan.ties == "lexicographic":
        texts = [history.grown.text(token) for token in range(size)]
        place = np.empty(size, np.int64)
        place[sorted(range(size), key=texts.__getitem__, reverse=True)] = np.arange(size)
        lefts, rights = place[lefts], place[rights]
    return np.asarray(lefts * size + rights)


def _first_met(history: History, step: int, pairs: Pairs, most: int) -> Int[np.ndarray, " m"]:
    """Look through the text for pairs, from its beginning until enough are found."""
    size = len(history.vocabulary.tokens)
    keys = history.lefts[pairs].astype(np.int64) * size + history.rights[pairs]
    order = np.argsort(keys)
    keys, pairs = keys[order], pairs[order]
    found: dict[int, None] = {}
    part, first, whole = PART, 0, len(history.gone)
    while len(found) < min(most, len(pairs)):
        places = np.arange(first, min(first + part, whole))
        starts, ids = history.cut(places, step)
        if first + part < whole:  # the last token may go on
            starts, ids = starts[:-1], ids[:-1]
            if len(starts) <= 1:
                part *= 2
                continue
        beside = ids[:-1] * size + ids[1:]
        beside[(ids[:-1] == OUTSIDE) | (ids[1:] == OUTSIDE)] = OUTSIDE
        at = np.minimum(np.searchsorted(keys, beside), len(keys) - 1)
        at = at[keys[at] == beside]
        numbers, places = np.unique(at, return_index=True)
        found |= dict.fromkeys(pairs[numbers[np.argsort(places)]].tolist())
        first += int(starts[-1])
    return np.array([*found][:most], np.int64)
