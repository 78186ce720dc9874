"""A picture that climbs: a step up the gradient, what keeps it from becoming noise, its film."""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from core.shared.blurring import blurred
from core.shared.frames import Frame
from core.shared.runs import log_spaced

__all__ = ["STILL", "Gait", "Slope", "ascend", "frame", "frame_steps"]

FRAMES, SIDE = 24, 64  # of the film, at most; pixels of a frame's longer side, likewise
FLAT = 1e-30  # a gradient below is none
STILL = (0, 0)  # no shift

# Gives the value at a point, for a picture shifted by so many rows and columns, and its gradient.
Slope = Callable[[Tensor, Sequence[int]], tuple[Tensor, Tensor]]


@runtime_checkable
class Gait(Protocol):
    """How the steps of an ascent are."""

    @property
    def rate(self) -> float:
        """What a step changes a value by, in the root mean square."""

    @property
    def jitter(self) -> int:
        """Pixels by which a step shifts the picture at most, along both axes."""

    @property
    def blur(self) -> float:
        """Standard deviation, in pixels, of the Gaussian that smooths the picture; 0 for none."""

    @property
    def every(self) -> int:
        """Steps from one smoothing to the next."""

    @property
    def weight_decay(self) -> float:
        """The share of its distance to home that a value loses in a step."""


def ascend(
    slope: Slope,
    point: Float[Tensor, "1 c h w"],
    gait: Gait,
    step: int,
    source: torch.Generator,
    home: float,
    *,
    held: bool,
    instead: str,
) -> Float[Tensor, "1 c h w"]:
    """Take one step up, and keep the picture from becoming noise.

    Args:
        slope: gives the value and its gradient by the point.
        point: a picture, or what a picture is made from.
        gait: how.
        step: steps that were taken before.
        source: of the shift; one is drawn in each step, whatever the gait.
        home: to which the decay draws each value.
        held: whether there is jitter, decay and blur, or the bare step alone.
        instead: what to try when the gradient is not finite.

    Returns: the point after the step; the range that it has to keep to is the caller's business.
    Raises: FloatingPointError when the gradient is not finite.

    Source: the gradient is divided by its root mean square, so that one rate serves all networks;
    for the rest see who calls this.
    """
    reach = gait.jitter if held else 0
    shift = torch.randint(-reach, reach + 1, (2,), generator=source).tolist()
    _, gradient = slope(point, shift)
    size = gradient.square().mean().sqrt()
    if not torch.isfinite(size):
        raise FloatingPointError(
            f"the gradient was not finite after {step} steps: try another {instead}"
        )
    moved = point + gait.rate * gradient / size.clamp(min=FLAT)
    if held:
        moved += gait.weight_decay * (home - point)
        if gait.blur and (step + 1) % gait.every == 0:
            moved = blurred(moved, gait.blur)
    return moved


def frame_steps(steps: int) -> frozenset[int]:
    """Choose after which of so many steps the film has a frame; 0 and the last are among them."""
    return log_spaced(steps, FRAMES - 1)


def frame(step: int, value: float, picture: Float[Tensor, "1 c h w"]) -> Frame:
    """Make a frame of a picture from 0 to 1, small if it is large."""
    side = max(picture.shape[2:])
    if side > SIDE:
        small = [max(1, each * SIDE // side) for each in picture.shape[2:]]
        picture = F.interpolate(picture, small, mode="area")
    return Frame(step, value, picture[0].mul(255).round().byte().cpu().numpy())
