"""What a network says about every image of its data, computed once for all who ask."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from core.shared.evaluating import CHUNK, read
from core.shared.loading import load
from core.shared.models import Source, about
from core.shared.progress import Done
from core.shared.tested import known
from core.shared.turns import remembered

__all__ = ["PARTS", "Outcomes", "outcomes"]

PARTS = ("validation", "test")


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """Logits of images, and their labels; shared, so that nobody may write into them."""

    logits: Float[np.ndarray, "n k"]
    labels: Int[np.ndarray, " n"]


@remembered(16)  # 400 KB each of ten thousand digits
def outcomes(source: Source, part: str) -> Generator[Any, None, Outcomes]:
    """Let a network read all images of a part of the data that it learned from.

    Args:
        source: the network.
        part: one of PARTS.

    Raises: ValueError when there is no such part, the data are not here, or a logit is not finite.
    """
    if part not in PARTS:
        raise ValueError(f"part must be one of {PARTS}, got {part!r}")
    model = load(source)
    split = getattr(known(model), part)
    found = []
    for images in split.images.split(CHUNK):
        found.append(read(model.network, images).float())
        yield Done(min(len(found) * CHUNK, len(split)), len(split), "images", about(source).title)
    logits = torch.cat(found).cpu().numpy()
    if not np.isfinite(logits).all():
        raise ValueError("network must give finite logits, got others: its weights are too large")
    labels = split.labels.cpu().numpy().copy()
    for each in (logits, labels):
        each.flags.writeable = False
    return Outcomes(logits, labels)
