"""Images a second of the panel's run against plain loops, and seconds to 99 % on the test digits.

    python -m bench.training            all pairs, five seeds
    python -m bench.training --quick    the same, shorter

Every side has a process of its own and is measured in turns with the others, so that a machine
whose speed drifts does so for all of them.
"""

import argparse
import gzip
import os
import pickle
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlencode

from bench import report
from bench.browser import NEXT_STEP, ROOT, SCREEN, STEP, Server, chromium, cpu_seconds, settle
from core import train_cnn
from core.shared import process
from core.shared.engine import Engine, View
from core.shared.layers import PRESETS
from core.shared.recipes import Recipe
from ui.panels.train_cnn.choices import NAMES as SAID

LONG = Recipe(epochs=100)  # the panel's defaults, but it does not end while we measure
NETWORKS = {"LeNet-5": "lenet5", "VGG": PRESETS["vgg"], "ResNet": PRESETS["resnet"]}
NAMES = {"LeNet-5": "LeNet-5", "VGG": SAID["vgg"], "ResNet": SAID["resnet"]}  # on the page

SIDES = ("bare", "like", "loader", "views")


def plain_loop(seconds: float, recipe: Recipe, loader: bool, at_once: bool) -> float:
    """Train the same network in the barest loop over tensors, or over a DataLoader of pictures.

    Both have the run's device, batch and optimiser, and compute one layer after the other, as the
    page's script does, unless LeNet-5 is to compute `at_once` as the run does.
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
    network = built if at_once else torch.nn.Sequential(*layers.values())
    logits = getattr(network, "at_once", network)
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
    done, began = 0, time.perf_counter()
    warm = False
    while True:
        order = torch.randperm(len(digits)).split(recipe.batch_size)
        batches = source if loader else ((digits.images[i], digits.labels[i]) for i in order)
        for images, labels in batches:
            loss = F.cross_entropy(logits(images.to(device)), labels.to(device))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            done += len(labels)
            now = time.perf_counter()
            if now - began > (seconds if warm else seconds / 4):
                devices.synchronise(device)
                now = time.perf_counter()
                if warm:
                    return done / (now - began)
                warm, done, began = True, 0, now


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


def side(name: str, seconds: float, network: str = "LeNet-5") -> float:
    """Measure one side in a process of its own."""
    options = ["--side", name, "--seconds", str(seconds), "--network", network]
    like = {} if name in ("bare", "loader") else process.KERNELS
    command = [sys.executable, "-m", "bench.training", *options]
    told = subprocess.run(
        command, check=True, capture_output=True, text=True, env={**like, **os.environ}
    )
    return float(told.stdout.split()[-1])


def engine_alone(seconds: float, network: str = "LeNet-5") -> float:
    """Measure the panel's run with all its live views, nobody looking."""
    recipe = replace(LONG, network=NETWORKS[network])
    with tempfile.TemporaryDirectory() as folder, Engine(Path(folder)) as engine:
        run = engine.submit(train_cnn.TRAIN, recipe, visitor="bench")
        first = moved(engine, run, 0)
        first = moved(engine, run, first.version, seconds / 4)
        began = time.perf_counter()
        last = moved(engine, run, first.version, seconds)
        steps: int = last.state.step - first.state.step
        return steps * LONG.batch_size / (time.perf_counter() - began)


def moved(engine: Engine, run: str, version: int, seconds: float = 0) -> View:
    """Wait for some time and then for the next state."""
    time.sleep(seconds)
    before = engine.view(run)
    while (view := engine.view(run)).state is None or view.version <= max(version, before.version):
        time.sleep(0.002)
    return view


@dataclass(frozen=True, slots=True)
class Watched:
    """A run with its page open."""

    speed: float  # images a second
    pictures: float  # a second that the page shows
    browser: float  # what Chromium took, in cores
    served: float  # and the server without its engine


def engine_watched(seconds: float, network: str = "LeNet-5") -> Watched:
    """Measure it with its page open in a Chromium that shares the cores."""
    server = Server()
    try:
        engine = server.ready()["owners"][0]["process"]
        with chromium() as browser:
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            asked = {"train_epochs": 20, "train_network": NAMES[network]}
            page.goto(f"{server.url}/train_cnn?{urlencode(asked)}")
            settle(page)
            page.get_by_role("button", name="Start", exact=True).click()
            page.wait_for_function(f"() => {STEP} > 20", timeout=120_000)
            page.wait_for_timeout(1000 * seconds / 4)
            me = cpu_seconds(server.process.pid), cpu_seconds(engine), browser_seconds()
            first, began = page.evaluate(NEXT_STEP)
            page.evaluate(COUNT)
            page.wait_for_timeout(1000 * seconds)
            last, ended = page.evaluate(NEXT_STEP)
            pictures = page.evaluate("window.pictures")
            now = cpu_seconds(server.process.pid), cpu_seconds(engine), browser_seconds()
    finally:
        server.close()
    took = (ended - began) / 1000
    served = (now[0] - me[0]) - (now[1] - me[1])  # the engine is the server's child
    return Watched(
        (last - first) * LONG.batch_size / took,
        pictures / took,
        (now[2] - me[2]) / took,
        served / took,
    )


