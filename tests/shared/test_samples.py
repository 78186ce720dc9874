"""Test images come as they are, and what is strange to a network is far from what it learned."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from core.shared import datasets, loading, photographs, samples, seeing
from core.shared.data import dataset
from core.shared.models import Source

MNIST = Source(kind="built-in", name="mnist")


@pytest.mark.parametrize("index", [0, 7, 9_999, 10_000])
def test_a_test_image_comes_as_it_is(index: int) -> None:
    found = samples.sample("mnist", index)
    test = dataset("mnist", torch.device("cpu")).test
    place = min(index, 9_999)
    assert np.array_equal(found.pixels, test.images[place].numpy())
    assert (found.label, found.count) == (int(test.labels[place]), 10_000)


def test_an_index_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="index must be at least 0, got -1"):
        samples.sample("mnist", -1)


def brute_force(pixels: np.ndarray) -> float:
    """The tenth smallest distance of the penultimate layer's directions, by hand."""
    network = loading.load(MNIST).network
    body = torch.nn.Sequential(*list(network.children())[:-1], torch.nn.Flatten())
    with torch.no_grad():
        images = dataset("mnist", torch.device("cpu")).validation.images[: samples.KNOWN]
        bank = [F.normalize(body(image[None]))[0].double() for image in images]
        ours = F.normalize(body(torch.tensor(pixels)[None]))[0].double()
    return sorted(float((ours - each).norm()) for each in bank)[samples.NEIGHBOUR - 1]


def test_the_distance_is_that_to_the_tenth_nearest_validation_image() -> None:
    images = dataset("mnist", torch.device("cpu")).validation.images[: samples.KNOWN].numpy()
    rows = [np.sort(each, axis=None).astype(float) for each in images]
    for pixels in (samples.sample("mnist", 5).pixels, np.ones((1, 28, 28), np.float32)):
        seen, lit = samples.strangeness(MNIST, pixels)
        assert seen.far == pytest.approx(brute_force(pixels), abs=1e-3)
        ours = np.sort(pixels, axis=None)
        far = sorted(float(np.linalg.norm(ours - each)) for each in rows)[samples.NEIGHBOUR - 1]
        assert lit.far == pytest.approx(far, abs=1e-3)


def test_digits_are_familiar_and_photographs_clothes_and_noise_are_not() -> None:
    def share(pictures: list[np.ndarray]) -> float:
        told = [samples.strangeness(MNIST, each) for each in pictures]
        return float(np.mean([any(e.far > e.usual for e in both) for both in told]))

    def fitted(picture: np.ndarray) -> np.ndarray:
        return seeing.fit(picture, (1, 28, 28), "mnist")

    source = np.random.default_rng(0)
    digits = [samples.sample("mnist", k).pixels for k in range(600, 700)]
    clothes = [samples.sample("fashion", k).pixels for k in range(40)]
    photos = [fitted(photographs.photograph(e.name).pixels) for e in photographs.photographs()]
    noise = [fitted(source.integers(0, 256, (64, 64, 1), np.uint8).repeat(3, 2)) for _ in range(10)]
    assert share(digits) <= 0.05
    assert share(clothes) >= 0.9
    assert share(photos) >= 0.9
    assert share(noise) == 1


def test_a_network_whose_data_nobody_knows_cannot_tell() -> None:
    lite = Source(kind="built-in", name="efficientnet-lite0")
    assert datasets.about("mnist").test == 10_000
    with pytest.raises(ValueError, match="network must have learned from data that are here"):
        samples.strangeness(lite, np.zeros((3, 224, 224), np.float32))
