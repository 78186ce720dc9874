"""Blocks of what a network knows: bins and their ECE, marks on a likelihood, a dark matrix."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from tests.ui.test_temperature import received
from ui import knowledge
from ui.knowledge import Face


def binned(sure: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Put images one by one into 15 bins, each (lo, hi]."""
    counts, sums = np.zeros(15, np.int64), np.zeros((2, 15))
    for each, hit in zip(sure, right, strict=True):
        k = next(k for k in range(15) if k / 15 < each <= (k + 1) / 15)
        counts[k] += 1
        sums[:, k] += each, hit
    with np.errstate(all="ignore"):
        return counts, sums[0] / counts, sums[1] / counts


@given(seed=some.integers(0, 1000))
def test_what_the_bins_add_is_the_error_and_empty_ones_are_not_drawn(seed: int) -> None:
    source = np.random.default_rng(seed)
    sure = 1 - source.random(60) ** 3 * 0.6
    right = (source.random(60) < sure).astype(float)
    counts, confidences, accuracies = binned(sure, right)
    used = counts > 0
    error = float((counts * abs(accuracies - confidences))[used].sum() / 60)
    words, _ = received(
        knowledge.reliability(counts, confidences, accuracies, error=error, title="t")
    )
    assert len(words["bins"]) == used.sum()
    added = [re.search(r"adds (\S+) to", each["said"])[1] for each in words["bins"]]  # type: ignore[index]
    assert sum(map(float, added)) == pytest.approx(error, rel=0.02)
    for each in words["bins"]:
        inside = sure[(sure > each["low"] + 1e-12) & (sure <= each["high"] + 1e-12)]
        assert each["sure"] == pytest.approx(inside.mean())
        assert each["share"] == len(inside) / counts.max()


def test_no_image_is_no_bin() -> None:
    nothing = np.full(15, math.nan)
    words, _ = received(
        knowledge.reliability(np.zeros(15, np.int64), nothing, nothing, error=0.0, title="t")
    )
    assert words["bins"] == []
    assert words["error"] == "ECE 0"


@pytest.mark.parametrize(
    ("warmth", "marks"),
    [
        (2.0, [(1.0, "T = 1", False), (0.8, "fitted T = 1.25", False), (0.5, "T = 2", True)]),
        (math.inf, [(1.0, "T = 1", False), (0.8, "fitted T = 1.25", False), (0.0, "T = ∞", True)]),
        (0.0, [(1.0, "T = 1", False), (0.8, "fitted T = 1.25", False)]),
        (0.1, [(1.0, "T = 1", False), (0.8, "fitted T = 1.25", False)]),
    ],
)
def test_each_temperature_is_marked_at_its_inverse_on_the_curve(
    warmth: float, marks: list[tuple[float, str, bool]]
) -> None:
    beta = np.linspace(0, 2, 201)
    loss = (beta - 0.8) ** 2 + 0.3
    words, numbers = received(
        knowledge.nll(
            beta,
            [("validation", loss), ("test", loss + 1)],
            temperature=warmth,
            fitted=1.25,
            title="t",
        )
    )
    assert [(round(at, 9), text, now) for at, _, text, now in words["marks"]] == marks
    for at, height, *_ in words["marks"]:
        assert height == pytest.approx((at - 0.8) ** 2 + 0.3, abs=1e-6)
    np.testing.assert_allclose(numbers[: 3 * 201].reshape(3, -1)[1], loss, rtol=1e-6)
    assert "validation least at β = 0.8" in words["alt"]


def test_a_dark_matrix_has_equal_steps_for_equal_ratios_and_no_diagonal() -> None:
    means = np.array([[0.9, 1e-2, 1e-4], [1e-6, 0.9, 1e-8], [0.0, 1e-3, 0.9]])
    words, _ = received(knowledge.darkness(["a", "b", "c"], means, title="t"))
    table = words["table"]
    assert [table[k][k] for k in range(3)] == [None, None, None]
    places = {(i, j): table[i][j][0] for i in range(3) for j in range(3) if i != j}
    wanted = {(0, 1): 1, (0, 2): 0.5, (1, 0): 0, (1, 2): 0, (2, 0): 0, (2, 1): 0.75}
    assert places == pytest.approx(wanted)
    assert [table[0][1][1], table[1][2][1], table[2][0][1]] == ["0.0100", "1.0e-8", "0"]
    assert words["scale"] == [[pytest.approx(k / 4), f"1e{p}"] for k, p in enumerate(range(-6, -1))]
    linear = means[0, 2] / means[0, 1]
    assert places[0, 2] != pytest.approx(linear, abs=0.1)


def test_a_class_without_an_image_is_unknown_in_a_dark_matrix() -> None:
    means = np.array([[0.9, 1e-2, 1e-4], [math.nan] * 3, [0.0, 1e-3, 0.9]])
    table = received(knowledge.darkness(["a", "b", "c"], means, title="t"))[0]["table"]
    assert table[1][0] == [0, "NaN", "true b: mean p of a = NaN"]
    assert [table[0][1][0], table[0][2][0], table[2][1][0]] == pytest.approx([1, 0.5, 0.75])


def test_a_face_has_its_pixels_its_bars_and_what_they_are_in_words() -> None:
    pixels = np.arange(8.0).reshape(2, 1, 2, 2)
    pairs = [np.array([p, 1 - p]) for p in (0.2, 1.0, 1e-3, 0.5)]
    shown = [
        Face(pixels=pixels[0], name="one", hard=1, probabilities=pairs[:2], tells=7),
        Face(pixels=pixels[1], name="two", probabilities=pairs[2:], tells=9),
    ]
    block = knowledge.faces(shown, ["a", "b"], ["teacher", "student"], title="t", log=True)
    words, numbers = received(block)
    assert numbers.tolist() == pixels.ravel().tolist()
    assert [card["tells"] for card in words["cards"]] == [7, 9]
    assert [card["hard"] for card in words["cards"]] == [1, None]
    assert [card["best"] for card in words["cards"]] == [[1, 0], [1, 0]]
    assert words["cards"][0]["texts"] == [["0.200", "0.800"], ["1", "0"]]
    assert words["cards"][1]["bars"][0][0] == pytest.approx(0.5)
    plainly = received(knowledge.faces(shown, ["a", "b"], ["x", "y"], title="t"))[0]
    assert plainly["cards"][0]["bars"] == [[0.2, 0.8], [1.0, 0.0]]


def test_of_a_grid_the_least_of_each_row_is_the_best_and_what_is_unknown_is_not() -> None:
    values = np.array([[5.0, 3.0, math.nan], [math.nan, math.nan, math.nan], [9.0, 9.0, 11.0]])
    said = [[f"{i}{j}" for j in range(3)] for i in range(3)]
    words, _ = received(
        knowledge.grid(["a", "b", "c"], ["x", "y", "z"], values, said, title="t", corner="↓ →")
    )
    assert [[cell[3] for cell in row] for row in words["table"]] == [
        [False, True, False],
        [False, False, False],
        [True, True, False],
    ]
    assert [cell[0] for cell in words["table"][0]] == [0.25, 0.0, 0.0]
    assert [cell[1] for cell in words["table"][2]] == ["9", "9", "11"]
    assert words["table"][1][2][1:3] == ["·", "12"]
    assert [text for _, text in words["scale"]] == ["3", "11"]
