"""Curves over any axis, bars, a list of what holds, a table of shares: ui/js/charts.js."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float, Int

from ui.blocks import Block

__all__ = ["bars", "checks", "lines", "round_steps", "shares"]

TICKS = 6  # about, on an axis
NARROW = 1e-9
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def lines(
    title: str,
    axis: str,
    x: Float[np.ndarray, " n"],
    rows: Sequence[tuple[str, Float[np.ndarray, " n"]]],
    *,
    share: bool = False,
    name: str = "",
    now: int | None = None,
    best: int | None = None,
    under: str = "",
    stops: Sequence[tuple[float, str]] = (),
    faint: Sequence[Float[np.ndarray, " n"]] = (),
    titles: Sequence[str] = (),
    ends: tuple[float, float] | None = None,
    log: bool = False,
    span: int = 6,
) -> Block:
    """Draw curves over one axis, which is linear.

    Args:
        title: what is drawn, with its unit.
        axis: what the values of x are.
        x: in their order.
        rows: the name of each curve and its values; NaN is left out.
        share: whether the values are shares, from 0 to 1.
        name: what a click tells: the place in x that is nearest to it; "" for nothing.
        now: the place that is looked at.
        best: the place of a value of the first curve that has a ring.
        stops: places of x and their words; without any, round numbers.
        faint: more curves, drawn thin and grey behind these.
        titles: of each place in x, said where it is pointed at; without any, axis and number.
        under: words that stand below while nothing is pointed at.
        ends: of the axis of the values; None for those of the values.
        log: whether the axis of the values is; what is not above 0 is left out then.
        span: twelfths of the screen.
    """
    whole = bool((x == x.round()).all())
    drawn = [np.where(row > 0, row, np.nan) if log else row for row in _all(rows, faint)]
    known = np.concatenate([row[np.isfinite(row)] for row in drawn]) if drawn else np.empty(0)
    low, high = (0.0, 1.0) if share else ends or (_decades if log else _ends)(known)
    said = ", ".join(f"{label} from {_first(row)} to {_first(row[::-1])}" for label, row in rows)
    words = {
        "kind": "lines",
        "span": span,
        "title": title,
        "axis": axis,
        "alt": f"{title} over {axis}: {said}",
        "names": [label for label, _ in rows],
        "points": len(x),
        "faint": len(faint),
        "first": float(x[0]),
        "last": float(x[-1]),
        "low": low,
        "high": high,
        "ticks": _powers(low, high)
        if log
        else [(at, f"{100 * at:g} %" if share else _tick(at)) for at in round_steps(low, high)],
        "log": log,
        "stops": list(stops)
        or [(at, _tick(at)) for at in round_steps(float(x[0]), float(x[-1]), whole)],
        "said": list(titles) or [f"{axis} {words}" for _, words in stops],
        "share": share,
        "name": name,
        "now": now,
        "best": best,
        "under": under,
    }
    return Block(words, np.concatenate([x, *drawn]))


def bars(
    title: str,
    names: Sequence[str],
    rows: Sequence[tuple[str, str, Float[np.ndarray, " n"]]],
    *,
    mark: float = math.nan,
    under: str = "",
    span: int = 12,
) -> Block:
    """Draw shares from 0 to 1 as bars, some of them for each of some things.

    Args:
        title: what is drawn.
        names: of the bars of each thing.
        rows: of each thing what it is, a few small words on it, and its shares; NaN is not known.
        mark: a share at which a dashed line goes through all bars; NaN for none.
        under: words that stand below.
        span: twelfths of the screen.
    """
    told = [(what, note, [_bar(float(share)) for share in shares]) for what, note, shares in rows]
    words = {
        "kind": "bars",
        "span": span,
        "title": title,
        "names": list(names),
        "rows": told,
        "mark": None if math.isnan(mark) else mark,
        "under": under,
    }
    return Block(words)


def checks(title: str, rows: Sequence[tuple[bool | None, str, str]], *, span: int = 12) -> Block:
    """List what holds and what does not: whether it does, what is asked, and the answer.

    None is for what could not be asked.
    """
    return Block({"kind": "checks", "span": span, "title": title, "rows": list(rows)})


def shares(
    name: str,
    title: str,
    note: str,
    rows: Sequence[tuple[str, str]],
    counts: Int[np.ndarray, "r c"],
    tried: Int[np.ndarray, "r c"],
    chosen: tuple[int, int] | None,
    *,
    under: str = "",
    span: int = 6,
) -> Block:
    """Draw a table of shares, each with what it is a share of; a click on a cell tells it.

    A click on the chosen cell tells None.

    Args:
        name: what a click tells its cell by.
        title: what is counted.
        note: a sentence on what the rows and columns are; it stands above.
        rows: a short label for each row, and what it stands for; the first ones are the columns
            too.
        counts: how many, in each cell.
        tried: of how many; where it is 0 there is no share.
        chosen: the cell that is looked at.
        under: words that stand below.
        span: twelfths of the screen.
    """
    words = {
        "kind": "shares",
        "span": span,
        "name": name,
        "title": title,
        "note": note,
        "rows": list(rows),
        "columns": counts.shape[1],
        "chosen": chosen,
        "under": under,
    }
    return Block(words, np.concatenate([counts.ravel(), tried.ravel()]))


def round_steps(low: float, high: float, whole: bool = False) -> list[float]:
    """List the round numbers between two ends, about TICKS of them, or only whole ones."""
    if high - low < NARROW:
        return [low]
    raw = (high - low) / TICKS
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(digit * power for digit in (1, 2, 5, 10) if digit * power >= raw)
    step = max(1.0, step) if whole else step
    return [k * step for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _bar(share: float) -> tuple[float, str]:
    return (0.0, "–") if math.isnan(share) else (share, f"{100 * share:.1f} %")


def _ends(values: np.ndarray) -> tuple[float, float]:
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    room = 0.05 * (high - low) or max(abs(high), 1.0) * 0.05
    return low - room, high + room


def _all(
    rows: Sequence[tuple[str, np.ndarray]], faint: Sequence[np.ndarray]
) -> Iterator[np.ndarray]:
    yield from (row for _, row in rows)
    yield from faint


def _decades(values: np.ndarray) -> tuple[float, float]:
    """Give the powers of ten between which all values lie."""
    low, high = (values.min(), values.max()) if len(values) else (1.0, 1.0)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return 10.0**first, 10.0 ** max(last, first + 1)


def _powers(low: float, high: float) -> list[tuple[float, str]]:
    """List powers of ten between two ends, at most about TICKS, and how each is written."""
    first, last = math.ceil(math.log10(low) - NARROW), math.floor(math.log10(high) + NARROW)
    every = max(1, math.ceil((last - first) / TICKS))
    return [
        (10.0**power, f"10{str(power).translate(RAISED)}")
        for power in range(first, last + 1, every)
    ]


def _tick(value: float) -> str:
    return f"{value:,.6g}".replace("-", "−")


def _first(row: np.ndarray) -> str:
    known = row[np.isfinite(row)]
    return f"{known[0]:.3g}" if len(known) else "–"
