"""Blocks of a softmax and its temperature, painted by ui/js/temperature.js."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from ui.blocks import Block
from ui.charts import round_steps
from ui.numbers import log_place, plain, share, spelt

__all__ = ["MARKS", "Arrows", "arrows", "dial", "draws", "entropy", "logits", "softmax"]

EXACT = 100.0  # below which a sum is written so that it differs from 1 where it does
MARKS = (0.1, 0.5, 1.0, 2.0, 4.0, 10.0, 20.0)  # of a dial, between its ends
COLDEST, HOTTEST = 0.05, 100.0  # the log scale of a dial; beyond it there are 0 and ∞ alone
STOPS = (0.01, 0.1, 0.5, 1.0, 2.0, 4.0, 10.0, 20.0, 100.0)  # of a log axis of T
COUNTS = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000)  # of a perplexity


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrows:
    """A signed number for each class."""

    name: str  # as "soft: (q − p)/T"
    values: Float[np.ndarray, " n"]
    note: str = ""  # beside the norm, as "with T²"


def dial(
    name: str,
    label: str,
    temperature: float,
    *,
    note: str = "",
    limits: bool = True,
    lowest: float = COLDEST,
    highest: float = HOTTEST,
    marks: Sequence[float] = MARKS,
    also: Sequence[tuple[float, str]] = (),
    span: int = 12,
) -> Block:
    """Draw the control of a temperature, on a log scale.

    It tells a number, 0, or "inf" as `name` while it is dragged, each time the newest; read it by
    `ui.numbers.heat`. An arrow key is a step, of three digits at most; Page Up and Page Down, or an
    arrow with Shift, go to the next mark, Home and End to the ends.

    Args:
        name: what a temperature is told by.
        label: as "Temperature T".
        temperature: that is shown; math.inf is one.
        note: in a few words beside the number, as "softer than the network itself".
        limits: whether 0 (argmax) and ∞ (uniform) stand at the ends.
        lowest: of the log scale.
        highest: of the log scale.
        marks: temperatures with a number under the scale, which a click on it leads to.
        also: temperatures with words, each a button, as (1.83, "fitted").
        span: twelfths of the screen.
    """
    words = {"kind": "dial", "span": span, "name": name, "label": label, "note": note}
    return Block(
        {
            **words,
            "value": _told(temperature),
            "text": spelt(temperature),
            "limits": limits,
            "low": lowest,
            "high": highest,
            "marks": [(mark, spelt(mark)) for mark in marks],
            "also": [(_told(each), text) for each, text in also],
        }
    )


def logits(
    name: str,
    labels: Sequence[str],
    values: Float[np.ndarray, " n"],
    *,
    title: str,
    hint: str = "",
    lowest: float = -10.0,
    highest: float = 10.0,
    presets: Sequence[tuple[str, Sequence[float]]] = (),
    span: int = 6,
) -> Block:
    """Draw a slider for each logit; while one is dragged all values are told as `name`, in a list.

    Args:
        name: what the values are told by.
        labels: of the classes.
        values: that are shown.
        title: over them.
        hint: under the title.
        lowest: of each slider; what is beyond reaches as far as it needs.
        highest: of each slider.
        presets: words of buttons, and the values that each of them tells.
        span: twelfths of the screen.
    """
    known = [float(value) for value in values]
    words = {"kind": "logits", "span": span, "name": name, "title": title, "hint": hint}
    return Block(
        {
            **words,
            "labels": list(labels),
            "values": known,
            "low": min([lowest, *map(math.floor, known)]),
            "high": max([highest, *map(math.ceil, known)]),
            "presets": [(text, [float(each) for each in given]) for text, given in presets],
        }
    )


def softmax(
    labels: Sequence[str],
    logits: Float[np.ndarray, " n"],
    scaled: Float[np.ndarray, " n"],
    exponentials: Float[np.ndarray, " n"],
    probabilities: Float[np.ndarray, " n"],
    *,
    temperature: float,
    total: float,
    subtracted: float | None = None,
    log_probabilities: Float[np.ndarray, " n"] | None = None,
    title: str,
    hint: str = "",
    note: str = "",
    chosen: int | None = None,
    log: bool = False,
    most: int = 12,
    name: str = "class",
    span: int = 12,
) -> Block:
    """Draw z/T, its exponential and p of each class side by side, and one class in the formula.

    What has overflowed (∞), underflowed (0 where it is none) or is not a number is said to be so.
    Of more than `most` classes those with the largest logits are drawn, whatever T is, and the
    others as one. A click on a class, or the arrow keys, tell its number as `name`.

    Args:
        labels: of the classes.
        logits: z.
        scaled: z/T; at T = 0 it is drawn of the naive form alone.
        exponentials: exp((z − m)/T), or exp(z/T) where nothing is subtracted.
        probabilities: p.
        temperature: T, from 0 to math.inf.
        total: Σ of the exponentials.
        subtracted: m, the largest logit; None for the naive form.
        log_probabilities: ln p = (z − m)/T − ln Σ, by which a p is written that is too small for a
            float; of no use to the naive form.
        title: over it.
        hint: under the title.
        note: in words, under the formula.
        chosen: the class that is in the formula; None for the one with the largest logit.
        log: whether p is drawn on a log scale, of which the left end is 10⁻⁶.
        most: classes that have a row of their own.
        name: what a class is told by; "" for nothing.
        span: twelfths of the screen.
    """
    count, naive = len(labels), subtracted is None
    frozen = temperature == 0 and not naive  # the naive form divides by 0
    order = np.arange(count) if count <= most else np.argsort(-logits, kind="stable")[:most]
    others = np.setdiff1d(np.arange(count), order)
    reach = (
        float(abs(_finite(logits)).max(initial=0.0)) or 1.0
    )  # at T = 1, so that heat is seen to shrink
    largest = float(_finite(exponentials).max(initial=0.0)) or 1.0
    known = None if naive else log_probabilities  # the naive form gives what it gives
    logs = np.full(count, np.nan) if known is None else known

    def bar(p: float, log_p: float) -> float:
        return log_place(p, log=log_p) if log else float(np.nan_to_num(p))

    def row(k: int) -> dict[str, object]:
        z, e, p = float(scaled[k]), float(exponentials[k]), float(probabilities[k])
        state = _state(e, frozen, z)
        rest = float(np.delete(probabilities, k).sum())
        return {
            "id": k,
            "label": labels[k],
            "z": plain(float(logits[k])),
            "scaled": "–" if frozen else plain(z),
            "tilt": 0.0 if frozen else float(np.clip(np.nan_to_num(z / reach), -1, 1)),
            "beyond": not frozen and abs(z) > reach * (1 + 1e-9),
            "exponential": plain(e),
            "state": state,
            "height": 1.0 if math.isinf(e) else float(np.nan_to_num(e / largest)),
            "p": share(p, log=float(logs[k]), rest=rest),
            "share": bar(p, float(logs[k])),
        }

    table = [row(int(k)) for k in order]
    if len(others):
        e, p = float(exponentials[others].sum()), float(probabilities[others].sum())
        table.append(
            {
                "id": -1,
                "label": f"{len(others):,} others",
                "z": f"≤ {plain(float(logits[others].max()))}",
                "scaled": "",
                "tilt": 0.0,
                "beyond": False,
                "exponential": plain(e),
                "state": _state(e, frozen, 0.0),
                "height": min(1.0, float(np.nan_to_num(e / largest))),
                "p": share(p, log=float(np.logaddexp.reduce(logs[others]))),
                "share": bar(p, math.nan),
            }
        )
    first = int(np.argmax(logits)) if count else -1
    at = first if chosen is None or chosen not in order else chosen
    words = {"kind": "softmax", "span": span, "name": name, "title": title, "hint": hint}
    return Block(
        {
            **words,
            "note": note,
            "table": table,
            "at": at,
            "frozen": frozen,
            "temperature": spelt(temperature),
            "subtracted": None if subtracted is None else plain(subtracted),
            "total": f"{total:,.5g}" if 1 <= total < EXACT else plain(total),
            "level": log_place(1 / count) if log and count else 1 / max(1, count),
            "log": log,
            "alt": f"{title}, T = {spelt(temperature)}: "
            + ", ".join(f"{each['label']} {each['p']}" for each in table),
        }
    )


def arrows(
    labels: Sequence[str],
    rows: Sequence[Arrows],
    *,
    title: str,
    hint: str = "",
    own: bool = False,
    reach: float | None = None,
    chosen: int | None = None,
    name: str = "",
    span: int = 6,
) -> Block:
    """Draw signed numbers of each class as arrows, a row of them for each gradient.

    Args:
        labels: of the classes.
        rows: as of the hard and of the soft term.
        title: over them.
        hint: under the title.
        own: whether each row has a scale of its own, which is said then; else they share one.
        reach: the value with an arrow of full length; None for the largest one.
        chosen: the class that is looked at.
        name: what a click on a class tells its number by; "" for nothing.
        span: twelfths of the screen.
    """
    sizes = [abs(_finite(row.values)).max(initial=0.0) for row in rows]
    most = reach or max(sizes, default=0.0) or 1.0
    scales = [float(size or 1.0) if own else float(most) for size in sizes]
    told = [
        {
            "name": row.name,
            "note": row.note,
            "norm": plain(float(np.linalg.norm(row.values))),
            "scale": f"{'its own scale' if own else 'scale'} ±{plain(scale)}",
            "shares": np.clip(np.nan_to_num(row.values / scale), -1, 1).tolist(),
            "texts": [plain(float(value)) for value in row.values],
        }
        for row, scale in zip(rows, scales, strict=True)
    ]
    words = {"kind": "arrows", "span": span, "name": name, "title": title, "hint": hint}
    return Block(
        {
            **words,
            "labels": list(labels),
            "series": told,
            "own": own,
            "chosen": chosen,
            "alt": f"{title}: "
            + "; ".join(f"{each['name']}, norm {each['norm']} {each['note']}" for each in told),
        }
    )


def entropy(
    temperatures: Float[np.ndarray, " n"],
    entropies: Float[np.ndarray, " n"],
    *,
    temperature: float,
    now: float,
    slope: float,
    classes: int,
    title: str,
    hint: str = "",
    under: str = "",
    name: str = "",
    span: int = 6,
) -> Block:
    """Draw the entropy in nats over log T, the point at T, and there the tangent.

    Where a name is given, the point can be dragged and moved by the arrow keys: it tells what a
    dial tells.

    Args:
        temperatures: in their order, above 0 and finite.
        entropies: at these, in nats.
        temperature: T; at 0 and ∞ the point is at the end, without a tangent.
        now: the entropy at T.
        slope: dH/dT there, in nats, as Var(z)/T³; on this axis the tangent rises by T times that.
        classes: N; a dashed line is at ln N.
        title: over it.
        hint: under the title.
        under: words below, as with the numbers of the identity.
        name: what T is told by; "" for nothing.
        span: twelfths of the screen.
    """
    low, high, top = float(temperatures[0]), float(temperatures[-1]), math.log(max(2, classes))
    here = min(max(temperature, low), high)
    inside = low <= temperature <= high and math.isfinite(slope)
    words = {"kind": "entropy", "span": span, "name": name, "title": title, "hint": hint}
    return Block(
        {
            **words,
            "under": under,
            "points": len(temperatures),
            "names": ["H"],
            "axis": "temperature T, on a log scale",
            "unit": "T",
            "log": True,
            "first": low,
            "last": high,
            "stops": [(each, spelt(each)) for each in STOPS if low <= each <= high],
            "low": 0.0,
            "high": 1.06 * top,
            "ticks": [(each, f"{each:g}") for each in round_steps(0.0, top)],
            "right": [(math.log(each), f"{each:g}") for each in COUNTS if each <= classes],
            "sides": ("nats", "perplexity"),
            "dashed": [(top, f"ln {classes:,} = {top:.3f}")],
            "marks": [(here, now, f"T = {spelt(temperature)}", True)],
            "slope": temperature * slope if inside else None,
            "alt": f"{title}: at T = {spelt(temperature)} it is {plain(now)} nats",
        },
        np.concatenate([temperatures, entropies]),
    )


def draws(
    labels: Sequence[str],
    counts: Int[np.ndarray, " n"],
    expected: Float[np.ndarray, " n"],
    spreads: Float[np.ndarray, " n"],
    *,
    before: Float[np.ndarray, " n"] | None = None,
    title: str,
    hint: str = "",
    under: str = "",
    most: int = 16,
    span: int = 6,
) -> Block:
    """Draw how often each class was drawn, over what was to be expected and its spread.

    Of more than `most` classes the likeliest are drawn, and the others as one.

    Args:
        labels: of the classes.
        counts: draws.
        expected: n·p of what was drawn from: after top-k or top-p, and renormalised.
        spreads: standard deviations √(n·p·(1 − p)); the whiskers are two of them long, each way.
        before: n·p over the full vocabulary, drawn as an outline, so that one sees what was cut.
        title: over it.
        hint: under the title.
        under: words below, as with χ².
        most: classes that have a row of their own.
        span: twelfths of the screen.
    """
    known = expected if before is None else before
    count = len(labels)
    order = np.arange(count) if count <= most else np.argsort(-known, kind="stable")[:most]
    others = np.setdiff1d(np.arange(count), order)
    rows = [(labels[k], counts[k], expected[k], spreads[k], known[k]) for k in order]
    if len(others):
        total, mean = int(counts.sum()), float(expected[others].sum())
        spread = math.sqrt(max(0.0, mean * (1 - mean / max(1, total))))
        rows.append(
            (f"{len(others):,} others", counts[others].sum(), mean, spread, known[others].sum())
        )
    most_drawn = max(
        [max(n, mean + 2 * spread, was) for _, n, mean, spread, was in rows], default=1
    )
    high = _round_up(float(most_drawn))
    told = [
        {
            "label": label,
            "count": f"{int(n):,}",
            "theory": f"{plain(float(mean))} ± {plain(float(spread))}",
            "share": float(n) / high,
            "mean": float(mean) / high,
            "low": max(0.0, float(mean - 2 * spread)) / high,
            "high": float(mean + 2 * spread) / high,
            "before": None if before is None else float(was) / high,
            "far": abs(float(n) - float(mean)) > 2 * float(spread) + 1e-9,
            "cut": bool(mean == 0 < was),
        }
        for label, n, mean, spread, was in rows
    ]
    words = {"kind": "draws", "span": span, "name": "", "title": title, "hint": hint}
    return Block(
        {
            **words,
            "under": under,
            "bars": told,
            "outlined": before is not None,
            "end": f"{high:,g}",
            "alt": f"{title}: " + ", ".join(f"{each['label']} {each['count']}" for each in told),
        }
    )


def _finite(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " m"]:
    known: np.ndarray = values[np.isfinite(values)]
    return known


def _told(temperature: float) -> float | None:
    """Give a temperature as JSON knows it: None for ∞."""
    return None if math.isinf(temperature) else temperature


def _state(exponential: float, frozen: bool, scaled: float) -> str:
    """Say what became of an exponential, which is 0 nowhere but in the limit of T = 0."""
    if math.isinf(scaled) and not frozen:
        return "division" if exponential else ""
    if math.isnan(exponential):
        return "not a number"
    if math.isinf(exponential):
        return "overflow"
    return "underflow" if exponential == 0 and not frozen else ""


def _round_up(value: float) -> float:
    """Give the next round number, by which a scale seldom jumps while T is dragged."""
    power = 10.0 ** math.floor(math.log10(max(value, 1.0)))
    return next(each * power for each in (1, 2, 5, 10) if each * power >= value)
