"""Write numbers so that tiny ones, and shares near 1, keep what they say."""

import math

__all__ = ["heat", "plain", "share", "spelt"]

SMALL = 1e-3  # below which a number has an exponent
LARGE = 1e6  # from which on it has one
DIGITS = 3  # of a number that counts
LONGEST = 8  # places of a share near 1 after the point; nearer to it the rest is said
LIMITS = {"inf": math.inf, "∞": math.inf}


def heat(told: object) -> float:
    """Read the temperature that a dial or a curve tells: a number from 0, or "inf".

    Raises: ValueError when it is none.
    """
    known = isinstance(told, int | float | str) and not isinstance(told, bool)
    try:
        value = LIMITS[told] if told in LIMITS else float(told) if known else math.nan
    except (TypeError, ValueError):
        value = math.nan
    if math.isnan(value) or value < 0:
        raise ValueError(f'temperature must be a number from 0, or "inf", got {told!r}')
    return value


def spelt(temperature: float) -> str:
    """Write a temperature: 0, 0.05, 2.5, 20, ∞."""
    return "∞" if math.isinf(temperature) else f"{temperature:.{DIGITS}g}"


def plain(value: float) -> str:
    """Write any number with three digits; what is not finite by its name."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    size = abs(value)
    if value != 0 and not SMALL <= size < LARGE:
        return _scientific(math.log10(size), value < 0)
    places = 2 if size == 0 else max(0, DIGITS - 1 - math.floor(math.log10(size)))
    return f"{value:,.{places}f}".replace("-", "−")


def share(value: float, *, log: float = math.nan, rest: float = math.nan) -> str:
    """Write a probability: none is rounded to 0 or to 1.

    Args:
        value: it, from 0 to 1; NaN is written so.
        log: its natural logarithm; it is used where the value itself has become 0.
        rest: what is missing to 1, for a value so near to it that it has become 1.
    """
    if math.isnan(value):
        return "NaN"
    if value == 0:
        return "0" if not math.isfinite(log) else _scientific(log / math.log(10), False)
    missing = rest if rest >= 0 else 1 - value
    if value < SMALL:
        return _scientific(math.log10(value), False)
    if missing <= 0:
        return "1"
    if missing >= SMALL:
        return f"{value:.{DIGITS}f}" if value >= 0.1 else f"{value:.{DIGITS}g}"
    places = math.ceil(-math.log10(missing)) + 1
    return f"{value:.{places}f}" if places <= LONGEST else f"1 − {plain(missing)}"


def _scientific(power: float, negative: bool) -> str:
    """Write 10 to a power, which may be one that no float reaches, with two digits."""
    whole = math.floor(power)
    digits = f"{10 ** (power - whole):.1f}"
    if digits == "10.0":
        digits, whole = "1.0", whole + 1
    return f"{'−' if negative else ''}{digits}e{whole}"
