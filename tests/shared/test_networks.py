"""Networks compute what their tables say, start as their source says, and drop what it draws."""

import copy
import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as some
from torch import Tensor, nn

from core.shared import networks
from core.shared.arithmetic import arithmetic
from core.shared.blocks import Dropout, Inception, Residual
from core.shared.layers import INITIALISATIONS, PRESETS, Row
from core.shared.lenet import LeNet5
from tests.shared.tables import any_row, buildable

unhurried = settings(derandomize=True, deadline=None, max_examples=30)

Weights = dict[str, Tensor]


def source(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=source(1))


def shaken(network: nn.Module) -> Weights:
    """Move all weights away from where they start, so that none is 0 or 1; switch to reading."""
    shift = source(2)
    with torch.no_grad():
        for value in network.state_dict().values():
            if value.is_floating_point():
                value.add_(0.3 * torch.rand(value.shape, generator=shift))
    network.eval()
    return dict(network.state_dict())


def normalised(x: Tensor, w: Weights, name: str) -> Tensor:
    mean, variance = w[f"{name}.running_mean"], w[f"{name}.running_var"]
    scale = w[f"{name}.weight"] / torch.sqrt(variance + 1e-5)
    return (x - mean[:, None, None]) * scale[:, None, None] + w[f"{name}.bias"][:, None, None]


def residual(x: Tensor, w: Weights, stride: int) -> Tensor:
    """A block of two 3×3 convolutions with batch normalisation and ReLU, written out."""
    inner = normalised(F.conv2d(x, w["a.0.weight"], stride=stride, padding=1), w, "a.1").relu()
    inner = normalised(F.conv2d(inner, w["b.0.weight"], padding=1), w, "b.1")
    if "shortcut.0.weight" in w:
        x = normalised(F.conv2d(x, w["shortcut.0.weight"], stride=stride), w, "shortcut.1")
    return (inner + x).relu()


def inception(x: Tensor, w: Weights) -> Tensor:
    """Four branches with tanh and without normalisation, written out."""

    def convolved(x: Tensor, name: str, padding: int = 0) -> Tensor:
        return F.conv2d(
            x, w[f"branches.{name}.weight"], w[f"branches.{name}.bias"], padding=padding
        ).tanh()

    return torch.cat(
        [
            convolved(x, "0.0"),
            convolved(convolved(x, "1.0"), "1.2", 1),
            convolved(convolved(x, "2.0"), "2.2", 2),
            convolved(F.max_pool2d(F.pad(x, (1,) * 4, value=-math.inf), 3, 1), "3.1"),
        ],
        1,
    )


def block(channels: int, stride: int = 1) -> Row:
    return Row(
        kind="res", channels=channels, stride=stride, normalisation="batch", activation="relu"
    )


@pytest.mark.parametrize(("channels", "stride"), [(4, 1), (4, 2), (6, 1), (6, 2)])
def test_a_residual_block_is_the_one_written_out(channels: int, stride: int) -> None:
    made, maps = Residual(4, block(channels, stride)), pictures(2, 4, 7, 9)
    weights = shaken(made)
    assert ("shortcut.0.weight" in weights) == ((channels, stride) != (4, 1))
    torch.testing.assert_close(made(maps), residual(maps, weights, stride))


def test_a_skip_block_is_the_same_with_nothing_after_the_sum() -> None:
    made, maps = Residual(4, replace(block(6, 2), kind="skip")), -9 * pictures(2, 4, 7, 9)
    weights = shaken(made)
    given = made(maps)
    assert given.min() < 0
    torch.testing.assert_close(given.relu(), residual(maps, weights, 2))


def test_that_oracle_rejects_a_block_without_its_shortcut() -> None:
    made = networks.build("plain4-batch-relu", source(), shape=(4, 7, 9)).get_submodule("plain1")
    maps = pictures(2, 4, 7, 9)
    weights = shaken(made)
    for number, name in (("0", "a.0"), ("1", "a.1"), ("3", "b.0"), ("4", "b.1")):
        for key in [key for key in weights if key.startswith(f"{number}.")]:
            weights[f"{name}{key[1:]}"] = weights.pop(key)
    assert not torch.allclose(made(maps), residual(maps, weights, 1))
    inner = normalised(F.conv2d(maps, weights["a.0.weight"], padding=1), weights, "a.1").relu()
    inner = normalised(F.conv2d(inner, weights["b.0.weight"], padding=1), weights, "b.1")
    torch.testing.assert_close(made(maps), inner.relu())


