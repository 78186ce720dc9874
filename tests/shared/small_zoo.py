"""Networks of torchvision's kinds, but small, where a download would put the weights."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from core.shared import loading, models
from core.shared.models import Source
from core.shared.vision_library import torchvision

__all__ = ["a_zoo", "convnext", "resnet", "transformer"]


def resnet(**_: Any) -> nn.Module:
    network: nn.Module = torchvision.models.ResNet(
        torchvision.models.resnet.BasicBlock, [1, 1, 1, 1]
    )
    network.layer3, network.layer4, network.fc = nn.Identity(), nn.Identity(), nn.Linear(128, 1000)
    return network


def convnext(**_: Any) -> nn.Module:
    block = torchvision.models.convnext.CNBlockConfig
    network: nn.Module = torchvision.models.ConvNeXt([block(8, 12, 1), block(12, None, 1)])
    return network


def transformer(layers: int = 1, **_: Any) -> nn.Module:
    network: nn.Module = torchvision.models.VisionTransformer(224, 16, layers, 2, 8, 20)
    return network


def a_zoo(name: str, small: Callable[..., nn.Module]) -> Source:
    """Keep a network, smaller than torchvision's, where a download would put its weights.

    TORCH_HOME is to be an empty folder, and `small` to stand in torchvision's place.
    """
    with torch.device("meta"):  # nothing is drawn from the global source
        network = small()
    network, random = network.to_empty(device="cpu"), torch.Generator().manual_seed(2)
    for value in network.state_dict().values():
        if value.is_floating_point():
            value.normal_(0, 0.1, generator=random)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d) and module.running_var is not None:
            module.running_var.uniform_(0.5, 2, generator=random)
    models.folder().mkdir(parents=True)
    torch.save(network.state_dict(), models.folder() / models.ZOO[name].file)
    loading._held.clear()  # other tests may have loaded the real one
    return Source(kind="zoo", name=name)
