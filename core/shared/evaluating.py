"""How a network reads images, and how well; nothing in it moves by that."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from core.shared import devices
from core.shared.data import Split
from core.shared.recipes import Recipe

__all__ = [
    "CHUNK",
    "Evaluation",
    "at_rest",
    "evaluate",
    "judge",
    "loss_of",
    "margins",
    "quickest",
    "read",
]

CHUNK = 250  # images a forward pass outside of training


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How a network does on a set of images."""

    loss: float  # mean over the images
    accuracy: float
    confusion: Int[Tensor, "k k"]  # row: the true class, column: the class that was read
    logits: Float[Tensor, "n k"]  # on the CPU


def loss_of(
    recipe: Recipe, logits: Float[Tensor, "n k"], labels: Int[Tensor, " n"], smoothing: float = 0.0
) -> Float[Tensor, ""]:
    """Compute the mean loss of some images: cross-entropy in nats, or ½ Σ (σ(z) − y)²."""
    if recipe.loss == "squared":
        targets = F.one_hot(labels, logits.shape[1])
        return (logits.sigmoid() - targets).square().sum(1).mean() / 2
    return F.cross_entropy(logits, labels, label_smoothing=smoothing)


def evaluate(network: nn.Module, split: Split, recipe: Recipe | None = None) -> Evaluation:
    """Read every image of a split; each module's mode and the gradients stay as they are."""
    logits = torch.cat([read(network, images) for images in split.images.split(CHUNK)])
    return judge(logits, split.labels, recipe or Recipe())


def read(network: nn.Module, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
    """Compute the logits of some images, on the network's device."""
    devices.pulse()  # a large network takes its time for many images
    with at_rest(network):
        return quickest(network)(images)


@contextmanager
def at_rest(network: nn.Module) -> Iterator[None]:
    """Look at a network as it reads, not as it learns; then each module's mode is what it was."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, was_training in modes:
            module.training = was_training


@torch.no_grad()
def judge(logits: Float[Tensor, "n k"], labels: Int[Tensor, " n"], recipe: Recipe) -> Evaluation:
    """Count what logits make of their labels; the loss is the recipe's, without smoothing."""
    classes = logits.shape[1]
    pairs = torch.bincount(labels * classes + logits.argmax(1), minlength=classes**2)
    confusion = pairs.view(classes, classes).cpu()
    return Evaluation(
        loss=float(loss_of(recipe, logits, labels)),
        accuracy=float(confusion.trace()) / len(labels),
        confusion=confusion,
        logits=logits.cpu(),
    )


def quickest(network: nn.Module) -> Callable[[Tensor], Tensor]:
    """Give the network's quickest way from pixels to logits."""
    way: Callable[[Tensor], Tensor] = getattr(network, "at_once", network)
    return way


def margins(logits: Float[Tensor, "n k"], classes: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Tell by how much the logit of each image's class is above the largest other one."""
    own = logits.gather(1, classes[:, None])[:, 0]
    # By −∞, not by 0: logits may all be below 0.
    return own - logits.scatter(1, classes[:, None], -torch.inf).amax(1)
