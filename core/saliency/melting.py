"""A network that melts: its layers get random weights, one after another from the last one on."""

import copy
from collections.abc import Sequence
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float
from torch import Tensor, nn

from core.saliency.sources import source_of
from core.shared.lenet import TableConv

__all__ = ["melted", "weighted_layers"]

MELTING = 0  # what the seed of the weights is for
_known: "WeakKeyDictionary[nn.Module, tuple[str, ...]]" = WeakKeyDictionary()


def weighted_layers(network: nn.Module) -> tuple[str, ...]:
    """Name the layers with weights, in the order in which they are called.

    A layer is a module; a table of numbers that belongs to none, as a positional embedding, has a
    name of its own. What only scales and shifts each channel by itself is no layer: normalisations,
    LeNet's subsampling, the scale of a block. Where the weights before it are random, so is which
    channel has which of these.
    """
    if network not in _known:
        _known[network] = tuple(_layers(network))
    return _known[network]


def melted(network: nn.Module, layers: Sequence[str], seed: int) -> nn.Module:
    """Copy a network with random weights in some of its layers.

    Each weight of such a layer is drawn from the normal distribution with the mean and the standard
    deviation of the trained ones; so a layer's answers stay about as large as they were. A bias is
    shuffled. The same layer gets the same weights, whatever other layers melt, and on every device.
    The statistics that a normalisation has gathered stay.

    Args:
        network: stays as it is.
        layers: names as `weighted_layers` gives them.
        seed: of the weights.

    Raises: ValueError when there is no such layer.

    Source: Adebayo, Gilmer, Muelly, Goodfellow, Hardt, Kim 2018, arXiv:1810.03292, section 3
    (cascading randomisation); there weights are drawn as before training, so that also their size
    is another.
    """
    made = copy.deepcopy(network)
    known = _layers(made)
    places = {name: place for place, name in enumerate(known)}
    for layer in layers:
        if layer not in known:
            raise ValueError(f"layer must be one with weights, got {layer[:60]!r}")
        source = source_of(seed, MELTING, places[layer])
        module, parameters = known[layer]
        for parameter in parameters:
            values = parameter.detach()
            if values.ndim > 1:
                used = _used(module, values)
                drawn = torch.randn(values.shape, generator=source).to(values)
                fresh = used.mean() + used.std(correction=0) * drawn
            else:
                order = torch.randperm(len(values), generator=source).to(values.device)
                fresh = values[order]
            values.copy_(fresh)
    return made.requires_grad_(False).eval()


def _layers(network: nn.Module) -> dict[str, tuple[nn.Module, list[nn.Parameter]]]:
    """Find each layer's module, and those of its parameters that melt."""
    found: dict[str, tuple[nn.Module, list[nn.Parameter]]] = {}
    for name, module in network.named_modules():
        own = dict(module.named_parameters(recurse=False))
        mixing = [each for each, values in own.items() if _mixes(module, values)]
        if any("weight" in each for each in mixing):
            found[name] = module, list(own.values())
        else:
            for each in mixing:
                found[f"{name}.{each}".lstrip(".")] = module, [own[each]]
    return found


def _mixes(module: nn.Module, values: Tensor) -> bool:
    """Tell whether it is more than one number for each channel."""
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        return values.ndim > 1  # also where there is one channel, or a kernel of one pixel
    return sum(side > 1 for side in values.shape) > 1


def _used(module: nn.Module, values: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Leave out the weights that a table cuts off: nothing has trained them."""
    if isinstance(module, TableConv) and values.ndim > 1:
        return values[(module.table > 0).expand_as(values)]
    return values
