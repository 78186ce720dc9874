"""Write the names of ImageNet's classes, as torchvision has them, to assets.

python -m bench.classes
"""

import json

from core.shared.models import IMAGENET
from core.shared.vision_library import torchvision


def main() -> None:
    """Take them from the description of ResNet-18's weights, which all others share."""
    names = torchvision.models.ResNet18_Weights.DEFAULT.meta["categories"]
    IMAGENET.write_text(json.dumps(names, indent=0, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{len(names):,} classes in {IMAGENET.name}")


if __name__ == "__main__":
    main()
