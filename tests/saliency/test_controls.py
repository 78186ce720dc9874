"""The controls are what they are called, and know nothing of the network."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from jaxtyping import Float
from scipy import ndimage, signal, stats

from core.saliency import Query, controls
from core.saliency.explaining import CODE, explain
from core.saliency.methods import CONTROL, METHODS
from core.saliency.trials import CONTROLS
from core.shared.loading import load
from tests.saliency.asking import SOURCE, Mute, picture, plane, question
from tests.shared.turning import whole
from tests.shared.untouched import leaves_untouched

SHAPES = ((1, 9, 12), (3, 11, 8))


def drawn(method: str, shape: tuple[int, int, int], seed: int = 0) -> Float[np.ndarray, "h w"]:
    """Ask for a control of a network that must not be asked."""
    asked = question(Mute(), picture(shape), Query(method=method, target=0, seed=seed))
    answer = whole(CODE[method](asked))
    assert asked.passes == asked.gradients == 0
    assert answer.values.shape == (1, *shape[1:])
    values: Float[np.ndarray, "h w"] = answer.values[0].numpy()
    return values


def test_the_controls_are_known_as_such() -> None:
    assert set(CONTROLS) == {name for name, about in METHODS.items() if about.family == CONTROL}
    for name in CONTROLS:
        assert METHODS[name].unit == "none"
        assert not METHODS[name].signed


def are_the_edges(shape: tuple[int, int, int]) -> None:
    """Compare with SciPy's."""
    pixels = picture(shape)[0].double().numpy()
    grey = np.tensordot([0.299, 0.587, 0.114], pixels, 1) if len(pixels) == 3 else pixels[0]
    down, along = (ndimage.sobel(grey, axis, mode="nearest") for axis in (0, 1))
    assert np.allclose(drawn("edges", shape), np.hypot(down, along), atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_edges_are_the_length_of_the_sobel_gradient(shape: tuple[int, int, int]) -> None:
    are_the_edges(shape)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("pad", lambda image, edges, mode: F.pad(image, edges)),  # black around it
        ("_grey", lambda image: image[:, :1]),  # red alone
    ],
)
def test_that_oracle_rejects_other_edges(
    name: str, wrong: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Functional:
        conv2d, pad = F.conv2d, wrong

    if name == "pad":
        monkeypatch.setattr(controls, "F", Functional)
    else:
        monkeypatch.setattr(controls, name, wrong)
    with pytest.raises(AssertionError):
        are_the_edges(SHAPES[1])


def test_random_is_uniform_and_its_seed_is_all_that_it_heeds() -> None:
    values = drawn("random", (3, 60, 50))
    assert stats.kstest(values.ravel(), "uniform").pvalue > 0.01
    assert stats.kstest(values.ravel() ** 1.3, "uniform").pvalue < 0.01  # it is a sharp test
    assert np.array_equal(values, drawn("random", (1, 60, 50)))
    assert not np.array_equal(values, drawn("random", (3, 60, 50), seed=1))


@pytest.mark.parametrize("shape", SHAPES)
def test_the_blob_is_a_bell_in_the_middle(shape: tuple[int, int, int]) -> None:
    _, height, width = shape
    down, along = (signal.windows.gaussian(side, side / 4) for side in (height, width))
    blob = drawn("blob", shape)
    assert np.allclose(blob, np.outer(down, along), atol=1e-6)
    assert not np.allclose(blob, np.roll(np.outer(down, along), 1, 1), atol=1e-2)


@pytest.mark.parametrize("method", CONTROLS)
def test_a_control_is_the_same_for_every_network_and_class(method: str) -> None:
    pixels = torch.rand(1, 28, 28, generator=torch.Generator().manual_seed(3)).numpy()
    network = load(SOURCE).network
    given = [explain(SOURCE, pixels, Query(method=method, target=target)) for target in (1, 7)]
    other = question(
        plane(2, (1, 28, 28)), torch.from_numpy(pixels)[None], Query(method=method, target=0)
    )
    assert np.array_equal(given[0].values, given[1].values)
    assert np.array_equal(given[0].values, whole(CODE[method](other)).values.numpy())
    assert given[0].passes == given[0].gradients == 0
    assert given[0].score != given[1].score
    leaves_untouched(network, lambda: explain(SOURCE, pixels, Query(method=method)))
