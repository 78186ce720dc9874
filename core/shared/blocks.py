"""The modules of torch that a row of a network's table stands for."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from core.shared.arithmetic import GROUPS
from core.shared.layers import Row

__all__ = ["LAYERS_OF", "Dropout", "Inception", "Residual", "parts_of"]

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky": nn.LeakyReLU,
    "gelu": nn.GELU,
}
# The layers inside a block that have weights, in the order of its modules.
LAYERS_OF = {
    "res": ("a", "b", "shortcut"),
    "skip": ("a", "b", "shortcut"),
    "plain": ("a", "b"),
    "inception": ("1x1", "3x3.reduce", "3x3", "5x5.reduce", "5x5", "pool.project"),
}


class Dropout(nn.Module):
    """Set a share of the values to 0 in training, each by itself, and enlarge the others.

    p: the share.
    seed: of the masks that follow, as `reseed` sets it.
    source: draws the masks, on the device of what comes in; made at the first use.

    Source: Srivastava et al. 2014, "Dropout", section 10, with the factor 1/(1 − p) in training.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p, self.seed = p, 0
        self.source: torch.Generator | None = None
        self._home: torch.device | None = None

    def reseed(self, seed: int) -> None:
        """Begin the masks that belong to this seed."""
        self.seed = seed
        if self.source is not None:
            self.source.manual_seed(seed)

    def forward(self, values: Tensor) -> Tensor:
        """Leave the values as they are outside of training."""
        if not self.training or self.p == 0:
            return values
        if self.source is None or self._home != values.device:
            self.source = torch.Generator(values.device).manual_seed(self.seed)
            self._home = values.device
        kept = torch.empty_like(values).bernoulli_(1 - self.p, generator=self.source)
        return values * kept.div_(1 - self.p)

    def extra_repr(self) -> str:
        """Show the share."""
        return f"p={self.p:g}"


class Residual(nn.Module):
    """Two convolutions whose result is added to their input, or to a 1×1 convolution of it.

    Source: He et al. 2015, arXiv:1512.03385, figure 2 and section 3.3, option B; with nothing after
    the sum, so that the way back is clear, He et al. 2016, arXiv:1603.05027, section 3.
    """

    def __init__(self, into: int, row: Row) -> None:
        super().__init__()
        out, same = row.channels, row.kernel // 2
        self.a = nn.Sequential(
            *_convolution(row, into, out, row.kernel, stride=row.stride, padding=same),
            *_activation(row),
        )
        self.b = nn.Sequential(*_convolution(row, out, out, row.kernel, padding=same))
        shorter = into != out or row.stride > 1
        self.shortcut = nn.Sequential(
            *(_convolution(row, into, out, 1, stride=row.stride) if shorter else ())
        )
        self.activation = nn.Sequential(*(_activation(row) if row.kind != "skip" else ()))

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n C H W"]:
        """Apply the activation to the sum."""
        given: Tensor = self.activation(self.b(self.a(maps)) + self.shortcut(maps))
        return given


class Inception(nn.Module):
    """Four branches that see 1×1, 3×3, 5×5 and a maximum of 3×3, their maps joined.

    Source: Szegedy et al. 2014, arXiv:1409.4842, figure 2b, each branch with a quarter of the maps.
    """

    def __init__(self, into: int, row: Row) -> None:
        super().__init__()
        share, reduced = row.channels // 4, max(1, row.channels // 8)

        def convolution(into: int, out: int, kernel: int) -> tuple[nn.Module, ...]:
            parts = _convolution(row, into, out, kernel, padding=kernel // 2)
            return *parts, *_activation(row)

        self.branches = nn.ModuleList(
            [
                nn.Sequential(*convolution(into, share, 1)),
                nn.Sequential(*convolution(into, reduced, 1), *convolution(reduced, share, 3)),
                nn.Sequential(*convolution(into, reduced, 1), *convolution(reduced, share, 5)),
                nn.Sequential(nn.MaxPool2d(3, 1, 1), *convolution(into, share, 1)),
            ]
        )

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n C h w"]:
        """Keep the size of the maps."""
        return torch.cat([branch(maps) for branch in self.branches], 1)


def parts_of(row: Row, value: Tensor) -> tuple[nn.Module, ...]:
    """Make what the row says for such a value; its layer with weights, if it is one, comes first.

    What is fully connected comes second, after the flattening.
    """
    into = value.shape[1]
    if row.kind == "fc":
        linear = nn.Linear(value.numel(), row.channels, bias=row.normalisation == "none")
        return nn.Flatten(), linear, *_normalisation(row, row.channels), *_activation(row)
    if row.kind == "global":
        return nn.AdaptiveAvgPool2d(1), nn.Flatten()
    if row.kind in ("max", "mean"):
        pool = nn.MaxPool2d if row.kind == "max" else nn.AvgPool2d
        return (pool(row.kernel, row.stride, row.padding),)
    if row.kind in ("res", "skip"):
        return (Residual(into, row),)
    if row.kind == "plain":
        block = Residual(into, row)
        return *block.a, *block.b, *block.activation
    if row.kind == "inception":
        return (Inception(into, row),)
    deep = row.kind == "depthwise"
    convolution = _convolution(
        row,
        into,
        into if deep else row.channels,
        row.kernel,
        stride=row.stride,
        padding=row.padding,
        dilation=row.dilation,
        groups=into if deep else 1,
    )
    return *convolution, *_activation(row)


def _convolution(
    row: Row,
    into: int,
    out: int,
    kernel: int,
    *,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    groups: int = 1,
) -> tuple[nn.Module, ...]:
    """Convolve and normalise; a normalisation brings its own bias."""
    bias = row.normalisation == "none"
    convolution = nn.Conv2d(into, out, kernel, stride, padding, dilation, groups, bias)
    return convolution, *_normalisation(row, out)


def _normalisation(row: Row, channels: int) -> tuple[nn.Module, ...]:
    flat = row.kind == "fc"
    if row.normalisation == "batch":
        return (nn.BatchNorm1d(channels) if flat else nn.BatchNorm2d(channels),)
    if row.normalisation == "layer":
        return (nn.LayerNorm(channels) if flat else nn.GroupNorm(1, channels),)
    if row.normalisation == "group":
        return (nn.GroupNorm(math.gcd(GROUPS, channels), channels),)
    return ()


def _activation(row: Row) -> tuple[nn.Module, ...]:
    return (ACTIVATIONS[row.activation](),) if row.activation != "none" else ()
