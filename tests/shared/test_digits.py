"""MNIST itself is the oracle: its digits, moved and enlarged, come back as they were."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some

from core.shared.data import mnist
from core.shared.digits import centre_by_mass


def originals(count: int) -> np.ndarray:
    """Every so many of the 10,000 test digits."""
    images = mnist(torch.device("cpu")).test.images[:, 0].numpy()
    return images[:: len(images) // count]


def centre(image: np.ndarray) -> tuple[float, float]:
    rows, columns = np.arange(image.shape[0]), np.arange(image.shape[1])
    mass = image.sum()
    return float(image.sum(1) @ rows / mass), float(image.sum(0) @ columns / mass)


def distance(image: np.ndarray, original: np.ndarray) -> float:
    """How much of a digit's ink lies elsewhere, as a share of the ink."""
    return float(np.abs(image - original).sum() / original.sum())


def moved(original: np.ndarray, times: int, row: int, column: int) -> np.ndarray:
    """The same digit, each pixel enlarged, somewhere on a larger sheet."""
    large = np.kron(original, np.ones((times, times), np.float32))
    sheet = np.zeros((large.shape[0] + 40, large.shape[1] + 40), np.float32)
    sheet[row : row + large.shape[0], column : column + large.shape[1]] = large
    return sheet


@pytest.mark.parametrize(("times", "row", "column"), [(1, 3, 31), (3, 0, 0), (4, 40, 17)])
def test_digits_of_mnist_come_back_from_anywhere_and_any_size(
    times: int, row: int, column: int
) -> None:
    apart = []
    for original in originals(500):
        found = centre_by_mass(moved(original, times, row, column))
        assert found is not None
        apart.append(distance(found, original))
    # MNIST was centred before its grey levels were rounded, so a few go one pixel beside, which
    # moves half of a thin stroke's ink; and an edge fainter than our threshold is cut off.
    assert np.mean(np.array(apart) == 0) > 0.9
    assert max(apart) < 0.7


def test_that_oracle_rejects_a_picture_that_is_not_centred_by_mass() -> None:
    apart = []
    for original in originals(100):
        rows, columns = np.nonzero(original > 0.05)
        box = original[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        boxed = np.zeros((28, 28), np.float32)  # centred by its box, as a naive pad would
        top, left = (28 - box.shape[0]) // 2, (28 - box.shape[1]) // 2
        boxed[top : top + box.shape[0], left : left + box.shape[1]] = box
        apart.append(distance(boxed, original))
    assert np.median(apart) > 0.3


@settings(derandomize=True, deadline=None, max_examples=150)
@given(
    height=some.integers(1, 90),
    width=some.integers(1, 90),
    strokes=some.lists(some.tuples(some.floats(0, 1), some.floats(0, 1)), min_size=1, max_size=6),
)
def test_whatever_is_drawn_fits_the_box_and_its_mass_is_in_the_middle(
    height: int, width: int, strokes: list[tuple[float, float]]
) -> None:
    ink = np.zeros((height, width), np.float32)
    for down, along in strokes:
        ink[int(down * (height - 1)), int(along * (width - 1))] = 1
    found = centre_by_mass(ink)
    assert found is not None
    assert found.shape == (28, 28)
    assert found.min() >= 0
    assert found.max() <= 1
    rows, columns = np.nonzero(found)
    assert max(np.ptp(rows), np.ptp(columns)) < 20
    # Half a pixel by rounding; more only where the 20 pixels would else stick out of the 28.
    for middle, places in zip(centre(found), (rows, columns), strict=True):
        at_the_edge = places.min() == 0 or places.max() == 27
        assert abs(middle - 14) <= 0.5 + 1e-4 or at_the_edge


def test_nothing_drawn_is_none() -> None:
    assert centre_by_mass(np.zeros((84, 84), np.float32)) is None
    assert centre_by_mass(np.full((84, 84), 0.04, np.float32)) is None  # fainter than a touch
    assert centre_by_mass(np.zeros((0, 0), np.float32)) is None


@pytest.mark.parametrize("value", [-0.01, 1.01, float("nan"), float("inf"), 255.0])
def test_ink_outside_its_range_is_refused(value: float) -> None:
    ink = np.zeros((84, 84), np.float32)
    ink[3, 5] = value
    with pytest.raises(ValueError, match="ink must be numbers from 0 to 1"):
        centre_by_mass(ink)


def test_the_drawing_itself_is_not_changed() -> None:
    ink = moved(originals(10)[0], 2, 5, 5)
    before = ink.copy()
    centre_by_mass(ink)
    assert np.array_equal(ink, before)
