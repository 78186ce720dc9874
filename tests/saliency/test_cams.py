"""Maps of a layer are weighed as the papers say, found out by hand, by loops and by captum."""

import copy
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from captum.attr import GuidedGradCam, LayerAttribution, LayerGradCam
from torch import Tensor, nn

from core.saliency import Layer, cams
from core.shared import loading, networks
from core.shared.models import Source
from core.shared.tracing import kept
from core.shared.vision_library import torchvision
from tests.saliency.asking import (
    answered,
    asked,
    attribution,
    convolutional,
    image_of,
    model_of,
    plane,
    seeded,
)
from tests.shared.untouched import untouched

TABLES = (
    "conv4-p1-batch-relu,max2,res4-relu,res8-s2-relu,inception8-relu,global,fc5-relu",
    "lenet5",
)
Maps = tuple[Tensor, Tensor]  # of a layer, and the gradient of the score by each value, (k, r, q)


def built(table: str) -> nn.Sequential:
    """A network of the first panel, with all that is normalised shifted and scaled."""
    net = networks.build(table, torch.Generator().manual_seed(1), classes=4).eval()
    source = torch.Generator().manual_seed(2)
    for part in net.modules():
        if isinstance(part, nn.BatchNorm2d):
            assert part.running_mean is not None
            part.running_mean.copy_(0.3 * torch.randn(part.num_features, generator=source))
            part.weight.data.copy_(1 + 0.3 * torch.randn(part.num_features, generator=source))
    return net.requires_grad_(False)


def enlarged(maps: Tensor, image: Tensor) -> Tensor:
    """Interpolate by hand: along each side, between the middles of the nearest two values."""
    for dimension, side in ((1, image.shape[2]), (2, image.shape[3])):
        count = maps.shape[dimension]
        at = ((torch.arange(side) + 0.5) * count / side - 0.5).clamp(0, count - 1)
        first = at.floor().long()
        second, share = (first + 1).clamp(max=count - 1), at - first
        share = share[:, None] if dimension == 1 else share
        low, high = maps.index_select(dimension, first), maps.index_select(dimension, second)
        maps = low + share * (high - low)
    return maps


def maps_and_slopes(network: nn.Sequential, image: Tensor, number: int, target: int = 0) -> Maps:
    """Run the parts of a chain one by one; the maps are what one of them gives."""
    parts = list(network.children())
    maps = nn.Sequential(*parts[: number + 1])(image).detach().requires_grad_()
    score = nn.Sequential(*parts[number + 1 :])(maps)[0, target]
    (slopes,) = torch.autograd.grad(score, maps)
    return maps[0].detach(), slopes[0]


def gradcam(maps: Tensor, slopes: Tensor) -> Tensor:
    total = torch.zeros(maps.shape[1:])
    for each, slope in zip(maps, slopes, strict=True):
        total += slope.mean() * each
    return total.clamp(min=0)


def gradcampp(maps: Tensor, slopes: Tensor) -> Tensor:
    """The paper's α, with the second and third powers of the gradient, value by value."""
    total = torch.zeros(maps.shape[1:], dtype=torch.float64)
    for each, slope in zip(maps.double(), slopes.double(), strict=True):
        weight = torch.zeros(())
        for g in slope.flatten():
            if g > 0:
                weight = weight + g * g**2 / (2 * g**2 + each.sum() * g**3)
        total += weight * each
    return total.clamp(min=0).float()


def hirescam(maps: Tensor, slopes: Tensor) -> Tensor:
    total = torch.zeros(maps.shape[1:])
    for each, slope in zip(maps, slopes, strict=True):
        total += slope * each
    return total


def layercam(maps: Tensor, slopes: Tensor) -> Tensor:
    total = torch.zeros(maps.shape[1:])
    for each, slope in zip(maps, slopes, strict=True):
        total += slope.clamp(min=0) * each
    return total.clamp(min=0)


FORMULAE: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "gradcam": gradcam,
    "gradcampp": gradcampp,
    "hirescam": hirescam,
    "layercam": layercam,
}


