"""Two rules of ties on the same text: where they part, and how little comes of it."""

import numpy as np
from jaxtyping import Int

from core.bpe.history import History
from core.bpe.results import Merge, Own, Parted, shortened

__all__ = ["compare", "made"]

OWN = 200  # tokens of each vocabulary that are named


def compare(one: History, other: History) -> Parted:
    """Compare two histories of one text.

    Args:
        one: of a plan.
        other: of the same plan but for the rule of ties.
    """
    number = _first_difference(one, other)
    names = _names(one), _names(other)
    at = _marks(max(one.steps, other.steps))
    return Parted(
        rules=(one.plan.ties, other.plan.ties),
        number=number,
        merges=(_made_there(one, number), _made_there(other, number)),
        alphabet=one.vocabulary.alphabet,
        steps=(one.steps, other.steps),
        at=at,
        common=np.array([len({*names[0][:step]} & {*names[1][:step]}) for step in at.tolist()]),
        tokens=np.stack([each.tokens[np.minimum(at, each.steps)] for each in (one, other)]),
        own=(_own(names[0], {*names[1]}), _own(names[1], {*names[0]})),
    )


def made(history: History, number: int) -> Merge:
    """Tell of a merge.

    Args:
        history: of a plan.
        number: of the merge, from 1.
    """
    pair, vocabulary = history.merged[number - 1], history.vocabulary
    return Merge(
        number=number,
        left=shortened(vocabulary.tokens[history.lefts[pair]]),
        right=shortened(vocabulary.tokens[history.rights[pair]]),
        ends=vocabulary.ends[history.rights[pair]],
        id=vocabulary.alphabet + number - 1,
        counted=int(history.counted[number - 1]),
        replaced=int(history.replaced[number - 1]),
        ties=int(history.ties[number - 1]),
    )


Name = tuple[bytes, bool]


def _names(history: History) -> list[Name]:
    """Name the tokens that merges made: ids do not do, as rules number bytes differently."""
    vocabulary = history.vocabulary
    both = zip(vocabulary.tokens, vocabulary.ends, strict=True)
    return [*both][vocabulary.alphabet :]


def _first_difference(one: History, other: History) -> int:
    """Number the first merge that is of other tokens; 0 where there is none."""
    merges = [
        [
            (vocabulary.tokens[left], vocabulary.tokens[right], vocabulary.ends[right])
            for left, right in vocabulary.merges
        ]
        for vocabulary in (one.vocabulary, other.vocabulary)
    ]
    for number, (first, second) in enumerate(zip(*merges, strict=False), start=1):
        if first != second:
            return number
    shorter, longer = sorted((one.steps, other.steps))
    return 0 if shorter == longer else shorter + 1


def _made_there(history: History, number: int) -> Merge | None:
    return made(history, number) if 0 < number <= history.steps else None


def _own(names: list[Name], others: set[Name]) -> tuple[Own, ...]:
    own = [
        Own(token=shortened(token), ends=ends, number=number)
        for number, (token, ends) in enumerate(names, start=1)
        if (token, ends) not in others
    ]
    return tuple(own[:OWN])


def _marks(steps: int) -> Int[np.ndarray, " p"]:
    """Give 1, 2, 3, 4, 6, 8, 12 and so on, and the last."""
    doubled = 2 ** np.arange(max(steps, 1).bit_length())
    both = np.concatenate([doubled, doubled[1:] * 3 // 2])
    return np.unique([*both[both < steps].tolist(), steps])
