"""The second panel in a real browser, used as a lecturer would."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from bench.browser import settle
from core.shared.photographs import FOLDER
from tests.browser.test_train_cnn import Visit, begin

pytestmark = pytest.mark.browser
SCREEN = ".st-key-maps_screen"


def part(page: Page, kind: str) -> Locator:
    return page.locator(f"{SCREEN} section.{kind}")


def title(page: Page, kind: str) -> Locator:
    return part(page, kind).locator("h4").first


def give(page: Page, content: bytes) -> None:
    """Upload a picture of one's own; its name does not say what it is."""
    given = page.get_by_test_id("stSidebar").locator("input[type=file]").last
    given.set_input_files({"name": "x.png", "mimeType": "image/png", "buffer": content})


def test_a_layer_a_map_and_a_value_are_chosen_by_mouse_and_keyboard(visit: Visit) -> None:
    page = visit("/feature_maps")
    expect(title(page, "atlas")).to_have_text("conv1.0, convolution 3×3: 16 maps of 28×28")
    part(page, "strip").get_by_role("button", name="maximum 2×2").first.click()
    expect(title(page, "atlas")).to_have_text("max3.0, maximum 2×2: 16 maps of 14×14")
    expect(part(page, "products")).to_contain_text("max = ")
    canvas = part(page, "atlas").locator("canvas")
    canvas.focus()
    page.keyboard.press("ArrowRight")
    expect(title(page, "close")).to_have_text("Map 1 of max3.0")
    page.keyboard.press("ArrowDown")
    expect(title(page, "atlas")).to_have_text(re.compile(r"^conv4\.0"))
    chosen = part(page, "strip").locator("button[tabindex='0']")
    chosen.focus()  # the only one that Tab comes to
    page.keyboard.press("ArrowDown")
    expect(title(page, "atlas")).to_have_text(re.compile(r"^conv4\.1"))
    expect(chosen).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(title(page, "atlas")).to_have_text(re.compile(r"^conv4\.0"))
    part(page, "close").locator("canvas").first.click(position={"x": 20, "y": 20})
    expect(title(page, "products")).to_have_text(re.compile(r"^Where the value of conv4\.0, map 1"))
    expect(part(page, "products")).to_contain_text(re.compile(r"the difference is \de−0[5-9]"))
    page.wait_for_url("**maps_layer=conv4.0**")
    page.reload()
    settle(page)
    expect(title(page, "atlas")).to_have_text(re.compile(r"^conv4\.0"))


def test_a_sum_is_shown_by_the_names_of_what_is_added(visit: Visit) -> None:
    page = visit("/feature_maps?pin_network=efficientnet-lite0&maps_layer=block4&maps_at=3-4")
    products = part(page, "products")
    expect(products).to_contain_text("with a: block4 takes, b: block4.project.norm")
    products.get_by_role("button", name="b: block4.project.norm").click()
    expect(products.locator(".three b")).to_have_text(["b: block4.project.norm"])
    products.get_by_role("button", name="a: block4 takes").click()
    expect(products.locator(".three b")).to_have_text(["a: block4 takes"])
    assert sorted(products.locator(".sums span").all_inner_texts()) == ["a", "b"]


def test_what_a_page_writes_into_the_address_it_takes_again(visit: Visit) -> None:
    page = visit("/feature_maps?maps_tab=Layers+as+spaces&maps_layer=conv7.0&maps_images=100")
    page.get_by_role("radio", name="t-SNE").click()
    page.get_by_role("radio", name="angle").click()
    page.wait_for_url("**maps_moved=angle**")
    page.wait_for_url("**maps_way=t-SNE**")
    page.reload()
    settle(page)
    expect(page.get_by_role("radio", name="t-SNE")).to_be_checked()
    expect(page.get_by_text("Each number is the angle")).to_be_visible()
    expect(page.get_by_test_id("stToast")).to_have_count(0)


def test_a_click_on_a_weight_shows_its_gradient_and_its_next_step(visit: Visit) -> None:
    page = visit("/feature_maps")
    part(page, "products").locator(".three button").nth(4).click()
    expect(part(page, "gradient")).to_contain_text("w − η·∂L/∂w = ")
    before = part(page, "gradient").inner_text()
    part(page, "choices").last.get_by_role("radio", name="0.01", exact=True).click()
    expect(part(page, "gradient")).not_to_have_text(before)
    expect(part(page, "gradient")).to_contain_text("− 0.01·(")


def test_leafing_through_test_images_shows_each_one_s_maps(visit: Visit) -> None:
    page = visit("/feature_maps")
    canvas = part(page, "atlas").locator("canvas")
    before = canvas.evaluate("canvas => canvas.toDataURL()")
    slider = page.locator(SCREEN).get_by_role("slider", name="Test image")
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(part(page, "answers")).to_contain_text("Test image 1 of MNIST: 2")
    assert canvas.evaluate("canvas => canvas.toDataURL()") != before
    page.wait_for_url("**pin_index=1**")


