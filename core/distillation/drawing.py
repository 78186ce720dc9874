"""Draws from a softmax beside what is to be expected, and what top k and top p leave of it.

All classes take part in the softmax; what may not be drawn is left out after it. This module needs
no torch.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from core.distillation.softening import Logits, as_logits, probabilities, require_temperature

__all__ = ["Draws", "Kept", "draw", "keep", "pick", "survival"]

MOST = 1_000_000  # draws
LEAST = 5.0  # expected draws of what Pearson's sum counts by itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What may be drawn."""

    temperature: float
    top_k: int  # 0 for all
    top_p: float  # 1 for all
    whole: Float[np.ndarray, " k"]  # probabilities of all classes, before anything is left out
    order: Int[np.ndarray, " k"]  # classes from the likeliest on, the first of equals first
    reached: Float[np.ndarray, " k"]  # Σ of `whole` in that order, up to each and with it
    kept: Bool[np.ndarray, " k"]  # which classes may be drawn
    count: int  # of them
    mass: float  # what they have of `whole` together
    probabilities: Float[np.ndarray, " k"]  # by which is drawn: `whole` / mass, 0 for what is out
    cut: Float[np.ndarray, " k"]  # what comes out when `cut_to` logits are kept before the softmax
    cut_to: int  # the trap; 0 for none
    cut_mass: float  # what these have of `whole`: a display that cuts says 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """So many draws, and what was to be expected."""

    kept: Kept
    seed: int
    drawn: Int[np.ndarray, " n"]  # classes, as they were drawn one after the other
    counts: Int[np.ndarray, " k"]
    expected: Float[np.ndarray, " k"]  # n p
    spread: Float[np.ndarray, " k"]  # √(n p (1 − p)): the standard deviation of a count
    chi_squared: float  # Σ (count − expected)² / expected; NaN where it has no freedom
    freedom: int  # of that sum; classes below 5 expected draws count as one
    chance: float  # that a sum as large or larger comes about; NaN where it has no freedom


def keep(
    logits: Logits, temperature: float, top_k: int = 0, top_p: float = 1.0, cut_to: int = 0
) -> Kept:
    """Tell what may be drawn, and how likely it is.

    Args:
        logits: of all classes, or of a whole vocabulary.
        temperature: from 0 to infinity.
        top_k: of the likeliest that are left, the first of equals; 0 for all.
        top_p: the fewest of the likeliest are left that have at least this together; 1 for all.
        cut_to: so many logits are kept before the softmax in `Kept.cut`, as some displays do.

    Raises: ValueError when a value is outside its range.

    Source: Fan et al. 2018, arXiv:1805.04833, section 5.1, of top k; Holtzman et al. 2020,
        arXiv:1904.09751, section 3.1, of top p.
    """
    z = as_logits(logits)
    require_temperature(temperature)
    for name, value in (("top_k", top_k), ("cut_to", cut_to)):
        if value < 0:
            raise ValueError(f"{name} must be 0 or more classes, got {value!r}")
    if not 0 < top_p <= 1:
        raise ValueError(f"top_p must be above 0 and at most 1, got {top_p!r}")
    whole = probabilities(z, temperature)
    order = np.argsort(-z, kind="stable")  # by logits: far below the largest all p are 0
    reached = whole[order].cumsum()
    left = np.ones(len(z), dtype=bool)
    if top_p < 1:
        left = reached - whole[order] < top_p  # those before it are not enough
    if top_k:
        left[top_k:] = False
    kept = np.zeros(len(z), dtype=bool)
    kept[order[left]] = True
    mass = float(whole[kept].sum())
    few = order[: cut_to or len(z)]
    cut = np.zeros(len(z))
    cut[few] = probabilities(z[few], temperature)
    return Kept(
        temperature=float(temperature),
        top_k=top_k,
        top_p=float(top_p),
        whole=whole,
        order=order,
        reached=reached,
        kept=kept,
        count=int(kept.sum()),
        mass=mass,
        probabilities=np.where(kept, whole, 0.0) / mass,
        cut=cut,
        cut_to=cut_to,
        cut_mass=float(whole[few].sum()),
    )


def draw(
    logits: Logits,
    temperature: float,
    seed: int,
    count: int = 1_000,
    top_k: int = 0,
    top_p: float = 1.0,
    cut_to: int = 0,
) -> Draws:
    """Draw classes, and set what came out beside what was to be expected.

    Args:
        logits, temperature, top_k, top_p, cut_to: as `keep` takes them.
        seed: of the draws; with the same one a little heat changes few of them.
        count: draws.

    Raises: ValueError when a value is outside its range.

    Source: Pearson 1900, of the sum of squares.
    """
    if not 1 <= count <= MOST:
        raise ValueError(f"count must be from 1 to {MOST:,}, got {count!r}")
    if seed < 0:
        raise ValueError(f"seed must be at least 0, got {seed!r}")
    kept = keep(logits, temperature, top_k, top_p, cut_to)
    chances = kept.probabilities
    drawn = pick(chances, np.random.default_rng(seed).random(count))
    counts = np.bincount(drawn, minlength=len(chances))
    expected = count * chances
    total, freedom = _pearson(counts, expected)
    return Draws(
        kept=kept,
        seed=seed,
        drawn=drawn,
        counts=counts,
        expected=expected,
        spread=np.sqrt(expected * (1 - chances)),
        chi_squared=total,
        freedom=freedom,
        chance=survival(total, freedom) if freedom else math.nan,
    )


def pick(
    chances: Float[np.ndarray, " k"], numbers: Float[np.ndarray, " n"]
) -> Int[np.ndarray, " n"]:
    """Give the classes at which the sum of probabilities passes each number.

    Args:
        chances: that add up to about 1.
        numbers: from 0 to 1, without 1.
    """
    sums = chances.cumsum()
    # Times what the sum is when rounded; from the right, so that nothing without a chance is met.
    places: Int[np.ndarray, " n"] = sums.searchsorted(numbers * sums[-1], side="right")
    return places


def survival(value: float, freedom: int) -> float:
    """Give the chance that χ² with so much freedom is at least as large.

    Args:
        value: from 0 on.
        freedom: a whole number from 1 on.

    Raises: ValueError when a value is outside its range.

    Source: Abramowitz, Stegun 1964, 26.4.4 and 26.4.5: a finite sum, as the freedom is whole.
    """
    if not value >= 0 or freedom < 1:
        raise ValueError(
            f"value and freedom must be from 0 and 1 on, got {value!r} and {freedom!r}"
        )
    half = value / 2
    if half == 0:
        return 1.0
    odd = freedom % 2
    found = math.erfc(math.sqrt(half)) if odd else 0.0
    for step in range(freedom // 2):
        power = step + odd / 2
        found += math.exp(power * math.log(half) - half - math.lgamma(power + 1))
    return min(1.0, found)


def _pearson(counts: Int[np.ndarray, " k"], expected: Float[np.ndarray, " k"]) -> tuple[float, int]:
    """Give Pearson's sum and its freedom; what is rarely expected counts as one class."""
    often = expected >= LEAST
    seen, due = list(counts[often]), list(expected[often])
    if (rest := float(expected[~often].sum())) > 0:
        seen.append(counts[~often].sum())
        due.append(rest)
    if len(due) < 2:  # noqa: PLR2004 – one class has no freedom
        return math.nan, 0
    return float(sum((n - e) ** 2 / e for n, e in zip(seen, due, strict=True))), len(due) - 1
