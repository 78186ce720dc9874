"""The film of a picture that changes; this module needs no torch."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

__all__ = ["Frame"]


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture on its way up, as it was after a step."""

    step: int
    value: float  # what is to grow
    picture: UInt8[np.ndarray, "c h w"]  # at most 64 pixels a side, black to white is 255
