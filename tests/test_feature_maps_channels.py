"""What a channel stands for: found, put out and dreamt of as somebody would do it by hand."""

import copy
import io
import json
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence
from scipy import ndimage
from torch import Tensor, nn

from core import feature_maps
from core.feature_maps import Ascent, Dream, Lesion, Top, channels, climbing, passing
from core.feature_maps.channels import lesion, top
from core.feature_maps.climbing import maximise
from core.feature_maps.filming import film
from core.shared import folding, loading, photographs, seeing, targets, tracing
from core.shared.data import Split, mnist
from core.shared.engine import Engine
from core.shared.loading import Model
from core.shared.models import Source
from core.shared.networks import build
from core.shared.tracing import Call, trace
from tests.shared.untouched import leaves_untouched

MNIST = Source(kind="built-in", name="mnist")
LITE = Source(kind="built-in", name="efficientnet-lite0")
TABLES = {
    "lenet5": "lenet5",
    "vgg": "conv4-p1-batch-relu,max2,conv6-d2-group-gelu,mean2-p1,global,fc9-layer-relu",
    "residual": "res4-batch-relu,max2,inception8-relu,global",
    "mlp": "fc20-batch-relu,fc10-leaky",
}
IMAGES = 24


def made(table: str) -> nn.Sequential:
    source = torch.Generator().manual_seed(4)
    net = build(table, source).eval().requires_grad_(False)
    for module in net.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            module.running_mean.normal_(generator=source)  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 2, generator=source)  # type: ignore[union-attr]
    return net


def put(monkeypatch: pytest.MonkeyPatch, model: Model) -> Source:
    """Let this network be found where a built-in one is looked for."""
    for module in (channels, climbing):
        monkeypatch.setattr(module, "load", lambda _: model)
    return model.source


@pytest.fixture(autouse=True)
def forgetful() -> Iterator[None]:
    """Let nothing be known of a network that a test puts in another's place."""
    yield
    channels._largest.cache_clear()
    channels._right.cache_clear()


