"""What a network of photographs is given of one, with a gradient back to the photograph's pixels.

It is `core.shared.seeing.fit` in torch, without the rounding in between, so that an attack may
reach through the resize; what counts in the end is read through `fit` itself.
"""

from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from core.shared.seeing import as_picture, fit, geometry

__all__ = ["exactly", "resize"]


def resize(
    images: Float[Tensor, "n 3 h w"], shape: tuple[int, int, int]
) -> Float[Tensor, "n 3 H W"]:
    """Scale photographs and cut their middle out, as a network's own pictures were.

    Args:
        images: of any size, from 0 to 1.
        shape: of the network's pictures.
    """
    (top, left), (high, wide), size, (y, x) = geometry(images.shape[2], images.shape[3], shape[1])
    down, first_row = _weights(high, size[0], y, shape[1])
    along, first = _weights(wide, size[1], x, shape[2])
    rows = slice(top + first_row, top + first_row + down.shape[1])
    part = images[:, :, rows, left + first : left + first + along.shape[1]]
    # First along the rows and then along the columns, cut in between, as Pillow does.
    part = (part @ along.to(images).T).clamp(0, 1)
    return (down.to(images) @ part).clamp(0, 1)


@lru_cache(64)
def _weights(pixels: int, scaled: int, first: int, count: int) -> tuple[Float[Tensor, "m k"], int]:
    """Give by which weights some values of a scaled line are sums of its pixels, and the first one.

    Only the pixels that any of these values sees are here. As a product both ways are quicker than
    torch's own scaling, whose way back takes four times as long.
    """
    line = torch.eye(pixels)[None, None]  # one row for each pixel, which alone is 1
    scaling = F.interpolate(line, (pixels, scaled), mode="bicubic", antialias=True)[0, 0].T
    needed = scaling[first : first + count]
    seen = (needed != 0).any(0).nonzero()[:, 0]
    start, end = int(seen[0]), int(seen[-1]) + 1
    return needed[:, start:end].contiguous(), start


def exactly(
    images: Float[Tensor, "n 3 h w"], shape: tuple[int, int, int]
) -> Float[Tensor, "n 3 H W"]:
    """Bring photographs of whole 255ths into the network's form as `fit` does, with no gradient."""
    fitted = [fit(as_picture(each), shape, "") for each in images.detach().cpu().numpy()]
    return torch.from_numpy(np.stack(fitted)).to(images.device)
