"""What a layer tells apart agrees with SVD, scikit-learn and plain loops over a plain pass."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn import linear_model, manifold, pipeline, preprocessing
from torch import Tensor, nn

from core import feature_maps
from core.feature_maps import Probe, Shift, Space, grid, spaces
from core.feature_maps.spaces import probe, shift, space
from core.shared import loading
from core.shared.data import Dataset, dataset, mnist
from core.shared.engine import Engine
from core.shared.loading import Model
from core.shared.models import Source
from tests.shared.untouched import leaves_untouched

MNIST = Source(kind="built-in", name="mnist")
LITE = Source(kind="built-in", name="efficientnet-lite0")
IMAGES = 60
LAYERS = ("conv1.0", "conv2.1", "max3.0", "conv8.2", "global9.1", "output.1")  # wide, deep, flat
MEANS = {"conv1.0", "conv2.1"}  # 16 maps of 28×28 have 12,544 values


def digits() -> Dataset:
    return mnist(torch.device("cpu"))


def digit() -> np.ndarray:
    return digits().test.images[0].numpy()


@torch.no_grad()
def plain(layer: str, images: Tensor, source: Source = MNIST) -> np.ndarray:
    """What a layer gives by a plain forward hook, in float64."""
    heard: list[Tensor] = []
    network = loading.load(source).network
    handle = network.get_submodule(layer).register_forward_hook(lambda *all: heard.append(all[2]))
    network(images)
    handle.remove()
    return heard[0].double().numpy()


def rows(layer: str, images: Tensor) -> np.ndarray:
    values = plain(layer, images)
    if layer in MEANS:  # of 28 rows and columns to 16: bins that overlap
        values = in_bins(values, 16)
    return values.reshape(len(values), -1)


def in_bins(maps: np.ndarray, side: int) -> np.ndarray:
    """The means of bins from ⌊k·n/side⌋ to ⌈(k + 1)·n/side⌉, in a plain loop."""
    ends = [(k * maps.shape[2] // side, -(-(k + 1) * maps.shape[2] // side)) for k in range(side)]
    return np.stack(
        [np.stack([maps[:, :, a:b, c:d].mean((2, 3)) for c, d in ends], -1) for a, b in ends],
        -2,
    )


# Points


def is_that_of_svd(told: Space, values: np.ndarray) -> bool:
    """The projection on the first two right singular vectors, whichever way they point."""
    centred = values - values.mean(0)
    _, sizes, across = np.linalg.svd(centred, full_matrices=False)
    expected = centred @ across[:2].T
    signs = np.sign((expected * told.points).sum(0))
    scale = np.abs(expected).max()
    return np.allclose(told.points, expected * signs, atol=1e-4 * scale) and np.allclose(
        told.shares, sizes[:2] ** 2 / (sizes**2).sum(), rtol=1e-4
    )


@pytest.mark.parametrize("layer", LAYERS)
def test_the_plane_of_pca_is_that_of_svd(layer: str) -> None:
    told = space(MNIST, layer, IMAGES)
    values = rows(layer, digits().test.images[:IMAGES])
    assert is_that_of_svd(told, values)
    assert (told.layer, told.way) == (layer, "pca")
    assert (told.values, told.pooled) == (values.shape[1], layer in MEANS)
    assert np.array_equal(told.labels, digits().test.labels[:IMAGES])
    with torch.no_grad():
        logits = loading.load(MNIST).network(digits().test.images[:IMAGES])
    assert np.array_equal(told.read, logits.argmax(1))


def test_that_oracle_rejects_values_about_zero_and_another_layer() -> None:
    told = space(MNIST, "conv8.2", IMAGES)
    images = digits().test.images[:IMAGES]
    values = rows("conv8.2", images)
    standard = preprocessing.StandardScaler().fit_transform(values)
    assert is_that_of_svd(told, values)
    assert not is_that_of_svd(told, standard)
    assert not is_that_of_svd(told, rows("max3.0", images))


def test_t_sne_keeps_neighbours_together() -> None:
    told = space(MNIST, "conv8.2", IMAGES, "tsne")
    values = rows("conv8.2", digits().test.images[:IMAGES])
    assert manifold.trustworthiness(values, told.points, n_neighbors=5) > 0.9
    assert (told.way, told.shares) == ("tsne", ())
    same = space(MNIST, "conv8.2", IMAGES, "tsne")
    assert np.array_equal(told.points, same.points)


def test_that_measure_rejects_points_in_another_order() -> None:
    told = space(MNIST, "conv8.2", IMAGES, "tsne")
    values = rows("conv8.2", digits().test.images[:IMAGES])
    assert manifold.trustworthiness(values, told.points[::-1], n_neighbors=5) < 0.7


def stand_in(monkeypatch: pytest.MonkeyPatch, outputs: int, weight: float) -> None:
    layer = nn.Linear(784, outputs)
    layer.weight.data.fill_(weight)
    net = nn.Sequential(nn.Flatten(), layer).requires_grad_(False)
    model = Model(MNIST, net, tuple("0123456789")[:outputs], (1, 28, 28), "mnist")
    monkeypatch.setattr(spaces, "load", lambda _: model)


def test_one_value_makes_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, 1, 1.0)
    told = space(MNIST, "1", IMAGES)
    sums = digits().test.images[:IMAGES].sum((1, 2, 3)).numpy()
    assert np.abs(told.points[:, 0]) == pytest.approx(np.abs(sums - sums.mean()), rel=1e-3)
    assert not told.points[:, 1].any()
    assert told.values == 1
    assert told.shares == pytest.approx((1, 0))


def test_a_layer_that_is_dead_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, 3, 0.0)
    with pytest.raises(ValueError, match="layer must tell images apart, got the same for 60 from"):
        space(MNIST, "1", IMAGES)


# Probes


def accuracy(layer: str, images: int, seed: int, penalty: float = 0.1) -> float:
    """Ridge regression by scikit-learn on the same halves."""
    validation = digits().validation
    drawn = torch.randperm(len(validation), generator=torch.Generator().manual_seed(seed))[:images]
    values, labels = rows(layer, validation.images[drawn]), validation.labels[drawn].numpy()
    half = images // 2
    ridge = linear_model.RidgeClassifier(alpha=penalty * values.shape[1])
    fit = pipeline.make_pipeline(preprocessing.StandardScaler(), ridge)
    return float(fit.fit(values[:half], labels[:half]).score(values[half:], labels[half:]))


def test_probes_read_as_well_as_those_of_scikit_learn() -> None:
    told = probe(MNIST, LAYERS, 201, 3)
    sizes = (4096, 4096, 3136, 3136, 64, 10)
    assert told == tuple(
        Probe(layer, accuracy(layer, 201, 3), size, layer in MEANS)
        for layer, size in zip(LAYERS, sizes, strict=True)
    )
    assert told[-1].accuracy > 0.9 > told[0].accuracy


def test_that_oracle_rejects_another_seed_and_another_penalty() -> None:
    told = probe(MNIST, ("conv1.0",), 201, 3)[0].accuracy
    assert told == accuracy("conv1.0", 201, 3)
    assert told != accuracy("conv1.0", 201, 5)
    assert told != accuracy("conv1.0", 201, 3, 100.0)


@pytest.mark.parametrize("shape", [(40, 7), (40, 90), (40, 40)])
@pytest.mark.parametrize("classes", [2, 4])
def test_the_closed_form_is_ridge_regression(shape: tuple[int, int], classes: int) -> None:
    source = np.random.default_rng(6)
    labels = source.integers(classes, size=80)
    values = source.normal(size=(80, shape[1])) + labels[:, None] * source.normal(size=shape[1])
    values[:, 2] = 5.0  # a value that never changes
    ours = spaces._ridge(values[:40], labels[:40], values[40:], classes)
    ridge = linear_model.RidgeClassifier(alpha=0.1 * shape[1])
    fit = pipeline.make_pipeline(preprocessing.StandardScaler(), ridge)
    theirs = fit.fit(values[:40], labels[:40]).predict(values[40:])
    assert np.array_equal(ours, theirs)
    assert not np.array_equal(ours, labels[40:][::-1])


def fitted(images: Tensor) -> Tensor:
    """As ImageNet's networks take a digit: 256 pixels, of which the middle 224."""
    taken = []
    for image in images:
        picture = Image.fromarray((255 * image[0].numpy()).round().astype(np.uint8))
        scaled = picture.convert("RGB").resize((256, 256), Image.Resampling.BICUBIC)
        taken.append(np.asarray(scaled.crop((16, 16, 240, 240))).transpose(2, 0, 1) / 255)
    return torch.tensor(np.stack(taken), dtype=torch.float32)


