"""The saliency panel in a real browser, used as a lecturer would."""

import io
import re

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from core.saliency import Query
from core.saliency.explaining import explain
from core.shared import data
from core.shared.loading import load
from core.shared.models import Source
from tests.browser.test_train_cnn import Visit, begin

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
    for method in ("Occlusion", "DeepLIFT"):  # which is quick with photographs too
        choose(page, "Method", method)
        expect(part(page, "explained").locator("figure b").nth(1)).to_have_text(method)
    choose(page, "What stands for absent", "grey")
    page.wait_for_url("**saliency_baseline=grey**")
    scale = part(page, "choices").get_by_role("radio", checked=True).last
    expect(scale).to_have_accessible_name("the largest value")
    choose(page, "Network", "EfficientNet-Lite0, ImageNet")
    expect(scale).to_have_accessible_name("99 % of the pixels")  # as by a link to it
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


def test_a_run_that_has_not_learned_yet_is_said_to_be_so(visit: Visit) -> None:
    learning = visit("/train_cnn?train_batch=512&train_epochs=1")
    begin(learning)
    learning.get_by_test_id("stPageLink").click()
    learning.wait_for_url(re.compile("pin_network=run-"))
    (run,) = re.findall(r"pin_network=(run-[^&]+)", learning.url)
    page = visit(f"/saliency?pin_network={run}&pin_step=0", learning.context)
    verdict, told = part(page, "progress").locator("p"), "Its weights are those that it began with:"
    expect(verdict).to_contain_text(f"{told} no map can show what it learned.")
    expect(part(page, "explained").locator("figure")).to_have_count(3)
    page.get_by_role("button", name="Newest").click()
    expect(verdict).not_to_contain_text(told)
    expect(verdict).to_contain_text("Why ")


def test_nonsense_in_the_address_is_named_and_nothing_is_lost(visit: Visit) -> None:
    asked = "saliency_method=Magic&saliency_steps=7&saliency_seed=-3&saliency_baseline=noise"
    page = visit(f"/saliency?{asked}")
    toast = page.get_by_test_id("stToast")
    for key in ("saliency_method", "saliency_steps", "saliency_seed"):
        expect(toast).to_contain_text(f"{key} must be")
    assert names(page)[1] == "Integrated gradients"


def test_the_court_hears_all_and_names_the_winner(visit: Visit) -> None:
    page = visit("/saliency?saliency_tab=The+court")
    page.get_by_role("button", name="Hear them").click()
    court = page.locator(".st-key-saliency_court_screen")
    told = part(page, "progress", "saliency_court_screen").nth(1).locator("p")
    expect(told).to_have_text(re.compile(r"wins with .* the best, with"), timeout=120_000)
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
    expect(court.locator(".progress .track:visible")).to_have_count(1)
    court.get_by_role("radio", name="the picture, blurred").click()
    page.wait_for_url("**court_imputer=blur**")
    other = court.get_by_text("This sitting is of another picture")
    expect(other).to_have_count(0)
    slider = part(page, "drag").locator("input[type=range]")
    slider.evaluate("node => { node.value = 3; node.oninput(); node.onchange() }")
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
    first = words.inner_text()
    seed = page.get_by_label("Seed", exact=True)  # the gradient draws nothing: the weights do
    expect(seed).to_have_count(1)
    seed.fill("3")
    seed.press("Enter")
    page.wait_for_url("**melt_seed=3**")
    expect(words).not_to_have_text(first)


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
    page.reload()
    page.get_by_role("tab", name="Before and after an attack").click()
    expect(rows.last.locator("figure b")).to_have_text("What was changed")
    expect(told).to_have_text(re.compile(r"^Before, it reads 7 \(100\.0 %\); after, \d \("))
    assert not page.locator(f".st-key-{screen} input[type=range]").count()


