"""What a network is given of a picture: cut, scaled and, where it has one channel, grey.

Each network sees a picture as it saw those it learnt from. This module needs no torch: the server
shows what the network sees beside what was uploaded.
"""

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from core.shared import datasets, digits, pictures

__all__ = ["as_picture", "fit", "geometry"]

KEPT = 0.875  # of the shorter side, as ImageNet's networks are evaluated: 224 of 256 pixels
PHOTOGRAPH = 96  # pixels: the smallest side at which pictures in colour are taken for photographs
LARGEST = 1024  # pixels
WIDEST = 8  # times its shorter side; what lies further out is never in the middle square
BRIGHT = 0.5  # a border above it is paper


def fit(
    picture: UInt8[np.ndarray, "h w 3"], shape: tuple[int, int, int], data: str
) -> Float[np.ndarray, "{shape[0]} {shape[1]} {shape[2]}"]:
    """Bring a picture into the form of those that a network has learnt from.

    A photograph of three channels loses its rim: its shorter side is scaled to the network's by
    0.875, bicubic and antialiased, and the middle square is cut out; one that has the network's
    size already is taken as it is. A digit becomes MNIST's: ink
    is 1, paper 0, centred by mass; all zeros where nothing is drawn. What is 28×28 pixels and light
    on black is one of MNIST's, and taken as it is. Clothing becomes Fashion-MNIST's: light on
    black. Everything else is the middle square, as in a visitor's zip.

    Args:
        picture: as `core.shared.pictures.read` gives it.
        shape: channels, 1 or 3, then height and width, which are the same.
        data: what the network has learnt from, as `core.shared.datasets.about` takes it; any other
            name is of photographs.

    Returns: values from 0 (black, and MNIST's paper) to 1, not normalised further.
    Raises: ValueError when the picture is empty or the shape is none of these.

    Source: He, Zhang, Ren, Sun 2016, arXiv:1512.03385, section 3.4 (crops of 224 from 256); LeCun
    et al. 1998, section III.A; Xiao, Rasul, Vollgraf 2017, arXiv:1708.07747, section 2.
    """
    channels, side = shape[0], shape[1]
    if channels not in (1, 3) or shape[1] != shape[2] or not 1 <= side <= LARGEST:
        raise ValueError(
            f"shape must be 1 or 3 channels, then twice a side from 1 to {LARGEST}, got {shape}"
        )
    if data in ("mnist", "fashion") and shape != datasets.about(data).shape:
        raise ValueError(f"shape must be {datasets.about(data).shape} for {data}, got {shape}")
    if not picture.size:
        raise ValueError(f"picture must have a pixel, got the shape {picture.shape}")
    if data == "mnist":
        return _digit(picture)
    if data == "fashion":
        return _clothing(picture)
    own = data.startswith(datasets.OWN)
    if channels == len("RGB") and side >= PHOTOGRAPH and not own:
        return _channels(_photograph(Image.fromarray(picture), side))
    square = Image.fromarray(pictures.middle(Image.fromarray(picture), side))
    return _channels(square if channels == len("RGB") else square.convert("L"))


def as_picture(image: Float[np.ndarray, "c h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """Make an image of a data set, of one channel or three, from 0 to 1, a picture for `fit`."""
    values = np.broadcast_to(image, (3, *image.shape[1:])).transpose(1, 2, 0)
    return np.ascontiguousarray((255 * values).round().astype(np.uint8))


def geometry(
    height: int, width: int, side: int
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Tell what `fit` does to a photograph, each row first.

    Returns: the corner and the size of the part that is taken, to which size that is scaled, and
        the corner of the square in it.
    """
    shorter, scaled = min(height, width), round(side / KEPT)
    if height == width == side:
        return (0, 0), (side, side), (side, side), (0, 0)
    # The middle of a very long picture: scaled whole it would take memory for nothing.
    corner = max(0, height - WIDEST * shorter) // 2, max(0, width - WIDEST * shorter) // 2
    part = min(height, WIDEST * shorter), min(width, WIDEST * shorter)
    size = scaled * part[0] // shorter, scaled * part[1] // shorter
    return corner, part, size, (round((size[0] - side) / 2), round((size[1] - side) / 2))


def _photograph(picture: Image.Image, side: int) -> Image.Image:
    """Scale the shorter side and cut the middle, as torchvision's Resize and CenterCrop do."""
    (top, left), part, size, (y, x) = geometry(picture.height, picture.width, side)
    picture = picture.crop((left, top, left + part[1], top + part[0]))
    resized = picture.resize((size[1], size[0]), Image.Resampling.BICUBIC)
    return resized.crop((x, y, x + side, y + side))


def _digit(picture: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, "1 28 28"]:
    """Take the border for paper, and what differs from it, darker or lighter, for ink."""
    grey = _grey(picture)
    paper = _border(grey)
    if grey.shape == (28, 28) and paper <= BRIGHT:  # one of MNIST's, saved as it is
        return np.ascontiguousarray(grey[None])
    difference = (paper - grey) / paper if paper > BRIGHT else (grey - paper) / (1 - paper)
    digit = digits.centre_by_mass(difference.clip(0, 1))
    return np.zeros((1, 28, 28), dtype=np.float32) if digit is None else digit[None]


def _clothing(picture: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, "1 28 28"]:
    """Show it light on black."""
    grey = Image.fromarray(picture).convert("L")
    if _border(_grey(picture)) > BRIGHT:
        grey = grey.point(range(255, -1, -1))
    return _channels(Image.fromarray(pictures.middle(grey, 28)).convert("L"))


def _grey(picture: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w"]:
    """Weigh the colours by how bright they look (ITU-R BT.601), from 0 to 1."""
    return np.asarray(Image.fromarray(picture).convert("L")).astype(np.float32) / 255


def _border(grey: Float[np.ndarray, "h w"]) -> float:
    """Give the median of the outermost pixels."""
    return float(np.median(np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])))


def _channels(picture: Image.Image) -> Float[np.ndarray, "c h w"]:
    values = np.asarray(picture).astype(np.float32) / 255
    return np.ascontiguousarray(np.atleast_3d(values).transpose(2, 0, 1))