def scorecam(network: nn.Sequential, image: Tensor, absent: Tensor, number: int) -> Tensor:
    """One map after another, as algorithm 1 has it."""
    total, whole = torch.zeros(()), torch.zeros(())
    for each in network[: number + 1](image)[0]:
        if each.max() > each.min():
            large = enlarged(each[None], image)
            mask = (large - large.min()) / (large.max() - large.min())
            weight = network(mask * image + (1 - mask) * absent)[0, 0].exp()
            total, whole = total + weight * each, whole + weight
    return (total / whole).clamp(min=0)


def follows(method: str, formula: str, seed: int, layer: int) -> bool:
    """Whether a method gives what a formula does."""
    network, image = convolutional(2, seed=seed), image_of(2, 8, seed=seed)
    wanted = enlarged(FORMULAE[formula](*maps_and_slopes(network, image, layer))[None], image)
    given = torch.from_numpy(attribution(network, image, method, layer=str(layer)).values)
    assert given.shape == (1, 8, 8)
    return torch.allclose(given, wanted, rtol=1e-4, atol=1e-5 * float(wanted.abs().max()))


@pytest.mark.parametrize("layer", [1, 4])
@pytest.mark.parametrize("method", FORMULAE)
def test_each_method_follows_its_formula(method: str, layer: int) -> None:
    assert all(follows(method, method, seed, layer) for seed in range(4))


@pytest.mark.parametrize("formula", FORMULAE)
def test_that_each_formula_rejects_all_other_methods(formula: str) -> None:
    """Not on each network: where a map is empty by two formulae they agree."""
    for other in FORMULAE.keys() - {formula}:
        assert not all(follows(other, formula, seed, 4) for seed in range(4))


class Toy(nn.Module):
    """captum's toy: two kernels of ones, and logits that add five values and take off three."""

    def __init__(self, inplace: bool) -> None:
        super().__init__()
        self.conv1, self.relu1 = nn.Conv2d(1, 2, 3), nn.ReLU(inplace)
        self.fc1 = nn.Linear(8, 4)
        with torch.no_grad():
            self.conv1.weight.fill_(1)
            self.conv1.get_parameter("bias").copy_(torch.tensor([-50.0, -75.0]))
            self.fc1.weight.copy_(torch.tensor([1.0] * 5 + [-1.0] * 3).expand(4, 8))
            self.fc1.bias.zero_()
        self.requires_grad_(False).eval()

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.fc1(self.relu1(self.conv1(images)).flatten(1))
        return logits


SIXTEEN = torch.arange(16.0).view(1, 1, 4, 4)
# By hand: conv1 gives −5 4 31 40 and −30 −21 6 15, of gradients 0 1 1 1 and 0 0 −1 −1.
BY_HAND = {
    "gradcam": ((11.25, 13.5), (20.25, 22.5)),  # 0.75 · −5 − 0.5 · −30 …
    "hirescam": ((0.0, 4.0), (25.0, 25.0)),  # 31 − 6, 40 − 15
    "layercam": ((0.0, 4.0), (31.0, 40.0)),
}


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("method", BY_HAND)
def test_the_toy_gives_what_is_worked_out_by_hand(method: str, inplace: bool) -> None:
    """Also where the next layer writes over what the layer gave."""
    given = attribution(Toy(inplace), SIXTEEN, method, layer="conv1")
    assert given.grid == (2, 2)
    values = torch.from_numpy(given.values)[0]
    wanted = torch.tensor(BY_HAND[method])
    assert torch.equal(values[::3, ::3], wanted)  # the corners are the layer's own values
    between = 0.75 * wanted[0, 0] + 0.25 * wanted[0, 1]
    assert values[0, 1] == between


def test_that_the_toy_rejects_a_layer_that_was_written_over() -> None:
    """What is kept of conv1 is by then what relu1 gave, of other values and another gradient."""
    net = Toy(inplace=True)
    call = kept(net, SIXTEEN.clone().requires_grad_(), ["conv1"])
    (slope,) = torch.autograd.grad(call.logits[0, 0], call["conv1"].given)
    naive = gradcam(call["conv1"].given[0].detach(), slope[0])
    assert naive.tolist() == [[0.0, 4.0], [28.0, 32.5]]  # captum's own values for relu1
    given = attribution(Toy(inplace=False), SIXTEEN, "gradcam", layer="relu1")
    assert given.values[0, ::3, ::3].tolist() == naive.tolist()


