"""What is told of an encoding, merge by merge and as trees, is how it comes about."""

import random
import time
from itertools import pairwise

import numpy as np
import pytest

from core.bpe import explaining
from core.bpe.encoding import UNKNOWN, Encoder, encode, of_merges, of_ranks
from core.bpe.explaining import TRACED, Row, compare, longest, parts, trace, tree
from core.bpe.splitting import pieces
from core.bpe.vocabulary import Vocabulary
from tests.bpe import schoolbook

TEXT = "the theme there them then these: hug pug pun bun hugs; banana bandana ananas aaaa\n" * 2


def follows(vocabulary: Vocabulary, rows: tuple[Row, ...]) -> bool:
    """Tell whether each row is the one before after the earliest merge that was possible in it."""
    first = vocabulary.alphabet
    number = {pair: place + 1 for place, pair in enumerate(vocabulary.merges)}
    for row, following in pairwise(rows):
        ranks = [number.get(pair, 0) for pair in pairwise(row.ids)]
        best = min((rank for rank in ranks if rank), default=0)
        if not best:
            return False
        pair = vocabulary.merges[best - 1]
        if row.rank != best or row.makes != first + best - 1:
            return False
        if any(row.ids[place : place + 2] != pair for place in row.places):
            return False
        if len(row.places) != len(row.ids) - len(following.ids):
            return False
        if any(following.ids[place] != first + best - 1 for place in following.made):
            return False
        if len(following.made) != len(row.places):
            return False
        if list(following.ids) != schoolbook.replaced(row.ids, pair, first + best - 1):
            return False
    last = rows[-1]
    done = not any(pair in number for pair in pairwise(last.ids))
    return done and (last.places, last.makes, last.rank) == ((), UNKNOWN, 0)


@pytest.mark.parametrize("units", ["bytes", "characters"])
def test_each_row_follows_from_the_one_before(units: str) -> None:
    vocabulary = schoolbook.learned(TEXT, 60, units=units)
    encoder = of_merges(vocabulary)
    for text in (TEXT, "thereaaaaa bandé", "", "\n", "aaaaaaa"):
        count = len(pieces(text, "gpt2"))
        traces = [each for place in range(count) if (each := trace(encoder, text, place))]
        assert b"".join(each.text for each in traces) == text.encode()
        for each in traces:
            assert follows(vocabulary, each.rows)
            assert all(b"".join(row.tokens) == each.text for row in each.rows)
            assert len(each.rows[0].tokens) == len(
                each.text if units == "bytes" else each.text.decode()
            )
        ends = [each.rows[-1] for each in traces]
        assert [i for row in ends for i in row.ids] == encode(encoder, text).ids.tolist()


def test_that_oracle_rejects_a_trace_that_leaves_a_row_out_or_merges_late() -> None:
    vocabulary = schoolbook.learned(TEXT, 60)
    found = trace(of_merges(vocabulary), "there", 0)
    assert found is not None
    rows = found.rows
    assert len(rows) > 3
    assert not follows(vocabulary, (rows[0], *rows[2:]))
    assert not follows(vocabulary, rows[:-1])
    assert not follows(schoolbook.learned(TEXT[::-1], 60), rows)


def test_of_aaa_the_first_two_are_one() -> None:
    vocabulary = schoolbook.learned("aaaa", 1, split="none")
    found = trace(of_merges(vocabulary), "aaaaa", 7)  # past the last piece is the last
    assert found is not None
    assert [row.tokens for row in found.rows] == [(b"a",) * 5, (b"aa", b"aa", b"a")]
    assert found.rows[0].places == (0, 2)
    assert [row.made for row in found.rows] == [(), (0, 1)]


