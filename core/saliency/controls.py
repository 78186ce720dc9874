"""Maps that know nothing of the network: what an explanation must do better than."""

from collections.abc import Generator

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from core.saliency.questions import Answer, Question
from core.saliency.sources import CHANCE

__all__ = ["blob", "edges", "random"]

LUMA = (0.299, 0.587, 0.114)  # of red, green and blue
SOBEL = ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0))
WIDE = 1 / 4  # standard deviation of the blob, as a share of the side


def edges(question: Question) -> Generator[None, None, Answer]:
    """Find the edges of the picture: the length of the Sobel gradient of its grey.

    Source: Adebayo et al. 2018, arXiv:1810.03292, section 5, as what explanations are mistaken for;
    there with Canny's detector.
    """
    kernel = torch.tensor(SOBEL).to(question.image)
    kernels = torch.stack([kernel, kernel.T])[:, None]
    wide = F.pad(_grey(question.image), (1, 1, 1, 1), mode="replicate")  # the rim is no edge
    yield
    return Answer(values=F.conv2d(wide, kernels).norm(dim=1))


def random(question: Question) -> Generator[None, None, Answer]:
    """Draw a number for each pixel, all from 0 to 1 alike likely.

    Source: Hooker, Erhan, Kindermans, Kim 2018, arXiv:1806.10758, section 3, as what estimators are
    held against.
    """
    _, _, height, width = question.image.shape
    drawn = torch.rand((1, height, width), generator=question.source(CHANCE))
    yield
    return Answer(values=drawn.to(question.image))


def blob(question: Question) -> Generator[None, None, Answer]:
    """Take what is in the middle for what counts: a bell with a σ of a quarter of each side.

    Source: Judd, Ehinger, Durand, Torralba 2009, "Learning to predict where humans look".
    """
    bells = []
    for side in question.image.shape[2:]:
        away = torch.arange(side) - (side - 1) / 2
        bells.append((-away.square() / (2 * (WIDE * side) ** 2)).exp())
    yield
    return Answer(values=torch.outer(*bells)[None].to(question.image))


def _grey(image: Float[Tensor, "1 c h w"]) -> Float[Tensor, "1 1 h w"]:
    if image.shape[1] != len(LUMA):
        return image.mean(1, keepdim=True)
    weights = torch.tensor(LUMA).to(image).view(1, -1, 1, 1)
    grey: Tensor = (image * weights).sum(1, keepdim=True)
    return grey
