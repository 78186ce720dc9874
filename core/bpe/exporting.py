"""A vocabulary to take away: as HF's tokenizer.json and as tiktoken's ranks, checked on the spot.

Source: the file formats of the libraries `tokenizers` (version "1.0") and `tiktoken`.
"""

import base64
import json
from collections.abc import Generator
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest

from tokenizers import Tokenizer

from core.bpe.corpus import BYTES, PRINTED, mapped
from core.bpe.encoding import UNKNOWN, encode, of_merges, scalars
from core.bpe.splitting import PATTERNS, stretches
from core.bpe.vocabulary import END, Vocabulary
from core.shared.progress import Done

__all__ = ["UNKNOWN_TOKEN", "Checked", "Difference", "checked", "tiktoken_ranks", "tokenizer_json"]

LONGEST = 20_000  # characters of a text that is one piece: one turn
UNKNOWN_TOKEN = "<unk>"  # in the file; only where units are characters
# Possessive repeats mean another thing to the engine inside HF's library, and so does `$`: `\z` is
# the end of the text there, without which a newline and spaces at the end were two pieces.
HF_PATTERNS = {
    **PATTERNS,
    "gpt2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "gpt4": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|(?>\s+)\z|\s*[\r\n]+|\s+(?!\S)|\s+",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two ways part."""

    place: int  # in the tokens, from 0
    ours: int | None  # the id there; None after the end
    theirs: int | None
    near: str  # the text about there


@dataclass(frozen=True, slots=True)
class Checked:
    """Whether the library gives the same ids."""

    characters: int  # of the text that were compared, from its beginning
    tokens: int  # ours
    difference: Difference | None  # the first; None where all are the same

    @property
    def same(self) -> bool:
        """Tell whether all are the same."""
        return self.difference is None


def tokenizer_json(vocabulary: Vocabulary) -> str:
    """Write a tokenizer as HF's libraries load it.

    Returns: the content of a tokenizer.json. Of characters, what is unknown becomes <unk>, whose id
        comes after all others.
    Raises: ValueError when two tokens read alike, by which such a file tells them.
    """
    names = _names(vocabulary)
    known = {name: place for place, name in enumerate(names)}
    characters = vocabulary.units == "characters"
    if len(known) < len(names):
        twice = next(name for place, name in enumerate(names) if known[name] != place)
        raise ValueError(
            "the vocabulary must have no two tokens that read alike, as tokenizer.json has no room "
            f"for them, got {twice!r} twice"
        )
    if characters:
        if UNKNOWN_TOKEN in known:
            raise ValueError(
                f"the vocabulary must have no token that reads {UNKNOWN_TOKEN}, as tokenizer.json "
                f"says so of what is unknown, got it as number {known[UNKNOWN_TOKEN]}"
            )
        known[UNKNOWN_TOKEN] = len(names)
    steps: list[dict[str, object]] = []
    if vocabulary.split != "none":
        pattern = {"Regex": HF_PATTERNS[vocabulary.split]}
        steps.append({"type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": False})
    byte_level = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": False,
    }
    if not characters:
        steps.append(byte_level)
    return json.dumps(
        {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [],
            "normalizer": None,
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": steps} if steps else None,
            "post_processor": None,
            "decoder": {"type": "Replace", "pattern": {"String": END}, "content": ""}
            if characters
            else byte_level,
            "model": {
                "type": "BPE",
                "dropout": None,
                "unk_token": UNKNOWN_TOKEN if characters else None,
                "continuing_subword_prefix": None,
                "end_of_word_suffix": END if characters else None,
                "fuse_unk": False,
                "byte_fallback": False,
                "ignore_merges": False,
                "vocab": known,
                "merges": [[names[left], names[right]] for left, right in vocabulary.merges],
            },
        },
        ensure_ascii=False,
    )


def tiktoken_ranks(vocabulary: Vocabulary) -> tuple[bytes, str]:
    """Write ranks as tiktoken reads them, one token a line, and give the pattern to go with them.

    Raises: ValueError when units are not bytes: tiktoken knows no others.
    """
    if vocabulary.units != "bytes":
        raise ValueError(
            f"units must be 'bytes' for tiktoken, which knows no others, got {vocabulary.units!r}"
        )
    lines = (
        base64.b64encode(token) + b" %d\n" % place for place, token in enumerate(vocabulary.tokens)
    )
    return b"".join(lines), PATTERNS.get(vocabulary.split, r"[\s\S]+")


def checked(vocabulary: Vocabulary, text: str) -> Generator[Done, None, Checked]:
    """Load what would be taken away into HF's library, and compare the ids of a text, in turns.

    Where the text is one piece, what is compared is its first 20,000 characters.

    Raises: ValueError when it cannot be written, or the text has lone surrogates.
    """
    library, encoder = Tokenizer.from_str(tokenizer_json(vocabulary)), of_merges(vocabulary)
    whole = scalars(text)
    if vocabulary.split == "none":
        whole = whole[:LONGEST]
    unknown = len(vocabulary.tokens)
    tokens = characters = 0
    for stretch in stretches(whole, vocabulary.split):
        yield Done(characters, len(whole), "characters")
        found = encode(encoder, stretch)
        ours = [unknown if each == UNKNOWN else each for each in found.ids.tolist()]
        theirs = library.encode(stretch, add_special_tokens=False).ids
        characters += len(stretch)
        for place, (one, other) in enumerate(zip_longest(ours, theirs)):
            if one != other:
                near = b"".join(found.tokens[max(0, place - 5) : place + 5])
                told = Difference(tokens + place, one, other, near.decode(errors="replace"))
                return Checked(characters, tokens + len(ours), told)
        tokens += len(ours)
    return Checked(characters, tokens, None)


def _names(vocabulary: Vocabulary) -> list[str]:
    """Write each token as HF does: bytes as printable characters, the mark as </w>."""
    pairs = zip(vocabulary.tokens, vocabulary.ends, strict=True)
    if vocabulary.units == "bytes":
        return ["".join(_printable()[each] for each in token) for token, _ in pairs]
    return [token.decode() + END * ends for token, ends in pairs]


@cache
def _printable() -> tuple[str, ...]:
    """Give each byte a character: its own where that is printed, else one after U+0100.

    Source: Radford et al. 2019, `bytes_to_unicode` in GPT-2's `encoder.py`.
    """
    characters = [chr(each) for each in range(BYTES)]
    for number, byte in enumerate(mapped()[PRINTED:]):
        characters[byte] = chr(BYTES + number)
    return tuple(characters)
