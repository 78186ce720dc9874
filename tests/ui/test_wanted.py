"""The tab of the picture that a class wants: its settings are a wish's, and what it says is so."""

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest

from core.saliency.wishes import GENERATOR, NONE, Granted, Neighbour, Wanted, Wish
from core.shared import models
from core.shared.frames import Frame
from core.shared.models import Source
from ui.blocks import Block, pack
from ui.panels.saliency.wanted import CHOICES, NOW, PHOTOGRAPHS, USUAL, draw

MNIST = Source(kind="built-in", name="mnist")
WISH = Wish(source=MNIST, target=8)
PIXELS = np.full((1, 28, 28), 0.25)


def test_each_value_that_can_be_chosen_is_a_wishs_and_the_usual_are_among_them() -> None:
    for name, (_, values, _) in CHOICES.items():
        for value in values:
            change: dict[str, Any] = {name: value}
            assert getattr(replace(WISH, **change), name) == value
        assert USUAL[name] == getattr(WISH, name)
        assert (USUAL | PHOTOGRAPHS)[name] in values


def told(prior: str, far: float) -> Wanted:
    film = tuple(
        Frame(step, step - 2.5, np.full((1, 28, 28), 10 * step, np.uint8)) for step in (0, 1, 4)
    )
    return Wanted(
        prior=prior,
        step=4,
        logit=-1.25,
        probability=0.8125,
        gradient=3.0,
        picture=PIXELS,
        film=film,
        nearest=Neighbour(index=1234, label=8, distance=far, logit=7.0, pixels=PIXELS),
    )


STATE = Granted(
    pictures=(told(NONE, 9.0), told(GENERATOR, 1.9)),
    steps=4,
    mean=PIXELS,
    mean_logit=-0.5,
    mean_probability=0.25,
    usual=4.0,
    working="",
)


def drawn(state: Granted, place: int = NOW) -> list[Block]:
    blocks = draw(state, asdict(WISH), models.about(MNIST), place)
    assert pack({}, blocks)  # what the browser gets
    return blocks


def kinds(blocks: list[Block], kind: str) -> list[Block]:
    return [each for each in blocks if each.words["kind"] == kind]


def test_what_it_says_is_what_is_known() -> None:
    free, made, mean = kinds(drawn(STATE), "maps")
    assert [panel["name"] for panel in free.words["panels"]] == [
        "Each pixel by itself, step 4",
        "The nearest training image",
    ]
    assert free.words["panels"][0]["range"] == "logit −1.2, 81.2 %; gradient 3"
    assert made.words["panels"][1]["range"] == "No. 1,234, an 8: L₂ 1.90; logit 7.0"
    assert mean.words["panels"][0]["range"] == "logit −0.5, 25.0 %"


def test_who_is_near_a_training_image_has_copied_it() -> None:
    (checks,) = kinds(drawn(STATE), "checks")
    assert [holds for holds, _, _ in checks.words["rows"]] == [True, False]
    assert "1.90 from its nearest training image; test images of 8 are 4.00" in str(checks.words)
    assert "4.00 from theirs, and a copy is nearer than 0.5 of that" in str(checks.words)
    (checks,) = kinds(drawn(replace(STATE, usual=float("nan"))), "checks")
    assert [holds for holds, _, _ in checks.words["rows"]] == [None, None]


def test_the_film_shows_a_picture_as_it_was() -> None:
    blocks = drawn(STATE, place=1)
    free = kinds(blocks, "maps")[0]
    assert free.words["panels"][0]["name"] == "Each pixel by itself, step 1"
    assert free.words["panels"][0]["range"] == "logit −1.5"
    assert free.words["panels"][1]["name"] == "The nearest training image to step 4"
    assert free.numbers[:784] == pytest.approx(np.full(784, 10 / 255))
    (film,) = kinds(blocks, "drag")
    assert film.words["names"] == ["step 0", "step 1", "step 4", "now"]


def test_what_is_not_there_yet_has_its_place_and_says_why() -> None:
    blocks = drawn(replace(STATE, pictures=(), working="now an autoencoder learns"))
    assert [len(each.words["panels"]) for each in blocks] == [2, 2]
    assert blocks[1].words["panels"][0]["range"] == "now an autoencoder learns"
    half = drawn(replace(STATE, pictures=STATE.pictures[:1]))
    assert len(kinds(half, "maps")) == 3


def test_where_the_data_are_not_here_there_are_only_pixels() -> None:
    lite = Source(kind="built-in", name="efficientnet-lite0")
    large = replace(told(NONE, 0.0), picture=np.zeros((3, 224, 224)), nearest=None)
    nan = float("nan")
    state = replace(STATE, pictures=(large,), mean=None, mean_logit=nan, usual=nan)
    wish = replace(WISH, source=lite, priors=(NONE,))
    blocks = draw(state, asdict(wish), models.about(lite), NOW)
    assert pack({}, blocks)
    assert [each.words["kind"] for each in blocks] == ["maps", "lines", "drag"]
    assert len(blocks[0].words["panels"]) == 1
