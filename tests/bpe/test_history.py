"""Any moment that is told from what was noted is as a naive recount has it."""

from itertools import accumulate

import numpy as np
import pytest

from core.bpe import Plan
from core.bpe.best import best
from core.bpe.history import History
from core.bpe.splitting import pieces
from core.bpe.windows import window
from tests.bpe.grown import grown_by
from tests.bpe.naive import MARK, Step, drawn, naive, words_of

PLANS = [
    Plan(units="bytes", split="spaces", ties="smaller"),
    Plan(units="bytes", split="none", ties="first"),
    Plan(units="bytes", split="gpt2", ties="shorter"),
    Plan(units="characters", split="none", ties="smaller", merges=20),
    Plan(units="characters", split="spaces", ties="first"),
    Plan(units="characters", split="spaces", ties="lexicographic"),
]
LETTERS = ["ab", "abc", "aé漢"]


def both(plan: Plan, seed: int, letters: str = "") -> tuple[History, list[Step]]:
    text = drawn(seed, letters or LETTERS[seed % 2])
    return grown_by(plan, text), naive(words_of(text, plan, pieces(text, plan.split)), plan)


def written(grown: History, token: int) -> bytes:
    """A token's bytes, the mark written out."""
    return grown.vocabulary.tokens[token] + (MARK if grown.vocabulary.ends[token] else b"")


def shown(grown: History, step: int, place: int, room: int) -> tuple[int, list[bytes], list[bool]]:
    """A window's first place, tokens with the mark, and which begin a piece."""
    part = window(grown, step, place, room)
    tokens = [
        token + (MARK if end else b"") for token, end in zip(part.tokens, part.ends, strict=True)
    ]
    assert [written(grown, each) for each in part.ids.tolist()] == tokens
    assert part.last == part.first + sum(map(len, part.tokens))
    made = part.ids == grown.vocabulary.alphabet + step - 1
    assert (part.lit == (made & (step > 0))).all()
    return part.first, tokens, part.starts.tolist()


def ranks(plan: Plan, seed: int) -> None:
    grown, steps = both(plan, seed)
    for step, there in enumerate(steps):
        pairs, counts, ties = best(grown, step, 10)
        names = [
            (written(grown, left), written(grown, right))
            for left, right in zip(
                grown.lefts[pairs].tolist(), grown.rights[pairs].tolist(), strict=True
            )
        ]
        assert names == there.ranked
        assert counts.tolist() == [there.counts[pair] for pair in there.ranked]
        assert ties == there.ties


@pytest.mark.parametrize("plan", PLANS, ids=str)
def test_the_best_ten_pairs_of_each_step_are_those_of_a_recount(plan: Plan) -> None:
    for seed in range(4):
        ranks(plan, seed)


@pytest.mark.parametrize("part", [1, 3, 7])
def test_the_first_met_are_found_in_parts_of_the_text(
    part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.bpe.best.PART", part)
    ranks(Plan(split="spaces", ties="first"), 0)


@pytest.mark.parametrize("plan", PLANS, ids=str)
@pytest.mark.parametrize("letters", LETTERS)
def test_the_whole_text_has_the_tokens_of_a_recount_at_each_step(plan: Plan, letters: str) -> None:
    grown, steps = both(plan, 3, letters)
    for step, there in enumerate(steps):
        first, tokens, starts = shown(grown, step, 0, 10_000)
        assert first == 0
        assert tokens == [token for piece in there.pieces for token in piece]
        assert starts == [not place for piece in there.pieces for place, _ in enumerate(piece)]
        assert not grown.tokens[step] - len(tokens)


def looks(plan: Plan, letters: str) -> None:
    grown, steps = both(plan, 4, letters)
    source = np.random.default_rng(0)
    for step in (0, 1, 5, len(steps) - 1):
        pieces = steps[step].pieces
        tokens = [token for piece in pieces for token in piece]
        begins = [not place for piece in pieces for place, _ in enumerate(piece)]
        ends = [*accumulate(len(token.removesuffix(MARK)) for token in tokens)]
        for place in source.integers(0, ends[-1] + 3, 25).tolist():
            room = int(source.integers(1, 20))
            first, seen, starts = shown(grown, step, place, room)
            place = min(place, ends[-1] - 1)
            at = sum(end <= place for end in ends)  # the token that has the byte
            assert first == (ends[at - 1] if at else 0)
            assert seen == tokens[at : at + len(seen)]
            assert starts == begins[at : at + len(seen)]
            units = [_units(token, plan) for token in seen]
            assert sum(units[:-1]) < room, "the last token alone may reach beyond"
            assert sum(units) >= room or at + len(seen) == len(tokens)


def _units(token: bytes, plan: Plan) -> int:
    content = token.removesuffix(MARK)
    return len(content if plan.units == "bytes" else content.decode())


@pytest.mark.parametrize("plan", PLANS, ids=str)
@pytest.mark.parametrize("letters", LETTERS)
def test_a_window_has_the_tokens_from_a_place_on(plan: Plan, letters: str) -> None:
    looks(plan, letters)


def test_that_the_recount_rejects_boundaries_of_the_next_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cut = History.cut
    monkeypatch.setattr(History, "cut", lambda self, places, step: cut(self, places, step + 1))
    with pytest.raises((AssertionError, IndexError)):
        looks(PLANS[0], "ab")


def test_that_the_recount_rejects_counts_that_never_fall(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(History, "counts", lambda self, step: self.births[: self.arisen[step]])
    with pytest.raises((AssertionError, IndexError)):
        ranks(PLANS[0], 0)


def test_that_the_recount_rejects_another_rules_order(monkeypatch: pytest.MonkeyPatch) -> None:
    def largest(ties: str, grown: object, key_of, size: int):  # type: ignore[no-untyped-def]
        return lambda pair: -key_of(pair)

    monkeypatch.setattr("core.bpe.best.order_of", largest)
    with pytest.raises(AssertionError):
        ranks(PLANS[0], 0)
