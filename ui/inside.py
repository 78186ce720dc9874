"""Blocks that look inside a network, painted by ui/js/inside.js."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from string import ascii_lowercase

import numpy as np
from jaxtyping import Bool, Float, Int

from core.feature_maps import SOFTMAX, Click, Gradient, Layer
from ui.blocks import Block

__all__ = [
    "Choice",
    "answers",
    "atlas",
    "choices",
    "close",
    "convolving",
    "gradient",
    "pairs",
    "products",
    "scatter",
    "strip",
]

MOST_MAPS = 4_096  # of an atlas: a fully connected layer of VGG-16 has as many values
MOST_VALUES = 400_000  # of an atlas: what is more is thinned out
NEAR = 1e-3  # relative difference, beyond which two results are not the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of some values, each a button."""

    name: str
    label: str
    values: Sequence[tuple[str, str]]  # what it tells, and in words
    chosen: str


def answers(
    pixels: Float[np.ndarray, "c h w"],
    rows: Sequence[tuple[str, float]],
    *,
    title: str,
    form: str,
    reads: str,
    note: str,
    warn: bool,
    look: str,
) -> Block:
    """Show what a network sees of a picture, and its likeliest classes with their probabilities."""
    words = {
        "kind": "answers",
        "span": 12,
        "shape": pixels.shape,
        "rows": list(rows),
        "title": title,
        "form": form,
        "reads": reads,
        "note": note,
        "warn": warn,
        "look": look,
        "alt": f"{title}: {form}",
    }
    return Block(words, pixels.ravel())


def pairs(
    rows: Sequence[tuple[str, float, float]],
    *,
    title: str,
    names: tuple[str, str],
    hint: str,
    span: int,
) -> Block:
    """Draw shares from 0 to 1 before and after; the names say before and after what."""
    told = [(name, *(None if np.isnan(each) else each for each in two)) for name, *two in rows]
    words = {"kind": "pairs", "span": span, "rows": told, "title": title, "hint": hint}
    return Block({**words, "names": names})


def choices(rows: Sequence[Choice], *, span: int = 12) -> Block:
    """Draw rows of buttons, of which one is chosen."""
    described = [
        {"name": row.name, "label": row.label, "values": list(row.values), "chosen": row.chosen}
        for row in rows
    ]
    return Block({"kind": "choices", "span": span, "rows": described})


def strip(title: str, layers: Sequence[Layer], chosen: str) -> Block:
    """Draw a network as a strip of its layers, those of one block together."""
    groups = [
        {"name": name, "layers": [(each.name, each.kind, _sides(each.shape)) for each in group]}
        for name, group in groupby(layers, lambda layer: _block(layer.name))
    ]
    return Block({"kind": "strip", "span": 12, "title": title, "groups": groups, "chosen": chosen})


