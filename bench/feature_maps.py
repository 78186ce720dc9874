"""Looking inside against plain forward hooks, and against one call for each image.

    python -m bench.feature_maps            five rounds
    python -m bench.feature_maps --quick    two, one image in ten one by one

All maps of a digit, the nine images that a channel answers most, and the effective receptive field
of a channel over a hundred: our calls as the engine makes them, (a) hooks as people write them, (b)
one call of ours for each image, asked of the engine as a page must, and within one process. All
sides are measured in turns, so that a machine whose speed drifts does so for all of them.
"""

import argparse
import itertools
import os
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from core.shared import process

os.environ.update({**process.KERNELS, **os.environ})  # as the engine's process has it

import numpy as np
import torch
from torch import Tensor, nn

from bench import report
from core.feature_maps import MAPS, TOP, channels, laboratory, looking
from core.shared import data, devices
from core.shared.engine import Engine
from core.shared.loading import load
from core.shared.models import Source

NETWORK = Source(kind="built-in", name="mnist")
LAYER, CHANNEL, IMAGES, COUNT = "conv5.2", 3, 10_000, 9
AVERAGED = 100  # images of an effective field, as the page has it
LEAST = 0.5  # seconds of a measurement


def in_turns(device: torch.device, works: Sequence[Callable[[], object]]) -> list[float]:
    """Take the seconds of each until the shortest has had its time; each time another begins."""
    seconds, times = [0.0] * len(works), 0
    while min(seconds) < LEAST:
        for turn in range(len(works)):
            k = (times + turn) % len(works)
            devices.synchronise(device)
            began = time.perf_counter()
            works[k]()
            devices.synchronise(device)
            seconds[k] += time.perf_counter() - began
        times += 1
    return [each / times for each in seconds]


# (a) hooks as people write them


@torch.no_grad()
def hooked_maps(network: nn.Module, image: Tensor) -> dict[str, np.ndarray]:
    """Keep what every module without parts gives."""
    kept: dict[str, np.ndarray] = {}
    handles = []
    for name, module in network.named_modules():
        if not [*module.children()]:

            def hook(_: nn.Module, __: object, given: Tensor, name: str = name) -> None:
                kept[name] = given[0].cpu().numpy()

            handles.append(module.register_forward_hook(hook))
    network(image[None])
    for handle in handles:
        handle.remove()
    return kept


@torch.no_grad()
def hooked_top(network: nn.Module, images: Tensor) -> list[int]:
    """Keep a channel's largest value of each image, in batches of 64 through the whole network."""
    kept: list[Tensor] = []
    module = network.get_submodule(LAYER)
    handle = module.register_forward_hook(
        lambda _, __, given: kept.append(given[:, CHANNEL].amax((1, 2)).cpu())
    )
    for batch in images.split(64):
        network(batch)
    handle.remove()
    best: list[int] = torch.cat(kept).argsort(descending=True)[:COUNT].tolist()
    return best


