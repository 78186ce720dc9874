"""The arithmetic backwards: how the gradient of one weight came about."""

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from core.feature_maps import Gradient
from core.feature_maps.fields import window_of
from core.feature_maps.looking import picture_of
from core.shared.lenet import TableConv
from core.shared.loading import load
from core.shared.models import Source
from core.shared.tracing import module_of, until

__all__ = ["weigh"]


def weigh(
    source: Source,
    pixels: Float[np.ndarray, "c h w"],
    layer: str,
    index: tuple[int, ...],
    label: int,
    rate: float,
) -> Gradient:
    """Write out the gradient of one weight, for one picture and its label.

    Args:
        source: the network.
        pixels: as `looking.look` takes them.
        layer: a convolution or a fully connected layer.
        index: of the weight: output, input, and in a convolution row and column of the kernel.
        label: the true class; the loss is its cross-entropy.
        rate: the learning rate η of the step.

    Raises: ValueError when there is no such weight or label.

    Source: Rumelhart, Hinton, Williams 1986, the generalised delta rule, ∂L/∂w = Σ δ x.
    """
    model = load(source)
    picture = picture_of(model, pixels)
    if not 0 <= label < len(model.classes):
        raise ValueError(f"label must be from 0 to {len(model.classes) - 1}, got {label}")
    name = module_of(layer)
    known: Mapping[str, nn.Module] = dict(model.network.named_modules())
    module = known.get(name)
    if not isinstance(module, (nn.Conv2d, nn.Linear)):
        raise ValueError(f"layer must be a convolution or fully connected, got {layer[:60]!r}")
    weight = module.weight.detach()
    if len(index) != weight.ndim or not all(
        0 <= i < size for i, size in zip(index, weight.shape, strict=True)
    ):
        raise ValueError(f"index must lie in a weight of {tuple(weight.shape)}, got {index}")
    taken = until(model.network, picture, layer).taken
    if taken is None:
        raise ValueError(f"layer must take maps, got {layer[:60]!r}")
    ours, heard = weight.clone().requires_grad_(), []

    def keep(_: nn.Module, __: tuple[Tensor, ...], given: Tensor) -> None:
        heard.append(given)

    handle = module.register_forward_hook(keep)
    try:
        with torch.enable_grad():
            logits = torch.func.functional_call(model.network, {f"{name}.weight": ours}, (picture,))
            loss = F.cross_entropy(logits, torch.tensor([label], device=logits.device))
            slope, delta = torch.autograd.grad(loss, [ours, heard[0]])
    finally:
        handle.remove()
    rows = _gradient_terms(module, delta[0].cpu().double(), taken.detach()[0].cpu().double(), index)
    gradient = float(slope[index])
    return Gradient(
        loss=float(loss.detach()),
        weight=float(weight[index]),
        gradient=gradient,
        computed=float((rows[0] * rows[1]).sum()),
        delta=rows[0].numpy(),
        taken=rows[1].numpy(),
        stepped=float(weight[index]) - rate * gradient,
    )


def _gradient_terms(
    module: nn.Conv2d | nn.Linear, delta: Tensor, taken: Tensor, index: tuple[int, ...]
) -> tuple[Tensor, Tensor]:
    """Give δ at each place where the weight took part, and the input that it was multiplied by."""
    if isinstance(module, nn.Linear):
        out, into = index
        return delta[..., out].reshape(-1, 1), taken[..., into].reshape(-1, 1)
    out, into, row, column = index
    _, stride, padding, dilation = window_of(module, taken)
    each = len(taken) // module.groups
    plane = taken[out // (len(delta) // module.groups) * each + into]
    height, width = delta.shape[1:]
    rows = torch.arange(height) * stride[0] - padding[0] + row * dilation[0]
    columns = torch.arange(width) * stride[1] - padding[1] + column * dilation[1]
    inside = ((rows >= 0) & (rows < plane.shape[0]))[:, None] & (
        (columns >= 0) & (columns < plane.shape[1])
    )
    values = plane[rows.clamp(0, plane.shape[0] - 1)][:, columns.clamp(0, plane.shape[1] - 1)]
    seen = float(module.table[out, into, 0, 0]) if isinstance(module, TableConv) else 1
    return delta[out], values * inside * seen
