"""What there is to learn from, told without loading it: names, classes, shapes and sizes.

This module needs no torch: the server reads it too. The tensors are the business of
`core.shared.data`.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from core.shared import uploads

__all__ = ["OWN", "About", "about"]

OWN = "own-"  # begins the name of a visitor's pictures; what `uploads.keep` returned follows


@dataclass(frozen=True, slots=True)
class About:
    """What is known about a data set before its pixels are read."""

    name: str  # as `core.shared.data.dataset` takes it
    title: str  # for people
    classes: tuple[str, ...]  # the names of the labels 0, 1, 2 …
    shape: tuple[int, int, int]  # of one image: channels, height, width
    training: int  # images to learn from
    validation: int  # images to choose by
    test: int  # images to test with


BUILT_IN = {
    known.name: known
    for known in (
        About(
            name="mnist",
            title="MNIST",
            classes=tuple("0123456789"),
            shape=(1, 28, 28),
            training=50_000,
            validation=10_000,
            test=10_000,
        ),
        About(
            name="fashion",
            title="Fashion-MNIST, a subset",
            classes=(
                "T-shirt/top",
                "Trouser",
                "Pullover",
                "Dress",
                "Coat",
                "Sandal",
                "Shirt",
                "Sneaker",
                "Bag",
                "Ankle boot",
            ),
            shape=(1, 28, 28),
            training=10_000,
            validation=2_000,
            test=2_000,
        ),
    )
}


def about(name: str) -> About:
    """Tell what is known about a data set.

    Args:
        name: "mnist", "fashion" or "own-" and what `uploads.keep` returned.

    Raises: ValueError when there is none of this name, or its pictures are no longer kept.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    kept = name.removeprefix(OWN)
    if kept == name or not uploads.NAME.fullmatch(kept):
        choices = ", ".join(map(repr, BUILT_IN))
        raise ValueError(f"dataset must be {choices} or own pictures, got {name[:60]!r}")
    return _own(name, uploads.folder())


@lru_cache(maxsize=64)  # what a name stands for never changes
def _own(name: str, folder: Path) -> About:
    pictures = uploads.load(folder, name.removeprefix(OWN))
    parts = uploads.split(pictures)
    _, channels, height, width = pictures.images.shape
    return About(
        name=name,
        title="Your pictures",
        classes=pictures.classes,
        shape=(channels, height, width),
        training=len(parts.training),
        validation=len(parts.validation),
        test=len(parts.test),
    )
