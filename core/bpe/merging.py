"""Learn merges: the commonest pair becomes a token, again and again, and all of it is noted.

A merge changes counts only where it happens, so counts are kept and corrected. An occurrence of a
pair arises at one merge only, the one that makes the younger of its two tokens; from then on its
count can but fall. So the places that were noted of a pair then serve as long as it lives, if each
is looked at again before it is used.

A token is in the row twice, at its first and at its last unit: a merge sees its neighbours at once.
"""

import gc
from array import array
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
from jaxtyping import Int

from core.bpe.corpus import OUTSIDE, Corpus
from core.bpe.counting import Pairs, count
from core.bpe.queue import Queue
from core.bpe.ties import Grown, order_of
from core.shared.progress import Done

__all__ = ["NEVER", "Learned", "learn"]

TURN = 0.02  # seconds between two yields
PART = 20_000  # places that are merged without a look at the clock
LARGEST = 50_000_000  # bytes of all tokens: where each is one more than the last they fill memory
NEVER = 2**31 - 1  # the number of the merge that removes a boundary which stays
INT, LONG = "i", "q"  # of four bytes, of eight
BURIED = -2  # in the row, what begins no token any more

Neighbours = dict[int, list[int]]  # by token: how often, and then where


@dataclass(slots=True)
class Learned:
    """All that happened, merge by merge, in lists that grow.

    Each pair that ever stood in the text has a number, in the order of their arising.
    """

    size: int  # more than any id: a pair's key is left · size + right
    grown: Grown
    gone: "array[int]"  # by place in the row: which merge removed the boundary before it
    keys: "array[int]"  # of the pairs
    births: "array[int]"  # their counts when they arose
    merged: list[int] = field(default_factory=list)  # numbers of the pairs that were merged
    counted: list[int] = field(default_factory=list)  # how often each of these was there then
    replaced: list[int] = field(default_factory=list)  # how often it became a token
    ties: list[int] = field(default_factory=list)  # how many were as common, itself included
    fallen: "array[int]" = field(default_factory=partial(array, INT))  # pairs whose count fell
    fell: "array[int]" = field(default_factory=partial(array, LONG))  # what to
    arisen: list[int] = field(default_factory=list)  # pairs that there were after 0, 1, … merges
    logged: list[int] = field(default_factory=list)  # counts that had fallen by then


def learn(corpus: Corpus, ties: str, merges: int) -> Generator[Any, None, Learned]:
    """Learn as many merges as are asked for, or as there are; yields `Done` every 20 ms or so.

    Args:
        corpus: the text.
        ties: one of TIES.
        merges: how many at most.

    Raises: ValueError when the tokens have more than LARGEST bytes in all.

    Source: Sennrich, Haddow, Birch 2016, arXiv:1508.07909, algorithm 1; that counts are corrected
        and not counted anew is after huggingface/tokenizers and karpathy/rustbpe.
    """
    size = len(corpus.alphabet.tokens) + merges
    merging = Merging(corpus, (yield from count(corpus, size)), ties, size)
    yield Done(0, merges, "merges")
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

    def __init__(self, corpus: Corpus, pairs: Pairs, ties: str, size: int) -> None:
        self.learned = Learned(
            size=size,
            grown=Grown(corpus.alphabet.tokens, corpus.alphabet.ends),
            gone=array(INT, [NEVER]) * len(corpus.row),
            keys=array(LONG, pairs.keys.tobytes()),
            births=array(LONG, pairs.counts.tobytes()),
            arisen=[len(pairs.keys)],
            logged=[0],
        )
        self.corpus = corpus
        self.row: list[int] = []
        self.times: list[int] = []  # by place in the row: how often the text has its piece
        self.pairs = pairs
        self.places: list[Sequence[int]] = []  # of the pairs that came later
        self.counts = self.learned.births.tolist()
        self.number: dict[int, int] = {}  # of a pair, by its key
        self.skipped: dict[int, int] = {}  # by pair: how many of its places are no more
        known = order_of(ties, self.learned.grown, self.learned.keys.__getitem__, size)
        order = self.first if ties == "first" else known
        self.queue = Queue(self.counts, order, moves=ties == "first")

    def run(self, merges: int) -> Iterator[None]:
        """Merge; yields every TURN."""
        began = perf_counter()
        for _ in self.steps(merges):
            if perf_counter() - began > TURN:
                yield
                began = perf_counter()

    def steps(self, merges: int) -> Iterator[None]:
        """Merge, and yield often."""
        learned, queue = self.learned, self.queue
        self.row = self.corpus.row.tolist()
        yield
        self.times = self.corpus.times().tolist()
        yield
        for pair, often in enumerate(self.counts):
            self.number[learned.keys[pair]] = pair
            queue.buckets[often].append(pair)
            if pair % PART == 0:
                yield
        for step in range(1, merges + 1):
            while (best := queue.next()) is None:
                if not queue.buckets:
                    return
                yield from queue.descend()
            left, right = divmod(learned.keys[best], learned.size)
            learned.merged.append(best)
            learned.counted.append(queue.best)
            learned.ties.append(queue.tied)
            lefts: Neighbours = {}
            rights: Neighbours = {}
            replaced = 0
            for places in self.parts(best):
                replaced += self.replace(places, left, right, step, lefts, rights)
                yield
            learned.replaced.append(replaced)
            self.correct(best, left, right, lefts, rights)
            if learned.grown.size > LARGEST:
                raise ValueError(
                    f"merges must be at most {step - 1:,} here, as this text repeats itself at "
                    f"such length that more tokens have over {LARGEST // 10**6} MB, got {merges:,}"
                )

    def places_of(self, pair: int) -> "Int[np.ndarray, ' n'] | Sequence[int]":
        """Give where a pair was when it arose."""
        known = len(self.pairs.keys)
        if pair >= known:
            return self.places[pair - known]
        return self.pairs.places[self.pairs.upto[pair] : self.pairs.upto[pair + 1]]

    def parts(self, pair: int) -> Iterator[list[int]]:
        """Give a pair's places for the last time, some of them at a time."""
        places = self.places_of(pair)
        if pair >= len(self.pairs.keys):
            self.places[pair - len(self.pairs.keys)] = ()
        for part in range(0, len(places), PART):
            few = places[part : part + PART] if len(places) > PART else places
            yield few.tolist() if isinstance(few, (array, np.ndarray)) else list(few)

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

        Right neighbours first: of two new tokens side by side the earlier one noted a left part as
        its neighbour, which then became the later one; the later one's left neighbour corrects it.
        """
        learned, counts, number, queue = self.learned, self.counts, self.number, self.queue
        keys, births, places, buckets = learned.keys, learned.births, self.places, queue.buckets
        fallen, fell, size, best = learned.fallen, learned.fell, learned.size, queue.best
        new = len(learned.grown.lengths)
        learned.grown.join(left, right)
        counts[pair] = 0
        queue.tied -= 1
        for neighbours, was, now, along in (  # a pair's key is left · size + right
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
                places.append(array(INT, noted))
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
        places, at, row = self.places_of(pair), self.skipped.get(pair, 0), self.row
        while row[places[at]] != right or row[places[at] - 1] != left:
            at += 1
        self.skipped[pair] = at
        return int(places[at])


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
