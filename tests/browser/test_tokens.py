"""The blocks of tokens in a real browser, on a page of their own: no server, a short text."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect

from core.bpe.results import Candidate, Window
from tests.browser.alone import PAGE, packed
from ui import tokens
from ui.blocks import Block

pytestmark = pytest.mark.browser
ADDRESS = "http://tokens.test"
TEXT = "low  lower\n\tlöwest 中\u200d! " * 8
BYTES = TEXT.encode()
STEPS = 400
SIGNS = {" ": "·", "\n": "⏎", "\t": "⇥"}
Open = Callable[..., tuple[Page, "Shown"]]


def window(step: int) -> Window:
    """Cut the text into tokens of step + 1 bytes: each step has other ones, some begin alike."""
    parts = [BYTES[k : k + step + 1] for k in range(0, len(BYTES), step + 1)]
    ids = [int.from_bytes(part[:2], "big") for part in parts]
    starts = [part[:1] == b" " for part in parts]
    return tokens.running(parts, ids, starts=starts, lit=[part == BYTES[:1] for part in parts])


class Shown:
    """What a page's script would hold: what was told, and what is drawn of it."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {"step": 0, "guess": None, "row": 0}
        self.told: list[tuple[str, Any]] = []
        self.hidden = False

    def blocks(self) -> list[Block]:
        step, guess = self.values["step"], self.values["guess"]
        best = [
            Candidate(
                left=b"l",
                right=bytes([right]),
                ends=False,
                ids=(108, right),
                count=count,
                tied=count == 9,
                chosen=right == ord("o"),
            )
            for right, count in ((ord("o"), 9), (ord("a"), 9), (ord("b"), 4))
        ]
        rows = [
            tokens.Row(tokens=[b"l", b"o", b"w"], ids=[108, 111, 119], merged=[0], rank=1),
            tokens.Row(tokens=[b"lo", b"w"], ids=[256, 119], made=[0], merged=[0], rank=2),
            tokens.Row(tokens=[b"low"], ids=[257], made=[0]),
        ]
        leaves = [tokens.Branch(token=bytes([each]), id=each) for each in b"low"]
        pair = tokens.Branch(token=b"lo", id=256, rank=1, parts=(leaves[0], leaves[1]))
        return [
            tokens.reel("step", "Merges done", step, STEPS, stops=[(31, "first tie")]),
            tokens.tokenised(window(step), title="The text", place="place", lines=30),
            tokens.pairs(
                best,
                title="Pairs",
                hidden=self.hidden and guess is None,
                guess=None if guess is None else tuple(guess),
            ),
            tokens.trace(rows, title="Encoded", at=self.values["row"]),
            tokens.tree(
                tokens.Branch(token=b"low", id=257, rank=2, parts=(pair, leaves[2])), title="Tree"
            ),
            tokens.versus(
                [
                    tokens.Verdict(name="own", rate=3.0, tokens=[b"low", b"\xc3"], ids=[257, 195]),
                    tokens.Verdict(
                        name="a word vocabulary with a long name",
                        rate=5.0,
                        unknown=0.5,
                        tokens=["<unk>"] * 40,
                        ids=[0] * 40,
                        strange=range(40),
                    ),
                ],
                title="Others",
            ),
        ]

    def packet(self) -> bytes:
        return packed(self.blocks())

    def answer(self, route: Route, asked: Request) -> None:
        if "/progress" in asked.url:
            route.fulfill(status=204)
        elif asked.method == "POST":
            said = json.loads(asked.post_data or "")
            self.values[said["name"]] = said["value"]
            self.told.append((said["name"], said["value"]))
            route.fulfill(body=self.packet())
        elif asked.url.endswith("/packet"):
            route.fulfill(body=self.packet())
        else:
            route.fulfill(body=PAGE, content_type="text/html; charset=utf-8")


@pytest.fixture
def opened(browser: Browser) -> Iterator[Open]:
    pages: list[Page] = []
    trouble: list[str] = []

    def open_page(*, hidden: bool = False, width: int = 1200) -> tuple[Page, Shown]:
        page, shown = browser.new_page(viewport={"width": width, "height": 900}), Shown()
        shown.hidden = hidden
        pages.append(page)
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.route(f"{ADDRESS}/**", shown.answer)
        page.goto(ADDRESS + "/")
        page.wait_for_selector(".tokenised .printed > span")
        return page, shown

    yield open_page
    for page in pages:
        page.close()
    assert not trouble, trouble


def settled(page: Page, step: int) -> None:
    """All that was told has been answered, and the text is that of the step."""
    expect(page.locator(".history [type=number]")).to_have_value(str(step))
    expect(page.locator(".tokenised > .printed > span")).to_have_count(len(window(step).tokens))


def as_printed(token: bytes) -> str:
    """Write a token as one reads it: signs for what is unseen, bytes in hex where it is cut."""
    text = "".join(SIGNS.get(sign, sign) for sign in token.decode("utf-8", "surrogateescape"))
    hexed = "".join(f"{ord(s) - 0xDC00:02X}" if 0xDC80 <= ord(s) <= 0xDCFF else s for s in text)
    return "U+200D" if hexed == "\u200d" else hexed


def printed(page: Page) -> list[str]:
    spans = page.locator(".tokenised > .printed > span").all_text_contents()
    return [text.replace("\u200b", "").replace("\n", "").replace("\t", "") for text in spans]


