"""torchvision's networks, made fit to be looked into: no layer writes over another's output.

Where torchvision adds or squashes in place, what a hook has recorded of a layer changes behind its
back; so these places are written anew here. The functions are the same, and the names of the
layers are torchvision's.
"""

from collections import OrderedDict
from collections.abc import Mapping
from importlib import import_module

import torch
from jaxtyping import Float
from torch import Tensor, nn

from core.shared.efficientnet import Standardise
from core.shared.vision_library import torchvision

__all__ = ["build"]

# The modules: torchvision.models.googlenet is the function that hides one.
CONVNEXT, GOOGLENET, RESNET = (
    import_module(f"torchvision.models.{name}") for name in ("convnext", "googlenet", "resnet")
)

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pixels, from 0 to 1
HALF = (0.5, 0.5, 0.5)  # what GoogLeNet is normalised by in the end, once its own shift is undone
OTHERS: dict[str, dict[str, bool]] = {
    "googlenet": {"aux_logits": False, "transform_input": False, "init_weights": False}
}
AUXILIARY = ("aux1.", "aux2.")  # of GoogLeNet: outputs that only training needs


class Residual(nn.Module):
    """A block of ResNet, its sum a tensor of its own, and each ReLU a layer of its own.

    Source: He et al. 2015, arXiv:1512.03385, figures 2 and 5.
    """

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        parts = dict(block.named_children())
        self.count = sum(name.startswith("conv") for name in parts)
        for number in range(1, self.count + 1):
            self.add_module(f"conv{number}", parts[f"conv{number}"])
            self.add_module(f"bn{number}", parts[f"bn{number}"])
            if number < self.count:
                self.add_module(f"relu{number}", nn.ReLU())
        self.downsample = parts.get("downsample") or nn.Sequential()
        self.relu = nn.ReLU()

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n C H W"]:
        """Add what the convolutions make of the maps to the maps."""
        values = maps
        for name, part in self.named_children():
            if name not in ("downsample", "relu"):
                values = part(values)
        given: Tensor = self.relu(values + self.downsample(maps))
        return given


class ConvNeXtBlock(nn.Module):
    """A block of ConvNeXt, its sum a tensor of its own.

    Source: Liu et al. 2022, arXiv:2201.03545, figure 4, with the layer scale of its section A.
    """

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block, self.layer_scale = block.get_submodule("block"), block.layer_scale

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Add a share of what the layers make of the maps to the maps."""
        given: Tensor = maps + self.layer_scale * self.block(maps)
        return given


def build(name: str, weights: Mapping[str, Tensor]) -> nn.Sequential:
    """Build a network: pixels from 0 to 1 in, logits out.

    Args:
        name: as torchvision calls its builder.
        weights: its state_dict; the tensors become the network's own.

    Returns: a chain of "normalise" and "body", which is torchvision's; it learns no more.
    Raises: ValueError when the weights are of another network.
    """
    with torch.device("meta"):  # the weights are given: nothing is drawn
        body: nn.Module = getattr(torchvision.models, name)(weights=None, **OTHERS.get(name, {}))
    kept = {key: value for key, value in weights.items() if not key.startswith(AUXILIARY)}
    try:
        body.load_state_dict(kept, assign=True)
    except RuntimeError as error:
        raise ValueError(f"weights must be those of {name}, got: {error}") from error
    for parent in list(body.modules()):
        for place, child in list(parent.named_children()):
            setattr(parent, place, _apart(child))
    google = name == "googlenet"
    shift = Standardise(HALF, HALF) if google else Standardise(MEAN, DEVIATION)
    return nn.Sequential(OrderedDict(normalise=shift, body=body))


def _apart(layer: nn.Module) -> nn.Module:
    """Give what computes the same and writes over nothing."""
    if isinstance(layer, (RESNET.BasicBlock, RESNET.Bottleneck)):
        return Residual(layer)
    if isinstance(layer, CONVNEXT.CNBlock):
        return ConvNeXtBlock(layer)
    if isinstance(layer, GOOGLENET.BasicConv2d):
        parts = OrderedDict(layer.named_children())
        return nn.Sequential(OrderedDict(parts, relu=nn.ReLU()))
    if hasattr(layer, "inplace"):
        layer.inplace = False  # type: ignore[assignment] # for torch each part is a tensor
    return layer
