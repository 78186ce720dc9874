"""A network whose normalisations are folded into the convolutions before them.

At rest both are linear, so one does for two, and quicker. It is the same function but for its last
bits: for work that asks a network very often, where the network itself has the last word. Where no
gradient is asked for, the largest of a window is taken without its place, which changes no value.
"""

import copy
from dataclasses import dataclass
from itertools import pairwise
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from core.shared.tracing import trace

__all__ = ["Halving", "folded", "folded_at"]

ALIKE = 1e-4  # of the largest value: by so much the two may differ, in float32
_known: "WeakKeyDictionary[nn.Module, _Copy | None]" = WeakKeyDictionary()


class Halving(nn.MaxPool2d):
    """The largest of each two by two values; without a gradient, at a quarter of torch's time."""

    def __init__(self) -> None:
        super().__init__(2)

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c _ _"]:
        """Give the largest of each window; a last odd row or column is dropped."""
        if torch.is_grad_enabled() and maps.requires_grad:
            return F.max_pool2d(maps, 2)  # where values are equal its slope goes to the first
        rows, columns = (side // 2 * 2 for side in maps.shape[2:])
        taller = torch.maximum(maps[:, :, 0:rows:2], maps[:, :, 1:rows:2])
        return torch.maximum(taller[..., 0:columns:2], taller[..., 1:columns:2])


def folded(network: nn.Module, shape: tuple[int, int, int]) -> nn.Module:
    """Give a quicker copy of a network at rest, or the network where there is nothing to fold.

    Args:
        network: in eval mode; it stays as it is.
        shape: of the pictures that it takes.

    Returns: what answers a picture of noise as the network does; so modules that stand beside each
        other and are not called one after the other do no harm.
    """
    made = _copy_of(network, shape)
    return made.network if made else network


def folded_at(network: nn.Module, shape: tuple[int, int, int], layer: str) -> nn.Module:
    """Give the quicker copy if on noise it gives the same at a layer too, else the network.

    Args:
        network: in eval mode; it stays as it is.
        shape: of the pictures that it takes.
        layer: one of those that `tracing.trace` meets.
    """
    made = _copy_of(network, shape)
    return made.network if made and layer in made.layers else network


@dataclass(frozen=True, slots=True)
class _Copy:
    """A quicker copy of a network."""

    network: nn.Module
    layers: frozenset[str]  # that give the same; not where a normalisation is folded in, or was


def _copy_of(network: nn.Module, shape: tuple[int, int, int]) -> _Copy | None:
    if network not in _known:
        _known[network] = _fold(network, shape)
    return _known[network]


def _near(one: Tensor, other: Tensor) -> bool:
    alike = one.shape == other.shape
    return alike and bool((one - other).abs().max() <= ALIKE * other.abs().max())


def _alike(pool: nn.MaxPool2d) -> tuple[object, ...]:
    """List what makes one pooling another; a pair of equal numbers is that number."""
    sizes = (pool.kernel_size, pool.stride, pool.padding, pool.dilation)
    told = [each if isinstance(each, tuple) else (each, each) for each in sizes]
    return (*told, pool.return_indices, pool.ceil_mode)


@torch.no_grad()
def _fold(network: nn.Module, shape: tuple[int, int, int]) -> _Copy | None:
    if not any(isinstance(part, nn.BatchNorm2d) for part in network.modules()):
        return None
    made = copy.deepcopy(network)
    for module in made.modules():
        parts = list(module.named_children())
        for (name, first), (place, second) in pairwise(parts):
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                setattr(module, name, fuse_conv_bn_eval(first, second).requires_grad_(False))
                setattr(module, place, nn.Identity())
        for name, part in parts:
            if isinstance(part, nn.MaxPool2d) and _alike(part) == _alike(Halving()):
                setattr(module, name, Halving())
    made.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    device = next(network.parameters()).device
    noise = torch.rand((1, *shape), generator=torch.Generator().manual_seed(0)).to(device)
    own, other = trace(network, noise), trace(made, noise)
    if not _near(other.logits, own.logits):
        return None
    given = {call.name: call.given for call in other.calls}
    near = (
        each.name
        for each in own.calls
        if each.name in given and _near(given[each.name], each.given)
    )
    return _Copy(made, frozenset(near))
