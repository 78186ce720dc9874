"""What is counted word by word is what a walk through the whole text counts."""

import random
from collections import Counter

import numpy as np
import pytest

from core.bpe import splitting, tallying
from core.bpe.encoding import UNKNOWN, encode, of_merges
from core.bpe.splitting import PATTERNS, pieces
from core.bpe.tallying import count, tally
from core.shared.progress import Done
from core.shared.turns import patient
from tests.bpe import schoolbook
from tests.bpe.draining import drained
from tests.bpe.fuzzing import fuzzed

TEXT = "the theme there them then these: 12 banana bandana ananas aaaa, don't\n\n  x\n" * 5


@pytest.mark.parametrize("split", [*PATTERNS, "none"])
def test_the_pieces_are_those_of_the_whole_text(
    split: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(splitting, "PART", 20)
    source = random.Random(4)
    cuts = 0
    for _ in range(80):
        text = fuzzed(source, 40) + TEXT[: source.randint(0, 90)] + fuzzed(source, 40)
        expected = Counter(pieces(text, split))
        assert drained(tally(text, split)) == expected
        cuts += sum(1 for _ in tally(text, split))
    assert cuts > 80 or split == "none"  # else nothing was cut
    assert drained(tally("", split)) == Counter()


@pytest.mark.parametrize("units", ["bytes", "characters"])
@pytest.mark.parametrize("split", ["gpt2", "none"])
def test_the_counts_are_those_of_the_whole_text(units: str, split: str) -> None:
    vocabulary = schoolbook.learned(TEXT, 50, units=units, split=split)
    encoder = of_merges(vocabulary)
    text = TEXT + "then Zß"
    found = drained(count(encoder, drained(tally(text, split))))
    whole = encode(encoder, text).ids
    assert found.tokens == len(whole)
    assert found.unknown == (whole == UNKNOWN).sum() == (0 if units == "bytes" else 2)
    known = whole[whole != UNKNOWN]
    assert found.uses.tolist() == np.bincount(known, minlength=len(vocabulary.tokens)).tolist()
    for merges in (0, 1, 7, 30, len(vocabulary.merges)):
        few = len(encode(of_merges(vocabulary, merges), text).tokens)
        assert found.units - found.made[: vocabulary.alphabet + merges].sum() == few


def test_that_oracle_rejects_pieces_that_are_counted_once() -> None:
    encoder = of_merges(schoolbook.learned(TEXT, 50))
    once = dict.fromkeys(drained(tally(TEXT, "gpt2")), 1)
    assert drained(count(encoder, once)).tokens != len(encode(encoder, TEXT).tokens)


def test_it_tells_how_far_it_is_also_within_a_long_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallying, "TURN", -1.0)
    encoder = of_merges(schoolbook.learned(TEXT, 50))
    told = list(count(encoder, drained(tally(TEXT, "gpt2"))))
    different = len(set(pieces(TEXT, "gpt2")))
    assert told == [Done(done, different, "different pieces") for done in range(different)]
    assert len(list(count(encoder, {"ab" * 6_000: 1}))) >= 4
    assert patient(count)(encoder, {}).tokens == 0
