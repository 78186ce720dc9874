"""The film of an attack, to take away. This module needs no torch: the server draws it."""

import io

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from core.adversarial import Film

__all__ = ["gif"]

SIDE = 240  # pixels of a picture's longer side, about
LINE, GAP = 22, 8  # pixels
LONG, SHORT = 1500, 200  # milliseconds: the best and the last frame, every other
BLUE, ORANGE, PAPER = np.array([0, 114, 178]), np.array([213, 94, 0]), np.array([247, 247, 247])


def gif(film: Film, *, ink: bool = False) -> bytes:
    """Draw the film of an attack: each picture beside its difference to the clean one.

    Args:
        film: of the attack.
        ink: 1 is black, as MNIST's ink is, and not white.
    """
    change = film.pictures.astype(float) - film.pictures[0]
    high = abs(change).max() or 1.0
    scale = max(1, SIDE // max(film.pictures.shape[2:]))
    frames, durations = [], []
    for row, levels, difference in zip(film.shown, film.pictures, change, strict=True):
        shown = np.broadcast_to(255 - levels if ink else levels, (3, *levels.shape[1:]))
        share = (difference.mean(0) / high)[..., None].clip(-1, 1)
        signed = PAPER + (np.where(share > 0, ORANGE, BLUE) - PAPER) * abs(share)
        both = [np.ascontiguousarray(shown.transpose(1, 2, 0)), signed.astype(np.uint8)]
        best = row == film.best
        state = "fooled" if film.margin[row] < 0 else "not fooled"
        words = f"{film.title(row)}: margin {film.margin[row]:.2f}, {state}"
        frames.append(_frame(both, scale, words + (", the best" if best else "")))
        durations.append(LONG if best or row == film.shown[-1] else SHORT)
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0)
    return file.getvalue()


def _frame(pictures: list[np.ndarray], scale: int, words: str) -> Image.Image:
    height, width = (side * scale for side in pictures[0].shape[:2])
    frame = Image.new("RGB", (2 * width + GAP, height + LINE), "white")
    ImageDraw.Draw(frame).text((2, 2), words, "black", ImageFont.load_default(14))
    for place, pixels in enumerate(pictures):
        picture = Image.fromarray(pixels).resize((width, height), Image.Resampling.NEAREST)
        frame.paste(picture, (place * (width + GAP), LINE))
    return frame.quantize(128)
