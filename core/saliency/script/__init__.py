"""An explanation as plain PyTorch: a script that ends at the same map, to read and to keep.

It is started in the repository's folder. These modules need no torch. In each script `values` is
the map as the paper has it, and what stands before and after it is the same for all. It asks about
one picture at a time, on the CPU, where the panel asks about many: so the last bits differ.
"""

import json
from collections.abc import Callable
from pathlib import Path

from core.saliency import Query
from core.saliency.methods import METHODS
from core.saliency.script.fitting import write_kernelshap, write_lime
from core.saliency.script.framing import Asked, Written, end, problem
from core.saliency.script.hiding import write_occlusion, write_rise
from core.saliency.script.rectifying import write_deeplift, write_rectified
from core.saliency.script.slopes import (
    write_expected,
    write_gradient,
    write_integrated,
    write_noise,
)
from core.saliency.script.weighing import (
    write_cam,
    write_guided_cam,
    write_rollout,
    write_score_cam,
)
from core.saliency.script.wishing import write_wish
from core.shared.models import Source, about
from core.shared.scripts import script

__all__ = ["MAP", "write_explanation", "write_wish"]

MAP = "map.npy"  # what a script saves beside the picture
WRITERS: dict[str, Callable[[Asked], Written]] = {
    "gradient": write_gradient,
    "gradient_input": write_gradient,
    "smoothgrad": write_noise,
    "vargrad": write_noise,
    "integrated": write_integrated,
    "expected": write_expected,
    "deeplift": write_deeplift,
    "guided": write_rectified,
    "deconvnet": write_rectified,
    "gradcam": write_cam,
    "gradcampp": write_cam,
    "hirescam": write_cam,
    "layercam": write_cam,
    "scorecam": write_score_cam,
    "guided_gradcam": write_guided_cam,
    "rollout": write_rollout,
    "occlusion": write_occlusion,
    "rise": write_rise,
    "lime": write_lime,
    "kernelshap": write_kernelshap,
}


def write_explanation(source: Source, query: Query, picture: str) -> str:
    """Write an explanation of the answer to one picture.

    Args:
        source: the network.
        query: what to explain, and how, with target and layer as the explanation names them.
        picture: the file of the picture; the map is saved beside it as MAP.

    Raises: ValueError when the query names no class, or no layer where one is weighed, when layers
        have melted, the method has no code, or the network is no longer here.
    """
    if query.target is None:
        raise ValueError("target must be a class for the code, got None")
    if query.melted:
        raise ValueError(f"melted must be 0 for the code, got {query.melted}")
    if "layer" in query.about.heeds and not query.layer:
        raise ValueError("layer must be named for the code, got none")
    if query.method not in WRITERS:
        coded = tuple(name for name in METHODS if name in WRITERS)
        raise ValueError(f"method must be one of {coded} for the code, got {query.method!r}")
    asked = Asked(source, about(source), query)
    written = WRITERS[query.method](asked)
    file = json.dumps(str(Path(picture).with_name(MAP)), ensure_ascii=False)
    parts = [
        problem(asked, folded=written.folded),
        *dict.fromkeys(written.functions),  # each once
        written.body + end(written, file),
    ]
    title = f"{query.about.title} of a picture ({query.about.paper})"
    return script(title, source, picture, "\n\n".join(parts))
