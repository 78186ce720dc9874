"""The saliency panel in a real browser, used as a lecturer would."""

import io
import re

import numpy as np
import pytest
import torch
from playwright.sync_api import Locator, Page, expect

from core.saliency import Query
from core.saliency.explaining import explain
from core.shared import data
from core.shared.models import Source
from tests.browser.test_train_cnn import Visit

pytestmark = pytest.mark.browser
DIGITS = Source(kind="built-in", name="mnist")


def part(page: Page, kind: str, screen: str = "saliency_screen") -> Locator:
    return page.locator(f".st-key-{screen} section.{kind}")


def choose(page: Page, label: str, option: str) -> None:
    box = page.get_by_test_id("stSelectbox").filter(has_text=label).first
    box.locator("input").click()
    page.get_by_role("option", name=option, exact=True).click()


def names(page: Page, screen: str = "saliency_screen") -> list[str]:
    return part(page, "explained", screen).first.locator("figure b").all_inner_texts()


def test_a_method_is_chosen_and_its_map_is_the_engines_own(visit: Visit) -> None:
    page = visit("/saliency?pin_index=3")
    expect(part(page, "progress").locator("p")).to_have_text(re.compile(r"^Why 0\? It is sure"))
    assert names(page) == ["The picture", "Integrated gradients", "Laid over"]
    choose(page, "Method", "Gradient × input")
    expect(part(page, "explained").locator("figure b").nth(1)).to_have_text("Gradient × input")
    page.wait_for_url("**saliency_method=Gradient*")
    with page.expect_download() as begun:
        page.get_by_role("button", name="The map as it is, .npy").click()
    given = np.load(io.BytesIO(begun.value.path().read_bytes()))
    pixels = data.dataset("mnist", torch.device("cpu")).test.images[3].numpy()
    own = explain(DIGITS, pixels, Query(method="gradient_input"))
    assert np.allclose(given, own.values, atol=1e-5)
    with page.expect_download() as painted:
        page.get_by_role("button", name="The map in colours, PNG").click()
    assert painted.value.path().read_bytes()[:4] == b"\x89PNG"


def test_why_a_rather_than_b_and_views_stand_in_the_address(visit: Visit) -> None:
    page = visit("/saliency?saliency_class=4&saliency_against=9&saliency_view=contour&pin_index=4")
    verdict = part(page, "progress").locator("p")
    expect(verdict).to_have_text(re.compile(r"^Why 4 rather than 9\? Its logit is larger by \d"))
    assert names(page)[2] == "Contours"
    part(page, "choices").get_by_role("radio", name="the map alone").click()
    expect(part(page, "explained").locator("figure")).to_have_count(2)  # it stands there already
    page.wait_for_url("**saliency_view=map**")
    assert "saliency_class=4" in page.url


def test_a_setting_that_was_changed_does_not_outlive_its_method(visit: Visit) -> None:
    page = visit("/saliency")
    choose(page, "Steps", "10")
    page.wait_for_url("**saliency_steps=10**")
    for method in ("Gradient", "SmoothGrad", "Integrated gradients"):
        choose(page, "Method", method)
        expect(part(page, "explained").locator("figure b").nth(1)).to_have_text(method)
    assert "saliency_steps" not in page.url
    choose(page, "What stands for absent", "grey")
    page.wait_for_url("**saliency_baseline=grey**")
    choose(page, "Method", "Occlusion")
    expect(part(page, "explained").locator("figure b").nth(1)).to_have_text("Occlusion")
    choose(page, "Method", "DeepLIFT")  # which is quick with photographs too
    choose(page, "What stands for absent", "grey")
    page.wait_for_url("**saliency_baseline=grey**")
    choose(page, "Network", "EfficientNet-Lite0, ImageNet")
    verdict = part(page, "progress").locator("p")
    expect(verdict).to_have_text(re.compile(r"^Why [a-z]"), timeout=60_000)


def test_a_slow_method_says_how_far_it_is_and_can_be_stopped(visit: Visit) -> None:
    page = visit(
        "/saliency?pin_network=efficientnet-lite0&pin_picture=photograph-coffee"
        "&saliency_method=Gradient"
    )
    verdict, drawn = part(page, "progress").locator("p"), part(page, "explained").first
    expect(verdict).to_have_text(re.compile("^Why espresso"), timeout=60_000)
    screen = page.locator(".st-key-saliency_screen .room")
    line, again = screen.locator(".waiting"), screen.get_by_role("button", name="Ask again")
    expect(line).to_be_hidden()
    choose(page, "Method", "RISE")
    expect(line.locator("p")).to_have_text(re.compile(r"^RISE: \d+ of 200 pictures"))
    expect(screen.locator("[aria-busy]")).to_have_count(1)
    expect(drawn).to_be_visible()  # what was drawn before stays, beneath
    line.get_by_role("button", name="Stop").evaluate("node => node.click()")
    expect(verdict).to_have_text(re.compile(r"^Stopped after \d+ of 200 pictures\."))
    expect(line).to_be_hidden()
    expect(again).to_be_visible()
    expect(screen.locator("[aria-busy]")).to_have_count(0)
    expect(drawn.locator("figure b")).to_have_text(["The picture"])
    save = page.get_by_role("button", name="The map as it is, .npy")
    expect(save).to_be_disabled()  # and the rest of the page asks for nothing that was stopped
    choose(page, "Method", "Gradient × input")
    expect(verdict).to_have_text(re.compile("^Why espresso"))
    expect(again).to_be_hidden()
    expect(save).to_be_enabled()
    choose(page, "Method", "RISE")
    expect(verdict).to_have_text(re.compile("^Stopped after"))
    again.click()
    expect(line.locator("p")).to_have_text(re.compile(r"^RISE: \d+ of 200 pictures"))
    line.get_by_role("button", name="Stop").evaluate("node => node.click()")
    expect(verdict).to_have_text(re.compile("^Stopped after"))


