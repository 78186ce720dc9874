"""The code that is shown gives the tensors that are shown, run as it stands."""

import json
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save
from torch import Tensor, nn

from core.feature_maps import SOFTMAX, Layer
from core.feature_maps.clicking import click
from core.feature_maps.kernels import KERNELS, Window, compare
from core.feature_maps.laboratory import convolve, mix
from core.feature_maps.looking import look, maps
from core.feature_maps.script import (
    write_convolution,
    write_costs,
    write_gradient,
    write_maps,
    write_mix,
    write_value,
)
from core.feature_maps.weighing import weigh
from core.shared import loading, models, networks, runs, snapshots, weights
from core.shared.models import Source
from core.shared.vision_library import torchvision
from tests.shared.small_zoo import convnext, resnet, transformer
from tests.shared.started import started

ROOT = Path(__file__).parents[1]
MNIST = Source(kind="built-in", name="mnist")
LITE = Source(kind="built-in", name="efficientnet-lite0")
TABLES = {
    "lenet5": "lenet5",
    "vgg": "conv4-p1-batch-relu,conv4-p1-group-leaky,max2,conv6-d2-gelu,mean2-p1,global,"
    "fc9-layer-relu",
    "strides": "conv4-k5-s3-p2-sigmoid,depthwise-k3-s2-p1-tanh,conv5-k1,fc7-batch-tanh",
    "blocks": "max2,res6-s2-batch-relu,res6-leaky,skip6,inception4-relu,max3-s2-p1,global",
}
# Of float32, summed in another order; what is shown has six digits.
RELATIVE, ABSOLUTE = 1e-4, 1e-5


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSBOX_DEVICE", "cpu")
    monkeypatch.setenv("GLASSBOX_RUNS", str(tmp_path))
    monkeypatch.chdir(ROOT)


def drawn(network: nn.Module) -> nn.Module:
    """Draw each tensor of a network, so that no two of its channels are alike."""
    source = torch.Generator().manual_seed(4)
    for name, value in network.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 2, generator=source)
        elif value.is_floating_point() and (value.ndim == 1 or "running" in name):
            value.normal_(0.3, 0.5, generator=source)
    return network.eval()


def a_run(table: str, root: Path) -> Source:
    """Keep a network as if it had been trained."""
    config = {"network": table}
    run = runs.create(root, "visitor", "core.train_cnn.learning:train", config)
    network = drawn(networks.build(table, torch.Generator().manual_seed(3)))
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    tensors["other"] = torch.zeros(1)
    folder = runs.folder_of(root, run)
    snapshots.write(folder, snapshots.Snapshot(7, tensors, {}))
    return models.of_run(root, run, 7)


