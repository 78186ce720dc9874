"""What is taken from the saliency page is what was computed, in the colours of the screen."""

import io

import numpy as np
from PIL import Image

from ui.panels.saliency.showing import shown, summed
from ui.panels.saliency.taking import BLUE, ORANGE, PAPER, coloured


def test_colours_are_summed() -> None:
    values = np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32)
    assert np.allclose(summed(values), values[0] + values[1] + values[2], atol=1e-6)


def test_a_painted_map_has_full_colours_at_its_ends_and_paper_between() -> None:
    values = np.array([[-2.0, 0.0], [1.0, 2.0]], np.float32)
    painted = np.asarray(Image.open(io.BytesIO(coloured(values))))
    times = painted.shape[0] // 2
    places = painted[times // 2 :: times, times // 2 :: times]
    assert tuple(places[0, 0]) == BLUE
    assert tuple(places[0, 1]) == PAPER
    assert tuple(places[1, 1]) == ORANGE
    half = (np.array(PAPER) + np.array(ORANGE)) / 2
    assert abs(places[1, 0] - half).max() <= 0.5


def test_one_scale_for_all_is_one_for_each_unit() -> None:
    looks = {"view": "map", "scale": "one"}
    maps = [
        ("a", "", np.full((2, 2), 1.0, np.float32), "logits"),
        ("b", "", np.full((2, 2), -4.0, np.float32), "logits"),
        ("c", "", np.full((2, 2), 9.0, np.float32), "share"),
    ]
    assert [each.high for each in shown(maps, looks)] == [4, 4, 9]
    assert [each.high for each in shown(maps, looks | {"scale": "own"})] == [1, 4, 9]
