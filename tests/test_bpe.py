"""BPE: what may be asked for, where a merge was done first, and that the lessons are true."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core.bpe import TIES, Plan, reading, texts
from core.bpe.asking import moment, parted, summary
from core.bpe.history import History, grow
from core.bpe.places import first_made
from core.shared.turns import Patient

SENNRICH = Plan(text="sennrich", units="characters", split="spaces", merges=10)


def grown(plan: Plan, text: str) -> History:
    return Patient(grow)(plan, text)


def names(plan: Plan) -> list[bytes]:
    """Give what merges make, by the moments of their history."""
    steps = summary(plan).steps
    return [
        made.left + made.right + b"</w>" * made.ends
        for step in range(1, steps + 1)
        if (made := moment(plan, step).made)
    ]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"units": "words"}, "units must be one of"),
        ({"split": "gpt9"}, "split must be one of"),
        ({"ties": "coin"}, "ties must be one of"),
        ({"merges": 30_001}, "merges must be a whole number from 0 to 30,000, got 30001"),
        ({"merges": True}, "merges must be a whole number"),
        ({"units": "characters", "ties": "raw"}, "ties must be another rule than 'raw'"),
    ],
)
def test_a_plan_refuses_what_it_cannot_be(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Plan(**wrong)


@pytest.mark.parametrize("split", ["none", "gpt2", "spaces"])
@pytest.mark.parametrize("units", ["bytes", "characters"])
def test_a_merge_was_done_first_where_the_text_first_has_its_token(split: str, units: str) -> None:
    text = "春眠不觉晓 aaa aaaa banana bandana " * 3 + "處處聞啼鳥 nab"
    plan = Plan(split=split, units=units, merges=60)
    history = grown(plan, text)
    for step in range(1, history.steps + 1):
        place = first_made(history, step)
        whole = np.concatenate([[0], np.cumsum(history.corpus.lengths[history.corpus.sequence])])
        corpus, made, found, byte = history.corpus, history.vocabulary.alphabet + step - 1, [], 0
        for piece in corpus.sequence.tolist():  # all of the text, in the tokens of this step
            begin = int(corpus.begins[piece])
            places = np.arange(begin, begin + int(corpus.lengths[piece]))
            for each in history.cut(places, step)[1].tolist():
                found += [byte] if each == made else []
                byte += len(history.vocabulary.tokens[each])
        assert byte == len(text.encode())
        assert whole[-1] == corpus.units
        assert place == found[0]
    assert first_made(history, 0) == 0


def test_the_textbooks_merges() -> None:
    wikipedia = Plan(text="wikipedia", split="none", merges=3)
    by_rule = {ties: names(replace(wikipedia, ties=ties)) for ties in TIES}
    assert by_rule["smaller"] == by_rule["raw"] == by_rule["shorter"] == [b"aa", b"ab", b"aaab"]
    assert by_rule["first"] == by_rule["lexicographic"] == [b"aa", b"aaa", b"aaab"]
    wanted = {
        "first": b"es est</w> lo low</w> ne new newest</w> wi wid widest</w>",
        "smaller": b"es est</w> lo ew new newest</w> low</w> dest</w> idest</w> widest</w>",
    }
    assert names(SENNRICH) == wanted["smaller"].split()
    first = names(replace(SENNRICH, ties="first"))
    assert sorted(first) == sorted(wanted["first"].split())
    assert names(replace(SENNRICH, ties="lexicographic"))[:2] == [b"st</w>", b"est</w>"]


def test_what_the_lessons_say_is_so() -> None:
    plan = Plan(text="wikipedia", split="none", merges=10)
    made = moment(plan, 1).made
    assert made is not None
    assert (made.left, made.right, made.counted, made.replaced) == (b"a", b"a", 4, 2)
    assert moment(plan, 1).ties == 2
    whole = summary(Plan())
    assert whole.tied > whole.steps / 2
    for ties in TIES:
        if ties != "smaller":
            last = parted(Plan(), ties).tokens[:, -1]
            assert abs(int(last[0]) - int(last[1])) < 0.001 * last.min()
    flat = Plan(split="none")
    third = moment(flat, 3).made
    assert third is not None
    assert third.left + third.right == b"e "
    assert any(b"Changed in version 3." in name for name in names(flat))
    tang = Plan(text="tang")
    tokens = [
        made.left + made.right for step in range(1, 1_001) if (made := moment(tang, step).made)
    ]
    assert all(len(token) == 2 for token in tokens[:2])
    broken = sum("\ufffd" in token.decode(errors="replace") for token in tokens)
    assert 200 <= broken <= 300
    found = reading.encoded(Plan(), 1_000, " lowest").compared
    assert found.merged.tokens == (b" ", b"low", b"est")
    assert found.longest.tokens == (b" lo", b"we", b"st")


def test_a_life_is_told_of_every_token() -> None:
    plan = SENNRICH
    last = summary(plan).alphabet + 9
    life = reading.life(plan, last)
    assert life.tree[0].token == b"widest"
    assert (life.birth.counted, life.uses, life.stood) == (3, 3, 3)
    est = summary(plan).alphabet + 1
    told = reading.life(plan, est)
    assert (told.uses, told.stood) == (0, 9)  # newest 6 times, widest 3 times
    assert {token for _, token, _ in told.heirs} == {b"newest", b"dest"}
    assert est in [each for each, _, _ in told.dead]
    with pytest.raises(ValueError, match="token must be from 0 to"):
        reading.life(plan, last + 1)


def test_ids_become_bytes_again_and_files_are_written() -> None:
    plan = Plan(text="wikipedia", split="none", merges=3)
    text = texts.read("wikipedia")
    ids = reading.encoded(plan, 3, text).compared.merged.ids
    assert reading.decoded(plan, tuple(ids.tolist())) == text.encode()
    assert reading.checked(plan).same
    assert b'["a", "a"]' in reading.exported(plan, "tokenizer.json")
    assert reading.exported(plan, "tiktoken").count(b"\n") == 259
    with pytest.raises(ValueError, match=r"kind must be 'tokenizer.json' or 'tiktoken', got 'x'"):
        reading.exported(plan, "x")


def test_a_sweep_learns_nothing_from_what_is_held_out() -> None:
    found = reading.swept(Plan(text="tang", merges=50), 64)
    assert found.merges[-1] == reading.MERGES
    assert found.rates[1, -1] < found.rates[0, -1]
    assert found.parameters[-1] == 64 * found.vocabulary[-1]