@pytest.mark.parametrize("step", [0, 2, 9])
def test_each_token_stands_there_as_it_is(opened: Open, step: int) -> None:
    page, _ = opened()
    page.locator(".history [type=number]").fill(str(step))
    page.keyboard.press("Enter")
    settled(page, step)
    found = window(step)
    wanted = [as_printed(token) for token in found.tokens]
    assert printed(page) == wanted
    assert wanted != [as_printed(token) for token in window(step + 1).tokens]
    starts = page.locator(".tokenised > .printed.bounded > .start")
    assert starts.count() == int(np.sum(found.starts)) > 0
    assert page.locator(".tokenised > .printed > .lit").count() == int(np.sum(found.lit))


def test_a_token_that_begins_where_one_did_keeps_its_node(opened: Open) -> None:
    page, _ = opened()
    spans = "[...document.querySelectorAll('.tokenised > .printed > span')]"
    page.evaluate(f"{spans}.forEach((span, k) => {{ span.was = k }})")
    page.locator(".history .on").click()
    settled(page, 1)
    kept = page.evaluate(f"{spans}.map(span => span.was)")
    assert kept == list(range(0, len(BYTES), 2))


def test_the_reel_tells_each_step_by_keys_buttons_and_the_number(opened: Open) -> None:
    page, shown = opened()
    page.locator(".history [type=range]").focus()
    steps = [("ArrowRight", 1), ("Shift+ArrowRight", 11), ("ArrowLeft", 10), ("PageUp", 110)]
    for key, step in [*steps, ("End", STEPS), ("ArrowRight", STEPS), ("Home", 0)]:
        page.keyboard.press(key)
        settled(page, step)
        assert shown.values["step"] == step
    expect(page.locator(".history .back")).to_be_disabled()
    for button, step in ((".on", 1), (".on", 2), (".back", 1), (".chip", 31)):
        page.locator(f".history {button}").click()
        settled(page, step)
    page.locator(".history [type=range]").evaluate(
        "each => { each.value = each.max / 2; each.dispatchEvent(new Event('input')) }"
    )
    settled(page, STEPS // 4)  # the first have more room
    field = page.locator(".history [type=number]")
    field.fill("9999")
    field.press("Enter")
    settled(page, STEPS)
    assert {name for name, _ in shown.told} == {"step"}


def test_play_goes_on_step_by_step_until_it_is_paused(opened: Open) -> None:
    page, shown = opened()
    page.locator(".history select").select_option("10")
    page.locator(".history .play").click()
    page.wait_for_function("+document.querySelector('.history [type=number]').value > 3")
    page.locator(".history .play").click()
    expect(page.locator(".history .play")).to_have_text("▶ Play")
    steps = [value for _, value in shown.told]
    assert steps == sorted(set(steps))
    settled(page, shown.values["step"])
    page.locator(".history .chip").click()
    settled(page, 31)
    assert shown.values["step"] == 31


def test_a_token_is_told_in_words_and_a_click_tells_its_id(opened: Open) -> None:
    page, shown = opened()
    line = page.locator(".tokenised > output")
    page.locator(".tokenised small.lead").nth(1).hover()
    expect(line).to_have_text(
        "token “E4”, id 228, 1 byte: E4, not all bytes of “中” are in it, 8 times in what you see"
    )
    box = page.locator(".tokenised > .printed")
    box.focus()
    box.press("Home")
    box.press("ArrowRight")
    expect(line).to_contain_text("token “o”, id 111, 1 byte: 6F")
    box.press("Enter")
    expect(page.locator(".tokenised .at")).to_have_count(1)
    assert ("token", 111) in shown.told
    page.locator(".tokenised > .printed > span").first.click()
    assert shown.told[-1] == ("token", 108)


def test_a_guess_is_told_and_judged(opened: Open) -> None:
    page, shown = opened(hidden=True)
    ranks = page.locator(".ranks .rank:visible")
    expect(ranks).to_have_count(3)
    assert "9" not in page.locator(".candidates").inner_text()
    ranks.nth(0).click()  # in the order of their bytes
    expect(page.locator(".candidates > output")).to_contain_text("It is as common, but the rule")
    assert shown.values["guess"] == [108, ord("a")]
    expect(page.locator(".ranks .mine")).to_have_count(1)
    expect(ranks.nth(0)).to_contain_text("next")
    expect(ranks.nth(1)).to_contain_text("✗ yours")


def test_rows_of_an_encoding_and_a_tree_are_gone_through(opened: Open) -> None:
    page, shown = opened()
    page.locator(".segment").nth(0).focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator(".segment.here small")).to_have_text("merge 2 next")
    assert shown.values["row"] == 1
    assert page.locator(".segment.here .left").inner_text() == "lo"
    names = page.locator(".family g").evaluate_all("all => all.map(each => each.ariaLabel)")
    assert names[-1] == "token “low”, id 257, 3 bytes: 6C 6F 77, made by merge 2"
    page.locator(".family g").last.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".family > output")).to_have_text(names[-1])
    assert shown.told[-1] == ("token", 257)


def test_nothing_is_wider_than_a_phone(opened: Open) -> None:
    page, _ = opened(width=390)
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_the_text_below_stands_still_while_steps_go_by(opened: Open) -> None:
    page, _ = opened()
    page.locator(".history [type=range]").focus()
    tops = set()
    for step in range(1, 5):
        page.keyboard.press("ArrowRight")
        settled(page, step)
        tops.add(page.locator(".candidates").evaluate("each => each.offsetTop"))
    assert len(tops) == 1
