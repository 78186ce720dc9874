"""A network is given what it learnt from: torchvision, MNIST and brute force are the oracles."""

import io
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from PIL import Image

from core.shared import uploads
from core.shared.data import mnist
from core.shared.digits import centre_by_mass
from core.shared.pictures import read
from core.shared.seeing import fit
from core.shared.vision_library import torchvision
from tests.shared.picture_files import scene, smooth, written

quiet = settings(derandomize=True, deadline=None, max_examples=60)
LUMA = np.array([299, 587, 114]) / 1000  # ITU-R BT.601


def evaluated(picture: np.ndarray, side: int, method: str = "BICUBIC") -> np.ndarray:
    """What torchvision's own evaluation transforms make of it: Resize, CenterCrop, ToTensor."""
    transforms = torchvision.transforms
    resize = transforms.Resize(
        round(side / 0.875), getattr(transforms.InterpolationMode, method), antialias=True
    )
    steps = transforms.Compose([resize, transforms.CenterCrop(side), transforms.ToTensor()])
    seen: np.ndarray = steps(Image.fromarray(picture)).numpy()
    return seen


# Photographs


@quiet
@given(
    height=some.integers(40, 320),
    width=some.integers(40, 320),
    side=some.sampled_from([96, 160, 192, 224, 240, 299]),
    data=some.sampled_from(["imagenet", "", "cifar"]),
)
def test_a_photograph_is_cut_as_torchvision_does(
    height: int, width: int, side: int, data: str
) -> None:
    picture = smooth(height, width)
    seen = fit(picture, (3, side, side), data)
    assert seen.dtype == np.float32
    assert np.array_equal(seen, evaluated(picture, side))


def test_that_torchvision_rejects_another_filter_and_another_cut() -> None:
    picture = scene(300, 420)
    seen = fit(picture, (3, 224, 224), "imagenet")
    assert not np.array_equal(seen, evaluated(picture, 224, "BILINEAR"))
    assert np.abs(seen - evaluated(picture[:, 2:], 224)).max() > 0.1
    assert np.abs(seen[::-1] - seen).max() > 0.1


@pytest.mark.parametrize("size", [(1, 1024), (1024, 1), (1, 1), (2, 900), (30, 1024)])
def test_the_middle_of_a_very_long_picture_is_seen(size: tuple[int, int]) -> None:
    assert (fit(np.full((*size, 3), 51, np.uint8), (3, 224, 224), "") == np.float32(0.2)).all()
    ends = np.zeros((*size, 3), np.uint8)
    if 1024 in size:
        rows = ends if size[0] == 1024 else ends.swapaxes(0, 1)
        rows[450:574] = 255  # the middle; all that is seen of it
        assert fit(ends, (3, 224, 224), "").min() > 0.99


# Digits


def sheet(digit: np.ndarray, times: int, top: int, left: int) -> np.ndarray:
    """Ink from 0 to 1: the digit enlarged, somewhere on an empty sheet."""
    large = np.kron(digit, np.ones((times, times), np.float32))
    ink = np.zeros((large.shape[0] + 60, large.shape[1] + 60), np.float32)
    ink[top : top + large.shape[0], left : left + large.shape[1]] = large
    return ink


def drawn(ink: np.ndarray, paper: float, pen: float) -> np.ndarray:
    grey = np.round(255 * (paper + (pen - paper) * ink)).astype(np.uint8)
    return np.repeat(grey[..., None], 3, 2)


def some_digits() -> np.ndarray:
    digits: np.ndarray = mnist(torch.device("cpu")).test.images[:200, 0].numpy()
    return digits[::20]


@pytest.mark.parametrize(("paper", "pen"), [(1, 0), (0, 1), (0.8, 0), (0.1, 1)])
def test_a_digit_on_any_paper_comes_back_as_mnist_has_it(paper: float, pen: float) -> None:
    for digit in some_digits():
        seen = fit(drawn(sheet(digit, 5, 7, 41), paper, pen), (1, 28, 28), "mnist")
        assert seen.shape == (1, 28, 28)
        wanted = centre_by_mass(digit)
        assert wanted is not None
        elsewhere = np.abs(seen[0] - wanted).sum() / wanted.sum()
        assert elsewhere < 0.12  # of its ink; a digit of MNIST is off by up to half a pixel itself


def test_that_the_digit_is_missed_when_paper_is_taken_for_ink() -> None:
    digit = some_digits()[0]
    wanted, inverted = centre_by_mass(digit), centre_by_mass(1 - sheet(digit, 5, 7, 41))
    assert wanted is not None
    assert inverted is not None
    assert np.abs(inverted - wanted).sum() / wanted.sum() > 1


def test_the_mass_of_a_digit_is_in_the_middle() -> None:
    for digit in some_digits():
        seen = fit(drawn(sheet(digit, 4, 0, 60), 1, 0), (1, 28, 28), "mnist")[0]
        rows, columns = seen.sum(1) @ np.arange(28), seen.sum(0) @ np.arange(28)
        assert np.abs(np.array([rows, columns]) / seen.sum() - 14).max() <= 0.51


@pytest.mark.parametrize("shade", [0, 1, 80, 127, 128, 200, 255])
def test_an_empty_picture_is_all_zeros(shade: int) -> None:
    seen = fit(np.full((40, 30, 3), shade, np.uint8), (1, 28, 28), "mnist")
    assert seen.shape == (1, 28, 28)
    assert not seen.any()


