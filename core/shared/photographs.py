"""Ten photographs that are always there; `assets/SOURCES.md` says who took them.

This module needs no torch: the server reads it too.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from core.shared import pictures
from core.shared.pictures import Picture

__all__ = ["FOLDER", "Photograph", "photograph", "photographs"]

FOLDER = Path(__file__).parents[2] / "assets" / "photographs"


@dataclass(frozen=True, slots=True)
class Photograph:
    """What is known about a photograph."""

    name: str  # of its file, without .jpg
    title: str  # what a person sees
    label: str  # ImageNet's class of it, as torchvision spells it; "" where it shows none


PHOTOGRAPHS = (
    Photograph("chelsea", "a cat, Chelsea", "tabby"),
    Photograph("coffee", "a cup of coffee", "espresso"),
    Photograph("palace", "a tower of the Summer Palace in Beijing", "palace"),
    Photograph("camera", "a man with a camera on a tripod", "tripod"),
    Photograph("rocket", "a rocket before its launch", "missile"),
    Photograph("astronaut", "the astronaut Eileen Collins", ""),
    Photograph("coins", "Greek coins from Pompeii", ""),
    Photograph("brick", "a wall of bricks", ""),
    Photograph("retina", "the inside of an eye", ""),
    Photograph("hubble", "galaxies, seen by the Hubble telescope", ""),
)


def photographs() -> tuple[Photograph, ...]:
    """List the photographs, those whose class ImageNet knows first."""
    return PHOTOGRAPHS


@lru_cache(maxsize=len(PHOTOGRAPHS))
def photograph(name: str) -> Picture:
    """Read a photograph, as if it had been uploaded.

    Raises: ValueError when there is none of this name.
    """
    names = [each.name for each in PHOTOGRAPHS]
    if name not in names:
        raise ValueError(f"name must be one of {', '.join(names)}, got {name[:60]!r}")
    return pictures.read((FOLDER / f"{name}.jpg").read_bytes())
