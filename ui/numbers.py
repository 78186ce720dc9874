"""Write numbers so that tiny ones, and shares near 1, keep what they say."""

import math

__all__ = ["heat", "known", "log_place", "plain", "share", "spelt"]

SMALL = 1e-3  # below which a number has an exponent
LARGE = 1e6  # from which on it has one
DIGITS = 3  # of a number that counts
LONGEST = 8  # places of a share near 1 after the point; nearer to it the rest is said
DECADES = 6  # of a probability on a log scale
LIKELY = 0.1  # a share from which on there are three places after the point
LIMITS = {"inf": math.inf, "∞": math.inf}


def heat(told: object) -> float:
    """Read the temperature that a dial or a curve tells: a number from 0, or "inf".

    Raises: ValueError when it is none.
    """
    value = math.nan
    if isinstance(told, str):
        value = LIMITS.get(told, math.nan)
    elif isinstance(told, int | float) and not isinstance(told, bool):
        value = float(told)
    if math.isnan(value) or value < 0:
        raise ValueError(f'temperature must be a number from 0, or "inf", got {told!r}')
    return value


def spelt(temperature: float) -> str:
    """Write a temperature: 0, 0.05, 2.5, 20, ∞."""
    return "∞" if math.isinf(temperature) else f"{temperature:.{DIGITS}g}"


def plain(value: float) -> str:
    """Write any number with three digits that count; what is not finite by its name."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    size = abs(value)
    if size == 0:
        return "0"
    if not SMALL <= size < LARGE:
        return _scientific(math.log10(size), value < 0)
    places = max(0, DIGITS - 1 - math.floor(math.log10(size)))
    return f"{value:,.{places}f}".replace("-", "−")


def known(value: float) -> str:
    """Write any number; a dash where there is none."""
    return "–" if math.isnan(value) else plain(value)


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
    if value < LIKELY:
        return plain(value)
    places = max(DIGITS, math.ceil(-math.log10(missing)) + 1)
    return f"{value:.{places}f}" if places <= LONGEST else f"1 − {plain(missing)}"


def log_place(probability: float, *, log: float = math.nan) -> float:
    """Place a probability on a log scale, from 0 (10⁻⁶ or less) to 1.

    Args:
        probability: it; one that is not known has the place of 0.
        log: its natural logarithm, for one that has become 0.
    """
    power = math.log10(probability) if probability > 0 else log / math.log(10)
    return min(1.0, max(0.0, 1 + power / DECADES)) if math.isfinite(power) else 0.0


def _scientific(power: float, negative: bool) -> str:
    """Write 10 to a power, which may be one that no float reaches, with two digits."""
    whole = math.floor(power)
    digits = f"{10 ** (power - whole):.1f}"
    if digits == "10.0":
        digits, whole = "1.0", whole + 1
    return f"{'−' if negative else ''}{digits}e{whole}"
