"""Looking inside shows what the network computes, by its own arithmetic, and touches nothing."""

import copy
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.feature_maps import SOFTMAX, Click, explaining
from core.feature_maps.clicking import click, sees
from core.feature_maps.explaining import explain
from core.feature_maps.fields import fields_of
from core.feature_maps.looking import frozen, look, many, maps, pass_through
from core.feature_maps.weighing import weigh
from core.shared import loading
from core.shared.loading import Model
from core.shared.models import Source
from core.shared.networks import build
from core.shared.tracing import Call, trace
from tests.shared.untouched import leaves_untouched

MNIST = Source(kind="built-in", name="mnist")
LITE = Source(kind="built-in", name="efficientnet-lite0")
TABLES = {
    "lenet5": "lenet5",
    "vgg": "conv4-p1-batch-relu,conv4-p1-group-leaky,max2,conv6-d2-gelu,mean2-p1,global,"
    "fc9-layer-relu",
    "strides": "conv4-k5-s3-p2-sigmoid,depthwise-k3-s2-tanh,conv5-k1,fc7-tanh",
    "residual": "res4-batch-relu,res6-s2-relu,skip8,skip8-relu,inception8-relu,global",
    "mlp": "fc20-batch-relu,fc10-leaky",
}


@pytest.fixture(params=TABLES)
def own(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    """A network of each kind, with random weights and moments, in the place of a built-in one."""
    source = torch.Generator().manual_seed(4)
    net = build(TABLES[request.param], source).eval()
    for module in net.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            module.running_mean.normal_(generator=source)  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 2, generator=source)  # type: ignore[union-attr]
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm)):
            module.weight.data.normal_(generator=source)
            module.bias.data.normal_(generator=source)
    net.requires_grad_(False)
    model = Model(MNIST, net, tuple("0123456789"), (1, 28, 28), "mnist")
    yield from placed(model, monkeypatch)


