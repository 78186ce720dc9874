"""The film of what a class wants shows each climb as far as it came, and last what it came to."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageSequence

from core.saliency.filming import film
from core.saliency.wishes import GENERATOR, NONE, Granted, Wanted
from core.shared import filming
from core.shared.frames import Frame

SIDE = 4
SHOWN = 256  # pixels of the film a picture's side
NAN = float("nan")


def wanted(prior: str, levels: list[int], now: int) -> Wanted:
    """A climb whose picture was of these levels after 0, 1, 2 … steps, and is of another now."""
    film = tuple(
        Frame(step, -1.5, np.full((1, SIDE, SIDE), level, np.uint8))
        for step, level in enumerate(levels)
    )
    picture = np.full((1, 2 * SIDE, 2 * SIDE), now / 255)  # a frame may be smaller
    return Wanted(
        prior=prior,
        step=len(levels),
        logit=2.5,
        probability=0.5,
        gradient=1.0,
        picture=picture,
        film=film,
        nearest=None,
    )


def granted(*pictures: Wanted) -> Granted:
    return Granted(
        pictures=pictures,
        steps=9,
        mean=None,
        mean_logit=NAN,
        mean_probability=NAN,
        usual=NAN,
        working="",
    )


def levels(content: bytes) -> list[list[int]]:
    """Of each frame the level in the middle of each picture."""
    with Image.open(io.BytesIO(content)) as shown:
        frames = [np.asarray(each.convert("L")) for each in ImageSequence.Iterator(shown)]
    middle = filming.LINE + SHOWN // 2
    return [[int(each) for each in frame[middle, SHOWN // 2 :: SHOWN + 8]] for frame in frames]


def is_the_climb(content: bytes, climbs: list[list[int]]) -> bool:
    wanted = [list(each) for each in zip(*climbs, strict=True)]
    found = levels(content)
    return len(found) == len(wanted) and bool(abs(np.subtract(found, wanted)).max() <= 4)


BOTH = granted(wanted(NONE, [0, 40, 80], 120), wanted(GENERATOR, [200], 160))


def test_who_began_later_waits_for_the_other() -> None:
    assert is_the_climb(film(BOTH), [[0, 40, 80, 120], [200, 160, 160, 160]])
    ink = [[255, 215, 175, 135], [55, 95, 95, 95]]
    assert is_the_climb(film(BOTH, ink=True), ink)
    assert is_the_climb(film(granted(wanted(NONE, [9], 90))), [[9, 90]])


def test_that_comparison_rejects_another_film() -> None:
    assert not is_the_climb(film(BOTH, ink=True), [[0, 40, 80, 120], [200, 160, 160, 160]])
    other = granted(wanted(NONE, [0, 40, 80], 120), wanted(GENERATOR, [200, 180], 160))
    assert not is_the_climb(film(other), [[0, 40, 80, 120], [200, 160, 160, 160]])


def test_the_step_that_it_came_to_is_shown_once() -> None:
    ended = wanted(NONE, [0, 40], 120)
    last = Frame(2, 2.5, np.full((1, SIDE, SIDE), 120, np.uint8))
    ended = replace(ended, film=(*ended.film, last))
    assert is_the_climb(film(granted(ended)), [[0, 40, 120]])


def test_of_one_climb_no_name_is_said_and_of_two_both_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[list[str]] = []
    own = filming.frame

    def noted(pictures: list[np.ndarray], size: tuple[int, int], words: list[str]) -> Image.Image:
        said.append(words)
        return own(pictures, size, words)

    monkeypatch.setattr(filming, "frame", noted)
    film(granted(BOTH.pictures[0]))
    assert [said[0], said[-1]] == [["step 0: logit −1.5"], ["step 3: logit 2.5"]]
    film(BOTH)
    assert said[-1] == [
        "each pixel by itself, step 3: logit 2.5",
        "by a generator, step 1: logit 2.5",
    ]