def test_other_images_pass_in_the_form_that_the_network_takes() -> None:
    layer, images = "block3.project.norm", digits().test.images[:6]
    told = space(LITE, layer, 6, data="mnist")
    assert is_that_of_svd(told, means(layer, fitted(images)))
    assert not is_that_of_svd(told, means(layer, fitted(images.flip(3))))
    assert told.pooled
    assert told.labels.tolist() == digits().test.labels[:6].tolist()
    clothes = dataset("fashion", torch.device("cpu")).test.images[:IMAGES]
    told = space(MNIST, "conv8.2", IMAGES, data="fashion")  # of the same shape: as they are
    assert is_that_of_svd(told, rows("conv8.2", clothes))
    assert space(MNIST, "conv8.2", IMAGES, data="mnist").values == told.values


def means(layer: str, images: Tensor) -> np.ndarray:
    return in_bins(plain(layer, images, LITE), 10).reshape(len(images), -1)


def test_a_probe_of_other_data_reads_their_classes() -> None:
    source = dataset("fashion", torch.device("cpu")).validation
    drawn = torch.randperm(len(source), generator=torch.Generator().manual_seed(2))[:200]
    values, labels = rows("conv8.2", source.images[drawn]), source.labels[drawn].numpy()
    ridge = linear_model.RidgeClassifier(alpha=0.1 * values.shape[1])
    fit = pipeline.make_pipeline(preprocessing.StandardScaler(), ridge).fit(
        values[:100], labels[:100]
    )
    (told,) = probe(MNIST, ("conv8.2",), 200, 2, "fashion")
    assert told.accuracy == pytest.approx(fit.score(values[100:], labels[100:]))
    assert told.accuracy > 0.5
    assert told.accuracy != probe(MNIST, ("conv8.2",), 200, 2)[0].accuracy


