"""A text made ready for merging: each different piece once, cut into units, laid out in a row.

Position 0 of the row is OUTSIDE, then come the units of the first piece, OUTSIDE again, the units
of the second, and so on; pieces in the order in which the text first has them.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from core.bpe.splitting import parts

__all__ = ["OUTSIDE", "Alphabet", "Corpus", "mapped", "prepare"]

OUTSIDE = -1  # between pieces
BYTES = 256
PRINTED = 188  # of them are themselves in GPT-2's characters; see `mapped`


@dataclass(frozen=True, slots=True, kw_only=True)
class Alphabet:
    """The tokens before the first merge, by their ids."""

    units: str  # one of UNITS
    tokens: tuple[bytes, ...]
    ends: tuple[bool, ...]  # whether it has the end-of-word mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """A text in pieces and units."""

    text: str
    split: str
    alphabet: Alphabet
    row: Int[np.ndarray, " r"]  # ids of the units, OUTSIDE between pieces
    begins: Int[np.ndarray, " d"]  # where each different piece begins in the row
    lengths: Int[np.ndarray, " d"]  # its units
    sequence: Int[np.ndarray, " p"]  # which of them each piece of the text is
    pieces: dict[str, int]  # how often each is there, in the order of the row

    @property
    def units(self) -> int:
        """How many units the whole text has."""
        return int(self.lengths[self.sequence].sum())

    def widths(self, first: int, last: int) -> Int[np.ndarray, " w"]:
        """Tell of places in the row how many bytes each has; none outside."""
        widths = np.array([*map(len, self.alphabet.tokens), 0])  # OUTSIDE is the last
        return np.asarray(widths[self.row[first:last]])

    def times(self) -> Int[np.ndarray, " r"]:
        """Tell of each place in the row how often the text has its piece; 0 outside."""
        times = np.zeros(len(self.row), np.int64)
        counts = np.fromiter(self.pieces.values(), np.int64, len(self.pieces))
        times[self.row != OUTSIDE] = np.repeat(counts, self.lengths)
        return times


def mapped() -> list[int]:
    """Give bytes in the order of GPT-2's characters for them, which is that of HF's ids.

    Source: openai/gpt-2 src/encoder.py, `bytes_to_unicode`: those that can be printed are
    themselves, the others come after.
    """
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return shown + [byte for byte in range(BYTES) if byte not in shown]


def prepare(text: str, units: str, split: str, order: str) -> Generator[Any, None, Corpus]:
    """Cut a text into pieces and units; yields now and then.

    Args:
        text: of any length.
        units: one of UNITS.
        split: one of SPLITS.
        order: "mapped" for the alphabet of bytes in HF's order, else by value.

    Raises: ValueError when the text has half a surrogate pair, which UTF-8 cannot say.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            "text must be whole characters, got half a surrogate pair, "
            f"{text[error.start]!r}, at {error.start:,}"
        ) from error
    number, found = _Numbers(), [np.zeros(0, np.int32)]
    for few in parts(text, split):
        found.append(np.fromiter(map(number.__getitem__, few), np.int32, len(few)))
        yield
    sequence, pieces = np.concatenate(found), list(number)
    yield
    if units == "bytes":
        alphabet, ids, lengths = _bytes(pieces, mapped() if order == "mapped" else None)
    else:
        alphabet, ids, lengths = _characters(pieces)
    yield
    begins = np.cumsum(lengths + 1) - lengths
    row = np.full(len(ids) + len(pieces) + 1, OUTSIDE, np.int32)
    inside = np.ones(len(row), bool)
    inside[0] = False
    inside[begins + lengths] = False
    row[inside] = ids
    yield
    times = np.bincount(sequence, minlength=len(pieces))
    return Corpus(
        text=text,
        split=split,
        alphabet=alphabet,
        row=row,
        begins=begins,
        lengths=lengths,
        sequence=sequence,
        pieces=dict(zip(pieces, times.tolist(), strict=True)),
    )


class _Numbers(dict[str, int]):
    """Pieces by their numbers; a new one gets the next."""

    def __missing__(self, piece: str) -> int:
        self[piece] = number = len(self)
        return number


Cut = tuple[Alphabet, Int[np.ndarray, " u"], Int[np.ndarray, " d"]]


def _bytes(pieces: list[str], order: list[int] | None) -> Cut:
    order = order or list(range(BYTES))
    place = np.empty(BYTES, np.int32)
    place[order] = np.arange(BYTES, dtype=np.int32)
    encoded = [piece.encode() for piece in pieces]
    lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
    ids = place[np.frombuffer(b"".join(encoded), np.uint8)]
    tokens = tuple(bytes([byte]) for byte in order)
    return Alphabet(units="bytes", tokens=tokens, ends=(False,) * BYTES), ids, lengths


def _characters(pieces: list[str]) -> Cut:
    """Cut into characters; all plain ones come first, then those with the mark, both sorted."""
    lengths = np.fromiter(map(len, pieces), np.int64, len(pieces))
    points = np.frombuffer("".join(pieces).encode("utf-32-le"), np.int32)
    last: Bool[np.ndarray, " u"] = np.zeros(len(points), bool)
    last[np.cumsum(lengths) - 1] = True
    plain, ids = _sorted(points)
    marked, marks = _sorted(points[last])
    ids[last] = len(plain) + marks
    tokens = tuple(chr(point).encode() for point in (*plain.tolist(), *marked.tolist()))
    ends = (False,) * len(plain) + (True,) * len(marked)
    return Alphabet(units="characters", tokens=tokens, ends=ends), ids, lengths


def _sorted(
    points: Int[np.ndarray, " u"],
) -> tuple[Int[np.ndarray, " a"], Int[np.ndarray, " u"]]:
    """Give the different code points in their order, and each one's place there."""
    there = np.zeros(points.max(initial=0) + 1, bool)
    there[points] = True
    place = np.cumsum(there, dtype=np.int32) - 1
    return np.flatnonzero(there), place[points]
