"""Cut a picture into superpixels: connected pieces of about one size and one colour each."""

import math

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

__all__ = ["superpixels"]

COMPACTNESS = 0.25  # so much of a colour, black to white is 1, is as far as a superpixel's side
ROUNDS = 10


def superpixels(image: Float[np.ndarray, "c h w"], count: int) -> Int[np.ndarray, "h w"]:
    """Cut a picture into superpixels.

    Pixels go to the nearest mean of colour and place among those near by, and the means move with
    their pixels, beginning with a grid of equal boxes. In the end each piece that hangs together
    with no other of its superpixel but the largest one grows over them.

    Args:
        image: from 0 to 1.
        count: of superpixels, about.

    Returns: the superpixel of each pixel: 0, 1, 2 …, each connected along rows and columns.

    Source: Achanta et al. 2012, "SLIC Superpixels Compared to State-of-the-art Superpixel Methods",
    algorithm 1, here in the picture's own colours, not in CIELAB, and started at the boxes' means.
    """
    height, width = image.shape[1:]
    rows = min(height, max(1, round(math.sqrt(count * height / width))))
    columns = min(width, max(1, round(count / rows)))
    side = math.sqrt(height * width / (rows * columns))
    y, x = np.mgrid[:height, :width]
    labels = (y * rows // height) * columns + x * columns // width
    place = COMPACTNESS / side
    features = np.concatenate([image, place * y[None], place * x[None]]).astype(np.float64)
    for _ in range(ROUNDS):
        labels = _assigned(features, labels, math.ceil(side), place)
    return _connected(labels)


def _assigned(
    features: Float[np.ndarray, "f h w"], labels: Int[np.ndarray, "h w"], reach: int, place: float
) -> Int[np.ndarray, "h w"]:
    """Give each pixel to the nearest mean of those not further away than `reach`, if any."""
    sizes = np.bincount(labels.ravel())
    sums = [np.bincount(labels.ravel(), each.ravel()) for each in features]
    nearest, distances = labels.copy(), np.full(labels.shape, np.inf)
    for label in np.flatnonzero(sizes):
        mean = np.array([each[label] for each in sums]) / sizes[label]
        row, column = (round(each / place) for each in mean[-2:])
        window = tuple(slice(max(0, at - reach), at + reach + 1) for at in (row, column))
        away = np.square(features[:, *window] - mean[:, None, None]).sum(0)
        nearer = away < distances[window]
        distances[window][nearer] = away[nearer]
        nearest[window][nearer] = label
    return nearest


def _connected(labels: Int[np.ndarray, "h w"]) -> Int[np.ndarray, "h w"]:
    """Leave of each label the largest piece; its neighbours grow over the others."""
    pieces = _pieces(labels)
    sizes = np.bincount(pieces.ravel())
    owners = np.zeros(len(sizes), int)
    owners[pieces] = labels
    largest = np.zeros(labels.max() + 1, int)
    order = np.argsort(sizes, kind="stable")
    largest[owners[order]] = order  # the last one to be written is the largest
    grown = np.where(largest[labels] == pieces, labels, -1)
    while (grown < 0).any():
        around = np.pad(grown, 1, constant_values=-1)
        for beside in (around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:]):
            grown = np.where(grown < 0, beside, grown)
    numbers: Int[np.ndarray, "h w"] = np.unique(grown, return_inverse=True)[1]
    return numbers.reshape(labels.shape)


def _pieces(labels: Int[np.ndarray, "h w"]) -> Int[np.ndarray, "h w"]:
    """Number the pieces whose pixels hang together and have one label."""
    number = np.arange(labels.size).reshape(labels.shape)
    below, beside = labels[1:] == labels[:-1], labels[:, 1:] == labels[:, :-1]
    first = np.concatenate([number[:-1][below], number[:, :-1][beside]])
    second = np.concatenate([number[1:][below], number[:, 1:][beside]])
    edges = coo_array((np.ones(len(first), bool), (first, second)), shape=(labels.size,) * 2)
    pieces: Int[np.ndarray, " n"] = connected_components(edges, directed=False)[1]
    return pieces.reshape(labels.shape)
