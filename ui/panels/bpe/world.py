"""The vocabulary against the world: others on the same text, and on the same words in languages."""

from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st

from core import bpe
from core.bpe.languages import Parallel
from core.bpe.ranks import RANKS
from core.bpe.world import LONGEST as COUNTED
from core.bpe.world import TITLES, Answer
from core.shared.engine import EngineError, View
from ui import blocks, screen, sequences, tokens, words
from ui.blocks import Block
from ui.panels.bpe.desk import Desk
from ui.panels.bpe.encoding import SENTENCE
from ui.panels.bpe.looking import LONGEST
from ui.tokens import Verdict

__all__ = ["speaking", "world"]

BYTES = ("bpe", *RANKS)  # what is told by its bytes, not as its vocabulary writes it


def world(desk: Desk) -> None:
    """Draw what other tokenizers make of the text, and of a sentence."""
    st.markdown(
        "The same text by a vocabulary of whole words, by characters, by OpenAI's vocabularies, "
        "and by Unigram and WordPiece that learned from it at most as many tokens as this BPE has "
        "with all its merges."
    )
    looks = desk.looks

    def sentence(said: Any) -> None:
        looks.update(sentence=words.whole(str(said))[:LONGEST], piece=0, row=None)

    steer: dict[str, Callable[[Any], object]] = {"sentence": sentence}
    screen.screen("bpe_world", lambda: None, lambda _: _board(desk, _), steer)


def _board(desk: Desk, _: View | None) -> list[Block]:
    typed = SENTENCE if desk.looks["sentence"] is None else desk.looks["sentence"]
    field = sequences.typed("sentence", "A sentence for all of them", typed, most=LONGEST, lines=2)
    try:
        answers: tuple[Answer, ...] = desk.ask(bpe.WORLD, typed)
    except EngineError as error:
        return [field, blocks.progress(0, words.sentence(str(error)), warn=True)]
    return [
        field,
        tokens.versus(
            [_verdict(each) for each in answers],
            title="Tokens of the text, and of the sentence",
            hint=_hint(desk, answers),
            sentence=typed,
        ),
    ]


def _hint(desk: Desk, answers: tuple[Answer, ...]) -> str:
    told = (
        "Unknown: the share of the text's tokens that become <unk>; of words, those that are out "
        "of the vocabulary. Words leave white space out, which flatters them."
    )
    if answers[0].size < desk.ask(bpe.SUMMARY).size:
        told += f" Counted, and learned from, is the beginning of the text: {COUNTED:,} characters."
    if desk.plan.split == "none":
        told += " Unigram and WordPiece are not let across white space."
    return told


def _verdict(answer: Answer) -> Verdict:
    if answer.sentence is None:
        return Verdict(name=answer.title, note=answer.problem)
    ids = answer.sentence.ids
    whole = answer.name in BYTES and not answer.missed
    return Verdict(
        name=answer.title,
        size=answer.vocabulary,
        count=answer.tokens,
        rate=answer.rate if answer.tokens else None,
        unknown=answer.lacking,
        tokens=answer.sentence.tokens if whole else answer.written,
        ids=ids.tolist(),
        ends=answer.sentence.ends.tolist(),
        strange=np.flatnonzero(ids < 0).tolist(),
        own=answer.name == "bpe",
    )


def speaking(desk: Desk) -> None:
    """Draw what each language costs."""
    st.markdown(
        "The first five articles of the Universal Declaration of Human Rights say the same in each "
        "language; this BPE is asked with all its merges. **Fertility** is tokens per word; where "
        "no spaces are between words there is none. **By English** is how many times the tokens of "
        "the English text a language takes."
    )
    try:
        found: Parallel = desk.ask(bpe.PARALLEL)
    except EngineError as error:
        st.warning(words.plain(words.sentence(str(error))))
        return
    names = [TITLES[name] for name in found.names]
    rows = []
    for place, language in enumerate(found.languages):
        row: dict[str, object] = {"language": language.name, "script": language.script}
        for number, name in enumerate(names):
            fertility = float(found.fertility[number, place])
            row[f"{name}: fertility"] = None if np.isnan(fertility) else fertility
            row[f"{name}: by English"] = float(found.premium[number, place])
            row[f"{name}: bytes per token"] = float(
                found.sizes[place] / max(found.tokens[number, place], 1)
            )
        rows.append(row)
    measure = st.segmented_control(
        "Measure",
        ["fertility", "by English", "bytes per token"],
        default="by English",
        key="bpe_measure",
        required=True,
        bind="query-params",
    )
    columns = {f"{name}: {measure}": name for name in names}
    most = max(float(row[key] or 0) for row in rows for key in columns)  # type: ignore[arg-type] # numbers
    st.dataframe(
        [{key: row[key] for key in ("language", "script", *columns)} for row in rows],
        hide_index=True,
        column_config={
            key: st.column_config.ProgressColumn(
                name, format="%.2f", min_value=0.0, max_value=most, color="blue"
            )
            for key, name in columns.items()
        },
        height=560,
        key="bpe_languages",
    )
    if found.unknown.any():
        st.caption("Characters that this vocabulary has never seen count as a token each.")
