"""A network melts from its last layer on, each layer into noise of the size of its weights."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from jaxtyping import Float
from scipy import stats
from torch import Tensor, nn

from core.saliency import ALL, MELT, Query, explaining, melting, sanity
from core.saliency.explaining import explain
from core.saliency.melting import melted, weighted_layers
from core.saliency.sanity import melt
from core.saliency.trials import Melted
from core.shared import data, networks
from core.shared.layers import PRESETS
from core.shared.lenet import TableConv
from core.shared.loading import load
from core.shared.models import Source
from core.shared.targets import resolve
from core.shared.tracing import module_of, trace
from core.shared.zoo import build
from tests.saliency.asking import SOURCE, question
from tests.shared.test_loading import blank
from tests.shared.turning import whole
from tests.shared.untouched import leaves_untouched, untouched

LITE = Source(kind="built-in", name="efficientnet-lite0")
DIGITS = 6


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSBOX_DEVICE", "cpu")
    sanity.intact.cache_clear()


def lenet() -> nn.Module:
    source = torch.Generator().manual_seed(4)
    network = networks.build("lenet5", source).requires_grad_(False).eval()
    for parameter in network.parameters():
        parameter.add_(0.05 * torch.randn(parameter.shape, generator=source))
    return network


def zoo(name: str) -> nn.Module:
    """One of torchvision's networks that takes no memory and computes nothing but shapes."""
    return build(name, blank(name).state_dict()).requires_grad_(False).eval().to("meta")


def table(text: str) -> nn.Module:
    source = torch.Generator().manual_seed(0)
    return networks.build(text, source).requires_grad_(False).eval()


# Which layers melt


def are_in_the_order_of_calls(network: nn.Module, shape: tuple[int, ...], device: str) -> None:
    """Compare with the order in which a pass calls them, as far as they are called."""
    layers = weighted_layers(network)
    with torch.no_grad():
        calls = trace(network, torch.zeros((1, *shape), device=device)).calls
    called = [module_of(call.name) for call in calls]
    known = [name for name in layers if name in called]
    assert [name for name in called if name in layers] == known
    weighted = [
        name
        for name, module in network.named_modules()
        if isinstance(module, (nn.Conv2d, nn.Linear))
    ]
    assert [name for name in layers if name in weighted] == weighted
    uncalled = set(layers) - set(known)  # what a module uses of its parts without calling them
    assert all(name.endswith((".out_proj", ".pos_embedding")) for name in uncalled)


@pytest.mark.parametrize("name", PRESETS)
def test_layers_are_in_the_order_in_which_they_are_called(name: str) -> None:
    are_in_the_order_of_calls(
        table(name if name == "lenet5" else PRESETS[name]), (1, 28, 28), "cpu"
    )


def test_that_order_rejects_one_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = melting._layers
    monkeypatch.setattr(melting, "_layers", lambda network: dict(sorted(usual(network).items())))
    with pytest.raises(AssertionError):
        are_in_the_order_of_calls(table(PRESETS["resnet"]), (1, 28, 28), "cpu")


def test_the_layers_of_efficientnet_are_fifty() -> None:
    network = load(LITE).network
    are_in_the_order_of_calls(network, (3, 224, 224), "cpu")
    layers = weighted_layers(network)
    assert len(layers) == 50
    assert layers[0] == "stem.conv"
    assert layers[-1] == "output"


@pytest.mark.parametrize("name", ["alexnet", "googlenet", "resnet50", "convnext_tiny", "vit_b_16"])
def test_the_layers_of_torchvisions_networks_are_in_that_order_too(name: str) -> None:
    network = zoo(name)
    are_in_the_order_of_calls(network, (3, 224, 224), "meta")
    layers = weighted_layers(network)
    if name == "vit_b_16":
        block = "body.encoder.layers.encoder_layer_0"
        assert layers[:5] == (
            "body.conv_proj",
            "body.encoder.pos_embedding",
            f"{block}.self_attention",
            f"{block}.self_attention.out_proj",
            f"{block}.mlp.0",
        )
        assert len(layers) == 2 + 12 * 4 + 1
    else:
        assert all(
            isinstance(network.get_submodule(each), (nn.Conv2d, nn.Linear)) for each in layers
        )


