"""The tensors that a table is said to have are those that torch builds."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some

from core.shared import networks, weights
from core.shared.layers import Row
from core.shared.parameters import shapes
from tests.shared.tables import any_row, buildable


def built(network: str, shape: tuple[int, int, int], classes: int) -> dict[str, tuple[int, ...]]:
    """Ask torch, in the order of its state_dict."""
    made = networks.build(network, torch.Generator(), shape=shape, classes=classes)
    return {name: tuple(value.shape) for name, value in made.state_dict().items()}


@pytest.mark.parametrize("network", weights.NETWORKS.values(), ids=weights.NETWORKS)
@pytest.mark.parametrize("channels", [1, 3])
def test_they_are_those_of_each_known_network(network: str, channels: int) -> None:
    shape = (channels, 28, 28)
    assert list(shapes(network, shape, 7).items()) == list(built(network, shape, 7).items())


@settings(deadline=None, derandomize=True, max_examples=60)
@given(rows=some.lists(any_row(small=True), max_size=5), channels=some.sampled_from([1, 3]))
def test_they_are_those_of_any_table(rows: list[Row], channels: int) -> None:
    shape = (channels, 12, 9)
    table = buildable(rows, shape)
    assert list(shapes(table, shape, 3).items()) == list(built(table, shape, 3).items())


def test_that_comparison_sees_another_table() -> None:
    assert shapes("conv8", (1, 9, 9), 3) != built("conv8-batch", (1, 9, 9), 3)
    assert shapes("plain8-relu", (1, 9, 9), 3) != built("plain8", (1, 9, 9), 3)


def test_no_two_known_networks_have_the_same_tensors() -> None:
    """Else nobody could tell from a file for which of them it is."""
    known = [tuple(shapes(each).items()) for each in weights.NETWORKS.values()]
    assert len(set(known)) == len(known)