@pytest.mark.parametrize("table", TABLES)
def test_grad_cam_is_captums_in_every_layer(table: str) -> None:
    net, image = built(table), image_of(1, 28, 28)
    model = model_of(net, image.shape[1:])
    known = [place.layer for place in cams._places(model)]
    differing = 0
    for layer in known:
        captums = LayerGradCam(net, net.get_submodule(layer.name))
        wanted = captums.attribute(image, 2, relu_attributions=True)
        assert wanted.shape[2:] == (layer.rows, layer.columns)
        wanted = LayerAttribution.interpolate(wanted, (28, 28), "bilinear")[0].detach()
        given = attribution(net, image, "gradcam", target=2, layer=layer.name)
        assert given.grid == (layer.rows, layer.columns)
        scale = float(wanted.abs().max())
        torch.testing.assert_close(
            torch.from_numpy(given.values), wanted, rtol=1e-4, atol=1e-5 * scale
        )
        other = torch.from_numpy(
            attribution(net, image, "layercam", target=2, layer=layer.name).values
        )
        differing += not torch.allclose(other, wanted, rtol=1e-4, atol=1e-5 * scale)
    assert differing > len(known) / 2  # captum's are no other method's


def test_guided_grad_cam_is_captums() -> None:
    """Behind a ReLU in each place, as captum changes no other."""
    net = seeded(
        nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(4, 6, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(96, 3),
        )
    )
    some = False
    for seed in range(3):
        image = image_of(3, 8, seed=seed)
        theirs, leaf = copy.deepcopy(net), image.clone().requires_grad_()
        captums = GuidedGradCam(theirs, theirs[2])
        with pytest.warns(UserWarning, match="Setting backward hooks on ReLU"):
            wanted = captums.attribute(leaf, 1, interpolate_mode="bilinear")
        given = attribution(net, image, "guided_gradcam", target=1, layer="2")
        torch.testing.assert_close(torch.from_numpy(given.values), wanted[0].detach())
        some |= bool(wanted.any())
        assert (given.passes, given.gradients) == (2, 2)
        assert given.grid == (8, 8)  # each pixel has a value of its own, whatever the layer's maps
    assert some


def test_hirescam_is_grad_cam_where_means_go_into_a_linear_layer() -> None:
    """The gradient is then the same all over a map: Draelos, Carin 2020, section 3.3."""
    net = seeded(
        nn.Sequential(
            nn.Conv2d(1, 5, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(5, 3),
        )
    )
    image, some = image_of(side=8), set()
    for target in range(3):
        signed, cut = (
            torch.from_numpy(attribution(net, image, method, target=target).values)
            for method in ("hirescam", "gradcam")
        )
        torch.testing.assert_close(signed.relu(), cut)
        some |= {bool((cut > 0).any()), bool((signed < 0).any()) and "below"}
    assert some >= {True, "below"}


def test_that_the_theorem_of_hirescam_needs_the_mean() -> None:
    net, image = convolutional(pooled=False), image_of(side=8)
    signed = torch.from_numpy(attribution(net, image, "hirescam").values)
    cut = torch.from_numpy(attribution(net, image, "gradcam").values)
    assert not torch.allclose(signed.relu(), cut, atol=0.1 * float(cut.max()))


@pytest.mark.parametrize("seed", range(3))
def test_hirescam_adds_up_to_the_score_less_the_bias_of_a_linear_head(seed: int) -> None:
    net, image = convolutional(pooled=False, seed=seed), image_of(side=8, seed=seed)
    bias = net.get_submodule("6").get_parameter("bias")
    given = attribution(net, image, "hirescam", against=2)
    assert given.grid == (8, 8)
    wanted = given.score - float(bias[0] - bias[2])
    assert float(given.values.sum()) == pytest.approx(wanted, rel=1e-4)
    other = attribution(net, image, "gradcam", against=2)
    assert float(other.values.sum()) != pytest.approx(wanted, rel=1e-3)


@pytest.mark.parametrize("baseline", ["black", "grey"])
def test_score_cam_is_that_of_a_loop_over_the_maps(baseline: str) -> None:
    """And that loop, with another picture where nothing is, would find a wrong one."""
    absent, wrong = {"black": (0.0, 0.5), "grey": (0.5, 0.0)}[baseline]
    found = coarse = 0
    for seed, layer in ((0, 1), (1, 1), (2, 3), (3, 4), (4, 4), (5, 4)):
        net, image = convolutional(3, seed=seed), image_of(3, 8, seed=seed)
        given = attribution(net, image, "scorecam", layer=str(layer), baseline=baseline)
        right, other = (
            enlarged(scorecam(net, image, torch.full_like(image, each), layer)[None], image)
            for each in (absent, wrong)
        )
        values = torch.from_numpy(given.values)
        torch.testing.assert_close(values, right, rtol=1e-4, atol=1e-5)
        found += not torch.allclose(values, other, rtol=1e-4, atol=1e-5)
        coarse += layer == len(net) - 3 and bool(values.any())
        maps = net[: layer + 1](image)[0].flatten(1)
        assert given.passes == 1 + int((maps.amax(1) > maps.amin(1)).sum())
    assert found > 2
    assert coarse


def test_score_cam_asks_nothing_about_a_map_that_is_the_same_everywhere() -> None:
    net, image = convolutional(), image_of(side=8)
    net.get_parameter("0.weight")[1:3] = 0
    given = attribution(net, image, "scorecam", layer="0")
    assert given.passes == 1 + 2
    assert torch.isfinite(torch.from_numpy(given.values)).all()
    net.get_parameter("0.weight").zero_()
    given = attribution(net, image, "scorecam", layer="0")
    assert given.passes == 1
    assert not given.values.any()


def test_maps_with_their_channels_last_are_weighed_as_those_with_them_first() -> None:
    """The second permutation gives what the layer norm gave, in another order."""
    vision = torchvision.ops.misc
    net = seeded(
        nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1),
            vision.Permute([0, 2, 3, 1]),
            nn.LayerNorm(4),
            vision.Permute([0, 3, 1, 2]),
            nn.MaxPool2d(2),
            nn.Tanh(),
            nn.Flatten(),
            nn.Linear(64, 3),
        )
    )
    image = image_of(1, 8, 8)
    for method in FORMULAE:
        last, first = (attribution(net, image, method, layer=each) for each in ("2", "3"))
        assert last.grid == first.grid == (8, 8)
        assert (last.values == first.values).all()
        assert last.values.any()


