"""The film of an attack shows each picture beside its difference, and dwells on the best."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageSequence

from core.adversarial import Film
from core.adversarial.filming import BLUE, ORANGE, PAPER, gif
from core.shared import filming

SIDE, SCALE = 6, 40  # pixels of the picture; of the film, for each of them
PICTURES = np.full((3, 1, SIDE, SIDE), 100, np.uint8)
PICTURES[1, 0, :3] += 40  # half of the largest change
PICTURES[2, 0, :3] += 80
PICTURES[2, 0, 3:, 3:] -= 80


def film(best: int = 2, margins: tuple[float, ...] = (2.0, 1.5, 0.5, -1.0)) -> Film:
    """Four rows, of which three have pictures."""
    count = len(margins)
    zeros = np.zeros(count)
    return Film(
        step=np.arange(count) - 1,
        margin=np.array(margins),
        p_true=zeros,
        p_other=zeros,
        linf=zeros,
        l2=zeros,
        l0=zeros.astype(int),
        gradient=zeros,
        queries=zeros.astype(int),
        undone=zeros.astype(bool),
        best=best,
        shown=np.array([0, 2, 3]),
        pictures=PICTURES,
    )


def drawn(content: bytes) -> tuple[list[np.ndarray], list[int]]:
    """Of each frame the colour of each pixel of both pictures, and how long it stays."""
    frames, times = [], []
    with Image.open(io.BytesIO(content)) as shown:
        for each in ImageSequence.Iterator(shown):
            pixels = np.asarray(each.convert("RGB")).astype(int)[filming.LINE + SCALE // 2 :: SCALE]
            second = SIDE * SCALE + filming.GAP + SCALE // 2
            both = pixels[:, SCALE // 2 : SIDE * SCALE : SCALE], pixels[:, second::SCALE]
            frames.append(np.stack(both))
            times.append(each.info["duration"])
    return frames, times


def is_the_attack(content: bytes, *, ink: bool = False) -> bool:
    """Tell whether pictures and changes are shown, orange above 0 and blue below, on one scale."""
    frames, _ = drawn(content)
    sizes = {0: (0.0, 0.0), 1: (0.5, 0.0), 2: (1.0, 1.0)}  # of the changes, up and down
    for k, (picture, change) in enumerate(frames):
        levels = 255 - PICTURES[k, 0].astype(int) if ink else PICTURES[k, 0].astype(int)
        up, down = sizes[k]
        wanted = np.full((SIDE, SIDE, 3), PAPER, float)
        wanted[:3] = PAPER + up * (ORANGE - PAPER)
        wanted[3:, 3:] = PAPER + down * (BLUE - PAPER)
        if abs(picture - levels[..., None]).max() > 8 or abs(change - wanted).max() > 8:
            return False
    return len(frames) == len(PICTURES)


@pytest.mark.parametrize("ink", [False, True])
def test_each_picture_stands_beside_its_change(ink: bool) -> None:
    assert is_the_attack(gif(film(), ink=ink), ink=ink)


def test_that_comparison_rejects_another_film() -> None:
    assert not is_the_attack(gif(film(), ink=True))
    assert not is_the_attack(gif(replace(film(), pictures=PICTURES[:, :, ::-1])))
    flipped = 200 - PICTURES  # each change the other way
    assert not is_the_attack(gif(replace(film(), pictures=flipped)))


@pytest.mark.parametrize(("best", "long"), [(2, [False, True, True]), (3, [False, False, True])])
def test_the_best_and_the_last_are_dwelt_on(best: int, long: list[bool]) -> None:
    _, times = drawn(gif(film(best)))
    assert [each == filming.LONG for each in times] == long


def test_the_words_say_the_step_and_whether_it_is_fooled(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    own = filming.frame

    def noted(pictures: list[np.ndarray], size: tuple[int, int], words: list[str]) -> Image.Image:
        said.extend(words)
        return own(pictures, size, words)

    monkeypatch.setattr(filming, "frame", noted)
    gif(film(3))
    assert said == [
        "clean: margin 2.00, not fooled",
        "step 1: margin 0.50, not fooled",
        "step 2: margin -1.00, fooled, the best",
    ]