@pytest.fixture(params=TABLES)
def own(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    return a_run(TABLES[request.param], tmp_path)


@cache
def photograph(side: int = 224) -> np.ndarray:
    """Draw a picture of 8 bits, as a file holds it."""
    drawn = np.random.default_rng(1).integers(0, 256, (3, side, side)).astype(np.float32)
    return drawn / np.float32(255)


@cache
def digit() -> np.ndarray:
    drawn = np.random.default_rng(0).integers(0, 256, (1, 28, 28)).astype(np.float32)
    return drawn / np.float32(255)


def saved(pixels: np.ndarray, folder: Path, name: str = "picture.npy") -> str:
    place = folder / name
    if place.suffix == ".npy":
        np.save(place, pixels)
    else:
        content = (pixels * 255).round().astype(np.uint8)
        Image.fromarray(content[0] if len(content) == 1 else content.transpose(1, 2, 0)).save(place)
    return str(place)


def by_name(source: Source, pixels: np.ndarray) -> dict[str, Layer]:
    return {layer.name: layer for layer in look(source, pixels).layers}


def same(left: Tensor, shown: np.ndarray) -> bool:
    shown_tensor = torch.tensor(np.asarray(shown))
    return left.shape == shown_tensor.shape and torch.allclose(
        left, shown_tensor, RELATIVE, ABSOLUTE
    )


def test_the_maps_of_every_layer_come_out(own: Source, tmp_path: Path) -> None:
    picture = saved(digit(), tmp_path)
    for layer in by_name(own, digit()).values():
        left = started(write_maps(own, layer, picture))
        assert same(left["maps"], maps(own, digit(), layer.name)), layer.name


def test_every_value_that_can_be_written_out_comes_out(own: Source, tmp_path: Path) -> None:
    picture, kinds = saved(digit(), tmp_path), set()
    for layer in by_name(own, digit()).values():
        for at in {(0, 0, 0), tuple(side - 1 for side in layer.shape)}:
            told = click(own, digit(), layer.name, at)  # type: ignore[arg-type]
            kinds.add(layer.kind)
            left = started(write_value(own, layer, told, picture))
            assert float(left["value"]) == pytest.approx(told.value, rel=RELATIVE, abs=ABSOLUTE)
            assert float(left["value"]) == pytest.approx(told.computed, rel=RELATIVE, abs=ABSOLUTE)
    assert len(kinds) >= 5


def test_every_gradient_comes_out_twice(own: Source, tmp_path: Path) -> None:
    picture, source = saved(digit(), tmp_path), np.random.default_rng(3)
    weighed = 0
    for layer in by_name(own, digit()).values():
        if "convolution" not in layer.kind and layer.kind != "fully connected":
            continue
        index = tuple(int(each) for each in source.integers(layer.weights))
        shown = weigh(own, digit(), layer.name, index, 3, 0.5)
        left = started(write_gradient(own, layer, index, 3, 0.5, picture))
        for name in ("gradient", "computed"):
            assert left[name].item() == pytest.approx(shown.gradient, rel=1e-4, abs=1e-6), layer
        assert left["stepped"].item() == pytest.approx(shown.stepped, rel=1e-5)
        weighed += 1
    assert weighed >= 3


def test_the_softmax_comes_out(tmp_path: Path) -> None:
    told = click(MNIST, digit(), SOFTMAX, (4, 0, 0))
    for layer in (None, by_name(MNIST, digit())[SOFTMAX]):
        left = started(write_value(MNIST, layer, told, saved(digit(), tmp_path)))
        assert float(left["value"]) == pytest.approx(told.value, rel=1e-5)


@pytest.mark.parametrize("layer", ["block1.depthwise.conv", "output"])
def test_a_photograph_in_a_file_gives_the_maps_of_efficientnet(layer: str, tmp_path: Path) -> None:
    picture = saved(photograph(), tmp_path, "photo.png")
    left = started(write_maps(LITE, by_name(LITE, photograph())[layer], picture))
    assert same(left["maps"], maps(LITE, photograph(), layer))


@pytest.mark.parametrize(
    ("layer", "at"),
    [
        ("stem.conv", (3, 111, 111)),
        ("block1.depthwise.conv", (17, 55, 55)),
        ("block2", (5, 3, 55)),
    ],
)
def test_a_value_of_efficientnet_comes_out_with_tensorflow_s_padding_and_its_sums(
    layer: str, at: tuple[int, int, int], tmp_path: Path
) -> None:
    told = click(LITE, photograph(), layer, at)
    text = write_value(
        LITE, by_name(LITE, photograph())[layer], told, saved(photograph(), tmp_path)
    )
    assert float(started(text)["value"]) == pytest.approx(told.value, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize(
    ("layer", "index"),
    [("stem.conv", (3, 2, 0, 1)), ("block1.depthwise.conv", (5, 0, 2, 0))],
)
def test_a_gradient_of_efficientnet_comes_out_twice(
    layer: str, index: tuple[int, ...], tmp_path: Path
) -> None:
    shown = weigh(LITE, photograph(), layer, index, 7, 0.1)
    known = by_name(LITE, photograph())[layer]
    left = started(write_gradient(LITE, known, index, 7, 0.1, saved(photograph(), tmp_path)))
    # The sum is over 12,544 places, in float32 and of either sign.
    for name in ("gradient", "computed"):
        assert left[name].item() == pytest.approx(shown.gradient, rel=1e-3, abs=1e-5)


SUMMED = "layer1.0.relu"  # in ResNet the ReLU of the stem is met before the one behind a sum


def googlenet(**_: Any) -> nn.Module:
    """GoogLeNet's stem, two of its blocks, and its end."""
    network: nn.Module = torchvision.models.GoogLeNet(aux_logits=False, init_weights=False)
    for part in ("inception4a", "inception4b", "inception4c", "inception4d", "inception4e"):
        setattr(network, part, nn.Identity())
    for part in ("inception5a", "inception5b"):
        setattr(network, part, nn.Identity())
    network.fc = nn.Linear(480, 1000)
    return network


@pytest.mark.parametrize(
    ("name", "small", "least"),
    [
        ("resnet18", resnet, 5),
        ("convnext_tiny", convnext, 8),
        ("vit_b_16", transformer, 5),
        ("googlenet", googlenet, 6),
    ],
)
def test_torchvision_s_networks_give_their_maps_values_and_gradients(
    name: str,
    small: Callable[..., nn.Module],
    least: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are smaller than torchvision's, with weights where a download would put them."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torchvision.models, name, small)
    with torch.device("meta"):  # nothing is drawn from the global source
        network = small()
    network, random = network.to_empty(device="cpu"), torch.Generator().manual_seed(2)
    for parameter in network.parameters():
        parameter.data.normal_(0, 0.1, generator=random)
    models.folder().mkdir(parents=True)
    torch.save(drawn(network).state_dict(), models.folder() / models.ZOO[name].file)
    source, picture = Source(kind="zoo", name=name), saved(photograph(), tmp_path, "photo.png")
    loading._held.clear()  # other tests may have loaded the real one
    kinds, merged = set(), False
    for layer in by_name(source, photograph()).values():
        if layer.kind in kinds and not layer.name.endswith(SUMMED):
            continue
        left = started(write_maps(source, layer, picture))
        assert same(left["maps"], maps(source, photograph(), layer.name)), layer.name
        channels, height, width = layer.shape
        try:
            told = click(source, photograph(), layer.name, (channels // 2, height - 1, width // 2))
        except ValueError:
            continue
        kinds.add(layer.kind)
        merged |= bool(told.parts)
        left = started(write_value(source, layer, told, picture))
        assert float(left["value"]) == pytest.approx(told.value, rel=1e-3, abs=1e-3), layer.name
        if "convolution" not in layer.kind and layer.kind != "fully connected":
            continue
        index = tuple(side // 2 for side in layer.weights)
        shown = weigh(source, photograph(), layer.name, index, 3, 0.1).gradient
        left = started(write_gradient(source, layer, index, 3, 0.1, picture))
        for each in ("gradient", "computed"):
            assert left[each].item() == pytest.approx(shown, rel=1e-2, abs=1e-5), layer.name
    loading._held.clear()
    assert len(kinds) >= least
    assert merged


def test_own_weights_give_their_maps(tmp_path: Path) -> None:
    network = drawn(networks.build("lenet5", torch.Generator().manual_seed(6)))
    name = weights.keep(weights.folder(), save(dict(network.state_dict())), "fashion")
    source = Source(kind="weights", name=name)
    layer = by_name(source, digit())["C3.0"]
    left = started(write_maps(source, layer, saved(digit(), tmp_path)))
    assert same(left["maps"], maps(source, digit(), "C3.0"))


WINDOWS = {
    "plain": Window(kernel=KERNELS["Sobel vertical"]),
    "large": Window(kernel=tuple((0.1, -1 / 3, *(1.5,) * 9) for _ in range(7)), padding=5),
    "moved": Window(kernel=KERNELS["Gaussian blur 5×5"], stride=2, padding=3, dilation=2),
    "transposed": Window(
        kernel=KERNELS["box blur"], stride=3, padding=1, transposed=True, output_padding=2
    ),
}


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("file", ["picture.npy", "picture.png"])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_laboratory_s_convolution_comes_out(
    name: str, file: str, channels: int, tmp_path: Path
) -> None:
    pixels = photograph(32)[:channels]
    text = write_convolution(WINDOWS[name], channels, saved(pixels, tmp_path, file))
    left, shown = started(text), convolve(pixels, WINDOWS[name])
    assert same(left["values"], shown.values)
    assert same(left["grey"], shown.grey)
    assert "core" not in text


def test_a_mix_of_maps_comes_out(tmp_path: Path) -> None:
    pixels, order, shares = digit(), [3, 0, 7], [0.5, -1.0, 0.2]
    layer = by_name(MNIST, pixels)["conv4.0"]
    picture = saved(pixels, tmp_path, "picture.npy")
    shown = mix(maps(MNIST, pixels, "conv4.0")[order], np.array(shares, np.float32))
    assert same(started(write_mix(MNIST, layer, order, shares, picture))["mixed"], shown)
    other = started(write_mix(MNIST, layer, order[::-1], shares, picture))["mixed"]
    assert not same(other, shown)


@pytest.mark.parametrize("sizes", [(32, 64, 3, 28), (3, 5, 1, 7), (16, 8, 5, 12)])
def test_the_costs_are_those_that_torch_counts(sizes: tuple[int, int, int, int]) -> None:
    told = compare(*sizes)
    full, separable = started(write_costs(*sizes))["counts"]
    assert full == (told.full.parameters, told.full.multiply_adds)
    assert separable == (told.separable.parameters, told.separable.multiply_adds)
    assert full != (told.separable.parameters, told.separable.multiply_adds)


def test_a_text_runs_by_itself_in_the_folder(tmp_path: Path) -> None:
    picture = saved(digit(), tmp_path, "picture.png")
    layer = by_name(MNIST, digit())["conv4.0"]
    text = write_maps(MNIST, layer, picture) + f"np.save({str(tmp_path / 'maps.npy')!r}, maps)\n"
    done = subprocess.run(
        [sys.executable, "-"], input=text, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("(32, 14, 14) ")
    assert same(torch.from_numpy(np.load(tmp_path / "maps.npy")), maps(MNIST, digit(), "conv4.0"))


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("mean=learnt.mean", "mean=0.11"),
        ("calls[0]", "calls[0][::-1]"),
        ('get_submodule("conv1.0")', 'get_submodule("normalise")'),
        ("network.eval()", "network.train()"),
    ],
)
def test_that_oracle_rejects_wrong_maps(right: str, wrong: str, tmp_path: Path) -> None:
    # Behind batch normalisation, which alone is different in training.
    name = "conv1.1" if "eval" in right else "conv1.0"
    layer = by_name(MNIST, digit())[name]
    text = write_maps(MNIST, layer, saved(digit(), tmp_path))
    assert right in text
    shown = maps(MNIST, digit(), name)
    assert same(started(text)["maps"], shown)
    try:
        left = started(text.replace(right, wrong))
    except RuntimeError:  # it cannot even have the shape
        return
    assert not same(left["maps"], shown)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("[:, 0:3, 5:8]", "[:, 1:4, 5:8]"), ("layer.weight[3]", "layer.weight[3].flip(1, 2)")],
)
def test_that_oracle_rejects_a_wrong_window(right: str, wrong: str, tmp_path: Path) -> None:
    told = click(MNIST, digit(), "conv4.0", (3, 0, 5))
    layer = by_name(MNIST, digit())["conv4.0"]
    text = write_value(MNIST, layer, told, saved(digit(), tmp_path))
    assert right in text
    left = started(text.replace(right, wrong))
    assert float(left["value"]) != pytest.approx(told.value, rel=RELATIVE, abs=ABSOLUTE)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("torch.tensor([3])", "torch.tensor([4])"), ("+ 0 * dilation", "+ 1 * dilation")],
)
def test_that_oracle_rejects_a_wrong_gradient(right: str, wrong: str, tmp_path: Path) -> None:
    layer = by_name(MNIST, digit())["conv4.0"]
    text = write_gradient(MNIST, layer, (3, 1, 0, 2), 3, 0.1, saved(digit(), tmp_path))
    shown = weigh(MNIST, digit(), "conv4.0", (3, 1, 0, 2), 3, 0.1)
    assert right in text
    left = started(text.replace(right, wrong))
    assert left["computed"].item() != pytest.approx(shown.gradient, rel=1e-4, abs=1e-6)


def test_that_oracle_rejects_a_flipped_kernel(tmp_path: Path) -> None:
    window, pixels = WINDOWS["plain"], photograph(32)
    text = write_convolution(window, 3, saved(pixels, tmp_path))
    left = started(text.replace("kernel[None, None]", "kernel.flip(0, 1)[None, None]"))
    assert not same(left["values"], convolve(pixels, window).values)


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("res2.0.activation.0", "layer(a + b)", "layer(a)"),
        ("skip4.0", 'kept["skip4.0 takes"]', 'kept["skip4.0.b.0"]'),
        ("inception5.0", "[0, 0, 3, 4]", "[0, 0, 4, 3]"),
        ("output.0", "taken[0, 2, 0, 0]", "taken[0, 3, 0, 0]"),
    ],
)
def test_that_oracle_rejects_other_parts(name: str, right: str, wrong: str, tmp_path: Path) -> None:
    own = a_run("conv4,res4-batch-leaky,max2,skip4,inception4,max13", tmp_path)
    at = {"output.0": (2, 0, 0)}.get(name, (1, 3, 4))
    told, layer = click(own, digit(), name, at), by_name(own, digit())[name]
    text = write_value(own, layer, told, saved(digit(), tmp_path))
    assert right in text
    assert float(started(text)["value"]) == pytest.approx(told.value, RELATIVE, ABSOLUTE)
    left = started(text.replace(right, wrong))
    assert float(left["value"]) != pytest.approx(told.value, RELATIVE, ABSOLUTE)


def test_a_text_is_short_and_says_nothing_needless(tmp_path: Path) -> None:
    layer = by_name(MNIST, digit())["conv4.0"]
    told = click(MNIST, digit(), "conv4.0", (3, 4, 5))
    texts = (
        write_maps(MNIST, layer, "picture.png"),
        write_value(MNIST, layer, told, "picture.npy"),
        write_gradient(MNIST, layer, (3, 1, 0, 2), 3, 0.1, "picture.npy"),
        write_convolution(WINDOWS["plain"], 3, "picture.png"),
    )
    for text in texts:
        assert 20 <= len(text.splitlines()) <= 50
        assert max(map(len, text.splitlines())) <= 100
        assert "\n\n\n" not in text
    assert "Image" not in texts[1]
    assert "F." not in texts[0]
    assert "F.pad" not in texts[1]  # the window lies inside
    assert json.dumps('a "b".png') in write_maps(MNIST, layer, 'a "b".png')
