"""What can be asked of the vocabulary that a plan leads to: how it reads other texts."""

from collections.abc import Generator, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from core.bpe import Plan, texts
from core.bpe.encoding import decode, of_merges
from core.bpe.explaining import Compared, Node, Trace, compare, trace, tree
from core.bpe.exporting import Checked, tiktoken_ranks, tokenizer_json
from core.bpe.exporting import checked as held
from core.bpe.history import History, grow, history
from core.bpe.languages import Parallel
from core.bpe.languages import parallel as spoken
from core.bpe.origins import Birth, Lives, born, lives
from core.bpe.results import shortened
from core.bpe.splitting import pieces
from core.bpe.sweeping import Sweep, divide, sweep
from core.bpe.world import Answer, World, prepare
from core.bpe.world import compare as asked
from core.shared.turns import patient, remembered

__all__ = [
    "Encoding",
    "Life",
    "Named",
    "checked",
    "decoded",
    "encoded",
    "exported",
    "life",
    "parallel",
    "swept",
    "world",
]

Named = tuple[int, bytes, bool]  # a token: its id, its bytes, whether it has the end-of-word mark

LONG = 20_000  # units of a piece, from which on not all of a text is checked
PIECES = 24  # of a text that are told of
HEIRS = 12  # that are told of
DEAD = 60  # likewise, those that stood there most often
MERGES = 8_000  # at least, of a sweep


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """A token, from its birth to its end."""

    birth: Birth
    tree: tuple[Node, ...]
    uses: int  # how often it stands in the text when all merges are done
    stood: int  # how often it ever stood there
    heirs: tuple[Named, ...]  # that took up its places, where none is left
    dead: tuple[Named, ...]  # of the whole vocabulary, those that once stood there most often first
    deaths: int  # how many of these there are
    absent: int  # how many never stood there


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """A text by the merges that are done."""

    compared: Compared  # with the wrong way
    pieces: tuple[bytes, ...]  # the first of them
    trace: Trace | None  # of the piece that was asked about, the last one where there are fewer
    tree: tuple[Node, ...]  # of the token that was asked about, if there is one


@patient
def encoded(
    plan: Plan, step: int, text: str, piece: int = 0, token: int | None = None
) -> Generator[Any, None, Encoding]:
    """Encode a text by the first merges of a plan.

    Args:
        plan: from what text, and how.
        step: merges done; more than there are is all.
        text: that is encoded.
        piece: whose trace is wanted, from 0.
        token: whose tree is wanted, if there is such a token.

    Raises: ValueError when there is no such text, or the one to encode is too long.
    """
    grown = yield from history(plan)
    encoder = of_merges(grown.vocabulary, min(step, grown.steps))
    known = token is not None and 0 <= token < len(encoder.tokens)
    return Encoding(
        compared=compare(encoder, text),
        pieces=tuple(shortened(each.encode()) for each in pieces(text, plan.split)[:PIECES]),
        trace=trace(encoder, text, piece),
        tree=tree(encoder, token) if known and token is not None else (),
    )


@patient
def decoded(plan: Plan, ids: tuple[int, ...]) -> Generator[Any, None, bytes]:
    """Give the bytes that tokens stand for.

    Raises: ValueError when there is no such text or no such token.
    """
    grown = yield from history(plan)
    return decode(of_merges(grown.vocabulary), ids)


@patient
def world(plan: Plan, sentence: str) -> Generator[Any, None, tuple[Answer, ...]]:
    """Hold the vocabulary against others on the same text, and on a sentence.

    Raises: ValueError when there is no such text, or the sentence is too long.
    """
    return asked((yield from _prepared(plan)), sentence)


@patient
def parallel(plan: Plan) -> Generator[Any, None, Parallel]:
    """Hold it against OpenAI's on the same sentences in many languages.

    Raises: ValueError when there is no such text.
    """
    return (yield from _spoken(plan))


@patient
def exported(plan: Plan, kind: str) -> Generator[Any, None, bytes]:
    """Write the vocabulary as a file.

    Args:
        plan: from what text, and how.
        kind: "tokenizer.json" for HF's libraries, "tiktoken" for ranks.

    Raises: ValueError when there is no such text or kind, or the file cannot say it.
    """
    vocabulary = (yield from history(plan)).vocabulary
    if kind == "tiktoken":
        return tiktoken_ranks(vocabulary)[0]
    if kind != "tokenizer.json":
        raise ValueError(f"kind must be 'tokenizer.json' or 'tiktoken', got {kind!r}")
    return tokenizer_json(vocabulary).encode()


@patient
def checked(plan: Plan) -> Generator[Any, None, Checked]:
    """Let HF's library read the text by the exported file, and compare the ids with ours.

    Raises: ValueError when there is no such text, or the file cannot say it.
    """
    grown = yield from history(plan)
    text, lengths = grown.corpus.text, grown.corpus.lengths
    if lengths.max(initial=0) > LONG:  # HF's library takes a piece in one go
        text = text[:LONG]
    return (yield from held(grown.vocabulary, text))


@remembered(4)
def _prepared(plan: Plan) -> Generator[Any, None, World]:
    grown = yield from history(plan)
    return (yield from prepare(grown.vocabulary, grown.corpus.text))


@remembered(4)
def _spoken(plan: Plan) -> Generator[Any, None, Parallel]:
    return (yield from spoken((yield from history(plan)).vocabulary))


@patient
def life(plan: Plan, token: int) -> Generator[Any, None, Life]:
    """Tell where a token was born, of what it is made, and what became of it and of others.

    Raises: ValueError when there is no such text or no such token.
    """
    grown = yield from history(plan)
    vocabulary = grown.vocabulary
    birth = yield from born(grown, token)
    lived: Lives = yield from _lived(plan)
    place = int(np.searchsorted(lived.dead, token))
    died = place < len(lived.dead) and lived.dead[place] == token
    heirs = lived.heirs[place][:HEIRS] if died else ()

    def named(ids: Iterable[int]) -> tuple[Named, ...]:
        return tuple(
            (each, shortened(vocabulary.tokens[each]), vocabulary.ends[each]) for each in ids
        )

    often = np.argsort(-lived.stood[lived.dead], kind="stable")[:DEAD]
    return Life(
        birth=birth,
        tree=tree(of_merges(vocabulary), token),
        uses=int(lived.uses[token]),
        stood=int(lived.stood[token]),
        heirs=named(heirs),
        dead=named(lived.dead[often].tolist()),
        deaths=len(lived.dead),
        absent=len(lived.absent),
    )


@patient
def swept(plan: Plan, width: int) -> Generator[Any, None, Sweep]:
    """Learn from nine tenths of the text, and count both parts at growing sizes.

    Args:
        plan: from what text, and how.
        width: of the embedding.

    Raises: ValueError when there is no such text, or the width is not positive.
    """
    grown, held_out = yield from _divided(plan)
    return (yield from sweep(grown, held_out, width))


@remembered(4)
def _lived(plan: Plan) -> Generator[Any, None, Lives]:
    grown = yield from history(plan)
    return lives(grown)


@remembered(2)
def _divided(plan: Plan) -> Generator[Any, None, tuple[History, str]]:
    training, held_out = divide(texts.read(plan.text))
    more = replace(plan, merges=max(plan.merges, MERGES))
    return (yield from grow(more, training)), held_out
