"""What a layer does, in words."""

from torch import nn

from core.shared.lenet import Normalise, Squash, Subsample, TableConv

__all__ = ["kind_of"]

KINDS: dict[type[nn.Module], str] = {
    Normalise: "normalise",
    Squash: "1.7159 tanh(2a/3)",
    Subsample: "mean 2×2, scaled",
    nn.BatchNorm1d: "batch norm",
    nn.BatchNorm2d: "batch norm",
    nn.GroupNorm: "group norm",
    nn.LayerNorm: "layer norm",
    nn.ReLU: "ReLU",
    nn.ReLU6: "ReLU6",
    nn.LeakyReLU: "leaky ReLU",
    nn.GELU: "GELU",
    nn.SiLU: "SiLU",
    nn.Sigmoid: "sigmoid",
    nn.Tanh: "tanh",
    nn.Linear: "fully connected",
    nn.Flatten: "flatten",
    nn.MultiheadAttention: "attention",
}


def kind_of(module: nn.Module) -> str:
    """Say in words what a layer does."""
    if isinstance(module, nn.Conv2d):
        kernel = "×".join(map(str, module.kernel_size))
        some = isinstance(module, TableConv)
        deep = module.groups == module.in_channels > 1
        name = "depthwise convolution" if deep else "convolution"
        return f"{name} {kernel}" + (", by Table I" if some else "")
    if isinstance(module, (nn.MaxPool2d, nn.AvgPool2d)):
        size = module.kernel_size
        name = "maximum" if isinstance(module, nn.MaxPool2d) else "mean"
        return f"{name} {size}×{size}" if isinstance(size, int) else f"{name} {size[0]}×{size[1]}"
    if isinstance(module, nn.AdaptiveAvgPool2d):
        return "mean of each map" if module.output_size in (1, (1, 1)) else "mean"
    if type(module) in KINDS:
        return KINDS[type(module)]
    return "sum or join" if [*module.children()] else type(module).__name__.lower()
