"""Take the vocabulary away: for HF's libraries and for tiktoken, checked on the spot."""

from functools import partial

import streamlit as st

from core import bpe
from core.bpe.exporting import Checked
from core.bpe.results import Summary
from core.bpe.splitting import PATTERNS
from core.shared.engine import EngineError
from ui import words
from ui.panels.bpe.desk import Desk

__all__ = ["taking"]

FILES = {"tokenizer.json": "tokenizer.json", "tiktoken": "glassbox.tiktoken"}
LOAD = """from tokenizers import Tokenizer

tokenizer = Tokenizer.from_file("tokenizer.json")
print(tokenizer.encode("The lowest").ids)
"""
RANKS = '''import base64
from pathlib import Path

import tiktoken

lines = Path("glassbox.tiktoken").read_text().splitlines()
ranks = {{base64.b64decode(token): int(rank) for token, rank in map(str.split, lines)}}
pattern = r"""{pattern}"""
encoding = tiktoken.Encoding(
    "glassbox", pat_str=pattern, mergeable_ranks=ranks, special_tokens={{}}
)
print(encoding.encode("The lowest"))
'''


def taking(desk: Desk) -> None:
    """Draw the downloads, and whether HF's library gives the same ids."""
    try:
        found: Checked = desk.ask(bpe.CHECKED)
    except EngineError as error:
        st.warning(words.plain(words.sentence(str(error))))
    else:
        whole: Summary = desk.ask(bpe.SUMMARY)
        part = (
            ""
            if found.characters == whole.characters
            else (f" of its first {found.characters:,} characters, as it has a very long piece")
        )
        if found.same:
            st.success(
                f"HF gives the same ids on your text: **yes**, all {found.tokens:,}{part}.",
                icon=":material/check:",
            )
        else:
            gone = found.difference
            st.error(
                f"HF gives the same ids on your text: **no**. Token {gone.place:,} is {gone.ours} "  # type: ignore[union-attr] # there is one
                f"here and {gone.theirs} there, near {gone.near!r}."  # type: ignore[union-attr]
            )
    st.caption("The files have all merges, wherever the slider stands.")
    buttons = st.container(horizontal=True)
    for kind, name in FILES.items():
        if kind == "tiktoken" and not desk.bytes:
            continue
        buttons.download_button(
            name,
            partial(_made, desk, kind),
            name,
            "application/json" if kind == "tokenizer.json" else "text/plain",
            key=f"bpe_take_{kind.replace('.', '_')}",
            icon=":material/download:",
            on_click="ignore",
        )
    st.code(LOAD, language="python")
    if desk.bytes:
        pattern = PATTERNS.get(desk.plan.split, r"[\s\S]+")
        st.code(RANKS.format(pattern=pattern), language="python")
    else:
        st.caption("tiktoken knows no units but bytes.")


def _made(desk: Desk, kind: str) -> bytes:
    try:
        content: bytes = desk.ask(bpe.EXPORTED, kind)
    except EngineError as error:
        raise RuntimeError(str(error)) from error
    return content
