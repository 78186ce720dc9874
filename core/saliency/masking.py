"""Ways to explain that hide parts of the picture and see what the score makes of it."""

from collections.abc import Generator
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from core.saliency.questions import Answer, Question
from core.shared.progress import Done

__all__ = ["occlusion", "rise"]

KEPT = 0.5  # the share of cells that a mask lets through (p)


def occlusion(question: Question) -> Generator[Done, None, Answer]:
    """Hide one box of the picture after another: how much does the score fall?

    A pixel has the mean over the boxes that hide it. The boxes stand on a grid; those at the right
    and the lower border are cut off where the picture ends.

    Raises: ValueError when the box is larger than the picture, or leaves pixels out as it moves.

    Source: Zeiler, Fergus 2013, arXiv:1311.2901, section 4.2, where no mean is taken.
    """
    image, (height, width) = question.image, question.image.shape[2:]
    size, stride = _box(question)
    hides_rows = _spans(height, size, stride).to(image.device)
    hides_columns = _spans(width, size, stride).to(image.device)
    grid = len(hides_rows), len(hides_columns)
    absent = question.absent()
    whole, near = question.near(size)
    numbers, scores, done = torch.arange(grid[0] * grid[1], device=image.device), [], 0
    for some in numbers.split(question.at_once):
        rows, columns = hides_rows[some // grid[1]], hides_columns[some % grid[1]]
        hidden = rows[:, None, :, None] & columns[:, None, None, :]
        images, way = torch.where(hidden, absent, image), None
        if near is not None:
            places = [(stride * (k // grid[1]), stride * (k % grid[1])) for k in some.tolist()]
            way = partial(near, begins=places, size=size)
        scores.append(question.ask(images, way))
        done += len(some)
        yield Done(done, len(numbers), "pictures")
    falls = (whole - torch.cat(scores)).view(grid)
    over_rows, over_columns = (each / each.sum(0) for each in (hides_rows, hides_columns))
    return Answer(values=(over_rows.T @ falls @ over_columns)[None], grid=grid)


def rise(question: Question) -> Generator[Done, None, Answer]:
    """Let masks through which random parts of the picture are seen vote with their scores.

    A mask is a grid of cells, each open or shut with the same chance, enlarged with soft borders
    and shifted by a part of a cell. A pixel has the mean of the scores of all masks, each times how
    much of the pixel it lets through, over the share of the picture that a mask lets through. So it
    is about the mean score of the pictures in which the pixel is seen.

    Source: Petsiuk, Das, Saenko 2018, arXiv:1806.07421, equation 6 and section 3.2, with p = ½; the
    score is a logit here, there a probability, and one more row and column of cells is drawn, for
    which the others need not grow.
    """
    image, count, cells = question.image, question.query.masks, question.query.cells
    absent, source = question.absent(), question.source()
    grids = (torch.rand(count, cells + 1, cells + 1, generator=source) < KEPT).to(image)
    sides = [_enlarging(cells, side, count, source) for side in image.shape[2:]]
    sides = [(whole.to(image), places.to(image.device)) for whole, places in sides]
    total, done = torch.zeros_like(image[0, 0]), 0
    for some in torch.arange(count, device=image.device).split(question.at_once):
        rows, columns = (whole[places[some]] for whole, places in sides)
        masks = rows @ grids[some] @ columns.mT
        scores = question.ask(torch.lerp(absent, image, masks[:, None]))
        total += torch.einsum("n,nhw->hw", scores, masks)
        done += len(some)
        yield Done(done, count, "pictures")
    return Answer(values=total[None] / (count * KEPT), grid=(cells, cells))


def _box(question: Question) -> tuple[int, int]:
    """Tell the size of the box, and how far it moves.

    Raises: ValueError when the box is larger than the picture, or leaves pixels out.
    """
    side = min(question.image.shape[2:])
    size, stride = question.query.box(side)
    if size > side:
        raise ValueError(f"size must be at most the picture's side, {side}, got {size}")
    if stride > size:
        raise ValueError(
            f"stride must be at most the size of the box, {size}, or pixels are left out, "
            f"got {stride}"
        )
    return size, stride


def _spans(side: int, size: int, stride: int) -> Bool[Tensor, "b s"]:
    """Tell which pixels of a row each of the boxes that stand along it hides."""
    begins = stride * torch.arange(-(-(side - size) // stride) + 1)[:, None]
    pixels = torch.arange(side)
    return (begins <= pixels) & (pixels < begins + size)


def _enlarging(
    cells: int, pixels: int, count: int, source: torch.Generator
) -> tuple[Float[Tensor, "t g"], Int[Tensor, "n s"]]:
    """Give the matrix that makes pixels of a row of cells, and the pixels that each mask takes."""
    cell = -(-pixels // cells)
    grid, size = torch.eye(cells + 1)[None], (cells + 1) * cell
    whole = F.interpolate(grid, size=size, mode="linear", align_corners=False)[0].T
    return whole, torch.randint(cell, (count, 1), generator=source) + torch.arange(pixels)
