"""Images of a data set for a look inside, and how sure a network is of those that it knows.

Both are calls: they run in the process that owns the device.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float

from core.shared import devices
from core.shared.data import dataset
from core.shared.evaluating import CHUNK
from core.shared.loading import load
from core.shared.models import Source

__all__ = ["Sample", "familiar", "sample"]

KNOWN = 1_000  # test images by which is told what is familiar
RARE = 0.01  # the share of them that count as unfamiliar


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


@lru_cache(maxsize=32)
def familiar(source: Source) -> float:
    """Find the energy that 99 of 100 images of a network's own kind exceed.

    Returns: the 1 % quantile of log Σ exp(logits) over the first test images of its data.
    Raises: ValueError when nobody knows from which data it learned.

    Source: Liu, Wang, Owens, Li 2020, arXiv:2010.03759, section 3.1, with the sign turned.
    """
    model = load(source)
    if not model.data:
        raise ValueError(f"network must have learned from data that are here, got {source.name!r}")
    images = dataset(model.data, devices.choose(None)).test.images[:KNOWN]
    energies = []
    with torch.no_grad():
        for chunk in images.split(CHUNK):
            devices.pulse()
            energies.append(model.network(chunk).logsumexp(1))
    return float(torch.cat(energies).double().quantile(RARE))
