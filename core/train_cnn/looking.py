"""What is counted for a state: curves, mistakes, activations."""

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from core.shared import networks
from core.shared.blocks import Residual
from core.shared.data import Split
from core.shared.evaluating import Evaluation, at_rest
from core.shared.training import Training
from core.train_cnn import Activity, Curves, Faults

__all__ = ["activity", "curves_of", "faults"]

SHOWN = 12  # images of a cell or of the worst mistakes
BINS = 32
SQUASHING: dict[type[nn.Module], str] = {
    nn.ReLU: "relu",
    nn.LeakyReLU: "leaky",
    nn.GELU: "gelu",
    nn.Sigmoid: "sigmoid",
    nn.Tanh: "tanh",
    networks.Squash: "squash",
}
ENDS = {"tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0), "squash": (-1.7159, 1.7159)}
EDGE = 0.05  # share of the range that counts as its end


def curves_of(training: Training) -> Curves:
    """Draw up the curves of a training so far."""
    rows = {
        name: np.array([getattr(point, name) for point in training.points], float)
        for name in (
            "training_loss",
            "training_accuracy",
            "validation_loss",
            "validation_accuracy",
        )
    }
    return Curves(
        epoch=np.array([point.seen / training.images for point in training.points]),
        **rows,
        changes=tuple(
            (each.seen / training.images, each.name, each.value) for each in training.changes
        ),
    )


def faults(evaluation: Evaluation, split: Split, cell: tuple[int, int] | None) -> Faults:
    """Find the worst mistakes, or the images of one cell of the confusion matrix.

    Args:
        evaluation: of the first so many images of the split.
        split: the images.
        cell: the true class and the one that was read; None for all mistakes.

    Returns: those with the lowest probability of the true class, the lowest first.
    """
    logits = evaluation.logits
    labels = split.labels[: len(logits)].cpu()
    probabilities = logits.double().softmax(1)
    read = logits.argmax(1)
    chosen = read != labels if cell is None else (labels == cell[0]) & (read == cell[1])
    p_true = probabilities.gather(1, labels[:, None])[:, 0]
    places = chosen.nonzero()[:, 0]
    worst = places[p_true[places].argsort(stable=True)[:SHOWN]]
    images = split.images[worst.to(split.images.device)]
    return Faults(
        cell=cell,
        count=len(places),
        index=worst.numpy(),
        images=images.mul(255).round().byte().cpu().numpy(),
        true=labels[worst].numpy(),
        read=read[worst].numpy(),
        p_true=p_true[worst].numpy(),
        p_read=probabilities[worst, read[worst]].numpy(),
    )


def activity(network: nn.Sequential, images: Float[Tensor, "n c h w"]) -> tuple[Activity, ...]:
    """Count what each layer puts out for some images, one layer after the other."""
    found, value = [], images
    with at_rest(network):
        for name, layer in network.named_children():
            value = layer(value)
            if name not in ("normalise", "output"):
                found.append(_count(name, value.float(), _squashing(layer)))
    return tuple(found)


def _squashing(layer: nn.Module) -> str:
    """Name the activation that a layer's output has gone through last, "" for none."""
    for part in layer.children():
        if isinstance(part, Residual):  # what is inside its branch is not its output's
            return _squashing(part.activation)
    names = [SQUASHING[type(each)] for each in layer.modules() if type(each) in SQUASHING]
    return names[-1] if names else ""


def _count(layer: str, values: Tensor, squashing: str) -> Activity:
    flat = values.flatten()
    low, high = map(float, flat.aminmax())
    finite = flat if math.isfinite(low + high) else flat[flat.isfinite()]
    if finite is not flat:
        low, high = map(float, finite.aminmax()) if len(finite) else (0.0, 0.0)
    counts = torch.zeros(BINS)
    if high > low:
        counts = torch.histc(finite, BINS, low, high)
    else:
        counts[BINS // 2] = len(finite)
    idle = None
    if squashing == "relu":
        units = values.transpose(0, 1).flatten(1)
        idle = float((units.amax(1) == 0).float().mean())
    elif squashing in ENDS:
        bottom, top = ENDS[squashing]
        edge = EDGE * (top - bottom)
        idle = float(((flat < bottom + edge) | (flat > top - edge)).float().mean())
    found = counts.long().cpu().numpy()
    return Activity(layer, found, low, high, len(values), squashing, idle)
