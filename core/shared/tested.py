"""The data that a network learned from, and its test images as a picture file has them."""

from jaxtyping import Float, Int
from torch import Tensor

from core.shared import data
from core.shared.data import Dataset
from core.shared.loading import Model
from core.shared.models import about

__all__ = ["LEVELS", "known", "tested"]

LEVELS = 255


def known(model: Model) -> Dataset:
    """Give the data that a network learned from, on its device.

    Raises: ValueError when they are not here.
    """
    if not model.data:
        title = about(model.source).title
        raise ValueError(f"network must be one whose data are here, got {title}")
    return data.dataset(model.data, next(model.network.parameters()).device)


def tested(model: Model) -> tuple[Float[Tensor, "n c h w"], Int[Tensor, " n"]]:
    """Give the test images of the data that a network learned from, in whole 255ths, and labels.

    Raises: ValueError when they are not here, or of another shape.
    """
    test = known(model).test
    if test.images.shape[1:] != model.shape:
        shape = tuple(test.images.shape[1:])
        raise ValueError(f"network must take pictures of {shape}, got {model.shape}")
    return (test.images * LEVELS).round() / LEVELS, test.labels