def test_what_scales_each_map_by_itself_is_no_layer() -> None:
    assert weighted_layers(lenet()) == ("C1.0", "C3.0", "C5.1", "F6.0", "output")
    one = table("conv1-k1,depthwise-k1,fc1")  # though here a weight is one number for each channel
    assert len(weighted_layers(one)) == 4


# What they become


def attentive() -> nn.Module:
    """Attention with a table of positions."""
    network = nn.Module()
    with torch.device("meta"):  # nothing is drawn from the global source
        network.table = nn.Parameter(torch.empty(1, 9, 64))
        network.token = nn.Parameter(torch.empty(1, 1, 64))
        network.attention = nn.MultiheadAttention(64, 4)
    network.to_empty(device="cpu").requires_grad_(False)
    source = torch.Generator().manual_seed(6)
    for values in network.parameters():
        values.copy_(torch.rand(values.shape, generator=source) - 3)
    return network


def is_noise_of_that_size(before: Tensor, after: Tensor) -> None:
    """Whether values look drawn from the normal distribution of the mean and σ of those before."""
    values = after.double().flatten().numpy()
    count, mean = len(values), float(before.double().mean())
    deviation = float(before.double().std(correction=0))
    assert abs(values.mean() - mean) < 4 * deviation / count**0.5
    assert abs(values.std() - deviation) < 4 * deviation / (2 * count) ** 0.5
    assert stats.kstest((values - mean) / deviation, "norm").pvalue > 1e-3
    agree = np.corrcoef(values, before.double().flatten().numpy())[0, 1]
    assert abs(agree) < 4 / count**0.5


def melts_into_noise(network: nn.Module) -> None:
    layers = weighted_layers(network)
    with untouched(network):
        soft = melted(network, layers, seed=3)
    before, after = (dict(each.named_parameters()) for each in (network, soft))
    for name, parameter in before.items():
        module, kind = network.get_submodule(name.rpartition(".")[0]), name.rpartition(".")[2]
        layer = name.rpartition(".")[0]
        if isinstance(module, TableConv) and kind == "weight":
            used = (module.table > 0).expand_as(parameter)
            is_noise_of_that_size(parameter[used], after[name][used])
        elif name in layers or (layer in layers and parameter.ndim > 1):
            is_noise_of_that_size(parameter, after[name])
        elif layer in layers:
            assert after[name].sort().values.equal(parameter.sort().values)
            assert len(parameter) < 3 or not after[name].equal(parameter)
        else:
            assert after[name].equal(parameter)
    kept = dict(soft.named_buffers())
    assert all(kept[name].equal(buffer) for name, buffer in network.named_buffers())
    assert not any(each.requires_grad for each in soft.parameters())
    assert not soft.training


def shifted() -> nn.Module:
    """A network with normalisation, its weights and biases far from zero mean, each by itself."""
    network = table("conv8-batch-relu,res8-batch-relu,inception8,global,fc40")
    source = torch.Generator().manual_seed(1)
    for place, parameter in enumerate(network.parameters()):
        parameter.mul_(1 + place % 3).add_(0.1 * (place % 5))
        if parameter.ndim == 1:
            parameter.add_(torch.rand(parameter.shape, generator=source))
    return network


MELTING: dict[str, Callable[[], nn.Module]] = {
    "a table": shifted,
    "LeNet-5": lenet,
    "attention": attentive,
}


@pytest.mark.parametrize("name", MELTING)
def test_each_weight_becomes_noise_of_the_size_of_the_layer(name: str) -> None:
    melts_into_noise(MELTING[name]())


def test_attention_melts_as_a_whole_and_so_do_positions_but_no_token() -> None:
    network = attentive()
    assert weighted_layers(network) == ("table", "attention", "attention.out_proj")
    alone = melted(network, ["table"], 0)
    assert not alone.get_parameter("table").equal(network.get_parameter("table"))
    same = ("token", "attention.in_proj_weight", "attention.out_proj.weight")
    assert all(alone.get_parameter(each).equal(network.get_parameter(each)) for each in same)


