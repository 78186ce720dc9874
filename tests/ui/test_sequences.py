"""Blocks with a text along an axis carry the numbers that they show to where the browser reads."""

import json
import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ui import blocks, charts, sequences
from ui.blocks import Block
from ui.screen import JS
from ui.sequences import MISSING, WHOLE, Guesses, Lane, Line, Map, Span, Term

TEXT = 'a "b"\n\ufffd'
COUNT, UNITS = len(TEXT), 5


def received(block: Block) -> tuple[Any, bytes]:
    """Give a block's words and its numbers as bytes, sent behind another block's."""
    before = blocks.reading((np.ones((1, 2, 2)), np.ones(1)), ["a"], "t", "h", span=3)
    packet = blocks.pack({}, [before, block])
    (length,) = struct.unpack("<I", packet[:4])
    words = json.loads(packet[4 : 4 + length])["blocks"][1]
    return words, packet[4 + length + 4 * words["offset"] :]


def random_maps(seed: int = 0) -> list[Map]:
    source = np.random.default_rng(seed)
    shape = COUNT, UNITS
    return [
        Map(name="f", title="forget", values=source.random(shape)),
        Map(name="c", title="cell", values=9 * source.normal(size=shape), high=3.0, signed=True),
    ]


def drawn(maps: list[Map], order: list[int], text: str = TEXT) -> Block:
    return sequences.gates(text, maps, order, at=(2, 3), title="t")


def decoded(block: Block) -> np.ndarray:
    """Read all values as ui/js/sequences.js does: map, unit from above, character."""
    words, numbers = received(block)
    shape = len(words["maps"]), len(words["order"]), len(words["text"])
    whole = np.frombuffer(numbers, "<i2", count=int(np.prod(shape))).reshape(shape)
    peaks = np.array([each["peak"] for each in words["maps"]])[:, None, None]
    return np.where(whole == MISSING, np.nan, whole / WHOLE * peaks)


def exact(maps: list[Map], order: list[int]) -> np.ndarray:
    """Pick each value one by one."""
    return np.array(
        [[[each.values[t, unit] for t in range(COUNT)] for unit in order] for each in maps]
    )


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [3, 0, 4]])
def test_each_value_of_a_gate_comes_to_its_row_and_its_character(order: list[int]) -> None:
    maps = random_maps()
    away = abs(decoded(drawn(maps, order)) - exact(maps, order)).max((1, 2))
    most = np.array([abs(each.values).max() for each in maps])
    assert (away <= most / WHOLE).all()  # half a step of 16 bits, and float32 of nothing


def test_that_oracle_rejects_another_order_and_a_value_that_is_cut_to_the_colours() -> None:
    maps = random_maps()
    found = decoded(drawn(maps, [3, 0, 4]))
    assert not np.allclose(found, exact(maps, [0, 3, 4]), atol=0.01)
    assert abs(found[1]).max() > 2 * maps[1].high  # read as it is, though its colour is full


def test_what_is_no_number_is_missing_and_nothing_else_is() -> None:
    maps = random_maps()
    maps[0].values[2, 1] = np.nan
    maps[1].values[5, 4] = np.inf
    found = decoded(drawn(maps, [0, 1, 2, 3, 4]))
    assert np.argwhere(np.isnan(found)).tolist() == [[0, 1, 2], [1, 4, 5]]


def test_every_bit_pattern_of_two_values_goes_through_a_float32() -> None:
    """Some pairs look like a float32 that is no number; they come as they were sent."""
    whole = np.arange(-WHOLE, WHOLE + 1)
    values = (whole / WHOLE).reshape(-1, 1)
    block = sequences.gates(
        "x" * len(whole), [Map(name="f", title="f", values=values)], [0], at=(0, 0), title="t"
    )
    _, numbers = received(block)
    assert np.array_equal(np.frombuffer(numbers, "<i2", count=len(whole)), whole)


