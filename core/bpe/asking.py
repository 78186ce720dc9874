"""What can be asked of a plan; its merges are learned when it is first asked for."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.bpe import Plan
from core.bpe.best import best
from core.bpe.encoding import decode, of_merges
from core.bpe.explaining import Compared, Node, Trace, compare, trace, tree
from core.bpe.history import History, history
from core.bpe.places import first_made
from core.bpe.results import Candidate, Merge, Moment, Summary
from core.bpe.vocabulary import Vocabulary
from core.bpe.windows import window
from core.shared.turns import patient

__all__ = ["Encoding", "decoded", "encoded", "learned", "moment", "summary"]

BEST = 10  # pairs that a moment tells of


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """A text by the merges that are done."""

    compared: Compared  # with the wrong way
    traces: tuple[Trace, ...]  # of each piece
    tree: tuple[Node, ...]  # of the token that was asked about, if there is one


AROUND = 150  # bytes before what is looked for
POINTS = 500  # of a summary's curves


@patient
def summary(plan: Plan) -> Generator[Any, None, Summary]:
    """Tell what a whole history comes to.

    Args:
        plan: from what text, and how.

    Raises: ValueError when there is no such text.
    """
    grown = yield from history(plan)
    corpus, steps = grown.corpus, grown.steps
    at = np.unique(np.linspace(0, steps, min(POINTS, steps + 1)).round().astype(np.int64))
    tied = np.flatnonzero(grown.ties > 1)
    return Summary(
        characters=len(corpus.text),
        size=int(grown.ends[-1]) if len(grown.ends) else 0,
        pieces=len(corpus.sequence),
        different=len(corpus.pieces),
        alphabet=grown.vocabulary.alphabet,
        steps=steps,
        tied=len(tied),
        first_tied=int(tied[0]) + 1 if len(tied) else 0,
        at=at,
        tokens=grown.tokens[at].astype(np.float64),
        counted=np.concatenate([[np.nan], grown.counted])[at],
    )


@patient
def moment(plan: Plan, step: int, place: int | None = 0) -> Generator[Any, None, Moment]:
    """Tell how it stands when so many merges are done.

    Args:
        plan: from what text, and how.
        step: merges done; more than there are is the end.
        place: where in the text the window begins, in bytes of UTF-8; None for a little before the
            first token that the last merge made.

    Raises: ValueError when there is no such text, or a number is below 0.
    """
    for name, value in (("step", step), ("place", place or 0)):
        if type(value) is not int or value < 0:
            raise ValueError(f"{name} must be a whole number from 0 on, got {value!r}")
    grown = yield from history(plan)
    step = min(step, grown.steps)
    if place is None:
        place = max(0, first_made(grown, step) - AROUND)
    candidates, ties = _candidates(grown, step)
    return Moment(
        step=step,
        steps=grown.steps,
        made=_made(grown, step) if step else None,
        best=candidates,
        ties=ties,
        tokens=int(grown.tokens[step]),
        vocabulary=grown.vocabulary.alphabet + step,
        window=window(grown, step, place),
    )


@patient
def learned(plan: Plan) -> Generator[Any, None, Vocabulary]:
    """Give the vocabulary that a plan comes to.

    Raises: ValueError when there is no such text.
    """
    return (yield from history(plan)).vocabulary


def _made(grown: History, step: int) -> Merge:
    pair, vocabulary = grown.merged[step - 1], grown.vocabulary
    return Merge(
        number=step,
        left=vocabulary.tokens[grown.lefts[pair]],
        right=vocabulary.tokens[grown.rights[pair]],
        ends=vocabulary.ends[grown.rights[pair]],
        id=vocabulary.alphabet + step - 1,
        counted=int(grown.counted[step - 1]),
        replaced=int(grown.replaced[step - 1]),
        ties=int(grown.ties[step - 1]),
    )


def _candidates(grown: History, step: int) -> tuple[tuple[Candidate, ...], int]:
    pairs, counts, ties = best(grown, step, BEST)
    tokens, ends = grown.vocabulary.tokens, grown.vocabulary.ends
    lefts, rights = grown.lefts[pairs].tolist(), grown.rights[pairs].tolist()
    return tuple(
        Candidate(
            left=tokens[left],
            right=tokens[right],
            ends=ends[right],
            ids=(left, right),
            count=count,
            tied=bool(count == counts[0]),
            chosen=bool(place == 0),
        )
        for place, (left, right, count) in enumerate(
            zip(lefts, rights, counts.tolist(), strict=True)
        )
    ), ties


@patient
def encoded(
    plan: Plan, step: int, text: str, token: int | None = None
) -> Generator[Any, None, Encoding]:
    """Encode a text by the first merges of a plan.

    Args:
        plan: from what text, and how.
        step: merges done; more than there are is all.
        text: that is encoded.
        token: whose tree is wanted, if there is such a token.

    Raises: ValueError when there is no such text, or the one to encode is too long.
    """
    grown = yield from history(plan)
    encoder = of_merges(grown.vocabulary, min(step, grown.steps))
    known = token is not None and 0 <= token < len(encoder.tokens)
    return Encoding(
        compared=compare(encoder, text),
        traces=trace(encoder, text),
        tree=tree(encoder, token) if known and token is not None else (),
    )


@patient
def decoded(plan: Plan, ids: tuple[int, ...]) -> Generator[Any, None, bytes]:
    """Give the bytes that tokens stand for.

    Raises: ValueError when there is no such text or no such token.
    """
    grown = yield from history(plan)
    return decode(of_merges(grown.vocabulary), ids)