WRONG: dict[str, Callable[..., Tensor]] = {
    "of mean 0": lambda values, drawn: values.std(correction=0) * drawn,
    "of σ 1": lambda values, drawn: values.mean() + drawn,
    "uniform": lambda values, drawn: (
        values.mean() + values.std(correction=0) * 12**0.5 * (torch.special.ndtr(drawn) - 0.5)
    ),
    "what they were": lambda values, drawn: values,
    "half what they were": lambda values, drawn: (
        values.mean() + (values - values.mean() + values.std(correction=0) * drawn) / 2**0.5
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_that_oracle_rejects_other_weights(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = melting.melted

    def wrong(network: nn.Module, layers: tuple[str, ...], seed: int) -> nn.Module:
        made = usual(network, layers, seed)
        for (_, module), (_, other) in zip(
            network.named_modules(), made.named_modules(), strict=True
        ):
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                values, found = module.weight, other.weight
                drawn = (found - values.mean()) / values.std(correction=0)
                found.copy_(WRONG[case](values, drawn))
        return made

    monkeypatch.setitem(melts_into_noise.__globals__, "melted", wrong)
    with pytest.raises(AssertionError):
        melts_into_noise(shifted())


def depends_on_the_layer_and_the_seed_alone() -> None:
    network = shifted()
    layers = weighted_layers(network)

    def weights(gone: tuple[str, ...], seed: int, layer: str) -> Tensor:
        values: Tensor = melted(network, gone, seed).get_submodule(layer).get_parameter("weight")
        return values

    for place, layer in enumerate(layers):
        alone = weights((layer,), 7, layer)
        assert weights(layers[place:], 7, layer).equal(alone)
        assert weights(layers[::-1], 7, layer).equal(alone)
        assert not weights((layer,), 8, layer).equal(alone)
        assert weights(layers[:place], 7, layer).equal(
            network.get_submodule(layer).get_parameter("weight")
        )


def test_a_layer_melts_into_the_same_whatever_other_layers_melt() -> None:
    depends_on_the_layer_and_the_seed_alone()


def test_that_rejects_one_stream_for_all_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = torch.Generator().manual_seed(0)
    monkeypatch.setattr(melting, "source_of", lambda *place: stream)
    with pytest.raises(AssertionError):
        depends_on_the_layer_and_the_seed_alone()


def test_layers_of_one_shape_do_not_melt_into_one() -> None:
    network = table("conv8-k3,conv8-k3,conv8-k3,global")
    soft = melted(network, weighted_layers(network), 0)
    second, third = (soft.get_submodule(f"conv{k}.0").get_parameter("weight") for k in (2, 3))
    agree = np.corrcoef(second.flatten().numpy(), third.flatten().numpy())[0, 1]
    assert abs(agree) < 4 / second.numel() ** 0.5


def test_weights_that_a_table_cuts_off_change_nothing() -> None:
    network, other = lenet(), lenet()
    layer = other.get_submodule("C3.0")
    assert isinstance(layer, TableConv)
    layer.weight.add_(100 * (1 - layer.table))
    one, two = (melted(each, weighted_layers(each), 2) for each in (network, other))
    images = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    assert one(images).equal(two(images))
    assert not one(images).allclose(network(images), atol=0.1)


def test_there_must_be_such_a_layer() -> None:
    network = lenet()
    for name in ("S2", "normalise", "C9"):
        with pytest.raises(ValueError, match=f"layer must be one with weights, got '{name}'"):
            melted(network, [name], 0)


def test_a_melted_network_is_asked_by_a_way_that_melted_too() -> None:
    """LeNet-5 and networks with normalisation have a quicker way of their own."""
    source = torch.Generator().manual_seed(0)
    images = torch.rand(3, 1, 28, 28, generator=source)
    for network in (lenet(), shifted()):
        soft = melted(network, weighted_layers(network), 0)
        asked = question(soft, images[:1])
        assert torch.allclose(asked.quick(images), soft(images), atol=1e-4)
        assert not torch.allclose(asked.quick(images), network(images), atol=0.1)


# What the map makes of it


def digit(index: int) -> Float[np.ndarray, "1 28 28"]:
    pixels: Float[np.ndarray, "1 28 28"] = (
        data.dataset("mnist", torch.device("cpu")).test.images[index].numpy()
    )
    return pixels


def is_compared_as_scipy_does(found: Melted, pixels: Float[np.ndarray, "c h w"]) -> None:
    """Compare the map with that of the intact network, on the ink."""
    query = found.attribution.query
    before = explain(SOURCE, pixels, Query(method=query.method, target=query.target)).values[0]
    ink = pixels[0] > 0
    first, second = before[ink], found.attribution.values[0][ink]
    assert found.support == ink.sum()
    assert found.correlation == pytest.approx(stats.spearmanr(first, second).statistic, abs=1e-9)
    absolute = stats.spearmanr(abs(first), abs(second)).statistic
    assert found.absolute == pytest.approx(absolute, abs=1e-9)


@pytest.mark.parametrize("layers", [0, 1, 3, ALL])
def test_the_map_of_a_melted_network_is_compared_with_that_of_the_intact_one(layers: int) -> None:
    assert resolve(MELT) is melt
    found = whole(melt.in_turns(SOURCE, digit(3), Query(), layers))
    is_compared_as_scipy_does(found, digit(3))
    assert found.layers == weighted_layers(load(SOURCE).network)[::-1]
    assert found.attribution.melted == found.layers[:layers]


def test_that_comparison_rejects_one_of_all_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sanity, "support_of", lambda pixels: np.ones(pixels.shape[1:], bool))
    with pytest.raises(AssertionError):
        is_compared_as_scipy_does(melt(SOURCE, digit(3), Query(), 3), digit(3))


def test_where_nothing_melts_the_map_is_the_same() -> None:
    found = melt(SOURCE, digit(0), Query(), 0)
    assert np.array_equal(found.attribution.values, explain(SOURCE, digit(0), Query()).values)
    assert found.correlation == pytest.approx(1)
    assert found.absolute == pytest.approx(1)
    assert found.attribution.melted == ()


def forgets(method: str) -> None:
    """Whether of several digits the maps of a melted network agree with those before by chance."""
    found = [melt(SOURCE, digit(k), Query(method=method, seed=k), ALL) for k in range(DIGITS)]
    assert abs(float(np.mean([each.correlation for each in found]))) < 0.2
    assert float(np.mean([each.absolute for each in found])) < 0.2


def test_the_gradient_forgets_what_the_network_knew() -> None:
    forgets("gradient")


def test_that_an_edge_detector_is_seen_to_forget_nothing() -> None:
    with pytest.raises(AssertionError):
        forgets("edges")


def test_the_class_stays_what_the_intact_network_reads() -> None:
    network = load(SOURCE).network
    for k in range(DIGITS):
        read = int(network(torch.from_numpy(digit(k))[None]).argmax())
        found = melt(SOURCE, digit(k), Query(), ALL).attribution
        assert found.query.target == read
        soft = melted(network, weighted_layers(network), 0)
        logits = soft(torch.from_numpy(digit(k))[None])[0]
        assert found.score == pytest.approx(float(logits[read]), abs=1e-3)
    assert melt(SOURCE, digit(0), Query(target=4), ALL).attribution.query.target == 4


def test_the_intact_map_is_made_once_for_all_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    usual = explaining.explained

    def noting(model: Any, image: Tensor, query: Query) -> Any:
        asked.append(query.melted)
        return usual(model, image, query)

    monkeypatch.setattr(sanity, "explained", noting)
    for layers in (0, 2, 3, 0):
        melt(SOURCE, digit(1), Query(), layers)
    melt(SOURCE, digit(2), Query(), 0)
    assert asked == [0, 2, 3, 0]


def is_no_size_where_0_says_nothing(method: str) -> None:
    """The ranks of values are compared, and those of sizes are not."""
    found = melt(SOURCE, digit(0), Query(method=method, masks=20), 1)
    assert abs(found.correlation) <= 1
    assert np.isnan(found.absolute)


def test_where_0_says_nothing_a_map_has_no_sizes_to_compare() -> None:
    is_no_size_where_0_says_nothing("rise")


def test_that_rejects_sizes() -> None:
    with pytest.raises(AssertionError):
        is_no_size_where_0_says_nothing("occlusion")


def test_an_empty_map_agrees_with_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    blank = np.zeros((1, 28, 28), np.float32)
    found = melt(SOURCE, blank, Query(), 2)
    assert found.support == 0
    assert np.isnan(found.correlation)
    assert np.isnan(found.absolute)


def test_melting_leaves_the_network_as_it_was_and_a_bad_wish_is_named() -> None:
    network = load(SOURCE).network
    leaves_untouched(network, lambda: melt(SOURCE, digit(0), Query(), 2))
    for case in (
        (lambda: melt(SOURCE, digit(0), Query(), -1), "melted must be a whole number from 0"),
        (lambda: melt(SOURCE, digit(0), Query(target=10), 1), "target must be from 0 to 9, got 10"),
        (lambda: melt(SOURCE, digit(0)[:, 1:], Query(), 1), "picture must be of"),
    ):
        leaves_untouched(network, case)
