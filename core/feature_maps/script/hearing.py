"""What scripts share that hear a layer while images pass some at a time."""

import math
import re

from core.feature_maps.grid import AT_ONCE
from core.shared import models
from core.shared.models import Source
from core.shared.scripts import ATTENTION, LAST, TOKENS

__all__ = ["FIRST", "MANY", "channels_last", "few", "hear", "module"]

HEAR = """network.eval().requires_grad_(False)
layer = network.get_submodule("{module}")
given = []  # what the layer gives
layer.register_forward_hook(lambda layer, taken, maps: given.append({maps}))

"""
MANY = """with torch.no_grad():
    for few in images.split({few}):
        network(few.contiguous(memory_format=torch.channels_last))
"""
FIRST = """images = learnt.test.images[:{images}]
"""


def few(source: Source) -> int:
    """Count the images that pass together."""
    return max(1, AT_ONCE["cpu"] // math.prod(models.about(source).shape))


def hear(layer: str) -> str:
    """Write how what a layer gives is heard."""
    maps = "maps[0]" if layer.endswith(ATTENTION) else "maps"
    return HEAR.format(module=module(layer), maps=maps)


def module(layer: str) -> str:
    """Name the module that a layer is a call of."""
    return layer.partition(":")[0]


def channels_last(source: Source, layer: str) -> bool:
    """Tell whether the channels of what a layer gives are its last dimension."""
    if source.name == LAST:  # between the two permutations of a block
        return re.search(r"\.block\.[1-5]$", layer) is not None
    return source.name == TOKENS and layer.startswith("body.encoder")
