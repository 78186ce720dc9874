"""Merges by counting everything anew at each step: slow, and easy to see through."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from core.bpe import Plan

__all__ = ["Step", "drawn", "naive", "words_of"]

MARK = b"</w>"
PRINTED = [*range(33, 127), *range(161, 173), *range(174, 256)]  # HF's order of bytes


@dataclass
class Step:
    """How it stands, before a merge, and which it will be."""

    pieces: list[list[bytes]]  # the text in its tokens, the mark written out
    counts: Counter[tuple[bytes, bytes]]
    pair: tuple[bytes, bytes] | None  # that is merged next
    replaced: int
    ties: int
    ranked: list[tuple[bytes, bytes]]  # the best ten


def drawn(seed: int, letters: str = "ab", words: int = 12, longest: int = 9) -> str:
    """Some words over few letters, so that ties and runs are everywhere."""
    source = np.random.default_rng(seed)
    lengths = source.integers(1, longest + 1, words)
    return " ".join("".join(source.choice(list(letters), length)) for length in lengths)


def words_of(text: str, plan: Plan, pieces: Sequence[str]) -> list[list[bytes]]:
    """Cut pieces into units."""
    if plan.units == "bytes":
        return [[bytes([byte]) for byte in piece.encode()] for piece in pieces]
    cut = [[each.encode() for each in piece] for piece in pieces]
    for piece in cut:
        piece[-1] += MARK
    return cut


def naive(pieces: list[list[bytes]], plan: Plan) -> list[Step]:
    """Merge until nothing is left or there are enough; one state more than merges."""
    ids = {token: number for number, token in enumerate(_alphabet(pieces, plan))}
    steps = []
    while True:
        counts: Counter[tuple[bytes, bytes]] = Counter()
        for piece in pieces:
            for pair in pairwise(piece):
                counts[pair] += 1  # a Counter keeps the order in which pairs were met
        order = _order(plan.ties, ids, list(counts))
        ranked = sorted(counts, key=lambda pair: (-counts[pair], order(pair)))
        best = ranked[0] if ranked else None
        after = [_replaced(piece, best) for piece in pieces]
        shorter = sum(map(len, pieces)) - sum(map(len, after))
        ties = sum(count == counts[best] for count in counts.values()) if best else 0
        steps.append(Step(pieces, counts, best, shorter, ties, ranked[:10]))
        if best is None or len(steps) > plan.merges:
            return steps
        ids[best[0] + best[1]] = len(ids)
        pieces = after


def _alphabet(pieces: list[list[bytes]], plan: Plan) -> list[bytes]:
    if plan.units == "characters":
        marked = {unit for piece in pieces for unit in piece if unit.endswith(MARK)}
        every = {unit.removesuffix(MARK) for piece in pieces for unit in piece}
        return [*sorted(every), *sorted(marked)]
    if plan.ties != "smaller":
        return [bytes([byte]) for byte in range(256)]
    rest = [byte for byte in range(256) if byte not in PRINTED]
    return [bytes([byte]) for byte in PRINTED + rest]


def _replaced(piece: list[bytes], pair: tuple[bytes, bytes] | None) -> list[bytes]:
    after: list[bytes] = []
    place = 0
    while place < len(piece):
        if tuple(piece[place : place + 2]) == pair:
            after.append(piece[place] + piece[place + 1])
            place += 2
        else:
            after.append(piece[place])
            place += 1
    return after


def _order(
    ties: str, ids: dict[bytes, int], met: list[tuple[bytes, bytes]]
) -> Callable[[tuple[bytes, bytes]], Any]:
    if ties == "first":
        return met.index
    if ties == "lexicographic":
        ascending = sorted(
            met, key=lambda pair: (pair[0].decode("latin1"), pair[1].decode("latin1"))
        )
        return lambda pair: -ascending.index(pair)
    if ties == "shorter":
        return lambda pair: (
            _units(pair[0]) + _units(pair[1]),
            pair[0] + pair[1],
            _units(pair[0]),
        )
    return lambda pair: (ids[pair[0]], ids[pair[1]])


def _units(token: bytes) -> int:
    return len(token.removesuffix(MARK))  # these tests' letters have one byte each
