"""Weights on disk: a step's tensors with what is known about it, in one safetensors file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from core.shared.runs import ROLLING, atomically, place, steps

__all__ = ["Snapshot", "load", "newest", "place", "steps", "under", "write"]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A piece of long work as it stood after a step, complete enough to go on from."""

    step: int
    tensors: Mapping[str, Tensor]
    record: Mapping[str, Any]  # JSON values


def write(folder: Path, snapshot: Snapshot, *, rolling: bool = False) -> None:
    """Write the snapshot to its place in the run's folder; a rolling one replaces the last."""
    tensors = {
        name: value.detach().to("cpu", copy=False).contiguous()
        for name, value in snapshot.tensors.items()
    }
    words = {"step": str(snapshot.step), "record": json.dumps(snapshot.record)}
    if folder.is_dir():
        atomically(
            folder / ROLLING if rolling else place(folder, snapshot.step),
            lambda beside: save_file(tensors, beside, metadata=words),
        )


def load(path: Path) -> Snapshot:
    """Read a snapshot; nothing in the file is executed.

    Raises: ValueError when the file is damaged or no snapshot of ours.
    """
    try:
        with safe_open(path, framework="pt") as file:
            words = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return Snapshot(int(words["step"]), tensors, json.loads(words["record"]))
    except Exception as error:  # safetensors raises its own class and plain ones
        raise ValueError(f"{path.name} must be a snapshot of a run, got: {error}") from error


def newest(folder: Path) -> Snapshot | None:
    """Read the snapshot of the highest step that can be read, None where there is none."""
    rolling = _readable(folder / ROLLING)
    for step in reversed(steps(folder)):
        if rolling is not None and rolling.step >= step:
            break
        snapshot = _readable(place(folder, step))
        if snapshot is not None:
            return snapshot
    return rolling


def under(prefix: str, snapshot: Snapshot) -> dict[str, Tensor]:
    """Give the tensors of a snapshot whose names begin so, without it."""
    return {
        name.removeprefix(prefix): value
        for name, value in snapshot.tensors.items()
        if name.startswith(prefix)
    }


def _readable(path: Path) -> Snapshot | None:
    try:
        return load(path)
    except ValueError:
        return None