def test_of_too_many_units_the_first_are_drawn_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sequences, "MOST_VALUES", 2 * 2 * COUNT)
    words, _ = received(drawn(random_maps(), [4, 2, 0]))
    assert words["order"] == [4, 2]
    assert words["hint"] == "The first 2 of 3 units are drawn."


def test_the_browser_reads_the_same_16_bits() -> None:
    text = (JS / "sequences.js").read_text(encoding="utf-8")
    assert f"const WHOLE = {WHOLE}, MISSING = {MISSING} " in text


def guesses(count: int = COUNT) -> Guesses:
    source = np.random.default_rng(1)
    bits = source.random(count)
    bits[:1] = np.nan
    return Guesses(
        alphabet="\ufffdab",
        likeliest=source.integers(0, 3, (count, 5)),
        probabilities=source.random((count, 5)),
        bits=bits,
    )


def test_a_text_in_colours_has_its_numbers_in_their_order() -> None:
    values, given = np.arange(COUNT) - 3.5, guesses()
    block = sequences.passage(TEXT, values, given, what="c", at=1, title="t", spans=[SPAN])
    words, numbers = received(block)
    read = np.frombuffer(numbers, "<f4")
    for from_, wanted in (
        (0, values),
        (COUNT, given.bits),
        (2 * COUNT, given.likeliest.ravel()),
        (7 * COUNT, given.probabilities.ravel()),
    ):
        np.testing.assert_array_equal(
            read[from_ : from_ + wanted.size], wanted.astype(np.float32), str(from_)
        )
    assert words["text"] == TEXT
    assert words["spans"] == [[1, 3, False]]


SPAN = Span(first=1, last=3, on=False)


@pytest.mark.parametrize("known", [1, 4])
def test_of_a_small_alphabet_the_numbers_stand_where_the_browser_looks(known: int) -> None:
    whole = guesses()
    few = replace(
        whole,
        likeliest=whole.likeliest[:, :known],
        probabilities=whole.probabilities[:, :known],
    )
    block = sequences.passage(TEXT, np.zeros(COUNT), few, what="c", at=1, title="t")
    read = np.frombuffer(received(block)[1], "<f4")
    for from_, wanted in ((2 * COUNT, few.likeliest), (7 * COUNT, few.probabilities)):
        rows = read[from_ : from_ + 5 * COUNT].reshape(COUNT, 5)  # as ui/js/sequences.js has it
        np.testing.assert_array_equal(rows[:, :known], wanted.astype(np.float32))
        assert np.isnan(rows[:, known:]).all()


def test_lines_over_a_text_come_lane_by_lane() -> None:
    first, second, third = (np.full(COUNT, float(k)) for k in (1, 2, 3))
    lanes = [
        Lane(
            lines=[Line(name="i", values=first, colour=0), Line(name="f", values=second, colour=1)]
        ),
        Lane(lines=[Line(name="c", values=third, colour=4, dashed=True)], low=-3, high=3),
    ]
    words, numbers = received(sequences.along(TEXT, lanes, at=0, title="t"))
    assert np.frombuffer(numbers, "<f4").reshape(3, COUNT)[:, 0].tolist() == [1, 2, 3]
    assert [lane["lines"] for lane in words["lanes"]] == [
        [["i", 0, False], ["f", 1, False]],
        [["c", 4, True]],
    ]


def test_a_map_of_influence_has_nothing_after_the_diagonal() -> None:
    values = np.random.default_rng(2).random((COUNT, COUNT)) + 0.1
    block = sequences.influence(
        TEXT, values / 2, values, what="w", ends=("0", "2"), at=(3, 1), title="t", edges=[0, 1]
    )
    words, numbers = received(block)
    assert np.array_equal(
        np.frombuffer(numbers, "<f4", count=COUNT**2), values.ravel().astype(np.float32)
    )
    whole = np.frombuffer(numbers[4 * COUNT**2 :], "<i2", count=COUNT**2).reshape(COUNT, COUNT)
    for t in range(COUNT):
        for s in range(COUNT):
            wanted = MISSING if s > t else round(values[t, s] / 2 * WHOLE)
            assert whole[t, s] == wanted, (t, s)
    assert words["edges"] == [0, 1]


