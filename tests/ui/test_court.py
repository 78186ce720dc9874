"""What a sitting of the court says is what it has seen: ranges, winners, areas, and whose it is."""

import re
from copy import copy
from dataclasses import replace
from functools import partial
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from core.saliency import Query
from core.saliency.methods import CONTROL
from core.saliency.packing import packed
from core.saliency.trials import MELTED, METHOD, Judged, Row
from core.shared import models
from core.shared.models import Source
from ui.blocks import Block, pack
from ui.panels.saliency import sitting
from ui.panels.saliency.court import of_another
from ui.panels.saliency.showing import shown
from ui.panels.saliency.sitting import ANOTHER, STRONG, draw_sitting
from ui.pinned import Pinned

JS = Path(sitting.__file__).parents[2] / "js"
ABOUT = models.about(Source(kind="built-in", name="mnist"))
LITE = models.about(Source(kind="built-in", name="efficientnet-lite0"))
LOOKS = {"view": "map", "scale": "own"}
NAN = float("nan")
SHARES = np.linspace(0, 1, 5)


def row(method: str, total: float | None, role: str = METHOD, **given: Any) -> Row:
    """A row with two imputers, whose areas of insertion are its total and of deletion 0."""
    height = np.full((2, 5), NAN if total is None else total)
    usual: dict[str, Any] = {
        "role": role,
        "query": Query(method=method, target=3),
        "refused": "",
        "values": np.array([[0.25, -1.0], [0.5, 0.0]], np.float16),
        "scale": 8.0,
        "least": -8.0,
        "most": 4.0,
        "negligible": 2e-8,
        "passes": 1_250,
        "gradients": 12,
        "seconds": 0.5,
        "deletion": 0 * height,
        "insertion": height,
    }
    return Row(**{**usual, **given})


REFUSED = row(
    "gradcam",
    None,
    refused="method must be another one than gradcam: this network has no maps",
    values=np.zeros((0, 0), np.float16),
    scale=NAN,
    least=NAN,
    most=NAN,
)
WITNESSES = (
    row("edges", 0.5, CONTROL),
    row("random", 0.125, CONTROL),
    row("blob", 0.25, CONTROL),
    row("gradient", 0.0625, MELTED),
)
ROWS = (row("gradient", 0.375), row("integrated", 0.75), REFUSED, *WITNESSES)


def judged(*rows: Row, **given: Any) -> Judged:
    usual: dict[str, Any] = {
        "rows": rows,
        "expected": len(rows),
        "imputers": ("grey", "noise"),
        "shares": SHARES,
        "target": 3,
        "probability": 0.875,
        "working": "",
    }
    return Judged(**{**usual, **given})


def drawn(
    state: Judged,
    shape: tuple[int, int, int] = (1, 2, 2),
    *,
    of_another: bool = False,
    **looks: Any,
) -> dict[str, list[Block]]:
    """Draw a sitting; the blocks by their kinds."""
    config = {"picture": packed(np.full(shape, 0.5))}
    about = ABOUT if shape[0] == 1 else LITE
    blocks = draw_sitting(state, config, about, {**LOOKS, **looks}, of_another=of_another)
    assert pack({}, blocks)  # what the browser gets
    found: dict[str, list[Block]] = {}
    for block in blocks:
        found.setdefault(block.words["kind"], []).append(block)
    return found


def verdict(*rows: Row, **given: Any) -> Block:
    return drawn(judged(*rows, **given))["progress"][0]


def panes(state: Judged, **given: Any) -> list[dict[str, Any]]:
    """What is told of each map; the first is of the picture."""
    (block,) = drawn(state, **given)["explained"]
    described: list[dict[str, Any]] = block.words["rows"][1:]
    return described


# The maps


def large(**given: Any) -> Row:
    """A map of 224×224 of which one pixel is 8 and one −2, drawn as means of 2×2."""
    values = np.zeros((112, 112), np.float16)
    values[5, 6], values[0, 0] = 2 / 8, -0.5 / 8
    return row("integrated", 0.75, values=values, least=-2.0, most=8.0, **given)


def speaks_of_the_whole_map() -> None:
    """What is said and coloured is the map, not the means that are drawn: those reach 2."""
    shape, rows = (3, 224, 224), (large(), *WITNESSES)
    first = panes(judged(*rows), shape=shape)[0]
    assert first["words"] == "−2 to 8 logits; drawn as means of 2×2 pixels"
    assert (first["h"], first["high"]) == (112, 8.0)
    smaller = row("occlusion", 0.1, values=np.ones((112, 112), np.float16), scale=4.0)
    told = panes(judged(large(), smaller, *WITNESSES), shape=shape, scale="one")
    assert [each["high"] for each in told[:2]] == [8.0, 8.0]
    tiny = large(scale=1.6e-6)  # its means are 4e-7: only the whole map is beyond what is none
    tiny = replace(tiny, least=-0.4e-6, most=1.6e-6, negligible=1e-6)
    assert panes(judged(tiny, *WITNESSES), shape=shape)[0]["empty"] == ""


