"""Record what each layer of a network takes and gives for some images, and leave nothing behind.

A layer is a call of a module. What only passes on is none: a container that gives what its last
part gave, a dropout at rest. A module that is called twice makes two layers, the second "relu:2".
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from jaxtyping import Float
from torch import Tensor, nn

__all__ = [
    "Call",
    "Trace",
    "altered",
    "as_maps",
    "kept",
    "module_of",
    "trace",
    "until",
]

MAP_RANK, TOKEN_RANK = 4, 3
LAST = (nn.Linear, nn.LayerNorm, nn.Embedding)  # their channels are the last dimension


class Call(NamedTuple):
    """One call of a module."""

    name: str  # of the module in the network, with ":2" at its second call
    module: nn.Module
    taken: Tensor | None  # what it was given first, with the batch
    given: Tensor  # what it gave, with the batch
    last: bool = False  # maps with their channels last, as the layer before gave them

    @property
    def axis(self) -> int:
        """Tell which dimension of what the layer gives counts its channels."""
        if self.given.ndim != MAP_RANK:
            return 2 if self.given.ndim == TOKEN_RANK else 1
        permuted = vars(self.module).get("dims") == [0, 2, 3, 1]  # torchvision's Permute
        # By the very type: torchvision's LayerNorm2d is a layer norm that gives its channels first.
        return MAP_RANK - 1 if self.last or permuted or type(self.module) in LAST else 1


@dataclass(frozen=True, slots=True)
class Trace:
    """All calls of one pass through a network, in their order."""

    calls: tuple[Call, ...]
    logits: Float[Tensor, "n ..."]  # of a part of a network what it gives

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


def trace(network: nn.Module, images: Float[Tensor, "n ..."]) -> Trace:
    """Run images through a network, or what a part of one takes through it, and keep every call.

    Args:
        network: pixels to logits, or a part; it stays as it is. Its parts must be the same from
            its first trace on: in which order they are called is found out once.
        images: pixels from 0 to 1, on its device.
    """
    calls: list[Call] = []
    logits = _run(network, images, calls.append)
    return Trace(tuple(calls), logits)


def until(network: nn.Module, images: Float[Tensor, "n c h w"], name: str) -> Call:
    """Run images through a network as far as one layer.

    Raises: ValueError when there is no such layer.
    """

    def heard(call: Call) -> None:
        if call.name == name:
            raise _Reached(call)

    try:
        _run(network, images, heard)
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

    logits = _run(network, images, heard)
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

    logits = _run(network, images, heard)
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
    given = call.given
    if given.ndim == MAP_RANK:
        return given if call.axis == 1 else given.movedim(call.axis, 1)
    if given.ndim == TOKEN_RANK:
        tokens = given.transpose(1, 2)
        for first in (1, 0):
            side = round((tokens.shape[2] - first) ** 0.5)
            if side > 1 and side * side == tokens.shape[2] - first:
                field: Tensor = tokens[:, :, first:].unflatten(2, (side, side))
                return field
        return tokens[..., None]
    return given.flatten(1)[..., None, None]


def _unknown(name: str) -> ValueError:
    return ValueError(f"layer must be one of the network's, got {name[:60]!r}")


class _Plan:
    """The parts of a network in the order in which they are called, as far as that is known.

    What sequences of sequences call one by one needs no hook; only what a block calls within does.
    The network itself is not among them: held here it would never be forgotten.
    """

    def __init__(self, network: nn.Module) -> None:
        names = {id(module): name for name, module in network.named_modules()}
        called = [*_unrolled(network)]
        self.chain = [(names[id(module)], module) for module in called if module is not network]
        self.within = [
            (names[id(part)], part)
            for module in called
            for part in module.modules()
            if part is not module and type(part) is not nn.Sequential
        ]


def _unrolled(module: nn.Module) -> Iterator[nn.Module]:
    if type(module) is nn.Sequential:
        for part in module:
            yield from _unrolled(part)
    else:
        yield module


_plans: WeakKeyDictionary[nn.Module, _Plan] = WeakKeyDictionary()


def _run(
    network: nn.Module, images: Float[Tensor, "n ..."], heard: Callable[[Call], object]
) -> Float[Tensor, "n ..."]:
    """Run images through a network and tell of every call that is a layer.

    Where a tensor is answered, the layer gives that instead.
    """
    times: dict[str, int] = {}
    before: list[Any] = [None, False]  # what was given last, and whether its channels come last

    def listen(name: str, module: nn.Module, taken: tuple[Any, ...], given: Any) -> Any:
        value = given[0] if isinstance(given, tuple) else given  # attention gives its weights too
        first = taken[0] if taken and isinstance(taken[0], Tensor) else None
        if value is before[0] or value is first or not isinstance(value, Tensor):
            return None
        follows = first is before[0] and first is not None and first.shape == value.shape
        times[name] = times.get(name, 0) + 1
        if times[name] > 1:
            name = f"{name}:{times[name]}"
        call = Call(name, module, first, value, bool(follows and before[1]))
        before[:] = value, value.ndim == MAP_RANK and call.axis == MAP_RANK - 1
        answer = heard(call)
        if not isinstance(answer, Tensor):
            return None
        before[0] = answer
        return (answer, *given[1:]) if isinstance(given, tuple) else answer

    if network not in _plans:
        _plans[network] = _Plan(network)
    plan, value = _plans[network], images
    handles = [part.register_forward_hook(partial(listen, name)) for name, part in plan.within]
    try:
        for name, module in plan.chain or [("", network)]:
            given = module(value)
            answer = listen(name, module, (value,), given) if name else None
            value = given if answer is None else answer
    finally:
        for handle in handles:
            handle.remove()
    return value
