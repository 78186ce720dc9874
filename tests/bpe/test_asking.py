"""What is asked of a plan is told, of a text without pairs too, and in turns."""

import gc
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.bpe import SPLITS, TIES, UNITS, Plan, asking, merging, queue
from core.bpe import history as histories
from core.bpe.asking import moment, parted, summary
from core.bpe.history import grow
from core.shared import own_texts as own
from core.shared.progress import Done
from core.shared.turns import WAITING
from tests.bpe.grown import grown_by

WIKIPEDIA = Plan(text="wikipedia", split="none")


def test_a_moment_tells_of_its_merge_and_of_the_next() -> None:
    there = moment(WIKIPEDIA, 1)
    assert (there.step, there.steps, there.tokens, there.vocabulary) == (1, 7, 9, 257)
    made = there.made
    assert made is not None
    assert (made.number, made.left, made.right, made.ends) == (1, b"a", b"a", False)
    assert (made.id, made.counted, made.replaced, made.ties) == (256, 4, 2, 1)
    told = [(each.left, each.right, each.count, each.tied, each.chosen) for each in there.best]
    assert told[:2] == [(b"a", b"b", 2, True, True), (b"aa", b"a", 2, True, False)]
    assert not any(tied or chosen for _, _, _, tied, chosen in told[2:])
    assert there.best[1].ids == (256, 64)
    assert there.ties == 2
    assert b"|".join(there.window.tokens) == b"aa|a|b|d|aa|a|b|a|c"
    assert there.window.lit.tolist() == [True, *[False] * 3, True, *[False] * 4]


def test_what_is_chosen_is_what_the_next_merge_takes() -> None:
    plan = Plan(text="sennrich", units="characters", split="spaces", ties="lexicographic")
    for step in range(moment(plan, 0).steps):
        chosen, made = moment(plan, step).best[0], moment(plan, step + 1).made
        assert made is not None
        assert (chosen.left, chosen.right, chosen.ends) == (made.left, made.right, made.ends)
        assert (chosen.count, moment(plan, step).ties) == (made.counted, made.ties)


def test_before_the_first_merge_nothing_is_lit_and_at_the_end_nothing_is_left() -> None:
    first, last = moment(WIKIPEDIA, 0), moment(WIKIPEDIA, 1_000)
    assert (first.made, first.tokens, first.vocabulary) == (None, 11, 256)
    assert not first.window.lit.any()
    assert (last.step, last.tokens, last.best, last.ties) == (7, 1, (), 0)
    assert last.window.tokens == (b"aaabdaaabac",)


def test_a_summary_tells_what_a_history_comes_to() -> None:
    told = summary(Plan(text="sennrich", split="spaces"))
    assert (told.characters, told.size, told.pieces, told.different) == (94, 94, 31, 5)
    assert told.alphabet == 256
    assert told.at.tolist() == [*range(told.steps + 1)]
    assert told.tokens[[0, 1, -1]].tolist() == [94, 85, 31]
    assert np.isnan(told.counted[0])
    assert told.counted[1:4].tolist() == [9, 9, 7]
    ties = [moment(Plan(text="sennrich", split="spaces"), k).ties for k in range(told.steps)]
    assert (told.tied, told.first_tied) == (sum(tie > 1 for tie in ties), 1)


def test_a_summary_of_many_merges_has_few_points() -> None:
    told = summary(Plan(text="tang", merges=1_500))
    assert len(told.at) == len(told.tokens) == len(told.counted) == 500
    assert (told.at[0], told.at[-1]) == (0, told.steps)
    assert (np.diff(told.tokens) < 0).all()
    assert (np.diff(told.counted[1:]) <= 0).all()


