"""Small networks, linear and not, and all that is said of why they answer as they do."""

from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from core.saliency import Attribution, Query
from core.saliency.explaining import explained
from core.shared.loading import Model
from core.shared.models import Source

__all__ = [
    "attribution",
    "convolutional",
    "linear",
    "model_of",
    "picture",
    "seeded",
]

N = TypeVar("N", bound=nn.Module)


def seeded(network: N, seed: int = 0) -> N:
    """A network with weights of the seed, at rest; the biases are large enough to matter."""
    source = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for each in network.parameters():
            scale = (each.numel() / len(each)) ** -0.5 if each.ndim > 1 else 0.3
            each.copy_(scale * torch.randn(each.shape, generator=source))
    network.requires_grad_(False).eval()
    return network


def picture(channels: int = 1, height: int = 8, width: int = 8, *, seed: int = 1) -> Tensor:
    source = torch.Generator().manual_seed(seed)
    return torch.rand(1, channels, height, width, generator=source)


def linear(channels: int = 1, height: int = 8, width: int = 8, *, seed: int = 0) -> nn.Sequential:
    return seeded(nn.Sequential(nn.Flatten(), nn.Linear(channels * height * width, 3)), seed)


def convolutional(channels: int = 1, *, seed: int = 0, pooled: bool = True) -> nn.Sequential:
    """A network for pictures of 8×8; its last maps are as large, or half as large."""
    last = 6 * (4 if pooled else 8) ** 2
    return seeded(
        nn.Sequential(
            nn.Conv2d(channels, 4, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(4, 6, 3, padding=1),
            nn.Tanh(),
            nn.MaxPool2d(2) if pooled else nn.Identity(),
            nn.Flatten(),
            nn.Linear(last, 3),
        ),
        seed,
    )


def model_of(network: nn.Module, image: Tensor) -> Model:
    with torch.no_grad():
        classes = network(image).shape[1]
    shape = (image.shape[1], image.shape[2], image.shape[3])
    source = Source(kind="built-in", name="mnist")  # nobody loads it
    return Model(source, network, tuple(map(str, range(classes))), shape, "")


def attribution(network: nn.Module, image: Tensor, method: str, **asked: Any) -> Attribution:
    """Explain class 0, unless another is asked for."""
    work = explained(
        model_of(network, image), image, Query(method=method, **{"target": 0, **asked})
    )
    while True:
        try:
            next(work)
        except StopIteration as end:
            given: Attribution = end.value
            return given
