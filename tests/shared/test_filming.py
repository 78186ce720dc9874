"""A film is read back by Pillow: its pictures stand where they should, as long as they should."""

import io

import numpy as np
import pytest
from PIL import Image, ImageSequence

from core.shared.filming import GAP, LINE, LONG, SHORT, film, frame, painted, size_of

LEVELS = np.arange(0, 240, 20, dtype=np.uint8).reshape(1, 3, 4)
COLOUR = np.stack([LEVELS[0], 240 - LEVELS[0], LEVELS[0] // 2])
SIZE = (40, 30)  # ten pixels for each


def read(content: bytes) -> tuple[list[np.ndarray], list[int]]:
    with Image.open(io.BytesIO(content)) as shown:
        assert shown.format == "GIF"
        assert shown.info["loop"] == 0
        frames, times = [], []
        for each in ImageSequence.Iterator(shown):
            frames.append(np.asarray(each.convert("RGB")).astype(int))
            times.append(each.info["duration"])
    return frames, times


def holds(found: np.ndarray, left: int, top: int, levels: np.ndarray) -> bool:
    """Tell whether each level fills its ten pixels, but for the palette's rounding."""
    wanted = np.broadcast_to(levels, (3, *levels.shape[1:])).transpose(1, 2, 0)
    wanted = np.kron(wanted.astype(int), np.ones((10, 10, 1), int))
    part = found[top : top + SIZE[1], left : left + SIZE[0]]
    return part.shape == wanted.shape and bool(abs(part - wanted).max() <= 8)


def test_pictures_stand_side_by_side_under_their_words() -> None:
    both = frame([painted(LEVELS), painted(COLOUR)], SIZE, ["one", "two"])
    (found,), _ = read(film([both], [True]))
    assert found.shape == (SIZE[1] + LINE, 2 * SIZE[0] + GAP, 3)
    assert holds(found, 0, LINE, LEVELS)
    assert holds(found, SIZE[0] + GAP, LINE, COLOUR)
    assert not holds(found, 0, LINE, COLOUR)
    for left in (0, SIZE[0] + GAP):
        assert found[:LINE, left : left + SIZE[0]].min() < 100  # there is black text
    (plain,), _ = read(film([frame([painted(LEVELS)], SIZE)], [True]))
    assert plain.shape == (*SIZE[::-1], 3)
    assert holds(plain, 0, 0, LEVELS)


def test_ink_is_black_where_it_is_most() -> None:
    assert np.array_equal(painted(LEVELS, ink=True), 255 - painted(LEVELS))
    assert painted(COLOUR).shape == (3, 4, 3)
    assert tuple(painted(COLOUR)[1, 2]) == tuple(COLOUR[:, 1, 2])


def test_frames_come_in_their_order_and_some_are_dwelt_on() -> None:
    levels = [LEVELS, LEVELS // 2, 255 - LEVELS]
    content = film([frame([painted(each)], SIZE) for each in levels], [False, True, False])
    frames, times = read(content)
    assert times == [SHORT, LONG, SHORT]
    for found, wanted in zip(frames, levels, strict=True):
        assert holds(found, 0, 0, wanted)
    assert not holds(frames[0], 0, 0, levels[1])


@pytest.mark.parametrize(
    ("shape", "side", "size"),
    [((1, 28, 28), 256, (252, 252)), ((3, 20, 40), 80, (80, 40)), ((3, 224, 300), 240, (300, 224))],
)
def test_each_pixel_is_a_square(shape: tuple[int, ...], side: int, size: tuple[int, int]) -> None:
    assert size_of(np.zeros(shape, np.uint8), side) == size
