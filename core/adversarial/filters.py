"""Filters: what may be done to a picture before a network reads it, pixels in and pixels out.

A filter takes a batch with pixels from 0 to 1 and gives one of the same shape.
"""

import io
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from PIL import Image
from torch import Tensor

__all__ = [
    "Filter",
    "bit_depth",
    "filter_of",
    "gaussian",
    "jpeg",
    "median",
    "resize_and_pad",
    "straight_through",
]

Filter = Callable[[Tensor], Tensor]

REACH = 4  # deviations, beyond which a bell is cut off
LEVELS = 255


def gaussian(images: Float[Tensor, "n c h w"], deviation: float) -> Float[Tensor, "n c h w"]:
    """Take the mean of each pixel's neighbours, weighted by a bell; the rim goes on as it is.

    Args:
        images: from 0 to 1.
        deviation: of the bell (σ), in pixels.
    """
    reach = int(REACH * deviation + 0.5)
    places = torch.arange(-reach, reach + 1, dtype=torch.float64)
    bell = (-places.square() / (2 * deviation**2)).exp()
    bell = (bell / bell.sum()).to(images)
    channels = images.shape[1]
    wide = F.pad(images, (reach,) * 4, mode="replicate")
    row, column = (bell.view(shape).expand(channels, *shape[1:]) for shape in _shapes(reach))
    return F.conv2d(F.conv2d(wide, row, groups=channels), column, groups=channels)


def median(images: Float[Tensor, "n c h w"], side: int) -> Float[Tensor, "n c h w"]:
    """Take the median of each pixel's window; the rim goes on as it is.

    Args:
        images: from 0 to 1.
        side: of the window, in pixels; odd.

    Source: Xu, Evans, Qi 2017, arXiv:1704.01155, section 3.2 (local smoothing).
    """
    wide = F.pad(images, (side // 2,) * 4, mode="replicate")
    windows = wide.unfold(2, side, 1).unfold(3, side, 1).flatten(4)
    middle: Tensor = windows.kthvalue(side**2 // 2 + 1, dim=4).values
    return middle


def jpeg(images: Float[Tensor, "n c h w"], quality: int) -> Float[Tensor, "n c h w"]:
    """Save each image as JPEG and open it again; the gradient is 0.

    Args:
        images: from 0 to 1, of one channel or three; they are rounded to 255ths first.
        quality: as libjpeg has it, 1 to 95.

    Source: Dziugaite, Ghahramani, Roy 2016, arXiv:1608.00853.
    """
    levels = images.detach().mul(LEVELS).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    opened = []
    for level in levels:
        file = io.BytesIO()
        Image.fromarray(level.squeeze(2) if level.shape[2] == 1 else level).save(
            file, "JPEG", quality=quality
        )
        with Image.open(file) as picture:
            bytes_ = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8)
        opened.append(bytes_.view(level.shape).permute(2, 0, 1))
    return torch.stack(opened).to(images) / LEVELS + 0 * images


def bit_depth(images: Float[Tensor, "n c h w"], bits: int) -> Float[Tensor, "n c h w"]:
    """Round each value to so many bits; the gradient is 0.

    Source: Xu, Evans, Qi 2017, arXiv:1704.01155, section 3.1: ⌊x (2ⁱ − 1)⌉ / (2ⁱ − 1).
    """
    most = 2**bits - 1
    rounded: Tensor = (images * most).round() / most
    return rounded


def resize_and_pad(
    images: Float[Tensor, "n c h w"], share: float, source: torch.Generator
) -> Float[Tensor, "n c h w"]:
    """Shrink each image by a size of its own, and lay it anywhere on black.

    Args:
        images: from 0 to 1.
        share: of the shorter side that is lost at most; the size and the place are drawn anew for
            each image, all alike likely.
        source: of the draws, on the CPU, so that all devices draw the same.

    Source: Xie, Wang, Zhang, Ren, Yuille 2017, arXiv:1711.01991, section 3.2. There images are
    enlarged and then padded to a larger side. The networks here take one size, so images are shrunk
    and padded to that; linearly between pixels, where there the nearest one is taken.
    """
    count, _, height, width = images.shape
    most = int(share * min(height, width))
    lost = torch.randint(most + 1, (count,), generator=source)
    rows, columns = (
        _placed(side, lost, (torch.rand(count, generator=source) * (lost + 1)).long()).to(images)
        for side in (height, width)
    )
    laid: Tensor = rows[:, None] @ images @ columns[:, None].transpose(2, 3)
    return laid


def straight_through(filter_: Filter) -> Filter:
    """Give the same filter with the gradient of a filter that does nothing.

    Source: Athalye, Carlini, Wagner 2018, arXiv:1802.00420, section 4.1 (backward pass
    differentiable approximation, with g(x) = x).
    """

    def straight(images: Tensor) -> Tensor:
        return filter_(images.detach()).detach() + (images - images.detach())

    return straight


def filter_of(
    name: str, strength: float, source: torch.Generator, denoise: Filter | None = None
) -> Filter:
    """Give a filter of a strength.

    Args:
        name: one of `defences.FILTERS`.
        strength: one of its strengths.
        source: of what is drawn for each image.
        denoise: the autoencoder that learned by this strength.

    Raises: ValueError when there is no such filter, or no autoencoder for that.
    """
    match name:
        case "gaussian":
            return lambda images: gaussian(images, strength)
        case "median":
            return lambda images: median(images, int(strength))
        case "jpeg":
            return lambda images: jpeg(images, int(strength))
        case "depth":
            return lambda images: bit_depth(images, int(strength))
        case "resize":
            return lambda images: resize_and_pad(images, strength, source)
        case "autoencoder" if denoise is not None:
            return denoise
    raise ValueError(f"filter must be one that is known and learned, got {name!r}")


def _shapes(reach: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Give the shapes of a kernel along a row and along a column."""
    return (1, 1, 1, 2 * reach + 1), (1, 1, 2 * reach + 1, 1)


def _placed(side: int, lost: Tensor, first: Tensor) -> Float[Tensor, "n side side"]:
    """Give matrices that shrink a side by so many pixels and move it; the rest of it is 0.

    Args:
        side: in pixels.
        lost: pixels, for each image.
        first: the place of the first pixel that is left, from 0 to what is lost.
    """
    here = torch.arange(side, dtype=torch.float64)
    left, start = (side - lost).double().view(-1, 1, 1), first.double().view(-1, 1, 1)
    row = here.view(1, -1, 1) - start
    from_ = (row + 0.5) * (side / left) - 0.5  # between which pixels of the image it lies
    near = (1 - (from_ - here).abs()).clamp(min=0)
    return near * ((row >= 0) & (row < left))
