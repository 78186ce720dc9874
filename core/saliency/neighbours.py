"""The training image that is nearest to a picture: whether the picture is but a copy of one."""

from collections.abc import Generator

import torch
from jaxtyping import Float
from torch import Tensor

from core.shared import devices

__all__ = ["Neighbours"]

AT_ONCE = 16  # pictures


class Neighbours:
    """Pictures among which the nearest one, in L2 over all pixels, can be found."""

    def __init__(self, images: Float[Tensor, "n c h w"]) -> None:
        """Measure the lengths of all, once."""
        self._rows = images.flatten(1)
        self._squares = torch.linalg.vector_norm(self._rows, dim=1).square()

    def nearest(self, picture: Float[Tensor, "1 c h w"]) -> tuple[int, float]:
        """Give the index of the nearest one, and how far it is."""
        row = picture.flatten(1)
        index = int(self._scores(row).argmin())
        return index, float((self._rows[index] - row[0]).norm())

    def median(self, pictures: Float[Tensor, "m c h w"]) -> Generator[None, None, float]:
        """Give the median of so many pictures' distances to their nearest; NaN for no pictures."""
        found = [torch.empty(0)]
        for rows in pictures.flatten(1).split(AT_ONCE):
            devices.pulse()
            least = self._scores(rows).amin(1) + rows.square().sum(1)
            found.append(least.clamp(min=0).sqrt().cpu())
            yield
        return float(torch.cat(found).quantile(0.5)) if len(pictures) else float("nan")

    def _scores(self, rows: Float[Tensor, "m d"]) -> Float[Tensor, "m n"]:
        """Give the squared distances, but for the square of each row itself."""
        scores: Tensor = self._squares - 2 * rows @ self._rows.T
        return scores
