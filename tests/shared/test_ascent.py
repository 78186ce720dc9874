"""A step up is the formula, whatever climbs; a blur is scipy's; a frame is the picture, smaller."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from core.shared import ascent
from core.shared.ascent import ascend, frame, frame_steps
from core.shared.blurring import blurred


@dataclass(frozen=True)
class Gait:
    rate: float = 0.05
    jitter: int = 0
    blur: float = 0.8
    every: int = 2
    weight_decay: float = 0.1


def some(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def hill(point: Tensor, shift: Sequence[int]) -> tuple[Tensor, Tensor]:
    """A value whose gradient is known: Σ w x³ / 3 of the shifted picture."""
    weights = some(1, 2, 6, 5, seed=1) - 0.3
    back = [-each for each in shift]
    moved = point.roll(tuple(shift), (2, 3))
    slope = (weights * moved.square()).roll(tuple(back), (2, 3))
    return (weights * moved**3 / 3).sum(), slope


def is_the_formula(step: int, gait: Gait, moved: Tensor, *, held: bool = True) -> None:
    x = some(1, 2, 6, 5).double().numpy()
    w = some(1, 2, 6, 5, seed=1).double().numpy() - 0.3
    slope = w * x**2
    expected = x + gait.rate * slope / np.sqrt((slope**2).mean())
    if held:
        expected += gait.weight_decay * (0.3 - x)
        if (step + 1) % gait.every == 0:
            sigma = (0, 0, gait.blur, gait.blur)
            expected = ndimage.gaussian_filter(expected, sigma, mode="nearest", radius=(0, 0, 2, 2))
    assert moved.numpy() == pytest.approx(expected, abs=1e-5)


def stepped(
    step: int, gait: Gait, *, held: bool = True, slope: ascent.Slope = hill, home: float = 0.3
) -> Tensor:
    source = torch.Generator().manual_seed(3)
    return ascend(slope, some(1, 2, 6, 5), gait, step, source, home, held=held, instead="hill")


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize("step", [0, 1])
def test_a_step_is_the_formula(step: int, held: bool) -> None:
    is_the_formula(step, Gait(), stepped(step, Gait(), held=held), held=held)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: stepped(1, Gait(), slope=lambda p, s: (hill(p, s)[0], -hill(p, s)[1])),
        lambda: stepped(1, Gait(), home=0.0),
        lambda: stepped(1, Gait(rate=0.04)),
        lambda: stepped(1, Gait(blur=0.0)),
        lambda: stepped(0, Gait()),
        lambda: stepped(1, Gait(), held=False),
    ],
    ids=["down", "home", "rate", "no blur", "another step", "bare"],
)
def test_that_formula_rejects_other_steps(wrong: Callable[[], Tensor]) -> None:
    with pytest.raises(AssertionError):
        is_the_formula(1, Gait(), wrong())


def test_a_shift_is_of_the_picture_that_is_asked_about_and_only_while_it_is_held() -> None:
    shifts: list[tuple[int, ...]] = []

    def heard(point: Tensor, shift: Sequence[int]) -> tuple[Tensor, Tensor]:
        shifts.append(tuple(shift))
        return hill(point, shift)

    source = torch.Generator().manual_seed(0)
    for step in range(60):
        gait = Gait(jitter=1)
        ascend(heard, some(1, 2, 6, 5), gait, step, source, 0, held=step < 50, instead="hill")
    assert set(shifts[:50]) == {(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)}
    assert set(shifts[50:]) == {(0, 0)}


def test_a_flat_place_is_not_left_and_one_that_is_no_number_is_refused() -> None:
    def flat(point: Tensor, _: Sequence[int]) -> tuple[Tensor, Tensor]:
        return point.sum(), torch.zeros_like(point)

    def wild(point: Tensor, _: Sequence[int]) -> tuple[Tensor, Tensor]:
        return point.sum(), torch.full_like(point, torch.inf)

    assert stepped(0, Gait(), held=False, slope=flat).equal(some(1, 2, 6, 5))
    with pytest.raises(FloatingPointError, match="not finite after 7 steps: try another hill"):
        stepped(7, Gait(), slope=wild)


@pytest.mark.parametrize("deviation", [0.4, 1.0, 2.3])
def test_a_blur_is_that_of_scipy(deviation: float) -> None:
    picture = some(1, 3, 12, 9)
    radius = max(1, round(3 * deviation))
    sigma = (0, 0, deviation, deviation)
    expected = ndimage.gaussian_filter(
        picture.double().numpy(), sigma, mode="nearest", radius=(0, 0, radius, radius)
    )
    assert blurred(picture, deviation).numpy() == pytest.approx(expected, abs=1e-6)
    other = ndimage.gaussian_filter(picture.double().numpy(), sigma, mode="wrap")
    assert blurred(picture, deviation).numpy() != pytest.approx(other, abs=1e-6)


def test_a_frame_is_the_picture_and_small() -> None:
    picture = some(1, 3, 128, 96)
    made = frame(5, 1.5, picture)
    halves = picture[0].view(3, 64, 2, 48, 2).mean((2, 4)).numpy()
    assert (made.step, made.value, made.picture.shape) == (5, 1.5, (3, 64, 48))
    assert abs(made.picture / 255 - halves).max() <= 0.51 / 255
    small = some(1, 1, 28, 28)
    assert np.array_equal(frame(0, 0.0, small).picture, np.rint(255 * small[0].numpy()))


@pytest.mark.parametrize("steps", [1, 2, 40, 2_000])
def test_a_film_begins_and_ends_with_its_ascent(steps: int) -> None:
    shown = frame_steps(steps)
    assert {0, steps} <= shown <= set(range(steps + 1))
    assert len(shown) <= 24