@pytest.fixture(params=TABLES)
def own(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> nn.Sequential:
    net = made(TABLES[request.param])
    put(monkeypatch, Model(MNIST, net, tuple("0123456789"), (1, 28, 28), "mnist"))
    channels._largest.cache_clear()
    channels._right.cache_clear()
    return net


def digits(count: int = IMAGES) -> Split:
    test = mnist(torch.device("cpu")).test
    return Split(test.images[:count], test.labels[:count])


def digit(index: int = 0) -> np.ndarray:
    return digits(index + 1).images[index].numpy()


def layers_of(net: nn.Module) -> list[str]:
    """The layers that have no parts, so that their names are those of modules."""
    with torch.no_grad():
        calls = trace(net, digits(1).images).calls
    return [call.name for call in calls if not [*call.module.children()]]


@torch.no_grad()
def maps_one_by_one(net: nn.Module, layer: str, images: Tensor) -> Tensor:
    """A plain forward hook, and one image at a time."""
    heard: list[Tensor] = []
    handle = net.get_submodule(layer).register_forward_hook(lambda *given: heard.append(given[2]))
    for image in images:
        net(image[None])
    handle.remove()
    maps = torch.cat(heard)
    return maps if maps.ndim == 4 else maps[..., None, None]


# The images that a channel answers most


def best(maps: Tensor, channel: int, count: int) -> list[tuple[int, float]]:
    """Sort in Python: the images and their largest values."""
    largest = [float(each[channel].max()) for each in maps]
    order = sorted(range(len(largest)), key=lambda k: (-largest[k], k))
    return [(k, largest[k]) for k in order[:count]]


def agrees(told: Top, maps: Tensor, channel: int) -> bool:
    expected = best(maps, channel, len(told.examples))
    return [each.index for each in told.examples] == [k for k, _ in expected] and np.allclose(
        [each.value for each in told.examples], [value for _, value in expected], atol=1e-5
    )


def test_the_top_images_are_those_found_one_by_one(own: nn.Sequential) -> None:
    compared = 0
    for layer in layers_of(own):
        maps = maps_one_by_one(own, layer, digits().images)
        for channel in {0, maps.shape[1] - 1}:
            told = top(MNIST, layer, channel, 5, IMAGES)
            assert agrees(told, maps, channel), layer
            assert (told.layer, told.channel, told.images) == (layer, channel, IMAGES)
            for each in told.examples:
                assert each.value == pytest.approx(
                    float(maps[each.index, channel][each.at]), abs=1e-5
                )
                assert each.label == digits().labels[each.index]
                assert np.array_equal(each.pixels, digit(each.index))
                above, left, below, right = each.field
                assert np.array_equal(each.patch, each.pixels[:, above:below, left:right])
                compared += 1
    assert compared > 20


def test_it_is_so_too_when_the_images_come_in_many_batches(
    own: nn.Sequential, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passing, "AT_ONCE", {"cpu": 3 * 784})  # three at a time
    monkeypatch.setattr(channels, "GATHERED", 5)  # and all but the largest go after six
    monkeypatch.setattr(channels, "MOST", 5)
    layer = layers_of(own)[-1]
    maps = maps_one_by_one(own, layer, digits().images)
    told = top(MNIST, layer, 0, 3, IMAGES)
    assert agrees(told, maps, 0)
    assert max(each.index for each in told.examples) > 6
    channels._largest.cache_clear()
    whole = channels._best
    monkeypatch.setattr(channels, "_best", lambda found: whole(found[:1]))  # forgets the later ones
    assert not agrees(top(MNIST, layer, 0, 3, IMAGES), maps, 0)


def test_the_place_of_the_largest_is_right_in_many_batches_too(
    own: nn.Sequential, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passing, "AT_ONCE", {"cpu": 3 * 784})
    monkeypatch.setattr(channels, "GATHERED", 5)
    monkeypatch.setattr(channels, "MOST", 5)
    for layer in layers_of(own):
        maps = maps_one_by_one(own, layer, digits().images)
        for each in top(MNIST, layer, 0, 5, IMAGES).examples:
            assert float(maps[each.index, 0][each.at]) == pytest.approx(each.value, abs=1e-5), layer


def test_the_quicker_copy_is_asked_where_it_gives_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net = made(TABLES["vgg"])
    put(monkeypatch, Model(MNIST, net, tuple("0123456789"), (1, 28, 28), "mnist"))
    asked: list[nn.Module] = []

    def until(network: nn.Module, few: Tensor, layer: str) -> Call:
        asked.append(network)
        return tracing.until(network, few, layer)

    monkeypatch.setattr(channels, "until", until)
    quick = folding.folded(net, (1, 28, 28))
    for layer, used in [
        ("conv1.2", quick),  # after the normalisation
        ("conv3.1", quick),  # of groups, which is not folded
        ("conv1.0", net),  # before it: the copy gives what it makes of it
        ("conv1.1", net),  # itself: the copy has no such layer
    ]:
        top(MNIST, layer, 0, 3, IMAGES)
        assert asked[-1] is used, layer


def test_that_oracle_rejects_the_means_and_the_images_of_another_channel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net = made(TABLES["vgg"])
    put(monkeypatch, Model(MNIST, net, tuple("0123456789"), (1, 28, 28), "mnist"))
    maps = maps_one_by_one(net, "conv1.0", digits().images)
    told = top(MNIST, "conv1.0", 1, 5, IMAGES)
    assert agrees(told, maps, 1)
    assert not agrees(told, maps, 2)
    assert not agrees(told, maps.mean((2, 3), keepdim=True), 1)


def test_outside_of_its_patch_an_image_does_not_matter(own: nn.Sequential) -> None:
    noise = torch.rand(1, 28, 28, generator=torch.Generator().manual_seed(2))
    cut = 0
    for layer in layers_of(own):
        each = top(MNIST, layer, 0, 1, IMAGES).examples[0]
        above, left, below, right = each.field
        other = noise.clone()
        other[:, above:below, left:right] = torch.from_numpy(each.patch)
        value = maps_one_by_one(own, layer, other[None])[0, 0][each.at]
        assert float(value) == pytest.approx(each.value, abs=1e-4), layer
        cut += each.patch.size < 28 * 28
    assert cut


def test_another_channel_of_the_layer_needs_no_other_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    net, calls = made(TABLES["vgg"]), []
    put(monkeypatch, Model(MNIST, net, tuple("0123456789"), (1, 28, 28), "mnist"))
    net.get_submodule("conv1.0").register_forward_hook(lambda *_: calls.append(1))
    first = top(MNIST, "max2.0", 0, 9, IMAGES)
    passes = len(calls)
    second = top(MNIST, "max2.0", 3, 9, IMAGES)
    assert 0 < passes == len(calls)
    assert [each.index for each in first.examples] != [each.index for each in second.examples]


def test_of_equal_images_the_first_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    net = made(TABLES["vgg"])
    net.get_submodule("conv1.0").weight.zero_()  # type: ignore[operator]
    put(monkeypatch, Model(MNIST, net, tuple("0123456789"), (1, 28, 28), "mnist"))
    told = top(MNIST, "conv1.0", 0, 9, 10_001)
    assert [each.index for each in told.examples] == list(range(9))
    assert told.images == 10_000


# Lesions


def silenced(net: nn.Module, layer: str, channel: int, only: bool) -> nn.Module:
    """A copy whose weights give 0 for the channel, or for all others."""
    other = copy.deepcopy(net)
    module = other.get_submodule(layer)
    for each in module.parameters(recurse=False):
        kept = each.data[channel].clone()
        if only:
            each.data.zero_()
            each.data[channel] = kept
        else:
            each.data[channel] = 0
    return other


@torch.no_grad()
def readings(net: nn.Module, pixels: np.ndarray, split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of a picture, and which of the images are read right."""
    probabilities = net(torch.from_numpy(pixels)[None])[0].softmax(0).numpy()
    return probabilities, (net(split.images).argmax(1) == split.labels).numpy()


def follows(told: Lesion, net: nn.Module, pixels: np.ndarray, split: Split) -> bool:
    probabilities, right = readings(net, pixels, split)
    classes = [
        right[split.labels == k].mean() if (split.labels == k).any() else np.nan for k in range(10)
    ]
    return (
        np.allclose(told.after, probabilities, atol=1e-5)
        and told.accuracy_after == pytest.approx(right.mean())
        and np.allclose(told.classes_after, classes, equal_nan=True)
    )


@pytest.mark.parametrize("only", [False, True])
def test_a_lesion_is_what_weights_of_zero_would_do(own: nn.Sequential, only: bool) -> None:
    affine = (nn.Conv2d, nn.Linear, nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm)
    layers = [name for name in layers_of(own) if isinstance(own.get_submodule(name), affine)]
    for layer in layers:
        told = lesion(MNIST, digit(), layer, 0, only, IMAGES)
        assert follows(told, silenced(own, layer, 0, only), digit(), digits()), layer
        probabilities, right = readings(own, digit(), digits())
        assert told.before == pytest.approx(probabilities, abs=1e-5)
        assert told.accuracy_before == pytest.approx(right.mean())
        assert (told.layer, told.channel, told.only, told.images) == (layer, 0, only, IMAGES)
    assert layers


def test_that_oracle_rejects_the_lesion_of_another_channel_and_the_opposite_one() -> None:
    net = loading.load(MNIST).network
    told = lesion(MNIST, digit(), "conv8.0", 2, False, IMAGES)
    assert follows(told, silenced(net, "conv8.0", 2, False), digit(), digits())
    assert not follows(told, silenced(net, "conv8.0", 3, False), digit(), digits())
    assert not follows(told, silenced(net, "conv8.0", 2, True), digit(), digits())


def test_where_the_data_are_not_here_the_picture_alone_is_read() -> None:
    photo = np.random.default_rng(1).random((3, 224, 224), np.float32)
    told = lesion(LITE, photo, "block4.project.conv", 2, False)
    assert told.images == 0
    assert np.isnan([told.accuracy_before, told.accuracy_after]).all()
    assert np.isnan(told.classes_after).all()
    assert told.after.sum() == pytest.approx(1)
    assert np.abs(told.after - told.before).max() > 0


# Dreams


def linear(weights: Tensor) -> Model:
    """A network whose only layer weighs the pixels of a picture of 6×5."""
    layer = nn.Linear(30, len(weights))
    layer.weight.data, layer.bias.data = weights, torch.tensor([0.25] * len(weights))
    net = nn.Sequential(OrderedDict(output=nn.Sequential(nn.Flatten(), layer)))
    net.requires_grad_(False).eval()
    return Model(MNIST, net, tuple("ab"), (1, 6, 5), "")


def some_weights() -> Tensor:
    source = torch.Generator().manual_seed(3)
    sign = torch.randint(0, 2, (2, 30), generator=source) * 2 - 1
    return sign * (0.5 + torch.rand(2, 30, generator=source))


PLAIN = Ascent(
    source=MNIST,
    layer="output.1",
    channel=1,
    steps=60,
    rate=0.05,
    jitter=0,
    blur=0,
    weight_decay=0,
)


def last(config: Ascent) -> Dream:
    *_, climb = maximise(config)
    return climb.freeze()


def is_the_summit(told: Dream, weights: Tensor) -> bool:
    """Of a sum of weighted pixels the highest is 1 where the weight is above 0, else 0."""
    best = (weights > 0).float()
    value = float((weights * best).sum()) + 0.25
    return np.array_equal(told.picture.ravel(), best.numpy()) and told.value == pytest.approx(
        value, rel=1e-5
    )


def test_a_linear_channel_is_brought_to_its_summit(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = some_weights()
    put(monkeypatch, linear(weights))
    told = last(PLAIN)
    assert is_the_summit(told, weights[1])
    assert told.gradient == pytest.approx(float(weights[1].norm()), rel=1e-5)


def test_that_oracle_rejects_a_descent_and_another_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = some_weights()
    put(monkeypatch, linear(-weights))
    assert not is_the_summit(last(PLAIN), weights[1])
    put(monkeypatch, linear(weights))
    assert not is_the_summit(last(replace(PLAIN, channel=0)), weights[1])


def test_one_step_is_the_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = some_weights()
    put(monkeypatch, linear(weights))
    climb = climbing.Climb(replace(PLAIN, weight_decay=0.1, blur=0.8, every=1))
    begin = climb.freeze()
    climb.move()
    w = weights[1].view(6, 5).numpy().astype(float)
    x = begin.picture[0].astype(float)
    moved = x + 0.05 * w / np.sqrt((w**2).mean()) + 0.1 * (0.5 - x)
    smooth = ndimage.gaussian_filter(moved, 0.8, mode="nearest", radius=2)
    assert climb.freeze().picture[0] == pytest.approx(smooth.clip(0, 1), abs=1e-6)
    assert (begin.step, climb.step, climb.progress) == (0, 1, 1 / 60)
    assert begin.value == pytest.approx((w * x).sum() + 0.25, rel=1e-5)


def test_the_last_quarter_of_the_steps_is_a_bare_climb(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = some_weights()
    put(monkeypatch, linear(weights))
    held = replace(PLAIN, steps=8, weight_decay=0.1, blur=0.8, every=1, jitter=2)
    climb, w = climbing.Climb(held), weights[1].view(1, 1, 6, 5)
    bare = []
    for _ in range(8):
        expected = (climb.picture + 0.05 * w / w.square().mean().sqrt()).clamp(0, 1)
        climb.move()
        bare.append(torch.allclose(climb.picture, expected, atol=1e-6))
    assert bare == [False] * 6 + [True] * 2
    assert climb.freeze().blank == pytest.approx(0.25)  # the bias alone


def test_a_shift_moves_the_gradient_back_to_where_it_belongs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The mean over all places of a circular convolution does not care about a shift."""
    layer = nn.Conv2d(1, 2, 3, padding=1, padding_mode="circular", bias=False)
    layer.weight.data.normal_(generator=torch.Generator().manual_seed(5))
    net = nn.Sequential(OrderedDict(conv=layer, square=Square(), flat=nn.Flatten()))
    put(monkeypatch, Model(MNIST, net.requires_grad_(False), tuple("ab"), (1, 9, 7), ""))
    config = replace(PLAIN, layer="square", steps=7)
    stands, shakes = climbing.Climb(config), climbing.Climb(replace(config, jitter=3))
    for _ in range(7):
        stands.move()
        shakes.move()
    assert torch.equal(torch.tensor(shakes.step), torch.tensor(7))
    torch.testing.assert_close(shakes.picture, stands.picture, atol=1e-5, rtol=0)


class Square(nn.Module):
    def forward(self, maps: Tensor) -> Tensor:
        return maps.square()


def test_a_dream_grows_and_is_filmed_on_its_way() -> None:
    config = Ascent(source=MNIST, layer="conv5.2", channel=3, steps=50)
    climbs = []
    for climb in maximise(config):
        climbs.append((climb.step, climb.progress))
        assert 0 <= climb.picture.min() <= climb.picture.max() <= 1
    told = climb.freeze()
    assert climbs == [(k, k / 50) for k in range(51)]
    shown = [each.step for each in told.film]
    assert (shown[0], shown[-1], told.step, told.steps) == (0, 50, 50, 50)
    assert shown == sorted(set(shown))
    assert len(shown) <= 24
    assert told.value > 0.1 > told.film[0].value  # of ReLUs, that began near 0
    maps = maps_one_by_one(
        loading.load(MNIST).network, "conv5.2", torch.from_numpy(told.picture)[None]
    )
    assert told.value == pytest.approx(float(maps[0, 3].mean()), rel=1e-4)
    assert told.film[-1].value == pytest.approx(told.value)
    assert np.array_equal(told.film[-1].picture, np.rint(told.picture * 255).astype(np.uint8))


@pytest.mark.parametrize("steps", [1, 2, 100])
def test_a_film_has_at_most_24_pictures(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, linear(some_weights()))
    told = last(replace(PLAIN, steps=steps))
    assert [told.film[0].step, told.film[-1].step] == [0, steps]
    assert len(told.film) <= 24


def test_a_seed_is_a_dream() -> None:
    config = Ascent(source=MNIST, layer="conv5.2", channel=3, steps=3)
    assert np.array_equal(last(config).picture, last(config).picture)
    assert not np.array_equal(last(config).picture, last(replace(config, seed=1)).picture)


def test_a_large_picture_is_small_on_film(monkeypatch: pytest.MonkeyPatch) -> None:
    conv = nn.Conv2d(3, 2, 3)
    net = nn.Sequential(OrderedDict(conv=conv, flat=nn.Flatten())).requires_grad_(False)
    put(monkeypatch, Model(MNIST, net, tuple("ab"), (3, 128, 96), ""))
    told = last(replace(PLAIN, layer="conv", steps=1))
    assert [each.picture.shape for each in told.film] == [(3, 64, 48)] * 2
    halves = told.picture.reshape(3, 64, 2, 48, 2).mean((2, 4)) * 255
    assert np.abs(told.film[-1].picture - halves).max() <= 0.51


def test_weights_that_are_no_numbers_end_a_dream_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put(monkeypatch, linear(some_weights() * np.nan))
    climbs = maximise(PLAIN)
    assert next(climbs).step == 0
    with pytest.raises(FloatingPointError, match="the gradient was not finite after 0 steps"):
        next(climbs)


def test_an_ascent_comes_back_from_json_as_it_was() -> None:
    config = Ascent(source=MNIST, layer="conv5.2", channel=3)
    again = targets.config_of(maximise, json.loads(json.dumps(asdict(config))))
    assert again == config
    assert hash(again) == hash(config)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"steps": 0}, "steps must be a whole number from 1 to 2000, got 0"),
        ({"steps": True}, "steps must be a whole number from 1 to 2000, got True"),
        ({"rate": float("nan")}, "rate must be from 0 to 1, got nan"),
        ({"jitter": -1}, "jitter must be a whole number from 0 to 32, got -1"),
        ({"blur": 11.0}, "blur must be from 0 to 10, got 11.0"),
        ({"weight_decay": 2.0}, "weight_decay must be from 0 to 1, got 2.0"),
    ],
)
def test_an_ascent_that_cannot_be_is_refused(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        replace(PLAIN, **change)


def test_the_engine_dreams_the_same(tmp_path: Path, until: Callable[..., None]) -> None:
    config = Ascent(source=MNIST, layer="conv2.0", channel=3, steps=5)
    with Engine(tmp_path, devices=("cpu",), inline=True) as engine:
        run = engine.submit(feature_maps.MAXIMISE, config, visitor="ada")
        until(lambda: not engine.view(run).live)
        view = engine.view(run)
        told = engine.call(feature_maps.TOP, MNIST, "conv2.0", 1, 2, 30)
        hurt = engine.call(feature_maps.LESION, MNIST, digit(), "conv2.0", 1, True, 30)
    assert (view.status, view.progress) == ("finished", 1.0)
    assert np.array_equal(view.state.picture, last(config).picture)
    assert told.examples[0].index == top(MNIST, "conv2.0", 1, 1, 30).examples[0].index
    assert np.array_equal(hurt.after, lesion(MNIST, digit(), "conv2.0", 1, True, 30).after)


# Nothing is left behind


def first_of(config: Ascent) -> Dream:
    return next(maximise(config)).freeze()


BAD: dict[str, tuple[Callable[[], object], str]] = {
    "top: layer": (lambda: top(MNIST, "conv99", 0, 9, 10), "layer must be one of the network's"),
    "top: channel": (
        lambda: top(MNIST, "conv1.0", 16, 9, 10),
        "channel must be from 0 to 15 in conv1.0, got 16",
    ),
    "top: count": (lambda: top(MNIST, "conv1.0", 0, 101), "count must be from 1 to 100, got 101"),
    "top: images": (lambda: top(MNIST, "conv1.0", 0, 9, 0), "images must be at least 1, got 0"),
    "lesion: pixels": (
        lambda: lesion(MNIST, digit() + 1, "conv1.0", 0, False, 10),
        "pixels must be from 0 to 1",
    ),
    "lesion: layer": (
        lambda: lesion(MNIST, digit(), "conv99", 0, False, 10),
        "layer must be one of the network's, got 'conv99'",
    ),
    "lesion: channel": (
        lambda: lesion(MNIST, digit(), "output.1", -1, True, 10),
        "channel must be from 0 to 9 in output.1, got -1",
    ),
    "maximise: layer": (
        lambda: first_of(replace(PLAIN, layer="")),
        "layer must be one of the network's, got ''",
    ),
    "maximise: channel": (
        lambda: first_of(replace(PLAIN, channel=10)),
        "channel must be from 0 to 9 in output.1, got 10",
    ),
}
GOOD: dict[str, Callable[[], object]] = {
    "top": lambda: top(MNIST, "conv2.0", 1, 3, 10),
    "lesion": lambda: lesion(MNIST, digit(), "conv2.0", 1, False, 10),
    "only": lambda: lesion(MNIST, digit(), "global9.1", 1, True, 10),
    "maximise": lambda: last(Ascent(source=MNIST, layer="conv2.0", channel=1, steps=2)),
    "left alone": lambda: first_of(Ascent(source=MNIST, layer="conv2.0", channel=1)),
}


@pytest.mark.parametrize("name", [*BAD, *GOOD])
def test_after_every_call_the_network_is_what_it_was(name: str) -> None:
    leaves_untouched(loading.load(MNIST).network, (GOOD | BAD)[name])


def test_where_the_data_are_not_here_the_photographs_are_searched() -> None:
    lite = Source(kind="built-in", name="efficientnet-lite0")
    found = top(lite, "head.activation", 5, 9)
    assert found.images == len(photographs.photographs())
    assert len(found.examples) == 9
    network = loading.load(lite).network
    assert isinstance(network, nn.Sequential)
    best = {}
    for k, each in enumerate(photographs.photographs()):  # one at a time, through a part of it
        pixels = seeing.fit(photographs.photograph(each.name).pixels, (3, 224, 224), "")
        with torch.no_grad():
            best[k] = float(network[:-3](torch.tensor(pixels)[None])[0, 5].max())
    order = sorted(best, key=lambda k: -best[k])[:9]
    assert [example.index for example in found.examples] == order
    classes = loading.load(lite).classes
    for example in found.examples:
        assert example.value == pytest.approx(best[example.index], rel=1e-4, abs=1e-5)
        name = photographs.photographs()[example.index].label
        assert example.label == (classes.index(name) if name in classes else -1)


def test_the_film_has_the_frames_and_the_picture_that_it_came_to() -> None:
    for climb in maximise(Ascent(source=MNIST, layer="conv4.0", channel=1, steps=60)):
        if climb.step > 20 and climb.step not in climb.shown:
            break
    told = climb.freeze()
    assert 5 < len(told.film) < told.frames
    for ink in (False, True):
        with Image.open(io.BytesIO(film(told, ink=ink))) as shown:
            assert shown.format == "GIF"
            frames = [frame.convert("RGB") for frame in ImageSequence.Iterator(shown)]
        expected = [frame.picture[0].astype(float) for frame in told.film]
        expected.append(255 * told.picture[0].astype(float))
        assert len(frames) == len(expected)
        for frame, levels in zip(frames, expected, strict=True):
            small = np.asarray(frame.resize((28, 28), Image.Resampling.NEAREST))[..., 0]
            assert abs(small - (255 - levels if ink else levels)).max() < 12
            assert abs(small - (levels if ink else 255 - levels)).max() > 50
