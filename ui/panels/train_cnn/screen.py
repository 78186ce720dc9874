"""The screen of the first panel: how a network in training stands, from its curves to its maps."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from core import train_cnn
from core.shared import datasets
from core.shared.engine import View
from core.shared.recipes import Recipe
from ui import blocks, live, words
from ui.blocks import Block, Histogram, Line, Maps, Picture

__all__ = ["Shown", "draw"]

READS = "Draw, and this network reads along, also while it learns."
CELL = "Click a cell of the matrix for its images, an image for its feature maps."
SIGNS = {"learning_rate": "η", "momentum": "μ", "weight_decay": "λ", "batch_size": "batch"}
IDLE = {"relu": "dead", "tanh": "at the ends", "sigmoid": "at the ends", "squash": "at the ends"}
TOO_IDLE = 0.5  # from which share on it is marked
FEW, NARROW, WIDE = 6, 3, 4  # so many maps have three in a row, more have four
SMALLEST, LARGEST = 1e-6, 10.0  # ends of the axes of gradients, if none goes further
SLOWEST, FASTEST = 1e-6, 0.1  # and of relative updates
SHORT = 3  # letters of a class's name that has room under its image
SCALE = 28  # pixels of a map that gets the usual width


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What is on the screen."""

    state: train_cnn.State  # of the step that is looked at
    recipe: Recipe
    view: View | None  # of the run; None: there is none yet
    newest: train_cnn.State  # of that run, or the same
    others: Mapping[str, train_cnn.Curves]  # of the runs that it is compared with, by their names
    name: str  # of the run that is looked at


def draw(shown: Shown) -> list[Block]:
    """Draw a state of a run, or of the network before its first step where there is no run."""
    state, newest, recipe = shown.state, shown.newest, shown.recipe
    about = datasets.about(recipe.data)
    own = recipe.data.startswith(datasets.OWN)
    noun = "digit" if recipe.data == "mnist" else "image"
    read = (state.drawn.seen, state.drawn.probabilities) if state.drawn else None
    verdict = state.validation
    note = "" if verdict.step == state.step else f"by the weights of step {verdict.step:,}"
    title = f"Confusion matrix of {verdict.images:,} validation {noun}s"
    axis = blocks.SQUARED if recipe.loss == "squared" else blocks.LOSS
    marks = [(epoch, f"{SIGNS[name]} {value:g}") for epoch, name, value in newest.curves.changes]
    runs = {shown.name: newest.curves, **shown.others}
    last = max([newest.epochs, *(math.ceil(each.epoch[-1]) for each in shown.others.values())])
    past = math.nan if state.step == newest.step else state.epoch
    losses = [
        Line(name=name, x=c.epoch, training=c.training_loss, validation=c.validation_loss)
        for name, c in runs.items()
    ]
    accuracies = [
        Line(name=name, x=c.epoch, training=c.training_accuracy, validation=c.validation_accuracy)
        for name, c in runs.items()
    ]
    for name, c in runs.items():
        if np.isfinite(c.robust_accuracy).any():  # of runs with an adversary's ε
            told = np.isfinite(c.robust_accuracy)
            nothing = np.full(int(told.sum()), np.nan)
            accuracies.append(
                Line(
                    name=f"PGD, 200 images: {name}",
                    x=c.epoch[told],
                    training=nothing,
                    validation=c.robust_accuracy[told],
                )
            )
    drawing = [
        blocks.pad("ink", f"Draw {words.a(noun)}", blank=read is None, span=3),
        blocks.reading(read, state.classes, "What it sees", READS, span=3),
    ]
    return [
        live.standing(shown.view, _ending(newest)),
        blocks.figures(_figures(shown)),
        blocks.curves(axis, losses, last, marks, past),
        blocks.curves(blocks.ACCURACY, accuracies, last, marks, past),
        _time_machine(state, newest),
        blocks.maps(_board(state, own)),
        blocks.drag("digit", f"Validation {noun}", 0, about.validation - 1, state.index),
        *_flow(state),
        _activity(state),
        blocks.matrix(
            "cell", state.confusion, state.classes, title, note, state.faults.cell, span=6
        ),
        *(drawing if about.shape[0] == 1 else []),
        _faults(state, noun, own),
    ]


def _ending(state: train_cnn.State) -> str:
    if state.stopped_early is None:
        return ""
    return f"These are the weights of step {state.stopped_early:,}, of the lowest validation loss."


def _figures(shown: Shown) -> list[tuple[str, str, float]]:
    """List the numbers of the present step; each has its share of the width."""
    state, view = shown.state, shown.view
    pace = view.pace if view and view.status == "running" else None
    speed = train_cnn.images_a_second(state, shown.recipe, pace) if pace else None
    last = [
        ("images/s", f"{speed:,.0f}" if speed else "–", 0.9),
        ("time left", words.duration(view.seconds_left if view and pace else None), 1.1),
    ]
    if view and view.status in ("paused", "stopped") and state.batch_loss is not None:
        last[0] = ("last batch", f"{state.batch_loss:.4g}", 0.9)
    verdict, curves = state.validation, state.curves
    old = verdict.step != state.step and not (view and view.status == "running")
    of = f"step {verdict.step:,}" if old else f"{verdict.images:,}"
    return [
        ("step", f"{state.step:,} of {shown.newest.steps:,}", 1.45),
        ("η now", f"{state.learning_rate:.3g}", 0.9),
        (
            "training, moved" if shown.recipe.adversary else "training",
            words.pair(curves.training_loss[-1], curves.training_accuracy[-1]),
            1.35,
        ),
        (f"validation, {of}", words.pair(verdict.loss, verdict.accuracy), 1.35),
        *last,
    ]


