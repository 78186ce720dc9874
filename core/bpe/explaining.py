"""Why a text has these tokens: merge by merge, the tree of each, and the wrong way beside it.

The wrong way is to take the longest token that fits, from the left: it gives other tokens than the
merges do, as the longest may never be made from there. (For WordPiece it is the right way.)
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
from jaxtyping import Bool

from core.bpe.encoding import (
    NEVER,
    UNKNOWN,
    Encoded,
    Encoder,
    encode,
    gather,
    merge,
    scalars,
    units_of,
)
from core.bpe.results import shortened
from core.bpe.splitting import pieces

__all__ = ["Compared", "Node", "Row", "Trace", "compare", "longest", "parts", "trace", "tree"]

TRACED = 100  # characters of a piece: it has as many rows as merges, each of all its tokens
MOST = 2_000  # characters of a text that is traced
NODES = 400  # of a tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A piece before one of its merges, or after the last."""

    tokens: tuple[bytes, ...]
    ends: tuple[bool, ...]  # which have the end-of-word mark
    ids: tuple[int, ...]
    made: tuple[int, ...]  # places of the tokens that the merge before this row made
    places: tuple[int, ...]  # of the left parts of what is merged next; none in the last row
    makes: int  # the id of the token it becomes; UNKNOWN in the last row
    rank: int  # of that merge, from 1; 0 in the last row


@dataclass(frozen=True, slots=True)
class Trace:
    """How a piece becomes tokens, of a long one how its beginning would by itself."""

    text: bytes
    rows: tuple[Row, ...]  # one more than merges


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A token in a tree; the root is the first, and each comes before what it is made of."""

    id: int
    token: bytes
    ends: bool
    rank: int  # of the merge that makes it, from 1; 0 for one of the alphabet
    left: int  # the place of its left part among the nodes; −1 where none is, or no room was left
    right: int
    parent: int  # −1 for the root


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The right way and the wrong one."""

    merged: Encoded
    longest: Encoded
    parted: tuple[bool, ...]  # for each piece, whether they differ there
    merged_differs: Bool[np.ndarray, " m"]  # for each token, whether its piece is one of these
    longest_differs: Bool[np.ndarray, " l"]


def trace(encoder: Encoder, text: str | bytes, piece: int) -> Trace | None:
    """Encode a piece merge by merge; of a pair that is there often, all at once.

    Args:
        encoder: how.
        text: of at most MOST characters.
        piece: its place among the text's pieces; the last one for a place after it.

    Returns: the rows of the piece's first TRACED characters; None where there is no piece.
    Raises: ValueError when the text has lone surrogates, or is too long to be looked at.
    """
    cut = pieces(_short(text), encoder.split)
    return _traced(encoder, cut[min(piece, len(cut) - 1)][:TRACED]) if cut else None


def parts(encoder: Encoder, token: int) -> tuple[int, int] | None:
    """Find of which two a token is made; None for one of the alphabet.

    Where tokens are known by their ranks alone, it is what its own bytes are before the last merge.
    A token that its own bytes never become is made of what they do become, where these are two;
    where they are more, nobody can say.

    Raises: ValueError when there is no such token.
    """
    if not 0 <= token < len(encoder.tokens):
        raise ValueError(
            f"token must be from 0 to {len(encoder.tokens) - 1:,}, as there are so many, "
            f"got {token}"
        )
    if token < encoder.merges_from:
        return None
    if encoder.merges:
        return encoder.merges[token - encoder.merges_from]
    content = encoder.tokens[token].decode("utf-8", "surrogateescape")
    units = units_of(encoder, content)
    if not encoder.ends[token]:
        units = [(each, False) for each, _ in units]
    ids, _ = merge(
        [encoder.alphabet.get(unit, UNKNOWN) for unit in units],
        lambda left, right: made if (made := encoder.join(left, right)) < token else NEVER,
    )
    return (ids[0], ids[1]) if len(ids) == 2 else None  # noqa: PLR2004


def tree(encoder: Encoder, token: int) -> tuple[Node, ...]:
    """Take a token apart, down to the alphabet.

    Raises: ValueError when there is no such token.
    """
    found: list[list[int]] = [[token, -1, -1, -1]]  # id, left, right, parent
    for place, node in enumerate(found):  # it grows while we go through it
        halves = parts(encoder, node[0])
        if halves and len(found) + 2 <= NODES:
            node[1], node[2] = len(found), len(found) + 1
            found += [[half, -1, -1, place] for half in halves]
    return tuple(
        Node(
            id=each,
            token=shortened(encoder.tokens[each]),
            ends=encoder.ends[each],
            rank=_rank(encoder, each),
            left=left,
            right=right,
            parent=parent,
        )
        for each, left, right, parent in found
    )


