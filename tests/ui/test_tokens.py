"""Blocks of tokens carry each byte of a text, and what is to be guessed they do not."""

import itertools
import json
import re
import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from core.bpe.results import Candidate, Window
from ui import blocks, tokens
from ui.blocks import Block
from ui.screen import JS, PARTS
from ui.tokens import LIT, STARTS, Branch, Row, Verdict

FORM = {"rows", "places", "classes", "groups", "panels", "numbers"}  # another one is built anew


def received(block: Block) -> tuple[Any, np.ndarray]:
    """Give a block's words and its numbers, sent behind another block's."""
    before = blocks.reading((np.ones((1, 2, 2)), np.ones(1)), ["a"], "t", "h", span=3)
    packet = blocks.pack({}, [before, block])
    (length,) = struct.unpack("<I", packet[:4])
    words = json.loads(packet[4 : 4 + length])["blocks"][1]
    return words, np.frombuffer(packet[4 + length :], "<f4")[words["offset"] :]


def window(*parts: bytes, first: int = 7) -> Window:
    size = sum(map(len, parts))
    ids = [sum(part) % 5 for part in parts]
    return Window(
        first=first,
        last=first + size,
        size=first + size + 3,
        tokens=parts,
        ends=np.array([number == 1 for number in ids], bool),
        ids=np.array(ids, np.int64),
        lit=np.array([number == 2 for number in ids], bool),
        starts=np.array([k % 3 == 0 for k in range(len(parts))], bool),
    )


def read(block: Block) -> Window:
    """Read a window as ui/js/tokens.js does: each token's place among those known, place, bits."""
    words, numbers = received(block)
    order, begins, flags = numbers[: 3 * words["count"]].reshape(3, -1).astype(int)
    known = [words["known"][place] for place in order]
    parts = tuple(text.encode("utf-8", "surrogateescape") for text, _, _ in known)
    ends = np.cumsum([len(part) for part in parts], dtype=int)
    assert begins.tolist() == [0, *ends.tolist()][: len(parts)]
    return Window(
        first=words["first"],
        last=words["last"],
        size=words["size"],
        tokens=parts,
        ends=np.array([end for _, _, end in known], bool),
        ids=np.array([number for _, number, _ in known], np.int64),
        lit=flags & LIT > 0,
        starts=flags & STARTS > 0,
    )


def same(one: Window, other: Window) -> bool:
    facts = "first", "last", "size", "tokens"
    rows = "ends", "ids", "lit", "starts"
    return all(getattr(one, name) == getattr(other, name) for name in facts) and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in rows
    )


@given(parts=some.lists(some.binary(min_size=1, max_size=5), max_size=12))
def test_each_token_of_a_window_arrives_byte_for_byte_at_its_place(parts: list[bytes]) -> None:
    given_ = window(*parts)
    assert same(read(tokens.tokenised(given_, title="t")), given_)


def test_that_oracle_rejects_another_byte_another_order_and_another_mark() -> None:
    given_ = window(b"\xe4\xb8", b"\xad", b" a")
    found = read(tokens.tokenised(given_, title="t"))
    assert same(found, given_)
    for wrong in (
        replace(given_, tokens=(b"\xe4\xb8", b"\xae", b" a")),
        replace(given_, tokens=(b"\xad", b"\xe4\xb8", b" a")),
        replace(given_, lit=~given_.lit),
        replace(given_, starts=~given_.starts),
        replace(given_, ids=given_.ids + 1),
    ):
        assert not same(found, wrong)


@given(
    text=some.text(some.characters(codec="utf-8"), max_size=20),
    cuts=some.sets(some.integers(1, 70)),
)
def test_the_bytes_of_a_split_character_make_it_again(text: str, cuts: set[int]) -> None:
    whole = text.encode()
    edges = [0, *sorted(cut for cut in cuts if cut < len(whole)), len(whole)]
    parts = [whole[a:b] for a, b in itertools.pairwise(edges) if a < b]
    found = read(tokens.tokenised(tokens.running(parts, [0] * len(parts)), title="t"))
    assert b"".join(found.tokens).decode() == text