def _time_machine(state: train_cnn.State, newest: train_cnn.State) -> Block:
    """Let the visitor go back to any kept step; the rightmost place is now."""
    kept = newest.kept
    now = f"now, step {newest.step:,}"
    names = [f"step {step:,} ({k + 1} of {len(kept)})" for k, step in enumerate(kept)] + [now]
    past = state.step != newest.step and state.step in kept
    place = kept.index(state.step) if past else len(kept)
    return blocks.drag("at", "Time machine", 0, len(kept), place, names)


def _board(state: train_cnn.State, own: bool) -> list[Maps]:
    """Put the watched image, the kernels and the maps of each layer on one board."""
    best = state.watched.probabilities.argmax()
    seen, true = state.watched.seen, state.classes[state.label]
    look = "colour" if len(seen) > 1 else "grey" if own else "ink"
    image = Maps(
        name=true if len(true) > SHORT else words.a(true),
        values=seen,
        high=1,
        columns=1,
        share=1.3 if max(map(len, state.classes)) <= SHORT else 1.9,
        look=look,
        range=f"read: {state.classes[best]}, {100 * state.watched.probabilities[best]:.0f} %",
        alt=f"An image of the class {true}",
    )
    largest = _largest(state.kernels)
    count, channels, *sides = state.kernels.shape
    colour = channels > 1 and look == "colour"
    kernels = Maps(
        name=f"{state.kernels_of} kernels",
        values=state.kernels.reshape(-1, *sides),
        high=largest,
        low=-largest,
        look="colour" if colour else "signed",
        columns=NARROW if count <= FEW else WIDE,
        share=1.8,
        range=f"{_of(count, state.kernels_in_all)} of {sides[0]}×{sides[1]}, ±{largest:.2f}",
        alt=f"Kernels of the first layer, {sides[0]}×{sides[1]}",
    )
    layers = []
    for name, maps in state.maps.items():
        high, side = _largest(maps), maps.shape[1]
        layers.append(
            Maps(
                name=f"{name} maps",
                values=maps,
                high=high,
                columns=NARROW if len(maps) <= FEW else WIDE,
                share=1.6 + 0.6 * side / SCALE,
                range=f"{_of(len(maps), state.maps_in_all[name])} of {side}×{maps.shape[2]}, "
                f"±{high:.2g}",
                alt=f"Feature maps of layer {name} for the watched image",
            )
        )
    return [image, kernels, *layers]


def _flow(state: train_cnn.State) -> list[Block]:
    """Show how large the gradient is in each layer, and how far a step moves it."""
    when = f"step {state.flow_step:,}" if state.flow_step else "before the first step"
    names, gradient, update = state.flow_layers, state.gradient, state.update
    return [
        blocks.dots(f"Gradient norm ‖∂L/∂w‖, {when}", names, gradient, SMALLEST, LARGEST),
        blocks.dots(f"Update ‖Δw‖ / ‖w‖, {when}", names, update, SLOWEST, FASTEST),
    ]


def _activity(state: train_cnn.State) -> Block:
    rows = []
    for each in state.activity:
        idle = each.idle
        said = "" if idle is None else f"{100 * idle:.0f} % {IDLE[each.squashing]}"
        rows.append(
            Histogram(
                name=each.layer,
                counts=each.counts,
                low=each.low,
                high=each.high,
                words=said,
                warn=idle is not None and idle > TOO_IDLE,
            )
        )
    count = state.activity[0].images if state.activity else 0
    return blocks.histograms(f"Outputs of each layer, for {count} validation images", rows)


def _faults(state: train_cnn.State, noun: str, own: bool) -> Block:
    """Show the images of the chosen cell, or the worst mistakes."""
    faults, classes = state.faults, state.classes
    title = f"Worst of {faults.count:,} mistakes"
    if faults.cell is not None:
        true, read = (classes[each] for each in faults.cell)
        title = f"{faults.count:,} {noun}{'s' * (faults.count != 1)}: true {true}, read as {read}"
    if faults.count > len(faults.index):
        title += f"; {len(faults.index)} of them"
    pictures = [
        Picture(
            pixels=faults.images[k] / 255,
            name=f"{classes[faults.true[k]]} → {classes[faults.read[k]]}",
            words=_chances(faults.p_true[k], faults.p_read[k]),
            tells=int(faults.index[k]),
        )
        for k in range(len(faults.index))
    ]
    hint = f"true → read, softmax p(true), p(read). {CELL}"
    return blocks.gallery("digit", title, hint, pictures, grey=own, span=12)


def _chances(true: float, read: float) -> str:
    return f"{_percent(true)}, {_percent(read)}"


def _percent(share: float) -> str:
    percent = 100 * share
    return f"{percent:.0f} %" if percent >= 1 or percent == 0 else f"{percent:.1g} %"


def _largest(values: np.ndarray) -> float:
    return float(np.nan_to_num(abs(values), posinf=0).max(initial=0)) or 1.0


def _of(shown: int, count: int) -> str:
    return f"{count}" if shown == count else f"{shown}/{count}"
