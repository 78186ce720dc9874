"""The attack panel in a real browser, used as a lecturer would."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from bench.browser import settle
from core.shared import photographs, pictures
from tests.browser.test_train_cnn import Visit

pytestmark = pytest.mark.browser
SCREEN = ".st-key-attack_screen"
TAKEN = ("Changed picture", "Film", "Pin the changed picture")


def part(page: Page, kind: str) -> Locator:
    return page.locator(f"{SCREEN} section.{kind}")


def drag(page: Page, label: str, value: int) -> None:
    slider = page.locator(f'{SCREEN} input[aria-label="{label}"]')
    slider.evaluate("(node, value) => { node.value = value; node.oninput() }", value)


def receipt(page: Page) -> list[str]:
    return part(page, "checks").locator("li b").all_inner_texts()


def test_a_larger_budget_fools_the_network_and_the_receipt_says_so(visit: Visit) -> None:
    page = visit("/adversarial")
    verdict = part(page, "progress").locator("p")
    budget = "Budget ε, L∞"
    drag(page, budget, 2)
    expect(verdict).to_have_text(re.compile(r"^PGD does not fool it within 2/255: 7 is not read"))
    fooled = part(page, "checks").locator("li", has_text="It is fooled")
    expect(fooled).to_have_class("fails")
    drag(page, budget, 40)
    expect(verdict).to_have_text(re.compile(r"^PGD fools it: 7 \(100\.0 %\) is read as \d"))
    expect(fooled).to_have_class("holds")
    expect(part(page, "checks").locator("li", has_text="Within ε")).to_contain_text("40/255")
    assert len(receipt(page)) == 7
    film = page.locator(f'{SCREEN} input[aria-label="Film"]')
    film.press("Home")
    expect(part(page, "maps").last).to_contain_text("clean")
    page.wait_for_function("new URL(location.href).searchParams.get('attack_epsilon') !== '40'")


def test_the_changed_picture_fools_when_it_is_uploaded_again(visit: Visit, tmp_path: Path) -> None:
    page = visit("/adversarial?attack_epsilon=45")
    verdict = part(page, "progress").locator("p")
    expect(verdict).to_contain_text("fools it: 7")
    read = re.search(r"is read as (\S+)", verdict.inner_text())
    assert read
    with page.expect_download() as begun:
        page.get_by_role("button", name="Changed picture", exact=True).click()
    file = tmp_path / "changed.png"
    begun.value.save_as(file)
    assert pictures.read(file.read_bytes()).pixels.shape == (28, 28, 3)
    page.goto(page.url.split("?")[0] + "?pin_picture=own")
    settle(page)
    page.get_by_test_id("stSidebar").locator("input[type=file]").last.set_input_files(file)
    expect(part(page, "checks")).to_contain_text(f"the clean picture is read as {read[1]}")


def test_a_photograph_is_attacked_at_its_own_resolution(visit: Visit, tmp_path: Path) -> None:
    page = visit(
        "/adversarial?pin_network=efficientnet-lite0&pin_picture=photograph-coffee"
        "&attack_method=FGSM&attack_epsilon=4"
    )
    expect(part(page, "progress").locator("p")).to_contain_text("FGSM fools it")
    with page.expect_download() as begun:
        page.get_by_role("button", name="Changed picture", exact=True).click()
    file = tmp_path / "changed.png"
    begun.value.save_as(file)
    whole = photographs.photograph("coffee").pixels
    assert pictures.read(file.read_bytes()).pixels.shape == whole.shape


def test_each_method_can_be_chosen_and_shows_its_settings(visit: Visit) -> None:
    page = visit("/adversarial?attack_method=Carlini–Wagner")
    expect(part(page, "progress").locator("p")).to_contain_text("Carlini–Wagner", timeout=40_000)
    expect(page.get_by_text("Searches for c")).to_be_visible()
    for name in ("Square", "One pixel", "JSMA", "DeepFool"):
        page.locator(".st-key-attack_method input").click()
        page.get_by_role("option", name=name, exact=True).click()
        expect(part(page, "progress").locator("p")).to_contain_text(name, timeout=40_000)
    assert not page.get_by_test_id("stException").count()


def test_curves_are_drawn_and_begin_at_the_clean_accuracy(visit: Visit) -> None:
    page = visit("/adversarial?attack_tab=Curves&curve_steps=5")
    page.get_by_role("button", name="Measure").click()
    done = page.locator(".st-key-curve_screen")
    expect(done.locator("li.holds")).to_have_count(3, timeout=90_000)
    expect(done.locator(".lines h4")).to_contain_text("64 test images")


def test_the_tabs_hold_what_they_promise(visit: Visit) -> None:
    page = visit("/adversarial?attack_tab=The code&attack_method=FGSM")
    expect(page.get_by_test_id("stCode")).to_contain_text("def steepest(gradient):")
    page.get_by_role("tab", name="Formula").click()
    expect(page.locator(".katex").first).to_be_visible()
    page.get_by_role("tab", name="Fake robustness").click()
    expect(page.get_by_role("button", name="Attack it")).to_be_visible()
    page.get_by_role("tab", name="Defences").click()
    expect(page.get_by_role("button", name="Try them")).to_be_visible()
    page.get_by_role("tab", name="Targets").click()
    expect(page.get_by_role("button", name="Try all targets")).to_be_visible()


def test_what_fools_one_network_is_read_by_another(visit: Visit) -> None:
    page = visit("/adversarial?attack_tab=Transfer")
    expect(page.get_by_text("no other network here that learned from the same")).to_be_visible()
    page = visit("/train_cnn?train_images=100&train_epochs=1", context=page.context)
    page.get_by_test_id("stMain").get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_text("Finished.")).to_be_visible(timeout=60_000)
    page = visit("/adversarial?attack_tab=Transfer&attack_steps=5", context=page.context)
    page.get_by_role("button", name="Try all pairs").click()
    done = page.locator(".st-key-transfer_screen")
    expect(done.get_by_text("Finished.")).to_be_visible(timeout=90_000)
    names = done.locator(".shares dd")
    expect(names.first).to_have_text("MNIST, built in")
    expect(names.nth(1)).to_contain_text("Run 1, step ")
    cells = done.locator(".shares .grid button")
    expect(cells).to_have_count(6)  # two networks, and noise
    own = cells.first.locator("span").inner_text()
    assert own.endswith("/64")
    expect(cells.nth(1).locator("span")).to_have_text(re.compile(f"/{own.split('/')[0]}$"))
    cells.first.click()
    expect(
        done.get_by_text(f"Made on A, misread by A: {own.replace('/', ' of ')}.")
    ).to_be_visible()
    expect(done.locator(".gallery button:not(.empty)")).to_have_count(6)
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_nonsense_in_the_address_is_named_and_nothing_is_lost(visit: Visit) -> None:
    page = visit("/adversarial?attack_method=magic&attack_epsilon=9999&attack_steps=7")
    toast = page.get_by_test_id("stToast")
    expect(toast).to_contain_text("attack_method must be FGSM")
    expect(part(page, "progress").locator("p")).to_contain_text("PGD")


def test_unknown_keys_are_named_and_those_of_other_panels_are_none(visit: Visit) -> None:
    page = visit("/adversarial?attack_metod=FGSM&maps_layer=conv1&train_epochs=2&pin_index=4")
    toast = page.get_by_test_id("stToast")
    expect(toast).to_have_count(1)
    expect(toast).to_have_text(re.compile("is no setting here: is attack_method meant\\?$"))


def test_what_is_refused_cannot_be_taken_away(visit: Visit) -> None:
    page = visit("/adversarial")
    buttons = [page.get_by_role("button", name=name, exact=True) for name in TAKEN]
    for button in buttons:
        expect(button).to_be_enabled()
    page.goto(page.url.split("?")[0] + "?attack_target=7")
    settle(page)
    expect(part(page, "progress")).to_contain_text("Target must be another class")
    for button in buttons:
        expect(button).to_be_disabled()


def test_a_refused_picture_leaves_the_one_before_and_its_name(visit: Visit, tmp_path: Path) -> None:
    page = visit("/adversarial?pin_picture=own")
    side = page.get_by_test_id("stSidebar")
    side.locator("input[type=file]").last.set_input_files(photographs.FOLDER / "coffee.jpg")
    expect(side.get_by_text("Shown: coffee.jpg, 600×400.")).to_be_visible()
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    side.locator("input[type=file]").last.set_input_files(broken)
    expect(side.get_by_text("The picture before stays: coffee.jpg, 600×400.")).to_be_visible()


@pytest.mark.parametrize("size", [(1440, 900), (390, 844)])
def test_nothing_is_wider_than_the_screen(visit: Visit, size: tuple[int, int]) -> None:
    page = visit("/adversarial", size=size)
    expect(part(page, "progress").locator("p")).to_contain_text("PGD")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


def test_a_network_and_its_hardened_twin_are_trained_by_one_button(visit: Visit) -> None:
    page = visit(
        "/adversarial?attack_tab=Adversarial+training&harden_images=1%2C000&harden_epochs=1"
    )
    page.get_by_role("button", name="Train both").click()
    screen = page.locator(".st-key-harden_screen")
    expect(screen.locator("section.progress p")).to_have_text("Finished.", timeout=120_000)
    figures = screen.locator("section.figures")
    shares = [float(each) for each in re.findall(r"([\d.]+) %", figures.inner_text())]
    assert len(shares) == 4  # clean and under PGD, of both
    assert shares[3] > shares[1]
    expect(screen.locator("section.checks li.holds")).to_contain_text("withstands 26/255 better")
    expect(screen.locator("section.maps canvas")).to_have_count(5)
    title = page.get_by_role("slider", name="Budget ε")
    expect(title).not_to_be_in_viewport()
    page.get_by_role("button", name="Attack the hardened one").click()
    page.wait_for_url(re.compile("pin_network=run-"))
    page.wait_for_url(re.compile("attack_tab=Adversarial"))
    expect(page.get_by_text(re.compile("As it stood at step"))).to_be_visible()
    expect(title).to_be_in_viewport()
    expect(screen.locator("section.progress p")).to_have_text("Finished.")
