"""Two runs are twins where nothing but the adversary tells them apart, to their ends."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from core.shared.engine import View
from core.shared.recipes import Recipe
from tests.ui.test_screen import view
from ui.panels.adversarial.hardening import newest_pair

HARD = Recipe(adversary="fgsm", epsilon=0.1)
PLAIN = replace(HARD, adversary="")
RUNS: Mapping[str, Recipe] = {  # the newest first
    "hard 2": HARD,
    "other seed": replace(PLAIN, seed=1),
    "plain 2": PLAIN,
    "hard 1": HARD,
    "plain 1": PLAIN,
}


def pair(*changed: str, branched: str = "", data: str = "mnist") -> tuple[str, ...] | None:
    views: dict[str, View] = {
        run: replace(view(run), origin="another" if run == branched else "") for run in RUNS
    }
    found = newest_pair(views, RUNS, data, lambda run: run in changed)
    return found and tuple(each.run for each in found)


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ((), ("plain 2", "hard 2")),
        (("plain 2",), ("plain 1", "hard 2")),
        (("hard 2",), ("plain 2", "hard 1")),
        (("hard 1", "hard 2"), None),
        (("plain 1", "plain 2"), None),
    ],
)
def test_a_run_that_was_steered_while_it_learned_is_nobodys_twin(
    changed: tuple[str, ...], found: tuple[str, ...] | None
) -> None:
    assert pair(*changed) == found


def test_a_branch_is_none_either_and_other_data_have_none() -> None:
    assert pair(branched="hard 2") == ("plain 2", "hard 1")
    assert pair(data="fashion") is None
