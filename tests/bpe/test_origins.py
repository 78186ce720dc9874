"""Births and deaths are those that one sees who merges the whole text by hand."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from core.bpe import origins
from core.bpe.encoding import encode, of_merges
from core.bpe.origins import Birth, Home, born, lives
from core.bpe.splitting import pieces
from core.bpe.vocabulary import Vocabulary
from core.shared.progress import Done
from tests.bpe import schoolbook
from tests.bpe.draining import drained
from tests.bpe.grown import grow

TEXT = (
    "the theme there them then these hug pug pun bun hugs banana bandana ananas aaaa aaaaa " * 3
    + "queen quick quail naïve naïf\n"
)


def states_of(vocabulary: Vocabulary, text: str) -> list[list[list[int]]]:
    """Write down all pieces of the text before each merge, and at the end."""
    number = {
        unit: place
        for place, unit in enumerate(zip(vocabulary.tokens, vocabulary.ends, strict=True))
        if place < vocabulary.alphabet
    }
    words = [
        [number[unit] for unit in schoolbook.units_of(piece, vocabulary.units)]
        for piece in pieces(text, vocabulary.split)
    ]
    states = [words]
    for place, pair in enumerate(vocabulary.merges):
        words = [schoolbook.replaced(word, pair, vocabulary.alphabet + place) for word in words]
        states.append(words)
    return states


def agrees(birth: Birth, vocabulary: Vocabulary, text: str) -> bool:
    """Tell whether a birth is that of the history, but for its homes' order."""
    states = states_of(vocabulary, text)
    before, after = states[birth.number - 1], states[birth.number]
    found = [sum(pair == birth.parts for pair in pairwise(word)) for word in before]
    homes: dict[bytes, int] = {}
    for piece, times in zip(pieces(text, vocabulary.split), found, strict=True):
        if times:
            homes[piece.encode()] = homes.get(piece.encode(), 0) + times
    return (
        birth.counted == sum(found)
        and birth.replaced == sum(map(len, before)) - sum(map(len, after))
        and birth.different == len(homes)
        and all(homes.get(home.text) == home.times for home in birth.homes)
        and len(birth.homes) == min(len(homes), origins.MOST)
        and [home.times for home in birth.homes]
        == sorted(homes.values(), reverse=True)[: origins.MOST]
    )


@pytest.mark.parametrize("units", ["bytes", "characters"])
def test_each_token_is_born_where_its_pair_stood(units: str) -> None:
    history = grow(TEXT, units=units, merges=60)
    vocabulary, overlapping = history.vocabulary, 0
    for place, parts in enumerate(vocabulary.merges):
        birth = drained(born(history, vocabulary.alphabet + place))
        assert (birth.number, birth.parts) == (place + 1, parts)
        assert agrees(birth, vocabulary, TEXT)
        overlapping += birth.counted > birth.replaced
        for home in birth.homes:
            token = vocabulary.tokens[birth.id]
            assert home.text[home.first : home.first + len(token)] == token
    assert overlapping  # of aaa


def test_that_oracle_rejects_a_birth_at_another_time_or_in_another_text() -> None:
    history = grow(TEXT, merges=60)
    right = drained(born(history, 256))
    assert agrees(right, history.vocabulary, TEXT)
    assert not agrees(right, history.vocabulary, TEXT * 2)
    late = drained(born(history, 257))
    assert not agrees(replace(late, number=40), history.vocabulary, TEXT)
    assert not agrees(replace(right, homes=right.homes[1:]), history.vocabulary, TEXT)


def test_one_of_the_alphabet_is_there_from_the_start() -> None:
    history = grow("abba abba abba xa é", merges=1, split="spaces", ties="raw")
    birth = drained(born(history, ord("a")))
    assert (birth.number, birth.parts, birth.counted, birth.replaced) == (0, None, 7, 7)
    assert birth.homes == (Home(b"abba", 0, 6), Home(b"xa", 1, 1))


def test_of_a_long_piece_what_is_around_is_told() -> None:
    text = "x" * 100 + "ab" + "y" * 100 + "ab" + "y" * 9 + "ab" * 300
    history = grow(text, merges=1, split="none")
    assert history.vocabulary.tokens[-1] == b"ab"
    birth = drained(born(history, 256))
    assert birth.counted == birth.replaced == 302
    homes = {home.text: home for home in birth.homes}
    assert homes[b"x" * 16 + b"ab" + b"y" * 16] == Home(b"x" * 16 + b"ab" + b"y" * 16, 16, 1)
    assert birth.homes[0] == Home(b"ab" * 17, 16, 284)  # those with eight more on either side


@pytest.mark.parametrize("units", ["bytes", "characters"])
@pytest.mark.parametrize("split", ["gpt2", "none"])
def test_the_dead_are_those_that_nobody_meets(units: str, split: str) -> None:
    history = grow(TEXT, units=units, split=split, merges=60)
    vocabulary, found = history.vocabulary, lives(history)
    states = states_of(vocabulary, TEXT)
    ever = [{each for word in state for each in word} for state in states]
    met = set().union(*ever)
    assert set(found.dead.tolist()) == met - ever[-1]
    assert set(found.absent.tolist()) == set(range(len(vocabulary.tokens))) - met
    ids = encode(of_merges(vocabulary), TEXT).ids
    assert found.uses.tolist() == np.bincount(ids, minlength=len(vocabulary.tokens)).tolist()
    for token in range(vocabulary.alphabet):
        assert found.stood[token] == sum(word.count(token) for word in states[0])
    for place, made in enumerate(range(vocabulary.alphabet, len(vocabulary.tokens))):
        assert found.stood[made] == sum(word.count(made) for word in states[place + 1])
    assert len(found.dead) > 3
    for token, heirs in zip(found.dead.tolist(), found.heirs, strict=True):
        assert {*heirs} == {
            vocabulary.alphabet + place
            for place, parts in enumerate(vocabulary.merges)
            if token in parts
        }
        assert heirs


def test_nothing_lives_in_nothing() -> None:
    found = lives(grow("", merges=4))
    assert (found.dead.size, found.absent.size, found.heirs) == (0, 256, ())


def test_it_tells_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(origins, "TURN", -1.0)
    history = grow("hug pug", merges=1, split="spaces")
    told = list(born(history, 256))
    assert told == [Done(0, 2, "different pieces"), Done(1, 2, "different pieces")]


@pytest.mark.parametrize("token", [-1, 258])
def test_a_token_that_is_none_is_refused(token: int) -> None:
    with pytest.raises(ValueError, match=rf"^token must be from 0 to 257, .* got {token}$"):
        drained(born(grow(TEXT, merges=2), token))
