"""The frame in a real browser: first visits, addresses, visitors, a server that survives."""

import os
import re
import signal
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from bench.browser import Server, settle
from ui import frame

pytestmark = pytest.mark.browser
Visit = Callable[..., Page]


def test_a_deep_link_works_on_the_very_first_visit_of_a_fresh_server(
    browser: Browser,
) -> None:
    fresh = Server()
    try:
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{fresh.url}/train_cnn?train_batch=256")
        settle(page)
        expect(page.get_by_role("heading", name="Train a CNN")).to_be_visible()
        expect(page.get_by_text("Page not found")).to_have_count(0)
        links = page.get_by_test_id("stSidebarNavLink")
        expect(links).to_have_count(1 + len(frame.panels()))
        expect(page.locator(".st-key-train_batch")).to_contain_text("256")
        context.close()
    finally:
        fresh.close()


def test_the_readiness_route_names_the_device_and_the_engine_s_process(server: Server) -> None:
    told = server.ready()
    assert told["alive"] is True
    owner = told["owners"][0]
    assert re.fullmatch(r"cpu|mps|cuda:\d+", owner["device"])
    os.kill(owner["process"], 0)  # raises when there is no such process


def test_an_engine_that_is_killed_is_back_and_the_page_never_noticed(
    visit: Visit, server: Server
) -> None:
    page = visit("/train_cnn?train_seed=5")
    before = server.ready()["owners"][0]["process"]
    os.kill(before, signal.SIGKILL)
    until = time.monotonic() + 30
    after = before
    while after == before and time.monotonic() < until:
        after = server.ready()["owners"][0]["process"]
        time.sleep(0.05)
    assert after != before
    page.locator(".st-key-train_seed input").fill("6")
    page.keyboard.press("Enter")
    settle(page)
    expect(page.get_by_text("0 of 1,563")).to_be_visible()


def test_home_leads_to_every_panel(visit: Visit) -> None:
    page = visit("/")
    page.get_by_test_id("stPageLink-NavLink").first.click()
    expect(page.get_by_role("heading", name="Train a CNN")).to_be_visible()


@pytest.mark.parametrize("path", ["/", *(f"/{panel.path.stem}" for panel in frame.panels())])
def test_nothing_sticks_out_sideways(visit: Visit, path: str) -> None:
    page = visit(path)
    main = page.get_by_test_id("stMain")
    for width, height in ((1440, 900), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme="light" if theme == "light" else "dark")
            page.wait_for_timeout(200)  # it lies out anew
            assert main.evaluate("element => element.scrollWidth - element.clientWidth") <= 0
            sticking = page.evaluate(
                """() => [...document.querySelectorAll('[data-testid=stMain] *')]
                    .filter(e => e.getBoundingClientRect().right > innerWidth + 1 && e.offsetParent)
                    .filter(e => !e.closest('[role=tablist]'))  // which scrolls
                    .filter(e => !e.closest('[style*="clip-path: inset(50%)"]'))  // which is unseen
                    .map(e => e.tagName + '.' + e.className).slice(0, 3)"""
            )
            assert not sticking, (width, theme)


def test_a_visitor_s_cookie_is_out_of_reach_of_scripts(visit: Visit) -> None:
    page = visit("/")
    cookies = {cookie["name"]: cookie for cookie in page.context.cookies()}
    assert cookies["glassbox"]["httpOnly"] is True
    assert cookies["glassbox"]["sameSite"] == "Lax"
    assert "glassbox" not in page.evaluate("document.cookie")
