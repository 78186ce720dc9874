"""The first panel in a real browser, used as a lecturer would."""

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from bench.browser import settle

pytestmark = pytest.mark.browser
Visit = Callable[..., Page]
KINDS = ("progress", "figures", "curves", "maps canvas", "matrix", "pad canvas", "reading")


def step(page: Page) -> int:
    """Read the step off the page."""
    words = page.get_by_text(re.compile(r"^[\d,]+ of [\d,]+$")).first.inner_text()
    return int(words.split(" of ")[0].replace(",", ""))


def later(page: Page, than: int, seconds: float = 60) -> int:
    """Wait until the page shows a later step."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        now = step(page)
        if now > than:
            return now
        page.wait_for_timeout(50)
    raise AssertionError(f"still at step {than} after {seconds} s")


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def begin(page: Page) -> int:
    press(page, "Start")
    return later(page, 0)


def test_a_run_learns_to_its_end_and_is_tested_on_request(visit: Visit) -> None:
    page = visit("/train_cnn?train_batch=512&train_epochs=1")
    begin(page)
    expect(page.get_by_text("Finished.")).to_be_visible(timeout=120_000)
    assert step(page) == 98
    expect(page.get_by_text("Confusion matrix of 10,000 validation digits")).to_be_visible()
    press(page, "Read the 10,000 test digits")
    told = page.get_by_text(re.compile(r"read right, by the weights of step 98"))
    expect(told).to_be_visible()
    assert float(told.inner_text().split(" %")[0]) > 90


def test_nothing_is_remounted_and_nothing_jumps_while_it_learns(visit: Visit) -> None:
    page = visit("/train_cnn?train_epochs=20")
    begin(page)
    selectors = [f".st-key-train_screen .{kind}" for kind in KINDS]
    nodes = [page.locator(selector).first.element_handle() for selector in selectors]
    boxes = [node.bounding_box() for node in nodes]
    here = step(page)
    for _ in range(5):
        here = later(page, here)
        page.wait_for_timeout(300)
    assert [node.evaluate("node => node.isConnected") for node in nodes] == [True] * len(nodes)
    assert [node.bounding_box() for node in nodes] == boxes
    press(page, "Stop")


def test_pause_stands_one_step_is_one_and_resume_goes_on(visit: Visit) -> None:
    page = visit("/train_cnn?train_epochs=20")
    begin(page)
    press(page, "Pause")
    expect(page.get_by_text("Paused")).to_be_visible()
    page.wait_for_timeout(500)
    stood = step(page)
    page.wait_for_timeout(700)
    assert step(page) == stood
    press(page, "One step")
    assert later(page, stood) == stood + 1
    press(page, "Resume")
    later(page, stood + 1)
    press(page, "Stop")
    expect(page.get_by_text("Stopped")).to_be_visible()
    stopped = step(page)
    press(page, "Continue")
    later(page, stopped)
    press(page, "Stop")


def test_f5_and_a_second_window_find_the_run_still_going(visit: Visit) -> None:
    page = visit("/train_cnn?train_epochs=20")
    begun = begin(page)
    page.reload()
    settle(page)
    assert later(page, begun) > begun
    second = visit("/train_cnn", context=page.context)
    assert later(second, begun) > begun
    stranger = visit("/train_cnn")
    assert step(stranger) == 0
    press(page, "Stop")
    expect(second.get_by_text("Stopped")).to_be_visible()


def test_a_drawn_digit_is_read_while_the_network_learns(visit: Visit) -> None:
    page = visit("/train_cnn?train_epochs=20&train_batch=128")
    begin(page)
    pad = page.locator(".st-key-train_screen .pad canvas")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"]
    page.mouse.move(x, y + 0.15 * box["height"])
    page.mouse.down()
    for place in range(15, 86, 5):
        page.mouse.move(x, y + place / 100 * box["height"])
    page.mouse.up()
    reading = page.locator(".st-key-train_screen .reading")
    expect(reading.locator("canvas")).to_be_visible()
    later(page, 150)
    best = reading.locator(".best")
    expect(best).to_have_count(1)
    expect(best.locator("span").first).to_have_text("1", timeout=30_000)
    press(page, "Clear")
    expect(reading.locator("canvas")).to_be_hidden()
    press(page, "Stop")


def test_dragging_shows_another_digit_s_maps_also_when_the_run_stands(visit: Visit) -> None:
    page = visit("/train_cnn?train_epochs=20")
    begin(page)
    press(page, "Pause")
    expect(page.get_by_text("Paused")).to_be_visible()
    first = page.locator(".st-key-train_screen .maps canvas").first
    before = first.evaluate("canvas => canvas.toDataURL()")
    page.locator(".st-key-train_screen .drag input").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "([canvas, before]) => canvas.toDataURL() !== before", arg=[first.element_handle(), before]
    )
    expect(page.locator(".st-key-train_screen .drag output")).to_have_text("1")
    press(page, "Stop")


def test_a_stranger_cannot_look_at_a_screen_or_tell_it_anything(visit: Visit) -> None:
    page = visit("/train_cnn")
    with page.expect_request("**/screen/**") as asked:
        begin(page)
    url = asked.value.url.split("?")[0]
    assert page.request.get(url).status == 200
    stranger = visit("/").request
    assert stranger.get(url).status == 404
    assert stranger.post(url, data='{"name": "digit", "value": 3}').status == 404
    for nonsense in ("", "[]", '{"name": "digit", "value": "x"}', '{"name": "digit", "value": -1}'):
        assert page.request.post(url, data=nonsense).status == 400
    assert page.request.post(url, data="x" * 100_000).status == 413
    press(page, "Stop")


def test_the_rate_can_be_moved_while_it_learns(visit: Visit) -> None:
    page = visit("/train_cnn?train_epochs=20&train_schedule=constant")
    begin(page)
    expect(page.get_by_text("0.1000", exact=True)).to_be_visible()
    page.locator(".st-key-train_rate [role=slider], .st-key-train_rate input").first.focus()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_text("0.0500", exact=True)).to_be_visible()
    assert "train_rate=0.05" in page.url
    press(page, "Stop")


def test_nonsense_in_the_address_falls_back_to_the_defaults(visit: Visit) -> None:
    page = visit("/train_cnn?train_rate=banana&train_batch=-3&train_epochs=1e9&train_seed=%00")
    expect(page.get_by_text("0 of 2,346")).to_be_visible()
