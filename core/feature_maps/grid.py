"""How much of an image goes into a space, and how many images pass together.

This module needs no torch: the server that writes the code reads it too.
"""

import math

__all__ = ["AT_ONCE", "LARGEST", "coarser"]

LARGEST = 4096  # values of an image
# Pixels of the images that pass together: 127 digits, whose maps stay in a CPU's cache, or a
# photograph; on a GPU twenty times as many. The last bits of what comes out depend on it.
AT_ONCE = {"cpu": 100_000, "mps": 2_000_000, "cuda": 2_000_000}


def coarser(shape: tuple[int, ...]) -> tuple[int, int]:
    """Choose the grid on which maps c×h×w have at most LARGEST values, or one each."""
    channels, height, width = shape
    if math.prod(shape) <= LARGEST:
        return height, width
    side = max(1, math.isqrt(LARGEST // channels))
    return min(height, side), min(width, side)
