"""How many values of a layer stand for an image in its space.

This module needs no torch: the server that writes the code reads it too.
"""

import math

__all__ = ["LARGEST", "coarser"]

LARGEST = 4096  # values of an image


def coarser(shape: tuple[int, ...]) -> tuple[int, int]:
    """Choose the grid on which maps c×h×w have at most LARGEST values, or one each."""
    channels, height, width = shape
    if math.prod(shape) <= LARGEST:
        return height, width
    side = max(1, math.isqrt(LARGEST // channels))
    return min(height, side), min(width, side)
