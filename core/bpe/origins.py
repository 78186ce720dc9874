"""Where tokens come from and what becomes of them: births by words, and tokens that die out.

A token is born by a merge, from a pair that stood in certain words. Later merges may take up each
of its places: it is then dead, known to the vocabulary and met nowhere in the text.
"""

import time
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from core.bpe.history import History
from core.bpe.results import shortened
from core.shared.progress import Done

__all__ = ["Birth", "Home", "Lives", "born", "lives"]

MOST = 20  # homes that are told of
LONG = 64  # bytes of a piece that is shown whole; of a longer one what is around
AROUND = 16  # bytes before and after
TURN = 0.02  # seconds
PLACES = 20_000  # of long pieces that are looked at


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


def lives(history: History) -> Lives:
    """Follow each token through the merging of the text."""
    vocabulary, corpus, times = history.vocabulary, history.corpus, history.corpus.times()
    at, ids = history.cut(np.arange(len(corpus.row)), history.steps)
    inside = ids >= 0
    size = len(vocabulary.tokens)
    uses = np.bincount(ids[inside], times[at[inside]], size).astype(np.int64)
    units = corpus.row >= 0
    stood = np.bincount(corpus.row[units], times[units], size).astype(np.int64)
    stood[vocabulary.alphabet :] = history.replaced
    dead = np.flatnonzero((uses == 0) & (stood > 0))
    heirs: dict[int, list[int]] = {each: [] for each in dead.tolist()}
    for made, parts in enumerate(vocabulary.merges, vocabulary.alphabet):
        for part in set(parts):
            if part in heirs:
                heirs[part].append(made)
    return Lives(
        uses=uses,
        stood=stood,
        dead=dead,
        absent=np.flatnonzero(stood == 0),
        heirs=tuple(
            tuple(sorted(each, key=lambda heir: (-int(stood[heir]), heir)))
            for each in heirs.values()
        ),
    )


def born(history: History, token: int) -> Generator[Done, None, Birth]:
    """Find the words by which a token came to be, as they stood before its merge.

    Returns: how far it is, about every 20 ms, and the birth at the end.

    Raises: ValueError when there is no such token.
    """
    vocabulary, corpus = history.vocabulary, history.corpus
    if not 0 <= token < len(vocabulary.tokens):
        raise ValueError(
            f"token must be from 0 to {len(vocabulary.tokens) - 1:,}, as there are so many, "
            f"got {token}"
        )
    number = max(0, token - vocabulary.alphabet + 1)
    parts = vocabulary.merges[number - 1] if number else None
    touched = np.flatnonzero(history.gone == number if number else corpus.row == token)
    pieces = np.unique(np.searchsorted(corpus.begins, touched, "right") - 1)
    homes: Counter[tuple[bytes, int]] = Counter()
    counted = 0
    often, known = [*corpus.pieces.values()], [*corpus.pieces]
    turn = time.monotonic()
    for done, piece in enumerate(pieces.tolist()):
        if time.monotonic() - turn > TURN:
            yield Done(done, len(pieces), "different pieces")
            turn = time.monotonic()
        places = _places(history, piece, max(0, number - 1), parts, token)
        whole = known[piece].encode()
        counted += often[piece] * len(places)
        if len(whole) <= LONG and places:
            homes[whole, places[0]] += often[piece] * len(places)
            continue
        for place in places[:PLACES]:
            start = max(0, place - AROUND)
            around = whole[start : place + len(vocabulary.tokens[token]) + AROUND]
            homes[around, place - start] += often[piece]
    commonest = sorted(homes.items(), key=lambda home: (-home[1], home[0]))[:MOST]
    return Birth(
        id=token,
        number=number,
        parts=parts,
        counted=counted,
        replaced=int(history.replaced[number - 1]) if number else counted,
        different=len(homes),
        homes=tuple(Home(shortened(text), first, times) for (text, first), times in commonest),
    )


def _places(
    history: History, piece: int, step: int, parts: tuple[int, int] | None, token: int
) -> list[int]:
    """Find the pair, or the unit, in a piece as it was at a step: its places in bytes."""
    corpus = history.corpus
    begin = int(corpus.begins[piece])
    end = begin + int(corpus.lengths[piece])
    at, ids = history.cut(np.arange(begin, end), step)
    if parts is None:
        found = np.flatnonzero(ids == token)
    else:
        found = np.flatnonzero((ids[:-1] == parts[0]) & (ids[1:] == parts[1]))
    widths = np.cumsum(corpus.widths(begin, end)) - corpus.widths(begin, end)
    places: list[int] = widths[at[found]].tolist()
    return places
