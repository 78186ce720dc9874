"""Explanations of a photograph against captum and pytorch-grad-cam, and the whole court of one.

    python -m bench.saliency            five rounds
    python -m bench.saliency --quick    one round, a wider stride, no court

All sides explain EfficientNet-Lite0's answer to one picture of 224×224 pixels in turns, with the
same settings, and their maps must be the same within a tolerance. The 50 gradients of an integral
pass so many kinks of ReLU6 that float32 alone moves such a map by up to a hundredth of its largest
value: ours may be twice as far as captum's from what captum gives in float64. Of pytorch-grad-cam
the map is compared on its own scale, from 0 to 1. Theirs have the network as torch builds it;
captum is given both its own batches and ours, and the quicker of the two counts. The court is heard
as on the page: ten methods, the controls and a network with random weights, with all their curves.
"""

import argparse
import copy
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from core.shared import process

os.environ.update({**process.KERNELS, **os.environ})  # as the engine's process has it

import torch
from captum.attr import IntegratedGradients, LayerAttribution, LayerGradCam, NoiseTunnel
from captum.attr import Occlusion as CaptumOcclusion
from captum.attr import Saliency as CaptumGradient
from torch import Tensor, nn

from bench import report
from core.saliency import Query
from core.saliency.explaining import explained, image_of
from core.saliency.judging import judge
from core.saliency.methods import METHODS
from core.saliency.packing import packed
from core.saliency.trials import SPARING, USUAL, Court
from core.shared import devices, photographs, seeing
from core.shared.loading import Model, load
from core.shared.models import Source
from core.shared.vision_library import torchvision  # before pytorch-grad-cam, which imports it

from pytorch_grad_cam import GradCAM  # isort: skip
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget  # isort: skip

LITE = Source(kind="built-in", name="efficientnet-lite0")
PHOTOGRAPH = "coffee"
STEPS, SAMPLES, DEVIATION, BOX, STRIDE = 50, 25, 0.15, 56, 8
WIDE = 28  # stride where there is little time
BATCH = 4  # pictures, as ours
COURTS = 3  # that are heard
NEAR = 2e-3  # of the largest value: float32, and a normalisation that is folded
ROUNDED = 2.0  # times captum's own distance from its map in float64

Side = Callable[[], Tensor]


def ours(model: Model, image: Tensor, query: Query) -> Side:
    """Give our map."""

    def run() -> Tensor:
        rows = explained(model, image, query)
        while True:
            try:
                next(rows)
            except StopIteration as end:
                return torch.from_numpy(end.value.values)

    return run


def contests(
    model: Model, plain: nn.Module, image: Tensor, stride: int
) -> dict[str, tuple[float, dict[str, Side]]]:
    """Say for each method by how much ours shall be faster, and who takes part."""
    target = int(model.network(image).argmax())
    integrated = IntegratedGradients(plain)
    noisy = NoiseTunnel(CaptumGradient(plain))
    occlusion = CaptumOcclusion(plain)
    grey = 0.5

    def captum_noise(batch: int) -> Side:
        return lambda: noisy.attribute(
            image,
            nt_type="smoothgrad",
            nt_samples=SAMPLES,
            nt_samples_batch_size=batch,
            stdevs=DEVIATION,
            target=target,
            abs=False,
        )[0]

    def captum_path(batch: int | None) -> Side:
        return lambda: integrated.attribute(
            image, image * 0, target, n_steps=STEPS, internal_batch_size=batch
        )[0]

    def captum_box(batch: int) -> Side:
        return lambda: occlusion.attribute(
            image,
            sliding_window_shapes=(3, BOX, BOX),
            strides=(3, stride, stride),
            baselines=grey,
            target=target,
            perturbations_per_eval=batch,
        )[0, :1]

    found = model_layer(model, image)
    module = dict(plain.named_modules())[found]
    cam = LayerGradCam(plain, module)
    own = copy.deepcopy(plain)  # its hooks stay
    peer = GradCAM(model=own, target_layers=[dict(own.named_modules())[found]])

    def captum_cam() -> Tensor:
        coarse = cam.attribute(image, target, relu_attributions=True)
        fine: Tensor = LayerAttribution.interpolate(coarse, image.shape[2:], "bilinear")
        return fine[0]

    def peer_cam() -> Tensor:
        leaf = image.clone().requires_grad_()  # its network is frozen, as captum's is
        wanted = [ClassifierOutputTarget(target)]
        return torch.from_numpy(peer(input_tensor=leaf, targets=wanted))

    return {
        f"Integrated gradients, {STEPS} steps": (
            1.5,
            {
                "ours": ours(model, image, Query(method="integrated", steps=STEPS)),
                "captum, all at once": captum_path(None),
                f"captum, {BATCH} at a time": captum_path(BATCH),
            },
        ),
        f"SmoothGrad, {SAMPLES} samples": (
            1.5,
            {
                "ours": ours(
                    model, image, Query(method="smoothgrad", samples=SAMPLES, deviation=DEVIATION)
                ),
                "captum, one at a time": captum_noise(1),
                f"captum, {BATCH} at a time": captum_noise(BATCH),
            },
        ),
        f"Occlusion, stride {stride}": (
            1.5,
            {
                "ours": ours(model, image, Query(method="occlusion", size=BOX, stride=stride)),
                "captum, one at a time": captum_box(1),
                f"captum, {BATCH} at a time": captum_box(BATCH),
            },
        ),
        "Grad-CAM": (
            1.0,
            {
                "ours": ours(model, image, Query(method="gradcam", layer=found)),
                "captum": captum_cam,
                "pytorch-grad-cam": peer_cam,
            },
        ),
    }


