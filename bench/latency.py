"""Milliseconds from a key press on a slider to changed pixels, in a headless Chromium.

    python -m bench.latency            40 presses on each page
    python -m bench.latency --quick    12

The clock starts in the page, in the key's own event, and stops at the first animation frame in
which the watched part of the page is another; that frame's own drawing comes on top everywhere.
"""

import argparse
import statistics

from playwright.sync_api import Page

from bench import report
from bench.browser import SCREEN, Server, chromium, settle

# Arms a watch: the next key press resolves with the milliseconds until `read()` differs.
WATCH = """([read]) => {
  const see = eval(read)
  window.told = new Promise(done => {
    const before = see()
    addEventListener('keydown', () => {
      const began = performance.now(), end = began + 10000
      const look = () => see() !== before ? done(performance.now() - began)
        : performance.now() > end ? done(null) : requestAnimationFrame(look)
      requestAnimationFrame(look)
    }, { once: true, capture: true })
  })
}"""
CHART = "() => document.querySelector('[data-testid=stVegaLiteChart] svg.marks').innerHTML"
PLAN = "() => document.querySelector('.st-key-train_plan').innerText"
DIGIT = f"() => {SCREEN}.querySelector('.maps canvas').toDataURL()"
DRAG = '.st-key-train_screen input[aria-label="Validation digit"]'
TIME = '.st-key-train_screen input[aria-label="Time machine"]'
STEP = f"() => {SCREEN}.querySelector('.figures b').innerText"


SIDES = ("ArrowRight", "ArrowLeft")
REPLAYS = 20  # steps of one run that are looked at, of about 27 that it keeps


def presses(
    page: Page, control: str, read: str, count: int, keys: tuple[str, str] = SIDES
) -> list[float]:
    """Press one and the other key on a control in turn, and time each."""
    page.locator(control).first.focus()
    times = []
    for press in range(count + 3):
        page.evaluate(WATCH, [read])
        page.keyboard.press(keys[press % 2])
        told = page.evaluate("window.told")
        if told is None:
            raise TimeoutError(f"nothing changed within 10 s of a key press on {control}")
        if press >= 3:  # the first ones warm up
            times.append(told)
        page.wait_for_timeout(150)
    return times


def main() -> None:
    """Measure the floor, the panel idle, the panel while it trains, and its dragged control."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="under a minute")
    count = 12 if parser.parse_args().quick else 40
    floor, server = Server("bench/floor.py", "/_stcore/health"), Server()
    slider = "[data-testid=stSlider] [role=slider], [data-testid=stSlider] input"
    rate = ".st-key-train_rate [role=slider], .st-key-train_rate input"
    try:
        with chromium() as browser:
            device = server.ready()["owners"][0]["name"]
            report.heading("bench.latency", device)
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(floor.url)
            settle(page)
            page.wait_for_selector("svg.marks")
            lowest = presses(page, slider, CHART, count)
            page.goto(f"{server.url}/train_cnn?train_epochs=20&train_batch=64")
            settle(page)
            page.wait_for_selector(".st-key-train_screen .maps canvas")
            page.wait_for_timeout(1000)
            idle = presses(page, rate, PLAN, count)
            page.get_by_role("button", name="Start", exact=True).click()
            page.wait_for_selector(DRAG)
            page.wait_for_timeout(3000)
            busy = presses(page, rate, PLAN, count)
            page.get_by_role("button", name="Pause", exact=True).click()
            page.wait_for_timeout(2000)
            dragged = presses(page, DRAG, DIGIT, count)
            page.get_by_role("button", name="Stop", exact=True).click()
            replayed = []
            for seed in range(-(-count // REPLAYS)):  # each step of each run is asked for once
                page.goto(
                    f"{server.url}/train_cnn?train_epochs=1&train_batch=128&train_seed={seed}"
                )
                settle(page)
                page.get_by_role("button", name="Start", exact=True).click()
                page.get_by_text("Finished.").wait_for(timeout=120_000)
                page.locator(TIME).press(
                    "ArrowLeft"
                )  # from now to the last kept step, which is now
                page.wait_for_timeout(1000)
                replayed += presses(page, TIME, STEP, REPLAYS, ("ArrowLeft", "ArrowLeft"))
    finally:
        server.close()
        floor.close()
    rows = {
        "floor: one slider, one chart": lowest,
        "the panel, idle": idle,
        "the panel, while it trains": busy,
        "the panel's dragged control, to new feature maps": dragged,
        "the time machine, to another step": replayed,
    }
    for name, times in rows.items():
        report.spread(name, times, f"ms, p95 {statistics.quantiles(times, n=20)[-1]:.0f}")
    middle = {name: statistics.median(times) for name, times in rows.items()}
    base, *others = middle.values()
    claims = [
        report.claim("idle / floor, p50", others[0] / base, 1.5, at_most=True),
        report.claim("training / floor, p50", others[1] / base, 2.0, at_most=True),
        report.claim("dragged control, ms, p50", others[2], 100.0, at_most=True),
        report.claim("time machine, ms, p50", others[3], 150.0, at_most=True),
    ]
    report.finish("latency", device, claims)


if __name__ == "__main__":
    main()
