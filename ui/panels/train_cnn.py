"""The screen of the first panel: how a network in training stands, from its curves to its maps."""

import numpy as np

from core import train_cnn
from core.shared.engine import View
from ui import blocks, live, words
from ui.blocks import Block, Maps

__all__ = ["draw"]

LAYERS = {"C1": (2.4, 3), "S2": (1.7, 3), "C3": (2.1, 4), "S4": (1.9, 4)}  # width, maps in a row
READS = "Draw, and this network reads along, also while it learns."


def draw(state: train_cnn.State, view: View | None) -> list[Block]:
    """Draw a state of a run, or of the network before its first step where there is no run."""
    x, last = state.epoch_of, state.epochs
    read = (state.drawn.seen, state.drawn.probabilities) if state.drawn else None
    title = f"Confusion matrix of {state.confusion_images:,} validation digits"
    end = train_cnn.VALIDATION_IMAGES - 1
    return [
        live.standing(view),
        blocks.figures(_figures(state, view)),
        blocks.curves(blocks.LOSS, x, state.training_loss, state.validation_loss, last),
        blocks.curves(blocks.ACCURACY, x, state.training_accuracy, state.validation_accuracy, last),
        blocks.maps(_board(state)),
        blocks.drag("digit", "Validation digit", 0, end, state.index),
        blocks.matrix(state.confusion, title, span=6),
        blocks.pad("ink", "Draw a digit", blank=read is None, span=3),
        blocks.reading(read, "What the network sees", READS, span=3),
    ]


def _figures(state: train_cnn.State, view: View | None) -> list[tuple[str, str, float]]:
    """List the numbers of the present step; each has its share of the width."""
    pace = view.pace if view and view.status == "running" else None
    last = [
        ("images/s", f"{train_cnn.images_a_second(state, pace):,.0f}" if pace else "–", 0.9),
        ("time left", words.duration(view.seconds_left if view and pace else None), 1.1),
    ]
    if view and view.status in ("paused", "stopped") and state.batch_loss is not None:
        last[0] = ("last batch", f"{state.batch_loss:.4g}", 0.9)
    seen = f"{state.confusion_images:,}"
    return [
        ("step", f"{state.step:,} of {state.steps:,}", 1.45),
        ("η now", f"{state.learning_rate:.3g}", 0.9),
        ("training", words.pair(state.training_loss, state.training_accuracy), 1.35),
        (f"validation, {seen}", words.pair(state.validation_loss, state.validation_accuracy), 1.35),
        *last,
    ]


def _board(state: train_cnn.State) -> list[Maps]:
    """Put the watched digit, the kernels and the maps of each layer on one board."""
    best = state.watched.probabilities.argmax()
    digit = Maps(
        name=f"a {state.label}",
        values=state.watched.seen[None],
        high=1,
        columns=1,
        share=1.5,
        ink=True,
        range=f"read: {best}, {100 * state.watched.probabilities[best]:.0f} %",
        alt=f"A handwritten {state.label}",
    )
    largest = float(np.nan_to_num(abs(state.kernels), posinf=0).max()) or 1.0
    kernels = Maps(
        name="C1 kernels",
        values=state.kernels,
        high=largest,
        columns=3,
        share=1.8,
        range=f"6 of 5×5, ±{largest:.2f}",
        alt="The six 5×5 kernels of the first layer",
    )
    layers = [
        Maps(
            name=f"{name} maps",
            values=state.maps[name],
            high=train_cnn.SQUASHED,
            columns=columns,
            share=share,
            range="{} of {}×{}, ±1.72".format(*state.maps[name].shape),
            alt=f"Feature maps of layer {name} for the watched digit",
        )
        for name, (share, columns) in LAYERS.items()
    ]
    return [digit, kernels, *layers]