def test_ranges_colours_and_emptiness_are_of_the_whole_map() -> None:
    speaks_of_the_whole_map()


@pytest.mark.parametrize("wrong", ["range", "reach"])
def test_that_rejects_the_means_that_are_drawn(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if wrong == "range":
        monkeypatch.setattr(sitting, "_extremes", lambda row: row.map)
    else:
        monkeypatch.setattr(sitting, "shown", lambda maps, looks, _: shown(maps, looks))
    with pytest.raises(AssertionError):
        speaks_of_the_whole_map()


def test_a_map_that_is_drawn_as_it_is_says_no_more() -> None:
    first = panes(judged(*ROWS))[0]
    assert first["words"] == "−8 to 4 logits per unit"
    assert panes(judged(*ROWS))[-1]["name"] == "Gradient of random weights"


def test_contours_stand_where_what_is_drawn_has_them() -> None:
    """Of a means' means nothing reaches half of the whole map's largest value."""
    first = panes(judged(large(), *WITNESSES), shape=(3, 224, 224), view="contour")[0]
    assert (first["h"], first["high"]) == (56, 0.5)
    assert first["empty"] == ""


def test_a_map_whose_zero_says_nothing_is_shown_less_its_mean() -> None:
    values = np.array([[1.0, -0.5], [-0.25, -0.25]], np.float16)  # as the court keeps it
    rise = row("rise", 0.2, values=values, scale=4.0, least=-2.0, most=4.0)
    block = drawn(judged(rise, *WITNESSES))["explained"][0]
    first = block.words["rows"][1]
    assert first["words"] == "−2 to 4 logits, less the mean"
    assert first["high"] == 4.0
    assert block.numbers[first["at"] :][:4].tolist() == [4, -2, -1, -1]


@pytest.mark.parametrize("view", ["map", "overlay", "contour"])
@pytest.mark.parametrize("scale", ["own", "most", "one"])
def test_an_empty_map_and_one_that_there_is_not_are_said_to_be_so(view: str, scale: str) -> None:
    empty = replace(
        row("deeplift", 0.1),
        values=np.zeros((2, 2), np.float16),
        scale=0.0,
        least=0.0,
        most=0.0,
    )
    told = panes(judged(empty, REFUSED, *WITNESSES), view=view, scale=scale)
    assert told[0]["empty"] == "This map is empty: nothing beyond 0 logits."
    assert told[1]["empty"] == "There is no map."
    assert told[1]["words"] == "This network has no maps."
    assert all(each["empty"] == "" for each in told[2:])
    assert all(np.isfinite(each["high"]) and each["high"] > 0 for each in told)


# Who wins


def test_the_winner_and_the_witness_that_is_best_are_named() -> None:
    block = verdict(*ROWS)
    assert block.words["text"] == (
        "Integrated gradients wins with 75.0 %, insertion less deletion, the mean of all that a "
        "gone pixel becomes; then comes Edges with 50.0 %. Of those that know nothing, "
        "Edges is the best, with 50.0 %, and beats Gradient."
    )
    assert block.words["warn"]
    all_above = verdict(row("gradient", 0.875), row("integrated", 0.75), *WITNESSES)
    assert all_above.words["text"].endswith("is the best, with 50.0 %, and no method is below it.")
    assert not all_above.words["warn"]


def test_of_equal_ones_none_wins_and_none_is_beaten() -> None:
    first, second = row("gradient", 0.75), row("integrated", 0.75)
    assert (
        verdict(first, second, *WITNESSES)
        .words["text"]
        .startswith(
            "Gradient and Integrated gradients are level at 75.0 %, insertion less deletion, "
            "the mean of all that a gone pixel becomes; then comes Edges with 50.0 %."
        )
    )
    block = verdict(row("integrated", 0.5), *WITNESSES)
    assert block.words["text"] == (
        "Integrated gradients and Edges are level at 50.0 %, insertion less deletion, the mean of "
        "all that a gone pixel becomes; then comes Centre with 25.0 %. Of those that know nothing, "
        "Edges is the best, with 50.0 %, and no method is below it."
    )
    assert not block.words["warn"]


def test_a_court_that_sits_says_how_far_it_is() -> None:
    block = verdict(*ROWS[:3], expected=8, working="now RISE")
    assert block.words["text"] == "Why 3? 3 of 8 maps are judged. Now RISE."
    assert block.words["value"] == 3 / 8
    assert drawn(judged(expected=8, working="now Gradient"))["explained"]  # the picture alone


def test_areas_stand_in_the_order_of_the_ranking_with_what_they_cost() -> None:
    (block,) = drawn(judged(*ROWS))["bars"]
    names = [name for name, _, _ in block.words["rows"]]
    assert names == [
        "Integrated gradients",
        "Edges",
        "Gradient",
        "Centre",
        "Random",
        "Gradient of random weights",
        "Grad-CAM",
    ]
    notes = {name: note for name, note, _ in block.words["rows"]}
    cost = "1,250 read, 12 gradients, 0.50 s"
    assert notes["Integrated gradients"] == cost
    assert notes["Gradient"] == f"{cost}; ordered by size, without the sign"
    assert notes["Grad-CAM"] == "This network has no maps."
    shares = [[share for share, _ in bars] for _, _, bars in block.words["rows"]]
    assert shares[0] == [0.75, 0.0]


def test_who_wins_each_way_is_said_where_it_differs() -> None:
    low, high = [0.1] * 5, [0.9] * 5
    first = row("gradient", 0.0, deletion=np.array([low, high]), insertion=np.array([high, high]))
    second = row(
        "integrated", 0.0, deletion=np.array([high, low]), insertion=np.array([low, [0.8] * 5])
    )
    (block,) = drawn(judged(first, second, row("edges", 0.3, CONTROL, deletion=first.insertion)))[
        "bars"
    ]
    assert block.words["under"].endswith(
        "Deletion is won by Gradient (grey) and Integrated gradients (noise); "
        "insertion by Gradient."
    )
    (block,) = drawn(judged(first, second, working="now RISE"))["bars"]
    assert "won" not in block.words["under"]


# The curves


def test_who_knows_nothing_has_a_colour_beside_the_chosen_and_the_winner() -> None:
    lines = drawn(judged(*ROWS), court_row=1)["lines"]
    named = ["Gradient", "Integrated gradients", "Edges", "Random", "Centre"]
    for block in lines:
        assert block.words["names"] == [*named, "Gradient of random weights"]
        assert block.words["faint"] == len(ROWS) - 6
    one = drawn(judged(*ROWS), court_imputer="noise")["lines"][0]
    assert len(one.words["names"]) == 6


def are_colours_apart(text: str) -> None:
    """Each curve that stands out has a colour, unlike all others and the ground, in both themes."""
    (line,) = (each for each in text.splitlines() if each.startswith("const RUNS"))
    themes = [re.findall("#[0-9a-f]{6}", each) for each in line.split("true:")]
    for colours, ground in zip(themes, ("#ffffff", "#0e151c"), strict=True):
        assert len(colours) >= STRONG
        for one, other in combinations([*colours, ground], 2):
            parts = [[int(each[k : k + 2], 16) / 255 for k in (1, 3, 5)] for each in (one, other)]
            first, second = rgb2lab(np.array([parts]))[0]
            apart = deltaE_ciede2000(first, second)  # type: ignore[no-untyped-call]  # it has no types
            assert apart > 20, (one, other)


def test_as_many_curves_have_a_colour_of_their_own() -> None:
    text = (JS / "screen.js").read_text(encoding="utf-8")
    are_colours_apart(text)
    for wrong in (text.replace(", '#3d2b8e'", ""), text.replace("#8f7bff", "#6fb9e9")):
        assert wrong != text
        with pytest.raises(AssertionError):
            are_colours_apart(wrong)
    styles = (JS / "screen.css").read_text(encoding="utf-8")
    for k in range(STRONG):
        assert f".run.k{k} {{ border-color: var(--run{k}); }}" in styles


# Whose picture


def test_a_sitting_of_another_picture_is_marked() -> None:
    told = drawn(judged(*ROWS), of_another=True)["progress"]
    assert [block.words["text"] for block in told[1:]] == [ANOTHER]
    assert told[1].words["warn"]
    assert len(drawn(judged(*ROWS))["progress"]) == 1


def test_a_sitting_is_of_another_picture_where_one_255th_differs() -> None:
    pixels = np.full((1, 28, 28), 0.4)
    changed = pixels.copy()
    changed[0, 3, 4] += 1 / 255
    nearly = pixels + 1e-4
    for seen, other in ((pixels, False), (nearly, False), (changed, True)):
        pinned = cast(Pinned, SimpleNamespace(pixels=seen))
        assert of_another(packed(pixels), partial(copy, pinned)) == other

    def gone() -> Pinned:
        raise ValueError("picture must be there")

    assert not of_another(packed(pixels), gone)
