"""NES: steps along a gradient that is estimated from answers alone."""

from collections.abc import Generator

import torch
from jaxtyping import Float
from torch import Tensor

from core.adversarial import Attack
from core.adversarial.balls import project, steepest
from core.adversarial.portions import portion
from core.adversarial.problems import Moment, Problem

__all__ = ["estimate_gradient"]


def estimate_gradient(
    problem: Problem, attack: Attack, source: torch.Generator
) -> Generator[Moment, Tensor | None, None]:
    """Step along an estimate of the loss's gradient and come back into the ball, again and again.

    There are as many steps as the queries allow: each asks about the image itself and about the
    population, which is rounded down to an even number, and the last image is asked about too.
    Fewer queries than one such step takes make the population smaller.

    Source: Ilyas, Engstrom, Athalye, Lin 2018, arXiv:1804.08598, algorithm 1, whose loss is the
    target's probability; then a step and a projection as in Madry et al. 2017, arXiv:1706.06083.
    As there the images asked about may leave the range from black to white by a few deviations.
    """
    pairs = attack.pairs
    images = problem.clean
    logits = problem.logits(images)
    for _ in range(attack.moves):
        gradient = _estimate(problem, images, attack, pairs, source)
        keep = yield Moment(images, logits, gradient.flatten(1).norm(dim=1))
        if keep is not None:
            problem, images, gradient = problem.take(keep), images[keep], gradient[keep]
        images = images + attack.length * steepest(attack.norm, gradient)
        images = project(attack.norm, images, problem.clean, attack.epsilon)
        logits = problem.logits(images)
    yield Moment(images, logits)


def _estimate(
    problem: Problem,
    images: Float[Tensor, "n c h w"],
    attack: Attack,
    pairs: int,
    source: torch.Generator,
) -> Float[Tensor, "n c h w"]:
    """Estimate each image's gradient from pairs of opposite steps in directions at random."""
    count, size, deviation = len(images), portion(images.shape[1:]), attack.deviation
    gradient, done = torch.zeros_like(images), 0
    while done < pairs:
        few = min(max(1, size // (2 * count)), pairs - done)
        drawn = torch.randn((count, few, *images.shape[1:]), generator=source).to(images)
        directions = torch.cat([drawn, -drawn], 1)
        probes = (images[:, None] + deviation * directions).flatten(0, 1)
        owners = torch.arange(count, device=images.device).repeat_interleave(2 * few)
        loss = torch.cat(
            [
                problem.goal.take(own).loss(attack.loss, problem.logits(part))
                for own, part in zip(owners.split(size), probes.split(size), strict=True)
            ]
        )
        weights = loss.view(count, 2 * few, 1, 1, 1) / (2 * pairs * deviation)
        gradient = gradient + (weights * directions).sum(1)
        done += few
    return gradient
