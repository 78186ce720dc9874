"""The time machine: what a run has kept, looked at again and taken away.

Each of these is a call on a run's config and folder, and depends on the files in there and on the
text alone.
"""

import io
import json
import zipfile
from collections.abc import Mapping
from itertools import starmap
from typing import Any

from safetensors.torch import save

from core.lstm_gates import Curves, Plan, State, texts
from core.lstm_gates.learning import begin
from core.lstm_gates.looking import Point, curves_of
from core.lstm_gates.script import script
from core.lstm_gates.stored import kept, newest, plan_of
from core.shared.snapshots import under

__all__ = ["curves", "export", "replay"]

Config = Mapping[str, Any]  # JSON values of a Plan


def replay(config: Config, folder: str, step: int) -> State:
    """Look at a run as it stood at one of its kept steps.

    Args:
        config: of the run.
        folder: of the run.
        step: one of those in `State.kept`.

    Raises: ValueError when the step was not kept, or its text is no longer here.
    """
    snapshot = kept(folder, step)
    return begin(plan_of(snapshot), snapshot).freeze()


def curves(config: Config, folder: str, version: int) -> Curves:
    """Read the curves of a run off its newest snapshot.

    Args:
        config: of the run.
        folder: of the run.
        version: grows with the run, so that an older answer is not taken for the newest.
    """
    return curves_of([*starmap(Point, newest(folder).record["points"])])


def export(config: Config, folder: str, version: int) -> bytes:
    """Pack a run to take away: its newest weights, what is known about it, its text and its script.

    Args:
        config: of the run.
        folder: of the run.
        version: as for `curves`.

    Returns: a zip of weights.safetensors, run.json, text.txt and run.py, which takes as many steps
        as were taken and so gives the same weights again, as far as sums are rounded alike.
    Raises: ValueError when the run's text is no longer here.
    """
    snapshot = newest(folder)
    record, began = snapshot.record, Plan(**snapshot.record["began"])
    text = texts.read(began.text, began.characters)
    changes = [(step, name, value) for step, name, value in record["changes"]]
    about = {
        "plan": dict(config),
        "step": snapshot.step,
        "alphabet": record["alphabet"],
        "began": record["began"],
        "branched": record["branched"],
        "changes": changes,
        "points": record["points"],
        "columns": list(Point.__slots__),
        "samples": record["samples"],
    }
    weights = {name: each.contiguous() for name, each in under("network.", snapshot).items()}
    written = script(began, text.cut, changes, max(1, snapshot.step))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("weights.safetensors", save(weights))
        packed.writestr("run.json", json.dumps(about, indent=1))
        packed.writestr("text.txt", text.content.encode())
        packed.writestr("run.py", _noted(record["branched"]) + written)
    return file.getvalue()


def _noted(branched: Mapping[str, int]) -> str:
    """Say of what a branch has otherwise that the script has it not."""
    others = ", ".join(f"{name} from step {step:,} on" for name, step in branched.items())
    return f"# The run that was branched off; the branch has another {others}.\n" if others else ""
