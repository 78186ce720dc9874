"""An attack as plain PyTorch: a script that ends at the same picture, to read and to keep.

It is started in the repository's folder. These modules need no torch. In each script `attack` is
the paper's algorithm and yields where it stands; what follows it is the same for all. It computes
on the CPU: where the panel does so on another device, the last bits differ, and Carlini–Wagner and
transfer, which learn, may end at another picture.
"""

import json
import math
from pathlib import Path

from core.adversarial import Attack
from core.adversarial.script.asking import write_estimate, write_one_pixel, write_square
from core.adversarial.script.climbing import write_automatic_steps, write_steps
from core.adversarial.script.framing import end, keep_nearest, keep_surest, problem
from core.adversarial.script.nearest import write_deepfool, write_least_change, write_saliency
from core.adversarial.script.teaching import write_transfer
from core.shared import models
from core.shared.models import About, Source
from core.shared.scripts import script

__all__ = ["ATTACKED", "write_attack"]

ATTACKED = "attacked.png"  # what a script saves beside the picture
RANDOM = ("pgd", "apgd", "onepixel", "square", "nes")  # what begins again begins elsewhere


def write_attack(source: Source, config: Attack, label: int, picture: str) -> str:
    """Write an attack on one picture.

    Args:
        source: the network.
        config: how; success counts only in 8 bits.
        label: the class to get away from.
        picture: the file of the picture; what fools is saved beside it as ATTACKED.

    Raises: ValueError when success shall count before it is rounded, or the network's data are
        needed and not here.
    """
    if not config.whole_levels:
        raise ValueError("whole_levels must be on for the code, got off")
    about = models.about(source)
    assigned, functions = _method(config, about)
    if config.about.minimal:
        kept = keep_nearest(config)
    else:
        kept = keep_surest(config, random=config.method in RANDOM)
    file = json.dumps(str(Path(picture).with_name(ATTACKED)), ensure_ascii=False)
    parts = [*problem(config, label, assigned), *functions, *kept]
    title = f"{config.about.title} on a picture ({config.about.paper})"
    body = "\n\n".join(parts) + end(config, about.shape[0], file)
    return script(title, source, picture, body)


def _method(config: Attack, about: About) -> tuple[str, list[str]]:
    """Write the settings and the functions of a method."""
    classes, shape = len(about.classes), about.shape
    match config.method:
        case "apgd":
            return write_automatic_steps(config)
        case "deepfool":
            return write_deepfool(config, classes)
        case "cw":
            return write_least_change(config)
        case "jsma":
            return write_saliency(config, classes, math.prod(shape[1:]))
        case "onepixel":
            return write_one_pixel(config, shape)
        case "square":
            return write_square(config)
        case "nes":
            return write_estimate(config, shape)
        case "transfer":
            return write_transfer(config, about)
    return write_steps(config)
