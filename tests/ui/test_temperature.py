"""Blocks of a softmax say what its numbers are, draw them to scale, and hide no trouble."""

import json
import math
import re
import struct
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from ui import blocks, knowledge, temperature
from ui.blocks import Block
from ui.numbers import plain
from ui.screen import JS, PARTS
from ui.temperature import Arrows

FORM = {"rows", "places", "classes", "groups", "panels", "numbers"}  # another one is built anew
LOGITS = np.array([-3.0, 0.5, 9.0, 6.0, 9.0 - 1e-3])


def received(block: Block) -> tuple[Any, np.ndarray]:
    """Give a block's words and its numbers, sent behind another block's."""
    before = blocks.reading((np.ones((1, 2, 2)), np.ones(1)), ["a"], "t", "h", span=3)
    packet = blocks.pack({}, [before, block])
    (length,) = struct.unpack("<I", packet[:4])
    words = json.loads(packet[4 : 4 + length])["blocks"][1]
    return words, np.frombuffer(packet[4 + length :], "<f4")[words["offset"] :]


def softmax(
    logits: np.ndarray, warmth: float, *, naive: bool = False, **more: Any
) -> dict[str, Any]:
    """Give the words of a softmax, of numbers that are worked out here."""
    with np.errstate(all="ignore"):
        scaled = logits / warmth
        least = None if naive else float(scaled.max())
        powers = np.exp(scaled - (least or 0.0))
        shares = powers / powers.sum()
        logs = scaled - np.logaddexp.reduce(scaled)
    block = temperature.softmax(
        [str(k) for k in range(len(logits))],
        logits,
        scaled,
        powers,
        shares,
        temperature=warmth,
        total=float(powers.sum()),
        subtracted=None if naive else float(logits.max()),
        log_probabilities=logs,
        title="t",
        **more,
    )
    words: dict[str, Any] = received(block)[0]
    return words


def column(words: dict[str, Any], name: str) -> list[Any]:
    return [row[name] for row in words["table"]]


@pytest.mark.parametrize("warmth", [0.5, 1, 2, 20, math.inf])
def test_bars_of_p_are_p_and_those_of_the_exponentials_parts_of_the_largest(warmth: float) -> None:
    words = softmax(LOGITS, warmth)
    powers = np.exp((LOGITS - LOGITS.max()) / warmth)
    np.testing.assert_allclose(column(words, "height"), powers, rtol=1e-12)
    np.testing.assert_allclose(column(words, "share"), powers / powers.sum(), rtol=1e-12)
    assert float(words["total"]) == pytest.approx(powers.sum(), rel=5e-5)
    assert words["subtracted"] == plain(float(LOGITS.max()))


def test_z_is_seen_to_shrink_as_it_gets_warmer_and_to_reach_further_than_there_is_room() -> None:
    for warmth in (1, 2, 10):
        found = softmax(LOGITS, warmth)
        np.testing.assert_allclose(column(found, "tilt"), LOGITS / 9 / warmth, rtol=1e-12)
        assert not any(column(found, "beyond"))
    cold = softmax(LOGITS, 0.5)
    assert column(cold, "tilt")[2:4] == [1, 1]
    assert column(cold, "beyond") == (abs(LOGITS / 0.5) > 9).tolist()


def test_an_overflow_is_said_and_what_comes_of_it() -> None:
    logits = np.array([800.0, 790.0, 1.0, -900.0])
    words = softmax(logits, 1, naive=True)
    assert column(words, "state") == ["overflow", "overflow", "", "underflow"]
    assert column(words, "p") == ["NaN", "NaN", "0", "0"]  # as the naive form gives it
    assert words["total"] == "∞"
    assert words["subtracted"] is None
    mended = softmax(logits, 1)
    assert column(mended, "state") == ["", "", "underflow", "underflow"]
    wanted = [Decimal(z - 800).exp() for z in (800, 790, 1, -900)]
    for said, power in zip(column(mended, "p"), wanted, strict=True):  # none is 0
        assert abs(Decimal(said) * sum(wanted) / power - 1) < Decimal("0.0501")


def test_at_zero_nothing_is_divided_and_ties_are_shared() -> None:
    block = temperature.softmax(
        ["a", "b", "c"],
        np.array([3.0, 3.0, 1.0]),
        np.array([math.nan, math.inf, math.nan]),
        np.array([1.0, 1.0, 0.0]),
        np.array([0.5, 0.5, 0.0]),
        temperature=0,
        total=2.0,
        subtracted=3.0,
        title="t",
    )
    words = received(block)[0]
    assert words["frozen"]
    assert column(words, "scaled") == ["–", "–", "–"]
    assert column(words, "tilt") == [0, 0, 0]
    assert column(words, "p") == ["0.500", "0.500", "0"]
    assert column(words, "state") == ["", "", ""]


