"""The same text by other tokenizers: what learned from it as this BPE did, and what OpenAI learned.

`prepare` takes long and depends on the text; `compare` asks all of them for one sentence.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial

from core.bpe.encoding import UNKNOWN, Encoded, Encoder, encode, of_merges, scalars
from core.bpe.exporting import UNKNOWN_TOKEN
from core.bpe.ranks import RANKS, ranked
from core.bpe.rivals import Rival, Spelt, characters, learned, words
from core.bpe.tallying import count, tally
from core.bpe.vocabulary import END, Vocabulary
from core.shared.progress import Done

__all__ = ["LONGEST", "TITLES", "Answer", "World", "compare", "prepare"]

LONGEST = 1_000_000  # characters of a text that are counted, from its beginning
SENTENCE = 2_000  # characters
TITLES = {
    "bpe": "This BPE",
    **{name: about.title for name, about in RANKS.items()},
    "unigram": "Unigram",
    "wordpiece": "WordPiece",
    "words": "Words",
    "characters": "Characters",
}

Known = Rival | str  # or one sentence why there is none


@dataclass(frozen=True, slots=True)
class World:
    """All tokenizers, by their names in TITLES, and what they make of the text."""

    size: int  # bytes of the text that were counted
    whole: bool  # whether that is all of it
    rivals: tuple[tuple[str, Known], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one tokenizer makes of the text, and of a sentence."""

    name: str
    title: str
    vocabulary: int  # tokens that it knows
    tokens: int  # of the text
    size: int  # bytes of the text
    unknown: int | None  # of the text's tokens, how many are <unk>; None where none ever is
    sentence: Encoded | None  # None where there is a problem
    written: tuple[str, ...]  # each token of the sentence as the vocabulary has it: ##ing, <unk>
    missed: int  # of the sentence's tokens, how many are <unk>
    problem: str  # one sentence why it has no answer; "" where it has

    @property
    def rate(self) -> float:
        """Give bytes per token of the text; NaN where it has none."""
        return self.size / self.tokens if self.tokens else float("nan")

    @property
    def lacking(self) -> float | None:
        """Give the share of the text's tokens that are <unk>: of words, the rate of OOV."""
        return None if self.unknown is None else self.unknown / self.tokens if self.tokens else 0.0


def prepare(vocabulary: Vocabulary, text: str) -> Generator[object, None, World]:
    """Let all learn from a text, or count it: each vocabulary that learns has as many tokens.

    Raises: ValueError when the text has lone surrogates.
    """
    part = scalars(text)[:LONGEST]
    size, split = len(vocabulary.tokens), vocabulary.split
    if split == "none":
        split = "spaces"  # Unigram and WordPiece would take the whole text for one word
    tallied = yield from tally(part, split)
    steps: dict[str, Callable[[], Generator[object, None, Rival]]] = {
        "bpe": partial(_counted, of_merges(vocabulary), part),
        **{name: partial(_counted_by_ranks, name, part) for name in RANKS},
        "unigram": partial(learned, "unigram", tallied, split, size),
        "wordpiece": partial(learned, "wordpiece", tallied, split, size),
        "words": partial(_at_once, words, part, size),
        "characters": partial(_at_once, characters, part, size),
    }
    found: list[tuple[str, Known]] = []
    for place, (name, step) in enumerate(steps.items()):
        yield Done(place, len(steps), "tokenizers")
        try:
            known: Known = yield from _titled(step(), place, len(steps))
        except ValueError as error:
            known = str(error)
        found.append((name, known))
    return World(len(part.encode()), len(part) == len(text), tuple(found))


def compare(world: World, sentence: str) -> tuple[Answer, ...]:
    """Ask all of them for a sentence.

    Raises: ValueError when the sentence has lone surrogates, or is too long to be looked at.
    """
    if len(scalars(sentence)) > SENTENCE:
        raise ValueError(
            f"the sentence must have at most {SENTENCE:,} characters, got {len(sentence):,}"
        )
    return tuple(_answer(name, known, world.size, sentence) for name, known in world.rivals)


def _answer(name: str, known: Known, size: int, sentence: str) -> Answer:
    if isinstance(known, str):
        return Answer(
            name=name,
            title=TITLES[name],
            vocabulary=0,
            tokens=0,
            size=size,
            unknown=None,
            sentence=None,
            written=(),
            missed=0,
            problem=known,
        )
    spelt = known.spell(sentence)
    return Answer(
        name=name,
        title=TITLES[name],
        vocabulary=known.vocabulary,
        tokens=known.tokens,
        size=size,
        unknown=known.unknown,
        sentence=spelt.encoded,
        written=spelt.written,
        missed=int((spelt.encoded.ids == UNKNOWN).sum()),
        problem="",
    )


def _counted(encoder: Encoder, text: str) -> Generator[object, None, Rival]:
    """Count a text by merges."""
    tallied = yield from tally(text, encoder.split)
    counts = yield from count(encoder, tallied)
    return Rival(
        vocabulary=len(encoder.tokens),
        tokens=counts.tokens,
        unknown=None if encoder.units == "bytes" else counts.unknown,
        spell=lambda sentence: _spelt(encode(encoder, sentence)),
    )


def _counted_by_ranks(name: str, text: str) -> Generator[object, None, Rival]:
    return _counted(ranked(name), text)


def _spelt(encoded: Encoded) -> Spelt:
    tokens = zip(encoded.tokens, encoded.ends, encoded.ids, strict=True)
    written = (
        UNKNOWN_TOKEN if number == UNKNOWN else token.decode(errors="replace") + END * bool(ends)
        for token, ends, number in tokens
    )
    return Spelt(encoded, tuple(written))


def _at_once(
    rival: Callable[[str, int], Rival], text: str, size: int
) -> Generator[object, None, Rival]:
    """Do in one turn what is quickly done."""
    yield None
    return rival(text, size)


def _titled(
    work: Generator[object, None, Rival], place: int, of: int
) -> Generator[object, None, Rival]:
    """Do a step's work; how far it is within that step is nothing to who waits for all of them."""
    while True:
        try:
            given = next(work)
        except StopIteration as end:
            result: Rival = end.value
            return result
        yield Done(place, of, "tokenizers") if isinstance(given, Done) else given
