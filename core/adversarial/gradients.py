"""FGSM, BIM, PGD and MI-FGSM: steps along the gradient, within a ball around the clean image."""

from collections.abc import Generator

import torch
from torch import Tensor

from core.adversarial import Attack
from core.adversarial.balls import project, random_change, steepest
from core.adversarial.problems import Moment, Problem

__all__ = ["follow_gradient"]

TINY = 1e-12


def follow_gradient(
    problem: Problem, attack: Attack, source: torch.Generator
) -> Generator[Moment, Tensor | None, None]:
    """Step along the gradient of the loss and come back into the ball, again and again.

    FGSM is one step of the whole budget; BIM begins at the clean image, PGD at random in the ball;
    MI-FGSM adds up gradients, each divided by the sum of its values' sizes.

    Source: Goodfellow, Shlens, Szegedy 2014, arXiv:1412.6572, section 4; Kurakin, Goodfellow,
    Bengio 2016, arXiv:1607.02533, equation 2; Madry et al. 2017, arXiv:1706.06083, section 2.1;
    Dong et al. 2017, arXiv:1710.06081, algorithm 1. In L2 the steps are along the gradient itself,
    as Madry et al. do; the losses are ours to choose.
    """
    steps, length = attack.steps, attack.length
    if attack.method == "fgsm":
        steps, length = 1, attack.epsilon
    images = problem.clean
    if attack.method == "pgd":
        images = _anywhere(problem, attack, source)
    gathered = torch.zeros_like(images)
    for _ in range(steps):
        gradient, logits = problem.gradient(images, attack.loss, attack.draws)
        keep = yield Moment(images, logits, gradient.flatten(1).norm(dim=1))
        if keep is not None:
            problem, images = problem.take(keep), images[keep]
            gradient, gathered = gradient[keep], gathered[keep]
        if attack.method == "mifgsm":
            size = gradient.abs().flatten(1).sum(1).clamp(min=TINY)
            gradient = gathered = attack.decay * gathered + gradient / size.view(-1, 1, 1, 1)
        images = images + length * steepest(attack.norm, gradient)
        images = project(attack.norm, images, problem.clean, attack.epsilon)
    yield Moment(images)


def _anywhere(problem: Problem, attack: Attack, source: torch.Generator) -> Tensor:
    """Begin anywhere in the ball, all places alike likely; in L2 the radius is, not the place."""
    clean = problem.clean
    if attack.norm == "linf":
        uniform = torch.rand(clean.shape, generator=source).to(clean)
        start = clean + (2 * uniform - 1) * attack.epsilon
    else:
        radius = torch.rand(len(clean), generator=source).to(clean) * attack.epsilon
        start = clean + random_change("l2", clean, radius, source)
    return project(attack.norm, start, clean, attack.epsilon)
