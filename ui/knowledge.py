"""Blocks of what a network knows and how sure it is, painted by ui/js/knowledge.js."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from ui.blocks import Block
from ui.charts import round_steps
from ui.numbers import log_place, plain, share, spelt

__all__ = ["Face", "darkness", "faces", "grid", "nll", "reliability"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """A picture, and what is made of it."""

    pixels: Float[np.ndarray, "c h w"]  # from 0 to 1
    name: str  # as "#1234, a 2"
    words: str = ""  # under the name, as "KL 0.31 nats"
    hard: int | None = None  # the class of its label
    probabilities: Sequence[Float[np.ndarray, " n"]] = ()  # of each network, in their order
    tells: int = 0  # what a click on it tells


def reliability(
    counts: Int[np.ndarray, " b"],
    confidences: Float[np.ndarray, " b"],
    accuracies: Float[np.ndarray, " b"],
    *,
    error: float,
    title: str,
    hint: str = "",
    under: str = "",
    span: int = 6,
) -> Block:
    """Draw a reliability diagram: bins of one width from 0 to 1, each (lo, hi], and their counts.

    Args:
        counts: images in each bin; of an empty one nothing is drawn.
        confidences: mean of the largest probability of those in a bin; NaN where it is empty.
        accuracies: share of these that are right; NaN where it is empty.
        error: ECE, from 0 to 1.
        title: over it.
        hint: under the title.
        under: words below while nothing is pointed at.
        span: twelfths of the screen.

    Source: Guo et al. 2017, arXiv:1706.04599, figure 1.
    """
    edges = np.linspace(0, 1, len(counts) + 1)
    total, most = int(counts.sum()), int(counts.max(initial=0))
    bins = []
    for k, count in enumerate(counts.tolist()):
        if not count:
            continue
        sure, right = float(confidences[k]), float(accuracies[k])
        gap = abs(right - sure)
        bins.append(
            {
                "low": float(edges[k]),
                "high": float(edges[k + 1]),
                "sure": sure,
                "right": right,
                "share": count / most,
                "said": f"({edges[k]:.3f}, {edges[k + 1]:.3f}]: {_images(count)}, confidence "
                f"{share(sure)}, accuracy {share(right)}, gap {plain(gap)}: "
                f"adds {plain(count / total * gap)} to the ECE",
            }
        )
    words = {"kind": "reliability", "span": span, "name": "", "title": title, "hint": hint}
    return Block(
        {
            **words,
            "under": under,
            "bins": bins,
            "most": f"{most:,}",
            "error": f"ECE {plain(error)}",
            "alt": f"{title}: ECE {plain(error)} of {_images(total)} in {len(bins)} bins",
        }
    )


def nll(
    inverses: Float[np.ndarray, " n"],
    losses: Sequence[tuple[str, Float[np.ndarray, " n"]]],
    *,
    temperature: float,
    fitted: float | None = None,
    title: str,
    hint: str = "",
    under: str = "",
    name: str = "",
    span: int = 6,
) -> Block:
    """Draw the negative log-likelihood over β = 1/T, which is convex, with marks of three T.

    Where a name is given, T can be dragged along the axis, and moved by the arrow keys: what is
    told is what a dial tells.

    Args:
        inverses: β, in their order, not negative.
        losses: a name and the loss in nats an image at each β; as "validation" and "test".
        temperature: the present T; at 0 it has no mark.
        fitted: the T that was fitted; None for none.
        title: over it.
        hint: under the title.
        under: words below while nothing is pointed at.
        name: what T is told by; "" for nothing.
        span: twelfths of the screen.
    """
    first, last = float(inverses[0]), float(inverses[-1])
    known = np.concatenate([row[np.isfinite(row)] for _, row in losses])
    low, high = float(known.min()), float(known.max())
    room = 0.08 * (high - low) or 0.1

    def mark(at: float, text: str, now: bool) -> tuple[float, float, str, bool] | None:
        beta = 0.0 if math.isinf(at) else math.inf if at == 0 else 1 / at
        if not first <= beta <= last:
            return None
        return beta, float(np.interp(beta, inverses, losses[0][1])), text, now

    marks = [mark(1.0, "T = 1", False)]
    if fitted is not None:
        marks.append(mark(fitted, f"fitted T = {spelt(fitted)}", False))
    marks.append(mark(temperature, f"T = {spelt(temperature)}", True))
    words = {"kind": "nll", "span": span, "name": name, "title": title, "hint": hint}
    return Block(
        {
            **words,
            "under": under,
            "points": len(inverses),
            "names": [each for each, _ in losses],
            "axis": "β = 1/T",
            "unit": "β",
            "log": False,
            "first": first,
            "last": last,
            "stops": [(each, f"{each:g}") for each in round_steps(first, last)],
            "low": low - room,
            "high": high + room,
            "ticks": [(each, f"{each:g}") for each in round_steps(low - room, high + room)],
            "right": [],
            "sides": ("nats", ""),
            "dashed": [],
            "marks": [each for each in marks if each is not None],
            "slope": None,
            "alt": f"{title}: "
            + ", ".join(f"{each} least at β = {_least(inverses, row):.3g}" for each, row in losses),
        },
        np.concatenate([inverses, *(row for _, row in losses)]),
    )


def darkness(
    labels: Sequence[str],
    means: Float[np.ndarray, "k k"],
    *,
    title: str,
    hint: str = "",
    lowest: float = 1e-6,
    highest: float | None = None,
    chosen: tuple[int, int] | None = None,
    name: str = "cell",
    span: int = 6,
) -> Block:
    """Draw mean probabilities of each true class on a log scale of colours, without the diagonal.

    A click on a cell, or the arrow keys and Enter, tell [true, other] as `name`; on the chosen cell
    they tell None.

    Args:
        labels: of the classes.
        means: rows are true classes, columns what the probability is of; NaN where it is unknown.
        title: over it.
        hint: under the title.
        lowest: the value that is paper; what is below it, too.
        highest: the value with the full colour; None for the largest off the diagonal.
        chosen: the cell that is looked at.
        name: what a cell is told by; "" for nothing.
        span: twelfths of the screen.

    Source: Hinton, Vinyals, Dean 2015, arXiv:1503.02531, section 1.
    """
    count = len(labels)
    off = means[~np.eye(count, dtype=bool)]
    top = highest or float(off[np.isfinite(off)].max(initial=0.0)) or 1.0
    low = min(lowest, top / 10)
    decades = math.log10(top / low)

    def cell(i: int, j: int) -> tuple[float, str, str] | None:
        value = float(means[i, j])
        if i == j:
            return None
        place = 1 + math.log10(value / top) / decades if value > 0 else 0.0
        said = f"true {labels[i]}: mean p of {labels[j]} = {share(value)}"
        return min(1.0, max(0.0, place)), share(value), said

    powers = range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(top) + 1e-9) + 1)
    words = {"kind": "darkness", "span": span, "name": name, "title": title, "hint": hint}
    return Block(
        {
            **words,
            "labels": list(labels),
            "columns": list(labels),
            "corner": "true ↓ p of →",
            "masked": True,
            "under": "Point at a cell to read it; click to see its pictures.",
            "table": [[cell(i, j) for j in range(count)] for i in range(count)],
            "chosen": None if chosen is None else list(chosen),
            "scale": [(1 + math.log10(10.0**p / top) / decades, f"1e{p}") for p in powers],
            "alt": f"{title}: {count} × {count} on a log scale, up to {share(top)}",
        }
    )


def grid(
    rows: Sequence[str],
    columns: Sequence[str],
    values: Float[np.ndarray, "r c"],
    said: Sequence[Sequence[str]],
    *,
    title: str,
    corner: str,
    hint: str = "",
    under: str = "",
    span: int = 6,
) -> Block:
    """Draw a table of numbers of which the least of each row is the best, on a linear scale.

    Args:
        rows: what each row is, in a word or two.
        columns: likewise.
        values: the numbers; NaN where there is none yet.
        said: of each cell, in words, while it is pointed at.
        title: over it.
        corner: what rows and columns are, as "units ↓ T →".
        hint: under the title.
        under: words below while nothing is pointed at.
        span: twelfths of the screen.
    """
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    wide = (high - low) or 1.0
    least = np.nanmin(np.where(np.isfinite(values), values, np.inf), axis=1)

    def cell(i: int, j: int) -> tuple[float, str, str, bool]:
        value = float(values[i, j])
        if math.isnan(value):
            return 0.0, "·", said[i][j], False
        return (value - low) / wide, f"{value:,.0f}", said[i][j], bool(value == least[i])

    words = {"kind": "grid", "span": span, "name": "", "title": title, "hint": hint}
    return Block(
        {
            **words,
            "labels": list(rows),
            "columns": list(columns),
            "corner": corner,
            "masked": False,
            "under": under,
            "table": [[cell(i, j) for j in range(len(columns))] for i in range(len(rows))],
            "chosen": None,
            "scale": [(0.0, f"{low:,.0f}"), (1.0, f"{high:,.0f}")] if len(known) else [],
            "alt": f"{title}: {len(rows)} × {len(columns)}"
            + (f", from {low:,.0f} to {high:,.0f}" if len(known) else ""),
        }
    )


def faces(
    shown: Sequence[Face],
    labels: Sequence[str],
    networks: Sequence[str],
    *,
    title: str,
    hint: str = "",
    grey: bool = False,
    log: bool = False,
    columns: int = 4,
    name: str = "picture",
    empty: str = "No picture is chosen.",
    span: int = 12,
) -> Block:
    """Draw pictures, and for each of them the probabilities of some networks beside its label.

    A click on a picture, or Enter, tells its number as `name`.

    Args:
        shown: the pictures, of one size.
        labels: of the classes.
        networks: names of those whose probabilities are drawn, as "teacher" and "student".
        title: over them.
        hint: under the title.
        grey: whether one channel is light on black, instead of ink on paper.
        log: whether the bars are on a log scale, of which the left end is 10⁻⁶.
        columns: of them in a row of a wide screen.
        name: what a picture is told by; "" for nothing.
        empty: what is said where there are none.
        span: twelfths of the screen.
    """
    shape = shown[0].pixels.shape if shown else (1, 1, 1)
    told = []
    for face in shown:
        rows = [[float(p) for p in each] for each in face.probabilities]
        told.append(
            {
                "title": face.name,
                "words": face.words,
                "hard": face.hard,
                "tells": face.tells,
                "bars": [[log_place(p) if log else p for p in row] for row in rows],
                "texts": [[share(p) for p in row] for row in rows],
                "best": [int(np.argmax(row)) for row in rows],
            }
        )
    words = {"kind": "faces", "span": span, "name": name, "title": title, "hint": hint}
    return Block(
        {
            **words,
            "shape": shape,
            "labels": list(labels),
            "networks": list(networks),
            "cards": told,
            "grey": grey,
            "log": log,
            "columns": columns,
            "empty": empty,
        },
        np.concatenate([np.empty(0), *(face.pixels.ravel() for face in shown)]),
    )


def _images(count: int) -> str:
    return f"{count:,} image{'' if count == 1 else 's'}"


def _least(inverses: np.ndarray, losses: np.ndarray) -> float:
    return float(inverses[int(np.nanargmin(losses))])