def test_of_a_wide_vector_every_second_value_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid, "LARGEST", 40)
    told = space(MNIST, "global9.1", IMAGES)
    values = rows("global9.1", digits().test.images[:IMAGES])
    assert is_that_of_svd(told, values[:, ::2])
    assert not is_that_of_svd(told, values)
    assert (told.values, told.pooled) == (32, False)


def test_many_layers_are_probed_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = probe(MNIST, LAYERS, 40)
    monkeypatch.setattr(spaces, "HELD", 2 * 200)
    assert probe(MNIST, LAYERS, 40) == whole
    assert probe(MNIST, (), 40) == ()


# Shifts


def moved_right(pixels: np.ndarray, by: int) -> np.ndarray:
    other = pixels.copy()
    for row in range(28):
        for column in range(28):
            other[0, row, column] = pixels[0, row, max(0, column - by)]
    return other


def as_a_loop_tells(told: Shift, move: Callable[[np.ndarray, int], np.ndarray]) -> bool:
    pixels = digit()
    for k, layer in enumerate(told.layers):
        for by in told.pixels:
            was, now = (
                plain(layer, torch.from_numpy(each)[None])[0] for each in (pixels, move(pixels, by))
            )
            pairs = [(was.ravel(), now.ravel())]
            means = [each.mean((1, 2)) if each.ndim == 3 else each for each in (was, now)]
            pairs.append((means[0], means[1]))
            for (a, b), distance, cosine in zip(
                pairs,
                (told.distance[k, by], told.pooled_distance[k, by]),
                (told.cosine[k, by], told.pooled_cosine[k, by]),
                strict=True,
            ):
                size = np.sqrt((a**2).sum())
                if not np.isclose(distance, np.sqrt(((b - a) ** 2).sum()) / size, atol=1e-5):
                    return False
                if not np.isclose(cosine, a @ b / size / np.sqrt((b**2).sum()), atol=1e-5):
                    return False
    return True


