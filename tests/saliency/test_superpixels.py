"""Superpixels hang together, keep to one colour, and are about as good as those of k-means."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from jaxtyping import Float, Int
from scipy import ndimage
from sklearn.cluster import KMeans

from core.saliency.superpixels import COMPACTNESS, _connected, superpixels
from core.shared import photographs, seeing

Labels = Int[np.ndarray, "h w"]


def hang_together(labels: Labels) -> bool:
    """Whether all numbers are there, and each is one piece along rows and columns."""
    numbers = range(labels.max() + 1)
    return labels.min() == 0 and all(ndimage.label(labels == each)[1] == 1 for each in numbers)


def blobs(height: int, width: int, seed: int) -> tuple[Float[np.ndarray, "3 h w"], Labels]:
    """A picture of three colours with round borders, and which colour each pixel has."""
    source = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(source.normal(size=(height, width)), 4)
    kinds = np.digitize(smooth, np.quantile(smooth, (0.33, 0.66)))
    colours = np.array([[0.1, 0.2, 0.9], [0.9, 0.8, 0.1], [0.1, 0.9, 0.3]])
    return colours[kinds].transpose(2, 0, 1), kinds


def rough(height: int, width: int, channels: int, seed: int) -> Float[np.ndarray, "c h w"]:
    return np.random.default_rng(seed).random((channels, height, width))


@given(
    height=some.integers(2, 20),
    width=some.integers(2, 20),
    channels=some.sampled_from((1, 3)),
    count=some.integers(2, 60),
    seed=some.integers(0, 2**31),
)
@settings(derandomize=True, deadline=None, max_examples=60)
def test_superpixels_hang_together_even_in_noise(
    height: int, width: int, channels: int, count: int, seed: int
) -> None:
    labels = superpixels(rough(height, width, channels, seed), count)
    assert labels.shape == (height, width)
    assert hang_together(labels)
    assert 2 <= labels.max() + 1 <= 1.5 * count


def test_that_hanging_together_rejects_strays_and_gaps() -> None:
    whole = np.array([[0, 0, 1], [0, 1, 1]])
    assert hang_together(whole)
    for wrong in ([[0, 1, 1], [1, 0, 1]], [[0, 0, 2], [0, 2, 2]], [[0, 0, 1], [1, 0, 1]]):
        assert not hang_together(np.array(wrong))


@pytest.mark.parametrize("seed", range(3))
def test_each_keeps_to_one_colour(seed: int) -> None:
    """But for strays: a piece of a colour that is smaller than a box may be grown over."""
    picture, kinds = blobs(48, 40, seed)

    def mixed(labels: Labels) -> float:
        """The share of pixels that are in the minority of their superpixel."""
        table = np.zeros((labels.max() + 1, 3))
        np.add.at(table, (labels, kinds), 1)
        return float(1 - table.max(1).sum() / table.sum())

    grid = np.add.outer(np.arange(48) // 8 * 5, np.arange(40) // 8)
    assert mixed(superpixels(picture, 30)) < 0.02
    assert mixed(grid) > 0.15  # the boxes that it begins with


def test_a_picture_of_one_colour_is_cut_into_equal_boxes() -> None:
    wanted = np.add.outer(np.arange(30) // 10 * 4, np.arange(40) // 10)
    assert (superpixels(np.full((3, 30, 40), 0.3), 12) == wanted).all()


@pytest.mark.parametrize(("height", "width", "count"), [(28, 28, 50), (28, 28, 400), (4, 60, 30)])
def test_there_are_about_as_many_as_are_asked_for(height: int, width: int, count: int) -> None:
    """On a smooth picture none is lost; the grid at the start is not always of that many."""
    slope = np.linspace(0, 1, width)[None, None].repeat(height, 1)
    assert 0.8 * count <= superpixels(slope, count).max() + 1 <= 1.25 * count


def test_the_distances_within_are_about_those_of_k_means() -> None:
    """k-means may use means from all over the picture; its start and its rounds are the same."""
    shape, rows = (3, 96, 96), 6
    picture = seeing.fit(photographs.photograph("chelsea").pixels, shape, "")
    side = shape[1] / rows
    y, x = np.mgrid[: shape[1], : shape[2]] * COMPACTNESS / side
    points = np.concatenate([picture, y[None], x[None]]).reshape(5, -1).T.astype(float)

    def means(labels: Labels) -> Float[np.ndarray, "s 5"]:
        return np.array([points[labels.ravel() == k].mean(0) for k in range(labels.max() + 1)])

    def within(labels: Labels) -> float:
        return float(np.square(points - means(labels)[labels.ravel()]).sum())

    grid = np.add.outer(np.arange(96) // 16 * rows, np.arange(96) // 16)
    k_means = KMeans(rows**2, init=means(grid), n_init=1, max_iter=10).fit(points)
    theirs = within(_connected(k_means.labels_.reshape(96, 96)))
    assert within(superpixels(picture, rows**2)) < 1.05 * theirs
    assert within(grid) > 1.3 * theirs


def test_strays_are_grown_over_by_those_beside_them() -> None:
    labels = np.array(
        [
            [0, 0, 0, 0, 1, 1],
            [0, 1, 0, 0, 1, 1],
            [0, 0, 0, 0, 1, 1],
            [3, 3, 3, 3, 1, 0],
        ]
    )
    wanted = np.where(labels == 3, 2, labels)  # there is no 2: the numbers close up
    wanted[1, 1], wanted[3, 5] = 0, 1
    assert (_connected(labels) == wanted).all()


def test_the_same_picture_is_cut_in_the_same_way() -> None:
    picture = rough(24, 24, 3, 0)
    assert (superpixels(picture, 20) == superpixels(picture.copy(), 20)).all()
