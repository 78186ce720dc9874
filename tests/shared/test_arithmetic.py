"""The arithmetic of a network is what torch finds when it computes that network."""

import math
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from core.shared import networks
from core.shared.arithmetic import arithmetic
from core.shared.layers import PRESETS, RESIDUAL, Layer, Row
from core.shared.lenet import LeNet5
from tests.shared.tables import any_row, buildable

unhurried = settings(derandomize=True, deadline=None, max_examples=40)

SIZE = re.compile(r"⌊\((\d+) \+ 2·(\d+) − (\d+)·\((\d+) − 1\) − 1\) / (\d+)⌋ \+ 1 = (\d+)")
PRIMITIVES = (nn.Conv2d, nn.Linear, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm)
Measured = list[tuple[str, tuple[int, ...], int, int]]

# LeCun et al. 1998, section II.B: parameters, and as many sums for each place of a map.
PAPER = {"C1": 156, "S2": 12, "C3": 1516, "S4": 32, "C5": 48120, "F6": 10164, "output": 850}
FIELDS = {"C1": 5, "S2": 6, "C3": 14, "S4": 16, "C5": 28, "F6": 28, "output": 28}
PRODUCTS = {"C1": 117_600, "C3": 150_000, "C5": 48_000, "F6": 10_080, "output": 840}


