"""Which of the pairs that are equally frequent is merged: each rule is an order, the least wins.

Source: huggingface/tokenizers tokenizers/src/models/bpe/trainer.rs (`Ord for Merge`); karpathy/
rustbpe src/lib.rs (`Ord for MergeJob`); karpathy/minbpe minbpe/basic.py, where `max` of a dict
gives what came into it first; rsennrich/subword-nmt learn_bpe.py (`max(stats, key=lambda x:
(stats[x], x))`); google/sentencepiece src/bpe_model_trainer.cc (`Trainer::Train`).
"""

from collections.abc import Callable, Sequence
from typing import Any

from core.bpe.vocabulary import END

__all__ = ["Grown", "order_of"]

TOP = chr(256)  # above what stands for any byte

Order = Any  # what can be compared with its like


class Grown:
    """The tokens so far, each with what the rules compare."""

    def __init__(self, tokens: Sequence[bytes], ends: Sequence[bool]) -> None:
        self.tokens = list(tokens)
        self.ends = list(ends)
        self.lengths = [1] * len(self.tokens)  # units
        self.size = sum(map(len, self.tokens))  # bytes of all

    def join(self, left: int, right: int) -> None:
        """Add the token that two make."""
        self.tokens.append(self.tokens[left] + self.tokens[right])
        self.ends.append(self.ends[right])
        self.lengths.append(self.lengths[left] + self.lengths[right])
        self.size += len(self.tokens[-1])

    def text(self, token: int) -> bytes:
        """Give a token's bytes, with the mark written out."""
        return self.tokens[token] + (END.encode() if self.ends[token] else b"")


def order_of(
    ties: str, grown: Grown, key_of: Callable[[int], int], size: int
) -> Callable[[int], Order]:
    """Give the order of a rule: what is the less the sooner a pair is merged.

    Args:
        ties: one of TIES but "first", whose order is that of the places in the text.
        grown: the tokens, to which more may come.
        key_of: a pair's number, left · size + right.
        size: more than any id.
    """
    if ties == "lexicographic":

        def backwards(pair: int) -> Order:
            left, right = divmod(key_of(pair), size)
            return _backwards(grown.text(left)), _backwards(grown.text(right))

        return backwards
    if ties == "shorter":

        def shorter(pair: int) -> Order:
            left, right = divmod(key_of(pair), size)
            length = grown.lengths[left] + grown.lengths[right]
            return length, grown.tokens[left] + grown.text(right), grown.lengths[left]

        return shorter
    return key_of


def _backwards(text: bytes) -> str:
    """Give what sorts the other way round."""
    return "".join(chr(255 - byte) for byte in text) + TOP
