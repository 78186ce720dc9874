"""Networks small enough to be computed by hand, and questions about a picture for them."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from core.saliency import Query
from core.saliency.questions import Question
from core.shared.loading import Model
from core.shared.models import Source

__all__ = ["SOURCE", "Mute", "curved", "model_of", "picture", "plane", "probabilities", "question"]

SOURCE = Source(kind="built-in", name="mnist")


class Mute(nn.Module):
    """A network that must not be asked."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, images: Tensor) -> Tensor:
        raise AssertionError("asked")


def plane(classes: int = 2, shape: tuple[int, ...] = (1, 6, 5), *, seed: int = 0) -> nn.Sequential:
    """A linear network."""
    source = torch.Generator().manual_seed(seed)
    layer = nn.utils.skip_init(nn.Linear, int(np.prod(shape)), classes)
    layer.weight.data = 0.5 * torch.randn(layer.weight.shape, generator=source)
    layer.bias.data = -layer.weight.data.sum(1) / 2
    return nn.Sequential(nn.Flatten(), layer).requires_grad_(False).eval()


def curved(classes: int = 3, shape: tuple[int, ...] = (3, 6, 5), *, seed: int = 0) -> nn.Sequential:
    """A network with a bend in it."""
    first, last = plane(16, shape, seed=seed), plane(classes, (16,), seed=seed + 1)
    return nn.Sequential(first, nn.Tanh(), last).requires_grad_(False).eval()


def model_of(network: nn.Module, shape: tuple[int, int, int], classes: int = 2) -> Model:
    """Put a network where a loaded one would be."""
    return Model(SOURCE, network, tuple(map(str, range(classes))), shape, "")


def picture(shape: tuple[int, int, int] = (1, 6, 5), *, seed: int = 1) -> Float[Tensor, "1 c h w"]:
    """A picture of whole 255ths, none black or white; of a small one no two values are alike."""
    source = torch.Generator().manual_seed(seed)
    count = shape[0] * shape[1] * shape[2]
    levels = torch.randperm(count, generator=source) * 249 // count + 3
    return (levels.reshape(1, *shape) / 255).float()


def question(
    network: nn.Module, image: Float[Tensor, "1 c h w"], query: Query | None = None
) -> Question:
    """Ask about the query's target, or the first class."""
    query = query or Query(target=0)
    shape = image.shape[1], image.shape[2], image.shape[3]
    return Question(model_of(network, shape), network, image, query.target or 0, query)


def probabilities(
    network: nn.Module, picture: Float[np.ndarray, "c h w"]
) -> Float[np.ndarray, " k"]:
    """Read one picture, as the definition of the softmax has it."""
    with torch.no_grad():
        logits = network(torch.tensor(picture, dtype=torch.float32)[None])[0].double().numpy()
    raised = np.exp(logits - logits.max())
    shares: Float[np.ndarray, " k"] = raised / raised.sum()
    return shares
