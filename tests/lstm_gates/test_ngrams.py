"""Smoothed n-grams, against counting by hand; probabilities are shares of one whole."""

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from core.lstm_gates import UNKNOWN, texts
from core.lstm_gates.ngrams import bits, likelihoods, named

quiet = settings(derandomize=True, deadline=None, max_examples=60)
ALPHABET = UNKNOWN + "abc"
words = some.text("abcx", min_size=2, max_size=40)


def by_hand(training: str, context: str, character: str, size: int) -> float:
    """Walk down from the longest context, counting each afresh."""
    shorter = by_hand(training, context[1:], character, size) if context else 1 / size
    after = Counter(
        training[place + len(context)]
        for place in range(len(training) - len(context))
        if training.startswith(context, place)
    )
    if not after:
        return shorter
    return (after[character] + len(after) * shorter) / (after.total() + len(after))


def hidden(text: str) -> str:
    """Write each character that is not in the alphabet as the one that stands for it."""
    return "".join(each if each in ALPHABET else UNKNOWN for each in text)


def agree(
    training: str, validation: str, orders: Iterator[np.ndarray], size: int = len(ALPHABET)
) -> None:
    training, validation = hidden(training), hidden(validation)
    for order, likely in enumerate(orders, start=1):
        wanted = [
            by_hand(training, validation[max(0, place - order + 1) : place], each, size)
            for place, each in enumerate(validation)
        ]
        np.testing.assert_allclose(likely, wanted, rtol=1e-12, err_msg=f"order {order}")


def orders(training: str, validation: str, size: int = len(ALPHABET)) -> Iterator[np.ndarray]:
    one, other = texts.places(training, ALPHABET), texts.places(validation, ALPHABET)
    return likelihoods(one, other, size)


@given(training=words, validation=words)
@quiet
def test_each_order_is_what_counting_by_hand_gives(training: str, validation: str) -> None:
    agree(training, validation, orders(training, validation))


def test_that_oracle_rejects_other_texts_alphabets_and_smoothing() -> None:
    training, validation = "abcabcaabbxcc" * 2, "abcbacxab"
    agree(training, validation, orders(training, validation))
    for wrong in (
        orders(training + "a", validation),
        orders(training, validation, size=5),
        (0.999 * each for each in orders(training, validation)),
        iter([*orders(training, validation)][::-1]),
    ):
        with pytest.raises(AssertionError, match="order"):
            agree(training, validation, wrong)


@given(training=words, context=words)
@quiet
def test_the_alphabets_probabilities_add_up_to_one(training: str, context: str) -> None:
    total = np.zeros(8)
    for character in ALPHABET:
        total += [likely[-1] for likely in orders(training, context + character)]
    np.testing.assert_allclose(total, 1, rtol=1e-12)


def test_bits_are_of_all_but_the_first_character_and_come_one_after_the_other() -> None:
    found = bits("aab", "abb", UNKNOWN + "ab", most=2)
    one = (1 + 2 / 3) / 5  # of b
    assert next(found) == ("unigram", -np.log2(one))
    after_a = (1 + 2 * one) / 4
    name, value = next(found)
    assert name == "bigram"
    assert value == pytest.approx(-(np.log2(after_a) + np.log2(one)) / 2)
    assert list(found) == []
    assert [named(order) for order in (1, 3, 8)] == ["unigram", "trigram", "8-gram"]


def test_a_text_that_repeats_is_known_by_longer_grams() -> None:
    found = dict(bits("abcd" * 500, "abcd" * 50, UNKNOWN + "abcd"))
    assert found["unigram"] == pytest.approx(2, abs=0.01)
    assert found["bigram"] < 0.02


def test_a_language_takes_no_fewer_bits_than_its_own_chances() -> None:
    """Shannon's bound, on 20,000 characters of which a few may have been lucky."""
    text = texts.read("brackets")
    training, validation = text.parts
    assert text.ideal is not None
    floor = text.ideal[validation].mean()
    found = dict(bits(text.content[training], text.content[validation], text.alphabet))
    assert list(found.values()) == sorted(found.values(), reverse=True)
    assert floor < found["8-gram"] < floor + 0.1


@pytest.mark.parametrize(
    ("training", "validation", "most", "sentence"),
    [
        ("a", "ab", 8, "training and validation must have at least 2 characters each, got 1 and 2"),
        ("ab", "", 8, "got 2 and 0"),
        ("ab", "ab", 0, "most must be at least 1, got 0"),
    ],
)
def test_too_little_is_refused(training: str, validation: str, most: int, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        next(bits(training, validation, ALPHABET, most))