def model_layer(model: Model, image: Tensor) -> str:
    """Name the layer that Grad-CAM takes."""
    rows = explained(model, image, Query(method="gradcam"))
    while True:
        try:
            next(rows)
        except StopIteration as end:
            name: str = end.value.query.layer
            return name.partition(":")[0]


def rounding(plain: nn.Module, image: Tensor, theirs: Tensor, our: Tensor) -> float:
    """Tell how far our integral is from captum's in float64, in captum's own distance."""
    target = int(plain(image).argmax())
    exact = IntegratedGradients(copy.deepcopy(plain).double()).attribute(
        image.double(), image.double() * 0, target, n_steps=STEPS, internal_batch_size=BATCH
    )
    return float((our - exact[0]).norm() / (theirs - exact[0]).norm())


def difference(side: str, method: str, theirs: Tensor, our: Tensor) -> float:
    """Give the largest difference of two maps, as a share of the largest value."""
    if side == "pytorch-grad-cam":
        our = (our - our.min()) / (our.max() - our.min())
    if method.startswith("SmoothGrad"):  # the noise is another: only the means can be alike
        return float("nan")
    return float((theirs.detach() - our).abs().max() / our.abs().max())


def sparing(method: str) -> dict[str, Any]:
    """Give the settings of a method that the page has for photographs."""
    return {name: value for name, value in SPARING.items() if name in METHODS[method].heeds}


def court() -> tuple[float, list[str]]:
    """Time the whole court of one photograph."""
    pixels = seeing.fit(photographs.photograph(PHOTOGRAPH).pixels, (3, 224, 224), "")
    queries = tuple(Query(method=name, **sparing(name)) for name in USUAL)
    began = time.perf_counter()
    *_, ended = judge(Court(source=LITE, picture=packed(pixels), queries=queries))
    seconds = time.perf_counter() - began
    told = [
        f"  {row.query.about.title}: {row.passes:,} read, {row.gradients:,} gradients, "
        f"{row.seconds:.2f} s{', ' + row.refused if row.refused else ''}"
        for row in ended.freeze().rows
    ]
    return seconds, told


def main() -> None:
    """Measure all sides and print what holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="one round, wider stride, no court")
    quick = parser.parse_args().quick
    rounds = 1 if quick else 5
    device = devices.choose(None)
    devices.prepare(device)
    name = devices.describe(device)
    report.heading("bench.saliency", name)
    versions = [f"{each} {version(each)}" for each in ("captum", "grad-cam")]
    print(", ".join([*versions, f"torchvision {torchvision.__version__}"]))
    model = load(LITE)
    plain = copy.deepcopy(model.network)
    plain.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    pixels = seeing.fit(photographs.photograph(PHOTOGRAPH).pixels, model.shape, "")
    image = image_of(model, pixels)
    claims = []
    for method, (goal, sides) in contests(model, plain, image, WIDE if quick else STRIDE).items():
        seconds, maps = defaultdict(list), {}
        for _ in range(rounds + 1):  # what is loaded and compiled at first is nobody's time
            for side, run in sides.items():
                began = time.perf_counter()
                maps[side] = run().detach()
                seconds[side].append(time.perf_counter() - began)
        for side, values in seconds.items():
            report.spread(f"{method}, {side}", values[1:], "s")
        best = min(
            (side for side in sides if side.startswith("captum")),
            key=lambda side: statistics.median(seconds[side][1:]),
        )
        for side in (best, *(each for each in sides if each.startswith("pytorch"))):
            pairs = zip(seconds[side][1:], seconds["ours"][1:], strict=True)
            faster = statistics.median(theirs / our for theirs, our in pairs)
            claims.append(report.claim(f"{method}: {side} / ours, seconds", faster, goal))
            off = difference(side, method, maps[side], maps["ours"])
            if method.startswith("Integrated"):
                off = rounding(plain, image, maps[side], maps["ours"])
                what = f"{method}: off from float64, ours / captum's"
                claims.append(report.claim(what, off, ROUNDED, at_most=True))
            elif off == off:
                claims.append(report.claim(f"{method}: off from {side}", off, NEAR, at_most=True))
    if not quick:
        heard = [court() for _ in range(COURTS)]
        print("\n".join(heard[-1][1]))
        whole = report.spread(
            "The court of ten methods on a photograph", [s for s, _ in heard], "s"
        )
        goal = 90.0 if device.type == "cpu" else 3.0
        claims.append(report.claim("court: seconds", whole, goal, at_most=True))
    report.finish("saliency", name, claims)


if __name__ == "__main__":
    main()
