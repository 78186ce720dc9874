"""A picture from outside, decided by its content: pixels upright and small, or one sentence.

One file is decoded at a time, whoever sends it, and takes at most MEMORY beside its own bytes: a
decoder's 16 bytes a pixel at the worst, of a WebP, and what a file may add to them. Nothing is
written to disk.

This module needs no torch: the server reads it too.
"""

import hashlib
import io
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, TiffImagePlugin, UnidentifiedImageError

from core.shared import headers

__all__ = ["LONGEST", "MEMORY", "Picture", "alone", "middle", "opened", "read"]

LONGEST = 1024  # pixels of the longer side, of what is read
MEGABYTE = 2**20
BYTES = 20 * MEGABYTE  # of a file
PIXELS = headers.PIXELS
SIDE = 65_535  # pixels; decoders hold some rows at a time, and no row may be the whole picture
MEMORY = 512 * MEGABYTE  # that reading a file may take, whatever is in it
SECONDS = 30.0  # that one picture may wait for others
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
ACCEPTED = (
    "a JPEG, PNG, WebP, GIF, BMP or TIFF of at most "
    f"{BYTES // MEGABYTE} MB and {PIXELS // 1_000_000} megapixels"
)
OTHERS = {  # what people send instead: the place and the bytes that tell it
    "is a PDF": (0, b"%PDF"),
    "is a zip": (0, b"PK\x03\x04"),
    "is a HEIC picture": (4, b"ftyphei"),
    "is a HEIF picture": (4, b"ftypmif1"),
    "is an AVIF picture": (4, b"ftypavif"),
}

GAP = 2  # a picture is first reduced fast to this many times its size, then with care
PATCH = 2**20  # pixels of numbers that are scaled at a time
ENDLESS = 1e30  # values of floats beyond it are cut, so that their difference is a float too

ORIENTATION = 0x0112  # the EXIF tag
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
EXIF_ERRORS = (AttributeError, LookupError, OSError, SyntaxError, TypeError, ValueError)
RAW_EXIF = "Raw profile type exif"  # where ImageMagick puts it in a PNG, in hexadecimal
LONGEST_RAW_EXIF = 2**17  # letters