def test_the_same_token_is_sent_once() -> None:
    words, _ = received(tokens.tokenised(tokens.running([b"ab", b"c"] * 9, [4, 5] * 9), title="t"))
    assert words["known"] == [["ab", 4, False], ["c", 5, False]]
    assert words["alt"].startswith("t: 18 tokens")


def test_a_window_of_a_short_text_is_all_of_it() -> None:
    found = tokens.running([b"a", "é"], [1, 2], lit=[False, True])
    assert (found.first, found.last, found.size, found.tokens) == (0, 3, 3, (b"a", b"\xc3\xa9"))
    assert found.lit.tolist() == [False, True]
    assert not found.starts.any()
    empty = received(tokens.tokenised(tokens.running([], []), title="t"))[0]
    assert (empty["count"], empty["last"]) == (0, 0)


def test_a_token_is_spelt_so_that_all_of_it_is_seen() -> None:
    assert tokens.spelt(b" a\n\xe4\xb8") == "·a⏎E4B8"
    assert tokens.spelt("中", ends=True) == "中</w>"
    for sign, seen in tokens.SIGNS.items():
        assert tokens.spelt(sign) == seen
        assert seen in script("tokens")


def candidates(*counts: int) -> list[Candidate]:
    pairs = [(b"t", b"h"), (b"\xe4", b"\xb8"), (b"a", b"b"), (b" ", b"x")]
    return [
        Candidate(
            left=left,
            right=right,
            ends=False,
            ids=(left[0], right[0]),
            count=count,
            tied=count == max(counts),
            chosen=k == counts.index(max(counts)),
        )
        for k, ((left, right), count) in enumerate(zip(pairs, counts, strict=False))
    ]


def test_pairs_have_their_counts_and_bars_as_long_as_these() -> None:
    words, _ = received(tokens.pairs(candidates(2000, 2000, 500), title="t", guess=(97, 98)))
    assert [each["count"] for each in words["pairs"]] == ["2,000", "2,000", "500"]
    assert [each["share"] for each in words["pairs"]] == [1, 1, 0.25]
    assert [each["tied"] for each in words["pairs"]] == [True, True, False]
    assert [each["chosen"] for each in words["pairs"]] == [True, False, False]
    assert words["pairs"][1]["made"] == b"\xe4\xb8".decode("utf-8", "surrogateescape")
    assert words["guess"] == [97, 98]


def test_what_is_to_be_guessed_is_told_by_nothing_that_is_sent() -> None:
    """Whatever the counts are, the same pairs make the same packet."""
    packets = [
        blocks.pack({}, [tokens.pairs(sorted_, title="t", hidden=True)])
        for counts in itertools.permutations((9, 7, 7, 3))
        for sorted_ in [sorted(candidates(*counts), key=lambda each: -each.count)]
    ]
    assert len(set(packets)) == 1
    openly = [tokens.pairs(candidates(*counts), title="t") for counts in ((9, 7), (7, 9))]
    assert len({blocks.pack({}, [each]) for each in openly}) == 2  # or this would tell nothing


def test_no_pair_is_no_block_without_words() -> None:
    words, _ = received(tokens.pairs([], title="t"))
    assert words["pairs"] == []
    assert words["slots"] == tokens.PLACES


ABC = Branch(
    token=b"abc",
    id=9,
    rank=2,
    parts=(
        Branch(
            token=b"ab",
            id=8,
            rank=1,
            parts=(Branch(token=b"a", id=1), Branch(token=b"b", id=2)),
        ),
        Branch(token=b"c", id=3, ends=True),
    ),
)


def rebuilt(told: list[Any], place: int) -> Branch:
    text, ends, number, rank, left, right = told[place]
    parts = None if left < 0 else (rebuilt(told, left), rebuilt(told, right))
    return Branch(
        token=text.encode("utf-8", "surrogateescape"), id=number, ends=ends, rank=rank, parts=parts
    )


