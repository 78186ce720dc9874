"""Cut a text into pieces that no merge crosses: the pre-tokenizers.

Source: Radford et al. 2019 for GPT-2's; OpenAI's tiktoken, `tiktoken_ext/openai_public.py`, for
GPT-4's (cl100k) and GPT-4o's (o200k).
"""

import regex

__all__ = ["PATTERNS", "pieces"]

PATTERNS = {
    "gpt2": r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "gpt4": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "o200k": r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "spaces": r"\s+|\S+",
}


def pieces(text: str, split: str) -> list[str]:
    """Cut a text; the pieces are all of it, in their order.

    Raises: ValueError when the split is none.
    """
    if split == "none":
        return [text] if text else []
    if split not in PATTERNS:
        raise ValueError(f"split must be one of {(*PATTERNS, 'none')}, got {split!r}")
    found: list[str] = regex.findall(PATTERNS[split], text)
    return found
