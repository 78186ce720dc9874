"""Distillation: what may be asked for, and how a look at it stands in the address."""

import math
from typing import Any

import pytest

from core.distillation import Distillation
from core.shared.models import Source
from ui import address
from ui.panels.distillation import looking

TEACHER = Source(kind="built-in", name="mnist")


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"temperature": 0.0}, "temperature must be above 0 and at most 100, got 0.0"),
        ({"alpha": math.nan}, "alpha must be from 0 to 1, got nan"),
        ({"arms": ("alone", "alone")}, "arms must be some of"),
        ({"arms": ("genius",)}, "arms must be some of"),
        ({"reduction": "sum"}, "reduction must be one of"),
        ({"left_out": -1}, "left_out must be the number of a class or None, got -1"),
        ({"images": 9}, "images must be a whole number from 10 to 50,000, got 9"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
    ],
)
def test_a_distillation_refuses_what_it_cannot_be(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Distillation(teacher=TEACHER, **wrong)


@pytest.mark.parametrize(
    ("asked", "temperature"),
    [("4", 4.0), ("inf", math.inf), ("0", 0.0), ("-1", 1.0), ("nan", 1.0), ("hot", 1.0), ("", 1.0)],
)
def test_a_temperature_in_the_address_is_one_or_the_usual(asked: str, temperature: float) -> None:
    assert looking.looks_of({"heat_T": asked})["T"] == temperature


def test_every_look_stands_in_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {
        "heat_T": "2.5",
        "heat_logits": "sliders",
        "heat_form": "naive",
        "heat_scale": "log",
        "heat_drawn": "reader",
        "heat_student": "sliders",
        "heat_own": "1,2,3,4,5,6,7,8,9,-20",
        "heat_class": "3",
        "heat_cell": "2-7",
        "heat_text": "import nu",
        "heat_shift": "3.5",
        "heat_bias": "1.5",
        "heat_pulled": "8",
        "heat_faced": "9",
        "heat_image": "10",
    }
    noted: dict[str, str] = {}
    monkeypatch.setattr("ui.address.note", noted.__setitem__)
    looks = looking.looks_of(asked)
    looking.note(looks)
    assert noted == asked
    assert {key: str(value) for key, (value, _) in looking.rules(looks).items()} == asked
    usual = looking.looks_of({})
    assert looks.keys() == usual.keys()
    assert not [name for name in looks if looks[name] == usual[name]]
    looking.note(usual)
    assert not any(noted.values())


@pytest.mark.parametrize("heat", ["inf", "0", "1.23456789", "1", "1e-310"])
def test_no_temperature_that_is_taken_is_complained_of(
    heat: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    toasts: list[str] = []
    monkeypatch.setattr("ui.address.st.session_state", {})
    monkeypatch.setattr("ui.address.st.toast", lambda text, **_: toasts.append(text))
    for asked in (heat, "-1"):
        looks = looking.looks_of({"heat_T": asked})
        address.refuse("heat", {"heat_T": asked}, looking.rules(looks))
    assert len(toasts) == 1  # of the second alone
    assert "heat\\_T must be" in toasts[0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"heat_cell": "2"},
        {"heat_cell": "-1-3"},
        {"heat_shift": "0.3"},
        {"heat_shift": "inf"},
        {"heat_pulled": "-4"},
        {"heat_image": "9" * 5_000},
        {"heat_drawn": "tea"},
    ],
)
def test_a_look_that_cannot_be_had_is_the_usual_one(wrong: dict[str, str]) -> None:
    assert looking.looks_of(wrong) == looking.looks_of({})


def test_ones_own_logits_stand_in_the_address_or_are_the_usual() -> None:
    own = "1,2,3,4,5,6,7,8,9,-20"
    assert looking.looks_of({"heat_own": own})["own"] == (*map(float, own.split(",")),)
    for wrong in ("1,2", "1,2,3,4,5,6,7,8,9,21", "a,b", "nan,2,3,4,5,6,7,8,9,1"):
        assert looking.looks_of({"heat_own": wrong})["own"] == looking.SLIDERS