COUNT = f"""() => {{
  window.pictures = 0
  const step = {SCREEN}.querySelector('.figures b')
  const moves = {{ subtree: true, childList: true, characterData: true }}
  new MutationObserver(() => window.pictures++).observe(step, moves)
}}"""


def tell_watched(of: str, watched: list[Watched]) -> list[float]:
    """Print what was seen with a page open, and give its speeds."""
    speeds = [each.speed for each in watched]
    report.spread(f"{of}the panel's run, its page open", speeds, "images/s")
    report.spread("pictures that the page showed", [each.pictures for each in watched], "a second")
    report.spread("Chromium, meanwhile", [each.browser for each in watched], "cores")
    report.spread("the server without its engine", [each.served for each in watched], "cores")
    return speeds


def browser_seconds() -> float:
    """Add up what all Chromium processes under this one have taken."""
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    node = [int(c) for c in children if "node" in Path(f"/proc/{c}/cmdline").read_text()]
    return sum(map(cpu_seconds, node))


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


def main() -> None:
    """Measure all sides and print what holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="under a minute")
    parser.add_argument("--side", choices=SIDES, help="used by the bench itself")
    parser.add_argument("--network", choices=tuple(NETWORKS), help="likewise")
    parser.add_argument("--seconds", type=float, default=6.0, help="of each measurement")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=5)
    asked = parser.parse_args()
    if asked.side:
        recipe = replace(LONG, network=NETWORKS[asked.network])
        if asked.side == "views":
            print(views(asked.seconds, recipe))
        else:
            print(plain_loop(asked.seconds, recipe, asked.side == "loader", asked.side == "like"))
        return
    pairs, seeds = (1, 0) if asked.quick else (asked.pairs, asked.seeds)
    seconds = 4.0 if asked.quick else asked.seconds
    with tempfile.TemporaryDirectory() as folder, Engine(Path(folder)) as engine:
        engine.call("math:sqrt", 1.0)
        device = engine.ready()["owners"][0]["name"]
    report.heading("bench.training", device)
    bare, like, loader, alone, watched = [], [], [], [], []
    for _ in range(pairs):
        bare.append(side("bare", seconds))
        like.append(side("like", seconds))
        alone.append(engine_alone(seconds))
        watched.append(engine_watched(seconds))
        loader.append(side("loader", seconds))
    report.spread("(a) barest loop over tensors", bare, "images/s")
    report.spread("the same, as the run computes and in its environment", like, "images/s")
    report.spread("(b) DataLoader over PIL images", loader, "images/s")
    report.spread("the panel's run, nobody looking", alone, "images/s")
    open_page = tell_watched("", watched)
    ratios = {
        "run / barest loop, nobody looking": (alone, bare, 0.95),
        "run / barest loop, page open": (open_page, bare, 0.85),
        "run / DataLoader loop": (alone, loader, 2.5),
        "run / loop that computes like it, nobody looking": (alone, like, 0.95),
    }
    for network in NETWORKS:
        plain, run, looked, watched = [], [], [], []
        for _ in range(pairs):
            looked.append(side("views", 2 * seconds, network))
            if network != "LeNet-5":
                plain.append(side("bare", seconds, network))
                run.append(engine_alone(seconds, network))
                watched.append(engine_watched(seconds, network))
        if run:
            report.spread(f"{network}: barest loop over tensors", plain, "images/s")
            report.spread(f"{network}: the panel's run, nobody looking", run, "images/s")
            ratios[f"{network}: run / barest loop"] = (run, plain, 0.95)
            open_page = tell_watched(f"{network}: ", watched)
            ratios[f"{network}: run / barest loop, page open"] = (open_page, plain, 0.85)
        ratios[f"{network}: live views on / off"] = (looked, [1.0] * pairs, 0.95)
    claims = []
    for text, (ours, theirs, goal) in ratios.items():
        value = report.spread(text, [a / b for a, b in zip(ours, theirs, strict=True)], "ratio")
        claims.append((text, value, goal, False))
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
