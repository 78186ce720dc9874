"""Square: a search at random that changes one square of the image at a time."""

import math
from collections.abc import Callable, Generator

import torch
from jaxtyping import Float
from torch import Tensor

from core.adversarial import Attack
from core.adversarial.problems import Moment, Problem

__all__ = ["square"]

SHARE = 0.8  # p at the beginning: the share of the image's pixels that a square has
HALVINGS = 10, 50, 200, 500, 1_000, 2_000, 4_000, 6_000, 8_000  # of PLANNED queries, then p halves
PLANNED = 10_000
TILES = 5  # along a side, of the L2 start
LEAST = 3  # pixels of a side in L2, where a smaller square has no shape
TINY = 1e-12

Windows = tuple[Tensor, Tensor, Tensor, Tensor]  # indices: images, channels, rows, columns
Proposal = Callable[[Tensor, Tensor, float, float, torch.Generator], Tensor]


def square(
    problem: Problem, attack: Attack, source: torch.Generator
) -> Generator[Moment, Tensor | None, None]:
    """Change one square at a time, and keep the change where the margin falls.

    The squares become smaller, on a schedule that is stretched over the queries there are. Each
    image has squares of its own. A moment is what is the best by then.

    Source: Andriushchenko, Croce, Flammarion, Hein 2019, arXiv:1912.00049, algorithms 1 to 3, with
    the margin as loss and p from 0.8 on. As in their code no query is spent in L∞ on a square that
    changes nothing: where theirs draws again, ours takes the opposite signs.
    """
    start, propose = (_stripes, _flat) if attack.norm == "linf" else (_bumps, _moved)
    images = start(problem.clean, attack.epsilon, source)
    logits = problem.logits(images)
    for query in range(1, attack.queries + 1):
        keep = yield Moment(images, logits)
        if query == attack.queries:
            return
        if keep is not None:
            problem, images, logits = problem.take(keep), images[keep], logits[keep]
        planned = (query - 1) * PLANNED // attack.queries
        share = SHARE / 2 ** sum(planned > each for each in HALVINGS)
        changed = propose(images, problem.clean, attack.epsilon, share, source)
        answers = problem.logits(changed)
        better = problem.goal.margin(answers) < problem.goal.margin(logits)
        images = torch.where(better.view(-1, 1, 1, 1), changed, images)
        logits = torch.where(better[:, None], answers, logits)


def _stripes(
    clean: Float[Tensor, "n c h w"], epsilon: float, source: torch.Generator
) -> Float[Tensor, "n c h w"]:
    """Begin in L∞ with columns that are each ε lighter or darker, in each channel."""
    count, channels, _, width = clean.shape
    return (clean + epsilon * _signs((count, channels, 1, width), clean, source)).clamp(0, 1)


def _flat(
    images: Float[Tensor, "n c h w"],
    clean: Float[Tensor, "n c h w"],
    epsilon: float,
    share: float,
    source: torch.Generator,
) -> Float[Tensor, "n c h w"]:
    """Propose in L∞ a square that is ε lighter or darker than the clean image, in each channel."""
    height, width = clean.shape[2:]
    side = min(max(1, round(math.sqrt(share * height * width))), height, width)
    here = _windows(clean, side, source)
    change = epsilon * _signs((*clean.shape[:2], 1, 1), clean, source)
    changed, old, new = images.clone(), images[here], (clean[here] + change).clamp(0, 1)
    idle = (new == old).flatten(1).all(1).view(-1, 1, 1, 1)
    changed[here] = torch.where(idle, (clean[here] - change).clamp(0, 1), new)
    return changed


