"""All tokenizers are asked for the same text, and each answer is that of the one it names."""

import math

import pytest

from core.bpe import world
from core.bpe.encoding import UNKNOWN, encode, of_merges
from core.bpe.ranks import RANKS, ranked
from core.bpe.vocabulary import Vocabulary
from core.bpe.world import TITLES, Answer, World, compare, prepare
from core.shared.natural import help_topics
from core.shared.progress import Done
from tests.bpe import schoolbook
from tests.bpe.draining import drained

TEXT = help_topics(once=True)[:6_000]
SENTENCE = "An assertion, Zß 漢字!"


def asked(vocabulary: Vocabulary, text: str, sentence: str = SENTENCE) -> dict[str, Answer]:
    answers = compare(drained(prepare(vocabulary, text)), sentence)
    assert [each.name for each in answers] == list(TITLES)
    return {each.name: each for each in answers}


@pytest.mark.parametrize("units", ["bytes", "characters"])
def test_each_answer_is_that_of_the_tokenizer_it_names(units: str) -> None:
    vocabulary = schoolbook.learned(TEXT, 90, units=units)
    answers = asked(vocabulary, TEXT)
    encoders = {"bpe": of_merges(vocabulary), **{name: ranked(name) for name in RANKS}}
    for name, encoder in encoders.items():
        assert answers[name].tokens == len(encode(encoder, TEXT).tokens)
        sentence = answers[name].sentence
        assert sentence is not None
        assert sentence.tokens == encode(encoder, SENTENCE).tokens
        assert answers[name].vocabulary == len(encoder.tokens)
        assert (answers[name].unknown is None) == (encoder.units == "bytes")
    assert answers["characters"].tokens == len(TEXT)
    assert len({each.tokens for each in answers.values()}) == len(answers)  # none for another
    for each in answers.values():
        assert each.size == len(TEXT.encode())
        assert each.rate == each.size / each.tokens
        assert each.problem == ""
        assert each.title == TITLES[each.name]
        assert each.sentence is not None
        assert len(each.written) == len(each.sentence.tokens)
        assert each.missed == each.written.count("<unk>") == (each.sentence.ids == UNKNOWN).sum()
        assert b"".join(each.sentence.tokens) == SENTENCE.encode()
        if each.name in ("words", "characters", "unigram", "wordpiece"):
            assert each.vocabulary <= len(vocabulary.tokens)
            assert each.missed >= 1


def test_the_rate_of_words_that_are_lacking_is_the_share_that_is_out_of_vocabulary() -> None:
    vocabulary = schoolbook.learned("", 0)  # 256 tokens: 255 words and <unk>
    text = " ".join(f"w{each} w{each}" for each in range(255)) + " rare seldom"
    answer = asked(vocabulary, text)["words"]
    assert (answer.vocabulary, answer.tokens, answer.unknown) == (256, 512, 2)
    assert answer.lacking == 2 / 512
    assert asked(vocabulary, text)["bpe"].lacking is None


def test_what_a_tokenizer_cannot_learn_from_is_told_and_the_others_answer() -> None:
    many = "".join(chr(0x4E00 + each) for each in range(600))
    answers = asked(schoolbook.learned("", 0), many)
    assert answers["unigram"].problem.startswith("HF's library could not learn from this text: ")
    assert answers["unigram"].sentence is None
    assert answers["unigram"].tokens == 0
    assert math.isnan(answers["unigram"].rate)
    assert [name for name, each in answers.items() if each.problem] == ["unigram"]
    lacking = answers["characters"].lacking
    assert lacking == (600 - 255) / 600


@pytest.mark.parametrize("split", ["gpt2", "none"])
@pytest.mark.parametrize("text", ["", "   ", "x"])
def test_the_smallest_texts_give_answers(text: str, split: str) -> None:
    vocabulary = schoolbook.learned(text, 3, split=split)
    for each in asked(vocabulary, text).values():
        assert each.problem == "" or not text
        assert each.size == len(text)
    for each in asked(vocabulary, text, "").values():
        assert each.written == ()


def test_a_long_text_is_counted_from_its_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    vocabulary = schoolbook.learned(TEXT, 20)
    monkeypatch.setattr(world, "LONGEST", 1_000)
    few = drained(prepare(vocabulary, "é" + TEXT))
    assert (few.size, few.whole) == (1_001, False)
    monkeypatch.setattr(world, "LONGEST", 100_000)
    assert drained(prepare(vocabulary, TEXT)).whole
    answers = {each.name: each.tokens for each in compare(few, "")}
    assert answers["gpt2"] == len(encode(ranked("gpt2"), "é" + TEXT[:999]).tokens)


def test_it_tells_how_far_it_is() -> None:
    told = [each for each in prepare(schoolbook.learned(TEXT, 20), TEXT) if isinstance(each, Done)]
    assert told[0] == Done(0, len(TITLES), "tokenizers")
    assert [each.done for each in told] == sorted(each.done for each in told)
    assert {each.done for each in told} == set(range(len(TITLES)))


def test_a_sentence_that_cannot_be_looked_at_is_refused() -> None:
    empty = World(0, True, ())
    assert compare(empty, "a" * 2_000) == ()
    with pytest.raises(ValueError, match=r"^the sentence must have at most 2,000 .* got 2,001$"):
        compare(empty, "a" * 2_001)
    with pytest.raises(ValueError, match=r"^the text must be Unicode without lone surrogates"):
        compare(empty, "\ud800")