def vision_transformer() -> nn.Module:
    net: nn.Module = torchvision.models.VisionTransformer(
        image_size=8,
        patch_size=2,
        num_layers=2,
        num_heads=2,
        hidden_dim=8,
        mlp_dim=12,
        num_classes=3,
    )
    return seeded(net)


def test_tokens_are_weighed_as_maps_without_the_class_token() -> None:
    net, image = vision_transformer(), image_of(3, 8)
    name = "encoder.layers.encoder_layer_1.ln_1"
    given: list[Tensor] = []
    theirs = copy.deepcopy(net)
    theirs.get_submodule(name).register_forward_hook(lambda _, __, each: given.append(each))
    score = theirs(image.clone().requires_grad_())[0, 2]
    (slope,) = torch.autograd.grad(score, given[0])
    wanted = torch.zeros(4, 4)
    for channel in range(8):
        for token in range(16):
            part = slope[0, 1 + token, channel] * given[0][0, 1 + token, channel].detach()
            wanted[token // 4, token % 4] += part
    ours = attribution(net, image, "hirescam", target=2)
    assert ours.query.layer == name  # behind the last attention only the class token is read
    assert ours.grid == (4, 4)
    values = torch.from_numpy(ours.values)
    torch.testing.assert_close(values, enlarged(wanted[None], image))
    assert not torch.allclose(values, enlarged(wanted.T[None], image), atol=1e-5)
    behind = "encoder.layers.encoder_layer_1"
    assert not attribution(net, image, "hirescam", layer=behind).values.any()


def test_only_layers_that_give_maps_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    source, image = Source(kind="built-in", name="mnist"), image_of(1, 28, 28)
    net = built("conv4-p1-batch-relu,max2,res4-relu,global,fc5-relu")
    monkeypatch.setattr(cams, "load", lambda _: model_of(net, image.shape[1:]))
    assert cams.layers(source) == (
        Layer("conv1.0", "convolution 3×3", 28, 28),
        Layer("conv1.1", "batch norm", 28, 28),
        Layer("conv1.2", "ReLU", 28, 28),
        Layer("max2.0", "maximum 2×2", 14, 14),
        Layer("res3.0.a.0", "convolution 3×3", 14, 14),
        Layer("res3.0.a.1", "ReLU", 14, 14),
        Layer("res3.0.b.0", "convolution 3×3", 14, 14),
        Layer("res3.0.activation.0", "ReLU", 14, 14),
    )
    assert attribution(net, image, "gradcam").query.layer == "res3.0.activation.0"


def test_what_never_reaches_the_logits_is_not_listed() -> None:
    class Aside(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.aside = nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 3)
            self.output = nn.Linear(72, 3)

        def forward(self, images: Tensor) -> Tensor:
            maps = self.conv(images)
            self.aside(maps)
            logits: Tensor = self.output(maps.flatten(1))
            return logits

    net, image = seeded(Aside()), image_of(side=8)
    assert [place.layer.name for place in cams._places(model_of(net, image.shape[1:]))] == ["conv"]
    assert attribution(net, image, "gradcam").query.layer == "conv"


def test_a_network_whose_answer_hangs_on_nothing_has_layers_and_an_empty_map() -> None:
    net, image = convolutional(), image_of(side=8)
    net.get_parameter("6.weight").zero_()
    given = attribution(net, image, "gradcam")
    assert given.query.layer == "4"
    assert not given.values.any()


@pytest.mark.parametrize("method", [*FORMULAE, "scorecam", "guided_gradcam"])
def test_what_cannot_be_weighed_is_refused(method: str) -> None:
    net, image = convolutional(), image_of(side=8)
    for layer in ("5", "6", "nowhere"):
        with pytest.raises(
            ValueError, match=f"layer must be one of those that give maps, got '{layer}'"
        ):
            attribution(net, image, method, layer=layer)
    with pytest.raises(
        ValueError, match=f"method must be another one than {method}: this network has no"
    ):
        attribution(plane(3, (1, 8, 8)), image, method)
    assert not cams._places(model_of(plane(3, (1, 8, 8)), image.shape[1:]))


@pytest.mark.parametrize("method", [*FORMULAE, "scorecam", "guided_gradcam"])
def test_a_network_is_as_it_was_before(method: str) -> None:
    net, image = convolutional(), image_of(side=8)
    with untouched(net):
        once = attribution(net, image, method)
        again = attribution(net, image, method)
    assert (once.values == again.values).all()
    with untouched(net), pytest.raises(ValueError, match="layer must be"):
        attribution(net, image, method, layer="5")


@pytest.mark.parametrize("method", FORMULAE)
def test_one_pass_and_one_gradient_do(method: str) -> None:
    """The network is asked for its answer, then once; the way back stops at the layer."""
    net, image = convolutional(), image_of(side=8)
    attribution(net, image, method)  # its layers are found out once
    given = attribution(net, image, method)
    assert (given.passes, given.gradients) == (1, 1)
    question = asked(net, image, method)
    seen: list[bool] = []
    handle = net.get_submodule("0").register_forward_hook(
        lambda _, __, given: seen.append(given.requires_grad)
    )
    answered(question)
    handle.remove()
    assert seen == [False]


def test_the_layers_of_loaded_networks_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source(kind="built-in", name="mnist")
    found = cams.layers(source)
    model = loading.load(source)
    with untouched(model.network):
        del cams._known[model.network]
        assert cams.layers(source) == found
    assert (found[-1].rows, found[-1].columns) == (7, 7)


@pytest.mark.parametrize("slope", [1.0, -1.0])
def test_grad_cam_plus_plus_gives_no_weight_where_its_own_has_no_value(slope: float) -> None:
    """Four values of ½ or −½, and gradients of −1 or 1: 2 + g Σ A is 0."""
    net = seeded(nn.Sequential(nn.Conv2d(1, 1, 1), nn.Flatten(), nn.Linear(4, 2)))
    for name, value in (("0.weight", -slope), ("0.bias", 0.0), ("2.weight", slope)):
        net.get_parameter(name).fill_(value)
    given = attribution(net, torch.full((1, 1, 2, 2), 0.5), "gradcampp")
    assert not given.values.any()  # NaN would be something


def test_upsampling_is_that_of_torch() -> None:
    """The oracle's own arithmetic, for a side that is no multiple."""
    maps, image = image_of(3, 5, 3)[0], image_of(1, 12, 7)
    wanted = F.interpolate(maps[None], (12, 7), mode="bilinear", align_corners=False)[0]
    torch.testing.assert_close(enlarged(maps, image), wanted)
