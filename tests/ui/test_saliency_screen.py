"""What is taken from the saliency page is what was computed, in the colours of the screen."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from core.saliency import BASELINES, Query, Surrogate
from core.saliency.explaining import explain
from core.saliency.methods import METHODS
from core.shared import models
from core.shared.models import Source
from ui import explained
from ui.panels.saliency.attacked import _rows
from ui.panels.saliency.screen import places, weights
from ui.panels.saliency.settings import baselines
from ui.panels.saliency.showing import Map, ends, legend, shown, summed
from ui.panels.saliency.taking import BLUE, ORANGE, PAPER, coloured


def test_colours_are_summed() -> None:
    values = np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32)
    total = values[0] + values[1] + values[2]
    assert np.allclose(summed(values, METHODS["gradient"]), total, atol=1e-6)


def test_where_0_says_nothing_colours_tell_what_is_above_the_mean() -> None:
    rise, values = METHODS["rise"], np.array([[[7.0, 8.0], [9.0, 12.0]]], np.float32)
    assert summed(values, rise).tolist() == [[-2.0, -1.0], [0.0, 3.0]]
    assert summed(values, METHODS["occlusion"]).tolist() == values[0].tolist()
    assert ends(summed(values, rise), rise) == "−2 to 3 logits, less the mean"
    assert ends(values[0], METHODS["occlusion"]) == "7 to 12 logits"


def test_of_superpixels_their_number_is_said_and_else_rows_and_columns() -> None:
    pixels = np.linspace(0, 1, 784, dtype=np.float32).reshape(1, 28, 28)
    source = Source(kind="built-in", name="mnist")
    given: dict[str, dict[str, Any]] = {
        "lime": {"segments": 9, "masks": 40},
        "rise": {"cells": 5, "masks": 10},
        "gradient": {},
    }
    told = {name: explain(source, pixels, Query(method=name, **few)) for name, few in given.items()}
    surrogate = told["lime"].surrogate
    assert surrogate is not None
    assert places(told["lime"]) == ("superpixels", str(len(surrogate.weights)))
    assert places(told["rise"]) == ("places", "5×5")
    assert places(told["gradient"]) == ("places", "28×28")


def test_of_a_surrogate_it_is_said_what_it_makes_of_nothing_and_what_the_network_does() -> None:
    given = Surrogate(
        segments=np.array([[0, 1]]),
        weights=np.array([0.5, 2.0]),
        intercept=-1.25,
        empty=0.75,
        fidelity=0.9,
    )
    told = "With none of them there the sum says −1.250, and the network itself 0.7500."
    assert told in weights(given).words["under"]
    both = "With none of them there the sum and the network both say 0.7500."
    assert both in weights(replace(given, intercept=0.75)).words["under"]


def test_the_legend_says_what_a_sign_says() -> None:
    told: dict[str, list[str]] = {}
    for name, method in METHODS.items():
        told.setdefault(legend(method), []).append(name)
    assert told["orange: above the map's mean, blue: below"] == ["rise"]
    slopes = ["gradient", "smoothgrad", "guided", "deconvnet", "guided_gradcam"]
    assert told["orange: brighter raises it, blue: darker does"] == slopes
    assert {"gradient_input", "occlusion", "lime"} < {*told["orange for it, blue against"]}
    assert {"vargrad", "gradcam", "edges"} < {*told["orange: much"]}
    assert len(told) == 4


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


def test_an_empty_map_is_painted_as_paper() -> None:
    values = np.array([[-2e-9, 0.0], [1e-9, 0.0]], np.float32)
    for empty, negligible in ((values, 1e-8), (0 * values, 0.0)):
        assert (np.asarray(Image.open(io.BytesIO(coloured(empty, negligible)))) == PAPER).all()
    assert (np.asarray(Image.open(io.BytesIO(coloured(values, 1e-9)))) != PAPER).any()


def test_contours_say_at_which_values_they_stand() -> None:
    values = np.array([[0.0, 4.0], [1.0, 2.0]], np.float32)

    def told(values: np.ndarray, **looks: str) -> str:
        (pane,) = shown([Map("a", "much", values, "logits")], {"scale": "own", **looks})
        block = explained.panes(values[None], [pane], look="ink", columns=1)
        return str(block.words["rows"][0]["under"])

    assert told(values, view="contour") == "lines at 1, 2 and 3"
    assert told(-values / 8, view="contour") == "lines at ±0.12, ±0.25 and ±0.38"
    assert told(0 * values, view="contour") == told(values, view="overlay") == ""
    script = (Path(explained.__file__).parent / "js" / "explained.js").read_text(encoding="utf-8")
    assert "for (const level of block.levels) outline(" in script  # what is said is what is drawn
    (pane,) = shown([Map("a", "", values, "")], {"view": "contour", "scale": "own"})
    block = explained.panes(values[None], [pane], look="ink", columns=1)
    assert block.words["levels"] == explained.LEVELS == (0.25, 0.5, 0.75)


def test_what_is_empty_is_named_as_it_is_seen() -> None:
    """A digit's 0 is its paper, light or dark; elsewhere 0 is black in both themes."""
    mnist, photographs = (
        models.about(Source(kind="built-in", name=name)) for name in ("mnist", "efficientnet-lite0")
    )
    assert baselines(mnist)["black"] == "empty (0: no ink)"
    assert baselines(photographs)["black"] == "black (0)"
    assert baselines(mnist).keys() == BASELINES.keys()


def test_one_scale_for_all_is_one_for_each_unit() -> None:
    looks = {"view": "map", "scale": "one"}
    maps = [
        Map("a", "", np.full((2, 2), 1.0, np.float32), "logits"),
        Map("b", "", np.full((2, 2), -4.0, np.float32), "logits"),
        Map("c", "", np.full((2, 2), 9.0, np.float32), "share"),
    ]
    assert [each.high for each in shown(maps, looks)] == [4, 4, 9]
    assert [each.high for each in shown(maps, looks | {"scale": "own"})] == [1, 4, 9]


def full_colours(looks: dict[str, Any]) -> list[float]:
    """Give what has the full colour, of each map before an attack and after it."""
    source = Source(kind="built-in", name="mnist")
    pixels = np.linspace(0, 1, 784, dtype=np.float32).reshape(1, 28, 28)
    pictures = (pixels, 0.25 * pixels)
    found = tuple(
        [explain(source, each, Query(method="gradient", target=k)) for k in range(2)]
        for each in pictures
    )
    assert len({float(abs(each.values).max()) for row in found for each in row}) == 4
    rows = _rows(pictures, (found[0], found[1]), models.about(source), "ink", looks)
    return [pane["high"] for row in rows for pane in row.words["rows"][1:]]


def test_one_scale_is_that_of_the_maps_before_and_after_an_attack() -> None:
    looks = {"view": "map", "scale": "one"}
    assert len(set(full_colours(looks))) == 1
    assert len(set(full_colours({**looks, "scale": "own"}))) == 4
