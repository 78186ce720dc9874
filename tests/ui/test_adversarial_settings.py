"""The attack panel's settings are what an attack takes, and its charts have round ticks."""

import numpy as np
import pytest

from core.adversarial import METHODS, Attack
from core.adversarial.defences import FILTERS
from ui import charts
from ui.panels.adversarial.settings import (
    CHOICES,
    KNOWN,
    MOST,
    SPARING,
    USUAL,
    budgets,
    epsilon_of,
    said,
    written,
)
from ui.panels.adversarial.wording import short, strength


@pytest.mark.parametrize("method", METHODS)
def test_each_usual_value_of_a_method_can_be_chosen_and_is_taken(method: str) -> None:
    heeded = [name for name in METHODS[method].heeds if name in CHOICES]
    usual = {name: USUAL.get(method, {}).get(name, getattr(Attack(), name)) for name in heeded}
    sparing = {name: min(value, SPARING.get(name, value)) for name, value in usual.items()}
    for given in (usual, sparing):
        for name, value in given.items():
            assert value in CHOICES[name][1], name
        assert Attack(method=method, **given).method == method
    for name in heeded:
        for value in CHOICES[name][1]:
            assert getattr(Attack(method=method, **{name: value}), name) == value


def test_a_step_size_of_nought_is_called_automatic() -> None:
    assert written("step_size", 0.0) == "automatic"
    assert written("step_size", 0.2) == "0.2"
    assert written("decay", 0.0) == "0"


@pytest.mark.parametrize(
    ("config", "length"),
    [
        (Attack(epsilon=0.2, steps=40), 0.0125),
        (Attack(epsilon=0.2, steps=1), 0.2),
        (Attack(epsilon=0.2, steps=2), 0.25),
        (Attack(epsilon=0.2, steps=40, step_size=0.3), 0.3),
        # 1,000 answers are 19 steps of 51, and 31 that are left over.
        (Attack(method="nes", epsilon=0.2, queries=1_000, population=50), 0.2 * 2.5 / 19),
        (Attack(method="nes", epsilon=0.2, queries=110, population=50), 0.2),  # 2 steps
        (Attack(method="nes", epsilon=0.2, queries=2), 0.2),  # none
    ],
)
def test_an_automatic_step_is_what_it_is_said_to_be(config: Attack, length: float) -> None:
    assert config.length == pytest.approx(length)


def test_all_that_the_settings_put_into_the_address_is_known_to_it() -> None:
    heeded = {name for method in METHODS.values() for name in method.heeds}
    assert {f"attack_{name}" for name in heeded} <= set(KNOWN)
    assert {"attack_method", "attack_norm", "attack_target", "attack_seed"} <= set(KNOWN)


@pytest.mark.parametrize(
    ("norm", "size", "text"),
    [
        ("linf", 8 / 255, "8/255"),
        ("linf", 0.1, "25.50/255"),
        ("l2", 1.23456, "1.23"),
        ("l0", 1.0, "1 pixel"),
        ("l0", 1234.0, "1,234 pixels"),
    ],
)
def test_a_distance_is_said_as_is_usual_in_its_norm(norm: str, size: float, text: str) -> None:
    assert said(norm, size) == text


def test_the_slider_goes_from_nothing_to_the_most_in_whole_steps() -> None:
    for norm, most in MOST.items():
        names = budgets(norm)
        assert len(names) == len(set(names)) == most + 1
        assert epsilon_of(norm, 0) == 0
        assert epsilon_of(norm, most + 7) == epsilon_of(norm, most)
        assert epsilon_of(norm, -3) == 0


def test_ticks_are_round_and_those_of_whole_numbers_whole() -> None:
    x = np.arange(3.0)
    words = charts.lines("t", "step", x, [("a", np.array([0.1, np.nan, 0.7]))]).words
    assert [text for _, text in words["stops"]] == ["0", "1", "2"]
    assert [text for _, text in words["ticks"]] == ["0.2", "0.4", "0.6"]
    assert words["alt"] == "t over step: a from 0.1 to 0.7"
    words = charts.lines("t", "ε", x / 10, [("a", x / 2)], share=True).words
    shares = [text for _, text in words["ticks"]]
    assert shares == ["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"]


def test_a_table_of_shares_holds_what_is_counted_and_of_how_many() -> None:
    counts, tried = np.array([[3, 1], [0, 2], [1, 0]]), np.array([[4, 3], [2, 4], [5, 5]])
    rows = [("A", "first"), ("B", "second"), ("noise", "any")]
    block = charts.shares("cell", "t", "n", rows, counts, tried, (0, 1))
    assert block.numbers.tolist() == [3, 1, 0, 2, 1, 0, 4, 3, 2, 4, 5, 5]
    assert (block.words["columns"], block.words["rows"]) == (2, rows)


def test_a_curve_without_a_single_value_is_still_drawn() -> None:
    block = charts.lines("t", "step", np.zeros(1), [("a", np.full(1, np.nan))])
    assert block.words["ticks"]
    assert block.words["alt"] == "t over step: a from – to –"


def test_a_bar_that_is_not_known_has_no_length() -> None:
    rows = [("No filter", "nothing", np.array([1.0, np.nan]))]
    words = charts.bars("t", ("a", "b"), rows).words
    assert words["rows"] == [("No filter", "nothing", [(1.0, "100.0 %"), (0.0, "–")])]
    assert words["mark"] is None
    assert charts.bars("t", ("a", "b"), rows, mark=0.25).words["mark"] == 0.25


@pytest.mark.parametrize("name", FILTERS)
def test_each_strength_of_a_filter_has_words_of_its_own(name: str) -> None:
    known = FILTERS[name]
    words = [strength(name, each) for each in known.strengths]
    assert len(set(words)) == len(words)
    assert known.usual in known.strengths
    assert all(len(short(name, each)) < 24 for each in known.strengths)


def test_a_strength_is_said_as_a_person_would() -> None:
    assert strength("depth", 1) == "1 bit"
    assert strength("resize", 0.2) == "20 %"
    assert short("median", 3) == "Median 3×3"
