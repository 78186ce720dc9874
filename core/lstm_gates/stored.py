"""The network of a run as it stood at a kept step, ready to be asked."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from core.lstm_gates import Plan
from core.lstm_gates.built_ins import FOLDER, require_built_in
from core.lstm_gates.readers import Reader, build
from core.shared import devices, snapshots
from core.shared.snapshots import Snapshot, under

__all__ = ["kept", "load_built_in", "load_reader", "newest", "plan_of", "revived"]

MOST = 4  # networks that are held


def revived(plan: Plan, alphabet: str, weights: Mapping[str, Tensor]) -> Reader:
    """Make a network from its weights: a copy on this thread's device, frozen and at rest.

    Args:
        plan: by which it was built.
        alphabet: that it learned.
        weights: as its `state_dict` gives them.

    Raises: ValueError when they are of another network.
    """
    reader = build(plan, alphabet)
    try:
        reader.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(f"weights must be of this network, got: {error}") from error
    return reader.eval().requires_grad_(False)


def load_reader(config: Mapping[str, Any], folder: str, step: int) -> Reader:
    """Give a run's network as it stood at a kept step.

    Args:
        config: of the run.
        folder: of the run.
        step: one of those in `State.kept`.

    Returns: one that many share; nobody may change it.
    Raises: ValueError when the step was not kept.
    """
    return _loaded(folder, step, devices.choose(None))


def load_built_in(name: str) -> Reader:
    """Give a built-in network, one that many share; nobody may change it.

    Raises: ValueError when there is no such network.
    """
    return _ready(name, devices.choose(None))


def kept(folder: str, step: int) -> Snapshot:
    """Read what a run kept at a step.

    Raises: ValueError when the step was not kept.
    """
    try:
        return snapshots.load(snapshots.place(Path(folder), step))
    except (ValueError, TypeError) as error:
        steps = snapshots.steps(Path(folder))
        raise ValueError(f"step must be one that was kept, {steps}, got {step!r}") from error


def newest(folder: str) -> Snapshot:
    """Read where a run stands.

    Raises: ValueError when it has kept nothing.
    """
    snapshot = snapshots.newest(Path(folder))
    if snapshot is None:
        raise ValueError("run must have kept a step, got one that has not begun")
    return snapshot


def plan_of(snapshot: Snapshot) -> Plan:
    """Give the plan by which a run goes of which a snapshot was taken."""
    return Plan(**snapshot.record["plan"])


@lru_cache(maxsize=MOST)
def _ready(name: str, device: torch.device) -> Reader:
    known = require_built_in(name)
    return revived(known.plan, known.alphabet, load_file(FOLDER / f"{name}.safetensors"))


@lru_cache(maxsize=MOST)
def _loaded(folder: str, step: int, device: torch.device) -> Reader:
    snapshot = kept(folder, step)
    weights = under("network.", snapshot)
    return revived(plan_of(snapshot), snapshot.record["alphabet"], weights)
