"""How many images a network is asked about at a time."""

from jaxtyping import Float
from torch import Tensor

__all__ = ["portion"]

IMAGES, VALUES = 128, 2**22  # that pass together, at most: digits whose maps stay in a CPU's cache


def portion(like: Float[Tensor, "n c h w"]) -> int:
    """Choose how many images of this shape pass through a network together."""
    return max(1, min(IMAGES, VALUES // max(1, like[:1].numel())))
