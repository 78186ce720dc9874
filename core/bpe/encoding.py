"""Any text in tokens and back: of all merges that can be done, always the earliest first.

Between the pieces of the pre-tokenizer there is no merge. What is merged may be told by pairs, as
this panel learns them, or by ranks of tokens' bytes, as OpenAI publishes them.

Source: Sennrich, Haddow, Birch 2016, arXiv:1508.07909, section 3.2; OpenAI's tiktoken for ranks.
"""

import heapq
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Int

from core.bpe.splitting import pieces
from core.bpe.vocabulary import Vocabulary

__all__ = [
    "NEVER",
    "UNKNOWN",
    "Encoded",
    "Encoder",
    "decode",
    "encode",
    "gather",
    "merge",
    "merging",
    "of_merges",
    "of_ranks",
    "scalars",
    "units_of",
]

UNKNOWN = -1  # the id of what the vocabulary has no token for
NEVER = 1 << 60  # the id that two neighbours make where they are no pair
LONG = 100  # units; a longer piece is worth a heap
PLACES = 40  # bits for a place in a piece
TURN = 4_000  # pairs looked at between two turns; some 10 ms

Join = Callable[[int, int], int]  # ids of two neighbours to that of the token they make, or NEVER


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder:
    """What turns text into tokens; of tokens that are merged, a lower id is an earlier merge."""

    units: str  # "bytes" or "characters"
    split: str
    tokens: tuple[bytes, ...]
    ends: tuple[bool, ...]  # which have the end-of-word mark
    alphabet: Mapping[tuple[bytes, bool], int]  # bytes and mark of each unit to its id
    merges_from: int  # the id of the first token that is merged
    join: Join
    merges: Sequence[tuple[int, int]] = ()  # what each merged token is made of, where it is known


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """A text in its tokens."""

    tokens: tuple[bytes, ...]
    ends: Bool[np.ndarray, " t"]  # which have the end-of-word mark
    ids: Int[np.ndarray, " t"]  # UNKNOWN where there is no token for it
    starts: Bool[np.ndarray, " t"]  # the first of its piece


def of_merges(vocabulary: Vocabulary, merges: int | None = None) -> Encoder:
    """Encode by merges that were learned, or by the first few of them."""
    first, most = vocabulary.alphabet, len(vocabulary.merges)
    count = most if merges is None else min(max(merges, 0), most)
    pairs = dict(zip(vocabulary.merges[:count], range(first, first + count), strict=True))
    units = zip(vocabulary.tokens[:first], vocabulary.ends[:first], strict=True)
    return Encoder(
        units=vocabulary.units,
        split=vocabulary.split,
        tokens=vocabulary.tokens[: first + count],
        ends=vocabulary.ends[: first + count],
        alphabet={unit: place for place, unit in enumerate(units)},
        merges_from=first,
        join=lambda left, right: pairs.get((left, right), NEVER),
        merges=vocabulary.merges[:count],
    )


def of_ranks(tokens: Sequence[bytes], split: str) -> Encoder:
    """Encode by ranks: two neighbours are a pair where their bytes are a token.

    Args:
        tokens: by rank; the first 256 are the bytes, in any order.
        split: the pre-tokenizer.
    """
    whole = tuple(tokens)
    ranks = {token: rank for rank, token in enumerate(whole)}
    return Encoder(
        units="bytes",
        split=split,
        tokens=whole,
        ends=(False,) * len(whole),
        alphabet={(token, False): rank for rank, token in enumerate(whole[:256])},
        merges_from=256,
        join=lambda left, right: (
            NEVER if left < 0 or right < 0 else ranks.get(whole[left] + whole[right], NEVER)
        ),
    )


def scalars(text: str | bytes) -> str:
    """Give a text as characters; bytes that are no UTF-8 as lone surrogates, which splits keep.

    Raises: ValueError when the text has lone surrogates of its own: they have no UTF-8.
    """
    if isinstance(text, bytes):
        return text.decode("utf-8", "surrogateescape")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"the text must be Unicode without lone surrogates, got U+{ord(text[error.start]):04X} "
            f"at character {error.start:,}"
        ) from error
    return text


def units_of(encoder: Encoder, piece: str) -> list[tuple[bytes, bool]]:
    """Cut a piece into units: the bytes of each, and whether it has the end-of-word mark."""
    if encoder.units == "bytes":
        content = piece.encode("utf-8", "surrogateescape")
        return [(content[place : place + 1], False) for place in range(len(content))]
    last = len(piece) - 1
    return [
        (each.encode("utf-8", "surrogateescape"), place == last) for place, each in enumerate(piece)
    ]


