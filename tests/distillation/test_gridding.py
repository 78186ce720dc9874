"""Each cell of a grid is what a student of its own makes of the test images."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from core.distillation.distilling import Distilling
from core.distillation.gridding import Gridding, grid
from core.distillation.grids import Grid
from core.shared.turns import WAITING
from tests.distillation.small import TEACHER, Small, bare, small

GRID = Grid(
    teacher=TEACHER,
    widths=(1, 9),
    temperatures=(0.5, 20.0),
    seeds=2,
    images=30,
    alpha=0.2,
    epochs=16,
)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[Small]:
    monkeypatch.setenv("GLASSBOX_DEVICE", "cpu")
    with small(monkeypatch) as found:
        yield found


def filled(config: Grid) -> Gridding:
    """The end of a grid; how far it is never falls, and what is told is never taken back."""
    living, last, told = None, -1.0, None
    for given in grid(config):
        assert torch.is_grad_enabled()
        if given is WAITING:
            continue
        living = given
        assert last <= living.progress <= 1
        last, state = living.progress, living.freeze()
        if told is not None:
            kept = np.isfinite(told)
            assert (state.distilled[kept] == told[kept]).all()
        told = state.distilled
    assert living is not None
    return living


def wrong(network: nn.Module, world: Small) -> int:
    """Test images that a network misreads."""
    test = world.dataset.test
    with torch.no_grad():
        return int((network(test.images).argmax(1) != test.labels).sum())


def expected(world: Small, config: Grid) -> np.ndarray:
    """The errors of students that the barest loop trains, one by one."""
    found = np.full((config.seeds, len(config.widths), 1 + len(config.temperatures)), np.nan)
    for place, each in config.students():
        found[place] = wrong(bare(world, each, each.arms[0]), world)
    return found


def test_each_cell_is_a_students_of_its_own(world: Small) -> None:
    living = filled(GRID)
    state = living.freeze()
    true = expected(world, GRID)
    assert len({*true.ravel()}) > 3  # else the cells could be mistaken for one another
    assert np.abs(state.alone - true[:, :, 0]).max() <= 1  # a tie may fall either way
    assert np.abs(state.distilled - true[:, :, 1:]).max() <= 1
    assert state.teacher_errors == wrong(world.network, world)
    assert (state.tested, state.working, living.progress) == (len(world.dataset.test), "", 1.0)
    assert living._now is None


@pytest.mark.parametrize(
    "changes", [{"widths": (9, 1)}, {"epochs": 3}, {"images": 12}, {"temperatures": (20.0, 0.5)}]
)
def test_another_grid_is_told_apart(world: Small, changes: dict[str, Any]) -> None:
    other = expected(world, replace(GRID, **changes))
    assert np.abs(filled(GRID).errors - other).max() > 1


def test_a_grid_says_whom_it_teaches_and_knows_what_it_does_not_know(world: Small) -> None:
    states = [given.freeze() for given in grid(GRID) if given is not WAITING]
    assert np.isnan(states[0].alone).all()
    assert states[0].teacher_errors is None
    told = [state.working for state in states]
    assert "now 1 units, alone, seed 0" in told
    assert "now 9 units, distilled at T = 20, seed 1" in told


def test_a_grid_that_is_given_up_lets_go(world: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    living = []

    def gone(self: Distilling) -> Iterator[object]:
        raise FloatingPointError("diverged")
        yield

    monkeypatch.setattr(Distilling, "measure", gone)
    with pytest.raises(FloatingPointError, match="diverged"):
        living += [*grid(GRID)]
    work = grid(GRID)
    first = next(work)
    with pytest.raises(FloatingPointError):
        next(work)
    assert first._now is None


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"widths": ()}, "widths must be 1 to 8 values, each once, got ()"),
        ({"widths": (4, 4)}, "widths must be 1 to 8 values, each once"),
        ({"widths": (0,)}, "widths must be whole numbers from 1 to 1,200, got 0"),
        ({"temperatures": (0.0,)}, "temperature must be above 0 and at most 100, got 0.0"),
        ({"seeds": 0}, "seeds must be a whole number from 1 to 10, got 0"),
        ({"seeds": True}, "seeds must be a whole number from 1 to 10, got True"),
        ({"alpha": 2.0}, "alpha must be from 0 to 1, got 2.0"),
        ({"epochs": 0}, "epochs must be a whole number from 1 to 100, got 0"),
    ],
)
def test_a_grid_refuses_what_it_cannot_be(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)):
        replace(GRID, **changes)
