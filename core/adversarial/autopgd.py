"""APGD: projected steps along the gradient that find their own length."""

import math
from collections.abc import Generator

import torch
from torch import Tensor

from core.adversarial import Attack
from core.adversarial.balls import project, random_change, steepest
from core.adversarial.problems import Moment, Problem

__all__ = ["automatic_steps"]

MOMENTUM = 0.75  # α: the share of the new step; the rest is of the one before
CLIMBING = 0.75  # rho: the share of the steps that must gain, or they are too long
ALL, FIRST, SHORTER, SHORTEST = 100, 22, 3, 6  # hundredths of the steps between two looks back


def automatic_steps(
    problem: Problem, attack: Attack, source: torch.Generator
) -> Generator[Moment, Tensor | None, None]:
    """Step along the gradient, by 2ε at first and by half of that whenever it gains too little.

    Now and then it looks back. Where fewer than three quarters of the steps since the last look
    have gained, or where neither the length nor the best loss has changed since then, the length is
    halved and the image goes back to the best place so far. Each image has its own length. It
    begins at random, in L∞ anywhere in the ball and in L2 at its border.

    Source: Croce, Hein 2020, arXiv:2003.01690, algorithm 1 and section 3. As in their code, and one
    step sooner than in the paper, an image goes back before the next step is made.
    """
    images = previous = best = _anywhere(problem, attack, source)
    slope = torch.zeros_like(images)  # the gradient at the best place
    length = torch.full_like(images[:, 0, 0, 0], 2 * attack.epsilon)
    highest = torch.full_like(length, -math.inf)
    before = last = highest  # the highest loss at the last look, and the loss a step ago
    gains, halved = torch.zeros_like(length), torch.zeros_like(length, dtype=torch.bool)
    looks, looked = _looks(attack.steps), 0
    for step in range(attack.steps):
        gradient, logits = problem.gradient(images, attack.loss, attack.draws)
        keep = yield Moment(images, logits, gradient.flatten(1).norm(dim=1))
        if keep is not None:
            problem, logits, gradient = problem.take(keep), logits[keep], gradient[keep]
            images, previous, best, slope = (at[keep] for at in (images, previous, best, slope))
            length, highest, before, last = (at[keep] for at in (length, highest, before, last))
            gains, halved = gains[keep], halved[keep]
        loss = problem.goal.loss(attack.loss, logits)
        better = loss > highest
        best, slope = _where(better, images, best), _where(better, gradient, slope)
        highest = torch.where(better, loss, highest)
        if step == 0:
            before = highest
        else:
            gains = gains + (loss > last)
        if step in looks:
            few = gains < CLIMBING * (step - looked)
            halved = few | (~halved & (highest <= before))
            length = torch.where(halved, length / 2, length)
            images, gradient = _where(halved, best, images), _where(halved, slope, gradient)
            loss = torch.where(halved, highest, loss)
            before, gains, looked = highest, torch.zeros_like(gains), step
        ahead = images + length.view(-1, 1, 1, 1) * steepest(attack.norm, gradient)
        ahead = project(attack.norm, ahead, problem.clean, attack.epsilon)
        if step:  # before the first there is none to go on with
            ahead = images + MOMENTUM * (ahead - images) + (1 - MOMENTUM) * (images - previous)
            ahead = project(attack.norm, ahead, problem.clean, attack.epsilon)
        images, previous, last = ahead, images, loss
    yield Moment(images)


def _looks(steps: int) -> set[int]:
    """Give the steps at which the progress is looked at, more and more often (w of p)."""
    looks, share, gap = set(), 0, FIRST
    while (share := share + gap) <= ALL:
        looks.add(math.ceil(share * steps / ALL))
        gap = max(gap - SHORTER, SHORTEST)
    return looks


def _anywhere(problem: Problem, attack: Attack, source: torch.Generator) -> Tensor:
    """Begin at random."""
    clean, epsilon = problem.clean, attack.epsilon
    if attack.norm == "linf":
        start = clean + (2 * torch.rand(clean.shape, generator=source).to(clean) - 1) * epsilon
    else:
        lengths = torch.full_like(clean[:, 0, 0, 0], epsilon)
        start = clean + random_change("l2", clean, lengths, source)
    return project(attack.norm, start, clean, epsilon)


def _where(which: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    return torch.where(which.view(-1, 1, 1, 1), yes, no)
