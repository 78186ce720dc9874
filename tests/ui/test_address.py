"""What stands in the address besides the widgets' own values."""

import pytest

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
