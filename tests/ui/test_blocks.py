"""What reaches the browser is what was given: words as JSON, numbers as they are."""

import json
import math
import struct
from typing import Any

import numpy as np
import pytest

from ui import blocks, words


def unpack(packet: bytes) -> tuple[Any, np.ndarray]:
    (length,) = struct.unpack("<I", packet[:4])
    return json.loads(packet[4 : 4 + length]), np.frombuffer(packet[4 + length :], "<f4")


def one_run(
    axis: blocks.Axis, x: np.ndarray, training: np.ndarray, validation: np.ndarray, last: float
) -> blocks.Block:
    line = blocks.Line(name="1", x=x, training=training, validation=validation)
    return blocks.curves(axis, [line], last, [], math.nan)


def test_a_packet_unpacks_to_what_was_packed() -> None:
    counts = np.arange(100).reshape(10, 10)
    maps = [
        blocks.Maps(name=n, values=v, high=1, columns=2, share=1, range="", alt="")
        for n, v in (("é", np.ones((2, 3, 3))), ("b", np.full((4, 2, 2), -0.5)))
    ]
    made = [
        blocks.progress(0.25, "running"),
        blocks.maps(maps),
        blocks.matrix("cell", counts, "0123456789", "t", "", None, span=6),
    ]
    for name in ("x", "xy", "xyz", "wxyz"):  # the header is padded to four bytes
        packet = blocks.pack({"name": name}, made)
        header, numbers = unpack(packet)
        assert header["name"] == name
        assert (len(packet) - numbers.nbytes) % 4 == 0
        _, board, matrix = header["blocks"]
        first, second = board["panels"]
        assert numbers[first["offset"] :][:18].tolist() == [1.0] * 18
        assert numbers[second["offset"] :][:16].tolist() == [-0.5] * 16
        assert numbers[matrix["offset"] :][:100].tolist() == counts.ravel().tolist()
        assert numbers.size == 18 + 16 + 100


def test_curves_reach_as_far_as_their_values_and_leave_out_what_is_none() -> None:
    x = np.array([0, 0.5, 1])
    training, validation = np.array([np.nan, 0.5, 250]), np.array([2.3, 0.4, 0.001])
    block = one_run(blocks.LOSS, x, training, validation, 3)
    assert (block.words["low"], block.words["high"]) == (0.001, 250)
    labels = [label for _, label in block.words["ticks"]]
    assert labels == ["0.001", "0.01", "0.1", "1", "10", "100"]
    assert block.words["alt"] == "Loss in nats: training 250.000, validation 0.001"
    calm = one_run(blocks.LOSS, x, validation.clip(0.1), validation.clip(0.1), 3).words
    assert (calm["low"], calm["high"]) == (0.01, 4)
    assert [label for _, label in calm["ticks"]] == ["0.01", "0.03", "0.1", "0.3", "1", "3"]


def test_marks_tell_what_was_changed_and_when() -> None:
    line = blocks.Line(name="1", x=np.arange(2), training=np.ones(2), validation=np.ones(2))
    marks = [(0.25, "η 0.5"), (1.5, "batch 32")]
    words = blocks.curves(blocks.LOSS, [line], 3, marks, math.nan).words
    assert words["marks"] == marks
    assert words["alt"].endswith("; η 0.5 from epoch 0.25 on; batch 32 from epoch 1.50 on")


def test_an_accuracy_axis_spreads_the_last_per_cents() -> None:
    x, perfect = np.array([0.0, 1.0]), np.array([0.1, 1.0])
    block = one_run(blocks.ACCURACY, x, perfect, np.array([0.2, 0.9999]), 1)
    assert block.words["low"] == pytest.approx(0.0001)
    assert block.words["high"] == 1
    assert block.numbers.tolist() == pytest.approx([0, 1, 0.9, 0, 0.8, 0.0001])
    assert (0.01, "99 %") in [(round(at, 6), label) for at, label in block.words["ticks"]]
    assert "validation 100.0%" in block.words["alt"]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_run_that_diverged_can_still_be_drawn(bad: float) -> None:
    row = np.array([2.3, bad])
    block = one_run(blocks.LOSS, np.array([0.0, 1.0]), row, row, 1)
    header, numbers = unpack(blocks.pack({}, [block]))
    assert header["blocks"][0]["high"] == 4
    assert numbers.size == 6