def longest(encoder: Encoder, text: str | bytes) -> Encoded:
    """Encode the wrong way: the longest token that fits, from the left of each piece.

    Raises: ValueError when the text has lone surrogates.
    """
    known: dict[tuple[bytes, bool], int] = {}
    for place, unit in enumerate(zip(encoder.tokens, encoder.ends, strict=True)):
        known.setdefault(unit, place)
    plain = sorted(token for token, ends in known if not ends)
    cut = pieces(scalars(text), encoder.split)
    return gather(_longest_of(known, plain, units_of(encoder, piece)) for piece in cut)


def compare(encoder: Encoder, text: str | bytes) -> Compared:
    """Encode both ways, and say where they differ.

    Raises: ValueError when the text has lone surrogates, or is too long to be looked at.
    """
    _short(text)
    right, wrong = encode(encoder, text), longest(encoder, text)
    groups = [
        np.split(each.ids, np.flatnonzero(each.starts)[1:]) if each.tokens else []
        for each in (right, wrong)
    ]
    parted = [not np.array_equal(one, other) for one, other in zip(*groups, strict=True)]
    spread = [np.repeat(np.array(parted, dtype=bool), [len(x) for x in each]) for each in groups]
    return Compared(
        merged=right,
        longest=wrong,
        parted=tuple(parted),
        merged_differs=spread[0],
        longest_differs=spread[1],
    )


def _traced(encoder: Encoder, piece: str) -> Trace:
    units = units_of(encoder, piece)
    content = [each for each, _ in units]
    ends = [mark for _, mark in units]
    ids = [encoder.alphabet.get(unit, UNKNOWN) for unit in units]
    rows: list[Row] = []
    before: list[int] = []  # places that were merged before
    while True:
        made = [encoder.join(ids[i], ids[i + 1]) for i in range(len(ids) - 1)]
        best = min(made, default=NEVER)
        last = best == NEVER
        places = [] if last else _from_the_left(made, best)
        rows.append(
            Row(
                tokens=tuple(content),
                ends=tuple(ends),
                ids=tuple(ids),
                made=tuple(place - merged for merged, place in enumerate(before)),
                places=tuple(places),
                makes=UNKNOWN if last else best,
                rank=0 if last else _rank(encoder, best),
            )
        )
        if last:
            return Trace(b"".join(each for each, _ in units), tuple(rows))
        before = places
        for place in reversed(places):
            content[place : place + 2] = [content[place] + content[place + 1]]
            ends[place : place + 2] = [ends[place + 1]]
            ids[place : place + 2] = [best]


def _from_the_left(made: Sequence[int], best: int) -> list[int]:
    """Find where a pair is, none overlapping the one before: of aaa the first two are one."""
    places: list[int] = []
    for place, each in enumerate(made):
        if each == best and not (places and places[-1] == place - 1):
            places.append(place)
    return places


def _longest_of(
    known: dict[tuple[bytes, bool], int], plain: list[bytes], units: Sequence[tuple[bytes, bool]]
) -> list[tuple[bytes, bool, int]]:
    """Take the longest token again and again; plain: those without the mark, sorted."""
    *_, (end, marked) = units
    content = b"".join(each for each, _ in units)
    inner = len(content) - len(end) * marked  # where what has no mark ends
    found: list[tuple[bytes, bool, int]] = []
    first = place = 0
    while place < len(units):
        token, ends = content[first:], marked
        if (token, ends) not in known:
            token, ends = _prefix(plain, content[first:inner]), False
        if not token:
            token, ends = units[place]
        found.append((token, ends, known.get((token, ends), UNKNOWN)))
        first += len(token)
        width = 0
        while width < len(token):
            width += len(units[place][0])
            place += 1
    return found


def _prefix(tokens: list[bytes], text: bytes) -> bytes:
    """Find the longest of sorted tokens with which a text begins; nothing where none is.

    Of tokens up to the text the last has most in common with it, and what is longer none has.
    """
    while text:
        place = bisect_right(tokens, text)
        near = tokens[place - 1] if place else b""
        if text.startswith(near):
            return near
        same = takewhile(lambda both: both[0] == both[1], zip(near, text, strict=False))
        text = text[: len([*same])]
    return b""


def _rank(encoder: Encoder, token: int) -> int:
    return max(token - encoder.merges_from + 1, 0)


def _short(text: str | bytes) -> str:
    characters = scalars(text)
    if len(characters) > MOST:
        raise ValueError(
            f"the text must have at most {MOST:,} characters to be looked at, "
            f"got {len(characters):,}"
        )
    return characters
