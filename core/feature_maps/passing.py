"""Many images on their way through a network, some at a time."""

import math
from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from core.feature_maps.grid import AT_ONCE
from core.shared import data, devices, photographs
from core.shared.data import Dataset, Split
from core.shared.loading import Model
from core.shared.models import about
from core.shared.seeing import as_picture, fit
from core.shared.tracing import Call

__all__ = ["brought", "device_of", "first", "known", "pictures", "require_channel", "some"]


def first(model: Model, count: int, name: str = "") -> Split:
    """Give the first test images of the data that a network learned from; all, if they are fewer.

    Args:
        model: the network.
        count: of images.
        name: of other data, whose images may be of another shape.

    Raises: ValueError when the count is below 1, or the data are not here.
    """
    if count < 1:
        raise ValueError(f"images must be at least 1, got {count}")
    test = known(model, name).test
    return Split(test.images[:count], test.labels[:count])


def pictures(model: Model, count: int) -> Split:
    """Give the first test images, or the built-in photographs where the data are not here.

    The label of a photograph is -1 where the network has no class for it.

    Raises: ValueError when the count is below 1.
    """
    if model.data or count < 1:
        return first(model, count)
    known = photographs.photographs()[:count]
    fitted = [fit(photographs.photograph(e.name).pixels, model.shape, "") for e in known]
    labels = [model.classes.index(e.label) if e.label in model.classes else -1 for e in known]
    images = torch.tensor(np.stack(fitted), dtype=torch.float32, device=device_of(model))
    return Split(images, torch.tensor(labels, device=images.device))


def known(model: Model, name: str = "") -> Dataset:
    """Give the data that a network learned from, or others by their name.

    Raises: ValueError when they are not here.
    """
    if name and name != model.data:
        return data.dataset(name, device_of(model))
    if not model.data:
        title = about(model.source).title
        raise ValueError(f"network must be one whose data are here, got {title}")
    whole = data.dataset(model.data, device_of(model))
    if whole.shape != model.shape:
        raise ValueError(f"network must take pictures of {whole.shape}, got {model.shape}")
    return whole


def brought(model: Model, images: Float[Tensor, "n c h w"]) -> Iterator[Float[Tensor, "_ _ _ _"]]:
    """Hand out images as `some` does, each brought into the form that the network takes."""
    if images.shape[1:] == model.shape:
        yield from some(images)
        return
    for few in images.split(max(1, AT_ONCE[images.device.type] // math.prod(model.shape))):
        fitted = [fit(as_picture(each), model.shape, "") for each in few.cpu().numpy()]
        yield from some(torch.from_numpy(np.stack(fitted)).to(images.device))


def some(images: Float[Tensor, "n c h w"]) -> Iterator[Float[Tensor, "_ c h w"]]:
    """Hand out images as many at a time as the device computes best, in their order."""
    count = max(1, AT_ONCE[images.device.type] // images[0].numel())
    for few in images.split(count):
        devices.pulse()
        # Of one channel `contiguous` would copy nothing, and what comes after lie the slower way.
        yield torch.empty_like(few, memory_format=torch.channels_last).copy_(few)


def require_channel(call: Call, channel: int) -> None:
    """Refuse a channel that a layer has not.

    Raises: ValueError with the channels that it has.
    """
    count = call.given.shape[call.axis]
    if not 0 <= channel < count:
        raise ValueError(f"channel must be from 0 to {count - 1} in {call.name}, got {channel}")


def device_of(model: Model) -> torch.device:
    """Tell where a network is."""
    return next(model.network.parameters()).device
