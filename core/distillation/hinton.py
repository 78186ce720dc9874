"""Hinton's experiment on digits: what the paper found, and what our own prepared runs found.

`python -m bench.hinton` makes the runs. What is read here needs no torch.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Integer, UInt8
from safetensors.numpy import load_file

__all__ = [
    "FILE",
    "LEFT_OUT",
    "LOGITS",
    "PAPER",
    "STUDENTS",
    "WIDTHS",
    "Prepared",
    "Shifted",
    "prepared",
    "raised",
    "shifted",
]

FILE = Path(__file__).parents[2] / "assets" / "distillation.json"
LOGITS = FILE.with_name("distillation.safetensors")  # of the students that never saw a LEFT_OUT
LEFT_OUT = 3
STUDENTS = {  # of 800-800 units, all without dropout
    "plain": "hard labels",
    "jittered": "hard labels, images jittered as the teacher's",
    "permuted": "soft targets, wrong classes permuted",
    "distilled": "soft targets",
}
WIDTHS = {300: (1.0, 4.0, 8.0, 20.0), 30: (1.0, 2.5, 4.0, 8.0, 20.0)}  # units a layer: temperatures
PAPER = {  # errors of 10,000 test images; Hinton, Vinyals, Dean 2015, arXiv:1503.02531, section 3
    "teacher": 67,
    "plain": 146,
    "distilled": 74,
    "left out": 206,  # a distilled student whose images had no 3
    "left out, of them 3s": 133,
    "shift": 3.5,  # that was added to its bias of the class 3, to do best on the test images
    "shifted": 109,
    "shifted, of them 3s": 14,
}


@dataclass(frozen=True, slots=True)
class Prepared:
    """What our runs found; each tuple has a value for each seed, errors are of test images."""

    seeds: tuple[int, ...]
    settings: dict[str, Any]  # how they were trained, and where they differ from the paper's
    seconds: tuple[int, ...]  # that each seed took, beside other work of that machine
    machine: str
    torch: str
    teacher: tuple[int, ...]
    students: dict[str, tuple[int, ...]]  # by STUDENTS
    small: dict[int, dict[float, tuple[int, ...]]]  # by WIDTHS: units a layer, temperature
    shifts: tuple[float, ...]  # of the bias of LEFT_OUT that did best on the validation images


@dataclass(frozen=True, slots=True)
class Shifted:
    """What a student that never saw a LEFT_OUT reads once its bias of that class is raised."""

    shift: float
    errors: int  # of the test images
    of_left_out: int  # errors that are images of LEFT_OUT
    left_out: int  # how many test images are
    taken_for: int  # images of other classes that are read as it
    images: int


@cache
def prepared() -> Prepared:
    """Read what `python -m bench.hinton` found.

    Raises: FileNotFoundError when it has not been run.
    """
    found = json.loads(FILE.read_text(encoding="utf-8"))
    rows = [found["seeds"][seed] for seed in sorted(found["seeds"], key=int)]

    def every(*keys: str) -> tuple[Any, ...]:
        values = []
        for row in rows:
            for key in keys:
                row = row[key]
            values.append(row)
        return tuple(values)

    return Prepared(
        seeds=tuple(sorted(map(int, found["seeds"]))),
        settings=found["settings"],
        seconds=every("seconds"),
        machine=found["machine"],
        torch=found["torch"],
        teacher=every("teacher"),
        students={name: every("students", name) for name in STUDENTS},
        small={
            units: {each: every("small", str(units), f"{each:g}") for each in temperatures}
            for units, temperatures in WIDTHS.items()
        },
        shifts=every("shift"),
    )


def shifted(seed: int, shift: float) -> Shifted:
    """Raise the bias of the class that a student never saw, and count its errors.

    Args:
        seed: of the run, one of `Prepared.seeds`.
        shift: what is added to the logit of LEFT_OUT, in nats.

    Raises: ValueError when there is no such run, or the shift is not finite.

    Source: Hinton, Vinyals, Dean 2015, arXiv:1503.02531, section 3.
    """
    return raised(*_left_out(seed), LEFT_OUT, shift)


def raised(
    logits: Float[np.ndarray, "n k"], labels: Integer[np.ndarray, " n"], left_out: int, shift: float
) -> Shifted:
    """Raise the bias of a class, and count the errors.

    Args:
        logits: of a student that never saw the class.
        labels: the true classes.
        left_out: the class.
        shift: what is added to its logit, in nats.

    Raises: ValueError when the shift is not finite.
    """
    if not np.isfinite(shift):
        raise ValueError(f"shift must be a finite number, got {shift!r}")
    logits = logits.copy()
    logits[:, left_out] += np.float32(shift)
    read = logits.argmax(1)
    wrong, own = read != labels, labels == left_out
    return Shifted(
        shift=float(shift),
        errors=int(wrong.sum()),
        of_left_out=int((wrong & own).sum()),
        left_out=int(own.sum()),
        taken_for=int((~own & (read == left_out)).sum()),
        images=len(labels),
    )


@cache
def _stored() -> dict[str, np.ndarray]:
    return dict(load_file(LOGITS))


def _left_out(seed: int) -> tuple[Float[np.ndarray, "n k"], UInt8[np.ndarray, " n"]]:
    stored = _stored()
    if f"logits.{seed}" not in stored:
        known = sorted(int(name.rpartition(".")[2]) for name in stored if name != "labels")
        raise ValueError(f"seed must be one of {known}, got {seed!r}")
    return stored[f"logits.{seed}"].astype(np.float32), stored["labels"]
