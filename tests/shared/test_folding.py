"""A folded network is the same function, and the network that it was made of stays as it is."""

import gc
import weakref

import pytest
import torch
from torch import nn

from core.shared import folding
from core.shared.folding import Halving, folded, folded_at
from core.shared.loading import load
from core.shared.models import Source
from core.shared.networks import build
from core.shared.tracing import trace, until
from tests.shared.untouched import untouched


def learned(table: str) -> nn.Module:
    """A network whose normalisations have seen something."""
    network = build(table, torch.Generator().manual_seed(1))
    network.train()(torch.rand(40, 1, 28, 28, generator=torch.Generator().manual_seed(2)))
    return network.eval().requires_grad_(False)


def norms(network: nn.Module) -> int:
    return sum(isinstance(part, nn.BatchNorm2d) for part in network.modules())


@pytest.mark.parametrize(
    "table",
    [
        "conv8-s2-batch-relu,conv12-batch-tanh,global",
        "conv8-batch-relu,res8-batch-relu,skip16-s2-batch-relu,global",
        "conv6-s2-batch-relu,depthwise-s2-p1-batch-gelu,conv8-k1-batch-leaky,fc20-batch-relu",
        "max2,inception8-batch-relu,global",
    ],
)
def test_it_gives_the_same_logits_and_gradients(table: str) -> None:
    network = learned(table)
    images = torch.rand(6, 1, 28, 28, generator=torch.Generator().manual_seed(3))
    with untouched(network):
        quick = folded(network, (1, 28, 28))
    assert norms(quick) < norms(network)
    assert not quick.training
    slopes = []
    for each in (network, quick):
        leaf = images.clone().requires_grad_()
        logits = each(leaf)
        slopes.append((logits.detach(), *torch.autograd.grad(logits.square().sum(), leaf)))
    for mine, theirs in zip(*slopes, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-4)
    assert folded(network, (1, 28, 28)) is quick


def test_where_nothing_is_to_fold_it_is_the_network() -> None:
    network = learned("conv8-s2-relu,fc20-relu")
    assert folded(network, (1, 28, 28)) is network


@pytest.mark.parametrize("table", ["conv8-s2-relu,fc20-relu", "conv8-s2-batch-relu,global"])
def test_whoever_folds_a_network_does_not_keep_it(table: str) -> None:
    network = learned(table)
    folded(network, (1, 28, 28))
    seen = weakref.ref(network)
    del network
    gc.collect()
    assert seen() is None


@pytest.mark.parametrize("shape", [(3, 5, 8, 8), (2, 1, 7, 5), (0, 4, 6, 6), (1, 3, 2, 3)])
@pytest.mark.parametrize("order", [torch.channels_last, torch.contiguous_format])
def test_the_largest_of_two_by_two_is_torchs(
    shape: tuple[int, ...], order: torch.memory_format
) -> None:
    maps = torch.randint(-3, 3, shape, generator=torch.Generator().manual_seed(5)).float()
    maps[maps == 2] = torch.nan
    maps = maps.contiguous(memory_format=order)
    found = []
    for pool in (nn.MaxPool2d(2), Halving()):
        leaf = maps.clone().requires_grad_()
        (pool(leaf) * torch.arange(shape[1])[:, None, None]).sum().backward()
        with torch.no_grad():
            found.append((pool(maps), leaf.grad, pool(leaf)))
    for mine, theirs in zip(*found, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize(
    ("pool", "taken"),
    [
        (nn.MaxPool2d(2), True),
        (nn.MaxPool2d((2, 2), stride=2), True),
        (nn.MaxPool2d(3, 2), False),
        (nn.MaxPool2d(2, 1), False),
        (nn.MaxPool2d(2, padding=1), False),
        (nn.MaxPool2d(2, ceil_mode=True), False),
        (nn.MaxPool2d(2, dilation=2), False),
        (nn.AvgPool2d(2), False),
    ],
)
def test_only_the_pooling_that_it_stands_for_is_replaced(pool: nn.Module, taken: bool) -> None:
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), pool, nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    network.eval().requires_grad_(False)
    quick = folded(network, (1, 9, 9))
    assert norms(quick) == 0  # a wrong pooling would spoil the copy, and nothing were folded
    assert isinstance(quick.get_submodule("2"), Halving) == taken
    images = torch.rand(2, 1, 9, 9, generator=torch.Generator().manual_seed(6))
    torch.testing.assert_close(quick(images), network(images))


def test_at_a_layer_the_copy_is_given_only_if_it_is_the_same_there() -> None:
    network = learned("conv8-batch-relu,res8-batch-relu,global")
    quick = folded(network, (1, 28, 28))
    images = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(7))
    taken = set()
    for call in trace(network, images).calls:
        given = folded_at(network, (1, 28, 28), call.name)
        assert given in {network, quick}
        torch.testing.assert_close(
            until(given, images, call.name).given, call.given, rtol=1e-3, atol=1e-5
        )
        taken.add(given)
    assert taken == {network, quick}
    with pytest.raises(AssertionError):  # where a normalisation is folded into it
        torch.testing.assert_close(
            until(quick, images, "conv1.0").given, until(network, images, "conv1.0").given
        )


class Twofold(nn.Module):
    """One pooling under two names, which is called by the second first."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.one = nn.MaxPool2d(2)
        self.two = self.one

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.one(self.two(self.norm(self.conv(images)))).flatten(1)
        return logits


def test_a_layer_that_is_another_in_the_copy_is_not_taken_from_it() -> None:
    network = Twofold().eval().requires_grad_(False)
    quick = folded(network, (1, 8, 8))
    images = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(8))
    own = trace(network, images)
    assert until(quick, images, "one").given.shape != own["one"].given.shape
    assert {folded_at(network, (1, 8, 8), call.name) for call in own.calls[1:]} == {network}


class Crossed(nn.Module):
    """A convolution and a normalisation that stand beside each other, called the other way."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 1, 3), nn.BatchNorm2d(1)
        nn.init.constant_(self.norm.weight, 3.0)
        nn.init.constant_(self.norm.bias, 0.7)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.conv(self.norm(images)).flatten(1)
        return logits


def test_what_would_answer_otherwise_is_not_taken() -> None:
    network = Crossed().eval().requires_grad_(False)
    assert folded(network, (1, 8, 8)) is network


def test_that_comparison_rejects_a_wrong_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    network = learned("conv8-s2-batch-relu,global")
    monkeypatch.setattr(folding, "fuse_conv_bn_eval", lambda conv, _: conv)
    assert folded(network, (1, 28, 28)) is network


def test_imagenets_network_is_folded_and_reads_as_before() -> None:
    network = load(Source(kind="built-in", name="efficientnet-lite0")).network
    quick = folded(network, (3, 224, 224))
    assert norms(quick) == 0
    noise = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        torch.testing.assert_close(quick(noise), network(noise), rtol=1e-3, atol=1e-3)
