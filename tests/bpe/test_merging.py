"""Merges are those of a naive recount and of each library, ties and overlaps included."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from tokenizers import pre_tokenizers

from core.bpe import SPLITS, TIES, Plan, merging, texts
from core.bpe import queue as queues
from core.bpe.corpus import mapped
from core.bpe.counting import count
from core.bpe.splitting import pieces
from tests.bpe.grown import grow, grown_by, pairs
from tests.bpe.naive import drawn, naive, words_of
from tests.bpe.peers import (
    by_minbpe,
    by_rustbpe,
    by_subword_nmt,
    by_tokenizers,
    bytes_of_characters,
)

RULES = [
    (ties, units)
    for ties in TIES
    for units in ("bytes", "characters")
    if (ties, units) != ("raw", "characters")
]
REAL = {"python": 60_000, "tang": 12_000, "topics": 60_000}  # characters of each


def agrees(text: str, plan: Plan) -> None:
    """Compare all that is noted of merges with a naive recount."""
    grown = grown_by(plan, text)
    steps = naive(words_of(text, plan, pieces(text, plan.split)), plan)
    assert pairs(grown) == [step.pair for step in steps if step.pair][: plan.merges]
    done = steps[: grown.steps]
    assert grown.counted.tolist() == [step.counts[step.pair] for step in done if step.pair]
    assert grown.replaced.tolist() == [step.replaced for step in done]
    assert grown.ties.tolist() == [step.ties for step in done]
    assert grown.tokens.tolist() == [sum(map(len, step.pieces)) for step in steps]


@pytest.mark.parametrize(("ties", "units"), RULES)
@pytest.mark.parametrize("split", ["none", "spaces"])
def test_merges_counts_and_ties_are_those_of_a_naive_recount(
    ties: str, units: str, split: str
) -> None:
    for seed in range(8):
        text = drawn(seed, "ab" if seed % 2 else "abc")
        agrees(text, Plan(units=units, split=split, ties=ties))


@given(
    rule=some.sampled_from([rule for rule in RULES if rule[0] != "shorter"]),
    split=some.sampled_from([*SPLITS]),
    text=some.text(max_size=30) | some.text(some.sampled_from("ab é漢\n'1😀"), max_size=30),
)
@settings(derandomize=True, deadline=None, max_examples=300)
def test_so_are_those_of_any_text(rule: tuple[str, str], split: str, text: str) -> None:
    agrees(text, Plan(ties=rule[0], units=rule[1], split=split))


@pytest.mark.parametrize(("ties", "units"), RULES)
def test_so_are_those_of_runs_of_one_letter(ties: str, units: str) -> None:
    for length in (1, 2, 3, 4, 5, 7, 8, 12, 19):
        agrees("a" * length, Plan(units=units, split="none", ties=ties))


@pytest.mark.parametrize("split", [*SPLITS])
@pytest.mark.parametrize("letters", ["ab", "abc", "aé 1'\n"])
def test_bytes_merge_as_in_tokenizers(split: str, letters: str) -> None:
    for seed in range(8):
        text = drawn(seed, letters, 30)
        assert pairs(grow(text, split=split)) == by_tokenizers(
            text, units="bytes", split=split, merges=1_000
        )


@pytest.mark.parametrize(("name", "characters"), REAL.items())
def test_a_real_text_merges_as_in_tokenizers(name: str, characters: int) -> None:
    text = texts.read(name)[:characters]
    for split_by in ("gpt2", "gpt4"):
        ours = pairs(grow(text, split=split_by, merges=1_500))
        assert ours == by_tokenizers(text, units="bytes", split=split_by, merges=1_500)


def test_characters_merge_as_in_tokenizers_where_it_has_an_order_of_its_marked_ones() -> None:
    """It numbers these in an order that changes from run to run: here all words end alike."""
    for seed in range(12):
        text = " ".join(word + "c" for word in drawn(seed, "abc", 30).split())
        ours = pairs(grow(text, units="characters", split="spaces"))
        assert ours == by_tokenizers(text, units="characters", split="spaces", merges=1_000)


@pytest.mark.parametrize("split", [*SPLITS])
def test_raw_bytes_merge_as_in_rustbpe(split: str) -> None:
    for seed in range(8):
        text = drawn(seed, "abé 1'\n", 30)
        grown = grow(text, split=split, ties="raw")
        assert [*grown.vocabulary.tokens[256:]] == by_rustbpe(text, split=split, merges=1_000)


@pytest.mark.parametrize(("name", "characters"), REAL.items())
def test_a_real_text_merges_as_in_rustbpe(name: str, characters: int) -> None:
    text = texts.read(name)[:characters]
    grown = grow(text, split="gpt4", ties="raw", merges=1_500)
    assert [*grown.vocabulary.tokens[256:]] == by_rustbpe(text, split="gpt4", merges=1_500)


def test_words_merge_as_in_subword_nmt() -> None:
    for seed in range(8):
        text = drawn(seed, "abé<", 30)
        ours = pairs(grow(text, units="characters", split="spaces", ties="lexicographic"))
        assert ours == by_subword_nmt(text, 1_000)


def test_a_real_text_merges_as_in_subword_nmt() -> None:
    text = " ".join(texts.read("topics")[:40_000].split())
    plan = {"units": "characters", "split": "spaces", "ties": "lexicographic", "merges": 800}
    assert pairs(grow(text, **plan)) == by_subword_nmt(text, 800)


@pytest.mark.parametrize("split", [*SPLITS])
def test_the_first_met_merge_as_in_minbpe(split: str) -> None:
    for seed in range(10):
        text = drawn(seed, "abé 1'\n", 20)
        ours = pairs(grow(text, split=split, ties="first"))
        assert ours == by_minbpe(text, split_by=split, merges=1_000)


def test_a_real_text_merges_as_in_minbpe() -> None:
    text = texts.read("python")[:10_000]
    ours = pairs(grow(text, split="gpt4", ties="first", merges=150))
    assert ours == by_minbpe(text, split_by="gpt4", merges=150)


def merged(text: str, merges: int, **plan: object) -> list[str]:
    found = pairs(grow(text, merges=merges, **plan))
    return [(left + right).decode() for left, right in found]


def test_the_textbook_cases_come_out_as_each_peer_has_them() -> None:
    """Each was seen in the peers themselves."""
    wikipedia, rules = "aaabdaaabac", ("smaller", "raw", "shorter", "first", "lexicographic")
    found = {ties: merged(wikipedia, 3, split="none", ties=ties) for ties in rules}
    assert found["smaller"] == found["raw"] == found["shorter"] == ["aa", "ab", "aaab"]
    assert found["first"] == found["lexicographic"] == ["aa", "aaa", "aaab"]
    doubles = "zz yy xx aa"
    for ties, wanted in (("first", "zz yy xx"), ("smaller", "aa xx yy"), ("shorter", "aa xx yy")):
        assert merged(doubles, 3, split="spaces", ties=ties) == wanted.split()
    marked = merged(doubles, 1, units="characters", split="spaces", ties="lexicographic")
    assert marked == ["zz</w>"]


def test_sennrichs_words_merge_as_each_peer_has_them() -> None:
    text = texts.read("sennrich")
    first = "es est lo low ne new newest wi wid widest"
    smaller = "es est lo low ew new newest dest idest widest"
    assert merged(text, 10, split="spaces", ties="first") == first.split()
    assert merged(text, 10, split="spaces", ties="smaller") == smaller.split()
    marked = merged(text, 2, units="characters", split="spaces", ties="lexicographic")
    assert marked == ["st</w>", "est</w>"]


def test_the_shorter_first_merge_as_in_sentencepiece() -> None:
    """Seen in sentencepiece 0.2.1, whose mark of a word's beginning is written ~ here."""
    text = "bbbcac cabcb accc aa cab a a b bb aaaacb babcb bcccbcc bccc bcabc cbbabbc cacbbc"
    seen = (
        "bc ~a cc ~b ~c ac abc bbc ~bc ~aa abcb ~bccc ab ba aac bba bcc ccc ~bb aacb ~cab ~cac "
        "bbcac ~accc ~cbba ~babcb ~bcabc ~cabcb ~aaaacb ~bbbcac ~cacbbc ~bcccbcc ~cbbabbc"
    )
    words = " ".join("~" + word for word in text.split())
    assert merged(words, 1_000, split="spaces", ties="shorter") == seen.split()


