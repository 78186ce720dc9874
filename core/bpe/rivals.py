"""Other ways to cut a text: words, characters, Unigram and WordPiece, each as large as this BPE.

Each learns from the same text, and what its vocabulary lacks becomes <unk>, which BPE of bytes
never needs. Unigram and WordPiece are those of HF's library, trained on the same pieces.

Source: Kudo 2018, arXiv:1804.10959, for Unigram; Wu et al. 2016, arXiv:1609.08144, section 4.1, for
WordPiece, which HF's library trains as BPE and applies longest first.
"""

import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass

import regex
from tokenizers import Tokenizer, models, trainers

from core.bpe.encoding import UNKNOWN, Encoded, gather, scalars
from core.bpe.exporting import UNKNOWN_TOKEN
from core.bpe.splitting import pieces
from core.bpe.tallying import Tally
from core.shared.turns import WAITING

__all__ = ["Rival", "Spelt", "characters", "learned", "words"]

WORD = regex.compile(r"\s*(?:\w+|[^\w\s])")  # a word or a mark, with the white space before it
WAIT = 0.01  # seconds between two looks at a thread
BATCH = 2_000  # pieces encoded in one turn
LONGEST = 1_000  # characters of a piece that WordPiece still looks into

Pair = tuple[bytes, bool, int]  # bytes, end-of-word mark and id of a token


@dataclass(frozen=True, slots=True)
class Spelt:
    """A sentence in tokens, and how the vocabulary writes each: `##ing`, or <unk>."""

    encoded: Encoded
    written: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """What learned from a text, and what that text becomes by it."""

    vocabulary: int  # tokens, <unk> among them
    tokens: int
    unknown: int | None  # of the text's tokens, how many are <unk>; None where none ever is
    spell: Callable[[str], Spelt]


def words(text: str, size: int) -> Rival:
    """Let each of the commonest words and marks be a token; white space is none.

    In what it spells, white space belongs to the word that follows.
    """

    def cut(sentence: str) -> Iterator[tuple[str, str]]:
        last = 0
        for found in WORD.finditer(sentence):
            yield sentence[last : found.end()], found[0].lstrip()
            last = found.end()

    return _commonest(Counter(each.lstrip() for each in WORD.findall(text)), size, cut)


def characters(text: str, size: int) -> Rival:
    """Let each of the commonest characters be a token."""
    return _commonest(Counter(text), size, lambda sentence: ((each, each) for each in sentence))


def learned(kind: str, tally: Tally, split: str, size: int) -> Generator[object, None, Rival]:
    """Train one of HF's library on the pieces of a text, in a thread, and encode them in turns.

    Args:
        kind: "unigram" or "wordpiece".
        tally: the pieces of the text.
        split: that cut it.
        size: tokens of the vocabulary; there are fewer where the text has no more to give.

    Raises: ValueError, one sentence, when the library cannot learn from it.
    """
    longest = max(map(len, tally), default=0)
    if longest > LONGEST:
        raise ValueError(
            f"the text must have no piece of more than {LONGEST:,} characters for the library that "
            f"trains it, got one of {longest:,}"
        )
    if not tally:
        raise ValueError("the text must have at least one character to learn from, got none")
    library, trainer = _MAKERS[kind](size)
    repeated = ([piece] * often for piece, often in tally.items())
    failed: list[Exception] = []

    def train() -> None:
        try:
            library.train_from_iterator(repeated, trainer)
        except Exception as error:  # noqa: BLE001 – the library raises nothing narrower
            failed.append(error)

    thread = threading.Thread(target=train, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(WAIT)
        yield WAITING
    if failed:
        reason = " ".join(str(failed[0]).split())
        raise ValueError(f"HF's library could not learn from this text: {reason}") from failed[0]
    lacking = library.get_vocab()[UNKNOWN_TOKEN]
    tokens = unknown = 0
    different = list(tally)
    for first in range(0, len(different), BATCH):
        batch = different[first : first + BATCH]
        for piece, found in zip(batch, library.encode_batch(batch), strict=True):
            tokens += tally[piece] * len(found.ids)
            unknown += tally[piece] * found.ids.count(lacking)
        yield None

    def spell(sentence: str) -> Spelt:
        spelt = [list(_spelt(library, piece, lacking)) for piece in pieces(sentence, split)]
        return Spelt(
            gather([[pair for pair, _ in piece] for piece in spelt]),
            tuple(written for piece in spelt for _, written in piece),
        )

    return Rival(vocabulary=library.get_vocab_size(), tokens=tokens, unknown=unknown, spell=spell)


def _commonest(
    counts: Mapping[str, int], size: int, cut: Callable[[str], Iterator[tuple[str, str]]]
) -> Rival:
    """Let the commonest be tokens, of equally common ones the first met; cut: text and token."""
    ranked = sorted(counts, key=lambda each: -counts[each])[: max(size - 1, 0)]
    known = {each: place for place, each in enumerate(ranked)}

    def spell(sentence: str) -> Spelt:
        found = [(part, known.get(each, UNKNOWN), each) for part, each in cut(scalars(sentence))]
        return Spelt(
            gather([(part.encode(), False, number)] for part, number, _ in found),
            tuple(UNKNOWN_TOKEN if number == UNKNOWN else each for _, number, each in found),
        )

    return Rival(
        vocabulary=len(known) + 1,
        tokens=sum(counts.values()),
        unknown=sum(often for each, often in counts.items() if each not in known),
        spell=spell,
    )


def _spelt(library: Tokenizer, piece: str, lacking: int) -> Iterator[tuple[Pair, str]]:
    found = library.encode(piece)
    for number, (first, last), written in zip(found.ids, found.offsets, found.tokens, strict=True):
        strange = number == lacking
        pair = (piece[first:last].encode(), False, UNKNOWN if strange else number)
        yield pair, UNKNOWN_TOKEN if strange else written


def _unigram(size: int) -> tuple[Tokenizer, trainers.Trainer]:
    return Tokenizer(models.Unigram()), trainers.UnigramTrainer(
        vocab_size=size,
        special_tokens=[UNKNOWN_TOKEN],
        unk_token=UNKNOWN_TOKEN,
        show_progress=False,
    )


def _wordpiece(size: int) -> tuple[Tokenizer, trainers.Trainer]:
    model = models.WordPiece(unk_token=UNKNOWN_TOKEN, max_input_chars_per_word=LONGEST)
    return Tokenizer(model), trainers.WordPieceTrainer(
        vocab_size=size,
        special_tokens=[UNKNOWN_TOKEN],
        limit_alphabet=max((size - 1) // 2, 1),  # each character may begin a piece, or not
        show_progress=False,
    )


_MAKERS: dict[str, Callable[[int], tuple[Tokenizer, trainers.Trainer]]] = {
    "unigram": _unigram,
    "wordpiece": _wordpiece,
}
