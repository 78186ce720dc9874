"""Two networks that learned side by side: accuracy, kernels and gradients of both."""

import math

import numpy as np

from core.shared import datasets
from core.shared.recipes import Recipe
from core.train_cnn import State
from ui import blocks, charts
from ui.blocks import Block, Maps
from ui.panels.adversarial.settings import said

__all__ = ["NAMES", "draw"]

NAMES = ("plain", "hardened")
KERNELS, FEW, NARROW, WIDE = 16, 6, 3, 4  # shown; so many have three in a row, more have four


def draw(states: list[State], recipe: Recipe) -> list[Block]:
    """Draw both.

    Args:
        states: of the plain one and of the one that learns against the adversary.
        recipe: of the second.
    """
    return [
        _curves(states, recipe),
        blocks.figures(_figures(states), span=5, columns=2),
        charts.checks("What it was worth", _worth(states, recipe), span=5),
        blocks.maps(_board(states), span=12),
    ]


def _curves(states: list[State], recipe: Recipe) -> Block:
    """Draw the accuracy of both, on clean validation images and under PGD."""
    count = min(500, datasets.about(recipe.data).validation)
    told = [np.isfinite(state.curves.robust_accuracy) for state in states]
    epochs = [state.curves.epoch[each] for state, each in zip(states, told, strict=True)]
    longest = max(epochs, key=len)
    rows = []
    for name, state, each in zip(NAMES, states, told, strict=True):
        for kind, values in (
            ("clean", state.curves.validation_accuracy),
            ("under PGD", state.curves.robust_accuracy),
        ):
            row = np.full(len(longest), np.nan)
            row[: int(each.sum())] = values[each]
            rows.append((f"{name}, {kind}", row))
    return charts.lines(
        f"Accuracy on validation images, PGD within {said('linf', recipe.epsilon)}",
        "epoch",
        longest,
        rows,
        share=True,
        under=f"{count:,} of them clean, the first {min(200, count)} under ten steps of PGD that "
        "climbs the margin.",
        span=7,
    )


def _shares(state: State) -> tuple[float, float]:
    """Give the newest accuracy under PGD, and the clean one of the same weights."""
    curves = state.curves
    told = np.isfinite(curves.robust_accuracy).nonzero()[0]
    if not len(told):
        return float(curves.validation_accuracy[-1]), math.nan
    return float(curves.validation_accuracy[told[-1]]), float(curves.robust_accuracy[told[-1]])


def _figures(states: list[State]) -> list[tuple[str, str, float]]:
    rows = []
    for name, state in zip(NAMES, states, strict=True):
        for kind, share in zip(("clean", "under PGD"), _shares(state), strict=True):
            told = "–" if math.isnan(share) else f"{100 * share:.1f} %"
            rows.append((f"{name}, {kind}", told, 1.0))
    return rows


def _worth(states: list[State], recipe: Recipe) -> list[tuple[bool | None, str, str]]:
    """Say what the hardening has gained, and what it has cost."""
    (clean, robust), (hard_clean, hard_robust) = map(_shares, states)
    ended = all(state.step == state.steps for state in states)
    gained, paid = 100 * (hard_robust - robust), 100 * (hard_clean - clean)
    told = f"under PGD {gained:+.1f} points, clean {paid:+.1f}".replace("-", "−")
    size = said("linf", recipe.epsilon)
    return [
        (gained > 0 if ended else None, f"It withstands {size} better", told if ended else "–"),
    ]


def _board(states: list[State]) -> list[Maps]:
    """Put the kernels of both on one scale, and the gradient of each on its own."""
    seen, true = states[0].watched.seen, states[0].classes[states[0].label]
    colour = len(seen) > 1
    read = [state.classes[int(state.watched.probabilities.argmax())] for state in states]
    panels = [
        Maps(
            name=f"validation image {states[0].index:,}",
            values=seen,
            high=1,
            columns=1,
            share=1.4,
            look="colour" if colour else "ink",
            range=f"true {true}; read {read[0]} and {read[1]}",
            alt=f"An image of the class {true}",
        )
    ]
    largest = max(float(abs(state.kernels).max()) for state in states) or 1.0
    for name, state in zip(NAMES, states, strict=True):
        kernels = state.kernels[:KERNELS]
        panels.append(
            Maps(
                name=f"{state.kernels_of} kernels, {name}",
                values=kernels.reshape(-1, *kernels.shape[2:]),
                high=largest,
                low=-largest,
                look="colour" if kernels.shape[1] > 1 and colour else "signed",
                columns=NARROW if len(kernels) <= FEW else WIDE,
                share=1.6,
                range=f"both on ±{largest:.2f}",
                alt=f"Kernels of the first layer, {name}",
            )
        )
    for name, state in zip(NAMES, states, strict=True):
        slope = np.zeros_like(seen) if state.slope is None else state.slope
        slope = slope if len(slope) == 1 else slope.mean(0, keepdims=True)
        high = float(abs(slope).max())
        panels.append(
            Maps(
                name=f"∂L/∂x, {name}",
                values=np.ascontiguousarray(slope),
                high=high or 1.0,
                columns=1,
                share=1.6,
                range=f"±{high:.2g}, a scale of its own",
                alt=f"The gradient of the loss by the pixels, {name}",
            )
        )
    return panels