@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("text", ["", "x", "漢", " ", "     ", "\n\t \n", "ab", "\U0001f600" * 3])
def test_of_any_text_all_can_be_told(
    text: str, split: str, units: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.bpe.texts.read", lambda name: text)
    monkeypatch.setattr(asking, "history", lambda plan: grow(plan, text))
    plan = Plan(text="own", units=units, split=split)
    told = summary(plan)
    assert (told.characters, told.size) == (len(text), len(text.encode()))
    for step in range(told.steps + 2):
        there = moment(plan, step, 3)
        assert there.tokens == told.tokens[min(step, told.steps)]
        assert b"".join(there.window.tokens) == text.encode()[there.window.first :]
    assert b"".join(moment(plan, 9).window.tokens) == text.encode()
    assert parted(plan, "first").alphabet == told.alphabet


def test_half_a_surrogate_pair_is_no_text() -> None:
    with pytest.raises(ValueError, match=r"text must be whole characters, got .* '\\ud83d', at 2"):
        grown_by(Plan(), "ab\ud83d")


@pytest.mark.parametrize(
    ("step", "place", "message"),
    [
        (-1, 0, "step must be a whole number from 0 on, got -1"),
        (0, -5, "place must be a whole number from 0 on, got -5"),
    ],
)
def test_nothing_is_before_the_beginning(step: int, place: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        moment(WIKIPEDIA, step, place)


def test_what_is_told_of_ones_own_text_travels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own, "folder", lambda: tmp_path)
    name = own.keep(own.folder(), b"Ein eigener Text, ganz kurz. " * 2_000, 1)
    for told in (summary(Plan(text=name)), moment(Plan(text=name), 20, 30_000)):
        assert len(pickle.dumps(told)) < 40_000


def test_learning_says_how_far_it_is_and_gives_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "TURN", 0.0)
    monkeypatch.setattr(merging, "PART", 500)
    work = grow(Plan(text="tang", split="none", merges=300), "aab " * 1_000 + "abb " * 500)
    told = [given for given in work if isinstance(given, Done)]
    assert all(given.of == 300 and given.unit == "merges" for given in told)
    done = [given.done for given in told]
    assert done == sorted(done)
    assert done.count(0) > 2, "a long merge is several turns"
    assert {*range(3)} <= {*done}


def test_between_turns_cycles_are_looked_for_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "TURN", 0.0)
    looked, during = [], []
    replace = merging.Merging.replace

    def seen(self: merging.Merging, *rest: Any) -> int:
        during.append(gc.isenabled())
        return replace(self, *rest)

    monkeypatch.setattr(merging.Merging, "replace", seen)
    work = grow(Plan(text="wikipedia"), "aaab ab abb" * 20)
    for _ in range(20):
        next(work)
        looked.append(gc.isenabled())
    work.close()
    assert during
    assert not any(during)
    assert all(looked)
    assert gc.isenabled()


def test_turns_do_not_change_what_is_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    plan, text = Plan(text="own", split="none"), "aaab" * 300 + "a" * 77
    whole = grown_by(plan, text)
    monkeypatch.setattr(merging, "TURN", 0.0)
    monkeypatch.setattr(merging, "PART", 10)
    monkeypatch.setattr(queue, "PART", 1)
    parts = grown_by(plan, text)
    assert parts.vocabulary == whole.vocabulary
    assert (parts.gone == whole.gone).all()
    assert (parts.replaced == whole.replaced).all()


def test_of_large_texts_one_is_learned_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histories, "LARGE", 10)
    first = histories.history(Plan(text="tang", merges=37))
    second = histories.history(Plan(text="tang", merges=38))
    assert next(first) is not WAITING
    assert next(second) is WAITING
    first.close()
    assert next(second) is not WAITING
    small = histories.history(Plan(text="wikipedia", merges=5))
    monkeypatch.setattr(histories, "LARGE", 1_000_000)
    assert next(small) is not WAITING
    second.close()


def test_nobody_can_change_a_history() -> None:
    grown = grown_by(Plan(text="wikipedia"), "aaab")
    with pytest.raises(ValueError, match="read-only"):
        grown.gone[0] = 1


def test_two_rules_are_learned_under_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "TURN", 0.0)
    plan = Plan(text="tang", merges=41)
    titles = {given.title for given in parted.in_turns(plan, "first") if isinstance(given, Done)}
    assert titles == {TIES["smaller"], TIES["first"]}
    with pytest.raises(ValueError, match=r"ties must be one of .* got 'coin'"):
        parted(plan, "coin")
