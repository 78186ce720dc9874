"""Blocks of a softmax and its temperature, painted by ui/js/temperature.js."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from ui.blocks import Block

__all__ = ["MARKS", "Arrows", "arrows", "dial", "draws", "entropy", "logits", "softmax"]

MARKS = (0.5, 1.0, 2.0, 4.0, 10.0, 20.0)  # of a dial, between its ends
COLDEST, HOTTEST = 0.05, 100.0  # the log scale of a dial; beyond it there are 0 and ∞ alone


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
    raise NotImplementedError


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
    raise NotImplementedError


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
        scaled: z/T; at T = 0 of no use, and not drawn.
        exponentials: exp(z/T − m), or exp(z/T) where nothing is subtracted.
        probabilities: p.
        temperature: T, from 0 to math.inf.
        total: Σ of the exponentials.
        subtracted: m, the largest z/T; None for the naive form.
        log_probabilities: ln p, by which a p is written that is too small for a float.
        title: over it.
        hint: under the title.
        note: in words, under the formula.
        chosen: the class that is in the formula; None for the one with the largest logit.
        log: whether p is drawn on a log scale, of which the left end is 10⁻⁶.
        most: classes that have a row of their own.
        name: what a class is told by; "" for nothing.
        span: twelfths of the screen.
    """
    raise NotImplementedError


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
    raise NotImplementedError


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
    raise NotImplementedError


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
    raise NotImplementedError


def _finite(values: np.ndarray) -> np.ndarray:
    return values[np.isfinite(values)]


def _told(temperature: float) -> float | None:
    """Give a temperature as JSON knows it: None for ∞."""
    return None if math.isinf(temperature) else temperature
