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

__all__ = ["Sample", "sample", "strangeness"]

KNOWN = 500  # images by which is told what is familiar
RARE = 0.01  # the share of test images that count as unfamiliar
NEIGHBOUR = 10  # the nearest but nine


@dataclass(frozen=True, slots=True)
class Sample:
    """One test image."""

    pixels: Float[np.ndarray, "c h w"]  # from 0 to 1
    label: int
    count: int  # how many there are


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
) -> Generator[Any, None, tuple[float, float]]:
    """Measure how far a picture is from those that a network knows, as the network sees them.

    Args:
        source: the network.
        pixels: from 0 to 1, of its shape.

    Returns: the distance to the nearest but nine of many validation images, between the directions
        of what the last layer takes (0: the same, 2: opposite); and what 99 of 100 test images stay
        below.
    Raises: ValueError when nobody knows from which data it learned.

    Source: Sun, Ming, Zhu, Li 2022, arXiv:2204.06507, section 3.
    """
    bank, usual = yield from _bank(source)
    image = torch.tensor(pixels, dtype=bank.dtype, device=bank.device)[None]
    direction = yield from _directions(load(source).network, image)
    return float(_distances(direction, bank)[0]), usual


@remembered(8)  # at most 100 MB each: 500 images of 50,000 values
def _bank(source: Source) -> Generator[Any, None, tuple[Float[Tensor, "n d"], float]]:
    model = load(source)
    if not model.data:
        raise ValueError(f"network must have learned from data that are here, got {source.name!r}")
    known = dataset(model.data, devices.choose(None))
    bank = yield from _directions(model.network, known.validation.images[:KNOWN])
    others = yield from _directions(model.network, known.test.images[:KNOWN])
    tested = _distances(others, bank)
    return bank, float(tested.cpu().double().quantile(1 - RARE))


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
