"""What can be asked of the vocabulary that a plan leads to: how it reads other texts."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from core.bpe import Plan
from core.bpe.encoding import decode, of_merges
from core.bpe.explaining import Compared, Node, Trace, compare, trace, tree
from core.bpe.exporting import Checked, tiktoken_ranks, tokenizer_json
from core.bpe.exporting import checked as held
from core.bpe.history import history
from core.bpe.languages import Parallel
from core.bpe.languages import parallel as spoken
from core.bpe.world import Answer, World, prepare
from core.bpe.world import compare as asked
from core.shared.turns import patient, remembered

__all__ = ["Encoding", "checked", "decoded", "encoded", "exported", "parallel", "world"]

CHECKED = 200_000  # characters of the text that HF's library is held against


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """A text by the merges that are done."""

    compared: Compared  # with the wrong way
    traces: tuple[Trace, ...]  # of each piece
    tree: tuple[Node, ...]  # of the token that was asked about, if there is one


@patient
def encoded(
    plan: Plan, step: int, text: str, token: int | None = None
) -> Generator[Any, None, Encoding]:
    """Encode a text by the first merges of a plan.

    Args:
        plan: from what text, and how.
        step: merges done; more than there are is all.
        text: that is encoded.
        token: whose tree is wanted, if there is such a token.

    Raises: ValueError when there is no such text, or the one to encode is too long.
    """
    grown = yield from history(plan)
    encoder = of_merges(grown.vocabulary, min(step, grown.steps))
    known = token is not None and 0 <= token < len(encoder.tokens)
    return Encoding(
        compared=compare(encoder, text),
        traces=trace(encoder, text),
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
    yield
    return held(grown.vocabulary, grown.corpus.text[:CHECKED])


@remembered(4)
def _prepared(plan: Plan) -> Generator[Any, None, World]:
    grown = yield from history(plan)
    return (yield from prepare(grown.vocabulary, grown.corpus.text))


@remembered(4)
def _spoken(plan: Plan) -> Generator[Any, None, Parallel]:
    return (yield from spoken((yield from history(plan)).vocabulary))
