"""What is chosen in the settings of BPE, or stands in the address, is the plan."""

from pathlib import Path
from urllib.parse import parse_qs

import pytest
from streamlit.testing.v1 import AppTest

from core.bpe import Plan
from core.shared import own_texts as own


def page() -> None:
    """Draw the settings alone, and keep their plan."""
    import streamlit as st

    from ui import address
    from ui.panels.bpe.settings import settings

    st.session_state.made = settings(address.asked("bpe"), {})


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
    return " ".join(each.value for each in test.toast).replace("\\", "")


def test_without_a_word_the_plan_is_the_usual_one() -> None:
    test = opened()
    assert made(test) == Plan()
    assert not said(test)


def test_each_setting_stands_in_the_address() -> None:
    test = opened(
        "bpe_text=tang&bpe_units=characters+with+%3C%2Fw%3E&bpe_split=white+space"
        "&bpe_ties=first+met+(minbpe)&bpe_merges=8,000"
    )
    assert not said(test)
    assert made(test) == Plan(
        text="tang", units="characters", split="spaces", ties="first", merges=8_000
    )


def test_what_cannot_be_had_is_said_and_the_usual_is_taken() -> None:
    test = opened("bpe_units=atoms&bpe_merges=77&bpe_text=bible&bpe_magic=1")
    assert made(test) == Plan()
    for told in ("bpe_units must be", "bpe_merges must be", "bible", "bpe_magic in the address is"):
        assert told in said(test)


def test_a_rule_that_knows_bytes_alone_is_refused_for_characters() -> None:
    test = opened("bpe_units=characters+with+%3C%2Fw%3E&bpe_ties=smaller+bytes+(rustbpe)")
    plan, trouble = test.session_state.made
    assert (plan.units, plan.ties) == ("characters", "smaller")
    assert trouble.startswith("ties must be another rule than 'raw'")


def test_a_textbooks_example_comes_with_its_settings() -> None:
    test = opened()
    test.selectbox(key="bpe_text").set_value("sennrich").run()
    assert made(test) == Plan(text="sennrich", units="characters", split="spaces", merges=10)
    test.selectbox(key="bpe_units").set_value("bytes").run()
    assert made(test).units == "bytes"


def test_an_own_text_of_one_character_is_taken_and_an_empty_one_is_not() -> None:
    test = opened()
    test.text_area(key="bpe_own_text").set_value("a")
    test.button(key="bpe_take").click().run()
    assert made(test).text.startswith(own.PREFIX)
    assert "1 characters" not in test.success[0].value
    test.text_area(key="bpe_own_text").set_value("")
    test.button(key="bpe_take").click().run()
    assert "at least 1 character, got 0" in test.warning[0].value.replace("\\", "")
