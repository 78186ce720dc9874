"""Run the panel's lessons, three seeds each, and write what came out to assets/lessons.json.

python -m bench.lessons [NAME ...]      all of them, or some
"""

import copy
import json
import math
import sys
from dataclasses import asdict, replace

import torch
import torch.nn.functional as F

from core.shared import devices
from core.shared.data import Split
from core.shared.evaluating import evaluate
from core.shared.recipes import Recipe
from core.shared.training import Training
from core.train_cnn import learning
from core.train_cnn.lessons import FILE, LESSONS, SEEDS, Arm, Outcome

Measured = dict[str, float | str | None]


def run(arm: Arm, seed: int) -> Measured:
    """Run to the end, and measure; None is what no number can tell."""
    recipe = replace(arm.recipe, seed=seed)
    training = learning.begin(recipe, None).training
    measured: Measured = {"sentence": "it went to its end", "noise": noise(training, recipe)}
    losses = []
    try:
        for _ in training.run():
            if training.batch_loss is not None:
                losses.append(training.batch_loss)
            if training.step == 1 and training.flow:
                first, last = training.flow.gradient[0], training.flow.gradient[-1]
                measured |= {"first_gradient": first, "gradient_ratio": first / last}
            for step, name, value in arm.changes:
                if step == training.step:
                    training.change(name, value)
    except FloatingPointError as error:
        measured["sentence"] = str(error)
    images = training.dataset.training
    seen = evaluate(training.network, Split(images.images[:5000], images.labels[:5000]), recipe)
    validation = evaluate(training.network, training.dataset.validation, recipe)
    reached = [p.seen / training.images for p in training.points if p.validation_accuracy >= 0.85]
    sound = math.isfinite(validation.loss)
    return measured | {
        "steps": training.step,
        "highest_loss": float(torch.stack(losses).max()),
        "training_loss": seen.loss if sound else None,
        "validation_loss": validation.loss if sound else None,
        "gap": validation.loss - seen.loss if sound else None,
        "validation_accuracy": validation.accuracy if sound else None,
        "epochs_to_85": reached[0] if reached else None,
    }


def noise(training: Training, recipe: Recipe, batches: int = 20) -> float:
    """Compare the gradient of a batch with that of all images, at the start.

    Returns: the root mean square distance of a batch's gradient from the whole one, as a share of
    that one's length; 0 for the full batch.
    """
    network = copy.deepcopy(training.network)  # batch normalisation counts what it sees
    split = training.dataset.training

    def gradient(place: slice) -> torch.Tensor:
        logits = network(split.images[place])
        loss = F.cross_entropy(logits, split.labels[place])
        return torch.cat([g.flatten() for g in torch.autograd.grad(loss, [*network.parameters()])])

    whole = gradient(slice(0, 5000))
    size = min(recipe.batch_size, training.images)
    count = min(batches, -(-training.images // size))
    parts = [gradient(slice(k * size, (k + 1) * size)) for k in range(count)]
    distances = torch.stack([(part - whole).square().sum() for part in parts])
    return float(distances.mean().sqrt() / whole.norm())


def main() -> None:
    """Run the lessons that were named, and put what came out beside what is there already."""
    outcomes = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    for lesson in LESSONS:
        if sys.argv[1:] and lesson.name not in sys.argv[1:]:
            continue
        measured = {}
        for arm in lesson.arms:
            found = [run(arm, seed) for seed in SEEDS]
            measured[arm.name] = {
                name: [_short(each[name]) for each in found] for name in lesson.columns
            }
            print(lesson.name, arm.name, measured[arm.name], flush=True)
        outcome = Outcome(
            torch=torch.__version__.partition("+")[0],
            device=devices.describe(devices.choose()),
            arms=[asdict(arm) for arm in lesson.arms],
            measured=measured,
        )
        outcomes[lesson.name] = asdict(outcome)
        FILE.write_text(json.dumps(outcomes, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _short(value: float | str | None) -> float | str | None:
    return float(f"{value:.4g}") if isinstance(value, float) else value


if __name__ == "__main__":
    main()