def test_sorting_and_colours_need_no_pass_through_the_network(visit: Visit) -> None:
    page = visit("/feature_maps")
    page.get_by_role("radio", name="each map").click()
    expect(part(page, "atlas")).to_contain_text("Each map has its own scale")
    page.get_by_role("radio", name="strength").click()
    page.wait_for_url("**maps_sort=strength**")


def test_a_photograph_goes_through_a_network_of_imagenet(visit: Visit) -> None:
    page = visit("/feature_maps?pin_network=efficientnet-lite0&pin_picture=photograph-coffee")
    expect(part(page, "answers")).to_contain_text("EfficientNet-Lite0 reads: espresso")
    expect(title(page, "atlas")).to_have_text("stem.conv, convolution 3×3: 32 maps of 112×112")
    part(page, "strip").get_by_role("button", name="softmax").click()
    expect(title(page, "close")).to_have_text("softmax, espresso")  # the likeliest
    part(page, "atlas").locator("canvas").hover(position={"x": 4, "y": 4})
    expect(part(page, "atlas").locator("output")).to_contain_text("tench: ")


def test_an_own_picture_is_seen_and_a_broken_one_named(visit: Visit) -> None:
    page = visit("/feature_maps?pin_picture=own")
    give(page, (FOLDER / "coffee.jpg").read_bytes())
    expect(part(page, "answers")).to_contain_text("Your picture")
    expect(page.get_by_test_id("stFileChipName")).to_have_count(1)
    expect(part(page, "answers")).to_contain_text("It may be of no class that the network knows")
    give(page, b"no picture")
    expect(page.get_by_text("the picture must be")).to_be_visible()
    expect(page.get_by_test_id("stFileChipName")).to_have_count(0)  # the refused one's name
    expect(part(page, "answers")).to_contain_text("Your picture")  # the one before stays


def test_a_run_that_still_learns_can_be_looked_into_and_taken_anew(visit: Visit) -> None:
    page = visit("/train_cnn?train_epochs=20")
    begin(page)
    page.get_by_test_id("stPageLink").click()
    expect(title(page, "atlas")).to_have_text(re.compile("^C1.0, convolution 5×5: 6 maps"))
    said = page.get_by_test_id("stSidebar").get_by_text("As it stood at step")
    before = said.inner_text()
    page.get_by_role("button", name="Newest").click()
    expect(said).not_to_have_text(before)


def test_nonsense_in_the_address_falls_back_and_is_named(visit: Visit) -> None:
    page = visit(
        "/feature_maps?pin_network=skynet&pin_index=x&maps_layer=none&maps_at=9999-9999"
        "&maps_tab=nowhere"
    )
    gone = page.get_by_test_id("stSidebar").get_by_text("The network skynet is not here.")
    expect(gone).to_be_visible()
    expect(page.get_by_text("pin_index must be a whole number from 0 to 9,999")).to_be_visible()
    told = page.get_by_text("maps_layer must be a layer of the network, got 'none'")
    expect(told).to_be_visible()
    tabs = "maps_tab must be What to try, .* or The code, got 'nowhere'"
    expect(page.get_by_text(re.compile(tabs))).to_be_visible()
    expect(title(page, "atlas")).to_have_text(re.compile(r"^conv1\.0"))


def test_back_leads_to_the_page_before_and_forward_to_what_was_looked_at(visit: Visit) -> None:
    page = visit("/feature_maps")
    page.get_by_test_id("stSidebarNavLink").filter(has_text="Train a CNN").click()
    page.get_by_test_id("stSidebarNavLink").filter(has_text="Feature maps").click()
    part(page, "strip").get_by_role("button", name="maximum 2×2").first.click()
    page.wait_for_url("**maps_layer=max3.0**")
    part(page, "strip").get_by_role("button", name="convolution 3×3").nth(2).click()
    page.wait_for_url("**maps_layer=conv4.0**")
    settle(page)
    page.go_back()
    expect(page.get_by_role("heading", name="Train a CNN")).to_be_visible()
    settle(page)
    page.go_forward()
    expect(title(page, "atlas")).to_have_text(re.compile(r"^conv4\.0"))


def test_an_own_picture_is_there_after_f5(visit: Visit) -> None:
    page = visit("/feature_maps?pin_picture=own&pin_network=efficientnet-lite0")
    give(page, (FOLDER / "coffee.jpg").read_bytes())
    expect(part(page, "answers")).to_contain_text("Your picture")
    page.wait_for_url(re.compile("pin_picture=own-[0-9a-f]{32}"))
    page.reload()
    settle(page)
    expect(part(page, "answers")).to_contain_text("Your picture")
    expect(part(page, "answers")).to_contain_text("reads: espresso")


def test_a_network_of_digits_can_be_shown_clothes(visit: Visit) -> None:
    # So tall that nothing has to scroll: a list that has just been opened is closed by that.
    page = visit("/feature_maps?pin_data=fashion&pin_index=3", size=(1440, 1200))
    expect(part(page, "answers")).to_contain_text("Test image 3 of Fashion-MNIST")
    expect(part(page, "answers")).to_contain_text("This is none of its classes")
    page.get_by_test_id("stSidebar").get_by_test_id("stSelectbox").nth(2).locator("input").click()
    page.get_by_role("option", name="MNIST", exact=True).click()
    expect(part(page, "answers")).to_contain_text("Test image 3 of MNIST: 0")


