"""The panel of BPE in a real browser, used as somebody would who asks how a vocabulary grows."""

import json
import random
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from tokenizers import Tokenizer

from core.bpe import Plan, reading
from core.bpe.asking import moment
from core.bpe.texts import read
from tests.browser.test_train_cnn import Visit

pytestmark = pytest.mark.browser
FIRST = 1_000  # characters of the text, which its tokens begin with


def part(page: Page, kind: str, screen: str = "bpe_screen", nth: int = 0) -> Locator:
    return page.locator(f".st-key-{screen} section.{kind}").nth(nth)


def figure(page: Page, number: int) -> Locator:
    return part(page, "figures").locator("b").nth(number)


def assert_engines_own(page: Page, step: int, plan: Plan | None = None) -> None:
    """What stands above the text is what the engine says in this process."""
    found = moment(plan or Plan(), step)
    made = found.made
    expect(part(page, "history").locator("input[type=number]")).to_have_value(str(step))
    expect(figure(page, 3)).to_have_text(f"{found.tokens:,}")
    expect(figure(page, 5)).to_have_text(f"{found.vocabulary:,}")
    if made:
        expect(figure(page, 0)).to_have_text(f"{made.counted:,}")
        expect(figure(page, 1)).to_have_text(f"{made.replaced:,}")
        expect(figure(page, 2)).to_have_text(f"{made.ties:,}")
    first = part(page, "candidates").locator(".rank").first
    if found.best:
        expect(first).to_contain_text(f"{found.best[0].count:,}")


def test_the_slider_goes_through_the_history(visit: Visit) -> None:
    page = visit("/bpe")
    assert_engines_own(page, 100)
    slider = part(page, "history").locator("input[type=range]")
    slider.press("Home")
    assert_engines_own(page, 0)
    text = part(page, "tokenised").locator(":scope > .printed")
    shown = re.sub(r"[·\s⏎\u200b]", "", text.inner_text())
    assert re.sub(r"\s", "", read("topics")[:FIRST]).startswith(shown[:200])
    slider.press("ArrowRight")
    assert_engines_own(page, 1)
    slider.press("Shift+ArrowRight")
    assert_engines_own(page, 11)
    slider.press("End")
    assert_engines_own(page, 1_000)
    lit = part(page, "tokenised").locator(":scope > .printed > .lit").first
    expect(lit).to_be_in_viewport(ratio=0)
    made = moment(Plan(), 1_000).made
    assert made is not None
    expect(lit).to_have_text((made.left + made.right).decode().replace(" ", "·"))
    page.wait_for_url("**bpe_step=1000**")
    page.reload()
    assert_engines_own(page, 1_000)


def test_the_next_merge_can_be_guessed(visit: Visit) -> None:
    plan = Plan(text="wikipedia", split="none", merges=10)
    page = visit("/bpe?bpe_text=wikipedia&bpe_split=none&bpe_merges=10&bpe_step=0&bpe_next=yes")
    guesses = part(page, "candidates").get_by_role("button")
    expect(guesses).to_have_count(len(moment(plan, 0).best))
    expect(part(page, "candidates")).not_to_contain_text("next merged")
    guesses.filter(has_text="aa").first.click()
    expect(part(page, "candidates").locator("output")).to_contain_text(re.compile("right", re.I))
    assert_engines_own(page, 0, plan)
    part(page, "history").locator("input[type=range]").press("ArrowRight")
    expect(figure(page, 0)).to_have_text("4")
    expect(figure(page, 1)).to_have_text("2")
    expect(guesses.first).to_be_visible()  # the next one is to be guessed again


