"""Histories of texts that a test makes up."""

from typing import Any

from core.bpe import Plan, history
from core.bpe.history import History
from tests.bpe.naive import MARK

__all__ = ["grow", "grown_by", "pairs"]


def grow(text: str, **asked: Any) -> History:
    return grown_by(Plan(**asked), text)


def grown_by(plan: Plan, text: str) -> History:
    work = history.grow(plan, text)
    while True:
        try:
            next(work)
        except StopIteration as end:
            grown: History = end.value
            return grown


def pairs(grown: History) -> list[tuple[bytes, bytes]]:
    """What was merged, the mark written out."""
    vocabulary = grown.vocabulary
    texts = [
        token + (MARK if end else b"")
        for token, end in zip(vocabulary.tokens, vocabulary.ends, strict=True)
    ]
    return [(texts[left], texts[right]) for left, right in vocabulary.merges]
