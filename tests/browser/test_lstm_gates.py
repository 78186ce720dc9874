"""The panel of gates in a real browser, used as somebody would who wants to know what it keeps."""

import re
from urllib.parse import quote, urlencode

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from core.lstm_gates import GATES, Clamp, Gates
from core.lstm_gates.gates import gates
from core.lstm_gates.intervening import clamped
from core.lstm_gates.stored import load_built_in
from tests.browser.test_train_cnn import Visit

pytestmark = pytest.mark.browser
NUMBER = r"−?\d[\d.]*(?:e[−+]?\d+)?"
ON = 0.5
LEFT, WIDE, AXIS = 116, 22, 24  # pixels: of few characters the first begins, each is wide, stand


def part(page: Page, kind: str, screen: str = "lstm_screen") -> Locator:
    return page.locator(f".st-key-{screen} section.{kind}")


def own(text: str, network: str = "brackets") -> Gates:
    """Ask the engine's own function, in this process."""
    return gates(load_built_in(network), text)


def value(text: str) -> float:
    return float(text.replace("−", "-"))


def read(page: Page) -> tuple[int, int, dict[str, float]]:
    """Read unit, character and all its gates off the line below the maps."""
    line = part(page, "gates").locator("output").inner_text()
    place = re.match(r"unit (\d+) at character (\d+) '.+?': ", line)
    assert place, line
    told = re.findall(rf"(\w) ({NUMBER})(?:,|$)", line[place.end() :])
    return int(place[1]), int(place[2]), {gate: value(number) for gate, number in told}


def assert_engines_own(page: Page, text: str, layer: int = 1, network: str = "brackets") -> None:
    """The numbers below the maps are those of the engine, to what the screen tells of them."""
    unit, time, told = read(page)
    found = own(text, network)
    assert tuple(told) == GATES[found.cell]
    for gate, shown in told.items():
        values = found.values[gate][layer - 1]
        told_to = 0.0006 + float(abs(values).max()) / 2**15  # three digits, of 16 bits
        assert shown == pytest.approx(float(values[time, unit]), abs=told_to), gate


def chosen(page: Page, unit: int, time: int) -> None:
    line = part(page, "gates").locator("output")
    expect(line).to_have_text(re.compile(rf"^unit {unit} at character {time} "))


def area(page: Page) -> Locator:
    return part(page, "typed").locator("textarea")


def test_a_typed_character_shows_the_gates_that_the_engine_gives(visit: Visit) -> None:
    page = visit("/lstm_gates?lstm_unit=26")
    chosen(page, 26, 0)
    assert part(page, "gates").locator("output").inner_text().count(",") == 5
    area(page).fill("((")
    chosen(page, 26, 1)  # where it became another: what is written is looked at
    assert_engines_own(page, "((")
    area(page).press("End")
    area(page).press_sequentially("(")
    chosen(page, 26, 2)
    assert_engines_own(page, "(((")
    _, _, before = read(page)
    area(page).press_sequentially(")")
    chosen(page, 26, 3)
    assert_engines_own(page, "((()")
    assert read(page)[2] != before
    with pytest.raises(AssertionError):  # or this would tell nothing
        assert_engines_own(page, "))((")
    page.wait_for_url("**lstm_typed=*")
    canvas = part(page, "gates").locator("canvas")
    canvas.press("ArrowLeft")
    chosen(page, 26, 2)
    canvas.press("ArrowDown")
    chosen(page, 27, 2)
    canvas.press("Home")
    chosen(page, 27, 0)
    assert_engines_own(page, "((()")
    expect(part(page, "step").locator("h4 span")).to_have_text("Unit 27 of layer 1 reads '(' at 0")
    shown = part(page, "step").locator(".term-row, .terms > *").all_inner_texts()
    assert any(f"{own('((()').values['h'][0, 0, 27]:.4f}".replace("-", "−") in row for row in shown)
    expect(part(page, "along").locator("h4 span")).to_have_text("Unit 27 of layer 1")


