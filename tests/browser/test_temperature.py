"""The blocks of a temperature in a real browser, on a page of their own: no server, ten logits."""

import json
import math
from collections.abc import Callable, Iterator
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
        first = logits == logits.max()
        return first / first.sum()
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
        beta = np.linspace(0.02, 2, 100)
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
                subtracted=float(scaled.max()) if warmth else 0.0,
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
