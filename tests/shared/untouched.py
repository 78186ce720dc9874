"""A guard around whatever looks into a network: in the end the network is what it was."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch import nn

__all__ = ["Case", "leaves_untouched", "untouched"]

Case = Callable[[], object] | tuple[Callable[[], object], str]  # a call; and how it is refused


@contextmanager
def untouched(network: nn.Module) -> Iterator[None]:
    """Fail when weights, gradients, modes, hooks or random sources are others than before."""
    before = {key: value.clone() for key, value in network.state_dict().items()}
    wanting = [each.requires_grad for each in network.parameters()]
    modes = [module.training for module in network.modules()]
    random, other = torch.get_rng_state(), repr(np.random.get_state())  # noqa: NPY002 – theirs too
    yield
    assert torch.is_grad_enabled()
    assert torch.equal(torch.get_rng_state(), random)
    assert repr(np.random.get_state()) == other  # noqa: NPY002
    state = network.state_dict()
    assert state.keys() == before.keys()
    assert all(torch.equal(state[key], value) for key, value in before.items())
    assert [each.requires_grad for each in network.parameters()] == wanting
    assert [module.training for module in network.modules()] == modes
    assert all(each.grad is None for each in network.parameters())
    for module in network.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
        assert not module._backward_hooks


def leaves_untouched(network: nn.Module, case: Case) -> None:
    """Make a call, or one that is refused with a sentence, and see that nothing stays of it."""
    with untouched(network):
        if isinstance(case, tuple):
            function, sentence = case
            with pytest.raises(ValueError, match=sentence):
                function()
        else:
            case()
