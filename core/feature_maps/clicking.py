"""The arithmetic of a click: how one value of a map came about."""

import math
from dataclasses import replace
from string import ascii_lowercase

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from core.feature_maps import SOFTMAX, Click
from core.feature_maps.explaining import (
    POINTWISE,
    At,
    click_of,
    explain,
    number,
    pointwise,
    signed,
    single,
)
from core.feature_maps.fields import fields_of
from core.feature_maps.looking import frozen, pass_through
from core.feature_maps.merging import Part, added, joined
from core.shared.models import Source
from core.shared.tracing import Call, Trace, as_maps

__all__ = ["click", "sees"]


def click(source: Source, pixels: Float[np.ndarray, "c h w"], layer: str, at: At) -> Click:
    """Write out how one value of a layer's maps was computed from what the layer took.

    Args:
        source: the network.
        pixels: as `looking.look` takes them.
        layer: one of those that `look` lists.
        at: channel, row and column of the value, as `looking.maps` gives it.

    Raises: ValueError when there is no such layer or value, or its kind is not written out.
    """
    passed = pass_through(source, *frozen(pixels))
    if layer == SOFTMAX:
        return _softmax(passed.trace.logits[0].cpu().double(), at, passed.picture.shape[2:])
    call = passed.trace[layer]
    values = as_maps(call)[0]
    for name, place, size in zip(("channel", "row", "column"), at, values.shape, strict=True):
        if not 0 <= place < size:
            raise ValueError(f"{name} must be from 0 to {size - 1} in {layer}, got {place}")
    height, width = passed.picture.shape[2:]
    field = fields_of(passed.trace, passed.picture)[layer].box(*at[1:], height, width)
    value = float(values[at])
    told = _merged(passed.trace, call, at, value) or explain(call, at, value)
    return replace(told, field=field)


def sees(
    source: Source, pixels: Float[np.ndarray, "c h w"], layer: str, at: At
) -> tuple[int, int, int, int]:
    """Tell which part of the picture a value depends on: top, left, bottom, right, ends excluded.

    Args:
        source, pixels, layer, at: as `click` takes them; here any layer of the network's will do.

    Raises: ValueError when there is no such layer.
    """
    passed = pass_through(source, *frozen(pixels))
    passed.trace[layer]
    height, width = passed.picture.shape[2:]
    return fields_of(passed.trace, passed.picture)[layer].box(*at[1:], height, width)


def _merged(way: Trace, call: Call, at: At, value: float) -> Click | None:
    """Explain what blocks give, and activations behind a sum; None for anything else."""
    block = bool([*call.module.children()])
    if block or type(call.module) in POINTWISE:
        parts = added(way, call)
        if parts:
            return _sum(call, at, value, parts)
    branch = joined(way, call, at[0]) if block else None
    return branch and _join(call, at, value, *branch)


def _sum(call: Call, at: At, value: float, parts: tuple[Part, ...]) -> Click:
    summands = [float(as_maps(call._replace(given=part.value))[0][at]) for part in parts]
    total, letters = math.fsum(summands), ascii_lowercase[: len(parts)]
    symbols = " + ".join(letters)
    first, *others = map(number, summands)
    numbers = " + ".join([first, *(f"({x})" if x.startswith("−") else x for x in others)])
    if type(call.module) in POINTWISE:
        pattern, total = pointwise(call.module, total)
        symbols, numbers = (
            pattern.replace("X", f"({text})" if "·" in pattern else text)
            for text in (symbols, numbers)
        )
    names = ", ".join(f"{a}: {part.name}" for a, part in zip(letters, parts, strict=True))
    return click_of(
        call,
        at,
        value,
        f"{symbols} = {numbers} = {number(total)}, with {names}",
        total,
        window=torch.tensor(summands, dtype=torch.float64)[:, None, None],
        inside=torch.ones(1, 1, dtype=torch.bool),
        channels=tuple(range(len(parts))),
        corner=at[1:],
        parts=tuple(part.name for part in parts),
    )


def _join(call: Call, at: At, value: float, branch: Part, channel: int) -> Click:
    place = channel, at[1], at[2]
    x = float(branch.value[0][place])
    formula = f"{branch.name}{list(place)} = {number(x)}"
    return click_of(call, at, value, formula, x, **single(x, place), parts=(branch.name,))


def _softmax(logits: Float[Tensor, " k"], at: At, sides: tuple[int, ...]) -> Click:
    chosen = at[0]
    if not 0 <= chosen < len(logits):
        raise ValueError(f"channel must be from 0 to {len(logits) - 1} in softmax, got {chosen}")
    largest = float(logits.max())
    powers = (logits - largest).exp()
    total = float(powers[chosen] / powers.sum())
    z = float(logits[chosen])
    return Click(
        kind="softmax",
        at=at,
        value=float(logits.softmax(0).float()[chosen]),
        computed=total,
        formula=f"exp(z − m) / Σ exp(z′ − m) = exp({number(z)} {signed(-largest)}) / "
        f"{float(powers.sum()):.6g} = {number(total)}, where m is the largest logit",
        window=logits[:, None, None].numpy(),
        kernel=None,
        inside=np.ones((1, 1), bool),
        channels=tuple(range(len(logits))),
        first=0,
        sums=powers.numpy(),
        bias=0.0,
        corner=(0, 0),
        span=(1, 1),
        field=(0, 0, sides[0], sides[1]),
    )