def tab(page: Page, name: str) -> Page:
    page.get_by_role("tab", name=name).click()
    return page


def test_the_laboratory_moves_its_window_and_fills_in_the_formula(visit: Visit) -> None:
    page = tab(visit("/feature_maps?lab_maps=5-7"), "Convolution laboratory")
    lab = page.locator(".st-key-lab_screen")
    expect(lab.locator(".convolving")).to_contain_text("What edge makes of it, 26×26")
    expect(page.locator(".katex").first).to_contain_text("26")
    expect(page.locator(".st-key-mix_screen")).to_contain_text("1·map 5 + 0·map 7")
    place = lab.get_by_role("slider", name="Place of the window")
    before = place.input_value()
    lab.get_by_role("button", name="Move the window").click()
    expect(place).not_to_have_value(before)
    lab.get_by_role("button", name="Pause").click()
    stride = lab.get_by_role("slider", name="Stride")
    stride.focus()
    page.keyboard.press("ArrowRight")
    expect(lab.locator(".convolving")).to_contain_text("makes of it, 13×13")
    page.wait_for_url("**lab_stride=2**")
    lab.get_by_role("radio", name="transposed").click()
    expect(lab.locator(".convolving")).to_contain_text("makes of it, 57×57")
    lab.get_by_role("radio", name="plain").click()
    dilation = lab.get_by_role("slider", name="Dilation")
    dilation.focus()
    page.keyboard.press("End")
    expect(lab.locator(".convolving")).to_contain_text("makes of it, 10×10")


def test_own_numbers_of_a_kernel_stand_in_the_address(visit: Visit) -> None:
    numbers = "0,0,0,0,-2,0,0,0,0"
    page = tab(visit(f"/feature_maps?lab_kernel=own+numbers&lab_own={numbers}"), "Convolution")
    lab = page.locator(".st-key-lab_screen")
    expect(lab.locator(".convolving .grid").nth(1)).to_have_text("0000−20000")
    page.wait_for_url("**lab_own=0%2C0%2C0%2C0%2C-2%2C0%2C0%2C0%2C0**")


def test_one_map_is_excited_silenced_and_dreams(visit: Visit) -> None:
    page = tab(visit("/feature_maps?maps_layer=conv2.2"), "This map")
    screen = page.locator(".st-key-channel_screen")
    expect(screen.locator(".gallery button:visible")).to_have_count(9, timeout=30_000)
    expect(screen.locator(".pairs").first).to_contain_text("without map 0")
    expect(screen).to_contain_text("Effective receptive field")
    page.get_by_text("keep only it").click()
    expect(screen.locator(".pairs").first).to_contain_text("map 0 alone")
    page.get_by_role("button", name="Let it dream").click()
    dream = page.locator(".st-key-dream_screen")
    expect(dream.locator(".progress")).to_contain_text("Finished", timeout=60_000)
    expect(dream).to_contain_text("step 100 of 100")
    film = dream.get_by_role("slider", name="Film")
    film.focus()
    page.keyboard.press("Home")
    expect(dream).to_contain_text("step 0 of 100")
    page.wait_for_timeout(1_000)  # the page's script hears of the film's place, and runs
    settle(page)
    screen.locator(".gallery button").first.click()
    expect(part(page, "answers")).not_to_contain_text("Test image 0 of")


def test_layers_are_spaces_and_a_point_shows_its_image(visit: Visit) -> None:
    page = tab(visit("/feature_maps?maps_layer=conv8.2"), "Layers as spaces")
    screen = page.locator(".st-key-space_screen")
    plane = screen.locator(".scatter canvas")
    expect(plane).to_be_visible(timeout=30_000)
    plane.scroll_into_view_if_needed()
    box = plane.bounding_box()
    assert box is not None
    for across in range(40, int(box["width"]), 30):
        page.mouse.move(box["x"] + across, box["y"] + 100 + across % 200)
        page.wait_for_timeout(40)
    expect(screen).to_contain_text("read as")
    page.get_by_text("Train a linear probe").click()
    expect(page.get_by_text("Best at")).to_be_visible(timeout=60_000)
    expect(page.get_by_test_id("stVegaLiteChart")).to_have_count(2)


def test_a_network_of_imagenet_lays_out_digits(visit: Visit) -> None:
    address = "/feature_maps?pin_network=efficientnet-lite0&maps_layer=head.activation"
    page = tab(visit(f"{address}&maps_images=100"), "Layers as spaces")
    plane = page.locator(".st-key-space_screen .scatter")
    expect(plane).to_contain_text(
        "100 test images by 1,280 means of head.activation", timeout=60_000
    )


def test_the_code_is_there_for_the_maps_and_the_value(visit: Visit) -> None:
    page = tab(visit("/feature_maps?maps_layer=conv2.0"), "The code")
    expect(page.get_by_text("All maps of the layer")).to_be_visible(timeout=30_000)
    expect(page.get_by_text("The chosen value")).to_be_visible()
    expect(page.get_by_test_id("stCode").first).to_contain_text("import torch")
