"""The film of an attack, to take away. This module needs no torch: the server draws it."""

import numpy as np

from core.adversarial import Film
from core.shared import filming

__all__ = ["gif"]

SIDE = 240  # pixels of a picture's longer side, about
BLUE, ORANGE, PAPER = np.array([0, 114, 178]), np.array([213, 94, 0]), np.array([247, 247, 247])


def gif(film: Film, *, ink: bool = False) -> bytes:
    """Draw the film of an attack: each picture beside its difference to the clean one.

    Args:
        film: of the attack.
        ink: 1 is black, as MNIST's ink is, and not white.
    """
    change = film.pictures.astype(float) - film.pictures[0]
    high = abs(change).max() or 1.0
    size = filming.size_of(film.pictures[0], SIDE)
    rows = [int(row) for row in film.shown]
    frames, long = [], []
    for row, levels, difference in zip(rows, film.pictures, change, strict=True):
        share = (difference.mean(0) / high)[..., None].clip(-1, 1)
        signed = PAPER + (np.where(share > 0, ORANGE, BLUE) - PAPER) * abs(share)
        both = [filming.painted(levels, ink=ink), signed.astype(np.uint8)]
        best = row == film.best
        state = "fooled" if film.margin[row] < 0 else "not fooled"
        words = f"{film.title(row)}: margin {film.margin[row]:.2f}, {state}"
        frames.append(filming.frame(both, size, [words + (", the best" if best else "")]))
        long.append(best or row == rows[-1])
    return filming.film(frames, long)
