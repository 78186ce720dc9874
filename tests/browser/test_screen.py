"""A screen that follows a run: what is in sight is painted each time, what is not now and then."""

import pytest
from playwright.sync_api import Browser, Request, Route, expect

from tests.browser.alone import PAGE, packed
from ui.blocks import Block, figures, said

pytestmark = pytest.mark.browser
ADDRESS = "http://screen.test"
BETWEEN = 60  # blocks, which do not all fit on a page


class Run:
    """A run that moves by one whenever it is asked about, until it is told to end."""

    def __init__(self) -> None:
        self.version, self.last = 0, 10**6

    def blocks(self) -> list[Block]:
        told = figures([("step", str(self.version), 1.0)])
        return [told, *[said("Something between.")] * BETWEEN, told]

    def answer(self, route: Route, asked: Request) -> None:
        if asked.url.endswith("/packet") or "/screen/" in asked.url:
            self.version = min(self.version + 1, self.last)
            status = "finished" if self.version == self.last else "running"
            told = {"version": self.version, "run": "7", "status": status, "period": 100}
            route.fulfill(body=packed(self.blocks(), **told, follow=status == "running"))
        else:
            route.fulfill(body=PAGE, content_type="text/html; charset=utf-8")


def test_what_is_out_of_sight_is_painted_seldom_and_at_the_end(browser: Browser) -> None:
    page, run = browser.new_page(viewport={"width": 800, "height": 500}), Run()
    page.route(f"{ADDRESS}/**", run.answer)
    page.goto(ADDRESS)
    first, last = (page.locator("section.figures b").nth(place) for place in (0, -1))
    expect(last).to_have_text("1")  # the first time all are, for the sake of the layout
    expect(first).not_to_have_text("1")
    page.evaluate("""() => {
      window.painted = [0, 0]
      const all = document.querySelectorAll('section.figures b')
      const see = k => new MutationObserver(() => painted[k]++)
      all.forEach((b, k) => see(k).observe(b, { childList: true }))
    }""")
    page.wait_for_function("painted[0] >= 30", timeout=30_000)
    above, below = page.evaluate("painted")
    assert 1 <= below <= above / 3
    last.scroll_into_view_if_needed()
    before = page.evaluate("painted")[1]
    page.wait_for_function(f"painted[1] >= {before} + 10", timeout=20_000)
    page.locator("section.figures").first.scroll_into_view_if_needed()
    run.last = run.version + 3
    expect(last).to_have_text(str(run.last))
    expect(first).to_have_text(str(run.last))
    page.close()