def test_a_matrix_tells_its_share_on_the_diagonal() -> None:
    counts = np.eye(10, dtype=int) * 9
    counts[0, 1] = 10
    assert (
        blocks.matrix("cell", counts, "0123456789", "M", "", (1, 1), span=6).words["alt"]
        == "M; 90.0% are on the diagonal"
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (185, "3 min 5 s"),
        (3599.6, "1 h 0 min"),
        (4200, "1 h 10 min"),
    ],
)
def test_a_time_in_words(seconds: float | None, text: str) -> None:
    assert words.duration(seconds) == text


def test_sizes_choices_and_pairs_in_words() -> None:
    assert [words.size(n) for n in (0, 3_250_586, 512 << 20)] == ["0 MB", "3.1 MB", "512 MB"]
    counted = [words.count(n, "pixel") for n in (0, 1, 2_000)]
    assert counted == ["0 pixels", "1 pixel", "2,000 pixels"]
    assert words.choices((1, 2.5, "c")) == "1, 2.5 or c"
    assert words.pair(0.1234, 0.9876) == "0.123 · 98.8 %"
    assert words.pair(253.1234, 0.1) == "253.1 · 10.0 %"
    assert words.pair(math.nan, math.nan) == "–"
    assert [words.a(noun) for noun in ("3", "8", "Ankle boot", "image")] == [
        "a 3",
        "an 8",
        "an Ankle boot",
        "an image",
    ]
    assert words.plain("![x](y) <b> a_b") == r"\!\[x\]\(y\) \<b\> a\_b"


def test_several_runs_follow_one_another_in_the_numbers() -> None:
    first = blocks.Line(
        name="a", x=np.array([0.0, 1, 2]), training=np.arange(3.0), validation=np.arange(3.0) + 3
    )
    second = blocks.Line(
        name="b", x=np.array([0.0, 1]), training=np.full(2, np.nan), validation=np.ones(2)
    )
    block = blocks.curves(blocks.LOSS, [first, second], 2, [(0.5, "η 0.1")], 1.5)
    assert (block.words["names"], block.words["sizes"]) == (["a", "b"], [3, 2])
    assert (block.words["marks"], block.words["now"]) == ([(0.5, "η 0.1")], 1.5)
    expected = [0, 1, 2, 0, 1, 2, 3, 4, 5, 0, 1, math.nan, math.nan, 1, 1]
    assert block.numbers.tolist() == pytest.approx(expected, nan_ok=True)


def test_dots_reach_as_far_as_their_values() -> None:
    block = blocks.dots("G", ["a", "b"], np.array([1e-9, 3.0]), 1e-6, 10)
    assert (block.words["low"], block.words["high"]) == (1e-9, 10)
    assert block.words["ticks"][0] == (1e-9, "1e-09")
    assert block.words["alt"] == "G: a 1e-09, b 3"
    none = blocks.dots("G", ["a", "b"], np.array([0.0, np.nan]), 1e-6, 10)
    assert (none.words["low"], none.words["high"]) == (1e-6, 10)
    header, numbers = unpack(blocks.pack({}, [none]))
    assert header["blocks"][0]["names"] == ["a", "b"]
    assert numbers.size == 2


def test_histograms_and_pictures_keep_their_order() -> None:
    rows = [
        blocks.Histogram(
            name=name, counts=np.array([k, 2 * k]), low=0, high=1, words="", warn=k > 1
        )
        for k, name in enumerate("abc")
    ]
    block = blocks.histograms("H", rows)
    assert block.numbers.tolist() == [0, 0, 1, 2, 2, 4]
    assert [row["name"] for row in block.words["rows"]] == ["a", "b", "c"]
    assert [row["warn"] for row in block.words["rows"]] == [False, False, True]
    pictures = [
        blocks.Picture(pixels=np.full((1, 2, 2), k / 4), name=str(k), words="w", tells=10 + k)
        for k in range(3)
    ]
    shown = blocks.gallery("digit", "G", "h", pictures, span=12)
    assert shown.numbers.reshape(3, 4).mean(1).tolist() == [0, 0.25, 0.5]
    assert shown.words["rows"] == [("0", "w", 10), ("1", "w", 11), ("2", "w", 12)]
    assert blocks.gallery("digit", "G", "h", [], span=12).numbers.size == 0
