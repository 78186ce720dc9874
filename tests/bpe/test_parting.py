"""Where two rules part is where their merges do, and what is common is what both have."""

import numpy as np
import pytest

from core.bpe import parting
from core.bpe.parting import compare
from tests.bpe.grown import grow, pairs
from tests.bpe.naive import drawn


def test_wikipedias_example_parts_at_its_second_merge() -> None:
    found = compare(
        grow("aaabdaaabac", split="none"), grow("aaabdaaabac", split="none", ties="first")
    )
    assert (found.rules, found.number) == (("smaller", "first"), 2)
    one, other = found.merges
    assert one is not None
    assert other is not None
    assert (one.left, one.right) == (b"a", b"b")
    assert (other.left, other.right) == (b"aa", b"a")
    assert one.ties == other.ties == 2
    assert found.at.tolist() == [1, 2, 3, 4, 6, 7]
    assert found.common[:3].tolist() == [1, 1, 2]  # aa; then aaab too
    assert found.tokens[:, :3].tolist() == [[9, 7, 5], [9, 7, 5]]
    assert (found.own[0][0].token, found.own[0][0].number) == (b"ab", 2)
    assert (found.own[1][0].token, found.own[1][0].number) == (b"aaa", 2)


def agrees(seed: int, units: str) -> None:
    text = drawn(seed, "abc", 30)
    one = grow(text, units=units, split="spaces", merges=25)
    other = grow(text, units=units, split="spaces", merges=25, ties="lexicographic")
    found = compare(one, other)
    first, second = pairs(one), pairs(other)
    same = [left == right for left, right in zip(first, second, strict=True)]
    assert found.number == (same.index(False) + 1 if not all(same) else 0)
    made = [[left + right for left, right in each] for each in (first, second)]
    for place, step in enumerate(found.at.tolist()):
        assert found.common[place] == len(set(made[0][:step]) & set(made[1][:step]))
    own = [[token for token in made[0] if token not in made[1]]]
    own += [[token for token in made[1] if token not in made[0]]]
    mark = b"</w>"
    assert [[each.token + mark * each.ends for each in side] for side in found.own] == own
    assert (found.tokens == np.stack([one.tokens[found.at], other.tokens[found.at]])).all()


@pytest.mark.parametrize("units", ["bytes", "characters"])
def test_what_is_common_is_what_both_have(units: str) -> None:
    for seed in range(5):
        agrees(seed, units)


def test_that_oracle_rejects_names_without_the_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    names = parting._names
    monkeypatch.setattr(
        parting, "_names", lambda history: [(token, False) for token, _ in names(history)]
    )
    with pytest.raises(AssertionError):
        agrees(0, "characters")


def test_a_rule_does_not_part_from_itself() -> None:
    grown = grow("low lower newest widest", split="spaces")
    found = compare(grown, grown)
    assert (found.number, found.merges, found.own) == (0, (None, None), ((), ()))
    assert found.common.tolist() == found.at.tolist()


def test_rules_with_fewer_merges_part_after_the_last() -> None:
    more, fewer = grow("abcd", split="none"), grow("abcd", split="none", merges=2)
    found = compare(more, fewer)
    assert found.number == 3
    assert found.merges[0] is not None
    assert found.merges[1] is None


def test_of_a_text_without_pairs_nothing_parts() -> None:
    found = compare(grow("", split="none"), grow("", split="none", ties="first"))
    assert (found.number, found.at.tolist(), found.common.tolist()) == (0, [0], [0])
    assert found.tokens.tolist() == [[0], [0]]
