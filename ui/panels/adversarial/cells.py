"""What the matrices have in common: the attack as it is set, the cell that is looked at."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from core.adversarial import METHODS, NORMS, Attack
from core.shared.models import About
from ui import blocks
from ui.blocks import Block, Picture
from ui.panels.adversarial.settings import epsilon_of, said
from ui.pinned import look_of

__all__ = ["PLACES", "as_set", "cell_of", "gallery", "made", "tell_cell"]

PLACES = 6  # of the gallery

Cell = tuple[int, int]


def as_set(config: Attack, looks: Mapping[str, Any]) -> tuple[Attack, str]:
    """Give the attack that is set beside the screen, away from the true class, and say which."""
    epsilon = epsilon_of(config.norm, looks["places"][config.norm])
    told = (
        f"{config.about.title} as it is set on the right, up to {said(config.norm, epsilon)} in "
        f"{NORMS[config.norm]}"
    )
    return replace(config, epsilon=epsilon, target=None), told


def made(config: Mapping[str, Any]) -> tuple[str, str]:
    """Name a study's attack and its budget."""
    norm = str(config["norm"])
    return METHODS[str(config["method"])].title, said(norm, float(config["epsilon"]))


def cell_of(looks: Mapping[str, Any], name: str, shape: tuple[int, ...]) -> Cell | None:
    """Give the cell that is looked at; None where there is none, or none that a matrix has."""
    cell: Cell | None = looks.get(name)
    known = cell is not None and cell[0] < shape[0] and cell[1] < shape[1]
    return cell if known else None


def tell_cell(looks: dict[str, Any], name: str) -> Callable[[Any], None]:
    """Say what to do when a cell is clicked; None lets go of it."""

    def tell(told: Any) -> None:
        looks[name] = None if told is None else (int(told[0]), int(told[1]))

    return tell


def gallery(name: str, hint: str, pictures: Sequence[Picture], about: About) -> Block:
    """Show pictures of a cell beside the matrix."""
    return blocks.gallery(
        name,
        "Its pictures, changed",
        hint,
        pictures[:PLACES],
        grey=look_of(about) == "grey",
        columns=3,
        places=PLACES,
        span=5,
    )
