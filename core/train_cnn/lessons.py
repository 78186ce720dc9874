"""Six experiments that a course tells of, as recipes, and what came out of them.

`python -m bench.lessons` runs them all, for three seeds each, and writes `assets/lessons.json`;
`outcome` reads it. Nothing here needs torch.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from core.shared.layers import PRESETS, parse, write
from core.shared.recipes import Recipe

__all__ = ["FILE", "LESSONS", "SEEDS", "Arm", "Lesson", "Outcome", "outcome"]

SEEDS = (0, 1, 2)
BASE = Recipe(learning_rate=0.1, batch_size=64, weight_decay=0.001)  # what the lessons change
FILE = Path(__file__).parents[2] / "assets" / "lessons.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One of the ways that a lesson compares."""

    name: str
    recipe: Recipe  # the seed is one of SEEDS instead of its own
    changes: tuple[tuple[int, str, float], ...] = ()  # while it learns: the step, what, its value


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """Some runs that differ in one thing."""

    name: str
    title: str
    claim: str  # what comes out, in a sentence that can be false
    columns: Mapping[str, str]  # what is measured, by the names of `bench.lessons`, in words
    arms: tuple[Arm, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came out of a lesson."""

    torch: str  # the version that it ran on
    device: str
    arms: list[dict[str, Any]]  # as they were then
    measured: Mapping[str, Mapping[str, list[float | str | None]]]  # arm, measure, for each seed


def _every(table: str, **changes: str) -> str:
    """Change all convolutions of a table."""
    return write(
        replace(row, **changes) if row.kind not in ("global", "max") else row  # type: ignore[arg-type]
        for row in parse(table)
    )


DEEP = replace(
    BASE,
    network=",".join(["conv16-k4-s4-sigmoid", *["plain16-sigmoid"] * 9]),
    images=5000,
    epochs=3,
    learning_rate=0.005,
    weight_decay=0.0,
    initialisation="glorot",
)
STEEP = replace(BASE, network=PRESETS["mlp"], images=5000, epochs=2, schedule="constant")
SQUARED = replace(
    BASE,
    network="fc100-sigmoid",
    images=5000,
    epochs=5,
    learning_rate=0.5,
    optimiser="sgd",
    schedule="constant",
    weight_decay=0.0,
)
LARGE = replace(
    BASE,
    network="conv16-k5-s2-relu,fc1000-relu",
    images=1000,
    epochs=40,
    learning_rate=0.01,
    batch_size=32,
    schedule="constant",
    weight_decay=0.0,
)
DESCENT = replace(
    BASE,
    network=PRESETS["mlp"],
    images=2000,
    epochs=10,
    learning_rate=0.02,
    optimiser="sgd",
    schedule="constant",
    weight_decay=0.0,
)

LESSONS: tuple[Lesson, ...] = (
    Lesson(
        name="depth",
        title="Twenty layers",
        claim="With sigmoids and no shortcuts the gradient dies on its way back and the network "
        "stays at chance; ReLU, batch normalisation or shortcuts each let it learn. But ReLU needs "
        "its own start, and a shortcut a sum that no sigmoid squashes.",
        columns={
            "first_gradient": "gradient of conv1 at the start",
            "gradient_ratio": "of that of the output",
            "validation_accuracy": "validation accuracy",
        },
        arms=(
            Arm(name="sigmoid", recipe=DEEP),
            Arm(
                name="ReLU, the sigmoids' start",
                recipe=replace(DEEP, network=_every(DEEP.network, activation="relu")),
            ),
            Arm(
                name="ReLU, He's start",
                recipe=replace(
                    DEEP,
                    network=_every(DEEP.network, activation="relu"),
                    initialisation="he",
                ),
            ),
            Arm(
                name="batch normalisation",
                recipe=replace(DEEP, network=_every(DEEP.network, normalisation="batch")),
            ),
            Arm(
                name="shortcuts, a sigmoid after each sum",
                recipe=replace(DEEP, network=DEEP.network.replace("plain", "res")),
            ),
            Arm(
                name="shortcuts, nothing after the sums",
                recipe=replace(DEEP, network=DEEP.network.replace("plain", "skip")),
            ),
        ),
    ),
    Lesson(
        name="rate",
        title="Too large a rate",
        claim="An MLP with ReLU learns at η = 0.02; at η = 3 its loss leaves the finite numbers "
        "within a few steps and the run ends with a sentence that says so.",
        columns={
            "validation_accuracy": "validation accuracy",
            "steps": "steps",
            "sentence": "how it ended",
        },
        arms=tuple(
            Arm(name=f"η = {rate:g}", recipe=replace(STEEP, learning_rate=rate))
            for rate in (0.002, 0.02, 3.0)
        ),
    ),
    Lesson(
        name="slow",
        title="Too slow, and too fast for a moment",
        claim="After three epochs of all digits LeNet-5 is near 99 % at η = 0.1, far below it at "
        "0.001. Twenty steps with η moved to 1 end all learning: back at 0.1 it stays at chance.",
        columns={"validation_accuracy": "validation accuracy", "highest_loss": "highest loss"},
        arms=(
            Arm(name="η = 0.1", recipe=BASE),
            Arm(name="η = 0.001", recipe=replace(BASE, learning_rate=0.001)),
            Arm(
                name="η = 0.1, in the second epoch 20 steps at 1",
                recipe=BASE,
                changes=((800, "learning_rate", 1.0), (820, "learning_rate", 0.1)),
            ),
        ),
    ),
    Lesson(
        name="loss",
        title="Squared error",
        claim="Where a sigmoid is sure and wrong its slope is almost 0, and so is the squared "
        "error's gradient; cross-entropy has no such factor and is faster at the same rate.",
        columns={
            "epochs_to_85": "epochs to 85 %",
            "validation_accuracy": "validation accuracy at the end",
        },
        arms=(
            Arm(name="squared error", recipe=replace(SQUARED, loss="squared")),
            Arm(name="cross-entropy", recipe=SQUARED),
        ),
    ),
    Lesson(
        name="overfitting",
        title="A large network on 1,000 digits",
        claim="Without regularisation the validation loss ends far above the training loss; "
        "dropout, L2 and early stopping each narrow the gap.",
        columns={
            "training_loss": "training loss",
            "validation_loss": "validation loss",
            "gap": "gap",
            "validation_accuracy": "validation accuracy",
        },
        arms=(
            Arm(name="nothing", recipe=LARGE),
            Arm(name="dropout 0.7", recipe=replace(LARGE, dropout=0.7)),
            Arm(name="L2, λ = 0.01", recipe=replace(LARGE, weight_decay=0.01)),
            Arm(name="early stopping", recipe=replace(LARGE, patience=2)),
        ),
    ),
    Lesson(
        name="batch",
        title="Three kinds of gradient descent",
        claim="In equally many epochs a batch of 1 takes 2,000 steps an epoch along very noisy "
        "gradients, the full batch one smooth step; 128 lies between.",
        columns={
            "steps": "steps",
            "noise": "noise ÷ signal of the gradient",
            "training_loss": "training loss",
            "validation_accuracy": "validation accuracy",
        },
        arms=tuple(
            Arm(name=name, recipe=replace(DESCENT, batch_size=size))
            for name, size in (("1", 1), ("128", 128), ("all 2,000", 5000))
        ),
    ),
)


def outcome(lesson: str) -> Outcome:
    """Read what came out of a lesson, by its name."""
    return Outcome(**_outcomes()[lesson])


@lru_cache(maxsize=1)
def _outcomes() -> dict[str, Any]:
    outcomes: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return outcomes
