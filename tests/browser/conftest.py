"""A real server and a real Chromium for the tests."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Locator, Page, expect

from bench.browser import DRAWN, Server, chromium, settle, with_profile

# Streamlit looks for two of its routes relative to a deep link first; that is expected.
expect.set_options(timeout=15_000)  # a busy machine may take as long
BUSY = ".screen[aria-busy]"
EXPECTED = re.compile(r"/\w+/_stcore/(health|host-config)")


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="session")
def familiar(browser: Browser) -> Iterator[BrowserContext]:
    """A context that knows the app's files already; it loads pages in half the time."""
    with with_profile(browser) as context:
        yield context


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Click as people do: when the page has come to rest, not while it is drawn anew.

    What a script's end still changes under a click Streamlit may lose.
    """
    at_once = Locator.click

    def click(self: Locator, **options: Any) -> None:
        with suppress(Error):  # where the server is gone it is another test's business
            self.page.wait_for_selector(DRAWN, state="attached", timeout=10_000)
            self.page.wait_for_selector(BUSY, state="detached", timeout=10_000)
            self.page.wait_for_selector(DRAWN, state="attached", timeout=10_000)
        at_once(self, **options)

    monkeypatch.setattr(Locator, "click", click)


def _stop(page: Page) -> None:
    """End the run of a page, if one is under way: for a minute it would compute for nobody."""
    stop = page.locator("[class*=train_stop] button:enabled")
    with suppress(Error):  # the server may be gone, and that is another test's business
        if stop.count():
            stop.click(timeout=2_000)
            page.wait_for_function("!document.querySelector('[class*=train_stop] button:enabled')")


@pytest.fixture
def visit(
    browser: Browser, familiar: BrowserContext, server: Server
) -> Iterator[Callable[..., Page]]:
    """Open a page as a new visitor, or in a given context as the same one; errors fail the test."""
    contexts: list[BrowserContext] = []
    trouble: list[str] = []

    def open_page(
        path: str,
        context: BrowserContext | None = None,
        size: tuple[int, int] = (1440, 900),
        theme: Literal["light", "dark"] = "light",
    ) -> Page:
        if context is None:  # the first visitor of a test has the warm cache, others come besides
            context = browser.new_context() if contexts else familiar
            context.clear_cookies()
            contexts.append(context)
        page = context.new_page()
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.emulate_media(color_scheme=theme)
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on(
            "console",
            lambda message: (
                trouble.append(message.text)
                if message.type == "error" and not EXPECTED.search(message.location["url"])
                else None
            ),
        )
        page.goto(server.url + path)
        settle(page)
        return page

    yield open_page
    pages = [page for context in contexts for page in context.pages]
    shown = [page.url for page in pages if page.get_by_test_id("stException").count()]
    for page in pages:
        _stop(page)
        page.close()
    for context in contexts:
        if context is not familiar:
            context.close()
    assert not shown, f"an exception is shown on {shown}"
    assert not trouble, trouble
