"""Images a second of the panel's run against plain loops, and seconds to 99 % on the test digits.

    python -m bench.training            all pairs, five seeds
    python -m bench.training --quick    the same, shorter

Every side has a process of its own; they take short turns, so that a machine whose speed drifts
does so for all of them. The page's step is read off the page itself.
"""

import argparse
import gzip
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from bench import report
from bench.browser import ROOT, SCREEN, Server, cpu_seconds
from bench.turns import TURN, TURNS, WARM, Counter, at_work, loop, opened, speeds
from core import train_cnn
from core.shared import process
from core.shared.engine import Engine
from core.shared.layers import PRESETS
from core.shared.recipes import Recipe
from ui.panels.train_cnn.choices import NAMES as SAID

LONG = Recipe(epochs=100)  # the panel's defaults, but it does not end while we measure
NETWORKS = {"LeNet-5": "lenet5", "VGG": PRESETS["vgg"], "ResNet": PRESETS["resnet"]}
NAMES = {"LeNet-5": "LeNet-5", "VGG": SAID["vgg"], "ResNet": SAID["resnet"]}  # on the page

SIDES = ("bare", "loader", "views")
SAYING = {
    "bare": "barest loop",
    "loader": "DataLoader over PIL images",
    "run": "run, nobody looking",
    "page": "run, its page open",
}
RATIOS = (  # of two sides, and the goal
    ("run", "bare", 0.95),
    ("page", "bare", 0.85),
    ("run", "loader", 2.5),
)
TRAINED = 50_000  # images of an epoch


def plain_loop(counter: Counter, recipe: Recipe, loader: bool) -> None:
    """Train the same network in the barest loop over tensors, or over a DataLoader of pictures.

    Both have the run's device, batch and optimiser, and compute one layer after the other, as the
    page's script does.
    """
    import torch
    import torch.nn.functional as F

    from core.shared import devices
    from core.shared.data import mnist
    from core.shared.lenet import Normalise
    from core.shared.networks import build
    from core.shared.vision_library import torchvision

    device = devices.choose()
    devices.prepare(device)
    digits = mnist(torch.device("cpu") if loader else device).training
    built = build(recipe.network, torch.Generator().manual_seed(0)).to(device)
    layers = dict(built.named_children())
    shift = layers["normalise"]
    if loader and isinstance(shift, Normalise):  # the transforms normalise instead
        layers["normalise"] = torch.nn.ZeroPad2d(shift.padding)
    network = torch.nn.Sequential(*layers.values())
    if not loader:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.SGD(
        network.parameters(),
        recipe.learning_rate,
        momentum=0.9,
        nesterov=True,
        weight_decay=recipe.weight_decay,
        fused=not loader,
    )
    if loader:
        transforms = torchvision.transforms
        prepare = transforms.Compose([transforms.ToTensor(), transforms.Normalize(0.1, 0.28)])
        with tempfile.TemporaryDirectory() as folder:
            raw = Path(folder) / "MNIST" / "raw"
            raw.mkdir(parents=True)
            for packed in (ROOT / "assets" / "mnist").glob("*.gz"):
                (raw / packed.stem).write_bytes(gzip.decompress(packed.read_bytes()))
            pictures = torchvision.datasets.MNIST(folder, transform=prepare)
        part = torch.utils.data.Subset(pictures, range(len(digits)))
        source = torch.utils.data.DataLoader(part, recipe.batch_size, shuffle=True)
    while True:
        order = torch.randperm(len(digits)).split(recipe.batch_size)
        batches = source if loader else ((digits.images[i], digits.labels[i]) for i in order)
        for images, labels in batches:
            loss = F.cross_entropy(network(images.to(device)), labels.to(device))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            counter.add(len(labels))


def views(seconds: float, recipe: Recipe) -> float:
    """Train as the panel does; look at it as often as the engine does in every other second.

    Returns: the speed with looks over that without.
    """
    from core.shared import devices, owner
    from core.train_cnn import learning

    devices.prepare(devices.choose())
    work = (given for given in learning.train(recipe) if isinstance(given, learning.Lesson))
    lesson = next(work)
    lesson.freeze()
    rest, steps, took = owner.PUSH, [0, 0], [0.0, 0.0]
    began = time.perf_counter()
    then = pushed = began + seconds / 4  # warm
    while time.perf_counter() < then:
        lesson = next(work)
    while (now := time.perf_counter()) < then + 2 * seconds:
        on = int(now - then) % 2
        lesson = next(work)
        if on and now - pushed > rest:
            looked = time.perf_counter()
            pickle.dumps(lesson.freeze())
            pushed = time.perf_counter()
            rest = min(max(owner.PUSH, (pushed - looked) / owner.SHARE), owner.REST)
        steps[on] += 1
        took[on] += time.perf_counter() - now
    return (steps[1] / took[1]) / (steps[0] / took[0])


def views_apart(seconds: float, network: str) -> float:
    """Measure that in a process of its own."""
    options = ["--side", "views", "--seconds", str(seconds), "--network", network]
    command = [sys.executable, "-m", "bench.training", *options]
    told = subprocess.run(
        command, check=True, capture_output=True, text=True, env={**process.KERNELS, **os.environ}
    )
    return float(told.stdout.split()[-1])


@dataclass(frozen=True, slots=True)
class Compared:
    """Speeds in images a second, several of each side, and what an open page took and showed."""

    speeds: dict[str, list[float]]
    pictures: float  # a second of the page's turns
    browser: float  # what Chromium took of these, in cores
    served: float  # and the server without its engine


