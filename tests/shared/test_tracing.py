"""What a trace keeps is what the network computes, and a network that was traced is untouched."""

import gc
import weakref
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from core.shared.networks import build, lenet5
from core.shared.tracing import (
    Call,
    altered,
    as_maps,
    kept,
    module_of,
    trace,
    until,
)

TABLES = (
    "conv4-batch-relu,max2,res4,res8-s2,inception8-relu,global,fc5-drop50",
    "depthwise-s2,fc3",
)


def network(table: str = TABLES[0]) -> nn.Sequential:
    return build(table, torch.Generator().manual_seed(2)).eval()


def images(count: int = 2) -> Tensor:
    return torch.rand(count, 1, 28, 28, generator=torch.Generator().manual_seed(1))


class Twice(nn.Module):
    """One module, called twice, and a sum that no module makes."""

    def __init__(self) -> None:
        super().__init__()
        self.part, self.other = nn.Conv2d(1, 1, 3, padding=1), nn.ReLU()
        with torch.no_grad():
            self.part.weight.copy_(torch.linspace(-0.4, 0.6, 9).view(1, 1, 3, 3))
            nn.init.zeros_(self.part.get_parameter("bias"))  # some values are above 0, some are not

    def forward(self, maps: Tensor) -> Tensor:
        once = self.other(self.part(maps))
        twice: Tensor = self.other(self.part(once) + maps)
        return twice.flatten(1)


@pytest.mark.parametrize("table", TABLES)
def test_each_call_gives_what_its_module_makes_of_what_it_took(table: str) -> None:
    net, pictures = network(table), images()
    with torch.no_grad():
        seen = trace(net, pictures)
        assert torch.equal(seen.logits, net(pictures))
        for call in seen.calls:
            assert call.taken is not None
            torch.testing.assert_close(call.module(call.taken), call.given)
            assert dict(net.named_modules())[module_of(call.name)] is call.module


def test_a_container_that_passes_on_is_no_layer_and_one_that_adds_or_joins_is() -> None:
    names = [call.name for call in trace(network(), images()).calls]
    assert "conv1" not in names
    assert {"conv1.0", "conv1.1", "conv1.2", "inception5.0"} <= set(names)
    assert len(names) == len(set(names))
    assert "res3.0" in names  # a sum
    assert "fc7.3" not in names  # dropout at rest
    names = [call.name for call in trace(network("res4-relu,fc3"), images()).calls]
    assert "res1.0" not in names  # its last part is an activation, which gives what it gives
    assert "res1.0.activation.0" in names


def test_a_module_that_is_called_twice_makes_two_layers() -> None:
    net = Twice()
    seen = trace(net, torch.rand(1, 1, 4, 4))
    assert [call.name for call in seen.calls] == ["part", "other", "part:2", "other:2"]
    taken = seen["other:2"].taken
    assert taken is not None
    assert torch.equal(taken.relu(), seen["other:2"].given)
    assert module_of("other:2") == "other"


def test_a_pass_that_ends_early_gives_the_same_and_runs_no_further() -> None:
    net, pictures = network(), images()
    ran: list[str] = []
    for name, part in net.named_modules():
        if not [*part.children()]:
            part.register_forward_hook(lambda *_, name=name: ran.append(name))
    call = until(net, pictures, "max2.0")
    assert ran == ["normalise", "conv1.0", "conv1.1", "conv1.2", "max2.0"]
    assert torch.equal(call.given, net[:3](pictures))


@pytest.mark.parametrize("make", [network, Twice])
def test_a_network_that_was_traced_can_be_forgotten(make: Callable[[], nn.Module]) -> None:
    net = make()
    gone = weakref.ref(net)
    trace(net, images())
    del net
    gc.collect()
    assert gone() is None


def test_what_does_not_exist_is_refused() -> None:
    net = network()
    with pytest.raises(ValueError, match="layer must be one of the network's, got 'conv9'"):
        trace(net, images())["conv9"]
    with pytest.raises(ValueError, match="layer must be one of the network's, got 'conv9'"):
        until(net, images(), "conv9")
    with pytest.raises(ValueError, match="layer must be one of the network's, got 'conv9'"):
        kept(net, images(), ("max2.0", "conv9"))
    with pytest.raises(ValueError, match="layer must be one of the network's, got 'conv9'"):
        altered(net, images(), "conv9", lambda call: call.given)


