"""What a block adds or joins: those of its layers whose outputs, put together, are what it gives.

They are read off the order of the calls, and held against the block's own output.
"""

from dataclasses import dataclass
from itertools import accumulate, takewhile

import torch
from jaxtyping import Float
from torch import Tensor

from core.shared.tracing import Call, Trace, module_of

__all__ = ["Part", "added", "joined"]

MAPS = 4  # dimensions of a batch of maps
CLOSE = 1e-6  # of the largest summand: float32 rounds each sum at 6e-8 of it
SCALE = "layer_scale"  # what ConvNeXt's blocks multiply each channel of their branch by


@dataclass(frozen=True, slots=True)
class Part:
    """What one layer has in a sum or a join."""

    name: str  # "block7.project.norm"; "block7 takes" for what block7 is given; "scale · layer"
    given: Tensor  # with the batch
    factor: Tensor | None = None  # by which the sum takes it

    @property
    def value(self) -> Tensor:
        """Give it in float64, as the sum takes it."""
        exact = self.given.detach().cpu().double()
        return exact if self.factor is None else exact * self.factor.detach().cpu().double()


def added(way: Trace, call: Call) -> tuple[Part, ...]:
    """Find the summands of what a block gives, or of what the activation at a block's end takes.

    Args:
        way: the pass that the call is of.
        call: of a block or of an activation.

    Returns: two parts or more, each of the shape of the sum; () where none give it.
    """
    if [*call.module.children()]:
        block, total, inner = call.name, call.given, _inside(way, call, call.name)
        into = call.taken
    else:
        if call.taken is None or any(call.taken is each.given for each in way.calls):
            return ()
        block, total, inner = call.name, call.taken, ()
        while "." in block and not inner:
            block = block.rpartition(".")[0]
            inner = _inside(way, call, block)
        into = inner[0].taken if inner else None
    ends = tuple(Part(each.name, each.given) for each in _ends(inner))
    scale = getattr(call.module, SCALE, None)
    if isinstance(scale, Tensor):
        scaled = (f"{block}.{SCALE} · {part.name}" for part in ends)
        ends = tuple(Part(name, part.given, scale) for name, part in zip(scaled, ends, strict=True))
    taken = () if into is None else (Part(f"{block} takes", into),)
    for parts in (ends, (*taken, *ends)):
        # Of a module that is called again, a name alone does not say which call is meant.
        if len(parts) > 1 and not any(":" in part.name for part in parts) and _give(parts, total):
            return parts
    return ()


def joined(way: Trace, call: Call, channel: int) -> tuple[Part, int] | None:
    """Find the branch of a block which gives a channel of the join, and which of its own it is.

    Args:
        way, call: as `added` takes them; here of a block.
        channel: of what the block gives.
    """
    ends = _ends(_inside(way, call, call.name))
    outputs = [each.given for each in ends]
    if len(ends) <= 1 or call.given.ndim != MAPS:
        return None
    if any(each.shape[2:] != call.given.shape[2:] for each in outputs) or not torch.equal(
        torch.cat(outputs, 1), call.given
    ):
        return None
    starts = accumulate((each.shape[1] for each in outputs[:-1]), initial=0)
    start, end = max(
        (pair for pair in zip(starts, ends, strict=True) if pair[0] <= channel),
        key=lambda pair: pair[0],
    )
    return Part(end.name, end.given), channel - start


def _inside(way: Trace, call: Call, block: str) -> tuple[Call, ...]:
    """Find the calls within a block that lead to this one, in their order."""
    before = [*takewhile(lambda each: each is not call, way.calls)]
    prefix = f"{module_of(block)}."
    within = takewhile(lambda each: each.name.startswith(prefix), reversed(before))
    return tuple(within)[::-1]


def _ends(inner: tuple[Call, ...]) -> list[Call]:
    """Leave those whose output no other takes, and of a block within only the block itself."""
    taken = {id(each.taken) for each in inner}
    blocks = tuple(f"{each.name}." for each in inner)
    return [
        each for each in inner if id(each.given) not in taken and not each.name.startswith(blocks)
    ]


def _give(parts: tuple[Part, ...], total: Float[Tensor, "..."]) -> bool:
    """Tell whether the sum of the parts is this, but for the rounding of float32."""
    if any(part.given.shape != total.shape for part in parts):
        return False
    values = [part.value for part in parts]
    largest = max(float(value.abs().max()) for value in values)
    off = torch.stack(values).sum(0) - total.detach().cpu().double()
    return float(off.abs().max()) <= CLOSE * largest
