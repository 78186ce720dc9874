"""What a language costs: the same sentences in many, by each tokenizer.

The sentences are the first five articles of the Universal Declaration of Human Rights, which say
the same in each language. Fertility is tokens per word, after Rust et al. 2021, arXiv:2012.15613,
section 3; where writing has no spaces it has no words to count, and tokens are compared with those
of English, after Petrov et al. 2023, arXiv:2305.15425, section 3.
"""

import json
from collections.abc import Generator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from core.bpe.encoding import UNKNOWN, Encoded, Encoder, encode, of_merges
from core.bpe.ranks import RANKS, ranked
from core.bpe.vocabulary import Vocabulary
from core.shared.progress import Done

__all__ = ["ARTICLES", "FILE", "SCRIPTS", "Language", "Parallel", "languages", "parallel", "spell"]

FILE = Path(__file__).parents[2] / "assets" / "text" / "declaration.json"
ARTICLES = 5
ENGLISH = "eng"
SCRIPTS = {  # and whether there are spaces between words
    "Latin": True,
    "Cyrillic": True,
    "Greek": True,
    "Armenian": True,
    "Georgian": True,
    "Arabic": True,
    "Hebrew": True,
    "Devanagari": True,
    "Bengali": True,
    "Tamil": True,
    "Ethiopic": True,
    "Hangul": True,
    "Thai": False,
    "Khmer": False,
    "Myanmar": False,
    "Han": False,
    "Japanese": False,
}


@dataclass(frozen=True, slots=True)
class Language:
    """The same sentences in a language."""

    code: str  # of the file they are from, mostly ISO 639-3
    tag: str  # BCP 47, for a page's `lang`
    name: str
    script: str  # one of SCRIPTS
    direction: str  # "ltr" or "rtl"
    articles: tuple[str, ...]

    @property
    def text(self) -> str:
        """Give all of it."""
        return "\n".join(self.articles)

    @property
    def words(self) -> float:
        """Count what stands between spaces, or Ethiopic ፡; NaN where words are not set apart."""
        if not SCRIPTS[self.script]:
            return float("nan")
        return float(len(self.text.replace("፡", " ").split()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Parallel:
    """What each tokenizer makes of each language."""

    names: tuple[str, ...]  # of the tokenizers: "bpe", then those of RANKS
    languages: tuple[Language, ...]
    characters: Int[np.ndarray, " l"]
    sizes: Int[np.ndarray, " l"]  # bytes
    tokens: Int[np.ndarray, "n l"]
    unknown: Int[np.ndarray, "n l"]  # of these, how many stand for what the vocabulary lacks
    fertility: Float[np.ndarray, "n l"]  # tokens per word; NaN where words are not set apart
    premium: Float[np.ndarray, "n l"]  # tokens by those that English takes


@cache
def languages() -> tuple[Language, ...]:
    """Load them; English is the first."""
    told = json.loads(FILE.read_text(encoding="utf-8"))
    return tuple(Language(**{**each, "articles": tuple(each["articles"])}) for each in told)


def parallel(vocabulary: Vocabulary) -> Generator[Done, None, Parallel]:
    """Encode all languages by this vocabulary and by those of OpenAI."""
    known, encoders = languages(), _encoders(vocabulary)
    tokens = np.zeros((len(encoders), len(known)), dtype=np.int64)
    unknown = np.zeros_like(tokens)
    for place, language in enumerate(known):
        yield Done(place, len(known), "languages")
        for row, encoder in enumerate(encoders.values()):
            ids = encode(encoder, language.text).ids
            tokens[row, place], unknown[row, place] = len(ids), (ids == UNKNOWN).sum()
    return Parallel(
        names=tuple(encoders),
        languages=known,
        characters=np.array([len(each.text) for each in known], dtype=np.int64),
        sizes=np.array([len(each.text.encode()) for each in known], dtype=np.int64),
        tokens=tokens,
        unknown=unknown,
        fertility=tokens / np.array([each.words for each in known]),
        premium=tokens / tokens[:, [each.code for each in known].index(ENGLISH), None],
    )


def spell(vocabulary: Vocabulary, code: str, article: int = 1) -> dict[str, Encoded]:
    """Give an article of one language in the tokens of each tokenizer, by its name.

    Raises: ValueError when there is no such language or article.
    """
    found = {each.code: each for each in languages()}
    if code not in found:
        raise ValueError(f"code must be one of {tuple(found)}, got {code!r}")
    if not 1 <= article <= ARTICLES:
        raise ValueError(f"article must be from 1 to {ARTICLES}, got {article}")
    text = found[code].articles[article - 1]
    return {name: encode(encoder, text) for name, encoder in _encoders(vocabulary).items()}


def _encoders(vocabulary: Vocabulary) -> dict[str, Encoder]:
    return {"bpe": of_merges(vocabulary), **{name: ranked(name) for name in RANKS}}
