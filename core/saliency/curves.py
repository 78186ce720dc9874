"""What the network makes of a picture whose pixels go, or come, in the order of a map."""

from collections.abc import Generator

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from core.saliency.questions import Question
from core.shared import devices

__all__ = ["deletion", "insertion", "probability"]

Curve = Generator[None, None, Float[np.ndarray, " p"]]


def deletion(
    question: Question, order: Int[Tensor, " n"], absent: Float[Tensor, "1 c h w"], points: int
) -> Curve:
    """Take the pixels out of the picture, the first of the order first.

    A good order lets the probability fall soon: the less area there is under the curve, the better.

    Args:
        question: the network, the picture and the class.
        order: places of all pixels, counted row by row.
        absent: what comes into the place of those that are gone.
        points: steps; at the k-th exactly round(k n / points) of the n pixels are gone.

    Returns: the probability at 0, 1, 2, … and all steps.

    Source: Petsiuk, Das, Saenko 2018, arXiv:1806.07421, section 3.2. Here what is absent is given,
    and ties of the map are broken at random, where there they follow the order of the rows.
    """
    return (yield from _curve(question, order, question.image, absent, points))


def insertion(
    question: Question, order: Int[Tensor, " n"], absent: Float[Tensor, "1 c h w"], points: int
) -> Curve:
    """Put the pixels into a picture in which all are absent, as `deletion` takes them out.

    A good order lets the probability rise soon: the more area there is under the curve, the better.
    """
    return (yield from _curve(question, order, absent, question.image, points))


def probability(question: Question, images: Float[Tensor, "n c h w"]) -> Float[np.ndarray, " n"]:
    """Give the probability of the target: among all classes, or of the two that are compared."""
    devices.pulse()
    question.passes += len(images)
    with torch.no_grad():
        logits = question.quick(images).cpu().double()
        if question.query.against is None:
            chances = logits.softmax(1)[:, question.target]
        else:
            chances = question.score(logits).sigmoid()
    return chances.numpy()


def _curve(
    question: Question,
    order: Int[Tensor, " n"],
    start: Float[Tensor, "1 c h w"],
    end: Float[Tensor, "1 c h w"],
    points: int,
) -> Curve:
    """Let one picture become another, pixel by pixel, and follow the probability."""
    _, _, height, width = start.shape
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order))
    place = place.view(1, 1, height, width).to(start.device)
    counts = torch.tensor([round(k * len(order) / points) for k in range(points + 1)])
    found = []
    for few in counts.split(question.at_once):
        changed = place < few.view(-1, 1, 1, 1).to(start.device)
        found.append(probability(question, torch.where(changed, end, start)))
        yield
    return np.concatenate(found)
