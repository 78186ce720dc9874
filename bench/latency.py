"""Milliseconds from a key press on a slider to changed pixels, in a headless Chromium.

    python -m bench.latency            40 presses on each page
    python -m bench.latency --quick    12

The clock starts in the page, in the event of the key or of the dragging mouse, and stops at the
first animation frame in which the watched part of the page is another; that frame's own drawing
comes on top everywhere.
"""

import argparse
import statistics
from collections.abc import Callable
from urllib.parse import urlencode

from playwright.sync_api import Browser, Page

from bench import report
from bench.browser import SCREEN, Server, chromium, settle
from ui.panels.train_cnn.choices import NAMES

# Arms a watch: the next event resolves with the milliseconds until `read()` differs.
WATCH = """([read, event]) => {
  const see = eval(read)
  window.told = new Promise(done => {
    const before = see()
    addEventListener(event, () => {
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
# All blocks are painted in one go: by the next frame the maps are the new picture's too. To encode
# the maps themselves again and again, as a picture, would take longer than what is measured.
ATLAS = f"() => {SCREEN}.querySelector('.answers figure p').textContent"
LEAF = '.st-key-maps_screen input[aria-label="Test image"]'
# What the chart of the margin says follows from the new picture, and is painted with it.
MARGIN = f"() => {SCREEN}.querySelector('.lines canvas').ariaLabel"
BUDGET = '.st-key-attack_screen input[aria-label="Budget ε, L∞"]'
SLIDER = "[data-testid=stSlider] [role=slider], [data-testid=stSlider] input"
RATE = ".st-key-train_rate [role=slider], .st-key-train_rate input"
STEP = f"() => {SCREEN}.querySelector('.figures b').innerText"
TEXT = ".st-key-lstm_screen .typed textarea"
# What stands under the maps is written when they are painted: the character, and all its gates.
GATES = f"() => {SCREEN}.querySelector('.gates output').textContent"
MERGES = ".st-key-bpe_screen .history input[type=range]"
# The tokens that are left, or the largest p; all blocks of a screen are painted in one go.
LEFT = f"() => {SCREEN}.querySelector('.figures > :nth-child(4) b').innerText"
DIAL = ".st-key-heat_screen .dial input[type=range]"
ON, FAR = ("ArrowRight", "ArrowRight"), ("PageUp", "PageUp")
SIDES = ("ArrowRight", "ArrowLeft")
LATE = {  # and a goal of the slowest twentieth
    "the history of 8,000 merges, a step on": 250.0,
    "the history of 8,000 merges, a hundred on": 250.0,
    "a softmax at another temperature, the pinned network's logits": 150.0,
    "a softmax at another temperature, own logits": 150.0,
    "the same while it is dragged, the pinned network's logits": 150.0,
    "the same while it is dragged, own logits": 150.0,
}
WARM = 3  # presses that are not counted
SOME = {"train_images": "10,000"}
REPLAYED = {
    "LeNet-5": {},
    "the VGG": {"train_network": NAMES["vgg"], **SOME},
    "the ResNet": {"train_network": NAMES["resnet"], **SOME},
}


def presses(
    page: Page, control: str, read: str, count: int, keys: tuple[str, str] = SIDES
) -> list[float]:
    """Press one and the other key on a control in turn, and time each."""
    page.locator(control).first.focus()

    def press(turn: int) -> None:
        page.keyboard.press(keys[turn % 2])

    return _times(page, read, "keydown", press, count, 150)


def drags(page: Page, control: str, read: str, count: int) -> list[float]:
    """Drag a control by a mouse to and fro, without letting go, and time each move of it."""
    page.locator(control).first.scroll_into_view_if_needed()
    box = page.locator(control).first.bounding_box()
    if box is None:
        raise RuntimeError(f"{control} must be on the page to be dragged")
    left, height, far = box["x"], box["y"] + box["height"] / 2, box["width"] / 2

    def move(turn: int) -> None:
        page.mouse.move(left + far * (1 + 0.01 * (turn % 20 + 1) * (-1) ** turn), height)

    page.mouse.move(left + far, height)
    page.mouse.down()
    times = _times(page, read, "input", move, count, 50)
    page.mouse.up()
    return times


def _times(
    page: Page, read: str, event: str, act: Callable[[int], None], count: int, rest: float
) -> list[float]:
    """Time what follows each act, which are so many milliseconds apart."""
    times = []
    for turn in range(count + WARM):
        page.evaluate(WATCH, [read, event])
        act(turn)
        told = page.evaluate("window.told")
        if told is None:
            raise TimeoutError(f"nothing changed within 10 s of a {event} in {read}")
        if turn >= WARM:
            times.append(told)
        page.wait_for_timeout(rest)
    return times


def floor(browser: Browser, count: int) -> list[float]:
    """Time one slider and one chart, with nothing of ours."""
    server = Server("bench/floor.py", "/_stcore/health")
    try:
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(server.url)
        settle(page)
        page.wait_for_selector("svg.marks")
        return presses(page, SLIDER, CHART, count)
    finally:
        server.close()


def training(page: Page, url: str, count: int) -> dict[str, list[float]]:
    """Time the first panel: idle, while it trains, its dragged control, its time machine."""
    page.goto(f"{url}/train_cnn?train_epochs=20&train_batch=64")
    settle(page)
    page.wait_for_selector(".st-key-train_screen .maps canvas")
    page.wait_for_timeout(1000)
    rows = {"training panel, idle": presses(page, RATE, PLAN, count)}
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_selector(DRAG)
    page.wait_for_timeout(3000)
    rows["training panel, while it trains"] = presses(page, RATE, PLAN, count)
    page.get_by_role("button", name="Pause", exact=True).click()
    page.wait_for_timeout(2000)
    rows["its dragged control, to new feature maps"] = presses(page, DRAG, DIGIT, count)
    page.get_by_role("button", name="Stop", exact=True).click()
    for name, settings in REPLAYED.items():
        rows[f"its time machine, to another step of {name}"] = replays(page, url, count, settings)
    return rows


def replays(page: Page, url: str, count: int, settings: dict[str, str]) -> list[float]:
    """Time the steps that runs have kept; each step of each run is asked for once."""
    times: list[float] = []
    seed = 0
    while len(times) < count:
        page.context.clear_cookies()  # a new visitor, who has no finished run yet
        asked = {"train_epochs": 1, "train_batch": 128, "train_seed": seed, **settings}
        page.goto(f"{url}/train_cnn?{urlencode(asked)}")
        settle(page)
        page.get_by_role("button", name="Start", exact=True).click()
        page.get_by_text("Finished.").wait_for(timeout=120_000)
        page.locator(TIME).press("ArrowLeft")  # from now to the last kept step, which is now
        page.wait_for_timeout(1000)
        left = int(page.locator(TIME).get_attribute("max") or 0) - 1 - WARM
        wanted = min(left, count - len(times))
        if wanted < 1:
            raise RuntimeError(f"a run must keep more than {1 + WARM} steps, got fewer")
        times += presses(page, TIME, STEP, wanted, ("ArrowLeft", "ArrowLeft"))
        seed += 1
    return times


def looking(page: Page, url: str, count: int) -> dict[str, list[float]]:
    """Time the second panel: each press is another picture, which nobody has asked for before."""
    rows = {}
    for name, network in (("MNIST", "mnist"), ("EfficientNet-Lite0", "efficientnet-lite0")):
        page.goto(f"{url}/feature_maps?pin_network={network}&pin_picture=test")
        settle(page)
        page.wait_for_selector(".st-key-maps_screen .atlas canvas")
        page.wait_for_timeout(1500)
        found = presses(page, LEAF, ATLAS, count, ("ArrowRight", "ArrowRight"))
        rows[f"feature maps, another picture, {name}"] = found
    return rows


def attacking(page: Page, url: str, count: int) -> dict[str, list[float]]:
    """Time the third panel: each press is another budget, which nobody has asked for before."""
    rows = {}
    for name, network in (("MNIST", "mnist"), ("EfficientNet-Lite0", "efficientnet-lite0")):
        picture = "test" if network == "mnist" else "photograph-coffee"
        asked = f"pin_network={network}&pin_picture={picture}&attack_method=FGSM&attack_epsilon=8"
        page.goto(f"{url}/adversarial?{asked}")
        settle(page)
        page.wait_for_selector(".st-key-attack_screen .lines canvas")
        page.wait_for_timeout(1500)
        found = presses(page, BUDGET, MARGIN, count, ("ArrowRight", "ArrowRight"))
        rows[f"FGSM, another ε, {name}"] = found
    return rows


def typing(page: Page, url: str, count: int) -> dict[str, list[float]]:
    """Time the panel of gates: each key is one more character, and the maps are of all of them."""
    rows = {}
    for name, network in (("brackets, 64 units", "brackets"), ("Python, 2×128 units", "python")):
        page.goto(f"{url}/lstm_gates?lstm_run={network}&lstm_typed=(")
        settle(page)
        page.wait_for_selector(".st-key-lstm_screen .gates canvas")
        page.wait_for_timeout(1500)
        page.locator(TEXT).press("End")
        found = presses(page, TEXT, GATES, count, ("(", ")"))
        rows[f"a typed character, to its gates, {name}"] = found
    return rows


def merging(page: Page, url: str, count: int) -> dict[str, list[float]]:
    """Time the panel of BPE: each press is another moment of 8,000 merges."""
    page.goto(f"{url}/bpe?bpe_merges=8%2C000&bpe_step=10")
    settle(page)
    page.wait_for_selector(".st-key-bpe_screen .tokenised .printed span")
    page.wait_for_timeout(1500)
    return {
        "the history of 8,000 merges, a step on": presses(page, MERGES, LEFT, count, ON),
        "the history of 8,000 merges, a hundred on": presses(page, MERGES, LEFT, count, FAR),
    }


def heating(page: Page, url: str, count: int) -> dict[str, list[float]]:
    """Time the panel of distillation: each press is another temperature."""
    rows = {}
    for name, asked in (("the pinned network's logits", "network"), ("own logits", "sliders")):
        page.goto(f"{url}/distillation?heat_logits={asked}&heat_T=1")
        settle(page)
        page.wait_for_selector(".st-key-heat_screen .softmax")
        page.wait_for_timeout(1500)
        rows[f"a softmax at another temperature, {name}"] = presses(page, DIAL, LEFT, count)
        rows[f"the same while it is dragged, {name}"] = drags(page, DIAL, LEFT, count)
    return rows


def main() -> None:
    """Measure the floor and the panels."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="about a minute")
    parser.add_argument(
        "--only",
        choices=("training", "looking", "attacking", "typing", "merging", "heating"),
        help="one panel alone",
    )
    wish = parser.parse_args()
    count = 12 if wish.quick else 40
    server = Server()
    rows: dict[str, list[float]] = {}
    try:
        with chromium() as browser:
            device = server.ready()["owners"][0]["name"]
            report.heading("bench.latency", device)
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            if wish.only in (None, "training"):
                rows["floor: one slider, one chart"] = floor(browser, count)
                rows |= training(page, server.url, count)
            if wish.only in (None, "looking"):
                rows |= looking(page, server.url, count)
            if wish.only in (None, "attacking"):
                rows |= attacking(page, server.url, count)
            if wish.only in (None, "typing"):
                rows |= typing(page, server.url, count)
            if wish.only in (None, "merging"):
                rows |= merging(page, server.url, count)
            if wish.only in (None, "heating"):
                rows |= heating(page, server.url, count)
    finally:
        server.close()
    for name, times in rows.items():
        report.spread(name, times, f"ms, p95 {statistics.quantiles(times, n=20)[-1]:.0f}")
    middle = {name: statistics.median(times) for name, times in rows.items()}
    base = middle.pop("floor: one slider, one chart", None)
    claims = []
    for (name, value), (goal, of_floor) in zip(middle.items(), _goals(wish.only), strict=True):
        if of_floor and base:
            claims.append(report.claim(f"{name} / floor, p50", value / base, goal, at_most=True))
        else:
            claims.append(report.claim(f"{name}, ms, p50", value, goal, at_most=True))
        if name in LATE:
            late = statistics.quantiles(rows[name], n=20)[-1]
            claims.append(report.claim(f"{name}, ms, p95", late, LATE[name], at_most=True))
    report.finish("latency", device, claims)


def _goals(only: str | None) -> list[tuple[float, bool]]:
    """Give the goal of each row, and whether it is one of the floor's multiples."""
    goals = {
        "training": [(1.5, True), (2.0, True), (100.0, False), *[(150.0, False)] * len(REPLAYED)],
        "looking": [(150.0, False), (400.0, False)],
        "attacking": [(150.0, False), (500.0, False)],
        "typing": [(200.0, False), (200.0, False)],
        "merging": [(120.0, False), (120.0, False)],
        "heating": [(80.0, False)] * 4,
    }
    return [goal for panel, rows in goals.items() if only in (None, panel) for goal in rows]


if __name__ == "__main__":
    main()
