"""Digits to try things on."""

import numpy as np
import torch
from jaxtyping import Float

from core.shared import data

__all__ = ["digit"]


def digit(index: int) -> tuple[Float[np.ndarray, "1 28 28"], int]:
    """Give a test image of MNIST and its label."""
    test = data.dataset("mnist", torch.device("cpu")).test
    return test.images[index].numpy(), int(test.labels[index])
