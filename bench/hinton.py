"""Remake Hinton's experiment on digits: assets/distillation.json and .safetensors.

    python -m bench.hinton [SEED ...]      seeds 0, 1 and 2, or others, beside those that are there
    python -m bench.hinton --quick         one seed of few images, which writes nothing

A seed takes six minutes of a core. So that it does, there are far fewer epochs than in the paper,
and less dropout for them; 50,000 images and not 60,000, so that 10,000 are left to choose a shift
of the bias by. The students learn from soft targets alone, at T = 20 but where another is named.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from core.distillation.hinton import FILE, LEFT_OUT, LOGITS, STUDENTS, WIDTHS
from core.distillation.losses import permuted, soft_targets, soft_term
from core.shared import devices, networks
from core.shared.data import Dataset, Split, dataset
from core.shared.evaluating import read

SEEDS = (0, 1, 2)
SETTINGS: dict[str, Any] = {
    "teacher": "fc1200-relu-drop30,fc1200-relu-drop30",
    "student": "fc800-relu,fc800-relu",
    "jitter": 2,  # pixels, at most, to each side
    "max_norm": 3.5,  # of the weights into each hidden unit of the teacher
    "temperature": 20.0,
    "alpha": 0.0,  # soft targets alone
    "optimiser": "Adam, its rate falling linearly to 0",
    "learning_rate": 0.001,
    "small_learning_rates": {30: 0.003, 300: 0.001},  # by the units of a layer
    "batch_size": 250,
    "teacher_epochs": 12,
    "student_epochs": 6,
    "small_epochs": 10,
    "training_images": 50_000,
    "paper": "60,000 images, many more epochs, dropout of a half",
}
Loss = Callable[[Tensor, Tensor], Tensor]  # logits of a batch, and its places


@dataclass(frozen=True, slots=True)
class Plan:
    """How a network is trained."""

    epochs: int
    rate: float
    jittered: bool = False
    bounded: bool = False  # by the max-norm
    places: Tensor | None = None  # of the training images that are shown; None for all


def main() -> None:
    """Make the seeds that were named, one after the other, each written when it is done."""
    device = devices.choose()
    devices.prepare(device)
    digits = dataset("mnist", device)
    if sys.argv[1:] == ["--quick"]:
        digits = few(digits)
        print(run(0, digits)[0])
        return
    for seed in map(int, sys.argv[1:] or SEEDS):
        began = time.monotonic()
        found, logits = run(seed, digits)
        found["seconds"] = round(time.monotonic() - began)
        write(seed, found, logits, digits)
        print(seed, found, flush=True)


def run(seed: int, digits: Dataset) -> tuple[dict[str, Any], Tensor]:
    """Train a teacher and all its students.

    Returns: errors on the test images, and the logits there of the one that never saw a LEFT_OUT.
    """
    test, labels = digits.test, digits.training.labels
    rate, hot = SETTINGS["learning_rate"], SETTINGS["temperature"]

    def hard(logits: Tensor, places: Tensor) -> Tensor:
        return F.cross_entropy(logits, labels[places])

    def soft(said: Tensor, temperature: float) -> Loss:
        targets = soft_targets(said, temperature)
        return lambda logits, places: soft_term(logits, targets[places], temperature, 1.0)

    def taught(name: str, table: str, loss: Loss, plan: Plan) -> tuple[nn.Sequential, int]:
        network = train(table, digits, loss, plan, seed)
        wrong = int((answers(network, test.images).argmax(1) != test.labels).sum())
        print(f"seed {seed}, {name}: {wrong} errors of {len(test):,}", flush=True)
        return network, wrong

    learned = Plan(SETTINGS["teacher_epochs"], rate, jittered=True, bounded=True)
    teacher, found = taught("teacher", SETTINGS["teacher"], hard, learned)
    outcome: dict[str, Any] = {"teacher": found, "students": {}, "small": {}}
    said = answers(teacher, digits.training.images)
    source = torch.Generator().manual_seed(seed)
    losses = {
        "plain": hard,
        "jittered": hard,
        "permuted": soft(permuted(said, source), hot),
        "distilled": soft(said, hot),
    }
    plan = Plan(SETTINGS["student_epochs"], rate)
    for name in STUDENTS:
        own = replace(plan, jittered=name == "jittered")
        _, found = taught(name, SETTINGS["student"], losses[name], own)
        outcome["students"][name] = found
    others = replace(plan, places=(labels != LEFT_OUT).nonzero()[:, 0])
    network, _ = taught("left out", SETTINGS["student"], losses["distilled"], others)
    outcome["shift"] = best_shift(network, digits.validation)
    for units, temperatures in WIDTHS.items():
        small_rate = SETTINGS["small_learning_rates"][units]
        short = Plan(SETTINGS["small_epochs"], small_rate)
        row = outcome["small"][str(units)] = {}
        for temperature in temperatures:
            name, table = f"{units} units, T = {temperature:g}", f"fc{units}-relu,fc{units}-relu"
            _, row[f"{temperature:g}"] = taught(name, table, soft(said, temperature), short)
    return outcome, answers(network, test.images)


def train(table: str, digits: Dataset, loss: Loss, plan: Plan, seed: int) -> nn.Sequential:
    """Train a network on digits."""
    images, size = digits.training.images, SETTINGS["batch_size"]
    network = networks.build(table, torch.Generator().manual_seed(seed)).to(images.device)
    places = plan.places
    if places is None:
        places = torch.arange(len(images), device=images.device)
    hidden = [layer for layer in network.modules() if isinstance(layer, nn.Linear)][:-1]
    optimiser = torch.optim.Adam(network.parameters(), plan.rate, fused=True)
    source, steps = torch.Generator().manual_seed(seed), plan.epochs * -(-len(places) // size)
    batches = (
        few
        for _ in range(plan.epochs)
        for few in places[torch.randperm(len(places), generator=source).to(places.device)].split(
            size
        )
    )
    for step, batch in enumerate(batches):
        optimiser.param_groups[0]["lr"] = plan.rate * (1 - step / steps)
        networks.reseed(network, (seed << 32) + step)
        shown = images[batch]
        value = loss(network(moved(shown, source) if plan.jittered else shown), batch)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        for layer in hidden if plan.bounded else ():
            with torch.no_grad():
                layer.weight.copy_(layer.weight.renorm(2, 0, SETTINGS["max_norm"]))
    return network


def moved(images: Tensor, source: torch.Generator) -> Tensor:
    """Move each image by up to two pixels in both directions, with paper where nothing was."""
    far, side = SETTINGS["jitter"], images.shape[-1]
    windows = F.pad(images[:, 0], (far,) * 4).unfold(1, side, 1).unfold(2, side, 1)
    places = torch.randint(2 * far + 1, (2, len(images)), generator=source).to(images.device)
    return windows[torch.arange(len(images), device=images.device), places[0], places[1]][:, None]


def answers(network: nn.Sequential, images: Tensor) -> Tensor:
    """Compute the logits of many images."""
    return torch.cat([read(network, few) for few in images.split(1_000)])


def best_shift(network: nn.Sequential, split: Split) -> float:
    """Find what to add to the bias of the class that was left out, for the fewest errors."""
    logits = answers(network, split.images)
    class_of = F.one_hot(torch.tensor(LEFT_OUT), logits.shape[1]).to(logits)
    shifts = [k / 10 for k in range(101)]
    wrong = [int(((logits + s * class_of).argmax(1) != split.labels).sum()) for s in shifts]
    return shifts[wrong.index(min(wrong))]


def write(seed: int, outcome: dict[str, Any], logits: Tensor, digits: Dataset) -> None:
    """Put what came out beside what is there already, if that was made in the same way."""
    found = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    stored = load_file(LOGITS) if LOGITS.exists() else {}
    settings = json.loads(json.dumps(SETTINGS))
    if found.get("settings") != settings:
        found, stored = {"settings": settings, "seeds": {}}, {}
    found |= {
        "machine": devices.describe(devices.choose()),
        "torch": torch.__version__.partition("+")[0],
    }
    found["seeds"][str(seed)] = outcome
    stored["labels"] = digits.test.labels.to("cpu", torch.uint8)
    stored[f"logits.{seed}"] = logits.to("cpu", torch.float16)
    save_file(stored, LOGITS)
    FILE.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def few(digits: Dataset) -> Dataset:
    """Take the first thousand of each part."""
    training, validation, test = (
        Split(part.images[:1_000], part.labels[:1_000])
        for part in (digits.training, digits.validation, digits.test)
    )
    return Dataset(training, validation, test)


if __name__ == "__main__":
    main()
