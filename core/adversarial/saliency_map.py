"""JSMA: at each step the pixels by which the wanted class gains most and all others lose."""

from collections.abc import Generator

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from core.adversarial import Attack
from core.adversarial.jacobians import slopes
from core.adversarial.problems import Moment, Problem

__all__ = ["saliency_map"]

PAIRS = 1_024  # pixels of an image, at most, of which all pairs are looked at
VALUES = 2**22  # of the tables of pairs that are worked out together, at most
SLACK = 1e-3 / 255  # a pixel that is as near to black or white is there


def saliency_map(
    problem: Problem, attack: Attack, source: torch.Generator
) -> Generator[Moment, Tensor | None, None]:
    """Make those two pixels white, or black, that serve the goal most, until the image is fooled.

    With a target they are those by which its logit gains (α) and the sum of all others loses (−β),
    by the product of both; without one, those by which the true class loses and the others gain. A
    pixel changes in all channels at once, and only once. Of more than 1,024 pixels it is one at a
    time. Where nothing serves both ends, at which the paper gives up, it is what serves the logit
    most in comparison with the mean of the others. An image that is fooled stays as it is.

    Source: Papernot et al. 2015, arXiv:1511.07528, algorithm 3 and equations 8 to 10, of the
    logits; Wiyatno, Xu 2018, arXiv:1808.07945, for doing without a target and for both directions.
    Ours is that a derivative counts by how far the pixel can go, which is 1 from black to white.
    """
    images, left = problem.clean, attack.steps
    fresh = torch.ones_like(images[:, 0], dtype=torch.bool).flatten(1)
    pixels = fresh.shape[1]
    while True:
        logits = problem.logits(images)
        going = (~problem.goal.fooled(logits)).nonzero()[:, 0]
        count = min(left, 2 if pixels <= PAIRS else 1, pixels)
        sizes, following, rows = torch.full_like(logits[:, 0], torch.nan), images, going[:0]
        if count and len(going):
            here = images[going].flatten(2)
            ways = torch.stack([1 - here, -here], 1)  # to white, and to black
            effects, sizes[going] = _effects(problem.take(going), images[going], ways, logits)
            free = fresh[going, None] & (ways.abs().amax(2) > SLACK)
            end, chosen, useful = _choose(effects, free, count)
            rows, colour = going[useful], (end[useful] == 0).to(images)[:, None]
            following = images.clone(memory_format=torch.contiguous_format)
            for pixel in chosen[useful].unbind(1):
                following.flatten(2)[rows, :, pixel] = colour
                fresh[rows, pixel] = False
        keep = yield Moment(images, logits, sizes if count and len(going) else None)
        if not len(rows):
            return
        images, left = following, left - count
        if keep is not None:
            problem, images, fresh = problem.take(keep), images[keep], fresh[keep]


def _effects(
    problem: Problem,
    images: Float[Tensor, "n c h w"],
    ways: Float[Tensor, "n 2 c p"],
    logits: Tensor,
) -> tuple[Float[Tensor, "3 n 2 p"], Float[Tensor, " n"]]:
    """Say how much each change of a pixel serves, as if all logits were linear.

    Returns: α and −β of the target, or −α and β of the true class, and what is gained in comparison
        with the mean of the others; the length of the gradient of α.
    """
    goal, classes = problem.goal, logits.shape[1]
    own = F.one_hot(goal.labels if goal.targets is None else goal.targets, classes).to(images)
    weights = torch.stack([own, own - 1], 1)
    gradients = slopes(problem, images, weights if goal.targets is not None else -weights)
    alpha, beta = torch.einsum("nmcp,necp->mnep", gradients.flatten(3), ways)
    mean = alpha + beta / (classes - 1)
    return torch.stack([alpha, beta, mean]), gradients[:, 0].flatten(1).norm(dim=1)


def _choose(
    effects: Float[Tensor, "3 n 2 p"], free: Bool[Tensor, "n 2 p"], count: int
) -> tuple[Int[Tensor, " n"], Int[Tensor, "n m"], Bool[Tensor, " n"]]:
    """Choose one pixel or two for each image, of those that are free.

    Returns: whether they become white (0) or black (1), which they are, and whether that serves.
    """
    alpha, beta, mean = effects.masked_fill(~free, -torch.inf)
    if count == 1:
        value, best = (alpha.clamp(min=0) * beta.clamp(min=0)).max(2)
        pixels = best[:, :, None]
    else:
        value, pixels = _pairs(alpha, beta)
    means, best = mean.topk(count)
    nothing = (value <= 0).all(1)
    value = torch.where(nothing[:, None], means.sum(2), value)
    pixels = torch.where(nothing[:, None, None], best, pixels)
    value, end = value.max(1)
    return end, pixels[torch.arange(len(end), device=end.device), end], value > 0


def _pairs(
    alpha: Float[Tensor, "n 2 p"], beta: Float[Tensor, "n 2 p"]
) -> tuple[Float[Tensor, "n 2"], Int[Tensor, "n 2 2"]]:
    """Find the two pixels with the largest product of sums, for each image and end."""
    shape, pixels = alpha.shape[:2], alpha.shape[2]
    many = max(1, VALUES // pixels**2)
    found = []
    for a, b in zip(alpha.flatten(0, 1).split(many), beta.flatten(0, 1).split(many), strict=True):
        table = (a[:, :, None] + a[:, None]).clamp_(min=0)
        table *= (b[:, :, None] + b[:, None]).clamp_(min=0)
        table.diagonal(dim1=1, dim2=2).zero_()  # a pixel is no pair
        found.append(table.flatten(1).max(1))
    value, place = (torch.cat(each).view(shape) for each in zip(*found, strict=True))
    return value, torch.stack([place // pixels, place % pixels], 2)
