"""The vocabularies of OpenAI's models, from assets: each token's bytes, in the order of merging.

A file holds, compressed with xz, the length of each token in one byte, then all tokens' bytes.
"""

import lzma
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np

from core.bpe.encoding import Encoder, of_ranks

__all__ = ["FOLDER", "RANKS", "Ranks", "pack", "ranked", "unpack"]

FOLDER = Path(__file__).parents[2] / "assets" / "tokenizers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """A vocabulary of OpenAI's."""

    title: str
    models: str  # that read by it
    split: str
    size: int  # tokens, the special ones aside
    sha256: str  # of the file that OpenAI publishes, as its library tiktoken checks it
    special: int  # tokens such as the end of a text, which no text becomes


RANKS = {
    "gpt2": Ranks(
        title="GPT-2",
        models="GPT-2, GPT-3",
        split="gpt2",
        size=50_256,
        sha256="306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930",  # r50k_base
        special=1,
    ),
    "cl100k": Ranks(
        title="cl100k",
        models="GPT-3.5, GPT-4",
        split="gpt4",
        size=100_256,
        sha256="223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
        special=5,
    ),
    "o200k": Ranks(
        title="o200k",
        models="GPT-4o",
        split="o200k",
        size=199_998,
        sha256="446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
        special=2,
    ),
}


@cache
def ranked(name: str) -> Encoder:
    """Load a vocabulary; the same one each time.

    Raises: ValueError when the name is none of RANKS.
    """
    if name not in RANKS:
        raise ValueError(f"name must be one of {tuple(RANKS)}, got {name!r}")
    about = RANKS[name]
    content = (FOLDER / f"{name}.xz").read_bytes()
    return of_ranks(unpack(lzma.decompress(content), about.size), about.split)


def pack(tokens: list[bytes]) -> bytes:
    """Put the lengths of tokens, at most 255 bytes each, and then themselves, into one."""
    return bytes(map(len, tokens)) + b"".join(tokens)


def unpack(content: bytes, count: int) -> list[bytes]:
    """Take so many tokens out again."""
    lengths = np.frombuffer(content, dtype=np.uint8, count=count).tolist()
    places = accumulate(lengths, initial=count)
    return [content[first:last] for first, last in pairwise(places)]