def test_the_naive_form_divides_by_zero_and_shows_it() -> None:
    words = softmax(np.array([3.0, 0.0, -1.0]), 0.0, naive=True)
    assert not words["frozen"]
    assert column(words, "scaled") == ["∞", "NaN", "−∞"]
    assert column(words, "tilt") == [1, 0, -1]
    assert column(words, "state") == ["division", "not a number", ""]
    assert column(words, "p") == ["NaN", "NaN", "NaN"]


@given(seed=some.integers(0, 1000), warmth=some.sampled_from([0.1, 1.0, 7.0, math.inf]))
def test_of_many_classes_nothing_is_left_out_and_none_changes_place(
    seed: int, warmth: float
) -> None:
    logits = np.random.default_rng(seed).normal(size=40) * 3
    words = softmax(logits, warmth, most=8)
    assert column(words, "id") == [*np.argsort(-logits, kind="stable")[:8].tolist(), -1]
    assert sum(column(words, "share")) == pytest.approx(1, abs=1e-12)
    assert words["table"][-1]["label"] == "32 others"
    assert words["level"] == 1 / 40


def test_that_oracle_rejects_a_softmax_cut_to_its_largest_logits() -> None:
    """As the field's best known page does it: renormalised over those that are shown."""
    logits = np.random.default_rng(0).normal(size=400)
    cut = softmax(np.sort(logits)[::-1][:50], 2, most=60)
    whole = softmax(logits, 2, most=50)
    assert sum(column(cut, "share")) == pytest.approx(1)
    assert sum(column(whole, "share")[:50]) < 0.5


def test_on_a_log_scale_a_small_p_is_seen() -> None:
    words = softmax(np.log([0.989, 0.01, 0.001]), 1, log=True)
    np.testing.assert_allclose(column(words, "share")[1:], [4 / 6, 3 / 6], rtol=1e-9)
    assert words["level"] == pytest.approx(1 + math.log10(1 / 3) / 6)


def test_the_class_in_the_formula_is_the_chosen_one_or_the_likeliest() -> None:
    assert softmax(LOGITS, 1)["at"] == 2
    assert softmax(LOGITS, 1, chosen=3)["at"] == 3
    assert softmax(LOGITS, 1, chosen=0, most=2)["at"] == 2  # it has no row


def test_a_dial_is_sent_with_its_ends() -> None:
    words = received(temperature.dial("t", "T", math.inf, also=[(1.83, "fitted")]))[0]
    assert words["value"] is None  # JSON has no ∞
    assert received(temperature.dial("t", "T", 0.0))[0]["value"] == 0
    assert [text for _, text in words["marks"]] == ["0.1", "0.5", "1", "2", "4", "10", "20"]
    assert words["also"] == [[1.83, "fitted"]]


def test_sliders_reach_as_far_as_their_values() -> None:
    words = received(temperature.logits("z", ["a", "b"], np.array([-3.0, 12.3]), title="t"))[0]
    assert words["values"] == [-3.0, 12.3]
    assert (words["low"], words["high"]) == (-10, 13)


def test_arrows_share_a_scale_so_that_a_missing_square_is_seen() -> None:
    hard, soft = np.array([0.5, -1.0, 0.5]), np.array([0.005, -0.01, 0.005])
    rows = [Arrows(name="hard", values=hard), Arrows(name="soft", values=soft)]
    both = received(temperature.arrows(["a", "b", "c"], rows, title="t"))[0]["series"]
    np.testing.assert_allclose([each["shares"] for each in both], [hard, soft])
    own = received(temperature.arrows(["a", "b", "c"], rows, title="t", own=True))[0]["series"]
    np.testing.assert_allclose([each["shares"] for each in own], [hard, hard])
    assert "own scale ±0.0100" in own[1]["scale"]
    assert own[1]["norm"] == plain(math.sqrt(1.5e-4))


def entropy(logits: np.ndarray, warmth: float) -> float:
    powers = np.exp((logits - logits.max()) / warmth)
    p = powers / powers.sum()
    return float(-(p * np.log(p)).sum())


