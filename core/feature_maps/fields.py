"""Receptive fields: which pixels of the picture a value of a map depends on."""

from dataclasses import dataclass

from torch import Tensor, nn

from core.shared.efficientnet import SameConv
from core.shared.lenet import Normalise, Subsample
from core.shared.tracing import Call, Trace

__all__ = ["Field", "Windowed", "fields_of", "window_of"]

Pair = tuple[int, int]
MAPS, VECTORS = 4, 2  # dimensions of a batch of maps, and of vectors
Windowed = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d, Subsample)  # layers whose window moves


@dataclass(frozen=True, slots=True)
class Field:
    """The field of each value of a map, along both axes; a value at 0 begins at `start`."""

    start: Pair = (0, 0)
    size: Pair = (1, 1)
    jump: Pair = (1, 1)  # pixels from the field of one value to that of the next
    whole: bool = False  # each value depends on the whole picture

    def through(self, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> "Field":
        """Give the field behind a window that moves over the maps.

        Source: Araujo, Norris, Sim 2019, "Computing Receptive Fields of CNNs", Distill, equation 2.
        """
        axes = range(2)
        return Field(
            start=_pair([self.start[a] - padding[a] * self.jump[a] for a in axes]),
            size=_pair([self.size[a] + (kernel[a] - 1) * dilation[a] * self.jump[a] for a in axes]),
            jump=_pair([self.jump[a] * stride[a] for a in axes]),
            whole=self.whole,
        )

    def box(self, row: int, column: int, height: int, width: int) -> tuple[int, int, int, int]:
        """Cut the field of one value to a picture of so many pixels: top, left, bottom, right."""
        if self.whole:
            return 0, 0, height, width
        tops = [self.start[a] + at * self.jump[a] for a, at in enumerate((row, column))]
        sides = height, width
        ends = [min(max(tops[a] + self.size[a], 0), sides[a]) for a in range(2)]
        top, left = (min(max(tops[a], 0), ends[a]) for a in range(2))  # in the padding: nothing
        return top, left, ends[0], ends[1]


def fields_of(trace: Trace, picture: Tensor) -> dict[str, Field]:
    """Find the receptive field of each layer from the windows of the layers on its way.

    Where a layer takes what no layer gave, a sum or a join, its field is the largest of those that
    maps of this size had before; that of a block which adds or joins is the largest of its parts'.
    """
    known: dict[int, Field] = {id(picture): Field()}
    found: dict[str, Field] = {}
    before: list[tuple[Call, Field]] = []
    for call in trace.calls:
        parts = [pair for pair in before if pair[0].name.startswith(f"{call.name}.")]
        if parts:
            field = _widest(call.given, parts)
        elif call.taken is None:
            field = Field(whole=True)
        else:
            field = known.get(id(call.taken)) or _widest(call.taken, before)
            field = _behind(call, field)
        known[id(call.given)] = found[call.name] = field
        before.append((call, field))
    return found


def _widest(value: Tensor, before: list[tuple[Call, Field]]) -> Field:
    alike = [field for call, field in before if call.given.shape[2:] == value.shape[2:]]
    return max(
        alike or [field for _, field in before] or [Field()],
        key=lambda field: (field.whole, field.size),
    )


def _behind(call: Call, field: Field) -> Field:
    """Give the field behind one layer, from that of what it took."""
    module, taken = call.module, call.taken
    if isinstance(module, Windowed) and taken is not None:
        return field.through(*window_of(module, taken))
    if isinstance(module, Normalise):
        return field.through((1, 1), (1, 1), _both(module.padding), (1, 1))
    if isinstance(module, nn.ZeroPad2d):
        left, _, top, _ = module.padding
        return field.through((1, 1), (1, 1), (top, left), (1, 1))
    if taken is None:
        return Field(whole=True)
    channels_last = isinstance(module, (nn.Linear, nn.LayerNorm)) and call.given.ndim == MAPS
    if channels_last or hasattr(module, "dims"):  # torchvision's Permute has these
        return field
    same = taken.ndim == MAPS and call.given.shape[2:] == taken.shape[2:]
    if (same and not isinstance(module, nn.GroupNorm)) or taken.ndim == VECTORS:
        return field
    if isinstance(module, nn.Flatten) or call.given.shape[2:] == (1, 1):  # all places at once
        return field.through(_pair(list(taken.shape[2:])), (1, 1), (0, 0), (1, 1))
    return Field(field.start, field.size, field.jump, whole=True)


def window_of(module: nn.Module, taken: Tensor) -> tuple[Pair, Pair, Pair, Pair]:
    """Tell the kernel, stride, padding at the top and left, and dilation of a layer's window.

    Args:
        module: one of Windowed.
        taken: what it takes; by its size TensorFlow's padding goes.
    """
    if not isinstance(module, (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)):
        return (2, 2), (2, 2), (0, 0), (1, 1)  # Subsample
    kernel, padding = _both(module.kernel_size), module.padding
    stride = _both(module.stride if module.stride is not None else kernel)
    dilation = _both(getattr(module, "dilation", 1))
    sides = taken.shape[-2:]
    if isinstance(module, SameConv):
        edges = [
            max(0, (-(-side // s) - 1) * s + k - side) // 2
            for side, s, k in zip(sides, stride, kernel, strict=True)
        ]
        return kernel, stride, _pair(edges), dilation
    if padding == "same":
        edges = [(k - 1) * d // 2 for k, d in zip(kernel, dilation, strict=True)]
        return kernel, stride, _pair(edges), dilation
    return kernel, stride, _both(0 if isinstance(padding, str) else padding), dilation


def _both(value: int | tuple[int, ...]) -> Pair:
    return (value, value) if isinstance(value, int) else _pair(list(value))


def _pair(values: list[int]) -> Pair:
    first, second = values
    return first, second
