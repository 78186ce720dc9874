"""LeNet-5 as its paper has it: pixels (n, 1, 28, 28) to logits (n, 10), 60,850 parameters."""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["LeNet5", "Normalise", "Squash", "Subsample", "TableConv"]

A, S = 1.7159, 2 / 3  # of the squashing function

# Which maps of S2 each map of C3 sees: LeCun et al. 1998, Table I, a row for each map of C3.
CONNECTIONS = (
    (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5),
    (0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5),
    (0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5),
    (0, 1, 2, 3, 4, 5),
)  # fmt: skip


class Normalise(nn.Module):
    """Pad with paper and shift to zero mean, unit variance: the first layer of a network."""

    def __init__(self, padding: int, mean: float, deviation: float) -> None:
        super().__init__()
        self.padding, self.mean, self.deviation = padding, mean, deviation

    def forward(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c H W"]:
        """Pixels from 0 to 1 in, normalised values out."""
        padded = F.pad(pixels, (self.padding,) * 4)
        return padded.sub(self.mean).div_(self.deviation)


class Squash(nn.Module):
    """The paper's squashing function, f(a) = A tanh(S a).

    Source: LeCun et al. 1998, equation 6 and appendix A: A = 1.7159, S = 2/3, so that f(±1) = ±1.
    """

    def forward(self, sums: Tensor) -> Tensor:
        """Apply f to each weighted sum."""
        return torch.tanh(sums * S).mul(A)


class Subsample(nn.Module):
    """Average each 2×2 window, times a trained coefficient, plus a trained bias, for each map.

    Source: LeCun et al. 1998, section II.B, layer S2. The paper adds the four values; their mean
    differs by a factor of four, which the coefficient takes up.
    """

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.coefficient = nn.Parameter(torch.ones(maps, 1, 1))
        self.bias = nn.Parameter(torch.zeros(maps, 1, 1))

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c H W"]:
        """Halve both sides."""
        return torch.addcmul(self.bias, F.avg_pool2d(maps, 2), self.coefficient)

    def from_sigmoids(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c H W"]:
        """Halve and squash maps A(2σ − 1) of even sides; they are given as σ, here and in return.

        A row is added to the next one before a column is, for a row is long and a pixel of a few
        channels short: that takes a third of the time of torch's own pooling on a CPU.
        """
        count, channels, height, width = maps.shape
        rows = maps.permute(0, 2, 3, 1).reshape(count, height // 2, 2, width * channels)
        halves = torch.add(*rows.unbind(2)).view(count, height // 2, width // 2, 2, channels)
        sums = torch.add(*halves.unbind(3)).permute(0, 3, 1, 2)
        shift = (self.bias - A * self.coefficient) * (2 * S)
        return torch.addcmul(shift, sums, self.coefficient * (A * S)).sigmoid_()


class TableConv(nn.Conv2d):
    """A 5×5 convolution whose output maps each see only the input maps of the paper's Table I."""

    table: Tensor

    def __init__(self) -> None:
        super().__init__(6, 16, 5)
        table = torch.zeros(16, 6, 1, 1)
        for row, seen in enumerate(CONNECTIONS):
            table[row, list(seen)] = 1
        self.register_buffer("table", table, persistent=False)

    def forward(self, maps: Float[Tensor, "n 6 h w"]) -> Float[Tensor, "n 16 H W"]:
        """Convolve by the weights that the table connects; the others are never used or trained."""
        return F.conv2d(maps, self.weight * self.table, self.bias)


class LeNet5(nn.Sequential):
    """LeNet-5 as a chain of its layers, with a quicker way to the same logits for training.

    Layers C1 to F6 are the paper's, Table I and trained subsampling included; C5, a convolution of
    5×5 maps by 5×5 kernels, is written as the fully connected layer that it then is. The output is
    not the paper's: a linear layer for a softmax instead of radial basis functions.

    Source: LeCun, Bottou, Bengio, Haffner 1998, section II.B.
    """

    def __init__(
        self, channels: int = 1, classes: int = 10, mean: float = 0.1, deviation: float = 0.28
    ) -> None:
        shift = Normalise(padding=2, mean=mean, deviation=deviation)
        c1, c3 = nn.Conv2d(channels, 6, 5), TableConv()
        s2, s4 = Subsample(6), Subsample(16)
        c5, f6, output = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, classes)
        super().__init__(
            OrderedDict(
                normalise=shift,
                C1=nn.Sequential(c1, Squash()),
                S2=nn.Sequential(s2, Squash()),
                C3=nn.Sequential(c3, Squash()),
                S4=nn.Sequential(s4, Squash()),
                C5=nn.Sequential(nn.Flatten(), c5, Squash()),
                F6=nn.Sequential(f6, Squash()),
                output=output,
            )
        )
        self._layers = shift, c1, s2, c3, s4, c5, f6, output

    def at_once(self, pixels: Float[Tensor, "n c 28 28"]) -> Float[Tensor, "n k"]:
        """Compute all layers without what is between them: pixels from 0 to 1 in, logits out.

        The chain passes again and again over every map, to normalise it and to scale it before and
        after tanh. Here these factors go into the small weights, and 2σ(2a) − 1 takes the place of
        tanh(a), for torch's σ is several times as fast: the same function, fewer passes.
        """
        shift, c1, s2, c3, s4, c5, f6, output = self._layers
        weight = c1.weight * (2 * S / shift.deviation)
        bias = c1.get_parameter("bias") * (2 * S)
        bias = torch.add(bias, weight.sum((1, 2, 3)), alpha=-shift.mean)
        x = F.conv2d(pixels, weight, bias, padding=shift.padding).sigmoid_()
        x = s2.from_sigmoids(x)
        x = F.conv2d(x, *_of_sigmoids(c3.weight * c3.table, c3.get_parameter("bias"))).sigmoid_()
        x = s4.from_sigmoids(x).flatten(1)
        x = F.linear(x, *_of_sigmoids(c5.weight, c5.bias)).sigmoid_()
        x = F.linear(x, *_of_sigmoids(f6.weight, f6.bias)).sigmoid_()
        return F.linear(x, *_of_sigmoids(output.weight, output.bias, 1))


def _of_sigmoids(weight: Tensor, bias: Tensor, scale: float = 2 * S) -> tuple[Tensor, Tensor]:
    """Give weights and biases that make of σ what those make of A(2σ − 1), times a factor."""
    weight = weight * (2 * A * scale)
    return weight, torch.add(bias * scale, weight.flatten(1).sum(1), alpha=-1 / 2)
