"""DeepFool: to the nearest boundary of the network's linear approximation, again and again."""

from collections.abc import Generator

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from core.adversarial import Attack
from core.adversarial.balls import steepest
from core.adversarial.goals import Goal
from core.adversarial.jacobians import slopes
from core.adversarial.problems import Moment, Problem

__all__ = ["deepfool"]

CANDIDATES = 10  # classes between which boundaries are looked for, the true one among them
BEYOND = 1e-4  # in pixel units and the norm, that each step is longer than the way
FAR = 1e9  # where a boundary is to which no gradient leads


def deepfool(
    problem: Problem, attack: Attack, source: torch.Generator
) -> Generator[Moment, Tensor | None, None]:
    """Go to the nearest boundary as if all logits were linear, until the other side is reached.

    Of the boundaries to other classes only those are looked at that are the likeliest at the clean
    image, nine at most. With a target it is the target's boundary to the likeliest of the others,
    wherever the image is by then. An image that is fooled stays where it is.

    Source: Moosavi-Dezfooli, Fawzi, Frossard 2015, arXiv:1511.04599, algorithm 2 and, for L∞,
    equations 10 and 11; nothing in it is random. As in their code each step is longer by 1e-4: one
    that black and white cut short comes ever nearer to the boundary, but not beyond it. Targets are
    ours, and so is that the overshoot (η) is of each step: where nothing is cut short the sum of
    the steps is theirs.
    """
    images, rivals = problem.clean, None
    for left in range(attack.steps, -1, -1):
        logits = problem.logits(images)
        if rivals is None:
            rivals = _likeliest(problem.goal, logits)
        going = (~problem.goal.fooled(logits)).nonzero()[:, 0]
        change, sizes = torch.zeros_like(images), torch.full_like(logits[:, 0], torch.nan)
        if left and len(going):
            part = problem.take(going)
            boundaries = _boundaries(part.goal, logits[going], rivals[going])
            change[going], sizes[going] = _nearest(
                part, attack.norm, images[going], logits[going], boundaries
            )
        keep = yield Moment(images, logits, sizes if left and len(going) else None)
        if not len(going):
            return
        if keep is not None:
            problem, images, change, rivals = (
                problem.take(keep),
                images[keep],
                change[keep],
                rivals[keep],
            )
        images = (images + (1 + attack.overshoot) * change).clamp(0, 1)


def _likeliest(goal: Goal, logits: Float[Tensor, "n k"]) -> Int[Tensor, "n m"]:
    """Name the classes besides the true one whose boundaries are looked at."""
    others = logits.scatter(1, goal.labels[:, None], -torch.inf)
    return others.topk(min(CANDIDATES, logits.shape[1]) - 1).indices


def _boundaries(
    goal: Goal, logits: Float[Tensor, "n k"], rivals: Int[Tensor, "n m"]
) -> Float[Tensor, "n b k"]:
    """Give the weights of the logits whose sum is 0 at a boundary, and above 0 beyond it."""
    if goal.targets is None:
        beyond, here = rivals, goal.labels[:, None]
    else:
        beyond = goal.targets[:, None]
        here = logits.scatter(1, beyond, -torch.inf).argmax(1, keepdim=True)
    classes = logits.shape[1]
    return (F.one_hot(beyond, classes) - F.one_hot(here, classes)).to(logits)


def _nearest(
    problem: Problem,
    norm: str,
    images: Float[Tensor, "n c h w"],
    logits: Float[Tensor, "n k"],
    boundaries: Float[Tensor, "n m k"],
) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, " n"]]:
    """Give the way to the nearest boundary, and the length of the gradient that leads there."""
    gradients = slopes(problem, images, boundaries)
    short = (boundaries @ logits[:, :, None])[:, :, 0].abs()  # |f|: what each lacks to 0
    # A step of length 1 gains the gradient's dual norm: of L∞ the sum of the absolute values.
    gain = gradients.flatten(2).norm(p=1 if norm == "linf" else 2, dim=2)
    length, chosen = (short / gain).nan_to_num(FAR, FAR, FAR).min(1)
    gradient = gradients[torch.arange(len(images), device=images.device), chosen]
    step = (length + BEYOND).view(-1, 1, 1, 1) * steepest(norm, gradient)
    return step, gradient.flatten(1).norm(dim=1)
