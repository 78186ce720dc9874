"""Ways to explain that add up gradients on the way from a baseline to the picture."""

from collections.abc import Generator
from functools import cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from core.saliency.questions import Answer, Question
from core.shared import data, photographs
from core.shared.loading import Model
from core.shared.progress import Done
from core.shared.seeing import fit

__all__ = ["expected", "integrated"]


def integrated(question: Question) -> Generator[Done, None, Answer]:
    """Integrate the gradient along the straight line from the baseline, times that line.

    The integral is Gauss and Legendre's sum of `steps` terms, as in captum.

    Source: Sundararajan, Taly, Yan 2017, arXiv:1703.01365, equation 1.
    """
    baseline = question.absent()
    away = question.image - baseline
    places, weights = (
        torch.tensor(each).to(away).view(-1, 1, 1, 1) for each in _quadrature(question.query.steps)
    )
    mean, done = torch.zeros_like(away), 0
    score = question.ask(baseline)
    for few, shares in zip(
        places.split(question.at_once), weights.split(question.at_once), strict=True
    ):
        _, slopes = question.slope(baseline + few * away)
        mean += (shares * slopes).sum(0)
        done += len(few)
        yield Done(done, len(places), "steps")
    return Answer(values=(mean * away)[0], baseline=float(score))


def expected(question: Question) -> Generator[Done, None, Answer]:
    """Estimate the mean of integrated gradients over many baselines, at one point for each.

    A baseline is drawn from the training images of the data that the network learned from, and a
    point from the line between it and the picture. Where these data are not here, as ImageNet's are
    not, the baselines are drawn from the built-in photographs. What is missing to completeness is
    the error of this sampling.

    Raises: ValueError when these images are of another shape than the network takes.

    Source: Erion, Janizek, Sturmfels, Lundberg, Lee 2021, arXiv:1906.10670, section 2.2.
    """
    count, source = question.query.samples, question.source()
    known = _backgrounds(question.model, question.image.device)
    chosen = torch.randint(len(known), (count,), generator=source).to(known.device)
    places = torch.rand((count, 1, 1, 1), generator=source).to(question.image)
    total, score, done = torch.zeros_like(question.image), 0.0, 0
    for few, alphas in zip(
        chosen.split(question.at_once), places.split(question.at_once), strict=True
    ):
        baselines = known[few]
        away = question.image - baselines
        score += float(question.ask(baselines).sum())
        _, slopes = question.slope(baselines + alphas * away)
        total += (away * slopes).sum(0)
        done += len(few)
        yield Done(done, count, "baselines")
    return Answer(values=total[0] / count, baseline=score / count)


@cache
def _quadrature(
    steps: int,
) -> tuple[Float[np.ndarray, " {steps}"], Float[np.ndarray, " {steps}"]]:
    """Give the places and the weights of Gauss and Legendre's sum, from 0 to 1."""
    places, weights = np.polynomial.legendre.leggauss(steps)
    return (1 + places) / 2, weights / 2


def _backgrounds(model: Model, device: torch.device) -> Float[Tensor, "n c h w"]:
    """Give the images from which baselines are drawn."""
    if not model.data:
        known = [photographs.photograph(each.name).pixels for each in photographs.photographs()]
        return torch.tensor(np.stack([fit(each, model.shape, "") for each in known])).to(device)
    training = data.dataset(model.data, device).training.images
    if training.shape[1:] != model.shape:
        raise ValueError(
            f"network must take pictures of {tuple(training.shape[1:])}, as its data are, "
            f"got {model.shape}"
        )
    return training
