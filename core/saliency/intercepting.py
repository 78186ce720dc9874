"""Another way back through a network: its own way forward, its nonlinearities' gradients changed.

It is done while the pictures pass, by standing in for torch's functions. So it makes no difference
whether a module or a function is called, how often the same module is, or whether it writes over
what it is given; and the network stays as it is, without hooks.
"""

from collections.abc import Callable, Iterator
from inspect import signature
from types import FunctionType
from typing import NamedTuple, TypeGuard

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import FunctionCtx

__all__ = ["Applied", "WayBack", "changed", "elementwise", "everywhere", "follows"]

NAMES = (
    *("abs", "celu", "clamp", "clamp_max", "clamp_min", "elu", "erf", "exp", "gelu", "hardsigmoid"),
    *("hardswish", "hardtanh", "leaky_relu", "log", "logsigmoid", "mish", "prelu"),
    *("reciprocal", "relu", "relu6", "rsqrt", "selu", "sigmoid", "silu", "softplus", "softsign"),
    *("sqrt", "square", "tanh", "threshold"),
)


class Applied(NamedTuple):
    """A function that is applied to values which follow from the pictures."""

    name: str  # without the "_" of one that writes over what it is given
    values: Tensor
    function: Callable[[Tensor], Tensor]  # with its settings; it writes over nothing
    over: bool = False  # whether the values are to be written over


WayBack = Callable[[Tensor], Tensor]  # from the slope by what is given to that by what is taken
Rule = Callable[[Applied, Tensor], WayBack]  # which, for a function and what it gives


def elementwise(
    function: Callable[..., object], given: tuple[object, ...], named: dict[str, object]
) -> Applied | None:
    """Read a call of one of torch's functions, as `__torch_function__` is told of it.

    Returns: None where it does not take each value for itself, or none follows from the pictures.
    """
    if function not in _KNOWN:
        return None
    name, plain = _KNOWN[function]
    over = function.__name__.endswith("_")
    if isinstance(function, FunctionType):  # those in C have no signature, and no `inplace`
        bound = signature(function).bind(*given, **named)
        over = bool(bound.arguments.pop("inplace", False))
        given, named = bound.args, bound.kwargs
    settings = {key: value for key, value in named.items() if key != "input"}
    values, *more = given or (named["input"],)
    if not follows(values) or any(follows(each) for each in (*more, *settings.values())):
        return None
    return Applied(name, values, lambda each: plain(each, *more, **settings), over)


def follows(value: object) -> TypeGuard[Tensor]:
    """Tell whether a value follows from the pictures: nothing else needs a gradient."""
    return isinstance(value, Tensor) and value.requires_grad


def changed(applied: Applied, rule: Rule) -> Tensor:
    """Give what the function gives, with the way back that a rule has for it.

    Args:
        applied: the function, and to what.
        rule: the way back that it makes keeps neither the values nor what the function gives.
    """
    given: Tensor = _Changed.apply(applied.values, applied, rule)  # type: ignore[no-untyped-call] # torch's
    return given


def everywhere(*names: str) -> Iterator[tuple[Callable[..., object], str]]:
    """Find what torch has under these names: functions and methods, also those with a "_"."""
    for name in names:
        for place in (F, torch, Tensor):
            for each in (name, f"{name}_"):
                if hasattr(place, each):
                    yield getattr(place, each), name


class _Changed(torch.autograd.Function):
    """What a function gives, and another way back."""

    @staticmethod
    def forward(ctx: FunctionCtx, values: Tensor, applied: Applied, rule: Rule) -> Tensor:
        given = applied.function(values)
        ctx.way_back = rule(applied, given)  # type: ignore[attr-defined] # it is there for that
        if not applied.over:
            return given
        ctx.mark_dirty(values)
        return values.copy_(given)

    @staticmethod
    def backward(ctx: FunctionCtx, slope: Tensor) -> tuple[Tensor, None, None]:
        return ctx.way_back(slope), None, None  # type: ignore[attr-defined] # as above


def _plain(name: str) -> Callable[..., Tensor]:
    """Find the function of this name that writes over nothing."""
    found: Callable[..., Tensor] = getattr(F, name, None) or getattr(torch, name)
    return found


_KNOWN = {function: (name, _plain(name)) for function, name in everywhere(*NAMES)}
