"""The guard around a network fires for everything that it guards."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from tests.shared.untouched import untouched

DEEDS: dict[str, Callable[[nn.Module], object]] = {
    "weights": lambda net: net.get_parameter("0.weight").data.add_(1e-6),
    "gradient": lambda net: net(torch.ones(1, 2)).sum().backward(),
    "mode": lambda net: net[0].eval(),  # type: ignore[index]
    "wish for gradients": lambda net: net.requires_grad_(False),
    "hook": lambda net: net[1].register_forward_hook(lambda *_: None),  # type: ignore[index]
    "hook before": lambda net: net[1].register_forward_pre_hook(lambda *_: None),  # type: ignore[index]
    "hook behind": lambda net: net.register_full_backward_hook(lambda *_: None),
    "buffer": lambda net: net.register_buffer("more", torch.ones(1)),
    "random": lambda _: torch.rand(1),
    "other random": lambda _: np.random.rand(1),  # noqa: NPY002
}


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 2), nn.ReLU())


def test_a_look_passes() -> None:
    net = network()
    with untouched(net), torch.no_grad():
        read = net(torch.ones(1, 2))
    assert torch.equal(net(torch.ones(1, 2)), read)


@pytest.mark.parametrize("deed", DEEDS)
def test_each_deed_is_noticed(deed: str) -> None:
    net = network()
    state, other = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
    try:
        with pytest.raises(AssertionError), untouched(net):
            DEEDS[deed](net)
    finally:
        torch.set_rng_state(state)
        np.random.set_state(other)  # noqa: NPY002
