"""A number as it is written can be read again: nothing becomes 0 or 1 that is neither."""

import math
from collections.abc import Callable
from decimal import Decimal, localcontext

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from ui.numbers import heat, log_place, plain, share, spelt

TWO_DIGITS = Decimal("0.0501")  # half a unit of the second, where the first is 1


def read(text: str) -> Decimal:
    """Read a number, exactly as it is written."""
    whole, _, rest = text.replace(",", "").partition("1 − ")
    return Decimal(1) - Decimal(rest) if rest else Decimal(whole.replace("−", "-"))


def honest(write: Callable[[float], str], value: float) -> bool:
    """Whether what is written of a probability says it, and what is missing to 1."""
    said, exact = read(write(value)), Decimal(value)
    if exact in (0, 1):
        return said == exact
    return abs(said - exact) <= TWO_DIGITS * min(exact, 1 - exact)


@given(value=some.floats(0, 1))
@example(value=3.2e-5)
@example(value=5e-324)
@example(value=1e-3)
@example(value=0.09999)
@example(value=0.9999)
@example(value=1 - 2**-53)
def test_a_probability_is_written_so_that_it_can_be_read(value: float) -> None:
    assert honest(share, value)


@pytest.mark.parametrize(
    ("write", "value"),
    [
        (lambda p: f"{p:.4f}", 3.2e-5),
        (lambda p: f"{max(p, 1e-4):g}", 3.2e-5),  # as "< 0.01 %" does
        (lambda p: f"{p:.3f}", 0.99996),
        (lambda p: f"{p:.3g}", 1 - 1e-12),
        (lambda p: f"{p:.0e}", 2.5e-7),
        (lambda p: f"{p:.3f}", 0.9985),
    ],
)
def test_that_oracle_rejects_what_is_rounded_away(
    write: Callable[[float], str], value: float
) -> None:
    assert not honest(write, value)
    assert honest(share, value)


@pytest.mark.parametrize("log", [-745.2, -1000.0, -5000.0, -92000.0])
def test_a_probability_too_small_for_a_float_is_written_by_its_logarithm(log: float) -> None:
    with localcontext() as exactly:
        exactly.prec = 30
        wanted = Decimal(log).exp()
        assert abs(read(share(math.exp(log), log=log)) / wanted - 1) < TWO_DIGITS
        assert abs(read(share(0.0, log=log + 1)) / wanted - 1) > TWO_DIGITS


def test_what_is_exact_is_written_so_and_what_is_none_too() -> None:
    assert [share(each) for each in (0.0, 1.0, 0.5, 0.0123, 3.2e-5)] == [
        "0",
        "1",
        "0.500",
        "0.0123",
        "3.2e-5",
    ]
    assert share(1.0, rest=3e-20) == "1 − 3.0e-20"
    assert share(0.0, log=-math.inf) == "0"
    assert share(math.nan) == plain(math.nan) == "NaN"
    assert (plain(math.inf), plain(-math.inf), plain(0.0)) == ("∞", "−∞", "0")


@given(value=some.floats(-1e30, 1e30).filter(lambda each: abs(each) > 1e-30))
@example(value=999.6)
@example(value=-9.999e-4)
@example(value=1e6)
def test_any_number_keeps_its_size_and_its_sign(value: float) -> None:
    said = read(plain(value))
    assert abs(said / Decimal(value) - 1) < TWO_DIGITS
    assert "-" not in plain(value).split("e")[0]


def test_a_temperature_is_what_was_told() -> None:
    assert [heat(told) for told in (0, 2.5, "inf", "∞")] == [0, 2.5, math.inf, math.inf]
    assert [spelt(heat(told)) for told in (0, 0.05, 2.5, 20, "inf")] == [
        "0",
        "0.05",
        "2.5",
        "20",
        "∞",
    ]


@pytest.mark.parametrize("told", [-1, math.nan, "warm", "1", None, [1], True, {}])
def test_what_is_no_temperature_is_refused(told: object) -> None:
    with pytest.raises(ValueError, match=r"^temperature must be a number from 0"):
        heat(told)


def test_a_log_scale_has_its_decades_at_equal_distances() -> None:
    places = [log_place(10.0**power) for power in range(0, -7, -1)]
    assert places == pytest.approx([1 - k / 6 for k in range(7)])
    assert log_place(1e-9) == log_place(0.0) == log_place(math.nan) == 0
    assert log_place(0.0, log=math.log(1e-3)) == pytest.approx(0.5)
