"""A picture, smoothed by a Gaussian."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

__all__ = ["blurred"]

REACH = 3  # standard deviations at which a Gaussian is cut off


def blurred(picture: Float[Tensor, "1 c h w"], deviation: float) -> Float[Tensor, "1 c h w"]:
    """Smooth along both axes; what lies outside is as the border.

    Args:
        picture: stays as it is.
        deviation: of the Gaussian (σ), in pixels.
    """
    reach = max(1, round(REACH * deviation))
    away = torch.arange(-reach, reach + 1, device=picture.device, dtype=picture.dtype)
    weights = torch.exp(-(away**2) / (2 * deviation**2))
    weights = (weights / weights.sum()).view(1, 1, 1, -1)
    planes = F.pad(picture.transpose(0, 1), (reach,) * 4, mode="replicate")
    smooth = F.conv2d(F.conv2d(planes, weights), weights.transpose(2, 3))
    return smooth.transpose(0, 1)
