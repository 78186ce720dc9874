"""The whole history of a plan, from which any moment of it can be told at once.

Each boundary within a piece has one number, that of the merge which removes it. At a step those
boundaries stand whose number is higher; and the token between two of them is the one that the
highest number between them made.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from core.bpe import Plan, texts
from core.bpe.corpus import Corpus, prepare
from core.bpe.merging import Learned, learn
from core.bpe.ties import Grown
from core.bpe.vocabulary import Vocabulary
from core.shared.turns import Room, remembered

__all__ = ["History", "grow", "history"]

KEPT = 4  # histories
LARGE = 1_500_000  # characters
LEARNING = Room()  # what is large takes up to 0.7 GB for a while


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All merges of a plan, and what they did; arrays that nobody may change.

    Pairs have numbers in the order of their arising; merges are numbered from 1.
    """

    plan: Plan
    corpus: Corpus
    vocabulary: Vocabulary
    grown: Grown
    gone: Int[np.ndarray, " r"]  # by place in the row: which merge removed the boundary before it
    lefts: Int[np.ndarray, " p"]  # by pair, its tokens
    rights: Int[np.ndarray, " p"]
    births: Int[np.ndarray, " p"]  # by pair, its count when it arose
    merged: Int[np.ndarray, " m"]  # by merge, its pair
    counted: Int[np.ndarray, " m"]  # by merge, how often its pair stood there
    replaced: Int[np.ndarray, " m"]  # by merge, how often that became a token
    ties: Int[np.ndarray, " m"]  # by merge, how many pairs were as common, its own included
    fallen: Int[np.ndarray, " c"]  # pairs whose counts fell, in that order
    fell: Int[np.ndarray, " c"]  # and what to
    arisen: Int[np.ndarray, " s"]  # by step, from 0 on: how many pairs there had been
    logged: Int[np.ndarray, " s"]  # by step, from 0 on: how many counts had fallen
    tokens: Int[np.ndarray, " s"]  # by step, from 0 on: how many the text has
    ends: Int[np.ndarray, " e"]  # of each piece of the text: where, in bytes of the text

    @property
    def steps(self) -> int:
        """How many merges there are."""
        return len(self.merged)

    def counts(self, step: int) -> Int[np.ndarray, " q"]:
        """Count the pairs that have arisen, when so many merges are done."""
        counts = self.births[: self.arisen[step]].copy()
        upto = self.logged[step]
        counts[self.fallen[:upto]] = self.fell[:upto]  # of several the last stays
        return counts

    def cut(
        self, places: Int[np.ndarray, " u"], step: int
    ) -> tuple[Int[np.ndarray, " t"], Int[np.ndarray, " t"]]:
        """Cut places of the row into the tokens of a step, OUTSIDE being one.

        Args:
            places: whole tokens one after the other, each from its first place to its last.
            step: how many merges are done.

        Returns: where in `places` each token begins, and its id.
        """
        gone = self.gone[places]
        starts = np.flatnonzero(gone > step)
        if not len(starts):
            return starts, np.zeros(0, np.int64)
        gone[starts] = 0
        made = np.maximum.reduceat(gone, starts).astype(np.int64)
        units = self.corpus.row[places[starts]]
        return starts, np.where(made > 0, self.vocabulary.alphabet + made - 1, units)


def grow(plan: Plan, text: str) -> Generator[Any, None, History]:
    """Learn all merges of a plan; yields `Done` now and then.

    Args:
        plan: what to do.
        text: with which text, whatever the plan says.

    Raises: ValueError when the text cannot be said in UTF-8, or its tokens fill too much memory.
    """
    order = "mapped" if plan.ties == "smaller" else "value"
    corpus = yield from prepare(text, plan.units, plan.split, order)
    learned = yield from learn(corpus, plan.ties, plan.merges)
    return (yield from _noted(plan, corpus, learned))


@remembered(KEPT)
def history(plan: Plan) -> Generator[Any, None, History]:
    """Learn all merges of a plan, or remember them; yields `Done` now and then.

    Raises: ValueError when there is no such text.
    """
    text = texts.read(plan.text)
    if len(text) < LARGE:
        return (yield from grow(plan, text))
    yield from LEARNING.enter()
    try:
        return (yield from grow(plan, text))
    finally:
        LEARNING.leave()


def _noted(plan: Plan, corpus: Corpus, learned: Learned) -> Generator[Any, None, History]:
    keys = np.array(learned.keys, np.int64)
    lefts = (keys // learned.size).astype(np.int32)
    yield
    rights = (keys - lefts.astype(np.int64) * learned.size).astype(np.int32)
    merged = np.array(learned.merged, np.int32)
    parts = zip(lefts[merged].tolist(), rights[merged].tolist(), strict=True)
    yield
    replaced = np.array(learned.replaced, np.int64)
    vocabulary = Vocabulary(
        units=plan.units,
        split=plan.split,
        tokens=tuple(learned.grown.tokens),
        ends=tuple(learned.grown.ends),
        merges=tuple(parts),
    )
    yield
    whole = History(
        plan=plan,
        corpus=corpus,
        vocabulary=vocabulary,
        grown=learned.grown,
        gone=np.array(learned.gone, np.int32),
        lefts=lefts,
        rights=rights,
        births=np.array(learned.births, np.int64),
        merged=merged,
        counted=np.array(learned.counted, np.int64),
        replaced=replaced,
        ties=np.array(learned.ties, np.int64),
        fallen=np.array(learned.fallen, np.int32),
        fell=np.array(learned.fell, np.int64),
        arisen=np.array(learned.arisen, np.int64),
        logged=np.array(learned.logged, np.int64),
        tokens=corpus.units - np.cumsum([0, *replaced]),
        ends=(yield from _ends(corpus)),
    )
    for name in History.__slots__:
        if isinstance(value := getattr(whole, name), np.ndarray):
            value.flags.writeable = False  # all who ask share them
    return whole


def _ends(corpus: Corpus) -> Generator[Any, None, Int[np.ndarray, " e"]]:
    """Find where each piece of the text ends."""
    if not len(corpus.sequence):
        return np.zeros(0, np.int64)
    upto = np.cumsum(corpus.widths(0, len(corpus.row)))
    yield
    sizes = upto[corpus.begins + corpus.lengths - 1] - upto[corpus.begins - 1]
    return np.cumsum(sizes[corpus.sequence])
