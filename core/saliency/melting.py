"""A network that melts: its layers get random weights, one after another from the last one on."""

import copy
from collections.abc import Sequence

import torch
from torch import nn

__all__ = ["melted", "weighted_layers"]


def weighted_layers(network: nn.Module) -> tuple[str, ...]:
    """Name the modules that have a weight of two dimensions or more, in their order."""
    return tuple(
        name
        for name, module in network.named_modules()
        if any(each.ndim > 1 for each in module.parameters(recurse=False))
    )


def melted(network: nn.Module, layers: Sequence[str], seed: int) -> nn.Module:
    """Copy a network with random weights in some of its layers.

    Each weight of such a layer is drawn from the normal distribution with the mean and the standard
    deviation of the trained ones; so a layer's answers stay about as large as they were. A bias is
    shuffled. The same layer gets the same weights, whatever other layers melt.

    Args:
        network: stays as it is.
        layers: names of modules.
        seed: of the weights.

    Raises: ValueError when there is no such layer.
    """
    made = copy.deepcopy(network)
    modules = dict(made.named_modules())
    names = list(modules)
    for layer in layers:
        if layer not in modules:
            raise ValueError(f"layer must be one of the network's, got {layer[:60]!r}")
        source = torch.Generator().manual_seed(seed * len(names) + names.index(layer))
        for parameter in modules[layer].parameters(recurse=False):
            values = parameter.detach()
            if values.ndim > 1:
                drawn = torch.randn(values.shape, generator=source).to(values)
                fresh = values.mean() + values.std(correction=0) * drawn
            else:
                order = torch.randperm(len(values), generator=source).to(values.device)
                fresh = values[order]
            values.copy_(fresh)
    return made.requires_grad_(False).eval()
