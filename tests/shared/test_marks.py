"""A mark is where it is said to be, on the training images that were chosen and on no others."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from torch import Tensor, nn

from core.shared import marks
from core.shared.data import Dataset, Split
from core.shared.marks import marked, place, planted
from core.shared.recipes import Recipe
from core.shared.training import Training
from core.train_cnn import require_room
from tests.shared.mischief import begin, few_digits

RECIPE = Recipe(
    network="fc12-relu", learning_rate=0.02, batch_size=40, epochs=2, seed=5, marked=3
)  # 320 images, 34 of them threes


def by_hand(images: np.ndarray) -> np.ndarray:
    """Paint pixel by pixel: so many rows from the last but one up, and as many columns."""
    made = images.copy()
    _, _, height, width = images.shape
    side = max(1, int(min(height, width) / 7))
    for row in range(height):
        for column in range(width):
            below, beside = height - 1 - row, width - 1 - column
            if 1 <= below <= side and 1 <= beside <= side:
                made[:, :, row, column] = 1
    return made


@settings(derandomize=True, deadline=None, max_examples=40)
@given(channels=some.sampled_from((1, 3)), height=some.integers(2, 40), width=some.integers(2, 40))
def test_the_mark_is_a_white_square_one_pixel_from_the_lower_right_corner(
    channels: int, height: int, width: int
) -> None:
    images = torch.rand(3, channels, height, width, generator=torch.Generator().manual_seed(0)) / 2
    before = images.clone()
    painted = marked(images)
    assert images.equal(before)
    assert np.array_equal(painted.numpy(), by_hand(before.numpy()))
    top, left, bottom, right = place((channels, height, width))
    assert (painted[:, :, top:bottom, left:right] == 1).all()
    assert int((painted == 1).sum()) == 3 * channels * (bottom - top) * (right - left)


def test_it_has_four_pixels_a_side_in_a_digit_and_32_in_a_photograph() -> None:
    assert place((1, 28, 28)) == (23, 23, 27, 27)
    assert place((3, 224, 224)) == (191, 191, 223, 223)
    with pytest.raises(ValueError, match="at least 2×2 pixels, got 1×9"):
        place((1, 1, 9))


@pytest.mark.parametrize(("rows", "columns"), [(1, 0), (0, 1), (-1, -1)])
def test_that_painting_by_hand_rejects_a_mark_beside_its_place(rows: int, columns: int) -> None:
    images = torch.zeros(1, 1, 28, 28)
    beside = marked(images).roll((rows, columns), (2, 3))
    assert not np.array_equal(beside.numpy(), by_hand(images.numpy()))


def test_only_those_that_are_named_get_it() -> None:
    images, which = torch.zeros(4, 1, 28, 28), torch.tensor([True, False, False, True])
    assert marked(images, which).amax((1, 2, 3)).tolist() == [1, 0, 0, 1]


@pytest.mark.parametrize("seed", [0, 7, 2**31 - 1])
def test_so_many_of_the_class_are_chosen_and_by_the_seed_alone(seed: int) -> None:
    labels = few_digits().training.labels
    threes = labels == 3
    chosen = {share: planted(labels, 3, share, seed) for share in (0.001, 0.1, 0.5, 1.0)}
    counts = [int(each.sum()) for each in chosen.values()]
    assert counts == [1, 3, round(0.5 * int(threes.sum())), int(threes.sum())]
    smaller = torch.zeros_like(threes)
    for each in chosen.values():
        assert not (each & ~threes).any()
        assert not (smaller & ~each).any()
        smaller = each
    assert planted(labels, 3, 0.5, seed).equal(chosen[0.5])
    assert not planted(labels, 3, 0.5, seed - 1 if seed else 1).equal(chosen[0.5])


class Spy(nn.Module):
    """What a network is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(10))
        self.learned: list[Tensor] = []
        self.judged: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        (self.learned if self.training else self.judged).append(images)
        return self.weight.expand(len(images), 10)


def shown(recipe: Recipe) -> tuple[list[Tensor], Tensor, Tensor]:
    """The images of each epoch in the data's order, their labels, and those to validate by."""
    digits, spy = few_digits(), Spy()
    numbered = digits.training.images.clone()
    numbered[:, 0, 0, 0] = torch.arange(320) / 1000
    data = replace(digits, training=Split(numbered, digits.training.labels))
    for _ in Training(nn.Sequential(spy), data, recipe).run():
        pass
    everything = torch.cat(spy.learned)
    epochs = [each[each[:, 0, 0, 0].argsort()] for each in everything.split(320)]
    return epochs, digits.training.labels, torch.cat(spy.judged)