def merging(ids: Sequence[int], join: Join) -> Generator[None, None, tuple[list[int], list[int]]]:
    """Merge all that can be merged in a piece, in turns where it is long; see `merge`."""
    if len(ids) > LONG:
        return (yield from _merge_long(ids, join))
    ids, made = list(ids), []
    pairs = [join(left, right) for left, right in pairwise(ids)]
    while pairs and (best := min(pairs)) != NEVER:
        place = pairs.index(best)
        made.append(best)
        ids[place : place + 2] = [best]
        del pairs[place]
        if place:
            pairs[place - 1] = join(ids[place - 1], best)
        if place < len(pairs):
            pairs[place] = join(best, ids[place + 1])
    return ids, made


def merge(ids: Sequence[int], join: Join) -> tuple[list[int], list[int]]:
    """Merge all that can be merged in a piece, the lowest id first, from the left.

    Returns: the ids at the end, and those that were made, in their order, which never falls.
    """
    work = merging(ids, join)
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: tuple[list[int], list[int]] = end.value
            return result


def encode(encoder: Encoder, text: str | bytes) -> Encoded:
    """Turn a text, or any bytes, into tokens that together are its bytes again.

    Raises: ValueError when the text has lone surrogates.
    """
    found = pieces(scalars(text), encoder.split)
    known = {piece: _of_piece(encoder, piece) for piece in dict.fromkeys(found)}
    return gather(known[piece] for piece in found)


def gather(found: Iterable[Sequence[tuple[bytes, bool, int]]]) -> Encoded:
    """Put the tokens of pieces together: of each token its bytes, its mark and its id."""
    flat = [(*token, not place) for piece in found for place, token in enumerate(piece)]
    return Encoded(
        tokens=tuple(token for token, _, _, _ in flat),
        ends=np.array([ends for _, ends, _, _ in flat], dtype=bool),
        ids=np.array([each for _, _, each, _ in flat], dtype=np.int64),
        starts=np.array([starts for _, _, _, starts in flat], dtype=bool),
    )


def decode(encoder: Encoder, ids: Iterable[int]) -> bytes:
    """Give the bytes of tokens; they need not be UTF-8.

    Raises: ValueError when an id is no token's.
    """
    found = list(ids)
    for each in found:
        if not 0 <= each < len(encoder.tokens):
            raise ValueError(
                f"ids must be from 0 to {len(encoder.tokens) - 1:,}, as there are so many tokens, "
                f"got {each}"
            )
    return b"".join(encoder.tokens[each] for each in found)


def _of_piece(encoder: Encoder, piece: str) -> list[tuple[bytes, bool, int]]:
    """Give bytes, mark and id of each token; what is unknown has the bytes of its unit."""
    units = units_of(encoder, piece)
    ids, _ = merge([encoder.alphabet.get(unit, UNKNOWN) for unit in units], encoder.join)
    found, place = [], 0
    for each in ids:
        if each == UNKNOWN:
            token, ends = units[place]
        else:
            token, ends = encoder.tokens[each], encoder.ends[each]
        found.append((token, ends, each))
        if encoder.units == "bytes":
            place += len(token)
        else:
            place += len(token.decode("utf-8", "surrogateescape"))
    return found


def _merge_long(
    ids: Sequence[int], join: Join
) -> Generator[None, None, tuple[list[int], list[int]]]:
    """Do the same with a heap of pairs and links between neighbours: a pair may be gone by then."""
    at, made = list(ids), []
    count = len(at)
    after, before = list(range(1, count + 1)), list(range(-1, count - 1))
    heap = []  # of the id that a pair makes and its place, in one number
    for place, (left, right) in enumerate(pairwise(at)):
        if (best := join(left, right)) != NEVER:
            heap.append(best << PLACES | place)
        if not place % TURN:
            yield
    heapq.heapify(heap)
    gone, looked = NEVER, 0  # no id is NEVER
    while heap:
        if not (looked := looked + 1) % TURN:
            yield
        best, place = divmod(heapq.heappop(heap), 1 << PLACES)
        right = after[place]
        if at[place] == gone or right == count or join(at[place], at[right]) != best:
            continue
        made.append(best)
        at[place], at[right] = best, gone
        following = after[place] = after[right]
        if following < count:
            before[following] = place
            if (pair := join(best, at[following])) != NEVER:
                heapq.heappush(heap, pair << PLACES | place)
        preceding = before[place]
        if preceding >= 0 and (pair := join(at[preceding], best)) != NEVER:
            heapq.heappush(heap, pair << PLACES | preceding)
    return [each for each in at if each != gone], made