def test_some_calls_are_those_of_a_whole_trace() -> None:
    net, pictures = network(), images()
    whole, some = trace(net, pictures), kept(net, pictures, ("res3.0", "max2.0"))
    assert [call.name for call in some.calls] == ["max2.0", "res3.0"]
    assert torch.equal(some.logits, whole.logits)
    assert all(torch.equal(call.given, whole[call.name].given) for call in some.calls)


@pytest.mark.parametrize("name", ["part", "other", "part:2", "other:2"])
def test_what_a_layer_gives_instead_goes_on_from_there_alone(name: str) -> None:
    """A network of two calls each, worked out again with the value that was put in."""
    net, maps = Twice(), images()[..., :4, :4]
    told: list[Call] = []

    def alter(call: Call) -> Tensor:
        told.append(call)
        return call.given * 2 - 1

    def at(place: str, value: Tensor) -> Tensor:
        return value * 2 - 1 if place == name else value

    with torch.no_grad():
        given = altered(net, maps, name, alter)
        once = at("other", net.other(at("part", net.part(maps))))
        twice = at("other:2", net.other(at("part:2", net.part(once)) + maps))
        assert torch.equal(given, twice.flatten(1))
        assert not torch.equal(given, net(maps))
    assert [call.name for call in told] == [name]


def test_what_a_block_gives_instead_is_no_layer_again_for_its_container() -> None:
    net, pictures = network(), images()
    names = [call.name for call in trace(net, pictures).calls]
    for name in names:
        same = altered(net, pictures, name, lambda call: call.given.clone())
        assert torch.equal(same, net(pictures)), name
        nothing = altered(net, pictures, name, lambda call: torch.zeros_like(call.given))
        other = altered(net, pictures[:1], name, lambda call: torch.zeros_like(call.given))
        assert nothing.shape == (2, 10)
        torch.testing.assert_close(nothing[:1], other)


@pytest.mark.parametrize("fails", [False, True])
def test_nothing_is_left_behind(fails: bool) -> None:
    net = lenet5(torch.Generator().manual_seed(1)).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    pictures = torch.rand(1, 2, 28, 28) if fails else images()
    random = torch.get_rng_state()
    for run in (
        lambda: trace(net, pictures),
        lambda: until(net, pictures, "S2.0"),
        lambda: kept(net, pictures, ["S2.0"]),
        lambda: altered(net, pictures, "S2.0", lambda call: call.given.clone()),
    ):
        if fails:
            with pytest.raises(RuntimeError):
                run()
        else:
            run()
    assert torch.equal(random, torch.get_rng_state())
    assert all(module.training for module in net.modules())
    assert all(not module._forward_hooks for module in net.modules())
    assert all(each.grad is None for each in net.parameters())
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())


def test_vectors_tokens_and_channels_that_come_last_are_seen_as_maps() -> None:
    def maps(module: nn.Module, given: Tensor) -> Tensor:
        call = Call("x", module, None, given)
        seen = as_maps(call)
        third = given.select(call.axis, 3).reshape(len(given), -1)
        assert torch.equal(seen[:, 3].flatten(1), third[:, -seen[0, 3].numel() :])
        return seen

    vector = torch.rand(2, 5)
    assert torch.equal(maps(nn.ReLU(), vector)[..., 0, 0], vector)
    tokens = torch.rand(2, 10, 7)  # a class token and 3×3 patches
    field = maps(nn.Linear(7, 7), tokens)
    assert field.shape == (2, 7, 3, 3)
    assert torch.equal(field[1, 4, 2, 1], tokens[1, 1 + 2 * 3 + 1, 4])
    assert maps(nn.ReLU(), torch.rand(2, 9, 7)).shape == (2, 7, 3, 3)
    assert maps(nn.ReLU(), torch.rand(2, 8, 7)).shape == (2, 7, 8, 1)
    last = torch.rand(2, 4, 5, 6)
    assert torch.equal(maps(nn.LayerNorm(6), last)[0, 3, 1, 2], last[0, 1, 2, 3])
    assert torch.equal(maps(nn.ReLU(), last), last)

    class LayerNorm2d(nn.LayerNorm):
        """As torchvision's: a layer norm that takes and gives maps."""

    assert torch.equal(maps(LayerNorm2d(4), last), last)
