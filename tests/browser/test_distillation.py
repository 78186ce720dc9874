"""The panel of distillation in a real browser, used as somebody would who drags a temperature."""

import math
import re

import pytest
from playwright.sync_api import Locator, Page, expect

from core.distillation.softening import soften
from tests.browser.test_train_cnn import Visit
from ui.numbers import plain
from ui.panels.distillation.looking import SLIDERS

pytestmark = pytest.mark.browser


def part(page: Page, kind: str, screen: str = "heat_screen", nth: int = 0) -> Locator:
    return page.locator(f".st-key-{screen} section.{kind}").nth(nth)


def assert_softened(page: Page, temperature: float) -> None:
    """What stands below the bars is what the formula gives."""
    found = soften(SLIDERS, temperature)
    numbers = part(page, "figures").locator("b")
    for place, value in enumerate((found.entropy, found.bits, found.perplexity)):
        expect(numbers.nth(place)).to_have_text(plain(value))


def test_the_temperature_moves_every_bar(visit: Visit) -> None:
    page = visit("/distillation?heat_logits=sliders")
    assert_softened(page, 1.0)
    dial = part(page, "dial").locator("input[type=range]")
    dial.press("PageUp")  # to the next mark
    assert_softened(page, 2.0)
    dial.press("PageUp")
    assert_softened(page, 4.0)
    dial.press("End")
    assert_softened(page, math.inf)
    dial.press("Home")
    assert_softened(page, 0.0)
    page.wait_for_url("**heat_T=0**")
    page.reload()
    assert_softened(page, 0.0)


def test_the_pinned_network_is_the_teacher_and_students_learn(visit: Visit) -> None:
    page = visit(
        "/distillation?heat_tab=Let+students+learn&distil_images=200&distil_epochs=2"
        "&distil_student=16+units"
    )
    page.get_by_role("button", name="Let them learn").click()
    told = part(page, "figures", "distil_screen").locator("b")
    expect(told.first).to_have_text(re.compile(r"^\d+ of 10,000$"), timeout=90_000)
    expect(told).to_have_count(5)
    errors = [int(each.split(" ")[0].replace(",", "")) for each in told.all_inner_texts()]
    assert 30 < errors[0] < 80  # the teacher's
    assert all(each > errors[0] for each in errors[1:])

    dragged = part(page, "drag", "distil_faces").locator("input")
    dragged.press("End")
    card = part(page, "faces", "distil_faces").locator(".card")
    expect(card).to_have_attribute(
        "aria-label", re.compile(r"^#9,999, a \d: hard labels alone \d ")
    )
    expect(part(page, "figures", "distil_faces").locator("b")).to_have_count(4)


def test_a_grid_of_widths_and_temperatures_fills(visit: Visit) -> None:
    page = visit("/distillation?heat_tab=Grid&grid_images=200&grid_epochs=1&grid_seeds=1")
    page.get_by_role("button", name="Fill the grid").click()
    cells = part(page, "grid", "grid_screen").locator("button")
    expect(cells).to_have_count(24)
    expect(cells.filter(has_text="·")).to_have_count(0, timeout=90_000)
    cells.last.hover()
    expect(part(page, "grid", "grid_screen").locator("output").last).to_have_text(
        re.compile(r"^64 units, distilled at T = 20: [\d,]+$")
    )


TABS = {
    "Two classes": ("heat_two_screen", "lines"),
    "Why T²?": ("heat_pull", "arrows"),
    "Dark knowledge": ("heat_dark", "darkness"),
    "Calibration": ("heat_calibration", "reliability"),
    "Draws": ("heat_draws", "draws"),
    "Hinton": ("heat_hinton_screen", "lines"),
}


def test_each_tab_answers(visit: Visit) -> None:
    page = visit("/distillation?heat_T=4")
    for tab, (screen, kind) in TABS.items():
        page.get_by_role("tab", name=tab, exact=True).click()
        expect(part(page, kind, screen)).to_be_visible(timeout=60_000)
    page.get_by_role("tab", name="The code", exact=True).click()
    expect(page.get_by_test_id("stCode")).to_contain_text("F.kl_div(")


def test_a_look_comes_back_with_the_page(visit: Visit) -> None:
    page = visit("/distillation?heat_tab=Hinton&heat_shift=3.5&heat_T=inf")
    shift = part(page, "drag", "heat_hinton_screen").locator("input")
    expect(shift).to_have_value("7")  # of halves
    assert not page.get_by_test_id("stToast").count()
    shift.press("ArrowRight")
    page.wait_for_url("**heat_shift=4**")
    page.reload()
    expect(shift).to_have_value("8")


def test_nonsense_in_the_address_is_named_and_nothing_is_lost(visit: Visit) -> None:
    page = visit("/distillation?heat_T=hot&heat_logits=tea&heat_own=1,2&heat_magic=1")
    toasts = page.get_by_test_id("stToast")
    for each in toasts.get_by_text("view more").all():
        each.click()
    told = " ".join(toasts.all_inner_texts())
    for key in ("T", "logits", "own"):
        assert f"heat_{key} must be" in told, key
    assert "heat_magic in the address is no setting here" in told
    expect(part(page, "softmax")).to_be_visible()
