"""Encoding does what the definition says, gives each byte back, and never tires of long pieces."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as some

from core.bpe import encoding
from core.bpe.encoding import NEVER, UNKNOWN, Encoder, decode, encode, merge, of_merges, of_ranks
from core.bpe.vocabulary import Vocabulary
from tests.bpe import schoolbook

ENGLISH = (
    "It was the best of times, it was the worst of times, it was the age of wisdom…\n"
    "the theme there: them, then, these; seeing is believing, being is seeing! 1234 12 3\n"
)
WORDS = " ".join(["low"] * 5 + ["lower"] * 2 + ["newest"] * 6 + ["widest"] * 3)


def flat(pieces: list[list[int]]) -> list[int]:
    return [each for piece in pieces for each in piece]


def wrong_ones(vocabulary: Vocabulary) -> dict[str, Encoder]:
    """Encoders that nearly do it."""
    right = of_merges(vocabulary)
    joined = right.join

    def latest(left: int, right: int) -> int:
        made = joined(left, right)
        return made if made == NEVER else 10_000 - made

    return {
        "one merge less": of_merges(vocabulary, len(vocabulary.merges) - 1),
        "pairs by their bytes' order": of_ranks(
            sorted(vocabulary.tokens, key=lambda token: (len(token) > 1, token)), "gpt2"
        ),
        "the latest first": Encoder(
            units=right.units,
            split=right.split,
            tokens=right.tokens + (b"?",) * 10_000,
            ends=right.ends + (False,) * 10_000,
            alphabet=right.alphabet,
            merges_from=right.merges_from,
            join=latest,
        ),
    }


@pytest.mark.parametrize("units", ["bytes", "characters"])
@pytest.mark.parametrize("split", ["gpt2", "gpt4", "spaces", "none"])
def test_each_text_has_the_tokens_that_the_learned_order_gives(units: str, split: str) -> None:
    source = random.Random(3)
    for _ in range(12):
        text = "".join(source.choices("abc e", k=source.randint(1, 60)))
        vocabulary = schoolbook.learned(text, 20, units=units, split=split)
        encoder = of_merges(vocabulary)
        for _ in range(5):
            other = "".join(source.choices("abc é", k=source.randint(0, 160)))
            found = encode(encoder, other)
            assert found.ids.tolist() == flat(schoolbook.encoded(vocabulary, other))
            assert b"".join(found.tokens) == other.encode()


@pytest.mark.parametrize("name", ["one merge less", "pairs by their bytes' order"])
def test_that_oracle_rejects_other_merges(name: str) -> None:
    vocabulary = schoolbook.learned(ENGLISH, 40)
    wrong = encode(wrong_ones(vocabulary)[name], ENGLISH).ids.tolist()
    assert wrong != flat(schoolbook.encoded(vocabulary, ENGLISH))


def test_that_oracle_rejects_the_latest_merge_first() -> None:
    vocabulary = schoolbook.learned("ab bc bc abc" * 3, 2, split="none")
    wrong = encode(wrong_ones(vocabulary)["the latest first"], "abc")
    assert len(wrong.tokens) == len(schoolbook.encoded(vocabulary, "abc")[0])
    assert [len(each) for each in encode(of_merges(vocabulary), "abc").tokens] == [1, 2]
    assert wrong.tokens != encode(of_merges(vocabulary), "abc").tokens


def test_a_text_of_its_training_is_what_training_left_of_it() -> None:
    vocabulary = schoolbook.learned(WORDS, 10, units="characters", split="spaces")
    encoder = of_merges(vocabulary)
    merged = [token.decode() for token in vocabulary.tokens[vocabulary.alphabet :]]
    assert merged[:3] == ["es", "est", "lo"]  # as in Sennrich et al. 2016
    found = encode(encoder, "lowest")
    assert found.tokens == (b"lo", b"w", b"est")
    assert found.ends.tolist() == [False, False, True]
    assert found.starts.tolist() == [True, False, False]
    assert encode(encoder, "est!").ends.tolist() == [False, False, True]


@given(some.binary(max_size=300))
def test_any_bytes_come_back(content: bytes) -> None:
    encoder = of_merges(VOCABULARY)
    found = encode(encoder, content)
    assert b"".join(found.tokens) == content
    assert decode(encoder, found.ids.tolist()) == content
    assert (found.ids >= 0).all()


@given(some.text(max_size=100))
def test_any_text_comes_back_also_of_characters_that_are_unknown(text: str) -> None:
    encoder = of_merges(CHARACTERS)
    found = encode(encoder, text)
    assert b"".join(found.tokens) == text.encode()
    known = {token for token, ends in zip(CHARACTERS.tokens, CHARACTERS.ends, strict=True) if ends}
    for token, ends, each in zip(found.tokens, found.ends, found.ids, strict=True):
        if each == UNKNOWN:
            assert len(token.decode()) == 1
            assert not (ends and token in known)
        else:
            assert (token, ends) == (CHARACTERS.tokens[each], CHARACTERS.ends[each])


@given(some.text("ab", max_size=400), some.integers(0, 30))
def test_a_long_piece_is_merged_as_a_short_one_is(text: str, merges: int) -> None:
    encoder = of_merges(FLAT, merges)
    ids = [encoder.alphabet[(bytes([each]), False)] for each in text.encode()]
    short = monkeyed(ids, encoder.join)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(encoding, "LONG", -1)
        assert merge(ids, encoder.join) == short
    assert merge(ids, encoder.join) == short
    assert short[1] == sorted(short[1])


def monkeyed(ids: list[int], join: encoding.Join) -> tuple[list[int], list[int]]:
    """Merge one after the other, by a look at all neighbours each time."""
    ids, made = list(ids), list[int]()
    while True:
        pairs = [(join(ids[i], ids[i + 1]), i) for i in range(len(ids) - 1)]
        best, place = min(pairs, default=(NEVER, 0))
        if best == NEVER:
            return ids, made
        made.append(best)
        ids[place : place + 2] = [best]


def test_that_oracle_rejects_a_heap_that_takes_the_right_one_of_aaa() -> None:
    ids = [97, 97, 97]
    assert merge(ids, of_merges(FLAT).join)[0] != [97, of_merges(FLAT).join(97, 97)]
    assert monkeyed(ids, of_merges(FLAT, 0).join)[0] == ids


def test_the_first_few_merges_are_a_vocabulary_of_their_own() -> None:
    whole = schoolbook.learned(ENGLISH, 30)
    few = schoolbook.learned(ENGLISH, 7)
    for text in (ENGLISH, "the best"):
        one, other = encode(of_merges(whole, 7), text), encode(of_merges(few), text)
        assert one.ids.tolist() == other.ids.tolist()
    assert len(of_merges(whole, 7).tokens) == 263
    assert len(of_merges(whole, 999).tokens) == len(whole.tokens)
    assert len(of_merges(whole, -1).tokens) == 256


@pytest.mark.parametrize("units", ["bytes", "characters"])
def test_nothing_has_no_tokens(units: str) -> None:
    encoder = of_merges(schoolbook.learned("", 5, units=units))
    found = encode(encoder, "")
    assert (found.tokens, found.ids.tolist(), found.starts.tolist()) == ((), [], [])
    assert decode(encoder, []) == b""
    assert encode(encoder, "   ").starts.sum() == 1


def test_a_lone_surrogate_is_told_in_one_sentence() -> None:
    with pytest.raises(
        ValueError, match=r"^the text must be Unicode .* got U\+D83D at charac.* 2$"
    ):
        encode(of_merges(VOCABULARY), "ab\ud83d")


@pytest.mark.parametrize("number", [-1, 276])
def test_an_id_that_is_none_is_told(number: int) -> None:
    with pytest.raises(ValueError, match=rf"^ids must be from 0 to 275, .* got {number}$"):
        decode(of_merges(schoolbook.learned(ENGLISH, 20)), [3, number])


VOCABULARY = schoolbook.learned(ENGLISH, 60)
CHARACTERS = schoolbook.learned(ENGLISH, 40, units="characters")
FLAT = schoolbook.learned("aab" * 9 + "abbabaabb" * 3 + "aaaa", 30, split="none")
