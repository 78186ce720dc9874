"""Ways to explain that follow the gradient of the score by the pixels."""

from collections.abc import Generator

import torch
from jaxtyping import Float
from torch import Tensor

from core.saliency.questions import Answer, Question
from core.shared.progress import Done

__all__ = ["gradient", "gradient_input", "smoothgrad", "vargrad"]


def gradient(question: Question) -> Generator[None, None, Answer]:
    """Take the gradient of the score by the pixels.

    Source: Simonyan, Vedaldi, Zisserman 2013, arXiv:1312.6034, section 3, with its sign and for
    each colour.
    """
    _, slopes = question.slope(question.image)
    yield
    return Answer(values=slopes[0])


def gradient_input(question: Question) -> Generator[None, None, Answer]:
    """Multiply that gradient by the pixels.

    Source: Shrikumar et al. 2016, arXiv:1605.01713, section 2.
    """
    _, slopes = question.slope(question.image)
    yield
    return Answer(values=slopes[0] * question.image[0])


def smoothgrad(question: Question) -> Generator[Done, None, Answer]:
    """Take the mean of the gradients of pictures with Gaussian noise.

    Such a picture may leave the range from 0 to 1.

    Source: Smilkov, Thorat, Kim, Viégas, Wattenberg 2017, arXiv:1706.03825, section 3.
    """
    mean, _ = yield from _with_noise(question)
    return Answer(values=mean)


def vargrad(question: Question) -> Generator[Done, None, Answer]:
    """Take the variance of these gradients.

    Source: Adebayo, Gilmer, Goodfellow, Kim 2018, arXiv:1810.03307.
    """
    _, variance = yield from _with_noise(question)
    return Answer(values=variance)


def _with_noise(
    question: Question,
) -> Generator[Done, None, tuple[Float[Tensor, "c h w"], Float[Tensor, "c h w"]]]:
    """Give the mean and the variance of the gradients, whose sums are kept by Chan's formula.

    Source: Chan, Golub, LeVeque 1983, "Algorithms for computing the sample variance", equation 2.1.
    """
    image, query, source = question.image, question.query, question.source()
    mean, squares, done = torch.zeros_like(image[0]), torch.zeros_like(image[0]), 0
    while done < query.samples:
        count = min(question.at_once, query.samples - done)
        # One by one: what is drawn together depends on how much it is.
        noise = [torch.randn(image.shape[1:], generator=source) for _ in range(count)]
        _, slopes = question.slope(image + query.deviation * torch.stack(noise).to(image))
        here = slopes.mean(0)
        away, share = here - mean, count / (done + count)
        mean += share * away
        squares += (slopes - here).square().sum(0) + share * done * away.square()
        done += count
        yield Done(done, query.samples, "pictures")
    return mean, squares / done
