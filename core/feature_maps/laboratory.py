"""The convolution laboratory: any kernel on any picture, mixed maps, what a unit really sees."""

from collections.abc import Generator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from core.feature_maps import Convolved, EffectiveField
from core.feature_maps.fields import fields_of
from core.feature_maps.kernels import Kernel, Window, size
from core.feature_maps.looking import picture_of
from core.feature_maps.passing import pictures
from core.shared import data, devices
from core.shared.lenet import TableConv
from core.shared.loading import Model, load
from core.shared.models import Source
from core.shared.progress import Done
from core.shared.tracing import Call, as_maps, module_of, trace, until
from core.shared.turns import patient

__all__ = ["convolve", "effective_field", "learned", "mix"]

GREY = (0.299, 0.587, 0.114)  # of red, green and blue: ITU-R BT.601
MOST_VALUES = 4_000_000  # of a result
MOST_IMAGES = 1000
PIXELS = 100_000  # of one colour, that are traced at a time: 127 digits, 1 photograph
EDGE = 1 - 0.9545  # of the largest: what lies within two deviations of a Gaussian


def convolve(pixels: Float[np.ndarray, "c h w"], window: Window) -> Convolved:
    """Move a window over each colour of a picture by itself, and over its grey.

    Args:
        pixels: one colour or three, of any finite values.
        window: what moves.

    Raises: ValueError when there are other colours, or nothing comes out, or too much.
    """
    if len(pixels) not in (1, len(GREY)):
        raise ValueError(f"pixels must have 1 or 3 colours, got {len(pixels)}")
    if not np.isfinite(pixels).all():
        raise ValueError("pixels must be finite numbers, got others")
    (rows, height), (columns, width) = (
        size(window, side, axis) for axis, side in enumerate(pixels.shape[1:])
    )
    count = (len(pixels) + 1) * rows * columns
    if count > MOST_VALUES:
        raise ValueError(
            f"the result must have at most {MOST_VALUES:,} values, "
            f"got {len(pixels) + 1}·{rows}·{columns} = {count:,}"
        )
    colours = _tensor(pixels)
    shares = colours.new_tensor(GREY if len(pixels) > 1 else (1.0,))
    planes = torch.cat([colours, (shares[:, None, None] * colours).sum(0, keepdim=True)])
    values = _moved(planes[:, None], colours.new_tensor(window.kernel)[None, None], window)[:, 0]
    return Convolved(
        values=values[:-1].cpu().numpy(), grey=values[-1].cpu().numpy(), height=height, width=width
    )


def mix(
    maps: Float[np.ndarray, "m H W"], weights: Float[np.ndarray, " m"]
) -> Float[np.ndarray, "H W"]:
    """Mix maps into one: a 1×1 convolution, without its bias.

    Args:
        maps: of one layer.
        weights: how much of each.

    Source: Lin, Chen, Yan 2013, arXiv:1312.4400, section 3.1.
    """
    kernel = _tensor(weights)[None, :, None, None]
    mixed: np.ndarray = F.conv2d(_tensor(maps)[None], kernel)[0, 0].cpu().numpy()
    return mixed


def learned(source: Source, layer: str, out: int, into: int) -> Kernel:
    """Take a kernel out of a network, for a window of the laboratory.

    Args:
        source: the network.
        layer: a convolution that `looking.look` lists.
        out: the map that it makes.
        into: of the maps that this one takes, counted from 0; a depthwise convolution takes one.

    Raises: ValueError when there is no such kernel.
    """
    module = dict(load(source).network.named_modules()).get(module_of(layer))
    if not isinstance(module, nn.Conv2d):
        raise ValueError(f"layer must be a convolution, got {layer[:60]!r}")
    weight = module.weight * module.table if isinstance(module, TableConv) else module.weight
    for name, place, count in (("out", out, len(weight)), ("into", into, weight.shape[1])):
        if not 0 <= place < count:
            raise ValueError(f"{name} must be from 0 to {count - 1} in {layer}, got {place}")
    return tuple(tuple(row) for row in weight[out, into].tolist())


