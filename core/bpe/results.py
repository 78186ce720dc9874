"""What a page is told: a moment of the history, and what a whole history comes to."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

__all__ = ["Candidate", "Merge", "Moment", "Own", "Parted", "Summary", "Window", "shortened"]

LONG = 400  # bytes of a token that are told


def shortened(token: bytes) -> bytes:
    """Give the beginning of a token that is too long to be looked at, with "…" after it."""
    if len(token) <= LONG:
        return token
    return token[:LONG].decode(errors="ignore").encode() + "…".encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """A merge that was done."""

    number: int  # from 1
    left: bytes
    right: bytes
    ends: bool  # whether the new token has the end-of-word mark
    id: int  # of the new token
    counted: int  # how often the pair stood there, also overlapping itself
    replaced: int  # how many of these could become one token
    ties: int  # how many pairs were counted as often, itself included


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A pair that could be merged next."""

    left: bytes
    right: bytes
    ends: bool  # whether the right one has the end-of-word mark
    ids: tuple[int, int]
    count: int
    tied: bool  # whether none is commoner
    chosen: bool  # whether it is the next to be merged


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Some of the text in its tokens of this moment."""

    first: int  # place of its first token's first byte in the text's UTF-8
    last: int  # place after its last byte
    size: int  # bytes of the whole text
    tokens: tuple[bytes, ...]
    ends: Bool[np.ndarray, " t"]  # which have the end-of-word mark
    ids: Int[np.ndarray, " t"]
    lit: Bool[np.ndarray, " t"]  # made by this moment's merge
    starts: Bool[np.ndarray, " t"]  # the first of its piece


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """How it stands when so many merges are done."""

    step: int  # merges done
    steps: int  # that there are
    made: Merge | None  # the last one
    best: tuple[Candidate, ...]  # the ten best for the next one, that one first, even where no
    # more are asked for; none where no pair is left
    ties: int  # how many could be next, as none is commoner
    tokens: int  # of the whole text
    vocabulary: int  # tokens that are known
    window: Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a whole history comes to."""

    characters: int
    size: int  # bytes
    pieces: int  # into which the pre-tokenizer cuts
    different: int  # of these
    alphabet: int  # tokens before the first merge
    steps: int  # merges that there are; fewer than asked for where no pair was left
    tied: int  # of the merges, how many could have been another
    first_tied: int  # number of the first of these; 0 for none
    at: Int[np.ndarray, " p"]  # at most 500 numbers of merges done, spread out, from 0 to the end
    tokens: Float[np.ndarray, " p"]  # of the text then
    counted: Float[np.ndarray, " p"]  # of the last merge then; NaN at 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """A token that one vocabulary has and another has not."""

    token: bytes
    ends: bool  # whether it has the end-of-word mark
    number: int  # of its merge


@dataclass(frozen=True, slots=True, kw_only=True)
class Parted:
    """Two rules of ties on the same text; of each pair of values the plan's own rule is first."""

    rules: tuple[str, str]  # two of TIES
    number: int  # of the first merge that is not the same; 0 where all are
    merges: tuple[Merge | None, Merge | None]  # what each takes there; None where it takes none
    alphabet: int  # tokens before the first merge; these they have in common
    steps: tuple[int, int]  # merges that there are
    at: Int[np.ndarray, " p"]  # numbers of merges done: 1, 2, 3, 4, 6, 8, 12, … and all
    common: Int[np.ndarray, " p"]  # tokens that both then have, without the alphabet
    tokens: Int[np.ndarray, "2 p"]  # of the text then
    own: tuple[tuple[Own, ...], tuple[Own, ...]]  # at the end, that only one has; the first of them
