"""A recipe is all that a run depends on, and refuses what makes no sense."""

import dataclasses
from collections.abc import Callable
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
        ({"optimiser": "lion"}, "optimiser must be one of"),
        ({"loss": "hinge"}, "loss must be one of"),
        ({"initialisation": "ones"}, "initialisation must be one of"),
        ({"momentum": 1.0}, "momentum must be above 0 and below 1, got 1.0"),
        ({"momentum": 0.0}, "momentum must be above 0"),
        ({"l1": -1e-9}, "l1 must be from 0 to 1"),
        ({"dropout": 0.91}, "dropout must be from 0 to 0.9, got 0.91"),
        ({"smoothing": float("nan")}, "smoothing must be from 0 to 0.9"),
        ({"loss": "squared", "smoothing": 0.1}, "smoothing must be 0 with the squared error"),
        ({"adversary": "cw"}, "adversary must be one of"),
        ({"adversary": "pgd"}, "epsilon must be above 0 with an adversary, got 0.0"),
        ({"epsilon": 1.1}, "epsilon must be from 0 to 1"),
        ({"epsilon": float("nan")}, "epsilon must be from 0 to 1"),
        ({"marked": -1}, "marked must be the number of a class or None, got -1"),
        ({"marked": True}, "marked must be the number of a class or None, got True"),
        ({"mark_share": 0.0}, "mark_share must be above 0 and at most 1, got 0.0"),
        ({"mark_share": 1.1}, "mark_share must be above 0"),
        ({"mark_share": float("nan")}, "mark_share must be above 0"),
        ({"images": -1}, "images must be a whole number from 0"),
        ({"patience": 101}, "patience must be a whole number from 0 to 100"),
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


def torch_rates(steps: int, make: Callable[[torch.optim.Optimizer], Any]) -> list[float]:
    """The rates that a schedule of torch gives, from a highest rate of 1."""
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = make(optimiser)
    rates = []
    for _ in range(steps):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    return rates


schedules = torch.optim.lr_scheduler
OF_TORCH: dict[str, Callable[[int], Callable[[torch.optim.Optimizer], Any]]] = {
    "constant": lambda steps: lambda o: schedules.ConstantLR(o, 1.0, 1),
    "cosine": lambda steps: lambda o: schedules.CosineAnnealingLR(o, steps),
    "one-cycle": lambda steps: (
        lambda o: schedules.OneCycleLR(o, 1.0, total_steps=steps + 1, cycle_momentum=False)
    ),
    "step": lambda steps: lambda o: schedules.StepLR(o, -(-steps // 3)),
    "warm-up": lambda steps: (
        lambda o: schedules.LinearLR(
            o, 1 / max(1, round(steps / 20)), total_iters=max(1, round(steps / 20)) - 1
        )
    ),
}


@pytest.mark.parametrize("name", OF_TORCH)
@settings(derandomize=True, deadline=None, max_examples=10)
@given(steps=some.integers(20, 300))
def test_a_schedule_is_that_of_torch_at_every_step(name: str, steps: int) -> None:
    ours = [Recipe(schedule=name).share(step, steps) for step in range(steps)]
    if name == "one-cycle":  # torch's total_steps counts one more than it is stepped
        ours = [Recipe(schedule=name).share(step, steps + 1) for step in range(steps)]
    theirs = torch_rates(steps, OF_TORCH[name](steps))
    assert ours == pytest.approx(theirs, rel=1e-6, abs=1e-9)
    other = "cosine" if name != "cosine" else "step"
    assert ours != pytest.approx(torch_rates(steps, OF_TORCH[other](steps)), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("steps", [1, 2, 3, 4, 7, 10_000])
def test_every_share_is_above_0_and_at_most_1_also_in_short_runs(schedule: str, steps: int) -> None:
    shares = [Recipe(schedule=schedule).share(step, steps) for step in range(steps)]
    assert all(0 < share <= 1 + 1e-12 for share in shares), shares


def test_what_differs_from_the_defaults_is_told() -> None:
    assert Recipe().differs({}) == "η 0.15"
    every = Recipe(images=1000, l1=1e-4, dropout=0.5, patience=2, momentum=0.5, loss="squared")
    told = "η 0.15, 1,000 images, μ 0.5, L1 0.0001, dropout 0.5, squared error, patience 2"
    assert every.differs({}) == told
    against = Recipe(adversary="pgd", epsilon=26 / 255)
    assert against.differs({"pgd": "PGD"}) == "η 0.15, against PGD, ε 26/255"
    assert Recipe(marked=3, mark_share=0.25).differs({}) == "η 0.15, mark on 25 % of class 3"
    assert Recipe(network="fc10").differs({}) == "η 0.15, own table"
    assert Recipe(network="fc10").differs({"fc10": "tiny"}) == "η 0.15, tiny"
