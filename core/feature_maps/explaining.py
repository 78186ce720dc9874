"""The arithmetic of each kind of layer: its formula with the numbers of one value filled in."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from core.feature_maps import Click
from core.feature_maps.fields import window_of
from core.shared.efficientnet import Standardise
from core.shared.kinds import kind_of
from core.shared.lenet import Normalise, Squash, Subsample, TableConv
from core.shared.tracing import Call, as_maps

__all__ = ["POINTWISE", "At", "click_of", "explain", "number", "pointwise", "signed", "single"]

MAPS = 4  # dimensions of a batch of maps
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
At = tuple[int, int, int]


def explain(call: Call, at: At, value: float) -> Click:
    """Write out a value of a layer that works on what one layer gave.

    Args:
        call: of the layer.
        at: channel, row and column of the value.
        value: as the network has it.

    Raises: ValueError when its kind is not written out.
    """
    module, taken = call.module, call.taken
    if taken is None:
        raise ValueError("its value is not written out: it takes neither a picture nor maps")
    for kinds, way in _WAYS:
        if isinstance(module, kinds) and not [*module.children()]:
            return way(call, at, value, taken.detach()[0].cpu().double())
    if type(module) in POINTWISE and taken.shape == call.given.shape:
        return _pointwise(call, at, value, taken.detach()[0].cpu().double())
    raise ValueError(
        "its value is not written out: of a layer of this kind "
        f"({kind_of(module)}) only the maps are shown"
    )


def click_of(
    call: Call,
    at: At,
    value: float,
    formula: str,
    computed: float,
    *,
    window: Tensor,
    inside: Tensor,
    kernel: Tensor | None = None,
    channels: tuple[int, ...],
    first: int = 0,
    bias: float = 0.0,
    corner: tuple[int, int],
    span: tuple[int, int] = (1, 1),
    parts: tuple[str, ...] = (),
) -> Click:
    """Put together a click of a layer; where it has no kernel, the sums are the window's."""
    products = window if kernel is None else window * kernel
    return Click(
        kind=kind_of(call.module),
        at=at,
        value=value,
        computed=computed,
        formula=formula,
        window=window.numpy(),
        kernel=None if kernel is None else kernel.numpy(),
        inside=inside.numpy(),
        channels=channels,
        first=first,
        sums=products.sum((1, 2)).numpy(),
        bias=bias,
        corner=corner,
        span=span,
        field=(0, 0, 0, 0),
        parts=parts,
    )


def _flatten(call: Call, at: At, value: float, taken: Tensor) -> Click:
    place = tuple(int(each) for each in np.unravel_index(at[0], taken.shape))
    x = float(taken[place])
    subscript = str(at[0]).translate(SUBSCRIPTS)
    formula = f"x{subscript} = input{list(place)} = {number(x)}"
    return click_of(call, at, value, formula, x, **single(x, (place[0], place[1], place[2])))


def _convolution(call: Call, at: At, value: float, taken: Tensor) -> Click:
    module = call.module
    channel, row, column = at
    weight = module.get_parameter("weight").detach().cpu().double()
    each = weight.shape[1]
    first = channel // (len(weight) * each // len(taken)) * each  # of the group's inputs
    channels = tuple(range(first, first + each))
    if isinstance(module, TableConv):
        channels = tuple(k for k in channels if module.table[channel, k])
    window, inside, corner, span = _cut(taken[list(channels)], module, row, column)
    kernel = weight[channel, [k - first for k in channels]]
    return _weighted(
        call,
        at,
        value,
        window,
        kernel,
        inside=inside,
        channels=channels,
        first=first,
        corner=corner,
        span=span,
    )


def _linear(call: Call, at: At, value: float, taken: Tensor) -> Click:
    module = call.module
    weight = module.get_parameter("weight").detach().cpu().double()[at[0]]
    if taken.ndim > 1:  # tokens, or maps with their channels last: of this place alone
        taken = _at_place(call, taken, at)
    return _weighted(
        call,
        at,
        value,
        taken[:, None, None],
        weight[:, None, None],
        inside=torch.ones(1, 1, dtype=torch.bool),
        channels=tuple(range(len(taken))),
        corner=at[1:],
    )


def _weighted(
    call: Call, at: At, value: float, window: Tensor, kernel: Tensor, **where: Any
) -> Click:
    """Explain a sum of products and a bias; `where` is what else `click_of` takes."""
    bias, total = _bias(call.module, at[0]), float((window * kernel).sum())
    formula = f"Σ w·x + b = {number(total)} {signed(bias)} = {number(total + bias)}"
    given = {"window": window, "kernel": kernel, "bias": bias, **where}
    return click_of(call, at, value, formula, total + bias, **given)


