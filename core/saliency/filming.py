"""The film of what a class wants, to take away. This module needs no torch: the server draws it."""

import numpy as np
from jaxtyping import UInt8

from core.saliency.wishes import PRIORS, Granted, Wanted
from core.shared import filming

__all__ = ["film"]

SIDE = 256  # pixels of a picture's longer side, about
Shown = tuple[int, float, UInt8[np.ndarray, "c h w"]]  # step, logit, picture


def film(granted: Granted, *, ink: bool = False) -> bytes:
    """Draw the climbs as a GIF, side by side, and where they have come to as the last frame.

    Args:
        granted: one picture or more.
        ink: 1 is black, as MNIST's ink is, and not white.
    """
    ways = [_way(told) for told in granted.pictures]
    names = [PRIORS[told.prior] for told in granted.pictures]
    size = filming.size_of(ways[0][-1][2], SIDE)
    frames = []
    for moment in range(max(map(len, ways))):
        shown = [way[min(moment, len(way) - 1)] for way in ways]  # one may have begun later
        words = [f"step {step}: logit {value:.1f}".replace("-", "−") for step, value, _ in shown]
        if len(ways) > 1:
            words = [f"{name}, {said}" for name, said in zip(names, words, strict=True)]
        pictures = [filming.painted(levels, ink=ink) for _, _, levels in shown]
        frames.append(filming.frame(pictures, size, words))
    return filming.film(frames, [False] * (len(frames) - 1) + [True])


def _way(told: Wanted) -> list[Shown]:
    """Give a climb's frames, and last what it has come to, as large as it is."""
    before = [each for each in told.film if each.step < told.step]
    frames: list[Shown] = [(each.step, each.value, each.picture) for each in before]
    now = (255 * told.picture).round().astype(np.uint8)
    return [*frames, (told.step, told.logit, now)]
