"""The first panel in a real browser, used as a lecturer would."""

import io
import re
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlencode

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from bench.browser import Server, settle

pytestmark = pytest.mark.browser
Visit = Callable[..., Page]
KINDS = ("progress", "figures", "curves", "maps canvas", "matrix", "pad canvas", "reading")


def step(page: Page) -> int:
    """Read the step off the page."""
    words = page.get_by_text(re.compile(r"^[\d,]+ of [\d,]+$")).first.inner_text()
    return int(words.split(" of ")[0].replace(",", ""))


def later(page: Page, than: int, seconds: float = 60) -> int:
    """Wait until the page shows a later step."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        now = step(page)
        if now > than:
            return now
        page.wait_for_timeout(50)
    raise AssertionError(f"still at step {than} after {seconds} s")


def press(page: Page, name: str) -> None:
    main = page.get_by_test_id("stMain")  # the header has a "Stop" of its own at times
    main.or_(page.get_by_test_id("stPopoverBody")).get_by_role(
        "button", name=name, exact=True
    ).click()


def slider(page: Page, name: str) -> Locator:
    return page.locator(".st-key-train_screen").get_by_role("slider", name=name)


def said(page: Page, name: str) -> Locator:
    return page.locator(".st-key-train_screen .drag", has_text=name).locator("output")


def pause(page: Page) -> None:
    press(page, "Pause")
    expect(page.get_by_text("Paused")).to_be_visible()


def begin(page: Page) -> int:
    press(page, "Start")
    return later(page, 0)


def test_a_run_learns_to_its_end_and_is_tested_on_request(visit: Visit) -> None:
    page = visit("/train_cnn?train_batch=512&train_epochs=1")
    begin(page)
    expect(page.get_by_text("Finished.")).to_be_visible(timeout=120_000)
    assert step(page) == 98
    expect(page.get_by_text("Confusion matrix of 10,000 validation digits")).to_be_visible()
    press(page, "Read the 10,000 test images")
    told = page.get_by_text(re.compile(r"read right, by the weights of step 98"))
    expect(told).to_be_visible()
    assert float(told.inner_text().split(" %")[0]) > 90


def test_nothing_is_remounted_and_nothing_jumps_while_it_learns(visit: Visit) -> None:
    page = visit("/train_cnn?train_epochs=20")
    begin(page)
    selectors = [f".st-key-train_screen .{kind}" for kind in KINDS]
    nodes = [page.locator(selector).first.element_handle() for selector in selectors]
    boxes = [node.bounding_box() for node in nodes]
    here = step(page)
    for _ in range(5):
        here = later(page, here)
        page.wait_for_timeout(300)
    assert [node.evaluate("node => node.isConnected") for node in nodes] == [True] * len(nodes)
    assert [node.bounding_box() for node in nodes] == boxes
    press(page, "Stop")


def test_nothing_jumps_when_a_run_starts_and_stops(visit: Visit) -> None:
    page = visit("/train_cnn?train_batch=512")
    page.evaluate(
        """() => {
          const top = () => document.querySelector('.st-key-train_screen').offsetTop
          window.tops = new Set()
          const look = () => { tops.add(top()); requestAnimationFrame(look) }
          look()
        }"""
    )
    for _ in range(2):
        begin(page)
        press(page, "Stop")
        expect(page.get_by_text("Stopped")).to_be_visible()
    assert page.evaluate("tops.size") == 1


def test_pause_stands_one_step_is_one_and_resume_goes_on(visit: Visit) -> None:
    page = visit("/train_cnn?train_epochs=20")
    begin(page)
    pause(page)
    page.wait_for_timeout(500)
    stood = step(page)
    page.wait_for_timeout(700)
    assert step(page) == stood
    press(page, "One step")
    assert later(page, stood) == stood + 1
    press(page, "Resume")
    later(page, stood + 1)
    press(page, "Stop")
    expect(page.get_by_text("Stopped")).to_be_visible()
    stopped = step(page)
    press(page, "Resume")
    later(page, stopped)
    press(page, "Stop")


def test_f5_and_a_second_window_find_the_run_still_going(visit: Visit) -> None:
    page = visit("/train_cnn?train_epochs=20")
    begun = begin(page)
    page.reload()
    settle(page)
    assert later(page, begun) > begun
    second = visit("/train_cnn", context=page.context)
    assert later(second, begun) > begun
    stranger = visit("/train_cnn")
    assert step(stranger) == 0
    press(page, "Stop")
    expect(second.get_by_text("Stopped")).to_be_visible()


def draw_a_one(page: Page) -> None:
    pad = page.locator(".st-key-train_screen .pad canvas")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"]
    page.mouse.move(x, y + 0.15 * box["height"])
    page.mouse.down()
    for place in range(15, 86, 5):
        page.mouse.move(x, y + place / 100 * box["height"])
    page.mouse.up()


def test_a_drawn_digit_is_read_while_the_network_learns(visit: Visit) -> None:
    page = visit("/train_cnn?train_epochs=20&train_batch=128")
    begin(page)
    draw_a_one(page)
    reading = page.locator(".st-key-train_screen .reading")
    expect(reading.locator("canvas")).to_be_visible()
    later(page, 150)
    best = reading.locator(".best")
    expect(best).to_have_count(1)
    expect(best.locator("span").first).to_have_text("1", timeout=30_000)
    press(page, "Clear")
    expect(reading.locator("canvas")).to_be_hidden()
    press(page, "Stop")


def test_a_finger_draws_as_a_mouse_does(visit: Visit, browser: Browser) -> None:
    phone = browser.new_context(has_touch=True, is_mobile=True)
    page = visit("/train_cnn", phone, size=(390, 844))
    pad = page.locator(".st-key-train_screen .pad canvas")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    assert box is not None
    finger = phone.new_cdp_session(page)
    x, top, tall = box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.2, box["height"] * 0.6
    for kind, share in (("touchStart", 0), *(("touchMove", k / 8) for k in range(9))):
        points = [{"x": x, "y": top + tall * share}]
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(page.locator(".st-key-train_screen .reading canvas")).to_be_visible()
    after = pad.bounding_box()
    assert after is not None
    assert after["y"] == pytest.approx(box["y"], abs=2)  # the page did not scroll along
    phone.close()


def test_a_drawing_stays_over_a_change_of_page_and_is_read_by_the_next_run(visit: Visit) -> None:
    page = visit("/train_cnn?train_epochs=20&train_batch=512")
    draw_a_one(page)
    reading = page.locator(".st-key-train_screen .reading")
    expect(reading.locator("canvas")).to_be_visible()  # by the untrained network
    page.get_by_role("link", name="Home").first.click()
    expect(page.get_by_role("heading", name="Glassbox")).to_be_visible()
    page.get_by_role("link", name="Train a CNN").first.click()
    expect(reading.locator("canvas")).to_be_visible()
    begin(page)
    expect(reading.locator("canvas")).to_be_visible()
    kept = "Object.entries(sessionStorage).filter(([name]) => name.startsWith('glassbox '))"
    drawing = page.evaluate(kept)
    page.reload()
    settle(page)
    expect(reading.locator("canvas")).to_be_visible()
    assert page.evaluate(kept) == drawing  # to the last bit, however often it is taken up again
    ink = "canvas => canvas.getContext('2d').getImageData(168, 168, 1, 1).data[3]"
    assert page.locator(".st-key-train_screen .pad canvas").evaluate(ink) > 200
    press(page, "Stop")


def test_dragging_shows_another_digit_s_maps_also_when_the_run_stands(visit: Visit) -> None:
    page = visit("/train_cnn?train_epochs=20")
    begin(page)
    pause(page)
    first = page.locator(".st-key-train_screen .maps canvas").first
    before = first.evaluate("canvas => canvas.toDataURL()")
    slider(page, "Validation digit").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "([canvas, before]) => canvas.toDataURL() !== before", arg=[first.element_handle(), before]
    )
    expect(said(page, "Validation digit")).to_have_text("1")
    press(page, "Stop")


def test_another_digit_can_be_looked_at_before_any_run_and_stands_in_the_address(
    visit: Visit,
) -> None:
    page = visit("/train_cnn")
    maps = page.locator(".st-key-train_screen .maps canvas").first
    before = maps.evaluate("canvas => canvas.toDataURL()")
    slider(page, "Validation digit").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.wait_for_url("**train_digit=3")
    assert maps.evaluate("canvas => canvas.toDataURL()") != before
    begin(page)
    expect(said(page, "Validation digit")).to_have_text("3")
    press(page, "Stop")
    linked = visit("/train_cnn?train_digit=3")
    expect(said(linked, "Validation digit")).to_have_text("3")
    here = linked.locator(".st-key-train_screen .maps canvas").first
    assert here.evaluate("canvas => canvas.toDataURL()") != before
    again = visit("/train_cnn?train_digit=8", context=page.context)  # whose run looks at 3
    expect(said(again, "Validation digit")).to_have_text("8")


def test_a_second_run_is_seen_as_soon_as_the_first(visit: Visit) -> None:
    page = visit("/train_cnn?train_epochs=20")
    for run in range(2):
        began = time.monotonic()
        press(page, "Start")
        words = page.get_by_text("of 10,420")
        expect(words).to_be_visible()
        later(page, 0)
        assert time.monotonic() - began < 5  # a request that waits for news may wait 10 s
        press(page, "Stop")
        expect(page.get_by_text("Stopped")).to_be_visible()
        if run == 0:
            later(page, 0)


def test_runs_can_be_chosen_kept_and_deleted(visit: Visit) -> None:
    page = visit("/train_cnn?train_batch=512")
    for _ in range(2):
        begin(page)
        press(page, "Stop")
        expect(page.get_by_text("Stopped")).to_be_visible()
    box = page.locator(".st-key-train_run input")
    expect(box).to_have_value("2: η 0.15, batch 512")
    box.click()
    page.get_by_role("option", name="1: ").click()
    page.wait_for_url("**train_run=**")
    page.reload()
    settle(page)
    expect(box).to_have_value("1: η 0.15, batch 512")
    press(page, "Keep")
    page.get_by_text("Keep the chosen run").click()
    expect(page.get_by_text("goes first: 2: η 0.15")).to_be_visible()
    settle(page)
    press(page, "Delete the chosen run…")
    dialog = page.get_by_role("dialog", name="Delete this run for good?")
    expect(dialog).to_contain_text("Run 1: η 0.15, batch 512")
    dialog.get_by_role("button", name="Keep it").click()
    expect(dialog).to_have_count(0)
    expect(box).to_have_value("1: η 0.15, batch 512")
    press(page, "Keep")
    press(page, "Delete the chosen run…")
    dialog.get_by_role("button", name="Delete it").click()
    expect(page).not_to_have_url(re.compile("train_run"))
    expect(box).to_have_value("2: η 0.15, batch 512")  # the other one keeps its number


def test_back_leads_to_the_settings_that_were_left(visit: Visit) -> None:
    page = visit("/train_cnn?train_batch=512&train_epochs=1")
    page.get_by_role("link", name="Home").first.click()
    expect(page.get_by_role("heading", name="Glassbox")).to_be_visible()
    page.go_back()
    expect(page.get_by_text("98 steps of 512 images")).to_be_visible()
    assert "train_batch=512" in page.url
    page.get_by_role("link", name="Home").first.click()
    expect(page.get_by_role("heading", name="Glassbox")).to_be_visible()
    page.get_by_role("link", name="Train a CNN").first.click()
    expect(page.get_by_text("98 steps of 512 images")).to_be_visible()


def test_a_stranger_cannot_look_at_a_screen_or_tell_it_anything(visit: Visit) -> None:
    page = visit("/train_cnn")
    with page.expect_request("**/screen/**") as asked:
        begin(page)
    url = asked.value.url.split("?")[0]
    assert page.request.get(url).status == 200
    stranger = visit("/").request
    assert stranger.get(url).status == 404
    assert stranger.post(url, data='{"name": "digit", "value": 3}').status == 404
    for nonsense in ("", "[]", '{"name": "digit", "value": "x"}', '{"name": "digit", "value": -1}'):
        assert page.request.post(url, data=nonsense).status == 400
    assert page.request.post(url, data="x" * 100_000).status == 413
    press(page, "Stop")


def rate_now(page: Page) -> Locator:
    return page.locator(".st-key-train_screen .figures div").nth(1).locator("b")


def test_the_rate_can_be_moved_while_it_learns_also_after_f5(visit: Visit) -> None:
    page = visit("/train_cnn?train_epochs=20&train_schedule=constant")
    begin(page)
    expect(rate_now(page)).to_have_text("0.15")
    for rate in ("0.1", "0.05"):
        page.locator(".st-key-train_rate [role=slider], .st-key-train_rate input").first.focus()
        page.keyboard.press("ArrowLeft")
        expect(rate_now(page)).to_have_text(rate)
        assert f"train_rate={rate}" in page.url
        page.reload()
        settle(page)
    press(page, "Stop")
    expect(page.get_by_text("Stopped")).to_be_visible()
    page.get_by_role("tab", name="The code").click()
    code = page.get_by_test_id("stCode")
    expect(code).to_contain_text("learning_rate, batch_size, epochs, seed = 0.15, 96, 20, 0")
    expect(code).to_contain_text(re.compile(r'moved = \{\d+: \{"lr": 0.1\}, \d+: \{"lr": 0.05\}\}'))


def test_nonsense_in_the_address_falls_back_to_the_defaults_and_is_named(visit: Visit) -> None:
    page = visit("/train_cnn?train_rate=banana&train_batch=100&train_epochs=1e9&train_seed=%00")
    expect(page.get_by_text("0 of 1,563")).to_be_visible()
    expect(page.get_by_text("train_rate must be one of 0.0001")).to_be_visible()
    expect(page.get_by_text("got '100' in the address; 96 was taken instead.")).to_be_visible()
    digit = visit("/train_cnn?train_digit=10000&train_batch=128")
    expect(digit.get_by_text("train_digit must be a whole number from 0 to 9,999")).to_be_visible()
    expect(digit.get_by_text("train_batch must")).to_have_count(0)


def test_a_page_lives_on_when_the_server_starts_again(browser: Browser) -> None:
    server = Server()
    try:
        page = browser.new_page()
        page.goto(f"{server.url}/train_cnn?train_epochs=20")
        settle(page)
        begin(page)
        server.process.terminate()
        server.process.wait(20)
        expect(page.locator(".st-key-train_screen .lost")).to_have_count(1)
        server.start()
        expect(page.get_by_text("The server stopped during this run")).to_be_visible(timeout=60_000)
        press(page, "Resume")
        later(page, step(page))
        page.close()
    finally:
        server.close()


def test_the_time_machine_goes_back_and_a_branch_goes_on_from_there(visit: Visit) -> None:
    page = visit("/train_cnn?train_batch=512&train_epochs=1")
    begin(page)
    expect(page.get_by_text("Finished.")).to_be_visible(timeout=120_000)
    kernels = page.locator(".st-key-train_screen .maps canvas").nth(1)
    now = kernels.evaluate("canvas => canvas.toDataURL()")
    slider(page, "Time machine").focus()
    page.keyboard.press("Home")
    expect(said(page, "Time machine")).to_have_text(re.compile(r"step 0 \(1 of \d+\)"))
    expect(page.get_by_text("0 of 98", exact=True)).to_be_visible()
    first = kernels.evaluate("canvas => canvas.toDataURL()")
    assert first != now
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    expect(said(page, "Time machine")).to_have_text(re.compile(r"step 4 \(5 of \d+\)"))
    expect(page.get_by_text("4 of 98", exact=True)).to_be_visible()
    press(page, "Compare")
    press(page, "From step 4")
    page.wait_for_function(  # the box is a new one, and for a moment the old one stands beside it
        "value => [...document.querySelectorAll('.st-key-train_run input')]"
        ".map(box => box.value).join() === value",
        arg="2: η 0.0001, batch 512, 1 epoch, from step 4 of run 1",
    )
    expect(page.locator(".st-key-train_screen .curves").first).to_contain_text("1: η 0.15")
    later(page, 4)
    slider(page, "Time machine").focus()
    page.keyboard.press("Home")
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    expect(page.get_by_text("2 of 98", exact=True)).to_be_visible()  # of the run before
    page.keyboard.press("End")
    expect(said(page, "Time machine")).to_have_text(re.compile("now, step"))
    page.keyboard.press("Home")
    page.locator(".st-key-train_screen .matrix .wrong").first.click()
    for part in ("train_others=", "train_step=0", "train_cell="):
        page.wait_for_url(re.compile(part))
    page.reload()
    settle(page)
    expect(said(page, "Time machine")).to_have_text(re.compile("step 0 "))
    expect(page.locator(".st-key-train_screen .curves").first).to_contain_text("1: η 0.15")
    expect(page.locator(".st-key-train_screen .matrix .chosen")).to_have_count(1)


def test_a_cell_of_the_matrix_shows_its_images_and_an_image_its_maps(visit: Visit) -> None:
    page = visit("/train_cnn")
    wrong = page.locator(".st-key-train_screen .matrix .wrong").first
    count = int(wrong.inner_text())
    wrong.click()
    gallery = page.locator(".st-key-train_screen .gallery")
    expect(gallery.locator("h4")).to_have_text(re.compile(rf"^{count} digits?: true \d, read as"))
    expect(gallery.locator("button:not(.empty)")).to_have_count(min(12, count))
    gallery.locator("button").first.click()
    expect(said(page, "Validation digit")).not_to_have_text("0")
    page.locator(".st-key-train_screen .matrix .chosen").click()
    expect(gallery.locator("h4")).to_have_text(re.compile("^Worst of [0-9]+ mistakes"))


def zipped(folders: dict[str, list[bytes]]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        for folder, pictures in folders.items():
            for number, content in enumerate(pictures):
                packed.writestr(f"{folder}/{number}.png", content)
    return file.getvalue()


def plain(colour: tuple[int, int, int]) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(file, "PNG")
    return file.getvalue()


def upload(page: Page, content: bytes) -> None:
    press(page, "Own pictures")
    page.locator("input[type=file]").set_input_files(
        {"name": "own.zip", "mimeType": "application/zip", "buffer": content}
    )


def test_own_pictures_are_learned_and_their_address_leads_others_to_them(visit: Visit) -> None:
    page = visit("/train_cnn?train_network=MLP%2C+300+and+100+units&train_epochs=20")
    reds = [plain((200 + k, 10, 10)) for k in range(20)]
    blues = [plain((10, 10, 200 + k)) for k in range(20)]
    upload(page, zipped({"red *thing*": reds, "blue": blues}))
    expect(page.get_by_text("40 pictures of blue and red *thing*.")).to_be_visible()
    page.keyboard.press("Escape")
    page.wait_for_url("**train_data=own-**")
    begin(page)
    expect(page.get_by_text("Finished.")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("Confusion matrix of 6 validation images")).to_be_visible()
    expect(page.locator(".st-key-train_screen .matrix .right")).to_have_text(["3", "3"])
    assert page.locator(".st-key-train_screen .pad").count() == 0
    stranger = visit(page.url.removeprefix(page.url.split("/train_cnn")[0]))
    expect(stranger.get_by_text("Confusion matrix of 6 validation images")).to_be_visible()


def test_a_hostile_zip_gives_one_sentence_and_changes_nothing(visit: Visit) -> None:
    page = visit("/train_cnn")
    content = zipped({"../../etc": [plain((1, 2, 3))] * 6, "b": [plain((3, 2, 1))] * 6})
    upload(page, content)
    expect(page.get_by_test_id("stAlert")).to_have_count(1)
    expect(page.get_by_test_id("stAlert")).to_contain_text("..")
    assert "own-" not in page.url
    press(page, "Own pictures")
    begin(page)
    press(page, "Stop")


def edit_first_row(page: Page, channels: int) -> None:
    """Give the first layer so many channels in the editor, and take its table for new runs."""
    page.get_by_role("tab", name="Network").click()
    page.get_by_text("Edit the layer table").click()
    tables = page.get_by_test_id("stDataFrame")
    editor = tables.nth(1)  # after the arithmetic
    expect(editor).to_be_visible()
    grid = editor.locator(".dvn-scroller").first
    computed = tables.nth(2).locator("td").filter(has_text=re.compile(rf"\b{channels}\b"))
    for _ in range(3):  # Streamlit drops what is typed while it draws its table anew
        grid.click(position={"x": 160, "y": 52})  # the channels of the first row
        page.keyboard.press("Enter")
        field = page.locator(".gdg-input, #portal input").first
        expect(field).to_be_visible()
        field.fill(str(channels))
        field.press("Enter")
        with suppress(AssertionError):
            expect(computed.first).to_be_attached(timeout=5_000)  # by the server, of what was typed
            break
    press(page, "Use this table for new runs")


def test_an_own_layer_table_is_checked_and_trained(visit: Visit) -> None:
    page = visit(
        "/train_cnn?train_network=Own+layer+table&train_table=conv4-k9-s3-relu,fc20-tanh"
        "&train_epochs=20"
    )
    expect(page.get_by_text("conv1 maps")).to_be_visible()
    begin(page)
    press(page, "Stop")
    box = page.locator(".st-key-train_table input")
    box.fill("conv4-k9,conv4-k15,conv4-k15")
    box.press("Enter")
    told = page.get_by_test_id("stAlert")
    expect(told).to_contain_text('row 3, "conv4-k15": ⌊(6 + 2·0 − 1·(15 − 1) − 1) / 1⌋ + 1 = −8')
    expect(page.locator(".st-key-train_start button")).to_be_disabled()
    box.fill("nonsense <b>")
    box.press("Enter")
    expect(told).to_contain_text("row 1")
    box.fill("fc20")
    box.press("Enter")
    expect(told).to_have_count(0)
    edit_first_row(page, 30)
    page.wait_for_url("**train_table=fc30**")
    begin(page)
    expect(page.locator(".st-key-train_screen .dots canvas").first).to_have_attribute(
        "aria-label", re.compile("fc1 .*, output ")
    )
    press(page, "Stop")


def test_a_table_made_of_another_network_stays_over_f5(visit: Visit) -> None:
    page = visit("/train_cnn")
    edit_first_row(page, 67)
    page.wait_for_url("**train_table=conv67-**")
    field = page.get_by_role("textbox", name="Layer table")
    expect(field).to_have_value(re.compile("^conv67-"))
    page.reload()
    expect(field).to_have_value(re.compile("^conv67-"))


def test_an_address_is_told_how_it_writes_a_number_of_images(visit: Visit) -> None:
    page = visit("/train_cnn?train_images=1000")
    toast = page.get_by_test_id("stToast")
    expect(toast).to_contain_text("train_images must be all or one of 100, 500, 1,000, 2,000")


def test_what_is_changed_while_it_learns_is_marked_on_the_curves(visit: Visit) -> None:
    page = visit("/train_cnn?train_epochs=20&train_batch=512")
    begin(page)
    page.get_by_text("Momentum, regularisation, start").click()
    page.locator(".st-key-train_batch [role=slider], .st-key-train_batch input").first.focus()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_text(re.compile(r"of 3,9\d\d$"))).to_be_visible()  # steps of 256 images
    page.locator(".st-key-train_momentum [role=slider], .st-key-train_momentum input").first.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**train_momentum=0.95**")
    curves = page.locator(".st-key-train_screen .curves canvas")
    for change in ("batch 256", "μ 0.95"):
        told = re.compile(rf"{change} from epoch \d+\.\d\d on")
        expect(curves.first).to_have_attribute("aria-label", told)
        expect(curves.last).to_have_attribute("aria-label", told)
    press(page, "Stop")
    page.get_by_role("tab", name="The code").click()
    expect(page.get_by_test_id("stCode")).to_contain_text(re.compile(r"sizes = \{\d+: 256\}"))
    expect(page.get_by_test_id("stCode")).to_contain_text(
        re.compile(r'moved = \{\d+: \{"momentum": 0.95\}\}')
    )


def test_a_run_and_its_film_can_be_taken_away(visit: Visit) -> None:
    page = visit("/train_cnn?train_batch=512&train_epochs=1")
    begin(page)
    expect(page.get_by_text("Finished.")).to_be_visible(timeout=120_000)
    with page.expect_download() as made:
        press(page, "The run as a zip")
    with zipfile.ZipFile(made.value.path()) as packed:
        assert packed.namelist() == ["weights.safetensors", "run.json", "run.py"]
        assert b"learning_rate, batch_size, epochs, seed = 0.15, 512, 1, 0" in packed.read("run.py")
    with page.expect_download() as film:
        press(page, "Film of its maps")
    assert film.value.path().read_bytes()[:3] == b"GIF"


LINKS = {
    "train_network": "VGG, small",
    "train_norm": "group",
    "train_activation": "tanh",
    "train_rate": "0.02",
    "train_batch": "1000",
    "train_epochs": "7",
    "train_optimiser": "AdamW",
    "train_schedule": "one cycle",
    "train_momentum": "0.8",
    "train_decay": "0.01",
    "train_l1": "1e-05",
    "train_dropout": "0.3",
    "train_smoothing": "0.1",
    "train_patience": "3",
    "train_initial": "2/fan-in (He)",
    "train_images": "5,000",
    "train_seed": "5",
    "train_data": "fashion",
    "train_what": "momentum",
    "train_value": "0.5",
}


def test_every_setting_stands_in_the_address(visit: Visit) -> None:
    page = visit("/train_cnn?" + urlencode(LINKS))
    begin(page)
    expect(page.locator(".st-key-train_run input")).to_have_value(
        "1: η 0.02, own table, Fashion-MNIST, a subset, 5,000 images, batch 1000, 7 epochs, "
        "AdamW, μ 0.8, η one cycle, λ 0.01, L1 1e-05, dropout 0.3, smoothing 0.1, "
        "start 2/fan-in (He), patience 3, seed 5"
    )
    for key, value in LINKS.items():
        assert urlencode({key: value}) in page.url, key
    press(page, "Stop")