def test_a_link_opens_the_same_state(visit: Visit) -> None:
    typed = 'def f(x):\n    """A ☃."""\n'
    asked = (
        f"lstm_run=python&lstm_typed={quote(typed)}&lstm_layer=2&lstm_unit=100&lstm_time=7"
        "&lstm_gate=f&lstm_order=mean&lstm_most=32&lstm_tab=Intervene&lstm_hold=o,+output&lstm_at=0.75"
        "&lstm_when=from+the+chosen+character+on&lstm_span=4-8&lstm_on=0.9&lstm_by=high"
    )
    page = visit(f"/lstm_gates?{asked}")
    assert page.get_by_test_id("stToast").count() == 0
    expect(area(page)).to_have_value(typed)
    chosen(page, 100, 7)
    assert_engines_own(page, typed, 2, "python")
    checked = part(page, "choices").locator("[aria-checked=true]").all_inner_texts()
    assert checked == [
        "2",
        "f, forget",
        "their mean",
        "the first 32",
        "0.9",
        "high values",
        "need not be",
    ]
    expect(part(page, "typed").locator("span")).to_contain_text("☃")
    hint = part(page, "gates").locator(".hint")
    expect(hint).to_contain_text("of its 128 units are drawn.")
    found = own(typed, "python").values["f"][1]
    on = np.flatnonzero((found[4:9] >= 0.9).all(0))
    expect(hint).to_contain_text(f"{len(on)} units have f on all along")
    held = part(page, "passage", "lstm_holding").locator("h4 span").first
    expect(held).to_have_text("With o of unit 100 held at 0.75")
    again = page.url
    area(page).press("End")
    area(page).press_sequentially("x")
    page.wait_for_url(lambda url: "x" in url.partition("lstm_typed=")[2].partition("&")[0][-3:])
    assert page.url.partition("lstm_typed=")[0].count("lstm_") <= again.count("lstm_")


def test_a_span_that_is_brushed_selects_the_units_that_are_on_in_it(visit: Visit) -> None:
    text = "((()=2))"
    page = visit(f"/lstm_gates?lstm_typed={quote(text)}&lstm_gate=h&lstm_time=1")
    canvas = part(page, "gates").locator("canvas")
    canvas.press("Shift+ArrowRight")
    page.wait_for_url("**lstm_span=1-2**")
    hint = part(page, "gates").locator(".hint")
    values = own(text).values["h"][0]
    high, low = (np.flatnonzero((sign * values[1:3] >= ON).all(0)) for sign in (1, -1))
    on = [*high, *low]
    assert 1 < len(on) < 64
    expect(hint).to_contain_text(f"1 to 2, “((”: {len(on)} units have h on all along, {on[0]}, ")
    part(page, "choices").get_by_role("radio", name="low values").click()
    expect(hint).to_contain_text(f"“((”: {len(low)} units have h on all along")
    page.wait_for_selector(".st-key-lstm_screen .screen:not([aria-busy])", state="attached")
    canvas.hover(position={"x": LEFT + 0.5 * WIDE, "y": AXIS})  # along the characters
    box = canvas.bounding_box()
    assert box is not None
    page.mouse.down()
    page.mouse.move(box["x"] + LEFT + 3.5 * WIDE, box["y"] + AXIS, steps=4)
    page.mouse.up()
    page.wait_for_url("**lstm_span=0-3**")
    canvas.press("Escape")
    expect(hint).to_contain_text("Click a place, or go there")
    page.wait_for_url(lambda url: "lstm_span" not in url)


def assert_held(page: Page, text: str, clamp: Clamp) -> tuple[float, float]:
    """The bits that are shown are those of the engine, free and held."""
    numbers = part(page, "figures", "lstm_holding").locator("b")
    found = clamped(load_built_in("brackets"), text, (clamp,))
    free, held = float(np.nanmean(found.bits)), float(np.nanmean(found.gates.bits))
    expect(numbers.nth(0)).to_have_text(f"{free:.3f}")
    expect(numbers.nth(1)).to_have_text(f"{held:.3f}")
    return free, held