def test_units_of_each_gate_come_with_both_shares() -> None:
    left = [("i", np.array([0.1, 0.2])), ("f", np.array([0.3, 0.4]))]
    right = [np.array([0.5, 0.6]), np.array([0.7, 0.8])]
    words, numbers = received(
        sequences.saturation(left, right, colours=[0, 1], chosen=("f", 1), title="t")
    )
    assert np.frombuffer(numbers, "<f4").tolist() == pytest.approx(
        [0.1, 0.2, 0.5, 0.6, 0.3, 0.4, 0.7, 0.8]
    )
    assert (words["gates"], words["units"], words["chosen"]) == (["i", "f"], [2, 2], ["f", 1])


@pytest.mark.parametrize(
    ("value", "high", "share", "said"),
    [
        (-0.25, 1.0, -0.25, "−0.2500"),
        (9.0, 3.0, 1.0, "9.0000"),
        (-9.0, 3.0, -1.0, "−9.0000"),
        (float("nan"), 1.0, 0.0, "nan"),
    ],
)
def test_a_term_has_its_number_and_no_more_than_the_full_colour(
    value: float, high: float, share: float, said: str
) -> None:
    term = Term(symbol="c", formula="f·c′", numbers="1·2", value=value, high=high)
    words, _ = received(sequences.step([term], title="t"))
    assert (words["rows"][0]["share"], words["rows"][0]["value"]) == (share, said)


def test_an_empty_text_is_drawn_too() -> None:
    none = np.empty((0, UNITS))
    maps = [Map(name="f", title="forget", values=none)]
    drawings = [
        drawn(maps, [0, 1], ""),
        sequences.along(
            "", [Lane(lines=[Line(name="i", values=none[:, 0], colour=0)])], at=0, title="t"
        ),
        sequences.passage("", none[:, 0], guesses(0), what="f", at=0, title="t"),
        sequences.influence(
            "", np.empty((0, 0)), np.empty((0, 0)), what="w", ends=("", ""), at=(0, 0), title="t"
        ),
        sequences.typed("text", "Your text", ""),
        sequences.step([], title="t"),
    ]
    for block in drawings:
        assert received(block)[1] == b"", block.words["kind"]


def test_a_log_axis_goes_over_powers_of_ten_and_leaves_out_what_has_no_logarithm() -> None:
    x, row = np.arange(4.0), np.array([1.0, 1e-3, 0.0, 2e-12])
    block = charts.lines("‖∂L/∂h‖", "distance", x, [("RNN", row)], log=True)
    assert block.words["log"]
    assert (block.words["low"], block.words["high"]) == pytest.approx((1e-12, 1.0))
    assert [words for _, words in block.words["ticks"]] == [
        "10⁻¹²", "10⁻¹⁰", "10⁻⁸", "10⁻⁶", "10⁻⁴", "10⁻²", "10⁰",
    ]  # fmt: skip
    assert [value for value, _ in block.words["ticks"]] == pytest.approx(
        [10.0**power for power in range(-12, 1, 2)]
    )
    assert np.isnan(block.numbers[4:]).tolist() == [False, False, True, False]


@pytest.mark.parametrize(
    ("row", "ends"),
    [([5.0, 5.0], (1.0, 10.0)), ([1.0, 1.0], (1.0, 10.0)), ([0.0, 0.0], (1.0, 10.0))],
)
def test_a_log_axis_has_two_ends_even_for_one_value_or_none(
    row: list[float], ends: tuple[float, float]
) -> None:
    block = charts.lines("t", "a", np.arange(2.0), [("r", np.array(row))], log=True)
    assert (block.words["low"], block.words["high"]) == ends
    assert len(block.words["ticks"]) == 2
