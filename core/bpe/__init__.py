"""BPE: what a page may ask for and what it is given.

The work itself is in the modules beside this one. A text is cut into pieces that no merge crosses
(the pre-tokenizer), each piece into units, and the commonest pair of neighbours becomes a token,
again and again. All merges of a plan are learned at once, by the process that has the engine, and
kept there; what can be asked is in `core.bpe.asking`, each a call that takes the plan first:

    engine.call(MOMENT, plan, step, place)

Source: Gage 1994, "A new algorithm for data compression"; Sennrich, Haddow, Birch 2016,
arXiv:1508.07909, section 3.2.
"""

from dataclasses import dataclass

__all__ = [
    "CHECKED",
    "DECODED",
    "ENCODED",
    "EXPORTED",
    "LIFE",
    "MOMENT",
    "MOST",
    "PARALLEL",
    "PARTED",
    "SPLITS",
    "SUMMARY",
    "SWEPT",
    "TIES",
    "UNITS",
    "WORLD",
    "Plan",
]

# Each of these is a call that takes a plan, and beside it
SUMMARY = "core.bpe.asking:summary"  # nothing
MOMENT = "core.bpe.asking:moment"  # how many merges are done, a place in the text
PARTED = "core.bpe.asking:parted"  # another rule of ties
ENCODED = "core.bpe.reading:encoded"  # how many merges are done, a text, a token
DECODED = "core.bpe.reading:decoded"  # ids
LIFE = "core.bpe.reading:life"  # a token
SWEPT = "core.bpe.reading:swept"  # the width of an embedding
WORLD = "core.bpe.reading:world"  # a sentence
PARALLEL = "core.bpe.reading:parallel"  # nothing
EXPORTED = "core.bpe.reading:exported"  # the kind of file
CHECKED = "core.bpe.reading:checked"  # nothing

UNITS = {
    "bytes": "bytes of UTF-8",
    "characters": "characters with </w>",
}
SPLITS = {
    "gpt2": "GPT-2's regex",
    "gpt4": "GPT-4's regex",
    "spaces": "white space",
    "none": "none",
}
TIES = {  # which of the pairs that are equally frequent is merged
    "smaller": "smaller ids (HF)",  # the pair of lower ids, in HF's order of the alphabet
    "raw": "smaller bytes (rustbpe)",  # the same, with the bytes as ids
    "first": "first met (minbpe)",  # in the text; so does tiktoken's teaching code
    "lexicographic": "last by letters (subword-nmt)",
    "shorter": "shorter (sentencepiece)",  # then first by letters
}
MOST = 30_000  # merges


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """From what text a vocabulary grows, and how; the same plan gives the same merges everywhere.

    text: one of `texts.TEXTS`, or "own-" and the name of a visitor's own.
    units: one of UNITS.
    split: one of SPLITS, the pre-tokenizer.
    ties: one of TIES.
    merges: how many at most; there are fewer where no pair is left.

    Raises: ValueError when a value is none of these.
    """

    text: str = "topics"
    units: str = "bytes"
    split: str = "gpt2"
    ties: str = "smaller"
    merges: int = 1_000

    def __post_init__(self) -> None:
        """Check each value; texts are for those to check who have them."""
        if not isinstance(self.text, str):
            raise ValueError(f"text must be a name, got {self.text!r}")
        for name, known in (("units", UNITS), ("split", SPLITS), ("ties", TIES)):
            if (value := getattr(self, name)) not in known:
                raise ValueError(f"{name} must be one of {tuple(known)}, got {value!r}")
        if type(self.merges) is not int or not 0 <= self.merges <= MOST:
            raise ValueError(
                f"merges must be a whole number from 0 to {MOST:,}, got {self.merges!r}"
            )
        if self.ties == "raw" and self.units != "bytes":
            raise ValueError(f"ties must be another rule than 'raw' where units are {self.units!r}")
