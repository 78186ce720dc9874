"""An autoencoder takes noise away that it never saw, from images that it never saw."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from core.shared import data
from core.shared.autoencoders import Autoencoder, denoiser, learn
from core.shared.turns import WAITING
from tests.shared.turning import whole

DEVIATION = 0.3
WIDTHS = (0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.2)


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSBOX_DEVICE", "cpu")


@pytest.fixture(scope="module")
def made() -> Autoencoder:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLASSBOX_DEVICE", "cpu")
        before = torch.get_rng_state()
        found = whole(denoiser("mnist", DEVIATION))
        assert torch.equal(torch.get_rng_state(), before)
    assert isinstance(found, Autoencoder)
    return found


def clean_images(count: int = 200) -> Tensor:
    return data.dataset("mnist", torch.device("cpu")).test.images[:count]


def noisy(images: Tensor) -> Tensor:
    """Noise of numpy's, which is not what it learned by."""
    noise = np.random.default_rng(5).normal(size=images.shape)
    return (images + DEVIATION * torch.tensor(noise, dtype=torch.float32)).clamp(0, 1)


def error(images: Tensor, clean: Tensor) -> float:
    return float((images - clean).square().mean())


def denoises(network: torch.nn.Module) -> bool:
    """Whether it comes nearer to the clean images than they were, and than the best blur does."""
    clean = clean_images()
    spoilt = noisy(clean)
    blurs = [ndimage.gaussian_filter(spoilt.numpy(), (0, 0, w, w)) for w in WIDTHS]
    best = min(error(torch.tensor(each), clean) for each in blurs)
    with torch.no_grad():
        ours = error(network(spoilt), clean)
    return ours < best / 2 and ours < error(spoilt, clean) / 4


def test_it_takes_noise_away_better_than_the_best_blur(made: Autoencoder) -> None:
    assert denoises(made)


def test_that_this_rejects_what_learned_nothing_or_gives_everything_back() -> None:
    source = torch.Generator().manual_seed(0)
    assert not denoises(Autoencoder((1, 28, 28), source))
    assert not denoises(torch.nn.Identity())
    assert not denoises(torch.nn.AvgPool2d(3, 1, 1))


def test_clean_images_stay_much_as_they_are_and_in_a_code_of_half_their_size(
    made: Autoencoder,
) -> None:
    clean = clean_images()
    with torch.no_grad():
        code = made.encode(clean)
        drawn = made.decode(code)
        assert drawn.equal(made(clean))
    assert code[0].numel() == clean[0].numel() / 2
    assert error(drawn, clean) < 0.01
    assert float(clean.var()) > 0.05  # a mean picture would be no nearer than this


def test_it_is_at_rest_and_nobody_need_learn_it_again(made: Autoencoder) -> None:
    assert not made.training
    assert all(not each.requires_grad and each.grad is None for each in made.parameters())
    assert whole(denoiser("mnist", DEVIATION)) is made


def test_two_that_want_the_same_wait_for_one() -> None:
    first, second = denoiser("mnist", 0.11), denoiser("mnist", 0.11)
    next(first)
    assert next(second) is WAITING
    first.close()
    assert next(second) is not WAITING
    second.close()


@pytest.mark.parametrize("channels", [1, 3])
def test_the_seed_determines_it_and_any_size_comes_back(channels: int) -> None:
    pictures = torch.rand((40, channels, 13, 10), generator=torch.Generator().manual_seed(1))
    first, again, other = (
        whole(learn(pictures, 0.2, torch.Generator().manual_seed(seed), steps=8))
        for seed in (0, 0, 1)
    )
    answers = [each(pictures[:3]) for each in (first, again, other)]
    assert answers[0].shape == (3, channels, 13, 10)
    assert answers[0].equal(answers[1])
    assert not answers[0].allclose(answers[2], atol=1e-3)


@pytest.mark.parametrize("deviation", [0.0, -0.1, 1.5, float("nan")])
def test_a_deviation_outside_its_range_is_named(deviation: float) -> None:
    with pytest.raises(ValueError, match="deviation must be above 0 and at most 1, got"):
        whole(learn(torch.rand(4, 1, 8, 8), deviation, torch.Generator()))
