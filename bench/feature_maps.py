"""Looking inside against plain forward hooks, and against one call for each image.

    python -m bench.feature_maps            five rounds
    python -m bench.feature_maps --quick    two, one image in ten one by one

All maps of a digit, the nine images that a channel answers most, and the effective receptive field
of a channel: our calls as the engine makes them, (a) hooks as people write them, (b) one call of
ours for each image. All sides are measured in turns, so that a machine whose speed drifts does so
for all of them.
"""

import argparse
import importlib
import importlib.util
import os
import time
from collections.abc import Callable

os.environ.update({"GOMP_SPINCOUNT": "10000", **os.environ})  # as the engine's process has it

import numpy as np
import torch
from torch import Tensor, nn

from bench import report
from core.feature_maps import channels, looking
from core.shared import data, devices
from core.shared.loading import load
from core.shared.models import Source

NETWORK = Source(kind="built-in", name="mnist")
LAYER, CHANNEL, IMAGES, COUNT = "conv5.2", 3, 10_000, 9
LEAST = 0.5  # seconds of a measurement
LABORATORY = "core.feature_maps.laboratory"


def timed(work: Callable[[], object]) -> float:
    """Take the seconds that the device needs, too; what is short is done many times."""
    device = devices.choose()
    devices.synchronise(device)
    began, times = time.perf_counter(), 0
    while times == 0 or time.perf_counter() - began < LEAST:
        work()
        devices.synchronise(device)
        times += 1
    return (time.perf_counter() - began) / times


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


def hooked_field(network: nn.Module, image: Tensor) -> np.ndarray:
    """Differentiate the value in the middle of a map by the pixels."""
    kept: list[Tensor] = []
    module = network.get_submodule(LAYER)
    handle = module.register_forward_hook(lambda _, __, given: kept.append(given))
    leaf = image[None].clone().requires_grad_()
    network(leaf)
    handle.remove()
    middle = kept[0][0, CHANNEL, kept[0].shape[2] // 2, kept[0].shape[3] // 2]
    (gradient,) = torch.autograd.grad(middle, leaf)
    return gradient[0].abs().sum(0).cpu().numpy()


# (b) one call of ours for each image


def called_top(images: np.ndarray) -> list[int]:
    """Ask for the maps of the layer, image by image."""
    largest = [looking.maps(NETWORK, image, LAYER)[CHANNEL].max() for image in images]
    return [int(k) for k in np.argsort(largest)[::-1][:COUNT]]


def ours_maps(image: np.ndarray, layers: list[str]) -> None:
    """Give all maps of all layers, layer by layer, nothing kept from before."""
    looking.many.cache_clear()
    for layer in layers:
        looking.maps(NETWORK, image, layer)


def called_maps(image: np.ndarray, layers: list[str]) -> None:
    """Give them with a pass for each layer."""
    for layer in layers:
        looking.many.cache_clear()
        looking.maps(NETWORK, image, layer)


def main() -> None:
    """Measure all sides and print what holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="under a minute")
    asked = parser.parse_args()
    rounds, every = (2, 10) if asked.quick else (5, 1)
    device = devices.choose()
    devices.prepare(device)
    name = devices.describe(device)
    report.heading("bench.feature_maps", name)
    network = load(NETWORK).network
    images = data.dataset("mnist", device).test.images[:IMAGES]
    pixels = images.cpu().numpy()
    layers = [each.name for each in looking.look(NETWORK, pixels[0]).layers][:-1]
    found = channels.top(NETWORK, LAYER, CHANNEL, COUNT)  # all kernels are loaded, all is warm
    if {each.index for each in found.examples} != set(hooked_top(network, images)):
        raise RuntimeError("the two sides do not find the same images")

    def ours_top() -> None:
        channels._largest.cache_clear()
        channels.top(NETWORK, LAYER, CHANNEL, COUNT)

    sides: dict[str, tuple[Callable[[], object], float]] = {
        "all maps of a digit, ours": (lambda: ours_maps(pixels[0], layers), 1),
        "  (a) plain hooks": (lambda: hooked_maps(network, images[0]), 1),
        "  (b) a pass for each layer": (lambda: called_maps(pixels[0], layers), 1),
        "top-9 of 10,000, all channels of a layer, ours": (ours_top, 1),
        "  another channel of it, ours": (
            lambda: channels.top(NETWORK, LAYER, CHANNEL + 1, COUNT),
            1,
        ),
        "  (a) plain hooks, batches of 64, one channel": (lambda: hooked_top(network, images), 1),
        "  (b) a call for each image": (lambda: called_top(pixels[::every]), every),
    }
    if importlib.util.find_spec(LABORATORY):
        effective = importlib.import_module(LABORATORY).effective_field
        sides["effective receptive field of a channel, ours"] = (
            lambda: effective(NETWORK, LAYER, CHANNEL, 1, pixels[:1]),
            1,
        )
        sides["  (a) plain hooks and a gradient"] = (lambda: hooked_field(network, images[0]), 1)
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(rounds):
        for side, (work, scale) in sides.items():
            seconds[side].append(scale * timed(work))
    for side, values in seconds.items():
        report.spread(side, values, "s" if sides[side][1] == 1 else f"s, of 1 in {every} images")
    maps, plain, passes, top, other, batches, calls = list(seconds.values())[:7]
    told = [
        ("top-9 of a layer: a call for each image / ours", calls, top, 20, False),
        ("top-9 of a layer: plain hooks for one channel / ours for all", batches, top, 1, False),
        ("top-9 of another channel of that layer, ms", other, [0.001] * rounds, 20, True),
        ("all maps of a digit: a pass for each layer / ours", passes, maps, 20, False),
        ("all maps of a digit: plain hooks / ours", plain, maps, 1, False),
    ]
    if importlib.util.find_spec(LABORATORY):
        field, gradient = list(seconds.values())[7:]
        told.append(
            ("effective field: plain hooks and a gradient / ours", gradient, field, 1, False)
        )
    claims = []
    for text, first, second, goal, at_most in told:
        value = report.spread(text, [a / b for a, b in zip(first, second, strict=True)])
        claims.append((text, value, goal, at_most))
    report.finish("feature_maps", name, [report.claim(*c[:3], at_most=c[3]) for c in claims])


if __name__ == "__main__":
    main()
