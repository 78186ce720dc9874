"""What stands in the address besides the widgets' own values."""

import re
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from ui import address


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("42", 42), ("000", 0)])
def test_a_whole_number_is_read(text: str, value: int) -> None:
    assert address.number(text) == value


NO_NUMBERS = ("", "-1", "4.5", "x", "\uff11\uff12", "1" * 5000, " 3", "1e3", "²")


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_what_is_no_whole_number_is_none(text: str) -> None:
    assert address.number(text) is None


def test_a_number_beyond_the_highest_is_none() -> None:
    assert address.number("9999", 9999) == 9999
    assert address.number("10000", 9999) is None


@pytest.mark.parametrize("text", ["", "4", "4-", "-4-9", "4-9-1", "a-b", "4--9"])
def test_what_is_no_pair_is_none(text: str) -> None:
    assert address.numbers("4-9", 2) == (4, 9)
    assert address.numbers(text, 2) is None


def test_a_key_that_is_none_is_named_with_what_it_may_mean() -> None:
    known = ["attack_method", "attack_steps"]
    assert address.unknown(["attack_steps"], known) == []
    (near, far) = address.unknown(["attack_metod", "fbclid"], known)
    assert near == "attack_metod in the address is no setting here: is attack_method meant?"
    assert far == "fbclid in the address is no setting here."


def test_the_prefixes_are_those_that_the_pages_ask_for() -> None:
    """Else a key of one page would be called a stranger on another."""
    root = Path(__file__).parents[2]
    files = [*(root / "ui").rglob("*.py"), *(root / "pages").rglob("*.py")]
    asked = {
        prefix
        for file in files
        for prefix in re.findall(r'address\.asked\("(\w+)"\)', file.read_text(encoding="utf-8"))
    }
    assert asked == address.PREFIXES


def opened(**asked: str) -> AppTest:
    """A page that knows three settings and two sets of values, opened at an address."""

    def drawn() -> None:
        import streamlit as st

        from ui import address
        from ui.running import choose_some

        asked = address.asked("transfer")
        rules: dict[str, tuple[object, str]] = {}
        strangers = address.strangers()
        chosen = choose_some(
            st.container(),
            "Networks",
            {"a": "A", "b": "B", "c": "C"},
            "transfer_among",
            asked,
            rules,
            usual=["a", "b"],
            most=2,
        )
        address.refuse("transfer", {**asked, **strangers}, rules, ["transfer_images"])
        st.session_state.pin_opened = True
        st.text(",".join(chosen))

    page = AppTest.from_function(drawn)
    for key, value in asked.items():
        page.query_params[key] = value
    page.run()
    assert not page.exception
    return page


def told(page: AppTest) -> str:
    return " ".join(each.value.replace("\\", "") for each in page.toast)


def test_a_choice_of_some_stands_in_the_address() -> None:
    page = opened(transfer_among="c,b")
    assert page.text[0].value == "c,b"
    assert not page.toast
    page.multiselect[0].set_value(["a"]).run()
    assert page.query_params["transfer_among"] == "a"
    page.multiselect[0].set_value(["a", "b"]).run()
    assert "transfer_among" not in page.query_params  # it is the usual one
    assert page.text[0].value == "a,b"


@pytest.mark.parametrize("wanted", ["a,nobody", "a,b,c", "nobody"])
def test_what_of_a_choice_cannot_be_had_is_said(wanted: str) -> None:
    page = opened(transfer_among=wanted)
    assert (
        f"transfer_among must be at most 2 of a, b or c, with commas between them, got '{wanted}'"
        in (told(page))
    )


def test_unknown_keys_are_said_and_those_of_other_pages_are_not() -> None:
    own = {"transfer_images": "64", "transfer_imges": "64", "atack_steps": "5"}
    page = opened(**own, maps_layer="conv1", pin_network="mnist", attack_method="FGSM")
    assert "transfer_imges in the address is no setting here: is transfer_images meant?" in told(
        page
    )
    assert "atack_steps in the address is no setting here." in told(page)
    for key in ("maps_layer", "pin_network", "attack_method", "transfer_images in"):
        assert key not in told(page)
    assert not page.run().toast  # it is said once


@pytest.mark.parametrize(
    ("text", "value", "same"),
    [
        ("1.0,2", "1,2", True),
        ("1,2.5", "1,2", False),
        ("1,2,3", "1,2", False),
        ("a,b", "a,b", True),
        ("a", "b", False),
        ("2.50", 2.5, True),
    ],
)
def test_numbers_that_are_only_spelt_otherwise_are_the_same(
    text: str, value: object, same: bool
) -> None:
    assert address._same(text, value) is same
