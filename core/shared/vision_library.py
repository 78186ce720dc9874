"""Import torchvision also beside a CPU-only torch.

The wheel of torchvision on PyPI is built for CUDA. Beside a CPU-only torch its compiled operators
do not load, and `import torchvision` dies on the first Python-side registration for
`torchvision::nms`. Nothing of ours calls those operators, so where they cannot load it is enough
that their schemas exist before the import. Where they load, this module does nothing at all.

Use: `from core.shared.vision_library import torchvision`.
"""

import importlib
import importlib.util
from pathlib import Path

import torch

__all__ = ["torchvision"]

SCHEMAS = {
    "torchvision::nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "torchvision::qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}


def operators_load() -> bool:
    """Try to load torchvision's compiled operators beside this torch, as its import will do."""
    found = importlib.util.find_spec("torchvision")
    if found is None or found.origin is None:
        return False
    library = next(Path(found.origin).parent.glob("_C*.*"), None)
    if library is None:
        return False
    try:
        torch.ops.load_library(str(library))
    except OSError:
        return False
    return True


if not operators_load():
    for _name, _schema in SCHEMAS.items():
        torch.library.define(_name, _schema)

torchvision = importlib.import_module("torchvision")
