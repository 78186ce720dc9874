"""A sweep over sizes gives what each vocabulary gives when it is learned by itself."""

import numpy as np
import pytest
from tokenizers import Tokenizer

from core.bpe.encoding import of_merges
from core.bpe.exporting import tokenizer_json
from core.bpe.sweeping import POINTS, Sweep, divide, sweep
from core.bpe.tallying import count, tally
from core.shared.natural import help_topics
from tests.bpe import schoolbook
from tests.bpe.draining import drained
from tests.bpe.grown import grow

TEXT = help_topics(once=True)[:5_000]
TIES = {"bytes": "raw", "characters": "smaller"}  # as the schoolbook has them


def separately(found: Sweep, units: str, split: str, texts: tuple[str, str]) -> list[list[int]]:
    """Learn each size anew, and let HF's library encode."""
    tokens: list[list[int]] = [[], []]
    for merges in found.merges.tolist():
        vocabulary = schoolbook.learned(texts[0], merges, units=units, split=split)
        library = Tokenizer.from_str(tokenizer_json(vocabulary))
        for text, counts in zip(texts, tokens, strict=True):
            counts.append(len(library.encode(text).ids))
    return tokens


@pytest.mark.parametrize("units", ["bytes", "characters"])
@pytest.mark.parametrize("split", ["gpt2", "none"])
def test_each_size_is_that_of_a_vocabulary_of_its_own(units: str, split: str) -> None:
    texts = divide(TEXT[:900] + "Zß")
    history = grow(texts[0], units=units, split=split, ties=TIES[units], merges=40)
    vocabulary = history.vocabulary
    found = drained(sweep(history, texts[1], width=10))
    assert found.merges[0] == 0
    assert found.merges[-1] == 40
    assert found.tokens.tolist() == separately(found, units, split, texts)
    assert found.sizes == tuple(len(text.encode()) for text in texts)
    for rates, tokens, size in zip(found.rates, found.tokens, found.sizes, strict=True):
        np.testing.assert_allclose(rates, [size / each for each in tokens])
    assert found.vocabulary.tolist() == [vocabulary.alphabet + each for each in found.merges]
    assert found.parameters.tolist() == [10 * each for each in found.vocabulary]
    assert (found.unknown > 0) == (units == "characters")


def test_that_oracle_rejects_the_sizes_of_another_vocabulary() -> None:
    texts = divide(TEXT[:900])
    other = drained(sweep(grow(texts[1], ties="raw", merges=40), texts[1]))
    assert other.tokens.tolist() != separately(other, "bytes", "gpt2", texts)


def test_what_was_held_out_is_compressed_less() -> None:
    texts = divide(TEXT, 0.3)
    found = drained(sweep(grow(texts[0], merges=250), texts[1]))
    assert found.rates[0, -1] > found.rates[1, -1] > found.rates[1, 0] == 1
    assert len(found.merges) <= POINTS
    assert (np.diff(found.tokens) <= 0).all()


@pytest.mark.parametrize("text", ["", "a", "a\n", "a b\n" * 300, "x" * 999])
@pytest.mark.parametrize("held", [0.1, 0.5])
def test_the_parts_are_the_text(text: str, held: float) -> None:
    training, rest = divide(text, held)
    assert training + rest == text
    assert abs(len(rest) - held * len(text)) <= 1 + len(text) / 50
    if text.count("\n") > 1:
        assert training.endswith("\n")


def test_texts_and_vocabularies_may_be_empty() -> None:
    found = drained(sweep(grow("", merges=5), "ab"))
    assert found.merges.tolist() == [0]
    assert np.isnan(found.rates[0]).all()
    assert found.rates[1].tolist() == [1.0]


def test_the_counts_are_of_all_merges() -> None:
    history = grow(TEXT, merges=100)
    found = drained(sweep(history, TEXT))
    whole = drained(count(of_merges(history.vocabulary), drained(tally(TEXT, "gpt2"))))
    assert found.tokens[:, -1].tolist() == [whole.tokens] * 2


def test_what_is_no_number_of_the_kind_is_refused() -> None:
    for held in (0.0, 1.0, float("nan")):
        with pytest.raises(ValueError, match=r"^held must be between 0 and 1, got "):
            divide(TEXT, held)
    with pytest.raises(ValueError, match=r"^width must be at least 1, got 0$"):
        drained(sweep(grow("", merges=0), "", 0))