def _pooling(call: Call, at: At, value: float, taken: Tensor) -> Click:
    module = call.module
    channel, row, column = at
    window, inside, corner, span = _cut(taken[channel : channel + 1], module, row, column)
    if isinstance(module, nn.MaxPool2d):
        window = window.masked_fill(~inside, -math.inf)
        total = float(window.max())
        formula = f"max = {number(total)}"
    else:
        padded = isinstance(module, nn.AvgPool2d) and module.count_include_pad
        count = inside.numel() if padded else int(inside.sum())
        total = float(window.sum()) / count
        formula = f"{number(float(window.sum()))} / {count} = {number(total)}"
    if isinstance(module, Subsample):
        factor, bias = float(module.coefficient[channel]), float(module.bias[channel])
        mean, total = total, factor * total + bias
        formula = f"{number(factor)} · {number(mean)} {signed(bias)} = {number(total)}"
    return click_of(
        call,
        at,
        value,
        formula,
        total,
        window=window,
        inside=inside,
        channels=(channel,),
        corner=corner,
        span=span,
    )


def _average(call: Call, at: At, value: float, taken: Tensor) -> Click:
    channel, row, column = at
    height, width = call.given.shape[2:]
    rows, columns = taken.shape[1:]
    top, bottom = row * rows // height, -(-(row + 1) * rows // height)
    left, right = column * columns // width, -(-(column + 1) * columns // width)
    window = taken[channel : channel + 1, top:bottom, left:right]
    total = float(window.mean())
    return click_of(
        call,
        at,
        value,
        f"{number(float(window.sum()))} / {window.numel()} = {number(total)}",
        total,
        window=window,
        inside=torch.ones(window.shape[1:], dtype=torch.bool),
        channels=(channel,),
        corner=(top, left),
        span=(bottom - top, right - left),
    )


def _batch_norm(call: Call, at: At, value: float, taken: Tensor) -> Click:
    module, channel = call.module, at[0]
    x = float(taken[at] if taken.ndim == MAPS - 1 else taken[channel])
    mean, variance = (
        float(module.get_buffer(name)[channel]) for name in ("running_mean", "running_var")
    )
    scale, shift = (float(module.get_parameter(name)[channel]) for name in ("weight", "bias"))
    return _normalised(call, at, value, x, (mean, variance), (scale, shift))


def _group_norm(call: Call, at: At, value: float, taken: Tensor) -> Click:
    module, channel = call.module, at[0]
    if isinstance(module, nn.GroupNorm):
        group = taken.unflatten(0, (module.num_groups, -1))[
            channel // (len(taken) // module.num_groups)
        ]
        x = float(taken[at] if taken.ndim == MAPS - 1 else taken[channel])
    else:
        group = _at_place(call, taken, at)
        x = float(group[channel])
    moments = float(group.mean()), float(group.var(unbiased=False))
    scale, shift = (float(module.get_parameter(name)[channel]) for name in ("weight", "bias"))
    return _normalised(call, at, value, x, moments, (scale, shift))


def _normalised(
    call: Call,
    at: At,
    value: float,
    x: float,
    moments: tuple[float, float],
    affine: tuple[float, float],
) -> Click:
    mean, variance = moments
    scale, shift = affine
    epsilon = float(getattr(call.module, "eps", 0.0))
    total = (x - mean) / math.sqrt(variance + epsilon) * scale + shift
    formula = (
        f"γ (x − μ) / √(σ² + ε) + β = {number(scale)} · ({number(x)} {signed(-mean)}) / "
        f"√({number(variance)} + {epsilon:g}) {signed(shift)} = {number(total)}"
    )
    return click_of(call, at, value, formula, total, **single(x, at))


def _shift(call: Call, at: At, value: float, taken: Tensor) -> Click:
    """Explain the first layer, which pads with paper, and shifts and scales the pixels."""
    module = call.module
    padding = int(getattr(module, "padding", 0))
    channel, row, column = at
    y, x = row - padding, column - padding
    inside = 0 <= y < taken.shape[1] and 0 <= x < taken.shape[2]
    pixel = float(taken[channel, y, x]) if inside else 0.0
    mean, deviation = (
        float(torch.as_tensor(getattr(module, name)).flatten().expand(len(taken))[channel])
        for name in ("mean", "deviation")
    )
    total = (pixel - mean) / deviation
    formula = f"({number(pixel)} − {number(mean)}) / {number(deviation)} = {number(total)}"
    place = single(pixel, (channel, y, x)) | {"inside": torch.tensor([[inside]])}
    return click_of(call, at, value, formula, total, **place)