def test_what_is_held_moves_the_predictions(visit: Visit) -> None:
    page = visit("/lstm_gates?lstm_tab=Intervene&lstm_unit=26")
    numbers = part(page, "figures", "lstm_holding").locator("b")
    expect(numbers).to_have_count(3)
    text = area(page).input_value()
    assert_held(page, text, Clamp("c", 0.0, 0, (26,)))
    box = page.locator(".st-key-lstm_held input")
    box.focus()
    box.press("ArrowDown")
    box.press("ArrowDown")
    box.press("Enter")
    title = part(page, "passage", "lstm_holding").locator("h4 span").first
    expect(title).to_have_text("With c of all 64 units held at 0.00")
    free, held = assert_held(page, text, Clamp("c", 0.0, 0))
    assert held > free + 0.5


@pytest.mark.parametrize(
    ("span", "last"), [("at the chosen character alone", 4), ("for 5 characters from it on", 8)]
)
def test_a_value_may_be_held_for_some_characters(visit: Visit, span: str, last: int) -> None:
    asked = {"lstm_tab": "Intervene", "lstm_time": 4, "lstm_held": "all units of the layer"}
    page = visit(f"/lstm_gates?{urlencode({**asked, 'lstm_when': span})}")
    text = area(page).input_value()
    clamp = Clamp("c", 0.0, 0, first=4, last=last)
    _, held = assert_held(page, text, clamp)
    found = clamped(load_built_in("brackets"), text, (Clamp("c", 0.0, 0, first=4),))
    assert f"{held:.3f}" != f"{float(np.nanmean(found.gates.bits)):.3f}"  # held to the end


def test_a_unit_that_counts_brackets_is_named_on_text_that_did_not_choose_it(visit: Visit) -> None:
    page = visit("/lstm_gates?lstm_tab=Finding+meaning")
    told = page.get_by_text(re.compile(r"^Correlation\. Best:"))
    expect(told).to_be_visible()
    found = re.search(
        r"Best: (\w) of unit (\d+) in layer 1, ([\d.]+) on held-out", told.inner_text()
    )
    assert found, told.inner_text()
    assert float(found[3]) >= 0.85
    chance = re.search(r"chance (0\.\d+)", told.inner_text())
    assert chance
    assert float(chance[1]) < 0.4


def test_an_own_text_is_taken_learned_stopped_and_gone_back_in(visit: Visit) -> None:
    page = visit("/lstm_gates?lstm_units=16&lstm_window=16&lstm_batch=8&lstm_steps=20,000")
    page.get_by_role("button", name="Own text").click()
    page.locator(".st-key-lstm_own_text textarea").fill("too short")
    page.get_by_role("button", name="Take it").click()
    expect(page.get_by_text("must have at least 200 characters, got 9")).to_be_visible()
    page.locator(".st-key-lstm_own_text textarea").fill("Mississippi flows. " * 60)
    page.get_by_role("button", name="Take it").click()
    expect(page.get_by_text("1,140 characters, 10 different ones.").first).to_be_visible()
    page.wait_for_url("**lstm_text=own-**")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Start", exact=True).click()
    figures = part(page, "figures").first.locator("b")
    expect(figures.first).to_have_text(re.compile(r"^[1-9]\d\d.* of 20,000$"))
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(part(page, "progress").first).to_contain_text("Stopped")
    chosen(page, 15, 0)
    expect(part(page, "typed").locator("span")).to_have_text("Type a text")
    _, _, now = read(page)
    machine = page.locator(".st-key-lstm_screen input[type=range]")
    machine.press("Home")
    page.wait_for_url("**lstm_step=0**")
    expect(part(page, "gates").locator("output")).to_contain_text("unit 15 at character 0 ")
    assert read(page)[2] != now
    machine.press("End")
    page.wait_for_url(lambda url: "lstm_step=" not in url)
    assert read(page)[2] == now
    area(page).fill("Größe")
    label = part(page, "typed").locator("span")
    expect(label).to_contain_text("What it never learned is all alike to it: G  r  ö  ß  e")


