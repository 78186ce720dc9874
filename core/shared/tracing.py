"""Record what each layer of a network takes and gives for some images, and leave nothing behind.

A layer is a call of a module. What only passes on is none: a container that gives what its last
part gave, a dropout at rest. A module that is called twice makes two layers, the second "relu:2".
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

__all__ = [
    "Call",
    "Trace",
    "altered",
    "as_maps",
    "channel_axis",
    "kept",
    "module_of",
    "trace",
    "until",
]

MAP_RANK, TOKEN_RANK = 4, 3
LAST = (nn.Linear, nn.LayerNorm, nn.Embedding)  # their channels are the last dimension


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a module."""

    name: str  # of the module in the network, with ":2" at its second call
    module: nn.Module
    taken: Tensor | None  # what it was given first, with the batch
    given: Tensor  # what it gave, with the batch
    last: bool = False  # maps with their channels last, as the layer before gave them


@dataclass(frozen=True, slots=True)
class Trace:
    """All calls of one pass through a network, in their order."""

    calls: tuple[Call, ...]
    logits: Float[Tensor, "n k"]

    def __getitem__(self, name: str) -> Call:
        """Find a call by its name.

        Raises: ValueError when there is none.
        """
        for call in self.calls:
            if call.name == name:
                return call
        raise _unknown(name)


class _Reached(Exception):  # noqa: N818 – it is no error
    """The layer that was asked for has given its output; the rest need not be computed."""

    def __init__(self, call: Call) -> None:
        self.call = call


def trace(network: nn.Module, images: Float[Tensor, "n c h w"]) -> Trace:
    """Run images through a network and keep every call.

    Args:
        network: pixels to logits; it stays as it is.
        images: pixels from 0 to 1, on its device.
    """
    calls: list[Call] = []
    with _listening(network, calls.append):
        logits = network(images)
    return Trace(tuple(calls), logits)


def until(network: nn.Module, images: Float[Tensor, "n c h w"], name: str) -> Call:
    """Run images through a network as far as one layer.

    Raises: ValueError when there is no such layer.
    """

    def heard(call: Call) -> None:
        if call.name == name:
            raise _Reached(call)

    try:
        with _listening(network, heard):
            network(images)
    except _Reached as reached:
        return reached.call
    raise _unknown(name)


def kept(network: nn.Module, images: Float[Tensor, "n c h w"], names: Collection[str]) -> Trace:
    """Run images through a network and keep the calls of these names alone.

    Raises: ValueError when there is no such layer.
    """
    calls: list[Call] = []

    def heard(call: Call) -> None:
        if call.name in names:
            calls.append(call)

    with _listening(network, heard):
        logits = network(images)
    missing = set(names) - {call.name for call in calls}
    if missing:
        raise _unknown(min(missing))
    return Trace(tuple(calls), logits)


def altered(
    network: nn.Module,
    images: Float[Tensor, "n c h w"],
    name: str,
    alter: Callable[[Call], Tensor],
) -> Float[Tensor, "n k"]:
    """Run images through a network in which one layer gives something else; no weight moves.

    Args:
        network: pixels to logits; it stays as it is.
        images: pixels from 0 to 1, on its device.
        name: of the layer.
        alter: what it gives instead, in the same shape; it writes nothing into what it is given.

    Raises: ValueError when there is no such layer.
    """
    met = False

    def heard(call: Call) -> Tensor | None:
        nonlocal met
        if call.name != name:
            return None
        met = True
        return alter(call)

    with _listening(network, heard):
        logits: Tensor = network(images)
    if not met:
        raise _unknown(name)
    return logits


def module_of(name: str) -> str:
    """Give the name of the module whose call this is."""
    return name.partition(":")[0]


def as_maps(call: Call) -> Float[Tensor, "n c h w"]:
    """See an output as maps: a vector as maps of one pixel, tokens as a field of patches.

    A class token is left out of the field. Where tokens make no square they stand in a column.
    """
    given = call.given.detach()
    if given.ndim == MAP_RANK:
        return given.movedim(channel_axis(call), 1)
    if given.ndim == TOKEN_RANK:
        tokens = given.transpose(1, 2)
        for first in (1, 0):
            side = round((tokens.shape[2] - first) ** 0.5)
            if side > 1 and side * side == tokens.shape[2] - first:
                field: Tensor = tokens[:, :, first:].unflatten(2, (side, side))
                return field
        return tokens[..., None]
    return given.flatten(1)[..., None, None]


def channel_axis(call: Call) -> int:
    """Tell which dimension of what a layer gives counts its channels."""
    given, module = call.given, call.module
    permuted = tuple(getattr(module, "dims", ())) == (0, 2, 3, 1)  # torchvision's Permute
    # By the very type: torchvision's LayerNorm2d is a layer norm that gives its channels first.
    last = given.ndim == MAP_RANK and (permuted or call.last or type(module) in LAST)
    return given.ndim - 1 if last or given.ndim == TOKEN_RANK else 1


def _unknown(name: str) -> ValueError:
    return ValueError(f"layer must be one of the network's, got {name[:60]!r}")


@contextmanager
def _listening(network: nn.Module, heard: Callable[[Call], object]) -> Iterator[None]:
    """Tell of every call that is a layer, for as long as the context lasts.

    Where a tensor is answered, the layer gives that instead.
    """
    names = {id(module): name for name, module in network.named_modules()}
    times: Counter[str] = Counter()
    last: list[Any] = [None, False]  # what was given last, and whether its channels come last

    def hook(module: nn.Module, taken: tuple[Any, ...], given: Any) -> Any:
        value = given[0] if isinstance(given, tuple) else given  # attention gives its weights too
        first = taken[0] if taken and isinstance(taken[0], Tensor) else None
        passed_on = value is last[0] or value is first
        if not isinstance(value, Tensor) or passed_on or not names[id(module)]:
            return None
        follows = first is last[0] and first is not None and first.shape == value.shape
        name = names[id(module)]
        times[name] += 1
        if times[name] > 1:
            name = f"{name}:{times[name]}"
        call = Call(name, module, first, value, bool(follows and last[1]))
        last[:] = value, value.ndim == MAP_RANK and channel_axis(call) == MAP_RANK - 1
        answer = heard(call)
        if not isinstance(answer, Tensor):
            return None
        last[0] = answer
        return (answer, *given[1:]) if isinstance(given, tuple) else answer

    handles = [module.register_forward_hook(hook) for module in network.modules()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
