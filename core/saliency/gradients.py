"""Ways to explain that follow the gradient of the score by the pixels."""

from collections.abc import Generator

from core.saliency.questions import Answer, Question

__all__ = ["gradient", "gradient_input"]


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
