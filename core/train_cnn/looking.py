"""What is counted for a state: curves, mistakes, activations."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from core.shared import networks, tracing
from core.shared.blocks import Residual
from core.shared.data import Split
from core.shared.evaluating import Evaluation, at_rest
from core.shared.training import Training
from core.train_cnn import Activity, Curves, Faults

__all__ = ["activity", "curves_of", "faults", "plain", "told"]

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
# Which activations of a block are not its output's, and of which layer they are.
BLOCK, BRANCHES = {0: "a"}, {1: "3x3.reduce", 3: "5x5.reduce"}
INNER = {"res": BLOCK, "skip": BLOCK, "plain": BLOCK, "inception": BRANCHES}
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
            "robust_accuracy",
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
    """Count what each layer puts out for some images, one row of the network after the other.

    Returns: for each row of the table what it gives, and before it what its inner activations give.
    """
    found, value = [], images
    with at_rest(network):
        for name, layer in network.named_children():
            within = tracing.trace(layer, value)
            value = within.logits
            if name in ("normalise", "output"):
                continue
            squashed = [call for call in within.calls if type(call.module) in SQUASHING]
            for place, part in INNER.get(name.rstrip("0123456789"), {}).items():
                if place < len(squashed):
                    call = squashed[place]
                    found.append(_count(f"{name}.{part}", call.given, SQUASHING[type(call.module)]))
            found.append(_count(name, value, _squashing(layer)))
    return tuple(found)


def plain(counted: Activity) -> dict[str, Any]:
    """Write down what was counted in JSON values."""
    return {**asdict(counted), "counts": counted.counts.tolist()}


def told(activities: Iterable[Mapping[str, Any]]) -> tuple[Activity, ...]:
    """Read what `plain` has written."""
    return tuple(Activity(**{**each, "counts": np.array(each["counts"])}) for each in activities)


def _squashing(layer: nn.Module) -> str:
    """Name the activation that a layer's output has gone through last, "" for none."""
    for part in layer.children():
        if isinstance(part, Residual):  # what is inside its branch is not its output's
            return _squashing(part.activation)
    names = [SQUASHING[type(each)] for each in layer.modules() if type(each) in SQUASHING]
    return names[-1] if names else ""


def _count(layer: str, values: Tensor, squashing: str) -> Activity:
    flat = values.float().flatten()
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
        others = [k for k in range(values.ndim) if k != 1]  # all but the maps
        # None is below 0, so that only zeros add up to 0; the largest would be found far slower.
        idle = float((values.sum(others) == 0).float().mean())
    elif squashing in ENDS:
        bottom, top = ENDS[squashing]
        edge = EDGE * (top - bottom)
        idle = float(((flat < bottom + edge) | (flat > top - edge)).float().mean())
    found = counts.long().cpu().numpy()
    return Activity(layer, found, low, high, len(values), squashing, idle)
