"""Where tokens come from and what becomes of them: births by words, and tokens that die out.

A token is born by a merge, from a pair that stood in certain words. Later merges may take up each
of its places: it is then dead, known to the vocabulary and met nowhere in the text.
"""

import time
from collections import Counter
from collections.abc import Generator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from core.bpe.encoding import UNKNOWN, Encoder, merging, of_merges, units_of
from core.bpe.tallying import count
from core.bpe.vocabulary import Vocabulary
from core.shared.progress import Done

__all__ = ["Birth", "Home", "Lives", "born", "lives"]

MOST = 20  # homes that are told of
LONG = 64  # bytes of a piece that is shown whole; of a longer one what is around
AROUND = 16  # bytes before and after
TURN = 0.02  # seconds


@dataclass(frozen=True, slots=True)
class Home:
    """A word, or a place in a long piece, where the pair stood."""

    text: bytes
    first: int  # where in it the token's first byte is
    times: int  # that the pair stood there, in all of the text


@dataclass(frozen=True, slots=True, kw_only=True)
class Birth:
    """How a token came to be."""

    id: int
    number: int  # of its merge, from 1; 0 for one of the alphabet
    parts: tuple[int, int] | None  # the ids; None for one of the alphabet
    counted: int  # how often the pair stood in the text, also overlapping itself
    replaced: int  # how many of these became the token
    different: int  # homes there are
    homes: tuple[Home, ...]  # the commonest


@dataclass(frozen=True, slots=True, kw_only=True)
class Lives:
    """What becomes of each token, of a vocabulary of v."""

    uses: Int[np.ndarray, " v"]  # how often it stands in the text at the end
    stood: Int[np.ndarray, " v"]  # how often it ever stood there: by its merge, or as a unit
    dead: Int[np.ndarray, " d"]  # ids that stood in the text and stand there no more
    absent: Int[np.ndarray, " a"]  # ids that never did, such as bytes that no UTF-8 has
    heirs: tuple[tuple[int, ...], ...]  # of each dead one, the tokens made of it, commonest first


def lives(vocabulary: Vocabulary, words: Mapping[str, int]) -> Generator[Done, None, Lives]:
    """Follow each token through the merging of a text.

    Args:
        vocabulary: that learned from it.
        words: how often each different piece stands in it, see `tallying.tally`.
    """
    counts = yield from count(of_merges(vocabulary), words)
    first = vocabulary.alphabet
    taken = np.zeros_like(counts.uses)
    heirs: dict[int, list[int]] = {}
    for made, parts in enumerate(vocabulary.merges, first):
        for part in parts:
            taken[part] += counts.made[made]
        for part in set(parts):
            heirs.setdefault(part, []).append(made)
    stood = counts.uses + taken
    dead = np.flatnonzero((counts.uses == 0) & (stood > 0))
    return Lives(
        uses=counts.uses,
        stood=stood,
        dead=dead,
        absent=np.flatnonzero(stood == 0),
        heirs=tuple(
            tuple(sorted(heirs[each], key=lambda heir: (-int(counts.made[heir]), heir)))
            for each in dead.tolist()
        ),
    )


def born(
    vocabulary: Vocabulary, words: Mapping[str, int], token: int
) -> Generator[Done, None, Birth]:
    """Find the words by which a token came to be, as they stood before its merge.

    Args:
        vocabulary: that learned from them.
        words: how often each different piece stands in the text, see `tallying.tally`.
        token: its id.

    Raises: ValueError when there is no such token.
    """
    if not 0 <= token < len(vocabulary.tokens):
        raise ValueError(
            f"token must be from 0 to {len(vocabulary.tokens) - 1:,}, as there are so many, "
            f"got {token}"
        )
    number = token - vocabulary.alphabet + 1
    parts = vocabulary.merges[number - 1] if number > 0 else None
    encoder = of_merges(vocabulary, max(number - 1, 0))
    content = vocabulary.tokens[token]
    homes: Counter[tuple[bytes, int]] = Counter()
    counted = replaced = 0
    turn = time.monotonic()
    for done, (word, often) in enumerate(words.items()):
        if time.monotonic() - turn > TURN:
            yield Done(done, len(words), "different pieces")
            turn = time.monotonic()
        whole = word.encode("utf-8", "surrogateescape")
        if content not in whole:
            continue
        ids = yield from _before(encoder, word, Done(done, len(words), "different pieces"))
        places, apart = _places(vocabulary, ids, whole, token, parts)
        counted += often * len(places)
        replaced += often * apart
        if len(whole) <= LONG and places:
            homes[whole, places[0]] += often * len(places)
        elif places:
            for place in places:
                start = max(0, place - AROUND)
                around = whole[start : place + len(content) + AROUND]
                homes[around, place - start] += often
    commonest = sorted(homes.items(), key=lambda home: (-home[1], home[0]))[:MOST]
    return Birth(
        id=token,
        number=max(number, 0),
        parts=parts,
        counted=counted,
        replaced=replaced,
        different=len(homes),
        homes=tuple(Home(text, first, times) for (text, first), times in commonest),
    )


def _before(encoder: Encoder, word: str, told: Done) -> Generator[Done, None, list[int]]:
    """Encode a piece by the merges before; in turns, as it may be the whole text."""
    units = units_of(encoder, word)
    work = merging([encoder.alphabet.get(unit, UNKNOWN) for unit in units], encoder.join)
    while True:
        try:
            next(work)
        except StopIteration as end:
            ids: list[int] = end.value[0]
            return ids
        yield told


def _places(
    vocabulary: Vocabulary,
    ids: list[int],
    whole: bytes,
    token: int,
    parts: tuple[int, int] | None,
) -> tuple[list[int], int]:
    """Find the pair, or the unit, in a piece: its places in bytes, and how many do not overlap."""
    places, apart, first, free = [], 0, 0, 0
    for place, each in enumerate(ids):
        found = each == token if parts is None else tuple(ids[place : place + 2]) == parts
        if found:
            places.append(first)
            if place >= free:
                apart, free = apart + 1, place + (1 if parts is None else 2)
        first += len(vocabulary.tokens[each]) if each != UNKNOWN else _width(whole, first)
    return places, apart


def _width(whole: bytes, first: int) -> int:
    """Tell how many bytes the character there has."""
    last = first + 1
    while last < len(whole) and whole[last] & 0xC0 == 0x80:  # noqa: PLR2004 – goes on in UTF-8
        last += 1
    return last - first