def measured(network: str, shape: tuple[int, int, int], classes: int) -> Measured:
    """Compute one image: of each primitive, in order, its row, output, parameters, products."""
    made = networks.build(network, torch.Generator(), shape=shape, classes=classes).eval()
    found: Measured = []

    def note(row: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def hook(module: nn.Module, _: tuple[Tensor, ...], given: Tensor) -> None:
            count = sum(value.numel() for value in module.parameters())
            if isinstance(module, NORMS):
                name, given_before, parameters, products = found[-1]
                assert tuple(given.shape[1:]) == given_before
                found[-1] = name, given_before, parameters + count, products
            else:
                pooled = isinstance(module, nn.AdaptiveAvgPool2d)
                weight = getattr(module, "weight", None)
                each = 0 if weight is None else weight[0].numel()
                flat = given.shape[1:2] if pooled else given.shape[1:]
                found.append((row, tuple(flat), count, given.numel() * each))

        return hook

    for name, child in made.named_children():
        for module in child.modules():
            if isinstance(module, (*PRIMITIVES, *NORMS)):
                module.register_forward_hook(note(name))
    with torch.no_grad():
        made(torch.zeros(1, *shape))
    return found


def told(layers: tuple[Layer, ...]) -> Measured:
    return [
        (layer.name.split(".")[0], layer.shape, layer.parameters, layer.multiply_adds)
        for layer in layers
    ]


def summed(formula: str) -> int:
    """Work out a sum of products as it is written; nothing is 0."""
    terms = formula.split(" + ") if formula else []
    return sum(math.prod(map(int, term.split("·"))) for term in terms)


def consistent(layer: Layer) -> bool:
    """Tell whether a layer's formulas give its numbers, and its sizes its shape."""
    sizes = []
    for text in layer.size.split("; ") if layer.size else []:
        match = SIZE.fullmatch(text)
        if match is None:
            return False
        side, padding, dilation, kernel, stride, size = map(int, match.groups())
        sizes.append(size)
        if math.floor((side + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1 != size:
            return False
    return (
        summed(layer.formula) == layer.parameters
        and summed(layer.multiply_adds_formula) == layer.multiply_adds
        and list(dict.fromkeys(sizes)) == list(dict.fromkeys(layer.shape[1:]))
    )


SIDES = some.integers(5, 20)
SHAPES = some.tuples(some.integers(1, 3), SIDES, SIDES)
ROWS = some.lists(any_row(small=True), max_size=6)


@unhurried
@given(rows=ROWS, shape=SHAPES, classes=some.integers(2, 12))
def test_torch_finds_the_same_shapes_parameters_and_products(
    rows: list[Row], shape: tuple[int, int, int], classes: int
) -> None:
    network = buildable(rows, shape)
    assert told(arithmetic(network, shape, classes)) == measured(network, shape, classes)


@unhurried
@given(rows=ROWS, shape=SHAPES)
def test_each_formula_gives_its_number(rows: list[Row], shape: tuple[int, int, int]) -> None:
    assert all(map(consistent, arithmetic(buildable(rows, shape), shape)))


@pytest.mark.parametrize("name", PRESETS)
def test_presets_cost_what_torch_counts(name: str) -> None:
    layers = arithmetic(PRESETS[name])
    made = networks.build(PRESETS[name], torch.Generator()).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        made(torch.zeros(1, 1, 28, 28))
    assert sum(layer.multiply_adds for layer in layers) == counter.get_total_flops() / 2
    assert sum(layer.parameters for layer in layers) == sum(
        value.numel() for value in made.parameters()
    )
    assert told(layers) == measured(PRESETS[name], (1, 28, 28), 10)
    assert all(map(consistent, layers))


@pytest.mark.parametrize(
    "wrong", [{"shape": (6, 24, 23)}, {"parameters": 157}, {"multiply_adds": 86_401}]
)
def test_that_oracle_rejects_another_number(wrong: dict[str, tuple[int, ...] | int]) -> None:
    case = "conv6-k5", (1, 28, 28), 10
    first, *others = arithmetic(*case)
    mutant = replace(first, **wrong)  # type: ignore[arg-type] # each by its name
    assert told((first, *others)) == measured(*case)
    assert told((mutant, *others)) != measured(*case)
    assert consistent(first)
    assert not consistent(mutant)


def test_that_a_size_must_follow_from_its_formula() -> None:
    layer = arithmetic("conv6-k5-s2")[0]
    assert consistent(layer)
    assert not consistent(replace(layer, size=layer.size.replace("/ 2", "/ 3")))


def extents(network: str, side: int) -> list[int]:
    """Find how many pixels wide a centre value's gradient is, after each row; weights are > 0."""
    made = networks.build(network, torch.Generator().manual_seed(0), shape=(1, side, side))
    with torch.no_grad():
        for value in made.parameters():
            value.abs_().add_(0.01)
    pixels = torch.rand(1, 1, side, side, generator=torch.Generator().manual_seed(1))
    given = networks.outputs(made, pixels.requires_grad_())
    found = []
    for name, maps in given.items():
        if name not in ("normalise", "output"):
            centre = maps[0, :, maps.shape[2] // 2, maps.shape[3] // 2].sum()
            (slope,) = torch.autograd.grad(centre, pixels, retain_graph=True)
            rows = (slope != 0).sum((0, 1, 3)).nonzero()
            columns = (slope != 0).sum((0, 1, 2)).nonzero()
            assert int(rows.max() - rows.min()) == int(columns.max() - columns.min())
            found.append(int(rows.max() - rows.min()) + 1)
    return found


def fields(network: str, side: int) -> list[int]:
    """The receptive field after each row, by the arithmetic."""
    largest: dict[str, int] = {}
    for layer in arithmetic(network, (1, side, side))[:-1]:
        name = layer.name.split(".")[0]
        largest[name] = max(layer.field, largest.get(name, 0))
    return list(largest.values())


LINEAR = ("conv", "depthwise", "mean", *RESIDUAL, "inception")
WIDE = 100  # pixels: three times the largest field below, so that no border cuts it


@unhurried
@given(rows=some.lists(any_row(LINEAR, small=True), min_size=1, max_size=4))
def test_the_receptive_field_is_where_the_gradient_is(rows: list[Row]) -> None:
    linear = [replace(row, normalisation="none", activation="none", dropout=0.0) for row in rows]
    network = buildable(linear, (1, WIDE, WIDE), widest=WIDE // 3)
    assert extents(network, WIDE) == fields(network, WIDE)


def test_that_oracle_rejects_a_field_without_dilation() -> None:
    assert extents("conv2-d2,conv2", 50) == fields("conv2-d2,conv2", 50) == [5, 7]
    assert extents("conv2-d2,conv2", 50) != fields("conv2,conv2", 50)


def test_lenet5_has_the_numbers_of_the_paper() -> None:
    layers = arithmetic("lenet5")
    assert {layer.name: layer.parameters for layer in layers} == PAPER
    assert sum(PAPER.values()) == 60_850
    assert {layer.name: layer.field for layer in layers} == FIELDS
    products = {layer.name: layer.multiply_adds for layer in layers if layer.multiply_adds}
    assert products == PRODUCTS
    assert all(map(consistent, layers))
    by_name = {layer.name: layer for layer in layers}
    assert by_name["C3"].formula == "5·5·60 + 16"
    assert by_name["C3"].kind == "convolution 5×5, 60 of the 96 pairs of maps, scaled tanh"
    assert by_name["S2"].formula == "6 + 6"
    assert by_name["C1"].size == "⌊(28 + 2·2 − 1·(5 − 1) − 1) / 1⌋ + 1 = 28"


@pytest.mark.parametrize(("channels", "classes"), [(1, 10), (3, 26)])
def test_lenet5_has_the_shapes_and_parameters_of_the_module(channels: int, classes: int) -> None:
    made = LeNet5(channels, classes)
    layers = arithmetic("lenet5", (channels, 28, 28), classes)
    given = networks.outputs(made, torch.zeros(1, channels, 28, 28))
    del given["normalise"]
    assert {name: tuple(value.shape[1:]) for name, value in given.items()} == {
        layer.name: layer.shape for layer in layers
    }
    counts = {
        name: sum(value.numel() for value in child.parameters())
        for name, child in made.named_children()
    }
    counts["C3"] -= 25 * 36  # the pairs that are not connected
    del counts["normalise"]
    assert counts == {layer.name: layer.parameters for layer in layers}


def layer_of(network: str, name: str) -> Layer:
    (found,) = (layer for layer in arithmetic(network) if layer.name == name)
    return found


def test_well_known_sums_are_written_out() -> None:
    assert layer_of(PRESETS["lenet5"], "conv3") == Layer(
        name="conv3",
        kind="convolution 5×5, tanh",
        shape=(16, 10, 10),
        field=14,
        size="⌊(14 + 2·0 − 1·(5 − 1) − 1) / 1⌋ + 1 = 10",
        parameters=2_416,
        formula="5·5·6·16 + 16",
        multiply_adds=240_000,
        multiply_adds_formula="10·10·5·5·6·16",
    )
    assert layer_of("mean3-s2-p1-drop20", "mean1") == Layer(
        name="mean1",
        kind="mean of 3×3, stride 2, dropout 20 %",
        shape=(1, 14, 14),
        field=3,
        size="⌊(28 + 2·1 − 1·(3 − 1) − 1) / 2⌋ + 1 = 14",
    )
    assert layer_of("fc300-layer-gelu-drop5", "fc1").formula == "784·300 + 2·300"
    assert layer_of("fc300", "fc1").multiply_adds_formula == "784·300"
    words = "fully connected, layer normalisation, GELU, dropout 5 %"
    assert layer_of("fc300-layer-gelu-drop5", "fc1").kind == words
    assert layer_of("conv8,depthwise-d2-batch", "depthwise2").formula == "3·3·8 + 2·8"
    assert layer_of("conv8-s2-d2", "conv1").kind == "convolution 3×3, stride 2, dilation 2"
    assert [layer.name for layer in arithmetic("res8-s2,inception8,global")] == [
        "res1.a",
        "res1.b",
        "res1.shortcut",
        "inception2.1x1",
        "inception2.3x3.reduce",
        "inception2.3x3",
        "inception2.5x5.reduce",
        "inception2.5x5",
        "inception2.pool",
        "inception2.pool.project",
        "global3",
        "output",
    ]


def test_a_block_says_what_it_adds() -> None:
    assert layer_of("res1-relu", "res1.b").kind == "convolution 3×3, plus the block's input, ReLU"
    assert layer_of("res8-relu", "res1.b").kind == "convolution 3×3, plus the shortcut, ReLU"
    assert layer_of("plain8-relu", "plain1.b").kind == "convolution 3×3, ReLU"


def test_both_sides_are_given_where_they_differ() -> None:
    assert arithmetic("conv2-s2", (1, 9, 6))[0].size == (
        "⌊(9 + 2·0 − 1·(3 − 1) − 1) / 2⌋ + 1 = 4; ⌊(6 + 2·0 − 1·(3 − 1) − 1) / 2⌋ + 1 = 2"
    )


@pytest.mark.parametrize(
    ("network", "sentence"),
    [
        (
            "conv6-k5,mean2,conv16-k5,mean2,conv16-k9",
            'row 5, "conv16-k9": ⌊(4 + 2·0 − 1·(9 − 1) − 1) / 1⌋ + 1 = −4 is less than 1',
        ),
        (
            "max15,depthwise-k3",
            'row 2, "depthwise": ⌊(1 + 2·0 − 1·(3 − 1) − 1) / 1⌋ + 1 = −1 is less than 1',
        ),
        (
            "fc9,conv8",
            'row 2, "conv8": conv needs maps, but what comes in is a list of 9 numbers',
        ),
        (
            "conv8,global,max2",
            'row 3, "max2": max needs maps, but what comes in is a list of 8 numbers',
        ),
        (
            "fc9,global",
            'row 2, "global": global needs maps, but what comes in is a list of 9 numbers',
        ),
        (
            "max14,conv8-k2-group",
            (
                'row 2, "conv8-k2-group": group normalisation needs more than one value a group, '
                "got 8·1 / 8 = 1"
            ),
        ),
        (
            "fc1-layer",
            (
                'row 1, "fc1-layer": layer normalisation needs more than one value a group, '
                "got 1·1 / 1 = 1"
            ),
        ),
        ("fc3,fc0", 'row 2, "fc0": units must be from 1 to 2048, got 0'),
        (
            "conv512-k1,fc2048",
            "a network must have at most 5,000,000 parameters, got 822,107,146",
        ),
        (
            "conv256,conv256",
            "a network must have at most 30,000,000 multiply-adds an image, got 342,770,688",
        ),
    ],
)
def test_a_network_that_cannot_be_built_is_refused(network: str, sentence: str) -> None:
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 # the sentence is compared below
        arithmetic(network)
    assert str(refusal.value) == sentence


def test_images_that_lenet5_cannot_read_are_refused() -> None:
    with pytest.raises(ValueError, match="lenet5 reads images of 28×28 pixels, got 32×30"):
        arithmetic("lenet5", (1, 32, 30))
    with pytest.raises(ValueError, match="shape and classes must be at least 1"):
        arithmetic("fc9", (1, 28, 0))


@pytest.mark.parametrize(
    ("name", "weighted"),
    [
        ("lenet5", 5),
        ("mlp", 3),
        ("vgg", 8),
        ("resnet", 20),
        ("plain20", 20),
        ("inception", 10),
        ("separable", 10),
    ],
)
def test_presets_are_as_deep_as_their_models(name: str, weighted: int) -> None:
    """Count the weight layers on the longest way: shortcuts aside, one branch of inception."""
    aside = ("shortcut", "1x1", "5x5", "reduce", "project", "pool")
    layers = [layer for layer in arithmetic(PRESETS[name]) if layer.parameters]
    ways = [layer for layer in layers if layer.name.split(".")[-1] not in aside]
    reduced = sum(layer.name.endswith("3x3.reduce") for layer in layers)
    assert len(ways) + reduced == weighted
