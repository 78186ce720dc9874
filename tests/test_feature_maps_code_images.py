"""The code of the second panel's tabs gives the numbers that they show, run as it stands."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.manifold import trustworthiness
from torch import Tensor, nn

from core.feature_maps import Ascent, Layer
from core.feature_maps.channels import lesion, top
from core.feature_maps.climbing import maximise
from core.feature_maps.laboratory import effective_field
from core.feature_maps.looking import look
from core.feature_maps.script import (
    write_dream,
    write_effective_field,
    write_lesion,
    write_probe,
    write_shift,
    write_space,
    write_top,
)
from core.feature_maps.spaces import probe, shift, space
from core.shared import loading, models, networks, runs, snapshots
from core.shared.models import Source
from core.shared.vision_library import torchvision
from tests.shared import started as whole
from tests.shared.small_zoo import a_zoo, convnext, transformer

ROOT = Path(__file__).parents[1]
MNIST = Source(kind="built-in", name="mnist")
LITE = Source(kind="built-in", name="efficientnet-lite0")
TABLE = "conv6-k5-s2-p2-batch-relu,res6-s2-batch-relu,inception4-relu,global,fc9-layer-relu"
IMAGES = 300  # more than pass together
# Of float32, summed in another order.
RELATIVE, ABSOLUTE = 1e-4, 1e-5


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSBOX_DEVICE", "cpu")
    monkeypatch.setenv("GLASSBOX_RUNS", str(tmp_path))
    monkeypatch.chdir(ROOT)


def a_run(table: str, root: Path) -> Source:
    """Keep a network as if it had been trained; no two of its channels are alike."""
    random = torch.Generator().manual_seed(3)
    network = networks.build(table, random)
    for name, value in network.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 2, generator=random)
        elif value.is_floating_point() and value.ndim == 1:
            value.normal_(0.3, 0.5, generator=random)
    run = runs.create(root, "visitor", "core.train_cnn.learning:train", {"network": table})
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    snapshots.write(runs.folder_of(root, run), snapshots.Snapshot(7, tensors, {}))
    return models.of_run(root, run, 7)


@pytest.fixture(params=["built-in", "run"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    return MNIST if request.param == "built-in" else a_run(TABLE, tmp_path)


@cache
def drawn(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape, np.float32)


def saved(pixels: np.ndarray, folder: Path) -> str:
    np.save(folder / "picture.npy", pixels)
    return str(folder / "picture.npy")


def layers(source: Source) -> list[Layer]:
    return [*look(source, drawn(*models.about(source).shape)).layers][:-1]


def some(source: Source) -> list[Layer]:
    """Choose a large layer of maps, a small one, and a vector."""
    found = layers(source)
    return [found[1], found[len(found) // 2], found[-1]]


def started(text: str) -> dict[str, Any]:
    """Run a text that is neither very short nor very long, and tell what it leaves."""
    assert 20 <= len(text.splitlines()) <= 70
    return whole.started(text)


def same(left: Tensor, shown: Any) -> bool:
    told = torch.as_tensor(np.asarray(shown)).double()
    return left.shape == told.shape and torch.allclose(left.double(), told, RELATIVE, ABSOLUTE)


def test_the_images_that_excite_a_channel_come_out(source: Source) -> None:
    for layer in some(source):
        channel = layer.shape[0] // 2
        shown = top(source, layer.name, channel, 9, IMAGES).examples
        left = started(write_top(source, layer, channel, 9, IMAGES))
        assert left["best"].tolist() == [each.index for each in shown]
        assert same(left["values"], [each.value for each in shown])


@pytest.mark.parametrize("only", [False, True])
def test_a_lesion_comes_out(source: Source, only: bool, tmp_path: Path) -> None:
    picture, pixels = saved(drawn(1, 28, 28), tmp_path), drawn(1, 28, 28)
    for layer in some(source):
        channel = layer.shape[0] // 2
        shown = lesion(source, pixels, layer.name, channel, only, IMAGES)
        left = started(write_lesion(source, layer, channel, only, picture, IMAGES))
        assert same(left["before"], shown.before)
        assert same(left["after"], shown.after)
        assert left["accuracy_before"] == pytest.approx(shown.accuracy_before)
        assert left["accuracy_after"] == pytest.approx(shown.accuracy_after)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"blur": 0.0, "jitter": 0, "seed": 5},
        {"blur": 1.2, "every": 1, "rate": 0.1, "weight_decay": 0.3, "jitter": 7},
    ],
)
def test_a_dream_comes_out(source: Source, more: dict[str, Any]) -> None:
    for layer in some(source):
        config = Ascent(source=source, layer=layer.name, channel=0, steps=9, **more)
        *_, climb = maximise(config)
        left = started(write_dream(config))
        assert same(left["picture"], climb.freeze().picture)


def test_a_dream_of_many_steps_comes_out() -> None:
    config = Ascent(source=MNIST, layer="conv4.0", channel=3, steps=100)
    *_, climb = maximise(config)
    assert same(started(write_dream(config))["picture"], climb.freeze().picture)


def test_the_points_of_a_space_come_out(source: Source) -> None:
    for layer in some(source):
        shown = space(source, layer.name, IMAGES, "pca")
        points = started(write_space(source, layer, IMAGES, "pca"))["points"]
        told = torch.from_numpy(shown.points).double()
        signs = (points * told).sum(0).sign()
        size = float(told.abs().max())
        torch.testing.assert_close(points * signs, told, rtol=RELATIVE, atol=RELATIVE * size)


def test_a_layer_of_one_value_has_its_points_on_a_line(tmp_path: Path) -> None:
    source = a_run("conv1-tanh,global", tmp_path)
    (layer,) = [each for each in layers(source) if each.name == "global2.1"]
    shown = space(source, layer.name, IMAGES, "pca").points
    points = started(write_space(source, layer, IMAGES, "pca"))["points"]
    assert same(points.abs(), abs(shown))
    assert not points[:, 1].any()


def test_t_sne_comes_out() -> None:
    """It magnifies the last bits of what goes in: the neighbours come out, not the same places."""
    wrong, layer, _ = some(MNIST)
    shown = space(MNIST, layer.name, 100, "tsne").points
    left = started(write_space(MNIST, layer, 100, "tsne"))
    rows = left["rows"].numpy()
    trusted = trustworthiness(rows, shown)
    assert trusted > 0.85
    assert trusted == pytest.approx(trustworthiness(rows, left["points"].numpy()), abs=0.02)
    other = started(write_space(MNIST, wrong, 100, "tsne"))["points"].numpy()
    assert trustworthiness(rows, other) < trusted - 0.04


def test_a_probe_comes_out(source: Source) -> None:
    names = tuple(layer.name for layer in some(source))
    shown = probe(source, names, IMAGES, 4)
    left = started(write_probe(source, names, IMAGES, 4))
    assert [*left["accuracies"]] == [*names]
    for each in shown:
        assert left["accuracies"][each.layer] == pytest.approx(each.accuracy)


def test_a_shift_comes_out(source: Source, tmp_path: Path) -> None:
    names = tuple(layer.name for layer in layers(source))
    shown = shift(source, drawn(1, 28, 28), names, 3)
    left = started(write_shift(source, names, saved(drawn(1, 28, 28), tmp_path), 3))
    assert [*left["distances"]] == [*names]
    assert same(torch.tensor([*left["distances"].values()]), shown.distance)


def test_an_effective_field_comes_out(source: Source) -> None:
    for layer in some(source):
        channel = layer.shape[0] // 2
        shown = effective_field(source, layer.name, channel, 150)
        left = started(write_effective_field(source, layer, channel, 150))
        assert same(left["field"], shown.field)
        assert left["side"].item() == pytest.approx(shown.side)


ODD = ("fully connected", "attention", "layer norm")  # whose channels may come last


@pytest.mark.parametrize(
    ("name", "small"), [("convnext_tiny", convnext), ("vit_b_16", transformer), ("lite", None)]
)
def test_what_needs_no_data_comes_out_of_imagenet_s_networks(
    name: str,
    small: Callable[..., nn.Module] | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = LITE
    if small is not None:
        monkeypatch.setenv("TORCH_HOME", str(tmp_path))
        monkeypatch.setattr(torchvision.models, name, small)
        source = a_zoo(name, small)
    pixels, found = drawn(3, 224, 224), layers(source)
    chosen = [found[3], found[-1]] if small is None else found
    picture, names = saved(pixels, tmp_path), tuple(layer.name for layer in chosen)
    shown = shift(source, pixels, names, 1).distance
    left = started(write_shift(source, names, picture, 1))["distances"]
    assert same(torch.tensor([*left.values()])[:, 1:], shown[:, 1:])
    kinds = set()
    for layer in chosen:
        if layer.kind in kinds:
            continue
        kinds |= {layer.kind} - {"permute"}
        channel = layer.shape[0] // 2
        lost = lesion(source, pixels, layer.name, channel, False)
        left = started(write_lesion(source, layer, channel, False, picture, IMAGES))
        assert same(left["before"], lost.before), layer.name
        assert same(left["after"], lost.after), layer.name
        field = effective_field(source, layer.name, channel, 2).field
        left = started(write_effective_field(source, layer, channel, 2))
        assert same(left["field"], field), layer.name
        config = Ascent(source=source, layer=layer.name, channel=channel, steps=2, every=2)
        *_, climb = maximise(config)
        assert same(started(write_dream(config))["picture"], climb.freeze().picture), layer.name
        if small is not None and layer.kind not in ODD:
            continue
        best = top(source, layer.name, channel, 3, 4).examples
        left = started(write_top(source, layer, channel, 3, 4))
        assert same(left["values"], [each.value for each in best]), layer.name
        points = space(source, layer.name, 8, "pca", data="mnist").points
        left = started(write_space(source, layer, 8, "pca", "mnist"))
        assert same(left["points"].abs(), abs(points)), layer.name
    told = probe(source, names, 10, 4, "fashion")
    left = started(write_probe(source, names, 10, 4, "fashion"))["accuracies"]
    assert [*left.values()] == pytest.approx([each.accuracy for each in told])
    loading._held.clear()


def test_other_data_than_the_network_s_come_out() -> None:
    _, layer, _ = some(MNIST)
    points = space(MNIST, layer.name, IMAGES, "pca", data="fashion").points
    left = started(write_space(MNIST, layer, IMAGES, "pca", "fashion"))
    size = float(abs(points).max())
    assert np.allclose(left["points"].abs(), abs(points), RELATIVE, RELATIVE * size)
    (told,) = probe(MNIST, (layer.name,), IMAGES, 4, "fashion")
    (read,) = started(write_probe(MNIST, (layer.name,), IMAGES, 4, "fashion"))[
        "accuracies"
    ].values()
    assert read == pytest.approx(told.accuracy)
    own = space(MNIST, layer.name, IMAGES, "pca").points
    assert not np.allclose(abs(own), abs(points), RELATIVE, RELATIVE * size)


def test_what_needs_the_data_is_not_written_without_them() -> None:
    layer = layers(LITE)[1]
    with pytest.raises(ValueError, match="whose data are here"):
        write_space(LITE, layer, IMAGES, "pca")
    with pytest.raises(ValueError, match="whose data are here"):
        write_probe(LITE, (layer.name,), IMAGES, 0)
    with pytest.raises(ValueError, match="way must be one of"):
        write_space(MNIST, layer, IMAGES, "umap")


def test_that_oracle_rejects_another_layer(tmp_path: Path) -> None:
    found = {layer.name: layer for layer in layers(MNIST)}
    name, other, pixels = "conv4.2", "conv5.2", drawn(1, 28, 28)
    picture, wrong = saved(pixels, tmp_path), found["conv5.2"]
    examples = top(MNIST, name, 3, 9, IMAGES).examples
    best = started(write_top(MNIST, wrong, 3, 9, IMAGES))["best"].tolist()
    assert best != [each.index for each in examples]
    lost = lesion(MNIST, pixels, name, 3, True, IMAGES)
    left = started(write_lesion(MNIST, wrong, 3, True, picture, IMAGES))
    assert same(left["before"], lost.before)
    assert not same(left["after"], lost.after)
    *_, climb = maximise(Ascent(source=MNIST, layer=name, channel=3, steps=9))
    left = started(write_dream(Ascent(source=MNIST, layer=other, channel=3, steps=9)))
    assert not same(left["picture"], climb.freeze().picture)
    points = started(write_space(MNIST, wrong, IMAGES, "pca"))["points"]
    assert not same(points.abs(), abs(space(MNIST, name, IMAGES, "pca").points))
    (shown,) = probe(MNIST, ("conv1.0",), IMAGES, 4)
    (read,) = started(write_probe(MNIST, (other,), IMAGES, 4))["accuracies"].values()
    assert read != pytest.approx(shown.accuracy)
    far = shift(MNIST, pixels, (name,), 3).distance
    (moved,) = started(write_shift(MNIST, (other,), picture, 3))["distances"].values()
    assert not same(torch.tensor([moved]), far)
    field = effective_field(MNIST, name, 3, 20).field
    assert not same(started(write_effective_field(MNIST, wrong, 3, 20))["field"], field)
