"""Each filter does what others' code, or a formula, says of it."""

import io
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from scipy import fft, ndimage
from torch import Tensor

from core.adversarial.defences import FILTERS
from core.adversarial.filters import (
    Filter,
    bit_depth,
    filter_of,
    gaussian,
    jpeg,
    median,
    resize_and_pad,
    straight_through,
)

# Of libjpeg's brightness, from annex K of ITU-T T.81 (1992), table K.1.
QUANTA = np.array(
    (
        (16, 11, 10, 16, 24, 40, 51, 61),
        (12, 12, 14, 19, 26, 58, 60, 55),
        (14, 13, 16, 24, 40, 57, 69, 56),
        (14, 17, 22, 29, 51, 87, 80, 62),
        (18, 22, 37, 56, 68, 109, 103, 77),
        (24, 35, 55, 64, 81, 104, 113, 92),
        (49, 64, 78, 87, 103, 121, 120, 101),
        (72, 92, 95, 98, 112, 100, 103, 99),
    ),
    float,
)


def pictures(count: int = 3, channels: int = 1, side: int = 16, *, seed: int = 0) -> Tensor:
    """Pictures of whole 255ths, smooth in part and with black and white in them."""
    source = np.random.default_rng(seed)
    values = ndimage.gaussian_filter(
        source.normal(size=(count, channels, side, side)), (0, 0, 2, 2)
    )
    values = 0.5 + 3 * values + source.normal(size=values.shape) / 20
    return torch.tensor(np.round(255 * values.clip(0, 1)) / 255, dtype=torch.float32)


def blurred(images: Tensor, deviation: float) -> Tensor:
    found = ndimage.gaussian_filter(
        images.double().numpy(), (0, 0, deviation, deviation), mode="nearest"
    )
    return torch.tensor(found, dtype=torch.float32)


def middles(images: Tensor, side: int) -> Tensor:
    return torch.tensor(ndimage.median_filter(images.numpy(), (1, 1, side, side), mode="nearest"))


