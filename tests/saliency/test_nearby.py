"""What is computed for a piece of a picture alone gives the logits of the whole pass."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as some
from torch import nn

from core.saliency import nearby as module
from core.saliency.nearby import Reach, nearby
from core.shared.efficientnet import Block, SameConv, Standardise
from core.shared.loading import load
from core.shared.models import Source
from tests.shared.untouched import leaves_untouched

SIDE = 48
LAYERS: dict[str, Callable[[int], nn.Module]] = {
    "3x3": lambda maps: nn.Conv2d(maps, maps, 3, padding=1),
    "3x3, by two": lambda maps: nn.Conv2d(maps, maps, 3, 2, 1),
    "wide": lambda maps: nn.Conv2d(maps, maps, 3, padding=2, dilation=2),
    "one-sided": lambda maps: nn.Conv2d(maps, maps, 2, 2),
    "same": lambda maps: SameConv(maps, maps, 5, 2),
    "block": lambda maps: Block(maps, maps, 5, 1, 2),
    "max": lambda _: nn.MaxPool2d(3, 2, 1),
    "mean": lambda _: nn.AvgPool2d(2),
    "alone": lambda maps: nn.Sequential(nn.BatchNorm2d(maps), nn.ReLU6()),
}


def chain(names: list[str], maps: int = 3) -> nn.Sequential:
    """A network at rest, whose weights were drawn."""
    layers: list[nn.Module] = [Standardise((0.4, 0.5, 0.6), (0.2, 0.3, 0.4))]
    layers += [LAYERS[name](maps) for name in names]
    layers += [nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * maps, 5)]
    network = nn.Sequential(*layers).eval().requires_grad_(False).double()
    source = torch.Generator().manual_seed(len(names))
    for part in network.modules():
        for name, value in [*part.named_parameters(recurse=False)]:
            value.copy_(torch.randn(value.shape, generator=source, dtype=value.dtype) / 2)
            assert name in ("weight", "bias")
    return network


def pictures(
    places: list[tuple[int, int]], size: int, side: int = SIDE
) -> tuple[torch.Tensor, torch.Tensor]:
    """A picture of noise, and others that differ from it in a box."""
    source = torch.Generator().manual_seed(1)
    image = torch.rand(1, 3, side, side, generator=source, dtype=torch.double)
    images = image.repeat(len(places), 1, 1, 1)
    for picture, (row, column) in zip(images, places, strict=True):
        picture[:, row : row + size, column : column + size] = 0
    return image, images


@settings(max_examples=40, deadline=None)
@given(
    names=some.lists(some.sampled_from([*LAYERS]), min_size=1, max_size=5),
    size=some.integers(1, 20),
    places=some.lists(some.tuples(*[some.integers(0, SIDE - 1)] * 2), min_size=1, max_size=4),
)
def test_a_piece_is_enough(names: list[str], size: int, places: list[tuple[int, int]]) -> None:
    network = chain(names)
    image, images = pictures(places, size)
    logits, found = nearby(network, image, size)
    torch.testing.assert_close(logits, network(image), rtol=1e-9, atol=1e-12)
    assume(found is not None)
    assert found is not None
    torch.testing.assert_close(found(images, places, size), network(images), rtol=1e-9, atol=1e-12)
    assert len(found.first) > 0  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda reach: replace(reach, before=max(0, reach.before - reach.step)),
        lambda reach: replace(reach, after=max(0, reach.after - reach.step)),
    ],
)
def test_that_oracle_rejects_a_reach_that_is_too_short(wrong: Callable[[Reach], Reach]) -> None:
    places, size = [(17, 20), (3, 30)], 5
    network = chain(["3x3", "block", "max", "3x3"])
    image, images = pictures(places, size)
    _, found = nearby(network, image, size)
    assert found is not None
    found.reach = wrong(found.reach)
    assert float((found(images, places, size) - network(images)).abs().max()) > 1e-6


def test_a_photographs_network_is_computed_for_less_than_a_fifth_at_first() -> None:
    network = load(Source(kind="built-in", name="efficientnet-lite0")).network
    source = torch.Generator().manual_seed(0)
    image = torch.rand(1, 3, 224, 224, generator=source)
    _, found = nearby(network, image, 56)
    assert found is not None
    assert found.reach.step > 1
    assert found.reach.piece(56, 224) ** 2 < 0.2 * 224**2
    images = image.repeat(2, 1, 1, 1)
    images[0, :, :56, 168:] = images[1, :, 80:136, 40:96] = 0.5
    with torch.no_grad():
        whole = network(images)
        parts = found(images, [(0, 168), (80, 40)], 56)
    torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-4 * float(whole.abs().max()))


class Strange(nn.Module):
    """Sees all of the picture, and has only parts that do not."""

    def __init__(self) -> None:
        super().__init__()
        self.part = nn.Conv2d(3, 3, 1)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = self.part(maps) + maps.mean()
        return made


@pytest.mark.parametrize(
    "network",
    [
        Strange(),
        nn.Sequential(Strange(), nn.Flatten()),
        nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten()),
        nn.Sequential(nn.Conv2d(3, 3, 5), nn.Flatten()),  # without padding
        nn.Sequential(nn.Conv2d(3, 3, 3, padding=1, padding_mode="circular"), nn.Flatten()),
        nn.Sequential(nn.Conv2d(3, 3, (1, 3), padding=(0, 1)), nn.Flatten()),
        nn.Sequential(nn.MaxPool2d(2, ceil_mode=True), nn.Flatten()),
        nn.Sequential(nn.Linear(SIDE, 4), nn.Flatten()),
    ],
)
def test_what_may_see_all_of_a_picture_is_read_whole(network: nn.Module) -> None:
    image, _ = pictures([(0, 0)], 4)
    assert nearby(network.eval().double(), image, 4)[1] is None


def test_where_it_saves_nothing_nothing_is_cut() -> None:
    image, _ = pictures([(0, 0)], 4)
    assert nearby(chain(["3x3", "3x3"]), image, SIDE)[1] is None


def test_the_network_stays_as_it_was() -> None:
    network = chain(["3x3", "block"])
    image, images = pictures([(2, 2)], 4)

    def read() -> None:
        _, found = nearby(network, image, 4)
        assert isinstance(found, module.Nearby)
        found(images, [(2, 2)], 4)

    leaves_untouched(network, read)
