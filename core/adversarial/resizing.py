"""What a network of photographs is given of one, with a gradient back to the photograph's pixels.

It is `core.shared.seeing.fit` in torch, without the rounding in between, so that an attack may
reach through the resize; what counts in the end is read through `fit` itself.
"""

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
    part = images[:, :, top : top + high, left : left + wide]
    # First along the rows and then along the columns, cut in between, as Pillow does.
    for step in ((high, size[1]), size):
        part = F.interpolate(part, step, mode="bicubic", antialias=True).clamp(0, 1)
    return part[:, :, y : y + shape[1], x : x + shape[2]]


def exactly(
    images: Float[Tensor, "n 3 h w"], shape: tuple[int, int, int]
) -> Float[Tensor, "n 3 H W"]:
    """Bring photographs of whole 255ths into the network's form as `fit` does, with no gradient."""
    fitted = [fit(as_picture(each), shape, "") for each in images.detach().cpu().numpy()]
    return torch.from_numpy(np.stack(fitted)).to(images.device)
