"""The order in which a map puts the pixels, and how far two maps agree about it."""

import math

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from core.saliency.methods import SIZE

__all__ = ["precedence", "rank_correlation", "ranks", "summed", "support_of"]


def summed(values: Float[np.ndarray, "d h w"]) -> Float[np.ndarray, "h w"]:
    """Give one number for each pixel: the sum over its colours, with their signs."""
    total: Float[np.ndarray, "h w"] = values.sum(0, dtype=np.float64)
    return total


def precedence(values: Float[np.ndarray, "d h w"], order: str) -> Float[np.ndarray, "h w"]:
    """Give what puts the pixels of a map in order, the largest first.

    Args:
        values: of each colour, or one for all of them.
        order: one of ORDERS. By "value" it is the sum over the colours, with their signs. By "size"
            it is the sum of their absolute values: the score can be moved by each colour alone, and
            a slope up in one does not undo a slope down in another.

    Source: absolute values of gradients, Smilkov, Thorat, Kim, Viégas, Wattenberg 2017,
    arXiv:1706.03825, section 3.1; there as pictures to look at, and with the sign of digits, which
    are always white on black.
    """
    return summed(abs(values) if order == SIZE else values)


def support_of(pixels: Float[np.ndarray, "c h w"]) -> Bool[np.ndarray, "h w"]:
    """Tell which pixels have something on them.

    Of a picture of one channel these are all that are not black, which is its paper; many maps are
    0 on the paper whatever the network is, and so would agree there. Of a photograph it is all.

    Source: Adebayo et al. 2018, arXiv:1810.03292, section 4 (the input in the map itself).
    """
    return pixels[0] > 0 if len(pixels) == 1 else np.ones(pixels.shape[1:], bool)


def ranks(
    values: Float[np.ndarray, "h w"], source: torch.Generator
) -> Int[Tensor, " {values.size}"]:
    """Put the pixels in order, from the largest value to the least.

    Args:
        values: of each pixel.
        source: draws the order of those with the same value; all orders are alike likely.

    Returns: places of pixels, counted row by row, each once.
    Raises: ValueError when a value is no finite number.
    """
    if not np.isfinite(values).all():
        raise ValueError("values must be finite for an order of pixels, got some that are not")
    shuffled = torch.randperm(values.size, generator=source)
    of_shuffled = torch.from_numpy(values.ravel())[shuffled]
    return shuffled[of_shuffled.argsort(descending=True, stable=True)]


def rank_correlation(
    first: Float[np.ndarray, "h w"],
    second: Float[np.ndarray, "h w"],
    support: Bool[np.ndarray, "h w"],
) -> float:
    """Correlate the ranks of two maps, as Spearman does; equal values share their mean rank.

    Args:
        first: a value for each pixel.
        second: likewise.
        support: the pixels that count.

    Returns: from −1 to 1; NaN where a map is constant there, or not finite.

    Source: Spearman 1904; as a check of maps, Adebayo et al. 2018, arXiv:1810.03292, section 4.
    """
    pair = [each[support].astype(np.float64) for each in (first, second)]
    if not all(each.size and np.isfinite(each).all() for each in pair):
        return math.nan
    one, other = (_mean_ranks(each) for each in pair)
    one, other = one - one.mean(), other - other.mean()
    length = math.sqrt(float(one @ one) * float(other @ other))
    return max(-1.0, min(1.0, float(one @ other) / length)) if length else math.nan


def _mean_ranks(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = counts.cumsum()  # the rank of the last that has this value, from 1 on
    mean: Float[np.ndarray, " n"] = (last - (counts - 1) / 2)[place]
    return mean