def test_nonsense_in_the_address_is_named_and_nothing_is_lost(visit: Visit) -> None:
    page = visit("/saliency?saliency_method=Magic&saliency_steps=7&saliency_seed=-3")
    toast = page.get_by_test_id("stToast")
    for key in ("saliency_method", "saliency_steps", "saliency_seed"):
        expect(toast).to_contain_text(f"{key} must be")
    assert names(page)[1] == "Integrated gradients"


def test_the_court_hears_all_and_names_the_winner(visit: Visit) -> None:
    page = visit("/saliency?saliency_tab=The+court")
    page.get_by_role("button", name="Hear them").click()
    court = page.locator(".st-key-saliency_court_screen")
    told = part(page, "progress", "saliency_court_screen").nth(1).locator("p")
    expect(told).to_have_text(re.compile(r"wins, by .* the best, by"), timeout=120_000)
    heard = names(page, "saliency_court_screen")
    assert heard[0] == "The picture"
    assert heard[-4:-1] == ["Edges", "Random", "Centre"]
    assert heard[-1].endswith("of random weights")
    expect(court.locator("section.bars .thing")).to_have_count(len(heard) - 1)
    court.locator("section.explained .frame").nth(2).click()
    legend = court.locator("section.lines h4").first
    expect(legend).to_contain_text(heard[2])
    court.get_by_role("radio", name="one for all of a unit").click()
    expect(told).to_contain_text("wins")
    other = court.get_by_text("This sitting is of another picture")
    expect(other).to_have_count(0)
    slider = part(page, "drag").locator("input[type=range]")
    slider.evaluate("node => { node.value = 3; node.oninput() }")
    expect(other).to_be_visible()
    page.get_by_role("button", name="Hear them").click()
    expect(other).to_have_count(0)


def test_a_network_melts_and_its_maps_with_it(visit: Visit) -> None:
    page = visit("/saliency?saliency_tab=Melt&saliency_method=Gradient")
    screen = "saliency_melt"
    told = part(page, "progress", screen).locator("p")
    expect(told).to_have_text(re.compile(r"^With 0 of 7 layers melted it reads 7 by 100"))
    words = part(page, "explained", screen).locator("figure span").first
    expect(words).to_have_text("as it is")
    slider = page.locator(f".st-key-{screen} input[type=range]")
    slider.evaluate("node => { node.value = 7; node.oninput() }")
    expect(told).to_contain_text("all its weights are random now")
    expect(words).to_have_text(re.compile(r"^ranks of sizes agree by −?0\.\d\d$"))


def test_what_was_attacked_is_compared_with_what_it_was(visit: Visit) -> None:
    page = visit("/adversarial?attack_epsilon=45")
    expect(part(page, "progress", "attack_screen").locator("p")).to_contain_text("fools it: 7")
    page.get_by_role("button", name="Pin the changed picture").click()
    page.get_by_test_id("stSidebar").get_by_role("link", name="Saliency").click()
    page.get_by_role("tab", name="Before and after an attack").click()
    screen = "saliency_attacked"
    told = part(page, "progress", screen).locator("p")
    expect(told).to_have_text(re.compile(r"^Before, it reads 7 \(100\.0 %\); after, \d \("))
    assert not page.locator(f".st-key-{screen} input[type=range]").count()  # nothing is attacked
    rows = part(page, "explained", screen)
    expect(rows).to_have_count(3)
    expect(rows.first.locator("figure b").nth(1)).to_have_text("why 7")
    expect(rows.last.locator("figure b")).to_have_text("What was changed")
    expect(rows.nth(1).locator("figure b").last).to_have_text(re.compile(r"^why \d rather than 7"))


@pytest.mark.parametrize("size", [(1440, 900), (390, 844)])
def test_nothing_is_wider_than_the_screen(visit: Visit, size: tuple[int, int]) -> None:
    page = visit("/saliency", size=size, theme="dark")
    expect(part(page, "explained")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