def test_an_inception_block_is_the_one_written_out() -> None:
    row = Row(kind="inception", channels=12, activation="tanh")
    made, maps = Inception(3, row), pictures(2, 3, 6, 5)
    weights = shaken(made)
    torch.testing.assert_close(made(maps), inception(maps, weights))
    weights["branches.2.2.weight"] = weights["branches.2.2.weight"].flip(2)
    assert not torch.allclose(made(maps), inception(maps, weights))


@pytest.mark.parametrize(
    ("network", "written"),
    [
        ("conv3-k5-s2-p2-sigmoid", lambda x, w, b: F.conv2d(x, w, b, 2, 2).sigmoid()),
        ("conv3-d2-gelu", lambda x, w, b: F.gelu(F.conv2d(x, w, b, dilation=2))),
        ("depthwise-p1-leaky", lambda x, w, b: F.leaky_relu(F.conv2d(x, w, b, 1, 1, 1, 2), 0.01)),
    ],
)
def test_a_convolution_is_torchs_own(
    network: str, written: Callable[[Tensor, Tensor, Tensor], Tensor]
) -> None:
    made = networks.build(network, source(), shape=(2, 8, 8), mean=0.5, deviation=0.2)
    weights, images = shaken(made), pictures(3, 2, 8, 8)
    name = next(name for name, _ in made.named_children() if name != "normalise")
    expected = written((images - 0.5) / 0.2, weights[f"{name}.0.weight"], weights[f"{name}.0.bias"])
    given = networks.outputs(made, images)
    torch.testing.assert_close(given[name], expected)
    output = F.linear(given[name].flatten(1), weights["output.1.weight"], weights["output.1.bias"])
    torch.testing.assert_close(given["output"], output)


def test_pooling_and_means_are_taken_of_each_map() -> None:
    maps = pictures(2, 4, 6, 6)
    made = networks.build("max2,mean3,global", source(), shape=(4, 6, 6), mean=0, deviation=1)
    largest = maps.reshape(2, 4, 3, 2, 3, 2).amax((3, 5))
    given = networks.outputs(made, maps)
    torch.testing.assert_close(given["max1"], largest)
    torch.testing.assert_close(given["mean2"], largest.mean((2, 3), keepdim=True))
    torch.testing.assert_close(given["global3"], largest.mean((2, 3)))


@pytest.mark.parametrize(
    ("network", "part", "groups"),
    [("conv12-layer", 0, 1), ("conv12-group", 0, 4), ("fc9-layer", 1, 1)],
)
def test_the_values_of_a_group_are_normalised_together(
    network: str, part: int, groups: int
) -> None:
    made = networks.build(network, source(), shape=(1, 9, 9))
    shift, row, _ = made.children()
    images = shift(pictures(3, 1, 9, 9))
    sums = row.get_submodule(str(part))(images.flatten(1) if part else images)
    grouped = sums.reshape(3, groups, -1)
    centred = grouped - grouped.mean(2, keepdim=True)
    expected = centred / torch.sqrt(centred.square().mean(2, keepdim=True) + 1e-5)
    torch.testing.assert_close(row(images), expected.reshape(sums.shape))


@pytest.mark.parametrize("network", ["conv6-batch", "fc6-batch"])
def test_a_batch_is_normalised_in_training(network: str) -> None:
    made = networks.build(network, source(), shape=(1, 9, 9))
    values = list(networks.outputs(made, pictures(32, 1, 9, 9)).values())[1].detach()
    values = values.transpose(0, 1).flatten(1)
    torch.testing.assert_close(values.mean(1), torch.zeros(6), atol=1e-5, rtol=0)
    torch.testing.assert_close(values.var(1, correction=0), torch.ones(6), atol=1e-2, rtol=0)


