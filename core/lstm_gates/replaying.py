"""A run to take away: a call on its config and folder, by the files in there and the text alone."""

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

from safetensors.torch import save

from core.lstm_gates import texts
from core.lstm_gates.looking import Point
from core.lstm_gates.script import script
from core.lstm_gates.stored import newest, plan_of
from core.shared.snapshots import under

__all__ = ["export"]

Config = Mapping[str, Any]  # JSON values of a Plan


def export(config: Config, folder: str, version: int) -> bytes:
    """Pack a run to take away: its newest weights, what is known about it, its text and its script.

    Args:
        config: of the run.
        folder: of the run.
        version: grows with the run, so that an older answer is not taken for the newest.

    Returns: a zip of weights.safetensors, run.json, text.txt and run.py, which takes as many steps
        as were taken and so gives the same weights again, as far as sums are rounded alike.
    Raises: ValueError when the run's text is no longer here.
    """
    snapshot = newest(folder)
    record, plan = snapshot.record, plan_of(snapshot)
    text = texts.read(plan.text, plan.characters)
    changes = [(step, name, value) for step, name, value in record["changes"]]
    about = {
        "plan": dict(config),
        "step": snapshot.step,
        "alphabet": record["alphabet"],
        "changes": changes,
        "points": record["points"],
        "columns": list(Point.__slots__),
        "samples": record["samples"],
    }
    weights = {name: each.contiguous() for name, each in under("network.", snapshot).items()}
    written = script(plan, text.cut, changes, max(1, snapshot.step))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("weights.safetensors", save(weights))
        packed.writestr("run.json", json.dumps(about, indent=1))
        packed.writestr("text.txt", text.content.encode())
        packed.writestr("run.py", written)
    return file.getvalue()
