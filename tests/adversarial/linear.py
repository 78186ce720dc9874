"""Networks so simple that the best attack on them is known in closed form."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from core.shared import data

__all__ = ["inner_images", "linear", "trained", "two_class_distances"]

COUNT = 200  # of the digits


def linear(
    classes: int, channels: int = 1, side: int = 6, *, seed: int = 0, scale: float = 1.0
) -> nn.Module:
    """A linear classifier of small images; its weights are drawn from the seed."""
    source = torch.Generator().manual_seed(seed)
    layer = nn.Linear(channels * side * side, classes)
    with torch.no_grad():
        layer.weight.copy_(scale * torch.randn(layer.weight.shape, generator=source))
        layer.bias.copy_(-layer.weight.sum(1) / 2 + 0.1 * torch.randn(classes, generator=source))
    return nn.Sequential(nn.Flatten(), layer).requires_grad_(False)


def inner_images(
    count: int, channels: int = 1, side: int = 6, *, seed: int = 1
) -> Float[Tensor, "n c h w"]:
    """Images of whole 255ths, none of whose pixels is near black or white."""
    source = torch.Generator().manual_seed(seed)
    return torch.randint(96, 160, (count, channels, side, side), generator=source) / 255


def two_class_distances(
    network: nn.Module, images: Float[Tensor, "n c h w"]
) -> tuple[Float[Tensor, " n"], Float[Tensor, " d"]]:
    """Give the difference of the two logits, f, and its gradient w."""
    layer = network[1]  # type: ignore[index]
    weight = layer.weight[0] - layer.weight[1]
    logits = network(images)
    return (logits[:, 0] - logits[:, 1]).abs(), weight


def trained() -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    """A linear classifier of digits by least squares, and some test images with their labels."""
    known = data.dataset("mnist", torch.device("cpu"))
    images, labels = known.training.images[:5_000], known.training.labels[:5_000]
    x = torch.cat([images.flatten(1), torch.ones(len(images), 1)], 1).double()
    y = nn.functional.one_hot(labels, 10).double()
    weights = torch.linalg.solve(x.T @ x + 30 * torch.eye(x.shape[1]), x.T @ y).float()
    layer = nn.Linear(784, 10)
    with torch.no_grad():
        layer.weight.copy_(10 * weights[:-1].T)
        layer.bias.copy_(10 * weights[-1])
    network = nn.Sequential(nn.Flatten(), layer).requires_grad_(False)
    right = network(known.test.images[:COUNT]).argmax(1) == known.test.labels[:COUNT]
    assert right.float().mean() > 0.75
    return network, known.test.images[:COUNT], known.test.labels[:COUNT]