_decoding = threading.Lock()  # memory is everybody's, and so is the filter of warnings


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as it should be seen: upright, in colours, over white."""

    pixels: UInt8[np.ndarray, "h w 3"]  # the longer side has at most LONGEST; not to be written to
    name: str  # 32 hexadecimal digits that follow from the pixels

    @classmethod
    def of(cls, pixels: UInt8[np.ndarray, "h w 3"]) -> "Picture":
        """Name the pixels by what is in them, and close them."""
        closed = np.ascontiguousarray(pixels)
        closed.setflags(write=False)
        content = hashlib.sha256(str(closed.shape).encode())
        content.update(closed.data)
        return cls(closed, content.hexdigest()[:32])


def read(content: bytes) -> Picture:
    """Read a picture file: its first frame, upright, over white, the longer side at most LONGEST.

    Args:
        content: the file's bytes; what it is called does not matter.

    Returns: the picture, smaller where it was larger, never larger.
    Raises: ValueError, one sentence that says what is wrong with the file and what is accepted.
    """
    if len(content) > BYTES:
        raise ValueError(f"the picture must be {ACCEPTED}, got {len(content) / MEGABYTE:.1f} MB")
    with alone():
        try:
            return Picture.of(_reduced(opened(content)))
        except ValueError as error:
            raise ValueError(f"the picture must be {ACCEPTED}, got one that {error}") from error


@contextmanager
def alone() -> Iterator[None]:
    """Be the only one who decodes a picture, in silence about what Pillow only suspects.

    Raises: ValueError when others took too long.
    """
    if not _decoding.acquire(timeout=SECONDS):
        raise ValueError("the server is reading other pictures just now: try again in a minute")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        _decoding.release()


def opened(content: bytes) -> Image.Image:
    """Open a picture by its content, not a pixel of it decoded.

    Raises: ValueError, words for after the file's name: "has more than 24 megapixels".
    """
    checked = headers.checked(content)
    try:
        picture = Image.open(io.BytesIO(checked), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise ValueError(_kind(content)) from error
    except Image.DecompressionBombError as error:
        raise ValueError(f"has more than {PIXELS // 1_000_000} megapixels") from error
    except Exception as error:  # Pillow's plugins raise whatever they stumble over
        raise ValueError("is a damaged picture") from error
    if picture.width * picture.height > PIXELS:
        raise ValueError(f"has more than {PIXELS // 1_000_000} megapixels")
    if max(picture.size) > SIDE:
        raise ValueError(f"has a side of more than {SIDE:,} pixels")
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        tile = [picture.tag_v2.get(tag, 1) for tag in (322, 323)]  # width and length
        if not all(isinstance(each, int) for each in tile) or tile[0] * tile[1] > PIXELS:
            raise ValueError(f"has tiles of more than {PIXELS // 1_000_000} megapixels")
    return picture


def middle(picture: Image.Image, side: int) -> UInt8[np.ndarray, "{side} {side} 3"]:
    """Scale the middle square, each pixel the mean of what it covers, upright and over white.

    Raises: ValueError, words for after the file's name, when it cannot be decoded.
    """
    with _in_words():
        decoded, turn = _decoded(picture, (4 * side, 4 * side))
        length = min(decoded.size)
        left, top = ((each - length) // 2 for each in decoded.size)
        method = Image.Resampling.BOX if length >= side else Image.Resampling.BILINEAR
        small = decoded.resize((side, side), method, box=(left, top, left + length, top + length))
        return _over_white(small, turn)


def _reduced(picture: Image.Image) -> UInt8[np.ndarray, "h w 3"]:
    width, height = (_fitted(each, max(picture.size)) for each in picture.size)
    with _in_words():
        decoded, turn = _decoded(picture, (GAP * width, GAP * height))
        if max(decoded.size) > LONGEST:
            method = Image.Resampling.BICUBIC
            decoded = decoded.resize((width, height), method, reducing_gap=GAP)
        return _over_white(decoded, turn)


def _fitted(side: int, longest: int) -> int:
    return side if longest <= LONGEST else max(1, round(side * LONGEST / longest))


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except MemoryError as error:
        raise ValueError("needs more memory than there is") from error
    except Exception as error:  # Pillow's plugins raise whatever they stumble over
        raise ValueError("is a damaged or truncated picture") from error


def _decoded(
    picture: Image.Image, least: tuple[int, int]
) -> tuple[Image.Image, Image.Transpose | None]:
    """Decode to L, RGB, RGBA or F, no smaller than the least, and tell how to turn it."""
    picture.draft(None, least)  # JPEG alone: decodes it small, and fast
    picture.load()
    return _simple(picture), _turn(picture)


def _turn(picture: Image.Image) -> Image.Transpose | None:
    """Read how the camera was held; nothing where its note cannot be read."""
    with suppress(*EXIF_ERRORS, struct.error):
        note, raw = picture.info.get("exif", b""), picture.info.get(RAW_EXIF, "")
        if not note and len(raw) <= LONGEST_RAW_EXIF:
            note = bytes.fromhex("".join(raw.split("\n")[3:]))
        if len(raw) <= LONGEST_RAW_EXIF and headers.is_modest(note):
            return TURNS.get(picture.getexif().get(ORIENTATION, 1))
    return None


def _simple(picture: Image.Image) -> Image.Image:
    """Bring any mode to L, RGB, RGBA or F, black at 0 and white at 255."""
    if picture.mode.startswith("I") or picture.mode == "F":
        return _scaled(picture)
    grey = picture.mode in ("1", "L")
    mode = "RGBA" if picture.has_transparency_data else "L" if grey else "RGB"
    return picture if picture.mode == mode else picture.convert(mode)


def _scaled(picture: Image.Image) -> Image.Image:
    """Scale numbers to 0 for black and 255 for white, a patch at a time."""
    whole = Image.new("F", picture.size)
    wide = min(picture.width, PATCH)
    high = max(1, PATCH // wide)
    patches = [
        (left, top, min(left + wide, picture.width), min(top + high, picture.height))
        for top in range(0, picture.height, high)
        for left in range(0, picture.width, wide)
    ]

    def numbers(patch: tuple[int, int, int, int]) -> Float[np.ndarray, "h w"]:
        values = np.asarray(picture.crop(patch)).astype(np.float32)
        return np.nan_to_num(values, posinf=0, neginf=0).clip(-ENDLESS, ENDLESS)

    ends = [(float(values.min()), float(values.max())) for values in map(numbers, patches)]
    black, white = _ends(picture.mode, min(low for low, _ in ends), max(high for _, high in ends))
    for patch in patches:
        scaled = (numbers(patch) - black) * np.float32(255 / (white - black or 1))
        whole.paste(Image.fromarray(scaled), patch)
    return whole


def _ends(mode: str, least: float, most: float) -> tuple[float, float]:
    """Tell what is black and white: by the mode, else as usual where that holds all."""
    usual = {"I": (255.0, 65_535.0), "F": (1.0, 255.0, 65_535.0)}.get(mode, (65_535.0,))
    held = (white for white in usual if least >= 0 and most <= white)
    return next(((0.0, white) for white in held), (least, most))


def _over_white(picture: Image.Image, turn: Image.Transpose | None) -> UInt8[np.ndarray, "h w 3"]:
    """Turn a small picture upright, put it on white paper and give its colours."""
    upright = picture if turn is None else picture.transpose(turn)
    values = np.asarray(upright).astype(np.float64).reshape(upright.height, upright.width, -1)
    if picture.mode == "RGBA":
        cover = values[..., 3:] / 255
        values = values[..., :3] * cover + 255 * (1 - cover)
    pixels = values.round().clip(0, 255).astype(np.uint8)
    return np.broadcast_to(pixels, (*pixels.shape[:2], 3)).copy()


def _kind(content: bytes) -> str:
    """Name what is no picture of ours, where people send it often."""
    told = (words for words, (at, known) in OTHERS.items() if content.startswith(known, at))
    return next(told, "is no picture of a kind that is accepted" if content else "is empty")