def hooked_field(network: nn.Module, images: Tensor) -> np.ndarray:
    """Differentiate the values in the middle of a map by the pixels of their images."""
    kept: list[Tensor] = []
    module = network.get_submodule(LAYER)
    handle = module.register_forward_hook(lambda _, __, given: kept.append(given))
    leaf = images.clone().requires_grad_()
    network(leaf)
    handle.remove()
    middle = kept[0][:, CHANNEL, kept[0].shape[2] // 2, kept[0].shape[3] // 2]
    (gradients,) = torch.autograd.grad(middle.sum(), leaf)
    return gradients.abs().mean((0, 1)).cpu().numpy()


# Ours, and (b) one call for each image


def ours_maps(image: np.ndarray, layers: list[str]) -> None:
    """Give all maps of all layers, layer by layer, nothing kept from before."""
    looking.many.cache_clear()
    for layer in layers:
        looking.maps(NETWORK, image, layer)


def ours_top() -> None:
    """Find the images of a channel, nothing kept from before."""
    channels._largest.cache_clear()
    channels.top(NETWORK, LAYER, CHANNEL, COUNT)


def called_top(images: np.ndarray, maps: Callable[..., np.ndarray]) -> list[int]:
    """Ask for the maps of the layer, image by image."""
    largest = [maps(NETWORK, image, LAYER)[CHANNEL].max() for image in images]
    return [int(k) for k in np.argsort(largest)[::-1][:COUNT]]


def main() -> None:
    """Measure all sides and print what holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="two rounds, a minute or two")
    asked = parser.parse_args()
    rounds, every = (2, 10) if asked.quick else (5, 1)
    device = devices.choose()
    devices.prepare(device)
    name = devices.describe(device)
    report.heading("bench.feature_maps", name)
    with tempfile.TemporaryDirectory() as folder, Engine(Path(folder)) as engine:
        found = measure(engine, device, rounds, every)
    for side, values in found.items():
        report.spread(side, values, "s")
    ratios = [
        ("all maps of a digit: plain hooks / ours", "maps, hooks", "maps, ours", 1),
        ("top-9 of a layer: plain hooks / ours", "top-9, hooks", "top-9, ours", 1),
        ("top-9: a page's call for each image / one", "top-9, page's calls", "top-9, page", 20),
        ("effective field: plain hooks / ours", "field, hooks", "field, ours", 1),
        ("within a process, top-9: a call for each image / one", "top-9, calls", "top-9, ours", 0),
        ("within a process, field: a call for each image / one", "field, calls", "field, ours", 0),
    ]
    claims = []
    for text, other, ours, goal in ratios:
        value = report.spread(text, [a / b for a, b in zip(found[other], found[ours], strict=True)])
        if goal:
            claims.append(report.claim(text, value, goal))
    again = statistics.median(found["another channel"])
    claims.append(report.claim("top-9 of another channel, s", again, 0.02, at_most=True))
    report.finish("feature_maps", name, claims)


def measure(
    engine: Engine, device: torch.device, rounds: int, every: int
) -> dict[str, list[float]]:
    """Take the seconds of all sides, in turns.

    Args:
        engine: as pages have it; what is not asked of it runs in this process.
        device: of both.
        rounds: of all sides.
        every: of so many images one is asked for by itself; the seconds are told for all.
    """
    network = load(NETWORK).network
    images = data.dataset("mnist", device).test.images[:IMAGES]
    spread = images[torch.arange(AVERAGED, device=device) * IMAGES // AVERAGED]
    pixels, alone = images.cpu().numpy(), spread.cpu().numpy()
    layers = [each.name for each in looking.look(NETWORK, pixels[0]).layers][:-1]
    top, field = channels.top(NETWORK, LAYER, CHANNEL, COUNT), laboratory.effective_field
    if {each.index for each in top.examples} != set(hooked_top(network, images)):
        raise RuntimeError("the two sides do not find the same images")
    seen = field(NETWORK, LAYER, CHANNEL, AVERAGED).field
    if not np.allclose(seen, hooked_field(network, spread), rtol=1e-3, atol=1e-6):
        raise RuntimeError("the two sides do not find the same field")

    def called(source: Source, image: np.ndarray, layer: str) -> np.ndarray:
        maps: np.ndarray = engine.call(MAPS, source, image, layer)
        return maps

    called_top(pixels[-2:], called)
    fewer = itertools.count()  # the engine remembers what it was asked before
    groups: list[dict[str, Callable[[], object]]] = [
        {
            "maps, ours": lambda: ours_maps(pixels[0], layers),
            "maps, hooks": lambda: hooked_maps(network, images[0]),
        },
        {
            "top-9, ours": ours_top,
            "top-9, hooks": lambda: hooked_top(network, images),
            "top-9, calls": lambda: called_top(pixels[::every], looking.maps),
            "top-9, page": lambda: engine.call(
                TOP, NETWORK, LAYER, CHANNEL, COUNT, IMAGES - next(fewer)
            ),
            "top-9, page's calls": lambda: called_top(pixels[next(fewer) :: every], called),
        },
        {"another channel": lambda: channels.top(NETWORK, LAYER, CHANNEL + 1, COUNT)},
        {
            "field, ours": lambda: field(NETWORK, LAYER, CHANNEL, AVERAGED),
            "field, hooks": lambda: hooked_field(network, spread),
            "field, calls": lambda: [
                field(NETWORK, LAYER, CHANNEL, 1, each[None]) for each in alone
            ],
        },
    ]
    seconds: defaultdict[str, list[float]] = defaultdict(list)
    for _ in range(rounds):
        for group in groups:
            for side, value in zip(group, in_turns(device, [*group.values()]), strict=True):
                seconds[side].append(value * (every if "calls" in side and "top" in side else 1))
    return seconds


if __name__ == "__main__":
    main()
