"""Learn merges: the commonest pair becomes a token, again and again, and all of it is noted.

A merge changes counts only where it happens, so counts are kept and corrected. An occurrence of a
pair arises at one merge only, the one that makes the younger of its two tokens; from then on its
count can but fall. So the places that were noted of a pair then serve as long as it lives, if each
is looked at again before it is used.

A token is in the row twice, at its first and at its last unit: a merge sees its neighbours at once.
"""

import gc
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
from jaxtyping import Int

from core.bpe.corpus import OUTSIDE, Corpus
from core.bpe.queue import Queue
from core.bpe.ties import Grown, order_of
from core.shared.progress import Done

__all__ = ["NEVER", "Learned", "learn"]

TURN = 0.02  # seconds between two yields
PART = 20_000  # places that are merged without a look at the clock
NEVER = 2**31 - 1  # the number of the merge that removes a boundary which stays
BURIED = -2  # in the row, what begins no token any more

Neighbours = dict[int, list[int]]  # by token: how often, and then where


@dataclass(slots=True)
class Learned:
    """All that happened, merge by merge, in lists that grow.

    Each pair that ever stood in the text has a number, in the order of their arising.
    """

    size: int  # more than any id: a pair's key is left · size + right
    grown: Grown
    gone: list[int]  # by place in the row: which merge removed the boundary before it
    keys: list[int] = field(default_factory=list)  # of the pairs
    births: list[int] = field(default_factory=list)  # their counts when they arose
    merged: list[int] = field(default_factory=list)  # numbers of the pairs that were merged
    counted: list[int] = field(default_factory=list)  # how often each of these was there then
    replaced: list[int] = field(default_factory=list)  # how often it became a token
    ties: list[int] = field(default_factory=list)  # how many were as common, itself included
    fallen: list[int] = field(default_factory=list)  # numbers of pairs whose count fell
    fell: list[int] = field(default_factory=list)  # what to
    arisen: list[int] = field(default_factory=list)  # pairs that there were after 0, 1, … merges
    logged: list[int] = field(default_factory=list)  # counts that had fallen by then


def learn(corpus: Corpus, ties: str, merges: int) -> Generator[Any, None, Learned]:
    """Learn as many merges as are asked for, or as there are; yields `Done` every 20 ms or so.

    Args:
        corpus: the text.
        ties: one of TIES.
        merges: how many at most.

    Source: Sennrich, Haddow, Birch 2016, arXiv:1508.07909, algorithm 1; that counts are corrected
        and not counted anew is after huggingface/tokenizers and karpathy/rustbpe.
    """
    merging = Merging(corpus, ties, merges)
    work = merging.run(merges)
    while True:
        with _undisturbed():
            try:
                next(work)
            except StopIteration:
                return merging.learned
        yield Done(len(merging.learned.replaced), merges, "merges")