@unhurried
@given(
    rows=some.lists(any_row(small=True), max_size=5),
    dropout=some.sampled_from([0.0, 0.3]),
)
def test_children_are_named_after_their_rows(rows: list[Row], dropout: float) -> None:
    text = buildable(rows, (2, 12, 15))
    made = networks.build(text, source(), shape=(2, 12, 15), classes=4, dropout=dropout)
    assert made.training
    images = pictures(2, 2, 12, 15)
    given = networks.outputs(made.eval(), images)
    kinds = [row.split("-")[0].rstrip("0123456789") for row in text.split(",") if row]
    names = [f"{kind}{number}" for number, kind in enumerate(kinds, 1)]
    assert list(given) == ["normalise", *names, "output"]
    assert torch.equal(given["output"], made(images))
    assert given["output"].shape == (2, 4)


def drawn_as_the_paper_says(seed: int) -> list[Tensor]:
    """Starting weights of LeNet-5, in order: uniform, of variance 1/fan-in."""
    generator, weights = source(seed), []
    seen = torch.tensor([3] * 6 + [4] * 9 + [6]).view(-1, 1)
    for shape, fan_in in (
        ((6, 25), torch.full((6, 1), 25.0)),
        ((16, 150), 25.0 * seen),
        ((120, 400), torch.full((120, 1), 400.0)),
        ((84, 120), torch.full((84, 1), 120.0)),
        ((10, 84), torch.full((10, 1), 84.0)),
    ):
        uniform = torch.empty(shape).uniform_(-1, 1, generator=generator)
        weights.append(uniform * (3 / fan_in).sqrt())
    return weights


def test_lenet5_starts_bit_for_bit_as_its_seed_says() -> None:
    names = ("C1.0", "C3.0", "C5.1", "F6.0", "output")
    for made in (networks.build("lenet5", source(5)), networks.lenet5(source(5))):
        assert isinstance(made, LeNet5)
        for name, expected in zip(names, drawn_as_the_paper_says(5), strict=True):
            assert torch.equal(made.get_parameter(f"{name}.weight").flatten(1), expected), name
            assert not made.get_parameter(f"{name}.bias").any()
    other = networks.lenet5(source(6)).get_parameter("C1.0.weight").flatten(1)
    assert not torch.equal(other, drawn_as_the_paper_says(5)[0])


# The variance of each layer's weights, from its fan-in and fan-out, written out.
FANS = {"conv1.0": (3 * 25, 64 * 25), "depthwise2.0": (9, 9), "fc3.1": (1024, 300)}
VARIANCES: dict[str, Callable[[int, int], float]] = {
    "lecun": lambda fan_in, _: 1 / fan_in,
    "glorot": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    "he": lambda fan_in, _: 2 / fan_in,
    "small": lambda *_: 0.0001,
    "zeros": lambda *_: 0,
}


@pytest.mark.parametrize("way", INITIALISATIONS)
def test_weights_start_with_the_variance_of_their_way(way: str) -> None:
    made = networks.build(
        "conv64-k5-s2,depthwise-s3-relu,fc300-tanh", source(), shape=(3, 28, 28), initialisation=way
    )
    for name, fans in FANS.items():
        weight = made.get_parameter(f"{name}.weight").detach()
        expected = VARIANCES[way](*fans)
        # Variances of n draws scatter by √(0.8/n) if uniform, √(2/n) if normal: four times that.
        spread = 4 * math.sqrt(2 / weight.numel())
        assert float(weight.var()) == pytest.approx(expected, rel=spread), name
        if way not in ("small", "zeros"):  # uniform
            assert float(weight.abs().max()) <= math.sqrt(3 * expected) * (1 + 1e-6)
        assert not made.get_parameter(f"{name}.bias").any()


def test_that_the_variances_tell_the_ways_apart() -> None:
    for fans in FANS.values():
        spread = 4 * math.sqrt(2 / 576)  # of the smallest layer
        lecun, he = VARIANCES["lecun"](*fans), VARIANCES["he"](*fans)
        assert he != pytest.approx(lecun, rel=spread)
    glorot = VARIANCES["glorot"](*FANS["fc3.1"])
    assert glorot != pytest.approx(VARIANCES["he"](*FANS["fc3.1"]), rel=4 * math.sqrt(2 / 307_200))