@quiet
@given(seed=some.integers(0, 999), height=some.integers(1, 60), width=some.integers(1, 60))
def test_whatever_the_picture_values_are_from_0_to_1(seed: int, height: int, width: int) -> None:
    picture = scene(height, width, seed)
    for shape, data in (
        ((1, 28, 28), "mnist"),
        ((1, 28, 28), "fashion"),
        ((3, 96, 96), ""),
        ((3, 32, 32), ""),
        ((1, 17, 17), "own-x"),
    ):
        seen = fit(picture, shape, data)
        assert seen.shape == shape
        assert seen.dtype == np.float32
        assert 0 <= seen.min() <= seen.max() <= 1


# Clothing


def means(values: np.ndarray, side: int) -> np.ndarray:
    """The middle square, each pixel the mean of what it covers; the sides divide."""
    length = min(values.shape[:2])
    top, left = ((each - length) // 2 for each in values.shape[:2])
    square = values[top : top + length, left : left + length]
    times = length // side
    shape = (side, times, side, times, *values.shape[2:])
    return np.asarray(square.reshape(shape).mean((1, 3)))


@pytest.mark.parametrize("size", [(84, 120), (140, 56), (28, 28)])
def test_clothing_is_light_on_black_whatever_it_lay_on(size: tuple[int, int]) -> None:
    picture = scene(*size)
    grey = (picture @ LUMA) / 255
    for border, wanted in ((10, means(grey, 28)), (245, 1 - means(grey, 28))):
        framed = picture.copy()
        framed[:, [0, -1]] = framed[[0, -1]] = border
        inside = np.s_[1:-1, 1:-1]  # the frame itself is no part of the oracle
        seen = fit(framed, (1, 28, 28), "fashion")[0][inside]
        assert np.abs(seen - wanted[inside]).max() < 0.01
        assert np.abs(1 - seen - wanted[inside]).mean() > 0.05


# Everything else


@pytest.mark.parametrize(("side", "channels"), [(32, 3), (28, 3), (64, 1), (14, 1), (224, 1)])
def test_any_other_shape_is_the_mean_of_the_middle_square(side: int, channels: int) -> None:
    picture = scene(3 * side, 3 * side + 40)
    wanted = means(picture.astype(float), side) / 255
    seen = fit(picture, (channels, side, side), "")
    if channels == 1:
        assert np.abs(seen[0] - wanted @ LUMA).max() < 0.01
    else:
        assert np.abs(seen.transpose(1, 2, 0) - wanted).max() < 0.006  # Pillow rounds twice
        assert np.abs(seen[::-1].transpose(1, 2, 0) - wanted).max() > 0.1


def trained_on(picture: bytes) -> np.ndarray:
    """What a visitor's zip makes of the picture, from 0 to 1."""
    place = io.BytesIO()
    with zipfile.ZipFile(place, "w") as archive:
        for number in range(10):
            archive.writestr(f"{'ab'[number % 2]}/{number}", picture)
    learnt: np.ndarray = uploads.read_zip(place.getvalue()).images[0].astype(np.float32) / 255
    return learnt


@pytest.mark.parametrize("size", [(37, 52), (300, 200), (700, 500), (9, 5)])
@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "JPEG"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_own_pictures_are_seen_as_those_that_were_learnt_from(
    size: tuple[int, int], kind: str, mode: str
) -> None:
    content = written(Image.fromarray(scene(*size)).convert(mode), kind)
    learnt = trained_on(content)
    seen = fit(read(content).pixels, (len(learnt), 28, 28), f"own-{'0' * 32}")
    assert len(learnt) == (1 if mode == "L" else 3)
    small = kind != "JPEG" or min(size) < 224  # a larger one is decoded to fewer pixels for a zip
    assert np.abs(seen - learnt).max() <= (0 if small else 0.15)


def test_a_large_or_transparent_picture_of_ones_own_is_seen_nearly_so() -> None:
    clear = Image.fromarray(np.concatenate([smooth(200, 300), smooth(200, 300, 1)[..., :1]], 2))
    for content in (written(Image.fromarray(smooth(800, 1200))), written(clear)):
        seen = fit(read(content).pixels, (3, 28, 28), "own-")
        # Scaled in two steps, or put on paper before and not after: some levels of 255.
        assert np.abs(seen - trained_on(content)).max() <= 0.03
        assert np.abs(seen[:, 1:] - trained_on(content)[:, :-1]).max() > 0.1


def test_a_colour_is_grey_for_a_network_of_one_channel() -> None:
    red = np.zeros((30, 30, 3), np.uint8)
    red[..., 0] = 255
    assert np.abs(fit(red, (1, 28, 28), "own-") - 0.299).max() < 0.003


@pytest.mark.parametrize(
    ("shape", "data", "wanted"),
    [
        ((2, 28, 28), "", "shape must be 1 or 3 channels, then twice a side from 1 to 1024, got"),
        ((3, 28, 30), "", "got (3, 28, 30)"),
        ((3, 0, 0), "", "got (3, 0, 0)"),
        ((3, 1025, 1025), "", "got (3, 1025, 1025)"),
        ((3, 28, 28), "mnist", "shape must be (1, 28, 28) for mnist, got (3, 28, 28)"),
        ((1, 32, 32), "fashion", "shape must be (1, 28, 28) for fashion, got (1, 32, 32)"),
    ],
)
def test_a_shape_that_no_network_of_ours_has_is_refused(
    shape: tuple[int, int, int], data: str, wanted: str
) -> None:
    with pytest.raises(ValueError, match=r"^shape must be") as caught:
        fit(scene(), shape, data)
    assert wanted in str(caught.value)


def test_a_picture_without_a_pixel_is_refused() -> None:
    with pytest.raises(ValueError, match=r"picture must have a pixel, got the shape \(0, 5, 3\)"):
        fit(np.zeros((0, 5, 3), np.uint8), (3, 224, 224), "")