class Merging:
    """The row as it is, and the pairs in it."""

    def __init__(self, corpus: Corpus, ties: str, merges: int) -> None:
        alphabet = corpus.alphabet
        grown = Grown(alphabet.tokens, alphabet.ends)
        size = len(alphabet.tokens) + merges
        self.learned = Learned(size=size, grown=grown, gone=[NEVER] * len(corpus.row))
        times = corpus.times()
        self.row: list[int] = corpus.row.tolist()
        self.times: list[int] = times.tolist()
        self.places = _first(
            corpus.row, times, self.learned
        )  # by pair: of the right one of the two
        self.counts = self.learned.births.copy()
        self.number = {key: pair for pair, key in enumerate(self.learned.keys)}
        self.skipped: dict[int, int] = {}  # by pair: how many of its places are no more
        known = order_of(ties, grown, self.learned.keys.__getitem__, size)
        order = self.first if ties == "first" else known
        self.queue = Queue(self.counts, order, moves=ties == "first")

    def run(self, merges: int) -> Iterator[None]:
        """Merge; yields now and then."""
        learned, began = self.learned, perf_counter()
        for step in range(1, merges + 1):
            pair = self.queue.next()
            if pair is None:
                return
            left, right = divmod(learned.keys[pair], learned.size)
            learned.merged.append(pair)
            learned.counted.append(self.queue.best)
            learned.ties.append(self.queue.tied)
            lefts: Neighbours = {}
            rights: Neighbours = {}
            replaced = 0
            for places in self.parts(pair):
                replaced += self.replace(places, left, right, step, lefts, rights)
                if perf_counter() - began > TURN:
                    yield
                    began = perf_counter()
            learned.replaced.append(replaced)
            self.correct(pair, left, right, lefts, rights)

    def parts(self, pair: int) -> Iterator[list[int]]:
        """Give a pair's places for the last time, some of them at a time."""
        places, self.places[pair] = self.places[pair], ()
        for part in range(0, len(places), PART):
            few = places[part : part + PART] if len(places) > PART else places
            yield few if isinstance(few, list) else few.tolist()

    def replace(
        self,
        places: list[int],
        left: int,
        right: int,
        step: int,
        lefts: Neighbours,
        rights: Neighbours,
    ) -> int:
        """Put a new token wherever a pair still is; gives how often, and notes its neighbours."""
        row, times, gone, lengths = (
            self.row,
            self.times,
            self.learned.gone,
            self.learned.grown.lengths,
        )
        before, behind, new, replaced = lengths[left], lengths[right], len(lengths), 0
        for place in places:
            if row[place] != right or row[place - 1] != left:
                continue
            start = place - before
            after = place + behind
            row[place] = BURIED
            row[start] = row[after - 1] = new
            gone[place] = step
            often = times[place]
            replaced += often
            beside = row[start - 1]
            if beside in lefts:
                noted = lefts[beside]
                noted[0] += often
                noted.append(start)
            else:
                lefts[beside] = [often, start]
            beside = row[after]
            if beside in rights:
                noted = rights[beside]
                noted[0] += often
                noted.append(after)
            else:
                rights[beside] = [often, after]
        return replaced

    def correct(
        self, pair: int, left: int, right: int, lefts: Neighbours, rights: Neighbours
    ) -> None:
        """Count what is no more and what is new beside the new token.

        Right neighbours first: where the new token follows itself, it was one of the left token
        there that its right neighbour was, and is no more.
        """
        learned, counts, number, queue = self.learned, self.counts, self.number, self.queue
        keys, births, places, buckets = learned.keys, learned.births, self.places, queue.buckets
        fallen, fell, size, best = learned.fallen, learned.fell, learned.size, queue.best
        new = len(learned.grown.lengths)
        learned.grown.join(left, right)
        counts[pair] = 0
        queue.tied -= 1
        for neighbours, was, now, along in (
            (rights, right * size, new * size, 1),
            (lefts, left, new, size),
        ):
            neighbours.pop(OUTSIDE, None)
            for beside, noted in neighbours.items():
                often, noted[0] = noted[0], 0  # place 0 is outside: no pair is ever there
                beside *= along
                less = number[was + beside]
                count = counts[less]
                if count == best:
                    queue.tied -= 1
                counts[less] = count = count - often
                fallen.append(less)
                fell.append(count)
                arises = len(keys)
                number[now + beside] = arises
                keys.append(now + beside)
                births.append(often)
                counts.append(often)
                places.append(noted)
                if often == best:
                    queue.join(arises)
                else:
                    buckets[often].append(arises)
        counts[pair] = 0  # one that overlaps itself was its own neighbour
        fallen.append(pair)
        fell.append(0)
        learned.arisen.append(len(keys))
        learned.logged.append(len(fallen))

    def first(self, pair: int) -> int:
        """Find a pair's first place; what is before it never comes back."""
        left, right = divmod(self.learned.keys[pair], self.learned.size)
        places, at, row = self.places[pair], self.skipped.get(pair, 0), self.row
        while row[places[at]] != right or row[places[at] - 1] != left:
            at += 1
        self.skipped[pair] = at
        return int(places[at])


def _first(row: Int[np.ndarray, " r"], times: Int[np.ndarray, " r"], learned: Learned) -> list[Any]:
    """Count the pairs before any merge; gives the places of each."""
    row = row.astype(np.int64)
    at = np.flatnonzero((row[:-1] != OUTSIDE) & (row[1:] != OUTSIDE)) + 1
    keys = row[at - 1] * learned.size + row[at]
    order = np.argsort(keys, kind="stable")
    keys, at = keys[order], at[order]
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    learned.keys = keys[starts].tolist()
    learned.births = np.add.reduceat(times[at], starts).tolist() if len(at) else []
    learned.arisen.append(len(starts))
    learned.logged.append(0)
    return np.split(at.astype(np.int32), starts[1:]) if len(at) else []


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let nothing look for cycles in a million lists that have none."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
