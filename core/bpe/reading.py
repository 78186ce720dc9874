"""What can be asked of the vocabulary that a plan leads to: how it reads other texts."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from core.bpe import Plan
from core.bpe.encoding import decode, of_merges
from core.bpe.explaining import Compared, Node, Trace, compare, trace, tree
from core.bpe.history import history
from core.shared.turns import patient

__all__ = ["Encoding", "decoded", "encoded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """A text by the merges that are done."""

    compared: Compared  # with the wrong way
    traces: tuple[Trace, ...]  # of each piece
    tree: tuple[Node, ...]  # of the token that was asked about, if there is one


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