def test_a_shift_is_what_a_plain_loop_finds() -> None:
    told = shift(MNIST, digit(), LAYERS, 4)
    assert as_a_loop_tells(told, moved_right)
    assert told.layers == LAYERS
    assert list(told.pixels) == [0, 1, 2, 3, 4]
    assert not told.distance[:, 0].any()
    assert told.cosine[:, 0] == pytest.approx(1)


def test_that_loop_rejects_a_shift_to_the_left_and_one_that_wraps() -> None:
    told = shift(MNIST, digit(), ("conv1.0", "output.1"), 12)
    assert as_a_loop_tells(told, moved_right)
    assert not as_a_loop_tells(
        told, lambda each, by: moved_right(each[..., ::-1], by)[..., ::-1].copy()
    )
    assert not as_a_loop_tells(told, lambda each, by: np.roll(each, by, 2))


def test_of_nothing_no_share_can_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten()).requires_grad_(False)
    net[0].weight.fill_(0.0)  # type: ignore[operator]
    net[0].bias.fill_(-1.0)  # type: ignore[operator]
    model = Model(MNIST, net, tuple("ab"), (1, 28, 28), "")
    monkeypatch.setattr(spaces, "load", lambda _: model)
    told = shift(MNIST, digit(), ("0", "1"), 1)
    assert told.distance[0] == pytest.approx([0, 0])
    assert np.isnan(told.distance[1]).all()
    assert np.isnan(told.pooled_cosine[1]).all()


def test_the_engine_answers_the_same(tmp_path: Path) -> None:
    with Engine(tmp_path, devices=("cpu",), inline=True) as engine:
        told = engine.call(feature_maps.SPACE, MNIST, "conv8.2", 20)
        probes = engine.call(feature_maps.PROBE, MNIST, ("conv8.2",), 40)
        moved = engine.call(feature_maps.SHIFT, MNIST, digit(), ("conv8.2",), 2)
    assert np.array_equal(told.points, space(MNIST, "conv8.2", 20).points)
    assert probes == probe(MNIST, ("conv8.2",), 40)
    assert np.array_equal(moved.cosine, shift(MNIST, digit(), ("conv8.2",), 2).cosine)


# Nothing is left behind

BAD: dict[str, tuple[Callable[[], object], str]] = {
    "space: layer": (lambda: space(MNIST, "conv99", 10), "layer must be one of the network's"),
    "space: way": (
        lambda: space(MNIST, "conv8.2", 10, "umap"),
        r"way must be one of \('pca', 'tsne'\), got 'umap'",
    ),
    "space: few": (lambda: space(MNIST, "conv8.2", 4), "images must be from 5, got 4"),
    "space: many": (
        lambda: space(MNIST, "conv8.2", 2001, "tsne"),
        "images must be from 5 to 2,000 for t-SNE, got 2,001",
    ),
    "space: data": (
        lambda: space(LITE, "stem.conv"),
        "network must be one whose data are here, got EfficientNet-Lite0",
    ),
    "probe: layer": (
        lambda: probe(MNIST, ("conv8.2", "conv99"), 10),
        "layer must be one of the network's, got 'conv99'",
    ),
    "probe: few": (lambda: probe(MNIST, ("conv8.2",), 4), "images must be at least 5, got 4"),
    "shift: layer": (lambda: shift(MNIST, digit(), ("",)), "layer must be one of the network's"),
    "shift: far": (
        lambda: shift(MNIST, digit(), ("conv8.2",), 28),
        "most must be from 0 to 27 pixels, got 28",
    ),
    "shift: pixels": (
        lambda: shift(MNIST, digit() - 1, ("conv8.2",)),
        "pixels must be from 0 to 1",
    ),
}
GOOD: dict[str, Callable[[], object]] = {
    "space": lambda: space(MNIST, "conv8.2", 10),
    "t-SNE": lambda: space(MNIST, "conv8.2", 10, "tsne"),
    "probe": lambda: probe(MNIST, ("conv8.2",), 20),
    "shift": lambda: shift(MNIST, digit(), ("conv8.2",), 2),
}


@pytest.mark.parametrize("name", [*BAD, *GOOD])
def test_after_every_call_the_network_is_what_it_was(name: str) -> None:
    leaves_untouched(
        loading.load(LITE if name == "space: data" else MNIST).network, (GOOD | BAD)[name]
    )