@pytest.mark.parametrize(("way", "factor"), [("he", 2), ("glorot", None)])
def test_connections_of_lenet5_count_in_its_start(way: str, factor: int | None) -> None:
    weight = networks.build("lenet5", source(), initialisation=way).get_parameter("C3.0.weight")
    plain = networks.build("lenet5", source()).get_parameter("C3.0.weight")
    ratio = (weight / plain).square().detach()
    if factor:
        torch.testing.assert_close(ratio, torch.full_like(ratio, factor))
    else:  # map 0 of C3 sees 3 maps, and each map of S2 is seen by 10: 2/(75 + 250) over 1/75
        torch.testing.assert_close(ratio[0], torch.full_like(ratio[0], 150 / 325))


@pytest.mark.parametrize("network", ["lenet5", PRESETS["resnet"]])
def test_the_same_source_gives_the_same_network_and_the_worlds_stays(network: str) -> None:
    before = torch.get_rng_state()
    one, same, other = (networks.build(network, source(seed)) for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    differ = 0
    for name, value in one.state_dict().items():
        assert torch.equal(value, same.state_dict()[name])
        differ += not torch.equal(value, other.state_dict()[name])
    assert differ


def test_norms_start_at_one_and_nought() -> None:
    made = networks.build("conv4-batch,conv4-layer,conv4-group,fc4-layer", source(1))
    norms = [made.get_submodule(name) for name in ("conv1.1", "conv2.1", "conv3.1", "fc4.2")]
    for norm in norms:
        assert torch.equal(norm.get_parameter("weight"), torch.ones(4))
        assert torch.equal(norm.get_parameter("bias"), torch.zeros(4))


def test_dropout_keeps_its_share_and_the_mean() -> None:
    layer = Dropout(0.3)
    given = layer(torch.ones(100_000))
    kept = (given != 0).float().mean()
    assert float(kept) == pytest.approx(0.7, abs=5 * math.sqrt(0.21 / 100_000))
    torch.testing.assert_close(given[given != 0], torch.full((int((given != 0).sum()),), 1 / 0.7))
    assert float(given.mean()) == pytest.approx(1, abs=5 * math.sqrt(0.21 / 100_000) / 0.7)
    assert torch.equal(layer.eval()(torch.ones(9)), torch.ones(9))
    assert torch.equal(Dropout(0.0)(torch.ones(9)), torch.ones(9))


def test_masks_depend_on_the_seed_alone() -> None:
    made = networks.build("fc50-drop50,fc50", source(), dropout=0.5)
    images, before = pictures(4, 1, 28, 28), torch.get_rng_state()

    def masks(network: nn.Sequential, seed: int) -> list[Tensor]:
        networks.reseed(network, seed)
        return [value == 0 for value in list(networks.outputs(network, images).values())[1:3]]

    first, fresh = masks(made, 7), copy.deepcopy(made)
    made(images)  # goes on from there
    for again in (
        masks(made, 7),
        masks(fresh, 7),
        masks(networks.build("fc50-drop50,fc50", source(), dropout=0.5), 7),
    ):
        assert all(map(torch.equal, first, again))
    assert not torch.equal(*first)  # each layer has a stream of its own
    for other in (8, 7 + (1 << 32), 7 << 32):  # all of the seed counts
        assert not any(map(torch.equal, first, masks(made, other)))
    assert torch.equal(torch.get_rng_state(), before)


def test_masks_differ_from_step_to_step() -> None:
    layer = Dropout(0.5)
    assert not torch.equal(layer(torch.ones(100)), layer(torch.ones(100)))


def test_each_hidden_connected_layer_gets_the_dropout_that_it_lacks() -> None:
    text = "conv4,conv4-drop20,max2,fc30,fc20-drop40,fc10"
    made = networks.build(text, source(), dropout=0.1)
    found = {name: module.p for name, module in made.named_modules() if isinstance(module, Dropout)}
    assert found == {"conv2.1": 0.2, "fc4.2": 0.1, "fc5.2": 0.4, "fc6.2": 0.1}


def test_lenet5_with_dropout_is_the_same_chain_without_the_quick_way() -> None:
    dropping, plain = networks.build("lenet5", source(), dropout=0.5), networks.lenet5(source())
    assert not hasattr(dropping, "at_once")
    found = [name for name, part in dropping.named_modules() if isinstance(part, Dropout)]
    assert found == ["C5.3", "F6.2"]
    images = pictures(2, 1, 28, 28)
    assert list(dropping.state_dict()) == list(plain.state_dict())
    assert not torch.equal(dropping(images), plain(images))
    assert torch.equal(dropping.eval()(images), plain(images))


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_learns_from_one_batch(name: str) -> None:
    made, images = networks.build(PRESETS[name], source(), dropout=0.1), pictures(4, 1, 28, 28)
    F.cross_entropy(made(images), torch.arange(4)).backward()
    for weight, value in made.named_parameters():
        assert value.grad is not None, weight
        assert value.grad.isfinite().all(), weight


@pytest.mark.parametrize(("network", "padding"), [("lenet5", 2), ("fc9", 0)])
def test_images_are_normalised_as_asked(network: str, padding: int) -> None:
    made = networks.build(network, source(), shape=(3, 28, 28), mean=0.5, deviation=0.2)
    images = pictures(2, 3, 28, 28)
    expected = (F.pad(images, (padding,) * 4) - 0.5) / 0.2
    torch.testing.assert_close(networks.outputs(made, images)["normalise"], expected)


def test_what_cannot_be_built_is_refused() -> None:
    with pytest.raises(ValueError, match=r'row 1, "conv8-k15": .* = −9 is less than 1'):
        networks.build("conv8-k15", source(), shape=(1, 5, 5))
    with pytest.raises(ValueError, match=r'initialisation must be one of lecun, .*, got "random"'):
        networks.build("fc9", source(), initialisation="random")
    with pytest.raises(ValueError, match=r"dropout must be from 0 to below 1, got 1\.0"):
        networks.build("fc9", source(), dropout=1.0)


@given(some.lists(any_row(small=True), max_size=6))
@unhurried
def test_every_parameter_belongs_to_the_layer_that_the_arithmetic_counts_it_in(
    rows: list[Row],
) -> None:
    table = buildable(rows, (1, 16, 16))
    network, layers = (
        networks.build(table, source(), shape=(1, 16, 16)),
        arithmetic(table, (1, 16, 16)),
    )
    found = networks.parameters_by_layer(network)
    assert {name: sum(p.numel() for p in each) for name, each in found.items()} == {
        layer.name: layer.parameters for layer in layers if layer.parameters
    }
    listed = [id(parameter) for each in found.values() for parameter in each]
    assert sorted(listed) == sorted(map(id, network.parameters()))


def test_the_parameters_of_a_block_belong_to_its_own_layers() -> None:
    network = networks.build("res4-s2-batch-relu,inception8-tanh", source())
    found = networks.parameters_by_layer(network)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    assert {name: [names[id(p)] for p in each] for name, each in found.items()} == {
        "res1.a": [f"res1.0.a.{name}" for name in ("0.weight", "1.weight", "1.bias")],
        "res1.b": [f"res1.0.b.{name}" for name in ("0.weight", "1.weight", "1.bias")],
        "res1.shortcut": [f"res1.0.shortcut.{name}" for name in ("0.weight", "1.weight", "1.bias")],
        "inception2.1x1": ["inception2.0.branches.0.0.weight", "inception2.0.branches.0.0.bias"],
        "inception2.3x3.reduce": [
            "inception2.0.branches.1.0.weight",
            "inception2.0.branches.1.0.bias",
        ],
        "inception2.3x3": ["inception2.0.branches.1.2.weight", "inception2.0.branches.1.2.bias"],
        "inception2.5x5.reduce": [
            "inception2.0.branches.2.0.weight",
            "inception2.0.branches.2.0.bias",
        ],
        "inception2.5x5": ["inception2.0.branches.2.2.weight", "inception2.0.branches.2.2.bias"],
        "inception2.pool.project": [
            "inception2.0.branches.3.1.weight",
            "inception2.0.branches.3.1.bias",
        ],
        "output": ["output.1.weight", "output.1.bias"],
    }