def test_the_budget_of_an_attack_stands_in_the_address(visit: Visit) -> None:
    tab = "/saliency?saliency_method=Gradient&saliency_tab=Before+and+after+an+attack"
    page = visit(f"{tab}&attacked_epsilon=50")
    slider = page.locator(".st-key-saliency_attacked input[type=range]")
    expect(slider).to_have_value("50")
    slider.evaluate("node => { node.value = 60; node.oninput(); node.onchange() }")
    page.wait_for_url("**attacked_epsilon=60**")
    page = visit(f"{tab}&attacked_epsilon=500")
    expect(page.get_by_test_id("stToast")).to_contain_text("attacked_epsilon must be a whole")
    expect(page.locator(".st-key-saliency_attacked input[type=range]")).to_have_value("38")


@pytest.mark.parametrize("size", [(1440, 900), (390, 844)])
def test_the_method_is_met_before_the_maps_and_nothing_is_wider_than_the_screen(
    visit: Visit, size: tuple[int, int]
) -> None:
    page = visit("/saliency", size=size, theme="dark")
    maps = part(page, "explained")
    expect(maps).to_be_visible()
    chosen, shown = page.get_by_label("Method", exact=True).bounding_box(), maps.bounding_box()
    assert chosen is not None
    assert shown is not None
    assert chosen["y"] + chosen["height"] < shown["y"] < size[1]  # what is chosen is met first
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


def shares(page: Page, screen: str, thing: str) -> list[float]:
    """Read the shares off the bars of a thing."""
    row = page.locator(f".st-key-{screen} section.bars .thing", has_text=thing).first
    return [float(each) for each in re.findall(r"([\d.]+) %", row.inner_text())]


def test_an_examination_tells_how_the_network_reads_with_and_without_the_mark(
    visit: Visit,
) -> None:
    wished = "hans_images=16&hans_methods=gradient,edges&hans_class=3"
    page = visit(f"/saliency?saliency_tab=Clever+Hans&{wished}")
    page.get_by_role("button", name="Examine it").click()
    screen = "hans_screen"
    done = part(page, "progress", screen).first.locator("p")
    expect(done).to_have_text("Finished.", timeout=60_000)
    test = data.dataset("mnist", torch.device("cpu")).test
    threes = test.images[test.labels == 3][:1_000]
    right = float((load(DIGITS).network(threes).argmax(1) == 3).float().mean())
    assert shares(page, screen, "3: read right")[0] == pytest.approx(100 * right, abs=0.06)
    verdict = part(page, "bars", screen).first
    expect(verdict).to_contain_text("It hardly minds the mark.")
    for method in ("Gradient", "Edges"):
        within, hits = shares(page, screen, method)
        assert 0 < within < 50
        assert 0 <= hits <= 100
    assert len(names(page, screen)) == 3  # the picture, and a map of either
    page.get_by_role("button", name="Train it with the mark").click()
    told = page.get_by_text("has learned with the mark on all of the images of 3")
    expect(told).to_be_visible()
    page.get_by_role("button", name="Stop training").click()
    expect(page.get_by_role("button", name="Pin it", exact=True)).to_be_enabled()


def test_a_wish_climbs_is_filmed_and_stops(visit: Visit) -> None:
    page = visit("/saliency?saliency_tab=What+the+class+wants&wanted_steps=400&wanted_class=8")
    page.get_by_role("button", name="Look for it").click()
    screen = "wanted_screen"
    caption = part(page, "maps", screen).first.locator("figcaption").first
    expect(caption).to_contain_text(re.compile(r"step [1-9]\d*logit \d"))
    page.get_by_role("button", name="Stop", exact=True).click()
    said = part(page, "progress", screen).first.locator("p")
    expect(said).to_have_text("Stopped before its end; another one begins anew.")
    expect(caption).to_contain_text("Each pixel by itself, step ")  # it stays
    with page.expect_download() as begun:
        page.get_by_role("button", name="Film", exact=True).click()
    with Image.open(begun.value.path()) as film:
        assert (film.format, film.height) == ("GIF", 274)
        assert getattr(film, "n_frames", 1) > 2
    page.get_by_text("The code", exact=True).last.click()
    text = page.get_by_test_id("stExpander").get_by_test_id("stCode").inner_text()
    assert "target, steps, rate, jitter, weight_decay = 8, 400, 0.05, 1, 0.02" in text
