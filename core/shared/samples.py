"""Images of a data set for a look inside, and how far a picture is from those.

Both are calls: they run in the process that owns the device.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from core.shared import devices
from core.shared.data import dataset
from core.shared.evaluating import CHUNK
from core.shared.loading import load
from core.shared.models import Source
from core.shared.tracing import trace, until
from core.shared.turns import patient, remembered

__all__ = ["Distance", "Sample", "sample", "strangeness"]

KNOWN = 500  # images by which is told what is familiar
RARE = 0.01  # the share of test images that count as unfamiliar, by each of two measures
NEIGHBOUR = 10  # the nearest but nine


@dataclass(frozen=True, slots=True)
class Sample:
    """One test image."""

    pixels: Float[np.ndarray, "c h w"]  # from 0 to 1
    label: int
    count: int  # how many there are


@dataclass(frozen=True, slots=True)
class Distance:
    """How far a picture is from those that a network knows, by one measure."""

    far: float
    usual: float  # what 99 of 100 test images stay below


def sample(data: str, index: int) -> Sample:
    """Give a test image of a data set.

    Args:
        data: as `datasets.about` takes it.
        index: counted from 0; beyond the last it is the last.

    Raises: ValueError when the data are not here, or the index is below 0.
    """
    if index < 0:
        raise ValueError(f"index must be at least 0, got {index}")
    test = dataset(data, devices.choose(None)).test
    place = min(index, len(test) - 1)
    return Sample(test.images[place].cpu().numpy().copy(), int(test.labels[place]), len(test))


@patient
def strangeness(
    source: Source, pixels: Float[np.ndarray, "c h w"]
) -> Generator[Any, None, tuple[Distance, Distance]]:
    """Measure how far a picture is from those that a network knows.

    Args:
        source: the network.
        pixels: from 0 to 1, of its shape.

    Returns: two distances to the nearest but nine of many validation images. The first is as the
        network sees them, between the directions of what the last layer takes (0: the same, 2:
        opposite). A network may see what is none of its classes as one of them; the second is
        between the pixels' values in their order of size, so that it does not matter where they
        are.
    Raises: ValueError when nobody knows from which data it learned.

    Source: Sun, Ming, Zhu, Li 2022, arXiv:2204.06507, section 3, for the first.
    """
    banks = yield from _banks(source)
    image = torch.tensor(pixels, dtype=torch.float32, device=banks[0][0].device)[None]
    ours = (yield from _directions(load(source).network, image)), _values(image)
    first, second = (
        Distance(float(_distances(each, bank)[0]), usual)
        for each, (bank, usual) in zip(ours, banks, strict=True)
    )
    return first, second


@remembered(8)  # at most 100 MB each: 500 images of 50,000 values
def _banks(source: Source) -> Generator[Any, None, tuple[tuple[Float[Tensor, "n d"], float], ...]]:
    """Give what is familiar by each measure, and what is usual."""
    model = load(source)
    if not model.data:
        raise ValueError(f"network must have learned from data that are here, got {source.name!r}")
    known = dataset(model.data, devices.choose(None))
    ours, others = known.validation.images[:KNOWN], known.test.images[:KNOWN]
    directions = yield from _directions(model.network, ours)
    tested = yield from _directions(model.network, others)
    pairs = (directions, tested), (_values(ours), _values(others))
    return tuple(
        (bank, float(_distances(each, bank).cpu().double().quantile(1 - RARE)))
        for bank, each in pairs
    )


def _values(images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
    return images.flatten(1).sort(1).values


@torch.no_grad()
def _directions(
    network: nn.Module, images: Float[Tensor, "n c h w"]
) -> Generator[Any, None, Float[Tensor, "n d"]]:
    found = []
    last = trace(network, images[:1]).calls[-1].name
    for chunk in images.split(CHUNK):
        taken = until(network, chunk, last).taken
        if taken is None:
            raise ValueError("network must end with a layer that takes values, got one of another")
        found.append(F.normalize(taken.flatten(1)))
        yield
    return torch.cat(found)


def _distances(ours: Float[Tensor, "m d"], bank: Float[Tensor, "n d"]) -> Float[Tensor, " m"]:
    """Give each one's distance to its nearest but nine."""
    nearest = torch.cdist(ours, bank).topk(min(NEIGHBOUR, len(bank)), largest=False)
    return nearest.values[:, -1]
