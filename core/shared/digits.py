"""Bring a drawn digit into the form of MNIST's: 28×28, fitted into 20×20, centred by mass."""

import numpy as np
from jaxtyping import Float
from PIL import Image

__all__ = ["centre_by_mass", "fit"]

SIDE, BOX = 28, 20
FAINT = 0.05  # ink below this share of black is none


def centre_by_mass(
    ink: Float[np.ndarray, "h w"],
) -> Float[np.ndarray, "28 28"] | None:
    """Scale the drawn part to fit 20×20, proportions kept, and put its centre of mass at (14, 14).

    Args:
        ink: from 0 (paper) to 1 (ink), of any size.

    Returns: the same digit as MNIST would have it; None where nothing is drawn.
    Raises: ValueError when a value is outside [0, 1] or not a number.

    Source: LeCun, Bottou, Bengio, Haffner 1998, section III.A, "the images were centered in a
    28 by 28 image by computing the center of mass of the pixels".
    """
    _check(ink)
    rows, columns = np.nonzero(ink > FAINT)
    if not len(rows):
        return None
    drawn = ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    scale = BOX / max(drawn.shape)
    height, width = (max(1, round(scale * side)) for side in drawn.shape)
    small = Image.fromarray(drawn.astype(np.float32)).resize((width, height), Image.Resampling.BOX)
    digit = np.clip(np.asarray(small), 0, 1)
    mass = digit.sum()
    row = (digit.sum(1) * np.arange(height)).sum() / mass
    column = (digit.sum(0) * np.arange(width)).sum() / mass
    top = int(np.clip(round(SIDE / 2 - row), 0, SIDE - height))
    left = int(np.clip(round(SIDE / 2 - column), 0, SIDE - width))
    field = np.zeros((SIDE, SIDE), dtype=np.float32)
    field[top : top + height, left : left + width] = digit
    return field


def fit(ink: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "28 28"] | None:
    """Scale a whole drawing to 28×28 and leave it where it is.

    Args:
        ink: from 0 to 1, of any size.

    Returns: the mean of what each pixel covers; None where nothing is drawn.
    Raises: ValueError when a value is outside [0, 1] or not a number.
    """
    _check(ink)
    if not (ink > FAINT).any():
        return None
    small = Image.fromarray(ink.astype(np.float32)).resize((SIDE, SIDE), Image.Resampling.BOX)
    fitted: Float[np.ndarray, "28 28"] = np.clip(np.asarray(small), 0, 1)
    return fitted


def _check(ink: Float[np.ndarray, "h w"]) -> None:
    if not (np.isfinite(ink).all() and ink.min(initial=0) >= 0 and ink.max(initial=0) <= 1):
        raise ValueError("ink must be numbers from 0 to 1")