def _bumps(
    clean: Float[Tensor, "n c h w"], epsilon: float, source: torch.Generator
) -> Float[Tensor, "n c h w"]:
    """Begin in L2 with a grid of tiles, each a bump beside a hollow, upright or lying."""
    count, channels, height, width = clean.shape
    side = max(1, min(height, width) // TILES)
    down, across = height // side, width // side
    signs = _signs((count, channels, down, across, 1, 1), clean, source)
    shape = _shapes((count, 1, down, across), side, clean, source)
    tiles = (signs * shape).permute(0, 1, 2, 4, 3, 5).reshape(count, channels, down * side, -1)
    change = torch.zeros_like(clean)
    top, left = (height - down * side) // 2, (width - across * side) // 2
    change[:, :, top : top + down * side, left : left + across * side] = tiles
    return (clean + epsilon * change / _length(change, (1, 2, 3)).clamp(min=TINY)).clamp(0, 1)


def _moved(
    images: Float[Tensor, "n c h w"],
    clean: Float[Tensor, "n c h w"],
    epsilon: float,
    share: float,
    source: torch.Generator,
) -> Float[Tensor, "n c h w"]:
    """Propose in L2 to bring the change of one square, and what ε leaves unused, into another.

    There it is added, in the shape of a bump beside a hollow, to the change that is there.
    """
    count, channels, height, width = clean.shape
    side = min(max(LEAST, round(math.sqrt(share * height * width))) // 2 * 2 + 1, height, width)
    to, away = _windows(clean, side, source), _windows(clean, side, source)
    change = images - clean
    old, before = change[to], _length(change, (2, 3)).square()
    unused = (epsilon**2 - before.sum(1, keepdim=True)).clamp(min=0)
    change[to] = change[away] = 0
    # The squares may overlap: what both held is what the image has lost.
    lost = (before - _length(change, (2, 3)).square()).clamp(min=0)
    signs = _signs((count, channels, 1, 1), clean, source)
    shape = signs * _shapes((count, 1), side, clean, source)
    new = shape + old / _length(old, (2, 3)).clamp(min=TINY)
    room = (lost + unused / channels).sqrt()
    change[to] = new / _length(new, (2, 3)).clamp(min=TINY) * room
    return (clean + change).clamp(0, 1)


def _shapes(
    shape: tuple[int, ...], side: int, like: Tensor, source: torch.Generator
) -> Float[Tensor, "..."]:
    """Draw η of length 1, upright or lying; `shape` many."""
    lying = torch.rand((*shape, 1, 1), generator=source).to(like) > 1 / 2
    upright = _bump(side).to(like)
    return torch.where(lying, upright.T, upright)


def _bump(side: int) -> Float[Tensor, "s s"]:
    """Make η of equation 2: a bump in the upper half and a hollow in the lower, of length 1."""
    parts = []
    for height in (side // 2, side - side // 2):
        rows = (torch.arange(height) - height // 2).abs()
        columns = (torch.arange(side) - side // 2).abs()
        steps = 1 / torch.arange(1, side // 2 + 2).float().square()
        heights = steps.flip(0).cumsum(0).flip(0)  # at each distance from the middle
        part = heights[torch.maximum(rows[:, None], columns)]
        parts.append(part / part.norm().clamp(min=TINY))
    whole = torch.cat([parts[0], -parts[1]])
    shape: Tensor = whole / whole.norm()
    return shape


def _windows(like: Float[Tensor, "n c h w"], side: int, source: torch.Generator) -> Windows:
    """Draw a square in each image, all places alike likely, and give its indices."""
    count, channels, height, width = like.shape
    top = torch.randint(height - side + 1, (count, 1, 1, 1), generator=source)
    left = torch.randint(width - side + 1, (count, 1, 1, 1), generator=source)
    within = torch.arange(side)
    indices = (
        torch.arange(count).view(-1, 1, 1, 1),
        torch.arange(channels).view(-1, 1, 1),
        top + within[:, None],
        left + within,
    )
    images, channel, rows, columns = (each.to(like.device) for each in indices)
    return images, channel, rows, columns


def _signs(shape: tuple[int, ...], like: Tensor, source: torch.Generator) -> Float[Tensor, "..."]:
    """Draw −1 or 1, both alike likely."""
    return torch.randint(2, shape, generator=source).to(like) * 2 - 1


def _length(change: Float[Tensor, "..."], axes: tuple[int, ...]) -> Float[Tensor, "..."]:
    return change.square().sum(axes, keepdim=True).sqrt()
