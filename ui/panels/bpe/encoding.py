"""Any sentence by the merges: in their order, beside the wrong way, with each token's tree."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from core import bpe
from core.bpe.encoding import Encoded
from core.bpe.explaining import Node, Trace
from core.bpe.exporting import UNKNOWN_TOKEN
from core.bpe.reading import Encoding
from core.bpe.results import Window
from core.shared.engine import EngineError, View
from ui import blocks, inside, screen, sequences, tokens, words
from ui.blocks import Block
from ui.inside import Choice
from ui.panels.bpe.desk import Desk
from ui.panels.bpe.looking import LONGEST
from ui.tokens import Branch, Row, spelt

__all__ = ["SENTENCE", "branch", "encoding"]

SENTENCE = "The language stores nested lowest tokens: 12345, 春眠不觉晓, 안녕하세요, مرحبا, 🙂!"
IDS = 200  # that are written out


def encoding(desk: Desk) -> None:
    """Draw the encoding of a sentence, and the decoding of ids."""
    st.markdown(
        "A new text is not counted: the merges are done on it **in the order in which they were "
        "learned**, those up to the one that is looked at above. Ids are decoded by all merges."
    )
    screen.screen("bpe_encoding", lambda: None, lambda _: _board(desk, _), _steer(desk))
    _decoding(desk)


def _board(desk: Desk, _: View | None) -> list[Block]:
    looks = desk.looks
    typed = SENTENCE if looks["sentence"] is None else looks["sentence"]
    field = sequences.typed("sentence", "Type a sentence", typed, most=LONGEST, lines=2)
    try:
        found: Encoding = desk.ask(
            bpe.ENCODED, looks["step"], typed, looks["piece"], looks["token"]
        )
    except EngineError as error:
        return [field, blocks.progress(0, words.sentence(str(error)), warn=True)]
    merged, longest = found.compared.merged, found.compared.longest
    parted = sum(found.compared.parted)
    more = " …" if len(merged.ids) > IDS else ""
    verdict = (
        "Here both ways give the same tokens."
        if not parted
        else f"Wrong in {parted:,} of {len(found.compared.parted):,} pieces."
    )
    drawn = [
        field,
        tokens.tokenised(
            _window(merged),
            title=f"By the merges: {len(merged.ids):,} tokens",
            hint="Click a token for its tree." + _strange(merged),
            chosen=looks["token"],
            place="",
            empty="Type something: there is nothing to encode yet.",
        ),
    ]
    if not typed:
        return drawn
    drawn.append(blocks.said(f"Ids: {' '.join(map(str, merged.ids[:IDS].tolist()))}{more}"))
    drawn.append(
        tokens.tokenised(
            _window(longest, found.compared.longest_differs.tolist()),
            title=f"By the longest token that fits: {len(longest.ids):,} tokens",
            lit=("piece", "that the merges cut otherwise"),
            hint=f"This is not how BPE encodes. {verdict}",
            chosen=looks["token"],
            place="",
        )
    )
    count, trace = len(found.compared.parted), found.trace
    if trace is None:
        return drawn
    number = min(looks["piece"], count - 1)
    names = [(str(place), spelt(each)) for place, each in enumerate(found.pieces)]
    hint = "The pair of the lowest rank first."
    if count > len(names):
        hint += f" The first {len(names)} of {count:,} pieces can be chosen."
    if number < len(names) and trace.text != found.pieces[number]:
        hint += f" Its first {len(trace.text.decode()):,} characters are shown."
    rows = _rows(trace)
    at = len(rows) - 1 if looks["row"] is None else min(looks["row"], len(rows) - 1)
    return [
        *drawn,
        inside.choices([Choice(name="piece", label="Piece", values=names, chosen=str(number))]),
        tokens.trace(rows, title=f"How {spelt(trace.text)} is encoded", hint=hint, at=at),
        tokens.tree(
            branch(found.tree),
            title="The tree of the token that is looked at",
            hint="" if found.tree else "Click a token in one of the rows above.",
            chosen=looks["token"],
            span=12,
        ),
    ]


def _strange(encoded: Encoded) -> str:
    """Say what it has no token for."""
    count = int((encoded.ids < 0).sum())
    seen = "1 character was" if count == 1 else f"{count:,} characters were"
    return f" {seen} never seen: {UNKNOWN_TOKEN}." if count else ""


def _window(encoded: Encoded, lit: Sequence[bool] = ()) -> Window:
    known = zip(encoded.tokens, encoded.ids.tolist(), strict=True)
    return tokens.running(
        [token if number >= 0 else UNKNOWN_TOKEN.encode() for token, number in known],
        encoded.ids.tolist(),
        ends=encoded.ends.tolist(),
        starts=encoded.starts.tolist(),
        lit=lit,
    )


def _rows(trace: Trace) -> list[Row]:
    """Give the rows of a piece."""
    return [
        Row(
            tokens=row.tokens,
            ids=row.ids,
            ends=row.ends,
            made=row.made,
            merged=row.places,
            rank=row.rank or None,
        )
        for row in trace.rows
    ]


def branch(nodes: Sequence[Node], place: int = 0) -> Branch | None:
    """Hang the parts of a token under it; nothing where there are no nodes."""
    if not nodes:
        return None
    node = nodes[place]
    left = branch(nodes, node.left) if node.left >= 0 else None
    right = branch(nodes, node.right) if node.right >= 0 else None
    return Branch(
        token=node.token,
        id=node.id,
        ends=node.ends,
        rank=node.rank or None,
        parts=(left, right) if left and right else None,
    )


def _steer(desk: Desk) -> dict[str, Callable[[Any], object]]:
    looks = desk.looks

    def sentence(said: Any) -> None:
        looks.update(sentence=words.whole(str(said))[:LONGEST], piece=0, row=None)

    def token(said: Any) -> None:
        looks["token"] = None if said is None else max(0, int(said))

    def piece(said: Any) -> None:
        looks.update(piece=max(0, int(said)), row=None)

    def row(said: Any) -> None:
        looks["row"] = max(0, int(said))

    return {"sentence": sentence, "token": token, "piece": piece, "row": row}


def _decoding(desk: Desk) -> None:
    """Turn ids that are typed into text; what is no whole character is told as bytes."""
    typed = st.text_input(
        "Decode ids",
        key="bpe_ids",
        placeholder="Some of the ids above, with spaces or commas between them",
    )
    if not typed.strip():
        return
    try:
        ids = [int(each) for each in typed.replace(",", " ").split()]
    except ValueError:
        st.warning("Ids must be whole numbers with spaces or commas between them.")
        return
    try:
        content: bytes = desk.ask(bpe.DECODED, tuple(ids[:LONGEST]))
    except EngineError as error:
        st.warning(words.plain(words.sentence(str(error))))
        return
    st.code(content.decode(errors="backslashreplace"), language=None, wrap_lines=True)
    try:
        content.decode()
    except UnicodeDecodeError as error:
        st.caption(
            f"Its {len(content):,} bytes are no UTF-8 from byte {error.start:,} on; such bytes are "
            "shown as \\\\x and two digits. A token may end within a character."
        )
