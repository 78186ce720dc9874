"""Carlini and Wagner's attack: the least change, weighed against the margin, by Adam."""

import math
from collections.abc import Generator

import torch
from torch import Tensor

from core.adversarial import Attack
from core.adversarial.problems import Moment, Problem

__all__ = ["carlini_wagner"]

SHRINK = 0.999  # of the distance to mid-grey: a pixel that is black or white could not move
START, GROWTH = 1.0, 10.0  # of c: the first, and by how much it grows until there is a success
SHARE, SHORTEST = 10, 10  # looks at the progress in a search, and steps between two, at least
PROGRESS = 0.9999  # of the loss at the last look: above that a search ends
MEMORY, SCATTER, TINY = 0.9, 0.999, 1e-8  # of Adam: β₁, β₂ and what keeps it from dividing by 0


def carlini_wagner(
    problem: Problem, attack: Attack, source: torch.Generator
) -> Generator[Moment, Tensor | None, None]:
    """Minimise ‖change‖² + c · max(margin + κ, 0), searching for the least c that succeeds.

    Adam moves w, of which the pixels are ½ (tanh w + 1), so that they stay from 0 to 1. Each search
    begins at the clean image; c is ten times as large in the next while nothing has succeeded,
    then halfway between the largest that failed and the smallest that did not. Each image has its
    own c and its own Adam, and begins its next search when this one gains no more.

    Source: Carlini, Wagner 2016, arXiv:1608.04644, sections V and VI, f₆. Ours is that the searches
    of each image end by themselves, and that a clean pixel begins at most 0.0005 from black and
    white: at 5e-7, as in their code, it needs hundreds of steps to be seen to move.
    """
    begin = ((problem.clean - 0.5) * SHRINK + 0.5).logit() / 2  # artanh(2 x − 1)
    place, mean, square = begin, torch.zeros_like(begin), torch.zeros_like(begin)
    images, logits = problem.clean, problem.logits(problem.clean)
    zero = torch.zeros_like(images[:, 0, 0, 0])
    weight, least, most = zero + START, zero, zero + math.inf  # c, and between what it is sought
    search, step, seen, won = zero, zero, zero + math.inf, zero.bool()
    interval = max(SHORTEST, math.ceil(attack.steps / SHARE))
    while len(going := (search < attack.searches).nonzero()[:, 0]):
        here = (2 * place[going]).sigmoid()  # ½ (tanh w + 1), but exact near 0
        gradient, answers = problem.take(going).gradient(here, "margin")
        images, logits = images.index_copy(0, going, here), logits.index_copy(0, going, answers)
        uphill = torch.zeros_like(images).index_copy(0, going, -gradient)  # that of the margin
        sizes = torch.full_like(zero, math.nan).index_copy(
            0, going, gradient.flatten(1).norm(dim=1)
        )
        keep = yield Moment(images, logits, sizes)
        if keep is not None:
            problem = problem.take(keep)
            begin, place, mean, square = (at[keep] for at in (begin, place, mean, square))
            images, logits, uphill = images[keep], logits[keep], uphill[keep]
            zero, weight, least, most = (at[keep] for at in (zero, weight, least, most))
            search, step, seen, won = (at[keep] for at in (search, step, seen, won))
        lack = problem.goal.margin(logits) + attack.confidence
        change = images - problem.clean
        loss = change.flatten(1).square().sum(1) + weight * lack.clamp(min=0)
        pull = _wide(weight * (lack > 0)) * uphill
        slope = (2 * change + pull) * 2 * (2 * place).sigmoid() * (-2 * place).sigmoid()
        step, won = step + 1, won | (lack < 0)
        mean = MEMORY * mean + (1 - MEMORY) * slope
        square = SCATTER * square + (1 - SCATTER) * slope.square()
        scatter = (square / _wide(1 - SCATTER**step)).sqrt()
        place = place - attack.rate * mean / _wide(1 - MEMORY**step) / (scatter + TINY)
        look = step % interval == 0
        over = (step >= attack.steps) | (look & (loss > PROGRESS * seen))
        seen = torch.where(look, loss, seen)
        # The searches that are over: c for the next, and everything back to its beginning.
        most, least = torch.where(over & won, weight, most), torch.where(over & ~won, weight, least)
        following = torch.where(most.isinf(), weight * GROWTH, (least + most) / 2)
        weight, search = torch.where(over, following, weight), search + over
        step, seen, won = step.masked_fill(over, 0), seen.masked_fill(over, math.inf), won & ~over
        place = torch.where(_wide(over), begin, place)
        mean, square = mean.masked_fill(_wide(over), 0), square.masked_fill(_wide(over), 0)


def _wide(each: Tensor) -> Tensor:
    return each.view(-1, 1, 1, 1)