def test_a_tree_is_told_parts_first_and_can_be_built_again() -> None:
    told = received(tokens.tree(ABC, title="t"))[0]["branches"]
    assert rebuilt(told, len(told) - 1) == ABC
    assert [text for text, *_ in told if text in "abc" and len(text) == 1] == ["a", "b", "c"]
    for place, (*_, left, right) in enumerate(told):
        assert max(left, right) < place
    told[2][4:] = told[2][:3:-1]  # left and right change places
    assert rebuilt(told, len(told) - 1) != ABC
    assert received(tokens.tree(None, title="t"))[0]["branches"] == []


def test_a_row_of_an_encoding_has_its_merge() -> None:
    rows = [
        Row(tokens=[b"a", b"b", b"c"], ids=[1, 2, 3], merged=[0], rank=1),
        Row(tokens=[b"ab", b"c"], ids=[8, 3], ends=[False, True], made=[0]),
    ]
    first, second = received(tokens.trace(rows, title="t", at=1))[0]["segments"]
    assert first["tokens"] == [["a", 1, False], ["b", 2, False], ["c", 3, False]]
    assert (first["merged"], first["rank"], first["made"]) == ([0], 1, [])
    assert second["tokens"] == [["ab", 8, False], ["c", 3, True]]
    assert (second["merged"], second["rank"], second["made"]) == ([], None, [0])


def test_tokenizers_are_compared_in_words() -> None:
    verdicts = [
        Verdict(name="own", size=300, count=1234, rate=4.0, tokens=[b"a\xcc"], ids=[1], own=True),
        Verdict(name="words", rate=2.0, unknown=0.25, tokens=["<unk>"], ids=[0], strange=[0]),
        Verdict(name="some", unknown=0.0004),
        Verdict(name="all", unknown=0.0),
    ]
    told = received(tokens.versus(verdicts, title="t"))[0]["verdicts"]
    assert [each["unknown"] for each in told] == ["none", "25.0 %", "< 0.1 %", "0 %"]
    assert [each["share"] for each in told] == [1, 0.5, 0, 0]
    assert [each["count"] for each in told] == ["1,234", "–", "–", "–"]
    assert [each["rate"] for each in told] == ["4.00", "2.00", "–", "–"]
    assert [each["loose"] for each in told] == [False, True, False, False]
    assert told[0]["tokens"] == [["a\udccc", 1, False]]
    assert told[1]["strange"] == [0]


EVERY = (
    tokens.reel("step", "Merges done", 3, 9, stops=[(0, "none")]),
    tokens.tokenised(window(b"a"), title="t"),
    tokens.pairs(candidates(3, 2), title="t"),
    tokens.trace([Row(tokens=[b"a"], ids=[1])], title="t"),
    tokens.tree(ABC, title="t"),
    tokens.versus([Verdict(name="own")], title="t"),
)


@pytest.mark.parametrize("block", EVERY, ids=lambda block: block.words["kind"])
def test_a_block_is_painted_by_one_kind_and_keeps_its_form(block: Block) -> None:
    """What has another form the browser builds anew, and with it all other blocks."""
    owners = [
        name
        for name in PARTS
        if re.search(rf"^  {block.words['kind']}: {{$", script(name), re.MULTILINE)
    ]
    assert owners == ["tokens"]
    assert not FORM & set(block.words)


def test_the_browser_reads_the_same_bits_and_form() -> None:
    assert f"const LIT = {LIT}, STARTS = {STARTS}, " in script("tokens")
    form = re.search(r"^const rows = .*\n(const shape = .*)$", script("screen"), re.MULTILINE)
    assert form
    assert set(re.findall(r"block\.(\w+)", form[0])) >= FORM


def script(name: str) -> str:
    return (JS / f"{name}.js").read_text(encoding="utf-8")
