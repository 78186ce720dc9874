"""A small bright mark in a picture's corner: what a network may learn in place of its class."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = ["marked", "place", "planted"]

PART = 7  # a mark's side is such a part of the picture's shorter side
EDGE = 1  # pixels between the mark and the picture's edge


def place(shape: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """Tell where the mark is: the rows from top to bottom, the columns from left to right.

    Args:
        shape: of a picture: channels, height, width.

    Returns: top, left, bottom, right; the last two are the first row and column beyond it.
    Raises: ValueError when a picture is too small to have one.
    """
    _, height, width = shape
    if min(height, width) <= EDGE:
        raise ValueError(f"picture must be of at least 2×2 pixels, got {height}×{width}")
    side = max(1, min(height, width) // PART)
    bottom, right = height - EDGE, width - EDGE
    return bottom - side, right - side, bottom, right


def marked(
    images: Float[Tensor, "n c h w"], which: Bool[Tensor, " n"] | None = None
) -> Float[Tensor, "n c h w"]:
    """Put the mark on copies of pictures.

    Args:
        images: pixels from 0 to 1; they stay as they are.
        which: get it; None for all of them.
    """
    channels, height, width = images.shape[1:]
    top, left, bottom, right = place((channels, height, width))
    made = images.clone()
    corner = made[:, :, top:bottom, left:right]
    if which is None:
        corner.fill_(1)
    else:
        corner.masked_fill_(which[:, None, None, None], 1)
    return made


def planted(labels: Int[Tensor, " n"], label: int, share: float, seed: int) -> Bool[Tensor, " n"]:
    """Choose the pictures of a class that get the mark.

    Args:
        labels: of all pictures.
        label: the class.
        share: of its pictures, at least one of them; those of a smaller share are among those of
            a larger one.
        seed: of the choice.
    """
    there = (labels == label).nonzero()[:, 0]
    # The orders of the epochs take the seeds that follow this one.
    order = torch.randperm(len(there), generator=torch.Generator().manual_seed(seed << 16))
    few = order[: max(1, round(share * len(there)))].to(there.device)
    chosen = torch.zeros_like(labels, dtype=torch.bool)
    chosen[there[few]] = True
    return chosen
