"""Logits of pictures that differ from one in a box alone: what is far from it is not computed anew.

Convolutions and pools see a window of what is below. Of the first maps of a network all values but
those near the box are the picture's own; they are computed for a piece of the picture around the
box, and put among these. What comes after is computed whole, so that the logits are the same but
for their last bits.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from core.shared import tracing
from core.shared.efficientnet import Block, SameConv, Standardise

__all__ = ["Nearby", "nearby"]

WORTH = 0.1  # the share of all values that is saved, at least
EACH_ALONE = (
    *(nn.BatchNorm2d, nn.Identity, nn.Dropout, Standardise),
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.GELU, nn.SiLU, nn.Sigmoid, nn.Tanh),
)
CHAINS = (nn.Sequential, Block)  # each part after the other, and at most what they take besides


@dataclass(frozen=True, slots=True)
class Reach:
    """Which pixels a value at (j, …) sees along a side: from j·step − before to j·step + after."""

    before: int = 0
    after: int = 0
    step: int = 1

    def through(self, kernel: int, stride: int, padding: int, dilation: int) -> "Reach":
        """Give the reach after one more window."""
        wide = dilation * (kernel - 1)
        return Reach(
            self.before + padding * self.step,
            self.after + (wide - padding) * self.step,
            self.step * stride,
        )

    def changed(self, begin: int, size: int, side: int) -> tuple[int, int]:
        """Tell which values see some of so many pixels: the first, and the one after the last."""
        first = -(-(begin - self.after) // self.step)
        last = (begin + size - 1 + self.before) // self.step
        return max(0, first), min(side // self.step, last + 1)

    def piece(self, size: int, side: int) -> int:
        """Tell how many pixels it takes to compute what so many pixels change."""
        most = size + 2 * (self.before + self.after) + self.step - 1
        return min(side, -(-most // self.step) * self.step)

    def begin(self, first: int, size: int, side: int) -> int:
        """Tell where that piece begins; it does so where a window does, and ends in the picture."""
        begin = (first * self.step - self.before) // self.step * self.step
        return max(0, min(begin, side - self.piece(size, side)))


class Nearby:
    """A picture that a network has read, and what its first maps are."""

    def __init__(
        self, first: nn.Module, rest: nn.Module, reach: Reach, maps: Float[Tensor, "1 m H W"]
    ) -> None:
        self.first, self.rest, self.reach, self.maps = first, rest, reach, maps

    def __call__(
        self,
        images: Float[Tensor, "n c h w"],
        begins: Sequence[tuple[int, int]],
        size: int,
    ) -> Float[Tensor, "n k"]:
        """Compute the logits of pictures.

        Args:
            images: the picture, but for a box in each.
            begins: row and column where each box begins.
            size: of the boxes, in pixels; they may end beyond the picture.
        """
        reach, sides = self.reach, (images.shape[2], images.shape[3])
        pieces, places = [], []
        for image, corner in zip(images, begins, strict=True):
            cut, place = [], []
            for begin, side in zip(corner, sides, strict=True):
                first, end = reach.changed(begin, size, side)
                start = reach.begin(first, size, side)
                cut.append(slice(start, start + reach.piece(size, side)))
                place.append((first, end, start // reach.step))
            pieces.append(image[:, cut[0], cut[1]])
            places.append(place)
        found = self.first(torch.stack(pieces).contiguous(memory_format=torch.channels_last))
        maps = self.maps.repeat(len(images), 1, 1, 1)
        maps = maps.contiguous(memory_format=torch.channels_last)
        for whole, part, ((top, bottom, above), (left, right, aside)) in zip(
            maps, found, places, strict=True
        ):
            whole[:, top:bottom, left:right] = part[
                :, top - above : bottom - above, left - aside : right - aside
            ]
        logits: Float[Tensor, "n k"] = self.rest(maps)
        return logits


@torch.no_grad()
def nearby(
    network: nn.Module, image: Float[Tensor, "1 c h w"], size: int
) -> tuple[Float[Tensor, "1 k"] | None, Nearby | None]:
    """Read a picture, and find how far a network can be computed for a piece of it alone.

    Args:
        network: at rest.
        image: that it reads, once.
        size: of the boxes that will change.

    Returns: the logits, None where the network is no chain of parts; and how to compute those of
        other pictures, None where that saves too little.
    """
    if type(network) is not nn.Sequential:
        return None, None
    height, width = image.shape[2:]
    reach: Reach | None = Reach()
    value, values, best = image, 0, (0.0, 0, Reach(), image)
    for count, part in enumerate(network, 1):
        trace = tracing.trace(part, value)
        value = trace.logits
        values += sum(call.given.numel() for call in trace.calls) or value.numel()
        reach = None if reach is None else _through(part, reach)
        if reach is None or value.shape[2:] != (height / reach.step, width / reach.step):
            reach = None
            continue
        share = reach.piece(size, height) * reach.piece(size, width) / (height * width)
        best = max(best, (values * (1 - share), count, reach, value), key=lambda each: each[0])
    saved, count, found, maps = best
    worth = saved >= WORTH * values
    return value, Nearby(network[:count], network[count:], found, maps) if worth else None


def _through(part: nn.Module, reach: Reach) -> Reach | None:
    """Give the reach after a part; None where it may see all of the picture, or we do not know."""
    if isinstance(part, EACH_ALONE):
        return reach
    if isinstance(part, SameConv):
        (kernel, _), (stride, _) = part.kernel_size, part.stride
        return reach.through(kernel, stride, max(0, kernel - stride) // 2, 1)
    if type(part) is nn.Conv2d and part.padding_mode == "zeros":
        return _window(part, reach, part.dilation)
    if isinstance(part, nn.MaxPool2d | nn.AvgPool2d) and not part.ceil_mode:
        return _window(part, reach, getattr(part, "dilation", 1))
    if not isinstance(part, CHAINS):
        return None
    found: Reach | None = reach
    for each in part.children():
        found = None if found is None else _through(each, found)
    return found


def _window(part: nn.Module, reach: Reach, dilation: object) -> Reach | None:
    """Give the reach after a window that is as wide as it is high."""
    numbers = []
    for each in (part.kernel_size, part.stride, part.padding, dilation):
        pair = each if isinstance(each, tuple) else (each, each)
        if len({*pair}) > 1 or not isinstance(pair[0], int):
            return None
        numbers.append(pair[0])
    return reach.through(*numbers)
