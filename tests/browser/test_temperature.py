"""The blocks of a temperature in a real browser, on a page of their own: no server, ten logits."""

import json
import math
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect

from tests.browser.alone import PAGE, packed
from ui import knowledge, temperature
from ui.blocks import Block
from ui.knowledge import Face
from ui.numbers import heat, spelt
from ui.temperature import Arrows

pytestmark = pytest.mark.browser
ADDRESS = "http://temperature.test"
LABELS = tuple("0123456789")
LOGITS = np.array([-3.1, 0.4, 9.2, 6.6, -7.0, -1.2, -4.4, 4.9, 1.3, -2.0])
Open = Callable[..., tuple[Page, "Shown"]]


def softened(logits: np.ndarray, warmth: float) -> np.ndarray:
    """Give p at T, the limits too."""
    if warmth == 0:
        powers = (logits == logits.max()).astype(float)
    else:
        powers = np.exp((logits - logits.max()) / warmth)
    share: np.ndarray = powers / powers.sum()
    return share


def entropy(p: np.ndarray) -> float:
    return float(-np.sum(p[p > 0] * np.log(p[p > 0])))


class Shown:
    """What a page's script would hold: what was told, and what is drawn of it."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {"temperature": 2.0, "logits": LOGITS.tolist()}
        self.told: list[tuple[str, Any]] = []

    def blocks(self) -> list[Block]:
        warmth, z = heat(self.values["temperature"]), np.array(self.values["logits"])
        p, hard = softened(z, warmth), softened(z, 1)
        scaled = z / warmth if warmth else np.full(10, math.nan)
        powers = np.exp(scaled - scaled.max()) if warmth else p / p.max()
        chosen = self.values.get("class")
        axis = np.geomspace(0.05, 100, 120)
        spread = float(p @ z**2 - (p @ z) ** 2)
        slope = spread / warmth**3 if 0 < warmth < math.inf else math.nan
        student = softened(z * 0.4 + np.sin(np.arange(10)), warmth)
        counts = np.random.default_rng(0).multinomial(1000, p)
        beta = np.linspace(0, 2, 101)
        loss = 0.2 + 0.3 * (beta - 0.6) ** 2
        bins = np.array([0, 0, 0, 1, 3, 6, 9, 15, 20, 33, 41, 60, 85, 210, 5000])
        middles = (np.arange(15) + 0.6) / 15
        means = np.abs(np.outer(np.arange(1.0, 11), np.sin(np.arange(10) * 2 + 1))) ** 4 * 1e-5
        pixels = np.linspace(0, 1, 196).reshape(1, 14, 14)
        cell = self.values.get("cell")
        return [
            temperature.dial("temperature", "Temperature", warmth, also=[(1.83, "fitted 1.83")]),
            temperature.softmax(
                LABELS,
                z,
                scaled,
                powers,
                p,
                temperature=warmth,
                total=float(powers.sum()),
                subtracted=float(z.max()),
                title="Softmax",
                chosen=chosen,
            ),
            temperature.logits(
                "logits",
                LABELS,
                z,
                title="Your own logits",
                presets=[("all equal", [0.0] * 10), ("one ahead", [5.0] + [0.0] * 9)],
            ),
            temperature.entropy(
                axis,
                np.array([entropy(softened(z, each)) for each in axis]),
                temperature=warmth,
                now=entropy(p),
                slope=slope,
                classes=10,
                title="Entropy",
                name="temperature",
                under=f"dH/dT = Var(z)/T³ = {slope:.3g}",
            ),
            temperature.arrows(
                LABELS,
                [
                    Arrows(name="hard: p − y", values=hard - np.eye(10)[3]),
                    Arrows(name="soft: (q − p)/T", values=(student - p) / (warmth or 1)),
                ],
                title="Gradients",
                chosen=chosen,
                name="class",
            ),
            temperature.draws(
                LABELS,
                counts,
                1000 * p,
                np.sqrt(1000 * p * (1 - p)),
                title="A thousand draws",
                under="χ² = 7.1 on 9 degrees of freedom",
            ),
            knowledge.reliability(
                bins,
                np.where(bins > 0, middles, math.nan),
                np.where(bins > 0, middles * 0.9, math.nan),
                error=0.0123,
                title="Reliability",
            ),
            knowledge.nll(
                beta,
                [("validation", loss), ("test", loss + 0.02)],
                temperature=warmth,
                fitted=1.6,
                title="Loss over 1/T",
                name="temperature",
            ),
            knowledge.darkness(
                LABELS, means, title="Mean probabilities", chosen=tuple(cell) if cell else None
            ),
            knowledge.faces(
                [
                    Face(
                        pixels=pixels,
                        name=f"#{k}",
                        words="KL 0.31 nats",
                        hard=2,
                        probabilities=(p, student),
                        tells=k,
                    )
                    for k in (7, 9)
                ],
                LABELS,
                ["teacher", "student"],
                title="Pictures",
                log=True,
                columns=2,
                span=6,
            ),
        ]

    def answer(self, route: Route, asked: Request) -> None:
        if "/progress" in asked.url:
            route.fulfill(status=204)
        elif asked.method == "POST":
            said = json.loads(asked.post_data or "")
            self.values[said["name"]] = said["value"]
            self.told.append((said["name"], said["value"]))
            route.fulfill(body=packed(self.blocks()))
        elif asked.url.endswith("/packet"):
            route.fulfill(body=packed(self.blocks()))
        else:
            route.fulfill(body=PAGE, content_type="text/html; charset=utf-8")


@pytest.fixture
def opened(browser: Browser) -> Iterator[Open]:
    pages: list[Page] = []
    trouble: list[str] = []

    def open_page(*, width: int = 1200, theme: Any = "light") -> tuple[Page, Shown]:
        page, shown = browser.new_page(viewport={"width": width, "height": 900}), Shown()
        pages.append(page)
        page.emulate_media(color_scheme=theme)
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.route(f"{ADDRESS}/**", shown.answer)
        page.goto(ADDRESS + "/")
        page.wait_for_selector(".softs .body .soft")
        return page, shown

    yield open_page
    for page in pages:
        page.close()
    assert not trouble, trouble


def to(page: Page, warmth: str) -> None:
    """Type a temperature, and wait until it is drawn."""
    page.locator(".dial [type=text]").fill(warmth)
    page.keyboard.press("Enter")
    drawn(page, warmth)


def drawn(page: Page, warmth: str) -> None:
    """What the server answered to a temperature is there: the softmax says it in its words."""
    expect(page.locator(".softs")).to_have_attribute("aria-label", re.compile(f"T = {warmth}:"))
    expect(page.locator(".dial [type=text]")).to_have_value(warmth)


def answered(page: Page) -> AbstractContextManager[Any]:
    """Wait until what is told within has been heard."""
    return page.expect_response(lambda answer: answer.request.method == "POST")


def shares(page: Page) -> np.ndarray:
    texts = page.locator(".softs .body .cell.p b").all_text_contents()
    return np.array([1 - float(t[4:]) if t.startswith("1 −") else float(t) for t in texts])


def widths(page: Page, bars: str) -> np.ndarray:
    """Measure bars, as shares of their tracks."""
    measured = page.locator(bars).evaluate_all(
        "all => all.map(i => i.getBoundingClientRect().width"
        " / i.parentElement.getBoundingClientRect().width)"
    )
    return np.array(measured)


def test_what_is_printed_and_drawn_is_the_softmax_and_nothing_jumps(opened: Open) -> None:
    page, shown = opened()
    tops = set()
    for warmth in ("0", "0.1", "0.5", "1", "4", "20", "∞"):
        to(page, warmth)
        wanted = softened(LOGITS, heat(warmth if warmth == "∞" else float(warmth)))
        np.testing.assert_allclose(shares(page), wanted, rtol=0.0501)
        np.testing.assert_allclose(widths(page, ".softs .body .cell.p i"), wanted, atol=2e-3)
        assert not np.allclose(shares(page), softened(LOGITS, 2), rtol=0.0501)  # where it began
        assert shown.told[-1][1] == ("inf" if warmth == "∞" else float(warmth))
        tops.add(tuple(page.locator("section").evaluate_all("all => all.map(e => e.offsetTop)")))
    assert len(tops) == 1


def test_the_numbers_in_the_formula_give_the_result(opened: Open) -> None:
    page, _ = opened()
    row = page.locator(".softs .body .soft").nth(7)
    row.hover()
    formula = page.locator(".formula")
    expect(formula.locator(".of")).to_have_text("p(7)")
    top, bottom = (float(each) for each in formula.locator(".worked > *").all_text_contents())
    assert top / bottom == pytest.approx(softened(LOGITS, 2)[7], rel=0.01)
    assert float(formula.locator(".result").inner_text()) == pytest.approx(top / bottom, rel=0.01)
    z, least, warmth = re.findall(r"[\d.]+", formula.locator(".given > *").first.inner_text())
    assert math.exp((float(z) - float(least)) / float(warmth)) == pytest.approx(top, rel=0.01)
    page.locator(".softs h4, .dial").first.hover()
    expect(formula.locator(".of")).to_have_text("p(2)")  # the likeliest again


def test_a_class_is_chosen_by_a_click_and_by_arrow_keys(opened: Open) -> None:
    page, shown = opened()
    with answered(page):
        page.locator(".softs .body .soft").nth(4).click()
    assert shown.told[-1] == ("class", 4)
    expect(page.locator(".softs .body .at .name")).to_have_text("4")
    page.mouse.move(0, 0)
    page.locator(".softs").focus()
    with answered(page):
        page.keyboard.press("ArrowDown")
    expect(page.locator(".softs .body .at .name")).to_have_text("5")
    expect(page.locator(".formula .of")).to_have_text("p(5)")
    assert shown.told[-1] == ("class", 5)
    with answered(page):
        page.locator(".pull canvas").first.click(position={"x": 5, "y": 60})
    assert shown.told[-1] == ("class", 0)
    expect(page.locator(".softs .body .at .name")).to_have_text("0")
    told = page.locator(".arrows > output")
    page.mouse.move(0, 0)
    expect(told).to_have_text(re.compile(r"^0: hard: p − y 4\.2e-6; soft"))


def test_the_dial_reaches_its_marks_and_both_limits_by_keys(opened: Open) -> None:
    page, shown = opened()
    page.locator(".dial [type=range]").focus()
    steps = [
        ("PageUp", "4"),
        ("Shift+ArrowRight", "10"),
        ("ArrowRight", "10.5"),
        ("ArrowLeft", "10"),
        ("End", "∞"),
        ("ArrowRight", "∞"),
        ("ArrowLeft", "100"),
        ("Home", "0"),
        ("ArrowLeft", "0"),
        ("ArrowRight", "0.05"),
    ]
    for key, warmth in steps:
        page.keyboard.press(key)
        drawn(page, warmth)
        assert heat(shown.values["temperature"]) == heat(warmth if warmth == "∞" else float(warmth))
    for mark in ("∞", "20"):
        page.locator(".dial .marks button", has_text=re.compile(f"^{mark}$")).click()
        drawn(page, mark)
        expect(page.locator(".dial .marks .here")).to_have_text(mark)
    page.locator(".dial .chip").click()
    drawn(page, "1.83")
    for typed, warmth in (("nonsense", "1.83"), ("-3", "1.83"), ("500", "100"), ("1,5", "1.5")):
        page.locator(".dial [type=text]").fill(typed)
        page.keyboard.press("Enter")
        drawn(page, warmth)


def test_all_bars_move_while_the_dial_is_dragged(opened: Open) -> None:
    page, shown = opened()
    box = page.locator(".dial [type=range]").bounding_box()
    assert box
    middle = box["y"] + box["height"] / 2
    thumb = page.locator(".dial .marks .here").evaluate("b => b.getBoundingClientRect()")
    page.mouse.move(thumb["x"] + thumb["width"] / 2, middle)
    page.mouse.down()
    seen = [shares(page)]
    for share in (0.6, 0.75, 0.9):
        page.mouse.move(box["x"] + share * box["width"], middle, steps=2)
        warmth = page.locator(".dial [type=text]").input_value()
        drawn(page, warmth)
        np.testing.assert_allclose(shares(page), softened(LOGITS, float(warmth)), rtol=0.0501)
        seen.append(shares(page))
    page.mouse.move(box["x"] + box["width"] + 50, middle)
    drawn(page, "∞")
    page.mouse.up()
    assert shown.told[-1] == ("temperature", "inf")
    assert len({each[2] for each in seen}) == 4
    expect(page.locator(".screen[aria-busy]")).to_have_count(0)
    expect(page.locator(".dial [type=text]")).to_have_value("∞")


def test_each_slider_tells_all_logits(opened: Open) -> None:
    page, shown = opened()
    knob = page.locator(".knob input").nth(3)
    knob.evaluate("each => { each.value = -4.56; each.dispatchEvent(new Event('input')) }")
    wanted = [*LOGITS[:3].tolist(), -4.6, *LOGITS[4:].tolist()]
    expect(page.locator(".softs .body .z").nth(3)).to_have_text("−4.60")
    assert shown.told[-1] == ("logits", wanted)
    knob.evaluate("each => each.dispatchEvent(new Event('change'))")
    knob.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".softs .body .z").nth(3)).to_have_text("−4.50")
    page.get_by_role("button", name="all equal").click()
    expect(page.locator(".softs .body .z").nth(3)).to_have_text("0")
    np.testing.assert_allclose(shares(page), 0.1)
    assert page.locator(".knob output").all_text_contents() == ["0.00"] * 10


@pytest.mark.parametrize(
    ("curve", "ends"), [("entropy", [0.05, 100]), ("nll", ["inf", 0.5])], ids=["entropy", "nll"]
)
def test_a_point_of_a_curve_is_dragged_and_moved_by_keys(
    opened: Open, curve: str, ends: list[Any]
) -> None:
    page, shown = opened()
    page.locator(f".{curve} canvas").scroll_into_view_if_needed()
    box = page.locator(f".{curve} canvas").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 60)
    page.mouse.down()
    for x, end in zip((box["x"], box["x"] + box["width"] - 2), ends, strict=True):
        page.mouse.move(x, box["y"] + 60, steps=3)
        drawn(page, spelt(heat(end)))
        assert shown.told[-1] == ("temperature", end)
    page.mouse.up()
    page.locator(f".{curve} canvas").focus()
    page.keyboard.press("ArrowLeft")
    drawn(page, "98" if curve == "entropy" else "0.52")


def test_a_cell_is_told_and_the_diagonal_is_none(opened: Open) -> None:
    page, shown = opened()
    cells = page.locator(".night button")
    assert cells.count() == 90
    assert page.locator(".night .masked").count() == 10
    with answered(page):
        cells.nth(0).click()
    assert shown.told[-1] == ("cell", [0, 1])
    expect(page.locator(".night .chosen")).to_have_count(1)
    expect(page.locator(".darkness > output")).to_have_text(
        re.compile(r"^true 0: mean p of 1 = \d\.\de-")
    )
    page.keyboard.press("ArrowDown")  # over the diagonal
    page.keyboard.press("Enter")
    expect(page.locator(".night .chosen")).to_have_attribute(
        "aria-label", re.compile("^true 2: mean p of 1 ")
    )
    assert shown.told[-1] == ("cell", [2, 1])
    page.keyboard.press("Enter")
    expect(page.locator(".night .chosen")).to_have_count(0)
    assert shown.told[-1][1] is None


def test_a_picture_is_told_and_its_bars_are_read(opened: Open) -> None:
    page, shown = opened()
    with answered(page):
        page.locator(".card").nth(1).click()
    assert shown.told[-1] == ("picture", 9)
    page.locator(".card .shares").first.hover(position={"x": 60, "y": 2.5 * 18})
    expect(page.locator(".faces > output")).to_have_text(
        re.compile(r"^#7, 2 \(the label\): teacher 0\.698, student 0\.\d+$")
    )


def test_a_bin_is_read_where_it_is_pointed_at(opened: Open) -> None:
    page, _ = opened()
    canvas = page.locator(".reliability canvas")
    box = canvas.bounding_box()
    assert box
    canvas.hover(position={"x": box["width"] - 15, "y": 100})
    expect(page.locator(".reliability > output")).to_have_text(
        re.compile(
            r"^\(0\.933, 1\.000\]: 5,000 images, confidence 0\.973, accuracy 0\.876, gap 0\.097"
        )
    )
    canvas.hover(position={"x": 70, "y": 100})  # an empty one
    expect(page.locator(".reliability > output")).to_have_text("")


def test_draws_stand_beside_what_was_to_be_expected(opened: Open) -> None:
    page, _ = opened()
    bars = widths(page, ".counts .count u > i")
    counts = [
        int(text.replace(",", ""))
        for text in page.locator(
            ".counts .count:not(.heads) .told:nth-child(3)"
        ).all_text_contents()
    ]
    assert sum(counts) == 1000
    np.testing.assert_allclose(bars, np.array(counts) / 1000, atol=2e-3)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_is_wider_than_a_phone(opened: Open, theme: str) -> None:
    page, _ = opened(width=390, theme=theme)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