def test_a_race_starts_shows_all_four_and_stops(visit: Visit) -> None:
    page = visit("/lstm_gates?lstm_tab=The+race&race_steps=3,000&race_distance=5")
    assert page.get_by_test_id("stToast").count() == 0
    page.get_by_role("button", name="Start the race").click()
    legend = part(page, "lines", "race_screen").first.locator("h4")
    expect(legend).to_contain_text("RNN")
    for runner in ("GRU", "LSTM"):
        expect(legend).to_contain_text(runner)
    step = part(page, "figures", "race_screen").locator("b").first
    expect(step).to_have_text(re.compile(r"^[1-9][\d,]* of 3,000$"))
    page.locator(".st-key-race_stop button").click()
    expect(part(page, "progress", "race_screen")).to_contain_text("Stopped before its end")


def test_nonsense_in_the_address_is_named_and_nothing_is_lost(visit: Visit) -> None:
    asked = (
        "lstm_gate=q&lstm_order=beauty&lstm_time=-4&lstm_layer=9&lstm_units=65&lstm_cell=brain"
        "&lstm_span=9-3&lstm_at=nan&lstm_magic=1&lstm_run=nobody&race_steps=7&lstm_tab=The+race"
    )
    page = visit(f"/lstm_gates?{asked}")
    toasts = page.get_by_test_id("stToast")
    for each in toasts.get_by_text("view more").all():
        each.click()
    said = " ".join(toasts.all_inner_texts())
    for key in ("gate", "order", "time", "layer", "units", "cell", "span", "at"):
        assert f"lstm_{key} must be" in said, key
    assert "lstm_magic in the address is no setting here" in said
    assert "race_steps must be" in said
    chosen(page, 39, 0)


ODD = {
    "an emoji": "🦊(",
    "other scripts": "阿拉 ع ñ",
    "nul and others": "a\u200b\u2028\t(",
    "long": "(" * 2_500,
}


def test_odd_texts_do_no_harm(visit: Visit) -> None:
    page = visit("/lstm_gates")
    chosen(page, 39, 0)
    count = part(page, "figures").locator("b").nth(1)
    for text in ODD.values():
        area(page).fill(text)
        expect(count).to_have_text(f"{min(2_000, len(text)):,}")
        assert_engines_own(page, text[:2_000])
    area(page).fill("")
    expect(part(page, "typed").locator("span")).to_have_text(
        "Type a text: there is nothing to read yet"
    )
    expect(part(page, "gates")).to_have_count(0)
    for tab in ("Intervene", "Memory", "Gradients through time", "What it says"):
        page.get_by_role("tab", name=tab, exact=True).click()
        page.wait_for_url(f"**{quote(tab).replace('%20', '*')}**")
    expect(area(page)).to_have_value("")
    area(page).evaluate(
        "node => { node.focus(); node.value = '(\\ud800)'; node.dispatchEvent(new Event('input')) }"
    )
    expect(count).to_have_text("3")
    assert_engines_own(page, "(\ufffd)")
    expect(area(page)).to_have_value("(\ufffd)")


@pytest.mark.parametrize("tab", ["Memory", "Intervene"])
def test_nothing_is_wider_than_a_telephone(visit: Visit, tab: str) -> None:
    page = visit(f"/lstm_gates?lstm_run=python&lstm_tab={tab}", size=(390, 844), theme="dark")
    expect(part(page, "step")).to_be_visible()
    other = {"Memory": "lstm_memory", "Intervene": "lstm_holding"}[tab]
    expect(part(page, "along", other).first).to_be_visible()
    wide = "[document.documentElement, document.querySelector('[data-testid=stMain]')]"
    assert page.evaluate(f"Math.max(...{wide}.map(each => each.scrollWidth))") <= 390
