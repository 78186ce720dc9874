"""The film of a dream, to take away.

This module needs no torch: the server draws it.
"""

import numpy as np

from core.feature_maps import Dream
from core.shared import filming

__all__ = ["film"]

SIDE = 256  # pixels of a frame's longer side, about


def film(dream: Dream, *, ink: bool = False) -> bytes:
    """Draw the frames of a dream as a GIF, and where it has come to as the last.

    Args:
        dream: what grew so far.
        ink: 1 is black, as MNIST's ink is, and not white.
    """
    now = (255 * dream.picture).round().astype(np.uint8)
    size = filming.size_of(now, SIDE)
    shown = [*(frame.picture for frame in dream.film), now]
    frames = [filming.frame([filming.painted(levels, ink=ink)], size) for levels in shown]
    return filming.film(frames, [False] * (len(frames) - 1) + [True])
