"""The film of a dream, to take away.

This module needs no torch: the server draws it.
"""

import io

import numpy as np
from PIL import Image

from core.feature_maps import Dream

__all__ = ["film"]

SIDE = 256  # pixels of a frame's longer side, about
LONG, SHORT = 1500, 200  # milliseconds: the last frame, every other


def film(dream: Dream, *, ink: bool = False) -> bytes:
    """Draw the frames of a dream as a GIF, and where it has come to as the last.

    Args:
        dream: what grew so far.
        ink: 1 is black, as MNIST's ink is, and not white.
    """
    now = (255 * dream.picture).round().astype(np.uint8)
    scale = max(1, SIDE // max(now.shape[1:]))
    size = now.shape[2] * scale, now.shape[1] * scale
    frames = []
    for levels in (*(frame.picture for frame in dream.film), now):
        shown = np.broadcast_to(255 - levels if ink else levels, (3, *levels.shape[1:]))
        picture = Image.fromarray(np.ascontiguousarray(shown.transpose(1, 2, 0)))
        frames.append(picture.resize(size, Image.Resampling.NEAREST).quantize(128))
    file = io.BytesIO()
    durations = [SHORT] * (len(frames) - 1) + [LONG]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0)
    return file.getvalue()
