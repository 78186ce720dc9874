"""A unit that knows is found; its measures are scikit-learn's and NumPy's; luck is not taken in."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as some
from sklearn.metrics import roc_auc_score

from core.lstm_gates import finding
from core.lstm_gates.finding import Finding, find, survey
from core.lstm_gates.languages import Truth

quiet = settings(derandomize=True, deadline=None, max_examples=10)
LENGTH = 201
NUMBER, WHETHER = Truth("A number."), Truth("A yes or no.", True)


def gates(seed: int = 0, length: int = LENGTH, levels: int = 0) -> dict[str, np.ndarray]:
    """Draw values that go up and down slowly; of few levels many are equal."""
    source = np.random.default_rng(seed)
    values = np.tanh(0.3 * source.standard_normal((2, 2, length, 9)).cumsum(2))
    if levels:
        values = np.round(values * levels) / levels
    return {"f": values[0].astype(np.float32), "c": values[1].astype(np.float32)}


def slow(seed: int, whether: bool, length: int = LENGTH) -> np.ndarray:
    source = np.random.default_rng(seed)
    line = source.standard_normal(length).cumsum()
    return ((line - np.median(line)) > 0).astype(float) if whether else line


def agrees(values: dict[str, np.ndarray], feature: np.ndarray, found: Finding) -> None:
    """Measure every unit with others' functions, and rank them here."""
    known = np.flatnonzero(~np.isnan(feature))
    first, second = known[: len(known) // 2], known[len(known) // 2 :]
    assert found.halves == (len(first), len(second))

    def measure(series: np.ndarray, part: np.ndarray) -> float:
        if found.measure == "area":
            return float(roc_auc_score(feature[part], series[part]))
        if np.ptp(series[part]) == 0:
            return 0.0
        return float(np.corrcoef(series[part].astype(float), feature[part])[0, 1])

    nothing = 0.5 if found.measure == "area" else 0.0
    strength = {
        (gate, layer, unit): abs(measure(each[layer, :, unit], first) - nothing)
        for gate, each in values.items()
        for layer, unit in np.ndindex(each.shape[0], each.shape[2])
    }
    ordered = sorted(strength.values(), reverse=True)
    for place, row in enumerate(found.rows):
        series = row.sign * values[row.gate][row.layer, :, row.unit]
        assert row.chosen == pytest.approx(measure(series, first), abs=1e-6)
        assert row.held_out == pytest.approx(measure(series, second), abs=1e-6)
        assert row.chosen >= nothing
        assert strength[row.gate, row.layer, row.unit] == pytest.approx(ordered[place], abs=1e-5)
    assert len({(row.gate, row.layer, row.unit) for row in found.rows}) == len(found.rows)


@pytest.mark.parametrize("whether", [False, True])
@given(seed=some.integers(0, 999), levels=some.sampled_from([0, 2]), unknown=some.integers(0, 40))
@quiet
def test_all_measures_are_numpys_and_scikit_learns(
    whether: bool, seed: int, levels: int, unknown: int
) -> None:
    values, feature = gates(seed, levels=levels), slow(seed + 1, whether)
    feature[:unknown:3] = np.nan
    known = feature[~np.isnan(feature)]
    assume(np.ptp(known[: len(known) // 2]) and np.ptp(known[len(known) // 2 :]))
    found = find(values, feature, whether)
    assert found.measure == ("area" if whether else "correlation")
    assert len(found.rows) == 12
    agrees(values, feature, found)


@pytest.mark.parametrize("whether", [False, True])
def test_that_oracle_rejects_other_halves_signs_and_ranks(whether: bool) -> None:
    values, feature = gates(), slow(1, whether)
    found = find(values, feature, whether)
    rows = found.rows
    for wrong in (
        replace(found, rows=(replace(rows[0], chosen=rows[0].held_out), *rows[1:])),
        replace(found, rows=(replace(rows[0], sign=-rows[0].sign), *rows[1:])),
        replace(found, rows=(rows[1], rows[0], *rows[2:])),
        replace(found, rows=(replace(rows[0], unit=(rows[0].unit + 1) % 9), *rows[1:])),
    ):
        with pytest.raises(AssertionError):
            agrees(values, feature, wrong)


def test_that_oracle_rejects_ranks_that_break_ties_by_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values, feature = gates(levels=2), slow(1, True)
    agrees(values, feature, find(values, feature, True))
    monkeypatch.setattr(
        finding, "_ranks", lambda series: series.argsort(1, kind="stable").argsort(1) + 1.0
    )
    with pytest.raises(AssertionError):
        agrees(values, feature, find(values, feature, True))


@pytest.mark.parametrize("whether", [False, True])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_unit_that_knows_is_first_and_beats_chance(whether: bool, sign: int) -> None:
    values, feature = gates(), slow(1, whether)
    noise = np.random.default_rng(2).standard_normal(LENGTH)
    values["c"][1, :, 4] = sign * (feature + 0.3 * feature.std() * noise)
    best = (found := find(values, feature, whether)).rows[0]
    assert (best.gate, best.layer, best.unit, best.sign) == ("c", 1, 4, sign)
    assert min(best.chosen, best.held_out) > 0.85
    assert best.held_out > found.chance.held_out


def test_a_unit_that_knows_half_of_the_text_is_found_out() -> None:
    """It is chosen, and the half that did not choose it tells."""
    values, feature = gates(), slow(1, False)
    values["f"][0, :100, 3] = feature[:100]
    best = find(values, feature).rows[0]
    assert (best.gate, best.layer, best.unit) == ("f", 0, 3)
    assert best.chosen == pytest.approx(1, abs=1e-6)
    assert abs(best.held_out) < 0.9


def test_nothing_is_found_where_nothing_is_more_often_than_chance_says() -> None:
    """Against the best of 19 shifts, 1 of 20 of the blind do better by chance: here 4 ± 2 of 80."""
    better = 0
    for seed in range(80):
        found = find(gates(seed), slow(1_000 + seed, False))
        better += found.rows[0].held_out > found.chance.held_out
    assert better <= 12


def test_chance_is_the_same_search_with_the_feature_shifted() -> None:
    values, feature = gates(), slow(1, False)
    wanted = []
    for number in range(1, 20):
        shifted = feature.copy()
        shifted[:100] = np.roll(feature[:100], round(number * 100 / 20))
        shifted[100:] = np.roll(feature[100:], round(number * 101 / 20))
        wanted.append(find(values, shifted).rows[0])
    best = max(wanted, key=lambda row: row.held_out)
    found = find(values, feature).chance
    assert (found.gate, found.layer, found.unit, found.sign) == (
        best.gate,
        best.layer,
        best.unit,
        best.sign,
    )
    assert (found.chosen, found.held_out) == pytest.approx((best.chosen, best.held_out))
    assert found.held_out > np.median([row.held_out for row in wanted])


def test_a_survey_finds_what_each_search_finds_and_leaves_out_what_never_changes() -> None:
    values = gates()
    known = {"line": slow(1, False), "side": slow(2, True), "flat": np.ones(LENGTH)}
    known["side"][[5, 150]] = np.nan
    known["late"] = np.r_[np.zeros(150), np.ones(LENGTH - 150)]
    kinds = {"line": NUMBER, "side": WHETHER, "flat": WHETHER, "late": WHETHER}
    assert survey(values, known, kinds) == {
        "line": find(values, known["line"]),
        "side": find(values, known["side"], True),
    }


def test_a_gate_that_never_changes_has_nothing() -> None:
    values = {"i": np.full((1, LENGTH, 2), 0.1, np.float32)}
    assert {row.chosen for row in find(values, slow(1, False)).rows} == {0.0}
    assert {row.held_out for row in find(values, slow(1, True), True).rows} == {0.5}


@pytest.mark.parametrize(
    ("feature", "whether", "sentence"),
    [
        (np.zeros(LENGTH), True, "must change within the first half of the text, got 0 all along"),
        (np.r_[0:100, np.full(101, 3.0)], False, "within the second half of the text, got 3"),
        (np.linspace(0, 1, LENGTH), True, "must be 0 or 1"),
        (np.r_[0:39, np.full(LENGTH - 39, np.nan)], False, "at least 40 characters, got 39"),
    ],
)
def test_what_cannot_be_searched_is_said(feature: np.ndarray, whether: bool, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        find(gates(), feature, whether)
    with pytest.raises(ValueError, match="at least one gate"):
        find({}, slow(1, whether), whether)


@pytest.mark.parametrize("count", [40, 41, 60])
def test_also_in_the_shortest_text_a_unit_that_is_the_feature_beats_chance(count: int) -> None:
    noise = np.random.default_rng(count)
    for _ in range(50):
        feature = noise.normal(size=count)
        units = np.c_[feature, noise.normal(size=(count, 3))].astype(np.float32)
        found = find({"h": units[None]}, feature, whether=False)
        assert found.rows[0].unit == 0
        assert found.rows[0].held_out > found.chance.held_out + 0.01
