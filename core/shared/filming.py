"""A film to take away, as a GIF. This module needs no torch: the server draws it."""

import io
from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

__all__ = ["film", "frame", "painted", "size_of"]

LINE, GAP = 22, 8  # pixels
LONG, SHORT = 1500, 200  # milliseconds: a frame that is dwelt on, every other


def painted(levels: UInt8[np.ndarray, "c h w"], *, ink: bool = False) -> UInt8[np.ndarray, "h w 3"]:
    """Bring a picture of one channel or three into the form of an image.

    Args:
        levels: black is 0 and white 255.
        ink: 255 is black, as MNIST's ink is, and not white.
    """
    shown = np.broadcast_to(255 - levels if ink else levels, (3, *levels.shape[1:]))
    return np.ascontiguousarray(shown.transpose(1, 2, 0))


def size_of(picture: UInt8[np.ndarray, "c h w"], side: int) -> tuple[int, int]:
    """Give the width and the height of a picture each of whose pixels is a square of several.

    Args:
        picture: that is shown.
        side: pixels of its longer side then, about; it is never made smaller.
    """
    scale = max(1, side // max(picture.shape[1:]))
    return picture.shape[2] * scale, picture.shape[1] * scale


def frame(
    pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]],
    size: tuple[int, int],
    words: Sequence[str] = (),
) -> Image.Image:
    """Put pictures side by side.

    Args:
        pictures: one or more; each is made as large as `size`.
        size: width and height, in pixels.
        words: what stands above each, from its left edge on; none leaves no room for any.
    """
    width, height = size
    line = LINE if words else 0
    whole = Image.new("RGB", (len(pictures) * (width + GAP) - GAP, height + line), "white")
    for place, pixels in enumerate(pictures):
        picture = Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST)
        whole.paste(picture, (place * (width + GAP), line))
    for place, text in enumerate(words):
        at = place * (width + GAP) + 2, 2
        ImageDraw.Draw(whole).text(at, text, "black", ImageFont.load_default(14))
    return whole.quantize(128)


def film(frames: Sequence[Image.Image], long: Sequence[bool]) -> bytes:
    """Make a GIF that begins again at its end.

    Args:
        frames: all of one size.
        long: of each, whether it is dwelt on.
    """
    file = io.BytesIO()
    durations = [LONG if each else SHORT for each in long]
    frames[0].save(
        file,
        "GIF",
        save_all=True,
        append_images=list(frames[1:]),
        duration=durations,
        loop=0,
    )
    return file.getvalue()