def placed(model: Model, monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    from core.feature_maps import looking, weighing

    for module in (looking, weighing):
        monkeypatch.setattr(module, "load", lambda _: model)
    looking.many.cache_clear()
    yield model.source
    looking.many.cache_clear()


def digit(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((1, 28, 28), np.float32)


def network_of(source: Source) -> nn.Module:
    return pass_through(source, *frozen(digit())).model.network


def test_all_maps_are_those_of_a_plain_pass(own: Source) -> None:
    seen, net = look(own, digit()), network_of(own)
    value, given = torch.from_numpy(digit())[None], {}
    with torch.no_grad():
        for name, child in net.named_children():
            given[name], value = child(value), child(value)
    torch.testing.assert_close(torch.from_numpy(seen.logits).float(), value[0])
    torch.testing.assert_close(torch.from_numpy(seen.probabilities).float(), value[0].softmax(0))
    for name, expected in given.items():
        last = [each for each in seen.layers if each.name.partition(".")[0] == name][-1]
        shown = torch.tensor(maps(own, digit(), last.name))
        torch.testing.assert_close(shown, expected[0].reshape(shown.shape))
        assert last.shape == tuple(shown.shape)
        assert last.low == float(shown.min())
        assert last.high == float(shown.max())
        assert last.dead == int((shown.flatten(1) == 0).all(1).sum())


def some_places(shape: tuple[int, int, int], count: int = 12) -> list[tuple[int, int, int]]:
    source = np.random.default_rng(5)
    corners = [(0, 0, 0), (shape[0] - 1, shape[1] - 1, shape[2] - 1)]
    return corners + [tuple(int(source.integers(n)) for n in shape) for _ in range(count)]  # type: ignore[misc]


def test_every_value_that_is_written_out_is_the_network_s_own(own: Source) -> None:
    explained = set()
    for layer in look(own, digit()).layers:
        values = maps(own, digit(), layer.name)
        for at in some_places(layer.shape):
            told = click(own, digit(), layer.name, at)
            explained.add(layer.kind)
            assert told.value == values[at]
            assert told.computed == pytest.approx(told.value, rel=1e-4, abs=1e-4)
            agree(told)
    assert len(explained) >= 3


def agree(told: Click) -> None:
    """The parts that are shown give the value that is shown."""
    assert told.window is not None
    assert told.sums is not None
    if told.kernel is not None:
        products = told.window * told.kernel
        assert told.sums == pytest.approx(products.sum((1, 2)))
        assert told.sums.sum() + told.bias == pytest.approx(told.computed)
    assert len(told.window) == len(told.channels)
    assert told.window.shape[1:] == told.inside.shape  # type: ignore[union-attr]


def test_a_convolution_by_hand() -> None:
    """A 3×3 window at a corner, with padding, against numbers worked out on paper."""
    module = nn.Conv2d(1, 1, 3, stride=2, padding=1)
    module.weight.data = torch.arange(1.0, 10.0).view(1, 1, 3, 3)
    module.bias = nn.Parameter(torch.tensor([0.5]))
    taken = torch.tensor([[[[1.0, 2, 3], [4, 5, 6], [7, 8, 9]]]])
    given = module(taken).detach()
    told = explain(Call("x", module, taken, given), (0, 0, 0), float(given[0, 0, 0, 0]))
    # rows of the window: 0 0 0 / 0 1 2 / 0 4 5; times 1..9: 1·5 + 2·6 + 4·8 + 5·9 = 94
    assert told.computed == 94.5
    assert told.window.tolist() == [[[0, 0, 0], [0, 1, 2], [0, 4, 5]]]  # type: ignore[union-attr]
    assert told.inside.tolist() == [[False, False, False], [False, True, True], [False, True, True]]  # type: ignore[union-attr]
    assert told.corner == (-1, -1)
    assert told.formula == "Σ w·x + b = 94 + 0.5 = 94.5"


def test_that_oracle_rejects_arithmetic_with_a_flipped_kernel(
    own: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = explaining._cut

    def flipped(*arguments: Any) -> Any:
        window, *rest = cut(*arguments)
        return window.flip(1, 2), *rest

    monkeypatch.setattr(explaining, "_cut", flipped)
    layers = [each for each in look(own, digit()).layers if each.kind.startswith("convolution 3")]
    for layer in layers[:1]:
        told = [click(own, digit(), layer.name, at) for at in some_places(layer.shape)]
        assert any(each.computed != pytest.approx(each.value, rel=1e-3, abs=1e-3) for each in told)


def test_softmax_is_written_out() -> None:
    seen = look(MNIST, digit())
    for k in range(10):
        told = click(MNIST, digit(), SOFTMAX, (k, 0, 0))
        assert told.computed == pytest.approx(seen.probabilities[k], rel=1e-5)
        assert told.value == pytest.approx(told.computed, rel=1e-5)


@pytest.mark.parametrize(
    "layer", ["normalise", "stem.conv", "block1.depthwise.conv", "block4.project.conv"]
)
def test_tensorflow_s_padding_is_written_out_too(layer: str) -> None:
    photo = np.random.default_rng(1).random((3, 224, 224), np.float32)
    values = maps(LITE, photo, layer)
    for at in some_places(values.shape, 6):
        told = click(LITE, photo, layer, at)
        assert told.computed == pytest.approx(told.value, rel=1e-4, abs=1e-3)


def listened(network: nn.Module, picture: Tensor) -> dict[str, Tensor]:
    """What each module takes and gives, in float64, by plain forward hooks."""
    exact, heard = copy.deepcopy(network).double(), {}

    def hook(name: str) -> Any:
        def keep(_: nn.Module, taken: tuple[Tensor, ...], given: Any) -> None:
            heard[f"{name} takes"] = taken[0]
            heard[name] = given[0] if isinstance(given, tuple) else given

        return keep

    for name, module in exact.named_modules():
        module.register_forward_hook(hook(name))
    with torch.no_grad():
        exact(picture.double())
    return heard


def merged(told: Click, layer: str, heard: dict[str, Tensor]) -> bool:
    """The parts that are shown are what their layers give, and they give what the layer gives."""
    if len(told.parts) == 1:
        parts = [heard[told.parts[0]][0, told.channels[0], *told.corner]]
    else:
        parts = [heard[name][0][told.at] for name in told.parts]
    total = torch.stack(parts).sum()
    total = total.relu() if told.kind == "ReLU" else total
    assert told.window is not None
    shown = torch.tensor(told.window[:, 0, 0])
    return torch.allclose(shown, torch.stack(parts), 1e-4, 1e-4) and torch.allclose(
        total, heard[layer][0][told.at], 1e-9, 1e-9
    )


@pytest.mark.parametrize("own", ["residual"], indirect=True)
def test_a_sum_and_a_join_name_the_layers_that_they_are_made_of(own: Source) -> None:
    heard = listened(network_of(own), torch.from_numpy(digit())[None])
    expected = {
        "res1.0.activation.0": ("res1.0.b.1", "res1.0.shortcut.1"),
        "res2.0.activation.0": ("res2.0.b.0", "res2.0.shortcut.0"),
        "skip3.0": ("skip3.0.b.0", "skip3.0.shortcut.0"),
        "skip4.0": ("skip4.0 takes", "skip4.0.b.0"),
    }
    for name, parts in expected.items():
        for at in some_places(maps(own, digit(), name).shape):
            told = click(own, digit(), name, at)
            assert told.parts == parts
            assert told.channels == (0, 1)
            assert merged(told, name, heard)
    for channel in range(8):
        told = click(own, digit(), "inception5.0", (channel, 3, 4))
        end = {0: 1, 1: 3, 2: 3, 3: 2}[channel // 2]
        assert told.parts == (f"inception5.0.branches.{channel // 2}.{end}",)
        assert told.formula.startswith(f"{told.parts[0]}[{channel % 2}, 3, 4] = ")
        assert merged(told, "inception5.0", heard)


@pytest.mark.parametrize("own", ["residual"], indirect=True)
def test_that_oracle_rejects_another_summand_and_another_branch(own: Source) -> None:
    heard = listened(network_of(own), torch.from_numpy(digit())[None])
    told = click(own, digit(), "skip4.0", (3, 5, 6))
    assert not merged(replace(told, parts=("skip4.0 takes", "skip4.0.a.0")), "skip4.0", heard)
    assert not merged(replace(told, at=(3, 5, 7)), "skip4.0", heard)
    values = maps(own, digit(), "inception5.0")[3]
    row, column = np.unravel_index(values.argmax(), values.shape)  # a ReLU gives 0 elsewhere
    told = click(own, digit(), "inception5.0", (3, int(row), int(column)))
    assert merged(told, "inception5.0", heard)
    other = replace(told, parts=("inception5.0.branches.0.1",))
    assert not merged(other, "inception5.0", heard)


class Gated(nn.Module):
    """Multiplies what it takes by what its layer gives: neither a sum nor a join."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Conv2d(1, 1, 1)

    def forward(self, maps: Tensor) -> Tensor:
        given: Tensor = maps * self.gate(maps)
        return given


class Crossed(nn.Module):
    """Joins its branches in another order than it calls them in."""

    def __init__(self) -> None:
        super().__init__()
        self.branches = nn.ModuleList([nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1)])

    def forward(self, maps: Tensor) -> Tensor:
        given = [branch(maps) for branch in self.branches]
        return torch.cat(given[::-1], 1)


@pytest.mark.parametrize(("kind", "channels"), [(Gated, 1), (Crossed, 2)])
def test_what_its_layers_do_not_make_up_is_not_written_out(
    kind: type[nn.Module], channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = build("conv4", torch.Generator().manual_seed(4), shape=(channels, 28, 28))
    with torch.random.fork_rng():
        block = kind()
    parts = [block.requires_grad_(False), *net.requires_grad_(False).children()]
    model = Model(MNIST, nn.Sequential(*parts).eval(), tuple("0123456789"), (1, 28, 28), "mnist")
    for source in placed(model, monkeypatch):
        with pytest.raises(ValueError, match=r"^its value is not written out: of a layer of this"):
            click(source, digit(), "0", (0, 3, 4))


def test_a_flattened_value_is_one_of_the_maps_before(monkeypatch: pytest.MonkeyPatch) -> None:
    net = build("conv4,max2", torch.Generator().manual_seed(4)).eval().requires_grad_(False)
    model = Model(MNIST, net, tuple("0123456789"), (1, 28, 28), "mnist")
    for source in placed(model, monkeypatch):
        before = maps(source, digit(), "max2.0")
        for at in np.ndindex(4, 3, 2):
            index = int(np.ravel_multi_index(at, before.shape))
            told = click(source, digit(), "output.0", (index, 0, 0))
            assert told.value == told.computed == before[at]
            assert (*told.channels, *told.corner) == at
            digits = "".join(chr(ord("₀") + int(each)) for each in str(index))
            assert told.formula.startswith(f"x{digits} = input{list(at)} = ")


def test_the_blocks_of_efficientnet_name_what_they_add() -> None:
    photo = np.random.default_rng(1).random((3, 224, 224), np.float32)
    heard = listened(loading.load(LITE).network, torch.from_numpy(photo)[None])
    for name in ("block2", "block4"):
        for at in some_places(maps(LITE, photo, name).shape, 3):
            told = click(LITE, photo, name, at)
            assert told.parts == (f"{name} takes", f"{name}.project.norm")
            assert merged(told, name, heard)
            assert told.computed == pytest.approx(told.value, rel=1e-5, abs=1e-5)


def test_the_gradient_of_a_weight_is_the_sum_that_is_shown(own: Source) -> None:
    net, picture = network_of(own), torch.from_numpy(digit())[None]
    for name, module in net.named_modules():
        if not isinstance(module, (nn.Conv2d, nn.Linear)):
            continue
        index = tuple(np.random.default_rng(2).integers(module.weight.shape))
        place = tuple(int(each) for each in index)
        told = weigh(own, digit(), name, place, 3, 0.5)
        assert told.computed == pytest.approx(told.gradient, rel=1e-4, abs=1e-6)
        assert told.stepped == pytest.approx(told.weight - 0.5 * told.gradient)
        assert told.gradient == pytest.approx(
            slope(net, picture, module, place), rel=0.02, abs=2e-5
        )


def slope(net: nn.Module, picture: Tensor, module: nn.Module, index: tuple[int, ...]) -> float:
    """Finite differences of the loss in float64, on a copy of the network."""
    exact = copy.deepcopy(net).double()
    name = next(name for name, each in net.named_modules() if each is module)
    weight = dict(exact.named_modules())[name].weight
    losses = []
    for side in (1e-4, -1e-4):
        with torch.no_grad():
            weight[index] += side
            losses.append(float(F.cross_entropy(exact(picture.double()), torch.tensor([3]))))
            weight[index] -= side
    return (losses[0] - losses[1]) / 2e-4


def test_a_weight_of_a_sparse_table_is_the_one_that_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Map 1 of LeNet-5's C3 sees the maps 1, 2 and 3: its weights count from map 0 all the same."""
    net = build("lenet5", torch.Generator().manual_seed(4)).eval().requires_grad_(False)
    model = Model(MNIST, net, tuple("0123456789"), (1, 28, 28), "mnist")
    for source in placed(model, monkeypatch):
        told = click(source, digit(), "C3.0", (1, 2, 3))
        assert told.channels == (1, 2, 3)
        assert told.kernel is not None
        for place, channel in enumerate(told.channels):
            index = (1, channel - told.first, 0, 1)
            weight = weigh(source, digit(), "C3.0", index, 3, 0.1).weight
            assert weight == pytest.approx(told.kernel[place, 0, 1])
        assert look(source, digit()).parameters == 60_850


def test_a_weight_of_a_depthwise_convolution_counts_from_its_group() -> None:
    photo = np.random.default_rng(1).random((3, 224, 224), np.float32)
    told = click(LITE, photo, "block1.depthwise.conv", (7, 2, 3))
    assert (told.channels, told.first) == ((7,), 7)
    assert told.kernel is not None
    weight = weigh(LITE, photo, "block1.depthwise.conv", (7, 0, 2, 1), 3, 0.1).weight
    assert weight == pytest.approx(told.kernel[0, 2, 1])


def test_values_that_are_not_finite_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    net = build("lenet5", torch.Generator().manual_seed(4)).eval().requires_grad_(False)
    net.get_parameter("F6.0.weight").fill_(torch.inf)
    model = Model(MNIST, net, tuple("0123456789"), (1, 28, 28), "mnist")
    for source in placed(model, monkeypatch):
        with pytest.raises(ValueError, match="network must give finite values"):
            look(source, digit())


def test_that_oracle_rejects_the_gradient_for_another_label() -> None:
    model = loading.load(MNIST)
    module = model.network.get_submodule("conv2.0")
    wrong = weigh(MNIST, digit(), "conv2.0", (1, 2, 0, 1), 4, 0.1).gradient
    right = slope(model.network, torch.from_numpy(digit())[None], module, (1, 2, 0, 1))
    assert wrong != pytest.approx(right, rel=0.02, abs=2e-5)


def test_the_receptive_field_is_where_a_pixel_changes_the_value(own: Source) -> None:
    net, picture = network_of(own), torch.from_numpy(digit())[None]
    source = torch.Generator().manual_seed(6)
    with torch.no_grad():
        plain = trace(net, picture)
        found = fields_of(plain, picture)
        changed: dict[str, Tensor] = {}
        for _ in range(60):  # brute force: change one pixel, see which values move
            row, column = (int(torch.randint(28, (1,), generator=source)) for _ in range(2))
            other = picture.clone()
            other[0, 0, row, column] += 0.5
            for before, after in zip(plain.calls, trace(net, other).calls, strict=True):
                moved = (before.given != after.given)[0]
                moved = moved.any(0) if moved.ndim == 3 else moved.any()[None, None]
                for y, x in moved.nonzero().tolist():
                    top, left, bottom, right = found[before.name].box(y, x, 28, 28)
                    assert top <= row < bottom, before.name
                    assert left <= column < right, before.name
                    changed[before.name] = moved
    assert changed


@pytest.mark.parametrize(
    "table",
    [
        "conv2-k5-p2,mean2,conv3-d2,conv2-s2-p1",
        "conv4-k3-s2,conv4-k3-s2,conv8-k5-s4",  # whose last map sees but a part of the picture
        "conv4-k5-s2,mean2,global",
    ],
)
def test_a_field_is_not_larger_than_it_need_be(table: str) -> None:
    """Of a linear network with positive weights every pixel of the field counts."""
    net = build(table, torch.Generator().manual_seed(1)).eval()
    for each in net.parameters():
        each.data.abs_()
    picture = torch.rand(1, 1, 28, 28, requires_grad=True)
    seen = trace(net, picture)
    for call in seen.calls[1:]:
        field = fields_of(seen, picture)[call.name]
        maps = call.given[0] if call.given.ndim == 4 else call.given[0, :, None, None]
        height, width = maps.shape[1:]
        for y, x in {(0, 0), (min(1, height - 1), min(2, width - 1)), (height - 1, width - 1)}:
            (grad,) = torch.autograd.grad(maps[:, y, x].sum(), picture, retain_graph=True)
            rows, columns = grad[0, 0].nonzero().T
            reach = (
                int(rows.min()),
                int(columns.min()),
                int(rows.max()) + 1,
                int(columns.max()) + 1,
            )
            assert field.box(y, x, 28, 28) == reach


BAD: dict[str, tuple[Any, ...]] = {
    "shape": (look, (np.zeros((3, 28, 28), np.float32),), r"pixels must be of shape \(1, 28, 28\)"),
    "range": (look, (digit() * 300,), "pixels must be from 0 to 1, got"),
    "nan": (look, (digit() * np.nan,), "pixels must be from 0 to 1, got nan"),
    "layer": (maps, (digit(), "conv99"), "layer must be one of the network's, got 'conv99'"),
    "row": (click, (digit(), "conv1.0", (0, 28, 0)), "row must be from 0 to 27 in conv1.0, got 28"),
    "class": (click, (digit(), SOFTMAX, (10, 0, 0)), "channel must be from 0 to 9 in softmax"),
    "no weight": (weigh, (digit(), "max3.0", (0, 0), 1, 0.1), "layer must be a convolution or"),
    "index": (weigh, (digit(), "conv1.0", (0, 0, 3, 0), 1, 0.1), "index must lie in a weight of"),
    "label": (weigh, (digit(), "conv1.0", (0, 0, 0, 0), 10, 0.1), "label must be from 0 to 9"),
}
GOOD: dict[str, tuple[Any, ...]] = {
    "look": (look, (digit(),)),
    "maps": (maps, (digit(), "conv2.0")),
    "click": (click, (digit(), "conv2.0", (1, 2, 3))),
    "flatten": (click, (digit(), "global9.1", (1, 0, 0))),
    "weigh": (weigh, (digit(), "conv2.0", (1, 2, 0, 1), 3, 0.1)),
    "sees": (sees, (digit(), "global9.1", (1, 0, 0))),
}


@pytest.mark.parametrize("name", [*BAD, *GOOD])
def test_after_every_call_the_network_is_what_it_was(name: str) -> None:
    function, arguments, *sentence = (GOOD | BAD)[name]
    call = partial(function, MNIST, *arguments)
    leaves_untouched(loading.load(MNIST).network, (call, sentence[0]) if sentence else call)


def test_a_network_that_is_gone_is_refused(tmp_path: Path) -> None:
    gone = replace(MNIST, kind="run", folder=str(tmp_path), config="{}", step=3)
    with pytest.raises(ValueError):  # noqa: PT011 – the sentence is the loader's
        look(gone, digit())


@pytest.mark.parametrize("layer", ["conv1.0", SOFTMAX])
def test_maps_are_nobody_s_to_write_into(layer: str) -> None:
    given = maps(Source(kind="built-in", name="mnist"), digit(), layer)
    with pytest.raises(ValueError, match="read-only"):
        given[:] = 0


def test_another_map_and_another_value_need_no_further_pass() -> None:
    many.cache_clear()
    picture = digit(9)
    for layer in look(MNIST, picture).layers[:5]:
        maps(MNIST, picture, layer.name)
        for channel in range(layer.shape[0]):
            click(MNIST, picture, layer.name, (channel, 3, 3))
    assert many.cache_info().misses == 1
    look(MNIST, digit(10))
    assert many.cache_info().misses == 2
