"""A student taken away: as the zip of a run, which every panel takes in as a network."""

import io
import json
import zipfile
from dataclasses import asdict

from safetensors.torch import save

from core.distillation.distilling import Distilling
from core.shared.models import about
from core.shared.recipes import Recipe
from core.shared.targets import reads

__all__ = ["export"]


@reads
def export(distilling: Distilling, arm: str) -> bytes:
    """Pack a student with its present weights; asked of a run.

    Args:
        distilling: the run.
        arm: which of its students.

    Returns: a zip of weights.safetensors and run.json, as `weights.keep` takes it in; the recipe
        names network, data and seed, and beside it stands how the student learned.
    Raises: ValueError when the run has no such student.
    """
    student, config = distilling.student(arm), distilling.config
    recipe = Recipe(network=config.student, data=about(config.teacher).data, seed=config.seed)
    told = {"recipe": asdict(recipe), "distillation": asdict(config), "student": arm}
    tensors = {name: value.contiguous() for name, value in student.network.state_dict().items()}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("weights.safetensors", save(tensors))
        packed.writestr("run.json", json.dumps(told, indent=1))
    return file.getvalue()