def test_one_word_has_four_different_answers() -> None:
    text = "DCBBABCDCBABCD"
    answers = {
        "first": pairs(grow(text, split="none", ties="first")),
        "smaller": pairs(grow(text, split="none")),
        "lexicographic": pairs(grow(text, split="none", ties="lexicographic")),
        "shorter": pairs(grow(text, split="none", ties="shorter")),
    }
    assert len({tuple(answer) for answer in answers.values()}) == 4


# Wrong engines, and who notices.


def larger_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        merging, "order_of", lambda ties, grown, key_of, size: lambda pair: -key_of(pair)
    )


def no_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "order_of", lambda ties, grown, key_of, size: lambda pair: 0)


def bytes_by_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.bpe.corpus.mapped", lambda: list(range(256)))


def overlaps_count_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of one letter are counted as often as they can be replaced."""

    def fewer(corpus, size):  # type: ignore[no-untyped-def]
        pairs = yield from count(corpus, size)
        own = pairs.keys // size == pairs.keys % size
        return replace(pairs, counts=pairs.counts - own * (pairs.counts // 2))

    monkeypatch.setattr(merging, "count", fewer)


def first_places_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a pair was first when it arose is taken for where it is first."""
    monkeypatch.setattr(merging.Merging, "first", lambda self, pair: int(self.places_of(pair)[0]))


