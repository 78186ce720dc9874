"""What can be asked of a plan; its merges are learned when it is first asked for."""

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import numpy as np

from core.bpe import TIES, Plan
from core.bpe.best import best
from core.bpe.history import History, history
from core.bpe.parting import compare, made
from core.bpe.places import first_made
from core.bpe.results import Candidate, Moment, Parted, Summary, shortened
from core.bpe.windows import window
from core.shared.progress import titled
from core.shared.turns import patient

__all__ = ["moment", "parted", "summary"]

BEST = 10  # pairs that a moment tells of
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
        made=made(grown, step) if step else None,
        best=candidates,
        ties=ties,
        tokens=int(grown.tokens[step]),
        vocabulary=grown.vocabulary.alphabet + step,
        window=window(grown, step, place),
    )


@patient
def parted(plan: Plan, ties: str) -> Generator[Any, None, Parted]:
    """Tell where another rule of ties parts from the plan's own, and what comes of it.

    Args:
        plan: from what text, and how.
        ties: one of TIES.

    Raises: ValueError when there is no such text or rule.
    """
    other = replace(plan, ties=ties)
    one = yield from titled(TIES[plan.ties], history(plan))
    return compare(one, (yield from titled(TIES[ties], history(other))))


def _candidates(grown: History, step: int) -> tuple[tuple[Candidate, ...], int]:
    pairs, counts, ties = best(grown, step, BEST)
    tokens, ends = grown.vocabulary.tokens, grown.vocabulary.ends
    lefts, rights = grown.lefts[pairs].tolist(), grown.rights[pairs].tolist()
    return tuple(
        Candidate(
            left=shortened(tokens[left]),
            right=shortened(tokens[right]),
            ends=ends[right],
            ids=(left, right),
            count=count,
            tied=bool(count == counts[0]),
            chosen=place == 0,
        )
        for place, (left, right, count) in enumerate(
            zip(lefts, rights, counts.tolist(), strict=True)
        )
    ), ties
