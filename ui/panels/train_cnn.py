"""The screen of the first panel: how a network in training stands, from its curves to its maps."""

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


def _figures(state: train_cnn.State, view: View | None) -> list[tuple[str, str]]:
    """List the numbers of the present step."""
    pace = view.pace if view and view.status == "running" else None
    return [
        ("step", f"{state.step:,} of {state.steps:,}"),
        ("η now", f"{state.learning_rate:.4f}"),
        ("training", words.pair(state.training_loss, state.training_accuracy)),
        ("validation", words.pair(state.validation_loss, state.validation_accuracy)),
        ("images/s", f"{train_cnn.images_a_second(state, pace):,.0f}" if pace else "–"),
        ("time left", words.duration(view.seconds_left if view and pace else None)),
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
    largest = float(abs(state.kernels).max())
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