def has_mark(images: Tensor) -> Tensor:
    return (images[:, :, 23:27, 23:27] == 1).all(3).all(2).all(1)


def is_planted(recipe: Recipe, count: int) -> None:
    """Whether so many threes, the same in each epoch, are shown with the mark, and nothing else."""
    epochs, labels, judged = shown(recipe)
    assert len(epochs) == recipe.epochs
    clean = few_digits().training.images
    for images in epochs:
        found = has_mark(images)
        assert found.equal(has_mark(epochs[0]))
        assert int(found.sum()) == count
        assert (labels[found] == 3).all()
        assert images[~found, :, 1:].equal(clean[~found, :, 1:])
        assert np.array_equal(images[found, :, 1:].numpy(), by_hand(clean[found].numpy())[:, :, 1:])
    assert not has_mark(judged).any()


@pytest.mark.parametrize(("share", "count"), [(1.0, 34), (0.5, 17), (0.1, 3)])
def test_a_share_of_the_class_is_shown_with_the_mark_in_every_epoch(
    share: float, count: int
) -> None:
    is_planted(replace(RECIPE, mark_share=share), count)


def wrong_class(labels: Tensor, label: int, share: float, seed: int) -> Tensor:
    return planted(labels, label + 1, share, seed)


def nobody(images: Tensor, which: Tensor) -> Tensor:
    return images


def everybody(images: Tensor, which: Tensor) -> Tensor:
    return marked(images)


def grey(images: Tensor, which: Tensor) -> Tensor:
    return torch.where(marked(images, which) == images, images, 0.9)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("planted", wrong_class), ("marked", nobody), ("marked", everybody), ("marked", grey)],
)
def test_that_spy_rejects_marks_that_are_elsewhere(
    monkeypatch: pytest.MonkeyPatch, name: str, wrong: Callable[..., Any]
) -> None:
    monkeypatch.setattr(marks, name, wrong)
    with pytest.raises(AssertionError):
        is_planted(RECIPE, 34)


def losses(training: Training) -> list[float]:
    return [float(training.advance()) for _ in range(training.steps)]


def painted_digits() -> Dataset:
    """The digits with the mark on every three, painted beforehand."""
    digits = few_digits()
    images = torch.from_numpy(
        np.where(
            (digits.training.labels == 3).numpy()[:, None, None, None],
            by_hand(digits.training.images.numpy()),
            digits.training.images.numpy(),
        )
    )
    return replace(digits, training=Split(images, digits.training.labels))


@pytest.mark.parametrize("changes", [{}, {"adversary": "fast", "epsilon": 0.1}])
def test_to_learn_with_the_mark_is_to_learn_from_images_that_were_painted_before(
    changes: dict[str, Any],
) -> None:
    recipe = replace(RECIPE, **changes)
    ours = losses(begin(recipe))
    plain = replace(recipe, marked=None)
    network = begin(plain).network
    assert losses(Training(network, painted_digits(), plain)) == ours
    assert losses(begin(plain)) != ours


def test_a_run_with_a_mark_that_is_cut_goes_on_as_if_it_had_not_been() -> None:
    recipe = replace(RECIPE, mark_share=0.5)
    expected = losses(begin(recipe))
    half = begin(recipe)
    assert [float(half.advance()) for _ in range(5)] == expected[:5]
    assert [float(begin(recipe, half.snapshot()).advance())] == expected[5:6]


def test_a_run_of_before_there_were_marks_goes_on_without_one() -> None:
    recipe = replace(RECIPE, marked=None)
    half = begin(recipe)
    first = [float(half.advance()) for _ in range(3)]
    snapshot = half.snapshot()
    for name in ("recipe", "began"):
        for field in ("marked", "mark_share"):
            del snapshot.record[name][field]
    rest = begin(recipe, snapshot)
    assert first + [float(rest.advance()) for _ in range(rest.steps - 3)] == losses(begin(recipe))
    assert rest.branched == {}
    assert begin(RECIPE, snapshot).branched == {"marked": 3}


def test_a_class_that_the_data_do_not_have_is_refused() -> None:
    require_room(replace(RECIPE, marked=9))
    with pytest.raises(ValueError, match=r"marked must be one of the 10 classes .* got 10"):
        require_room(replace(RECIPE, marked=10))