def from_the_right(monkeypatch: pytest.MonkeyPatch) -> None:
    replace = merging.Merging.replace

    def backwards(self, places, *rest):  # type: ignore[no-untyped-def]
        return replace(self, places[::-1], *rest)

    monkeypatch.setattr(merging.Merging, "replace", backwards)


def stale_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pair whose count fell is merged as if it had not."""

    def stale(self: queues.Queue) -> int | None:
        while not self._level:
            if not self.buckets.order:
                return None
            self.best, waiting = self.buckets.highest()
            self._level = [(self._order(pair), pair) for pair in waiting]
            self._level.sort()
        return self._level.pop(0)[1]

    monkeypatch.setattr(queues.Queue, "next", stale)


MUTANTS: dict[Callable[[pytest.MonkeyPatch], None], Callable[[], None]] = {
    larger_pair: lambda: test_bytes_merge_as_in_tokenizers("spaces", "abc"),
    no_order: lambda: test_words_merge_as_in_subword_nmt(),
    bytes_by_value: lambda: test_a_real_text_merges_as_in_tokenizers("python", 60_000),
    overlaps_count_once: lambda: test_the_first_met_merge_as_in_minbpe("none"),
    first_places_stay: lambda: test_the_first_met_merge_as_in_minbpe("spaces"),
    from_the_right: lambda: test_raw_bytes_merge_as_in_rustbpe("none"),
    stale_counts: lambda: test_merges_counts_and_ties_are_those_of_a_naive_recount(
        "smaller", "bytes", "spaces"
    ),
}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_that_the_oracles_reject_a_wrong_engine(
    mutant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant(monkeypatch)
    with pytest.raises((AssertionError, IndexError, KeyError)):
        MUTANTS[mutant]()


def test_the_order_of_bytes_is_that_of_tokenizers_alphabet() -> None:
    shuffled = pre_tokenizers.ByteLevel.alphabet()
    random.Random(0).shuffle(shuffled)
    value = bytes_of_characters()
    assert [value[each] for each in sorted(shuffled)] == mapped()


def test_tokens_that_grow_by_one_at_each_merge_do_not_fill_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = "".join(map(chr, range(0x4E00, 0x4E00 + 300))) * 2
    asked = {"units": "characters", "split": "none", "ties": "first"}
    whole = grow(text, merges=1_000, **asked)
    assert len(whole.vocabulary.tokens[whole.vocabulary.alphabet + 298]) == 900
    monkeypatch.setattr(merging, "LARGEST", 50_000)
    with pytest.raises(
        ValueError, match=r"^merges must be at most \d+ here, .* got 1,000$"
    ) as told:
        grow(text, merges=1_000, **asked)
    most = int(str(told.value).split()[5])
    assert grow(text, merges=most, **asked).steps == most
    assert sum(map(len, whole.vocabulary.tokens[: whole.vocabulary.alphabet + most])) <= 50_000
    with pytest.raises(ValueError, match=r"^merges must be"):
        grow(text, merges=most + 1, **asked)