def test_of_a_long_piece_the_beginning_is_traced() -> None:
    encoder = of_merges(schoolbook.learned("ab", 1, split="none"))
    found = trace(encoder, "ab" * 500, 0)
    assert found is not None
    assert found.text == b"ab" * (TRACED // 2)
    assert trace(encoder, "", 0) is None


def test_a_token_is_made_of_what_its_merge_says() -> None:
    vocabulary = schoolbook.learned(TEXT, 80)
    encoder = of_merges(vocabulary)
    for token in range(len(vocabulary.tokens)):
        expected = None if token < 256 else vocabulary.merges[token - 256]
        assert parts(encoder, token) == expected
        nodes = tree(encoder, token)
        assert nodes[0].id == token
        leaves = [node for node in nodes if node.left < 0]
        assert all(node.rank == 0 and len(node.token) == 1 for node in leaves)
        assert len(leaves) == len(vocabulary.tokens[token])
        for place, node in enumerate(nodes):
            if node.left >= 0:
                left, right = nodes[node.left], nodes[node.right]
                assert (left.id, right.id) == vocabulary.merges[node.rank - 1]
                assert left.token + right.token == node.token
                assert left.parent == right.parent == place < node.left


def test_the_mark_stays_with_the_right_part() -> None:
    vocabulary = schoolbook.learned(
        "low low lower newest widest", 20, units="characters", split="gpt2"
    )
    encoder = of_merges(vocabulary)
    for token in range(vocabulary.alphabet, len(vocabulary.tokens)):
        assert parts(encoder, token) == vocabulary.merges[token - vocabulary.alphabet]
        for node in tree(encoder, token):
            assert node.ends == vocabulary.ends[node.id]


def test_a_tree_of_ranks_is_that_of_merges() -> None:
    vocabulary = schoolbook.learned(TEXT, 80)
    by_ranks = of_ranks(vocabulary.tokens, "gpt2")
    for token in (3, 256, 270, len(vocabulary.tokens) - 1):
        assert tree(by_ranks, token) == tree(of_merges(vocabulary), token)


def test_a_tree_stops_where_nobody_could_read_it() -> None:
    vocabulary = schoolbook.learned("a" * 4_096, 12, split="none")
    nodes = tree(of_merges(vocabulary), 267)
    assert nodes[0].token == b"a" * 400 + "…".encode()
    assert len(nodes) <= explaining.NODES
    assert any(node.left < 0 < node.rank for node in nodes)


def test_the_longest_first_parts_from_the_merges_where_the_textbook_says() -> None:
    """Of hu|g and ug both are tokens: the merges make `thug` t-h-ug, the wrong way t-hu-g."""
    corpus = " ".join(["hug"] * 10 + ["pug"] * 5 + ["pun"] * 12 + ["bun"] * 4 + ["hugs"] * 5)
    vocabulary = schoolbook.learned(corpus + " hu" * 9, 8, units="characters", split="spaces")
    tokens = set(zip(vocabulary.tokens, vocabulary.ends, strict=True))
    assert {(b"ug", True), (b"hu", False)} & tokens
    encoder = of_merges(schoolbook.learned("ug ug ug pug pug hu hu t", 2, split="spaces"))
    assert {b"ug", b"hu"} <= set(encoder.tokens)
    found = compare(encoder, "hug hug thug t")
    assert found.merged.tokens == (
        b"h",
        b"ug",
        b" ",
        b"h",
        b"ug",
        b" ",
        b"t",
        b"h",
        b"ug",
        b" ",
        b"t",
    )
    assert found.longest.tokens == (
        b"hu",
        b"g",
        b" ",
        b"hu",
        b"g",
        b" ",
        b"t",
        b"hu",
        b"g",
        b" ",
        b"t",
    )
    assert found.parted == (True, False, True, False, True, False, False)
    assert found.merged_differs.tolist() == [True, True, False] * 2 + [True] * 3 + [False] * 2
    assert found.longest_differs.tolist() == found.merged_differs.tolist()


def brute(encoder: Encoder, piece: bytes) -> list[bytes]:
    """Take the longest that fits, by trying all tokens."""
    found = []
    while piece:
        best = max((each for each in encoder.tokens if piece.startswith(each)), key=len)
        found.append(best)
        piece = piece[len(best) :]
    return found


def test_the_wrong_way_takes_the_longest_that_fits() -> None:
    source = random.Random(5)
    encoder = of_merges(schoolbook.learned("".join(source.choices("abc", k=90)), 30, split="none"))
    differing = 0
    for _ in range(30):
        text = "".join(source.choices("abcd", k=30))
        found = longest(encoder, text)
        assert list(found.tokens) == brute(encoder, text.encode())
        assert [encoder.tokens[each] for each in found.ids] == list(found.tokens)
        differing += found.tokens != encode(encoder, text).tokens
    assert differing  # else this says nothing of the wrong way


def test_of_characters_the_mark_counts() -> None:
    vocabulary = schoolbook.learned("abab ab", 1, units="characters", split="spaces")
    assert vocabulary.tokens[-1] == b"ab"
    assert vocabulary.ends[-1]
    found = longest(of_merges(vocabulary), "abab?")
    assert found.tokens == (b"a", b"b", b"a", b"b", b"?")
    assert found.ids.tolist()[-1] == UNKNOWN
    assert longest(of_merges(vocabulary), "ab").tokens == (b"ab",)


def test_nothing_is_compared_too() -> None:
    found = compare(of_merges(schoolbook.learned(TEXT, 5)), "")
    assert (found.parted, found.merged_differs.tolist()) == ((), [])
    assert np.array_equal(found.merged.ids, found.longest.ids)


def test_what_cannot_be_told_is_refused_in_one_sentence() -> None:
    encoder = of_merges(schoolbook.learned(TEXT, 5))
    for asked in (lambda encoder, text: trace(encoder, text, 0), compare):
        with pytest.raises(ValueError, match=r"^the text must have at most 2,000 .* got 2,001$"):
            asked(encoder, "a" * 2_001)
    for token in (-1, 261):
        with pytest.raises(ValueError, match=rf"^token must be from 0 to 260, .* got {token}$"):
            tree(encoder, token)


def test_the_longest_is_found_at_once_among_tokens_that_are_very_long() -> None:
    vocabulary = schoolbook.learned("a" * 4_096, 12, split="none")
    assert len(vocabulary.tokens[-1]) == 4_096
    began = time.process_time()
    found = longest(of_merges(vocabulary), "xyz" * 600 + "a" * 31)
    assert time.process_time() - began < 1  # by trying all lengths it took minutes
    assert [len(token) for token in found.tokens] == [1] * 1_800 + [16, 8, 4, 2, 1]