def compare(network: str, figures: int, turns: int, names: Sequence[str]) -> Compared:
    """Let the plain loops of these names, the run alone and the run with its page take turns."""
    recipe = replace(LONG, network=NETWORKS[network])
    asked = {"train_epochs": 20, "train_network": NAMES[network]}
    images = recipe.epochs * TRAINED
    with ExitStack() as stack:
        sides = {
            name: stack.enter_context(
                loop("bench.training", ["--side", name, "--network", network])
            )
            for name in names
        }
        sides["run"] = stack.enter_context(at_work(train_cnn.TRAIN, recipe, images))
        sides["page"], page, server = stack.enter_context(
            opened("train_cnn", asked, recipe.batch_size)
        )
        page.evaluate(COUNT)
        owner, before = sides["page"].process, _taken(server, sides["page"].process)
        found = speeds(sides, figures, turns)
        now, took = _taken(server, owner), figures * turns * (TURN + WARM)
        pictures = page.evaluate("window.pictures")
    browser, served = (late - early for late, early in zip(now, before, strict=True))
    return Compared(found, pictures / took, browser / took, served / took)


def _taken(server: Server, owner: int) -> tuple[float, float]:
    """Add up the processor seconds of Chromium, and of the server without its engine."""
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    node = [int(c) for c in children if "node" in Path(f"/proc/{c}/cmdline").read_text()]
    return sum(map(cpu_seconds, node)), cpu_seconds(server.process.pid) - cpu_seconds(owner)


COUNT = f"""() => {{
  window.pictures = 0
  const step = {SCREEN}.querySelector('.figures b')
  const moves = {{ subtree: true, childList: true, characterData: true }}
  new MutationObserver(() => window.pictures++).observe(step, moves)
}}"""


def to_99(seed: int) -> tuple[float, float]:
    """Train by the panel's defaults: seconds from its first step to its last, test accuracy."""
    with tempfile.TemporaryDirectory() as folder, Engine(Path(folder)) as engine:
        run = engine.submit(train_cnn.TRAIN, Recipe(seed=seed), visitor="bench")
        while (view := engine.view(run)).state is None:
            time.sleep(0.01)
        began = time.perf_counter()
        while (view := engine.view(run)).live:
            time.sleep(0.01)
        took = time.perf_counter() - began
        if view.status != "finished":
            raise RuntimeError(view.failure)
        return took, engine.ask(run, train_cnn.TEST)[1]


Claim = tuple[str, float, float, bool]  # what, how much, the goal, whether at most that


def tell(network: str, figures: int, turns: int) -> list[Claim]:
    """Measure all sides of a network, print them, and give their ratios."""
    names = ("bare", "loader") if network == "LeNet-5" else ("bare",)
    found = compare(network, figures, turns, names)
    for name, values in found.speeds.items():
        report.spread(f"{network}: {SAYING[name]}", values, "images/s")
    for text, value, unit in (
        ("pictures that the page showed", found.pictures, "a second"),
        ("Chromium, meanwhile", found.browser, "cores"),
        ("the server without its engine", found.served, "cores"),
    ):
        report.spread(f"{network}: {text}", [value], unit)
    claims = []
    for ours, theirs, goal in RATIOS:
        if theirs in names:
            pairs = zip(found.speeds[ours], found.speeds[theirs], strict=True)
            text = f"{network}: {SAYING[ours]} / {SAYING[theirs]}"
            value = report.spread(text, [one / other for one, other in pairs], "ratio")
            claims.append((text, value, goal, False))
    return claims


def main() -> None:
    """Measure all sides and print what holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="about a minute")
    parser.add_argument("--side", choices=SIDES, help="used by the bench itself")
    parser.add_argument("--count", help="likewise")
    parser.add_argument("--network", choices=tuple(NETWORKS), help="this one alone")
    parser.add_argument("--seconds", type=float, default=12.0, help="of the views' measurement")
    parser.add_argument("--figures", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=5)
    asked = parser.parse_args()
    recipe = replace(LONG, network=NETWORKS[asked.network or "LeNet-5"])
    if asked.side == "views":
        print(views(asked.seconds, recipe))
        return
    if asked.side:
        plain_loop(Counter(asked.count), recipe, asked.side == "loader")
        return
    figures, turns, seeds = (1, 2, 0) if asked.quick else (asked.figures, TURNS, asked.seeds)
    with tempfile.TemporaryDirectory() as folder, Engine(Path(folder)) as engine:
        engine.call("math:sqrt", 1.0)
        device = engine.ready()["owners"][0]["name"]
    report.heading("bench.training", device)
    claims = []
    for network in [asked.network] if asked.network else NETWORKS:
        claims += tell(network, figures, turns)
        looked = [views_apart(asked.seconds, network) for _ in range(figures)]
        value = report.spread(f"{network}: live views on / off", looked, "ratio")
        claims.append((f"{network}: live views on / off", value, 0.95, False))
    if seeds:
        results = [to_99(seed) for seed in range(seeds)]
        print("test accuracy by seed:", ", ".join(f"{100 * right:.2f} %" for _, right in results))
        right = report.spread("test accuracy after 3 epochs", [each[1] for each in results])
        took = report.spread("seconds of those 3 epochs", [each[0] for each in results], "s")
        claims.append(("median test accuracy of the defaults", right, 0.99, False))
        claims.append(("seconds to it", took, 0.5 if "CPU" not in device else 10.0, True))
    told = [report.claim(text, value, goal, at_most=most) for text, value, goal, most in claims]
    report.finish("training", device, told)


if __name__ == "__main__":
    main()
