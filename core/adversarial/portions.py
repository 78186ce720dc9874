"""How many images a network is asked about at a time. Needs no torch."""

import math
from collections.abc import Sequence

__all__ = ["VALUES", "portion"]

IMAGES, VALUES = 128, 2**22  # that pass together, at most: digits whose maps stay in a CPU's cache


def portion(shape: Sequence[int]) -> int:
    """Choose how many images of this shape c×h×w pass through a network together."""
    return max(1, min(IMAGES, VALUES // max(1, math.prod(shape))))