def atlas(
    maps: Float[np.ndarray, "n h w"],
    order: Sequence[int],
    highs: Sequence[float],
    *,
    chosen: int,
    title: str,
    hint: str,
    span: int,
    names: Sequence[str] = (),
) -> Block:
    """Draw all maps of a layer side by side; a click tells channel, row and column.

    Args:
        maps: as they are.
        order: of the channels.
        highs: for each of these the value that gets the full colour.
        chosen: the channel that is looked at.
        title: over the maps.
        hint: under the title.
        span: twelfths of the screen.
        names: of the maps, where they have some.
    """
    count, height, width = maps.shape
    shown = list(order)[:MOST_MAPS]
    step = 1
    while step < max(height, width) and (
        len(shown) * -(-height // step) * -(-width // step) > MOST_VALUES
    ):
        step += 1
    thinned = maps[shown, ::step, ::step]
    if len(shown) < count:
        hint = f"{hint} The first {len(shown):,} of {count:,} are drawn."
    if step > 1:
        hint = f"{hint} Of each {step}×{step} values the first is drawn."
    words = {
        "kind": "atlas",
        "span": span,
        "n": len(shown),
        "h": thinned.shape[1],
        "w": thinned.shape[2],
        "step": step,
        "order": shown,
        "names": [names[k] for k in shown] if names else [],
        "highs": [float(high) for high in highs[: len(shown)]],
        "dead": [k for k in shown if not maps[k].any()],
        "chosen": chosen,
        "title": title,
        "hint": hint,
        "said": "Point at a map for a value; click it to see where it comes from. "
        "Arrow keys go to the next map and layer.",
        "alt": f"{title}; arrow keys go to the next map and the next layer",
    }
    return Block(words, thinned.ravel())


def close(
    values: Float[np.ndarray, "h w"],
    pixels: Float[np.ndarray, "c H W"],
    *,
    channel: int,
    at: tuple[int, int],
    high: float,
    field: tuple[int, int, int, int],
    title: str,
    sees: str,
    look: str,
    span: int,
    signed: bool = True,
    beside: bool = False,
) -> Block:
    """Draw one map large with its scale, and the picture with what one of its values depends on.

    The scale begins at 0 where no value is below it. The picture stands below the map, or `beside`.
    """
    words = {
        "kind": "close",
        "span": span,
        "h": values.shape[0],
        "w": values.shape[1],
        "shape": pixels.shape,
        "channel": channel,
        "at": at,
        "high": float(high),
        "field": field,
        "title": title,
        "sees": sees,
        "look": look,
        "signed": signed,
        "beside": beside,
    }
    return Block(words, np.concatenate([values.ravel(), pixels.ravel()]))


def products(
    told: Click, *, title: str, form: str, source: str, weight: tuple[int, ...] | None
) -> Block:
    """Write out one value: the window, the weights, their products, the sums of the channels.

    Args:
        told: the arithmetic.
        title: names the value.
        form: changes with the layer, so that another input channel is chosen then.
        source: what an input channel is called.
        weight: the one that is chosen, in the kernel's own order; None for none.
    """
    window = told.window if told.window is not None else np.empty((0, 0, 0))
    parts = [window] if told.kernel is None else [window, told.kernel]
    sums = told.sums if told.sums is not None else np.empty(0)
    off = abs(told.computed - told.value)
    words = {
        "kind": "products",
        "span": 12,
        "title": title,
        "form": form,
        "size": window.shape,
        "weighted": told.kernel is not None,
        "channels": list(told.channels),
        "first": told.first,
        "input": source,
        "parts": _parts(told),
        "inside": [] if told.inside is None else told.inside.ravel().tolist(),
        "formula": told.formula,
        "own": _signed(
            f"The network's own value is {told.value:.6g}; the difference is {off:.1g}."
        ),
        "differs": off > NEAR * max(1, abs(told.value)),
        "weight": ",".join(map(str, weight)) if weight is not None else "",
        "into": told.at[0] if told.kind == SOFTMAX else None,
    }
    return Block(words, np.concatenate([each.ravel() for each in (*parts, sums)]))


def gradient(told: Gradient, *, title: str, rate: float) -> Block:
    """Write out the gradient of one weight: δ times x, added up, and the step that it leads to."""
    off = abs(told.computed - told.gradient)
    before, after = _apart(told.weight, told.stepped)
    words = {
        "kind": "gradient",
        "span": 12,
        "title": title,
        "h": told.delta.shape[0],
        "w": told.delta.shape[1],
        "sum": told.computed,
        "lines": [
            _signed(line)
            for line in (
                f"∂L/∂w = Σ δ·x = {told.computed:.4g}; L = {told.loss:.4g} nats",
                f"Autograd gives {told.gradient:.6g}; the difference is {off:.1g}.",
                f"w − η·∂L/∂w = {before} − {rate:g}·({told.gradient:.4g}) = {after}",
            )
        ],
        "differs": off > NEAR * max(1e-3, abs(told.gradient)),
    }
    return Block(words, np.concatenate([told.delta.ravel(), told.taken.ravel()]))


def _apart(first: float, second: float) -> tuple[str, str]:
    """Write two numbers with as many digits as it takes to tell them apart, from 4 to 9."""
    for digits in range(4, 10):
        written = f"{first:.{digits}g}", f"{second:.{digits}g}"
        if written[0] != written[1]:
            break
    return written


def convolving(
    picture: Float[np.ndarray, "h w"],
    kernel: Float[np.ndarray, "k l"],
    result: Float[np.ndarray, "H W"],
    *,
    stride: int,
    padding: int,
    dilation: int,
    transposed: bool,
    title: str,
    result_title: str,
    look: str,
) -> Block:
    """Let a window move over a picture, with the sum of each value that comes out."""
    words = {
        "kind": "convolving",
        "span": 12,
        "size": picture.shape,
        "kernel": kernel.shape,
        "out": result.shape,
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "transposed": transposed,
        "title": title,
        "result": result_title,
        "high": float(abs(result).max(initial=0)),
        "look": look,
    }
    return Block(words, np.concatenate([picture.ravel(), kernel.ravel(), result.ravel()]))


def scatter(
    points: Float[np.ndarray, "n 2"],
    labels: Int[np.ndarray, " n"],
    wrong: Bool[np.ndarray, " n"],
    classes: Sequence[str],
    *,
    title: str,
    chosen: int,
    span: int,
) -> Block:
    """Draw images as points of a plane, coloured by class; to point at one tells its number.

    Args:
        points: across and up.
        labels: the true classes.
        wrong: those that the network reads wrongly; they are ringed.
        classes: their names.
        title: over the plane.
        chosen: the one that is pointed at, -1 for none.
        span: twelfths of the screen.
    """
    words = {
        "kind": "scatter",
        "span": span,
        "title": title,
        "labels": labels.tolist(),
        "wrong": wrong.tolist(),
        "classes": list(classes),
        "chosen": chosen,
        "alt": f"{title}; {int(wrong.sum())} are ringed, read wrongly",
    }
    return Block(words, points.T.ravel())


def _block(name: str) -> str:
    """Name the block that a layer is a part of: "layer1.0" for "layer1.0.conv2"."""
    first, *rest = name.partition(":")[0].split(".")
    return f"{first}.{rest[0]}" if len(rest) > 1 and rest[0].isdigit() else first


def _parts(told: Click) -> list[tuple[str, str]]:
    """Name what is added or taken over, briefly and in full; nothing for maps of an input."""
    if len(told.parts) == 1:
        return [("", f"{told.parts[0]}, map {told.channels[0]}")]
    return [
        (letter, f"{letter}: {part}")
        for letter, part in zip(ascii_lowercase, told.parts, strict=False)
    ]


def _sides(shape: Sequence[int]) -> str:
    return str(shape[0]) if shape[1:] == (1, 1) else "×".join(map(str, shape))


def _signed(text: str) -> str:
    """Write a real minus before each number that has a hyphen there."""
    return re.sub(r"-(?=\d)", "−", text)
