"""What others learn of a text."""

import io
import json
from itertools import pairwise
from typing import Any

import rustbpe
from subword_nmt.learn_bpe import learn_bpe
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

from core.bpe.splitting import PATTERNS, pieces
from tests.bpe.naive import MARK

__all__ = ["by_minbpe", "by_rustbpe", "by_subword_nmt", "by_tokenizers", "bytes_of_characters"]

Pairs = list[tuple[bytes, bytes]]
EVERYTHING = r"[\s\S]+"  # a regex for the split that does not split


def by_tokenizers(text: str, *, units: str, split: str, merges: int) -> Pairs:
    """What HF learns, bytes as bytes."""
    suffix: dict[str, Any] = {} if units == "bytes" else {"end_of_word_suffix": MARK.decode()}
    tokenizer = Tokenizer(models.BPE())
    pattern = pre_tokenizers.Split(Regex(PATTERNS.get(split, EVERYTHING)), "isolated")
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    both = pre_tokenizers.Sequence([pattern, level])
    tokenizer.pre_tokenizer = both if units == "bytes" else pattern
    every = level.alphabet() if units == "bytes" else []
    size = 1_000_000 if units == "characters" else 256 + merges
    trainer = trainers.BpeTrainer(
        vocab_size=size, show_progress=False, initial_alphabet=every, **suffix
    )
    tokenizer.train_from_iterator([text], trainer)
    content = json.loads(tokenizer.to_str())["model"]["merges"]
    if units == "characters":
        return [(left.encode(), right.encode()) for left, right in content]
    byte = bytes_of_characters()
    return [
        (bytes(byte[each] for each in left), bytes(byte[each] for each in right))
        for left, right in content
    ]


def bytes_of_characters() -> dict[str, int]:
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [value for value in range(256) if value not in shown]
    return {chr(value): value for value in shown} | {
        chr(256 + place): value for place, value in enumerate(rest)
    }


def by_rustbpe(text: str, *, split: str, merges: int) -> list[bytes]:
    """The tokens that rustbpe learns, in their order."""
    tokenizer = rustbpe.Tokenizer()
    tokenizer.train_from_iterator(
        [text], vocab_size=256 + merges, pattern=PATTERNS.get(split, EVERYTHING)
    )
    return [bytes(token) for token, _ in tokenizer.get_mergeable_ranks()[256:]]


def by_subword_nmt(text: str, merges: int) -> Pairs:
    """What subword-nmt learns of a text's words."""
    out = io.StringIO()
    learn_bpe(io.StringIO(text), out, merges, min_frequency=1)
    lines = out.getvalue().splitlines()[1:]
    return [(left.encode(), right.encode()) for left, right in map(str.split, lines)]


def by_minbpe(text: str, *, split_by: str, merges: int) -> Pairs:
    """What minbpe's RegexTokenizer does, which ends with an error where no pair is left."""
    chunks = [list(piece.encode()) for piece in pieces(text, split_by)]
    vocabulary = {value: bytes([value]) for value in range(256)}
    learned = []
    for new in range(256, 256 + merges):
        stats: dict[tuple[int, int], int] = {}
        for chunk in chunks:
            for pair in pairwise(chunk):
                stats[pair] = stats.get(pair, 0) + 1
        if not stats:
            break
        best = max(stats, key=stats.__getitem__)
        chunks = [_merged(chunk, best, new) for chunk in chunks]
        vocabulary[new] = vocabulary[best[0]] + vocabulary[best[1]]
        learned.append((vocabulary[best[0]], vocabulary[best[1]]))
    return learned


def _merged(ids: list[int], pair: tuple[int, int], new: int) -> list[int]:
    after, place = [], 0
    while place < len(ids):
        if ids[place] == pair[0] and place < len(ids) - 1 and ids[place + 1] == pair[1]:
            after.append(new)
            place += 2
        else:
            after.append(ids[place])
            place += 1
    return after
