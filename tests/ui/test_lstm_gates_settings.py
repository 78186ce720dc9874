"""What is chosen in the settings of the gates, or stands in the address, is what a run has."""

from pathlib import Path
from urllib.parse import parse_qs

import pytest
from streamlit.testing.v1 import AppTest

from core.lstm_gates import Plan, room, texts
from core.shared import own_texts as own
from ui.panels.lstm_gates.settings import planned


def page() -> None:
    """Draw the settings alone, and keep their plan."""
    import streamlit as st

    from ui import address
    from ui.panels.lstm_gates.settings import settings

    asked = address.asked("lstm")
    st.session_state.made = settings(asked, lambda name, key: None, {})


@pytest.fixture(autouse=True)
def kept_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(own, "folder", lambda: tmp_path / "texts")


def opened(query: str = "") -> AppTest:
    test = AppTest.from_function(page)
    for key, values in parse_qs(query).items():
        test.query_params[key] = values[0]
    test.run(timeout=10)
    assert not test.exception
    return test


def made(test: AppTest) -> Plan:
    plan: Plan = test.session_state.made[0]
    return plan


def said(test: AppTest) -> str:
    return " ".join(each.value for each in test.toast)


def test_without_a_word_the_plan_is_the_usual_one() -> None:
    test = opened()
    assert made(test) == Plan()
    assert not said(test)


def test_each_setting_stands_in_the_address() -> None:
    query = (
        "lstm_text=quotes&lstm_cell=GRU&lstm_layers=2&lstm_units=32&lstm_learning_rate=0.005"
        "&lstm_steps=2,000&lstm_seed=7&lstm_window=16&lstm_batch=8&lstm_clip=no+clipping"
        "&lstm_embedding=16&lstm_dropout=0.2&lstm_optimiser=RMSProp"
    )
    test = opened(query)
    assert not said(test)
    assert made(test) == Plan(
        text="quotes",
        cell="gru",
        layers=2,
        units=32,
        learning_rate=0.005,
        steps=2_000,
        seed=7,
        window=16,
        batch=8,
        clip=0.0,
        embedding=16,
        dropout=0.2,
        optimiser="rmsprop",
    )


def test_what_cannot_be_had_is_said_and_the_usual_is_taken() -> None:
    test = opened("lstm_cell=brain&lstm_units=65&lstm_seed=-3&lstm_text=bible&lstm_magic=1")
    assert made(test) == Plan()
    for key in ("lstm_cell", "lstm_units", "lstm_seed"):
        assert f"{key} must be" in said(test).replace("\\", "")
    assert "lstm_magic in the address is no setting" in said(test).replace("\\", "")
    assert "bible" in said(test)


def test_keys_of_the_tabs_are_no_strangers() -> None:
    asked = "lstm_hold=o,+output&lstm_temperature=0.5&lstm_feature=depth&lstm_tab=Memory"
    assert not said(opened(asked))


def test_a_plan_that_takes_too_much_is_refused_in_a_sentence() -> None:
    test = opened("lstm_units=512&lstm_layers=3&lstm_batch=128&lstm_window=256&lstm_text=tang")
    plan, trouble = test.session_state.made
    assert plan == Plan()
    assert trouble.startswith(("batch times window must be", "text must have at least"))
    with pytest.raises(ValueError, match=trouble[:20]):
        room.require_room(Plan(units=512, layers=3, batch=128, window=256, text="tang"))


def test_an_own_text_is_taken_and_told() -> None:
    test = opened("lstm_batch=8&lstm_window=16")
    test.text_area(key="lstm_own_text").set_value("short")
    test.button(key="lstm_take").click().run()
    assert "at least 200 characters, got 5" in test.warning[0].value.replace("\\", "")
    assert made(test).text == "brackets"
    test.text_area(key="lstm_own_text").set_value("Ohio and Utah. " * 40)
    test.button(key="lstm_take").click().run()
    assert not test.exception
    plan = made(test)
    assert plan.text.startswith(own.PREFIX)
    assert texts.read(plan.text).content == "Ohio and Utah. " * 40
    assert any(
        "600 characters, 11 different ones" in each.value.replace("\\", "") for each in test.caption
    )
    later = opened(f"lstm_text={plan.text}&lstm_batch=8&lstm_window=16")
    assert made(later).text == plan.text


def test_an_own_text_that_is_gone_is_named_and_another_is_taken() -> None:
    test = opened(f"lstm_text=own-{'0' * 32}")
    assert "no longer on the server" in said(test)
    assert made(test).text == "brackets"


def test_the_size_of_a_run_is_told() -> None:
    told = planned(Plan(steps=10, batch=8, window=16))
    weights = room.parameters(Plan(), len(texts.read("brackets").alphabet))
    assert f"{weights:,} weights" in told
    assert "1,280 characters read" in told
