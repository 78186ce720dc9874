"""A student that learns from a teacher: at what speed, and whether it is the better for it.

    python -m bench.distillation            ten seeds, five rounds
    python -m bench.distillation --quick    two seeds, one round

The bare loop has a process of its own, the student, images, optimiser and loss of the run, logits
of a teacher that stand ready, and nothing else; both take short turns, so that a machine whose
speed drifts does so for both.
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from bench import report
from bench.turns import Counter, at_work, loop, speeds
from core.distillation import DISTIL, Distillation, Distilled
from core.shared.engine import Engine
from core.shared.models import Source

TEACHER = Source(kind="built-in", name="mnist")
LEARNED = Distillation(teacher=TEACHER)  # 48 units, 2,000 digits, T = 4, α = 0.1
ORDER = ("distilled", "permuted", "alone")  # from few errors to many
RUN = Distillation(teacher=TEACHER, arms=("distilled",), images=50_000, epochs=100)
STUDENTS = {"48 units": RUN, "convolutions": replace(RUN, student="conv8-p1-relu,max2,fc64-relu")}


def bare(counter: Counter, config: Distillation) -> None:
    """Distil in the barest loop, for ever."""
    import torch
    import torch.nn.functional as F

    from core.shared import data, devices, networks

    device = devices.choose()
    devices.prepare(device)
    split = data.dataset("mnist", device, config.images).training
    said = torch.randn(config.images, 10, generator=torch.Generator().manual_seed(0)).to(device)
    student = networks.build(config.student, torch.Generator().manual_seed(0)).to(device)
    student.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.Adam(student.parameters(), config.learning_rate, fused=True)
    temperature, alpha = config.temperature, config.alpha
    while True:
        for batch in torch.randperm(config.images).to(device).split(config.batch_size):
            logits = student(split.images[batch])
            soft = F.kl_div(
                F.log_softmax(logits / temperature, dim=1),
                F.softmax(said[batch] / temperature, dim=1),
                reduction="batchmean",
            )
            hard = F.cross_entropy(logits, split.labels[batch])
            loss = alpha * hard + (1 - alpha) * temperature**2 * soft
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            counter.add(len(batch))


def errors(engine: Engine, seed: int) -> dict[str, int]:
    """Train the students of a seed to their end, and count their errors on the test images."""
    name = engine.submit(DISTIL, replace(LEARNED, seed=seed), visitor="bench")
    while (view := engine.view(name)).live:
        time.sleep(0.01)
    if not isinstance(view.state, Distilled) or view.status != "finished":
        raise RuntimeError(view.failure)
    return {arm.name: arm.errors for arm in view.state.arms if arm.errors is not None}


def main() -> None:
    """Measure all, print the table and the line of JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--side", choices=STUDENTS)
    parser.add_argument("--count")
    chosen = parser.parse_args()
    if chosen.side:
        bare(Counter(chosen.count), STUDENTS[chosen.side])
        return
    figures, turns, seeds = (1, 2, 2) if chosen.quick else (5, 4, 10)
    with tempfile.TemporaryDirectory() as folder, Engine(Path(folder)) as engine:
        engine.call("math:sqrt", 1.0)
        device = engine.ready()["owners"][0]["name"]
        report.heading("Distillation", device)
        claims = [order(engine, seeds)]
    claims += [speed(name, figures, turns) for name in STUDENTS]
    report.finish("distillation", device, claims)


def speed(name: str, figures: int, turns: int) -> dict[str, object]:
    """Compare the panel's run, nobody looking, with the bare loop."""
    config = STUDENTS[name]
    with (
        loop("bench.distillation", ["--side", name]) as plain,
        at_work(DISTIL, config, config.images * config.epochs) as run,
    ):
        found = speeds({"bare loop": plain, "the run": run}, figures, turns)
    for side, values in found.items():
        report.spread(f"images a second, {side}, {name}", values)
    pairs = zip(found["the run"], found["bare loop"], strict=True)
    share = report.spread(f"their ratio, {name}", [ours / theirs for ours, theirs in pairs])
    return report.claim(f"speed of the run beside the bare loop, {name}", share, 0.95)


def order(engine: Engine, seeds: int) -> dict[str, object]:
    """Count the seeds in which the distilled makes the fewest errors and the one alone the most."""
    found = [errors(engine, seed) for seed in range(seeds)]
    print("errors of 10,000 test images, by seed:")
    for arm in found[0]:
        values = [each[arm] for each in found]
        report.spread(f"{arm}: {', '.join(map(str, values))}", values, "errors")
    held = sum(
        [each[arm] for arm in ORDER] == sorted({each[arm] for arm in ORDER}) for each in found
    )
    text = f"of {seeds} seeds, those with fewer errors distilled than permuted than alone"
    return report.claim(text, held, seeds - seeds // 10)


if __name__ == "__main__":
    main()
