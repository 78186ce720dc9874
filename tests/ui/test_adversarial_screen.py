"""What the attack screen says of a change that is too far away, undone, or was not needed."""

from dataclasses import replace

import numpy as np
import pytest

from core.adversarial import Attack, Outcome
from core.adversarial.attacking import attack
from core.shared import models
from core.shared.models import Source
from tests.shared.digits import digit
from ui.panels.adversarial.screen import _film, _receipt
from ui.pinned import Pinned

DIGITS = Source(kind="built-in", name="mnist")
NEAREST = Attack(method="deepfool", epsilon=0.05)


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSBOX_DEVICE", "cpu")


def seen() -> Pinned:
    pixels, label = digit(0)
    return Pinned(
        source=DIGITS,
        about=models.about(DIGITS),
        pixels=pixels,
        title="",
        form="",
        label=label,
        foreign="",
        count=0,
        index=0,
        look="ink",
        pad=None,
    )


def receipt(found: Outcome, config: Attack) -> dict[str, tuple[bool | None, str]]:
    rows = _receipt(found, config, models.about(DIGITS), seen()).words["rows"]
    return {title: (holds, told) for holds, title, told in rows}


def under_the_picture(found: Outcome, config: Attack, frame: int) -> str:
    blocks = _film(found, config, models.about(DIGITS), seen(), {"frame": frame})
    return str(blocks[1].words["panels"][0]["range"])


def test_what_was_found_farther_than_the_budget_is_not_said_to_be_undone() -> None:
    pixels, label = digit(0)
    found = attack(DIGITS, pixels, label, NEAREST)
    last = len(found.film.shown) - 1
    row = found.film.shown[last]
    assert not found.fooled
    assert found.film.margin[row] < 0
    assert getattr(found.film, NEAREST.norm)[row] > NEAREST.epsilon
    assert under_the_picture(found, NEAREST, last).endswith(", farther than ε")
    assert under_the_picture(found, NEAREST, 0).endswith(" logits")
    assert receipt(found, NEAREST)["It survives an 8-bit PNG"][1] == "nothing within ε was found"


def test_what_rounding_undid_is_said_to_be() -> None:
    pixels, label = digit(0)
    found = attack(DIGITS, pixels, label, NEAREST)
    last = len(found.film.shown) - 1
    row = found.film.shown[last]
    distance = np.where(np.arange(len(found.film.step)) == row, 0.01, found.film.linf)
    undone = np.arange(len(found.film.step)) == row
    film = replace(found.film, linf=distance, l2=distance, undone=undone)
    near = replace(found, film=film, found=True)
    assert under_the_picture(near, NEAREST, last).endswith(", undone by rounding")
    assert receipt(near, NEAREST)["It survives an 8-bit PNG"][1] == "rounding undoes it"


def test_where_nothing_was_to_do_nothing_was_changed() -> None:
    pixels, label = digit(0)
    found = attack(DIGITS, pixels, (label + 1) % 10, NEAREST)  # it is read as another already
    assert found.already
    assert receipt(found, NEAREST)["It survives an 8-bit PNG"][1] == "nothing was changed"