def saved(images: Tensor, quality: int) -> Tensor:
    """What the standard says of grey pictures: cosines of 8×8 pixels, divided and rounded."""
    share = 50 / quality if quality < 50 else 2 - quality / 50
    quanta = np.floor(QUANTA * share + 0.5).clip(1, 255)
    n, _, height, width = images.shape
    tiles = (255 * images.double().numpy() - 128).reshape(n, height // 8, 8, width // 8, 8)
    table = quanta[:, None, :]
    cosines = fft.dctn(tiles, axes=(2, 4), norm="ortho") / table
    rounded = np.sign(cosines) * np.floor(abs(cosines) + 0.5)  # halves go away from 0
    opened = fft.idctn(rounded * table, axes=(2, 4), norm="ortho")
    levels = np.round(opened + 128).clip(0, 255).reshape(images.shape)
    return torch.tensor(levels / 255, dtype=torch.float32)


def agree(ours: Tensor, theirs: Tensor, levels: float = 1e-3) -> bool:
    return float((ours - theirs).abs().max()) <= levels / 255


def apart(ours: Tensor, theirs: Tensor) -> float:
    """The share of values that are two levels apart, or more.

    libjpeg's cosines are in eighths: where one lies between two quanta, a tile takes the other.
    """
    return float((ours - theirs).abs().gt(1.3 / 255).float().mean())


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("deviation", FILTERS["gaussian"].strengths)
def test_the_bell_is_that_of_scipy(channels: int, deviation: float) -> None:
    images = pictures(channels=channels)
    assert agree(gaussian(images, deviation), blurred(images, deviation), 0.01)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", FILTERS["median"].strengths)
def test_the_median_is_that_of_scipy(channels: int, side: int) -> None:
    images = pictures(channels=channels)
    assert median(images, side).equal(middles(images, side))


@pytest.mark.parametrize("quality", FILTERS["jpeg"].strengths)
def test_jpeg_is_what_its_standard_says(quality: int) -> None:
    images = pictures(8)
    assert apart(jpeg(images, quality), saved(images, quality)) < 0.06


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_is_the_file_that_a_visitor_would_save(
    channels: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    images = pictures(channels=channels, side=28)
    for image, ours in zip(images, jpeg(images, 50), strict=True):
        levels = np.round(255 * image.numpy()).astype(np.uint8)
        place = tmp_path_factory.mktemp("saved") / "picture.jpg"
        Image.fromarray(levels[0] if channels == 1 else levels.transpose(1, 2, 0)).save(
            place, quality=50
        )
        opened = np.asarray(Image.open(io.BytesIO(place.read_bytes())))
        opened = opened[None] if channels == 1 else opened.transpose(2, 0, 1)
        assert np.array_equal(np.round(255 * ours.numpy()), opened)


@pytest.mark.parametrize("bits", FILTERS["depth"].strengths)
def test_so_many_bits_are_so_many_levels_and_the_nearest_of_them(bits: int) -> None:
    images, levels = pictures(channels=3, side=32), torch.linspace(0, 1, 2**bits)
    ours = bit_depth(images, bits)
    nearest = (images[..., None] - levels).abs().min(-1)
    assert torch.allclose((ours - images).abs(), nearest.values, atol=1e-6)
    assert torch.isclose(ours[..., None], levels).any(-1).all()


def test_those_oracles_reject_a_filter_that_is_a_little_wrong() -> None:
    images = pictures(8)
    assert not agree(gaussian(images, 1.1), blurred(images, 1), 0.01)
    assert not agree(gaussian(images.roll(1, 3), 1).roll(-1, 3), blurred(images, 1), 0.01)
    assert not median(images, 3).equal(middles(images, 5))
    assert not median(images.roll(1, 3), 3).roll(-1, 3).equal(middles(images, 3))
    assert apart(jpeg(images, 45), saved(images, 50)) > 0.3
    assert apart(jpeg(images.transpose(2, 3), 50), saved(images, 50)) > 0.3
    assert not agree(bit_depth(images, 3), bit_depth(images, 4), 2)


@pytest.mark.parametrize(("channels", "share"), [(1, 0.1), (3, 0.2), (1, 0.4)])
def test_each_image_is_one_of_those_that_shrinking_and_laying_it_down_can_give(
    channels: int, share: float
) -> None:
    images = pictures(40, channels, side=12)
    ours = resize_and_pad(images, share, torch.Generator().manual_seed(0))
    seen = [where(image, mine, share) for image, mine in zip(images, ours, strict=True)]
    places = {place for place in seen if place is not None}
    assert None not in seen
    assert {lost for lost, _, _ in places} == set(range(int(12 * share) + 1))
    assert len(places) > 1
    if share == 0.4:  # each place is as likely as the next: many are seen
        assert len(places) > 20
    shifted = ours.roll(1, 2)
    assert any(
        where(image, mine, share) != place
        for image, mine, place in zip(images, shifted, seen, strict=True)
    )


def where(image: Tensor, laid: Tensor, share: float) -> tuple[int, int, int] | None:
    """Look for the size and the place: torch's own resize, and black around it."""
    side = image.shape[1]
    for lost in range(int(side * share) + 1):
        small = F.interpolate(image[None], side - lost, mode="bilinear")
        for top in range(lost + 1):
            for left in range(lost + 1):
                whole = F.pad(small, (left, lost - left, top, lost - top))
                if torch.allclose(whole[0], laid, atol=1e-5):
                    return lost, top, left
    return None


def test_the_same_seed_draws_the_same_and_another_image_something_else() -> None:
    images = pictures(1).expand(20, -1, -1, -1)
    first, again = (resize_and_pad(images, 0.4, torch.Generator().manual_seed(3)) for _ in range(2))
    assert first.equal(again)
    assert not first[0].equal(first[1:].mean(0))
    assert len({tuple(each.flatten().tolist()) for each in first}) > 5


def gradient(filter_: Filter, images: Tensor, weights: Tensor) -> Tensor:
    leaf = images.clone().requires_grad_()
    (found,) = torch.autograd.grad((filter_(leaf) * weights).sum(), leaf)
    return found


@pytest.mark.parametrize(
    "filter_",
    [
        lambda images: gaussian(images, 1.5),
        lambda images: median(images, 3),
        lambda images: resize_and_pad(images, 0.3, torch.Generator().manual_seed(0)),
    ],
)
def test_the_gradient_of_a_filter_is_its_slope(filter_: Filter) -> None:
    source = torch.Generator().manual_seed(0)
    images = torch.rand((1, 1, 8, 8), generator=source, dtype=torch.float64)
    weights, along = (torch.randn(images.shape, generator=source).double() for _ in range(2))
    step = 1e-6

    def height(moved: Tensor) -> float:
        return float((filter_(moved) * weights).sum())

    slope = (height(images + step * along) - height(images - step * along)) / (2 * step)
    ours = float((gradient(filter_, images, weights) * along).sum())
    assert ours == pytest.approx(slope, rel=1e-4)
    straight = float((weights * along).sum())
    assert straight != pytest.approx(slope, rel=1e-2)


@pytest.mark.parametrize(
    "filter_", [lambda images: jpeg(images, 50), lambda images: bit_depth(images, 2)]
)
def test_what_has_no_gradient_is_passed_straight_through_and_gives_the_same(
    filter_: Callable[[Tensor], Tensor],
) -> None:
    images = pictures(2, 3)
    weights = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    assert not gradient(filter_, images, weights).any()
    straight = straight_through(filter_)
    assert straight(images).equal(filter_(images))
    assert gradient(straight, images, weights).equal(weights)


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("channels", [1, 3])
def test_each_filter_gives_pictures_of_the_same_form(name: str, channels: int) -> None:
    images = pictures(2, channels, side=28)
    for strength in FILTERS[name].strengths:
        filter_ = filter_of(name, strength, torch.Generator().manual_seed(0), lambda each: each)
        found = filter_(images)
        assert found.shape == images.shape
        assert found.dtype == images.dtype
        assert float(found.min()) >= 0
        assert float(found.max()) <= 1 + 1e-6


@pytest.mark.parametrize("name", [name for name in FILTERS if name != "autoencoder"])
def test_the_first_strength_is_the_weakest_and_the_last_the_strongest(name: str) -> None:
    images = pictures(30, side=28)
    moved = []
    for strength in FILTERS[name].strengths:
        source = torch.Generator().manual_seed(0)
        moved.append(float((filter_of(name, strength, source)(images) - images).square().mean()))
    assert moved == sorted(moved)
    assert moved[0] < moved[-1] / 2


def test_a_filter_that_is_none_is_named() -> None:
    with pytest.raises(ValueError, match="filter must be one that is known"):
        filter_of("hope", 1, torch.Generator())
    with pytest.raises(ValueError, match="known and learned, got 'autoencoder'"):
        filter_of("autoencoder", 0.3, torch.Generator())
