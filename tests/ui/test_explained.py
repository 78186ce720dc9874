"""Maps are drawn on the scale that is said, and where there is nothing it is said."""

from typing import Any

import numpy as np
import pytest

from ui import explained
from ui.blocks import Block
from ui.explained import Pane, coarse, full, panes, reach, spread

PIXELS = np.linspace(0, 1, 16, dtype=np.float32).reshape(1, 4, 4)


def drawn(*rows: Pane, **given: Any) -> Block:
    return panes(PIXELS, rows, look="ink", columns=2, **given)


def test_numbers_lie_where_each_pane_looks_for_them() -> None:
    first = np.arange(16, dtype=np.float32).reshape(4, 4)
    second = np.arange(4, dtype=np.float32).reshape(2, 2) - 7
    block = drawn(
        Pane(name="it", words=""),
        Pane(name="a", words="", values=first),
        Pane(name="b", words="", values=second),
        Pane(name="a again", words="", values=first, view="overlay"),
    )
    assert np.array_equal(block.numbers[:16], PIXELS.ravel())
    for row, values in zip(block.words["rows"][1:], (first, second, first), strict=True):
        size = row["h"] * row["w"]
        found = block.numbers[row["at"] : row["at"] + size].reshape(row["h"], row["w"])
        assert np.array_equal(found, values), row["name"]
    assert block.words["rows"][0]["view"] == "picture"
    assert block.numbers.size == 16 + 16 + 4  # one map is sent once


def test_a_map_of_nothing_is_said_to_be_empty_and_how_much_there_is() -> None:
    faint = np.full((2, 2), -3e-9, np.float32)

    def told(values: np.ndarray, negligible: float) -> str:
        pane = Pane(name="a", words="", values=values, unit="logits", negligible=negligible)
        return str(drawn(pane).words["rows"][0]["empty"])

    assert told(faint, 1e-6) == "This map is empty: nothing beyond 3e-09 logits."
    assert told(faint, 1e-10) == ""
    for negligible in (0.0, 1e-6):
        assert told(0 * faint, negligible) == "This map is empty: nothing beyond 0 logits."
    assert told(faint * 1e6, 1e-6) == ""


@pytest.mark.parametrize("scale", explained.SCALES)
def test_a_scale_is_the_value_that_is_said(scale: str) -> None:
    values = np.zeros((20, 20), np.float32)
    values.ravel()[:8] = np.arange(8) - 4.0  # 2 % of the pixels
    wanted = {"own": 4.0, "most": float(np.quantile(abs(values), 0.99)), "one": 9.0}[scale]
    assert full(values, scale, 9.0) == pytest.approx(wanted)


def test_a_map_most_of_which_is_0_still_has_a_scale() -> None:
    values = np.zeros((20, 20), np.float32)
    values[3, 3] = -2
    assert full(values, "most") == reach(values) == 2


def test_contours_are_of_means() -> None:
    values = np.random.default_rng(0).normal(size=(224, 224)).astype(np.float32)
    means = coarse(values)
    assert means.shape == (56, 56)
    assert means[5, 7] == pytest.approx(values[20:24, 28:32].mean(), abs=1e-6)
    small = values[:28, :28]
    assert np.array_equal(coarse(small), small)


def test_a_range_is_written_with_its_unit() -> None:
    values = np.array([[-0.5, 0.25]], np.float32)
    assert spread(values, "logits") == "−0.5 to 0.25 logits"
    assert spread(values, "none") == "−0.5 to 0.25"