def test_a_sentence_is_encoded_as_it_is_typed(visit: Visit) -> None:
    page = visit("/bpe?bpe_step=1000&bpe_tab=Encoding")
    field = part(page, "typed", "bpe_encoding").locator("textarea")
    field.fill("a lowest 🙂")
    expected = reading.encoded(Plan(), 1_000, "a lowest 🙂")
    ways = page.locator(".st-key-bpe_encoding section.tokenised h4 > span:first-child")
    merged, longest = len(expected.compared.merged.ids), len(expected.compared.longest.ids)
    expect(ways.nth(0)).to_have_text(f"By the merges: {merged} tokens")
    expect(ways.nth(1)).to_have_text(f"By the longest token that fits: {longest} tokens")
    part(page, "choices", "bpe_encoding").get_by_text("·lowest", exact=True).click()
    rows = part(page, "trace", "bpe_encoding").locator("tr, .segment, [role=row], li")
    trace = reading.encoded(Plan(), 1_000, "a lowest 🙂", 1).trace
    assert trace is not None
    expect(part(page, "trace", "bpe_encoding")).to_contain_text("How ·lowest is encoded")
    assert rows.count() >= len(trace.rows)
    field.fill("")
    expect(part(page, "tokenised", "bpe_encoding")).to_contain_text("nothing to encode yet")
    box = page.locator(".st-key-bpe_ids input")
    box.fill("39, 999999")
    box.press("Enter")
    expect(page.get_by_text("ids must be from 0 to 1,255", exact=False)).to_be_visible()
    box.fill("39 72")
    box.press("Enter")
    content = reading.decoded(Plan(), (39, 72)).decode()
    expect(page.locator(".stCode", has_text=content)).to_be_visible()


def test_what_is_taken_away_is_what_is_shown(visit: Visit, tmp_path: Path) -> None:
    page = visit("/bpe?bpe_text=tang&bpe_merges=200&bpe_tab=Take+it+away")
    expect(page.get_by_text("HF gives the same ids on your text: yes")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="tokenizer.json").click()
    file = tmp_path / "tokenizer.json"
    download.value.save_as(file)
    assert json.loads(file.read_text(encoding="utf-8"))["model"]["type"] == "BPE"
    text = read("tang")[:FIRST]
    ours = reading.encoded(Plan(text="tang", merges=200), 200, text).compared.merged.ids
    assert Tokenizer.from_file(str(file)).encode(text).ids == ours.tolist()


TABS = {
    "Ties side by side": ("bpe_siding", "progress"),
    "A token's life": ("bpe_living", "family"),
    "Against the world": ("bpe_world", "versus"),
    "How many tokens?": ("bpe_sweeping", "lines"),
}


def test_each_tab_answers(visit: Visit) -> None:
    page = visit("/bpe?bpe_text=tang&bpe_merges=200")
    for tab, (screen, kind) in TABS.items():
        page.get_by_role("tab", name=tab, exact=True).click()
        expect(part(page, kind, screen)).to_be_visible()
    page.get_by_role("tab", name="Languages", exact=True).click()
    expect(page.get_by_test_id("stDataFrame")).to_be_visible()


def test_nonsense_in_the_address_is_named_and_nothing_is_lost(visit: Visit) -> None:
    page = visit("/bpe?bpe_step=-4&bpe_units=atoms&bpe_next=maybe&bpe_place=x&bpe_magic=1")
    toasts = page.get_by_test_id("stToast")
    for each in toasts.get_by_text("view more").all():
        each.click()
    told = " ".join(toasts.all_inner_texts())
    for key in ("step", "units", "next", "place"):
        assert f"bpe_{key} must be" in told, key
    assert "bpe_magic in the address is no setting here" in told
    assert_engines_own(page, 100)


def test_a_long_text_shows_how_far_it_is_and_can_be_stopped(visit: Visit, tmp_path: Path) -> None:
    source = random.Random(0)
    file = tmp_path / "long.txt"
    file.write_text("".join(source.choices("abcdefgh \n", k=3_000_000)), encoding="utf-8")
    page = visit("/bpe?bpe_split=none&bpe_merges=30%2C000")
    assert_engines_own(page, 100, Plan(split="none", merges=30_000))
    page.get_by_role("button", name="Own text").click()
    page.locator("input[type=file]").set_input_files(file)
    waits = page.locator(".st-key-bpe_screen")
    expect(waits.get_by_text(re.compile(r"[\d,]+ of 30,000 merges"))).to_be_visible()
    waits.locator(".waiting button").evaluate("node => node.click()")
    expect(waits.get_by_text(re.compile(r"Stopped after [\d,]+ of 30,000 merges"))).to_be_visible()
    expect(waits.locator("button.again")).to_be_visible()
