"""One row of a network's table, in words and numbers; needs no torch."""

from dataclasses import dataclass

__all__ = ["Layer"]


@dataclass(frozen=True, slots=True)
class Layer:
    """One row of a network's table."""

    name: str
    kind: str  # in words: "convolution 5×5"
    shape: tuple[int, ...]  # of the output for one image, channels first
    parameters: int
    formula: str  # the parameters as a sum, "5·5·1·6 + 6"
