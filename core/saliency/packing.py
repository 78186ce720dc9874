"""A picture as a short text, so that it can stand in the config of long work; needs no torch."""

import base64
import binascii
import re
import zlib

import numpy as np
from jaxtyping import Float, UInt8

__all__ = ["MOST", "in_levels", "packed", "unpacked"]

MOST = 200 * 2**10  # letters: a photograph of noise, 3×224×224, is just below it
LEVELS = 255
SIDE = 1024  # pixels
HEAD = re.compile(r"([13])x([1-9]\d{0,3})x([1-9]\d{0,3})", re.ASCII)


def packed(pixels: Float[np.ndarray, "c h w"]) -> str:
    """Write a picture down in 8 bits.

    Args:
        pixels: from 0 to 1, of one channel or three; rounded to 255ths.

    Returns: the shape, "1x28x28:", and behind it the compressed pixels in base64.
    Raises: ValueError when a pixel is outside [0, 1], or the text would be longer than MOST.
    """
    if not ((pixels >= 0) & (pixels <= 1)).all():  # also refuses NaN
        raise ValueError(
            f"picture must be from 0 to 1, got {float(pixels.min()):g} to {float(pixels.max()):g}"
        )
    content = base64.b64encode(zlib.compress(in_levels(pixels).tobytes(), 9)).decode("ascii")
    text = f"{'x'.join(map(str, pixels.shape))}:{content}"
    _ = unpacked(text)
    return text


def in_levels(pixels: Float[np.ndarray, "c h w"]) -> UInt8[np.ndarray, "c h w"]:
    """Give a picture's 255ths: two that are packed alike have the same."""
    levels: np.ndarray = (LEVELS * pixels.astype(np.float64)).round().astype(np.uint8)
    return levels


def unpacked(text: str) -> Float[np.ndarray, "c h w"]:
    """Read a picture again, in 255ths from 0 to 1.

    Raises: ValueError when it is none.
    """
    if len(text) > MOST:
        raise ValueError(f"picture must be of {MOST:,} letters at most, got {len(text):,}")
    head, _, content = text.partition(":")
    shape = HEAD.fullmatch(head)
    if shape is None:
        raise ValueError(f"picture must begin with its shape, 1x28x28:, got {text[:20]!r}")
    channels, height, width = map(int, shape.groups())
    if max(height, width) > SIDE:
        raise ValueError(f"picture must have sides of {SIDE:,} pixels at most, got {head}")
    size = channels * height * width
    inflating = zlib.decompressobj()
    try:  # no more than is announced: a few letters can be blown up to any size
        levels = inflating.decompress(base64.b64decode(content, validate=True), size + 1)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise ValueError(f"picture must be compressed pixels, got {content[:20]!r}") from error
    if len(levels) != size or not inflating.eof or inflating.unused_data:
        raise ValueError(f"picture must have {size:,} values, got more or fewer")
    values = np.frombuffer(levels, np.uint8).reshape(channels, height, width)
    return values.astype(np.float32) / np.float32(LEVELS)
