"""Blocks of what a network knows and how sure it is, painted by ui/js/knowledge.js."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from ui.blocks import Block

__all__ = ["Face", "darkness", "faces", "nll", "reliability"]


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
    raise NotImplementedError


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
    raise NotImplementedError


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
        means: rows are true classes, columns what the probability is of.
        title: over it.
        hint: under the title.
        lowest: the value that is paper; what is below it, too.
        highest: the value with the full colour; None for the largest off the diagonal.
        chosen: the cell that is looked at.
        name: what a cell is told by; "" for nothing.
        span: twelfths of the screen.

    Source: Hinton, Vinyals, Dean 2015, arXiv:1503.02531, section 1.
    """
    raise NotImplementedError


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
    raise NotImplementedError