@patient
def effective_field(
    source: Source,
    layer: str,
    channel: int,
    images: int = 100,
    pixels: Float[np.ndarray, "n c h w"] | None = None,
) -> Generator[Any, None, EffectiveField]:
    """Measure how much each pixel moves the unit in the middle of a map, and where it could at all.

    Args:
        source: the network.
        layer: one of those that `looking.look` lists.
        channel: of its maps.
        images: so many test images of what the network learned from, evenly spread, at most; the
            built-in photographs where that is not here.
        pixels: pictures to take instead, from 0 to 1, of the network's shape.

    Raises: ValueError when there is no such layer or channel, or a picture is of another shape.

    Source: Luo, Li, Urtasun, Zemel 2016, arXiv:1701.04128, sections 2 and 3; they take the mean
    of the gradients of random images, we of their absolute values, so that no two cancel.
    """
    model = load(source)
    pictures = _pictures(model, images, pixels)
    with torch.no_grad():
        seen = trace(model.network, pictures[:1])
    unit, place = _middle(seen[layer], layer, channel)
    field = fields_of(seen, pictures[:1])[layer]
    del seen  # all that all layers gave
    total, silent, done = torch.zeros(pictures.shape[2:], dtype=torch.float64), 0, 0
    for few in pictures.split(max(1, PIXELS // pictures[0, 0].numel())):
        given = few.clone().requires_grad_()
        with torch.enable_grad():
            units = until(model.network, given, layer).given.movedim(0, -1)[place]
            (slopes,) = torch.autograd.grad(units.sum(), given)  # a sum keeps the images apart
        moved = slopes.abs().mean(1)
        silent += int((moved.flatten(1) == 0).all(1).sum())
        total += moved.sum(0).cpu()
        done += len(few)
        yield Done(done, len(pictures), "images", "The field of a unit")
    mean = total / len(pictures)
    large = (mean > EDGE * mean.max()).sum()
    height, width = mean.shape
    return EffectiveField(
        field=mean.float().numpy(),
        unit=unit,
        box=field.box(*unit, height, width),
        side=float(large) ** 0.5,
        images=len(pictures),
        silent=silent,
    )


def _moved(
    planes: Float[Tensor, "n 1 h w"], kernel: Float[Tensor, "1 1 k l"], window: Window
) -> Float[Tensor, "n 1 H W"]:
    stride, padding, dilation = window.stride, window.padding, window.dilation
    if not window.transposed:
        return F.conv2d(planes, kernel, None, stride, padding, dilation)
    more = window.output_padding
    return F.conv_transpose2d(planes, kernel, None, stride, padding, more, 1, dilation)


def _pictures(
    model: Model, images: int, pixels: Float[np.ndarray, "n c h w"] | None
) -> Float[Tensor, "n c h w"]:
    if pixels is not None:
        if not 1 <= len(pixels) <= MOST_IMAGES:
            raise ValueError(f"pixels must be of 1 to {MOST_IMAGES} pictures, got {len(pixels)}")
        return torch.cat([picture_of(model, each) for each in pixels])
    if not 1 <= images <= MOST_IMAGES:
        raise ValueError(f"images must be from 1 to {MOST_IMAGES}, got {images}")
    if not model.data:
        return pictures(model, images).images
    device = next(model.network.parameters()).device
    known = data.dataset(model.data, device).test.images
    count = min(images, len(known))
    return known[torch.arange(count, device=device) * len(known) // count]


def _middle(call: Call, layer: str, channel: int) -> tuple[tuple[int, int], tuple[int, ...]]:
    """Find the unit in the middle of a map, and its place in what the layer gives."""
    numbers = torch.arange(call.given[0].numel(), dtype=torch.float64)  # which as_maps moves along
    channels = as_maps(call._replace(given=numbers.view(1, *call.given.shape[1:])))[0]
    count, height, width = channels.shape
    if not 0 <= channel < count:
        raise ValueError(f"channel must be from 0 to {count - 1} in {layer}, got {channel}")
    unit = height // 2, width // 2
    return unit, tuple(
        map(int, np.unravel_index(int(channels[channel][unit]), call.given.shape[1:]))
    )


def _tensor(values: np.ndarray) -> Tensor:
    return torch.tensor(values, dtype=torch.float32, device=devices.choose(None))
