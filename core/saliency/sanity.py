"""Whether an explanation minds what the network has learned: let it forget, and look again."""

import math
from collections.abc import Generator
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float

from core.saliency import Attribution, Query
from core.saliency.explaining import explained, image_of
from core.saliency.melting import weighted_layers
from core.saliency.ranking import rank_correlation, summed, support_of
from core.saliency.trials import Melted
from core.shared.loading import load
from core.shared.models import Source
from core.shared.turns import patient, remembered

__all__ = ["intact", "melt"]

KEPT = 8  # maps of intact networks


@patient
def melt(
    source: Source, pixels: Float[np.ndarray, "c h w"], query: Query, layers: int
) -> Generator[Any, None, Melted]:
    """Explain the answer of a network whose last layers got random weights.

    The class is that which the intact network reads, where the query names none.

    Args:
        source: the network.
        pixels: the picture as the network sees it, from 0 to 1.
        query: what to explain, and how; its seed is that of the weights too.
        layers: so many of them, from the last one on; all, if there are fewer.

    Raises: ValueError when the picture has another shape, there is no such class or layer, or the
        method cannot explain this network.

    Source: Adebayo, Gilmer, Muelly, Goodfellow, Hardt, Kim 2018, arXiv:1810.03292, section 3
    (cascading randomisation). They compare values without signs; here both ways.
    """
    query = replace(query, melted=layers)
    model = load(source)
    image = image_of(model, pixels)
    before: Attribution = yield from intact(
        source, pixels.tobytes(), pixels.shape, str(pixels.dtype), replace(query, melted=0)
    )
    after = before
    if layers:
        after = yield from explained(model, image, query)
    first, second, counted = summed(before.values), summed(after.values), support_of(pixels)
    sizes = not query.about.relative  # where 0 says nothing, no more does the distance from it
    return Melted(
        attribution=after,
        correlation=rank_correlation(first, second, counted),
        absolute=rank_correlation(abs(first), abs(second), counted) if sizes else math.nan,
        support=int(counted.sum()),
        layers=weighted_layers(model.network)[::-1],
    )


@remembered(KEPT)
def intact(
    source: Source, content: bytes, shape: tuple[int, ...], kind: str, query: Query
) -> Generator[Any, None, Attribution]:
    """Explain the answer of the network as it is: once for all steps of the slider."""
    model = load(source)
    pixels = np.frombuffer(content, kind).reshape(shape)
    return (yield from explained(model, image_of(model, pixels), query))