def _pointwise(call: Call, at: At, value: float, taken: Tensor) -> Click:
    x = float(_at_place(call, taken, at)[at[0]])
    pattern, total = pointwise(call.module, x)
    written = pattern.replace("X", number(x))
    return click_of(call, at, value, f"{written} = {number(total)}", total, **single(x, at))


def pointwise(module: nn.Module, x: float) -> tuple[str, float]:
    """Give the formula of an activation, in which X stands for its input, and its value at x."""
    pattern, compute = POINTWISE[type(module)]
    slope = float(getattr(module, "negative_slope", 0.0))
    return pattern.replace("SLOPE", f"{slope:g}"), compute(module, x)


def _cut(
    taken: Float[Tensor, "k h w"], module: nn.Module, row: int, column: int
) -> tuple[Tensor, Tensor, tuple[int, int], tuple[int, int]]:
    """Cut the window of one output value out of the input, with 0 where it lies outside."""
    kernel, stride, padding, dilation = window_of(module, taken)
    corner = row * stride[0] - padding[0], column * stride[1] - padding[1]
    rows = corner[0] + dilation[0] * torch.arange(kernel[0])
    columns = corner[1] + dilation[1] * torch.arange(kernel[1])
    height, width = taken.shape[1:]
    inside = ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))
    window = taken[:, rows.clamp(0, height - 1)][:, :, columns.clamp(0, width - 1)] * inside
    span = (kernel[0] - 1) * dilation[0] + 1, (kernel[1] - 1) * dilation[1] + 1
    return window, inside, corner, span


def _at_place(call: Call, taken: Tensor, at: At) -> Float[Tensor, " k"]:
    """Give the channels of one place of an input whose channels are not its first dimension."""
    there = Call(call.name, call.module, None, taken[None], call.last)
    return as_maps(there)[0][:, at[1], at[2]]


def _bias(module: nn.Module, channel: int) -> float:
    bias = getattr(module, "bias", None)
    return float(bias.detach()[channel]) if isinstance(bias, Tensor) else 0.0


def single(x: float, at: At) -> dict[str, Any]:
    """Give the window of a layer that works on each value by itself."""
    return {
        "window": torch.tensor([[[x]]], dtype=torch.float64),
        "inside": torch.ones(1, 1, dtype=torch.bool),
        "channels": (at[0],),
        "corner": at[1:],
    }


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


_Way = Callable[[Call, At, float, Tensor], Click]
_WAYS: tuple[tuple[tuple[type[nn.Module], ...], _Way], ...] = (
    ((nn.Conv2d,), _convolution),
    ((nn.Linear,), _linear),
    ((nn.MaxPool2d, nn.AvgPool2d, Subsample), _pooling),
    ((nn.AdaptiveAvgPool2d,), _average),
    ((nn.BatchNorm1d, nn.BatchNorm2d), _batch_norm),
    ((nn.GroupNorm, nn.LayerNorm), _group_norm),
    ((Normalise, Standardise), _shift),
    ((nn.Flatten,), _flatten),
)
POINTWISE: dict[type[nn.Module], tuple[str, Callable[[nn.Module, float], float]]] = {
    nn.ReLU: ("max(0, X)", lambda _, x: max(0.0, x)),
    nn.ReLU6: ("min(6, max(0, X))", lambda _, x: min(6.0, max(0.0, x))),
    nn.LeakyReLU: (
        "max(X, SLOPE · X)",
        lambda module, x: max(x, float(getattr(module, "negative_slope", 0)) * x),
    ),
    nn.GELU: ("X · Φ(X)", lambda _, x: x * (1 + math.erf(x / math.sqrt(2))) / 2),
    nn.SiLU: ("X · σ(X)", lambda _, x: x * _sigmoid(x)),
    nn.Sigmoid: ("σ(X)", lambda _, x: _sigmoid(x)),
    nn.Tanh: ("tanh(X)", lambda _, x: math.tanh(x)),
    Squash: (
        "1.7159 · tanh(2/3 · X)",
        lambda _, x: 1.7159 * math.tanh(2 * x / 3),
    ),
    nn.Dropout: ("X", lambda _, x: x),
    nn.Identity: ("X", lambda _, x: x),
}


def number(value: float) -> str:
    """Write a number with four digits, and a real minus."""
    return f"{value:.4g}".replace("-", "−")


def signed(value: float) -> str:
    """Write a number that is added to another."""
    return f"+ {number(value)}" if value >= 0 else f"− {number(-value)}"
