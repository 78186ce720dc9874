"""Long work with all its turns, between which others would compute."""

from collections.abc import Generator
from typing import Any, TypeVar

import torch

__all__ = ["whole"]

R = TypeVar("R")


def whole(turns: Generator[Any, None, R]) -> R:
    """Let it have all its turns, and see that it holds nothing between two of them."""
    while True:
        try:
            next(turns)
        except StopIteration as end:
            result: R = end.value
            return result
        assert torch.is_grad_enabled()
