r"""Cut a text into the pieces that no merge crosses: the pre-tokenizers.

Each is a regex that matches everywhere, so that the pieces, one after the other, are the text.

Source: GPT-2's, openai/gpt-2 src/encoder.py; GPT-4's and GPT-4o's, openai/tiktoken
tiktoken_ext/openai_public.py (`cl100k_base`, but `{1,3}` for `{1,3}+`, which cuts alike, and which
HF's regexes take for any number; `o200k_base`). At white space each space is a piece of its own:
words are then those of subword-nmt.
"""

from collections.abc import Iterator, Mapping

import regex

__all__ = ["PATTERNS", "parts", "pieces", "stretches"]

PATTERNS: Mapping[str, str] = {  # "none" has none: all is one piece
    "gpt2": r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "gpt4": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
    "o200k": r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "spaces": r"\S+|\s",
}
PART = 20_000  # characters; to encode them takes some 20 ms
SAFE = regex.compile(r"(?<=[\p{L}\p{N}])(?=\s)")  # every pattern cuts here, whatever is around

_compiled = {name: regex.compile(pattern) for name, pattern in PATTERNS.items()}


def pieces(text: str, split: str) -> list[str]:
    """Cut a text into pieces.

    Args:
        text: of any length.
        split: one of PATTERNS, or "none".

    Returns: pieces that together are the text; none of an empty one.
    Raises: ValueError when there is no such split.
    """
    return [piece for few in parts(text, split) for piece in few]


def parts(text: str, split: str) -> Iterator[list[str]]:
    """Cut a long text into pieces, some of them at a time; see `pieces`."""
    if split == "none":
        yield [text] if text else []
        return
    if split not in _compiled:
        raise ValueError(f"split must be one of {(*PATTERNS, 'none')}, got {split!r}")
    for stretch in stretches(text, split):
        yield _compiled[split].findall(stretch)


def stretches(text: str, split: str) -> Iterator[str]:
    """Cut a long text where the pre-tokenizer does so anyway; where it has none, nowhere."""
    first = 0
    while first < len(text):
        safe = SAFE.search(text, min(first + PART, len(text))) if split != "none" else None
        last = safe.start() if safe else len(text)
        yield text[first:last]
        first = last
