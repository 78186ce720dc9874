"""A recipe is all that a run depends on, and refuses what makes no sense."""

import dataclasses
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some

from core.shared.recipes import OPTIMISERS, SCHEDULES, Recipe


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
        ({"learning_rate": float("nan")}, "learning_rate must be above 0"),
        ({"learning_rate": 10.1}, "learning_rate must be above 0"),
        ({"weight_decay": -0.1}, "weight_decay must be from 0 to 1"),
        ({"weight_decay": float("nan")}, "weight_decay must be from 0 to 1"),
        ({"batch_size": 0}, "batch_size must be a whole number from 1 to 10000, got 0"),
        ({"batch_size": 10_001}, "batch_size must be"),
        ({"epochs": 0}, "epochs must be a whole number from 1 to 100"),
        ({"epochs": 101}, "epochs must be"),
        ({"seed": -1}, "seed must be"),
        ({"seed": 2**31}, "seed must be"),
        ({"optimiser": "sgd"}, "optimiser must be one of"),
        ({"schedule": ""}, "schedule must be one of"),
    ],
)
def test_a_value_outside_its_range_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Recipe(**changes)


def test_the_ends_of_each_range_are_taken() -> None:
    Recipe(learning_rate=10.0, batch_size=10_000, epochs=100, seed=2**31 - 1)
    Recipe(learning_rate=1e-9, batch_size=1, epochs=1, seed=0)
    for optimiser in OPTIMISERS:
        for schedule in SCHEDULES:
            recipe = Recipe(optimiser=optimiser, schedule=schedule)
            assert (recipe.optimiser, recipe.schedule) == (optimiser, schedule)


def test_a_recipe_can_be_a_key_and_does_not_change() -> None:
    assert {Recipe(seed=1): "a"}[Recipe(seed=1)] == "a"
    with pytest.raises(dataclasses.FrozenInstanceError):
        Recipe().seed = 2  # type: ignore[misc]


@settings(derandomize=True, deadline=None)
@given(steps=some.integers(40, 400))
def test_the_linear_schedule_is_the_chain_of_two_of_torch(steps: int) -> None:
    rise = max(1, round(steps / 20))
    weight = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.SGD([weight], lr=1.0)
    schedules = torch.optim.lr_scheduler
    up = schedules.LinearLR(optimiser, 1 / rise, 1.0, total_iters=max(1, rise - 1))
    down = schedules.LinearLR(optimiser, 1.0, 0.0, total_iters=steps - rise)
    for step in range(steps):
        share = Recipe().share(step, steps)
        if step < rise:
            assert share == pytest.approx(optimiser.param_groups[0]["lr"], abs=1e-6)
            optimiser.step()
            up.step()
            if step == rise - 1:
                optimiser.param_groups[0]["lr"] = 1.0
        else:
            assert share == pytest.approx(optimiser.param_groups[0]["lr"], abs=1e-6)
            optimiser.step()
            down.step()
    assert Recipe().share(steps, steps) == 0


@given(step=some.integers(0, 500), steps=some.integers(1, 500))
@settings(derandomize=True, deadline=None)
def test_the_constant_schedule_is_constant_and_the_linear_one_never_above_one(
    step: int, steps: int
) -> None:
    assert Recipe(schedule="constant").share(step, steps) == 1
    assert 0 <= Recipe().share(min(step, steps), steps) <= 1


@given(images=some.integers(1, 70_000), size=some.integers(1, 10_000))
@settings(derandomize=True, deadline=None)
def test_an_epoch_has_as_many_steps_as_batches_are_cut(images: int, size: int) -> None:
    cut = len(range(0, images, size))
    assert Recipe(batch_size=size).steps_an_epoch(images) == cut