@pytest.mark.parametrize("warmth", [0.7, 2.0, 9.0])
def test_the_tangent_touches_the_curve_that_is_drawn_over_the_logarithm(warmth: float) -> None:
    powers = np.exp((LOGITS - LOGITS.max()) / warmth)
    p = powers / powers.sum()
    slope = float(p @ LOGITS**2 - (p @ LOGITS) ** 2) / warmth**3
    axis = np.geomspace(0.05, 100, 30)
    words, numbers = received(
        temperature.entropy(
            axis,
            np.array([entropy(LOGITS, each) for each in axis]),
            temperature=warmth,
            now=entropy(LOGITS, warmth),
            slope=slope,
            classes=5,
            title="t",
        )
    )
    tiny = 1e-5
    rise = entropy(LOGITS, warmth * math.exp(tiny)) - entropy(LOGITS, warmth * math.exp(-tiny))
    assert words["slope"] == pytest.approx(rise / (2 * tiny), rel=1e-6)
    assert slope != pytest.approx(rise / (2 * tiny), rel=0.1)  # dH/dT itself is another slope
    np.testing.assert_allclose(numbers[:30], axis, rtol=1e-6)


@pytest.mark.parametrize(("warmth", "place"), [(0.0, 0.05), (math.inf, 100.0)])
def test_at_its_ends_the_curve_has_a_point_and_no_tangent(warmth: float, place: float) -> None:
    words, _ = received(
        temperature.entropy(
            np.geomspace(0.05, 100, 9),
            np.linspace(0, 1, 9),
            temperature=warmth,
            now=1.0,
            slope=math.nan,
            classes=5,
            title="t",
        )
    )
    assert words["slope"] is None
    assert words["marks"][0][0] == pytest.approx(place)


def test_what_is_far_from_its_theory_is_marked_and_what_was_cut_too() -> None:
    expected, spreads = np.array([50.0, 50.0, 0.0]), np.array([5.0, 5.0, 0.0])
    words, _ = received(
        temperature.draws(
            ["a", "b", "c"],
            np.array([60, 39, 0]),
            expected,
            spreads,
            before=np.array([40.0, 40.0, 20.0]),
            title="t",
        )
    )
    assert [row["far"] for row in words["bars"]] == [False, True, False]
    assert [row["cut"] for row in words["bars"]] == [False, False, True]
    assert [row["share"] for row in words["bars"]] == [0.6, 0.39, 0]
    assert [row["theory"] for row in words["bars"]] == ["50.0 ± 5.00", "50.0 ± 5.00", "0 ± 0"]
    assert words["end"] == "100"


def test_the_others_spread_as_a_multinomial_does() -> None:
    p = np.arange(1.0, 31) / np.arange(1, 31).sum()
    counts = np.random.default_rng(0).multinomial(1000, p)
    words, _ = received(
        temperature.draws(
            [str(k) for k in range(30)],
            counts,
            1000 * p,
            np.sqrt(1000 * p * (1 - p)),
            title="t",
            most=10,
        )
    )
    rest = np.argsort(p)[:20]
    covariance = 1000 * (np.diag(p) - np.outer(p, p))
    spread = math.sqrt(covariance[np.ix_(rest, rest)].sum())
    assert words["bars"][-1]["theory"] == f"{plain(1000 * p[rest].sum())} ± {plain(spread)}"
    assert words["bars"][-1]["count"] == str(counts[rest].sum())
    assert len(words["bars"]) == 11


EVERY = (
    temperature.dial("t", "T", 1.0),
    temperature.logits("z", ["a"], np.zeros(1), title="t"),
    temperature.softmax(
        ["a"],
        np.zeros(1),
        np.zeros(1),
        np.ones(1),
        np.ones(1),
        temperature=1.0,
        total=1.0,
        title="t",
    ),
    temperature.arrows(["a"], [Arrows(name="n", values=np.ones(1))], title="t"),
    temperature.entropy(
        np.array([0.1, 10]),
        np.zeros(2),
        temperature=1.0,
        now=0.0,
        slope=0.0,
        classes=1,
        title="t",
    ),
    temperature.draws(["a"], np.ones(1, np.int64), np.ones(1), np.ones(1), title="t"),
    knowledge.reliability(np.ones(2, np.int64), np.ones(2), np.ones(2), error=0.0, title="t"),
    knowledge.nll(np.array([0.1, 1]), [("n", np.zeros(2))], temperature=1.0, title="t"),
    knowledge.darkness(["a", "b"], np.ones((2, 2)), title="t"),
    knowledge.faces([], ["a"], ["n"], title="t"),
)


@pytest.mark.parametrize("block", EVERY, ids=lambda block: block.words["kind"])
def test_a_block_is_painted_by_one_kind_and_keeps_its_form(block: Block) -> None:
    """What has another form the browser builds anew, and with it all other blocks."""
    owners = [
        name
        for name in PARTS
        if re.search(
            rf"^  {block.words['kind']}: {{$",
            (JS / f"{name}.js").read_text(encoding="utf-8"),
            re.MULTILINE,
        )
    ]
    assert owners in (["temperature"], ["knowledge"])
    assert not FORM & set(block.words)
    received(block)
