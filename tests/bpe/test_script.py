"""The code that the page shows gives the page's own merges."""

import itertools
from pathlib import Path
from typing import Any

import pytest

from core.bpe import SPLITS, TIES, UNITS, Plan, texts
from core.bpe.history import grow
from core.bpe.script import script
from core.shared.turns import Patient

TEXT = "low lower newest aaa aaaa 12345 don't — 春眠不觉晓 春眠 \n\n\tdef f(x):  return x\n" * 3


def run(code: str) -> dict[str, Any]:
    names: dict[str, Any] = {"print": lambda *_: None}
    exec(compile(code, "script", "exec"), names)
    return names


@pytest.mark.parametrize(
    ("units", "split", "ties"),
    [
        each
        for each in itertools.product(UNITS, SPLITS, TIES)
        if each[0] == "bytes" or each[2] != "raw"
    ],
)
def test_the_code_gives_the_pages_merges(
    units: str, split: str, ties: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text(TEXT, encoding="utf-8")
    plan = Plan(text="own-" + "0" * 32, units=units, split=split, ties=ties, merges=60)
    ours = Patient(grow)(plan, TEXT).vocabulary.merges
    assert len(ours) > 20
    assert run(script(plan))["merges"] == list(ours)


@pytest.mark.parametrize("name", ["topics", "wikipedia", "sennrich"])
def test_the_code_reads_the_same_text(name: str) -> None:
    assert run(script(Plan(text=name, merges=0)))["text"] == texts.read(name)


def test_another_rule_of_ties_gives_other_merges() -> None:
    codes = [script(Plan(text="wikipedia", split="none", ties=ties)) for ties in TIES]
    assert len({tuple(run(code)["merges"]) for code in codes}) > 1
