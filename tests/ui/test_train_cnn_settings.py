"""What stands in the address or is chosen in the settings is what a new run has."""

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import pytest
from streamlit.testing.v1 import AppTest

from core.shared import layers, recipes
from core.shared.recipes import Recipe
from core.train_cnn.lessons import LESSONS, Arm
from ui.panels.train_cnn import tabs
from ui.panels.train_cnn.choices import CHOICES, NAMES, PLAIN, change, link, said


def page() -> None:
    """Draw the settings alone, and keep their recipe."""
    import streamlit as st

    from ui.panels.train_cnn.settings import settings

    st.session_state.made = settings({}, lambda name, key: None, {})[0]


def opened(query: str = "") -> AppTest:
    test = AppTest.from_function(page)
    for key, values in parse_qs(query).items():
        test.query_params[key] = values[0]
    test.run(timeout=10)
    assert not test.exception
    return test


def made(test: AppTest) -> Recipe:
    recipe: Recipe = test.session_state.made
    return recipe


@pytest.mark.parametrize(
    "arm",
    [arm for lesson in LESSONS for arm in lesson.arms],
    ids=[f"{lesson.name} {arm.name}" for lesson in LESSONS for arm in lesson.arms],
)
def test_the_link_of_every_lesson_has_its_settings(arm: Arm) -> None:
    assert made(opened(link(arm.recipe).removeprefix("?"))) == arm.recipe


@pytest.mark.parametrize("data", ["mnist", "fashion"])
def test_a_mark_stands_in_the_address_and_what_the_data_lack_does_not(data: str) -> None:
    recipe = Recipe(data=data, marked=8, mark_share=0.25)
    test = opened(link(recipe).removeprefix("?"))
    test.selectbox(key="train_data").set_value(data).run()
    assert made(test) == recipe
    named = [each.value for each in test.caption if "Class 8" in each.value]
    assert named == (["Class 8 is Bag."] if data == "fashion" else [])
    test.selectbox(key="train_marked").set_value(None).run()
    assert made(test) == Recipe(data=data)  # a share of none is no difference
    assert made(opened("train_marked=12")).marked is None


def test_the_shortcuts_of_the_resnet_can_be_taken_away_and_put_back() -> None:
    test = opened("train_network=ResNet,+20+layers")
    assert made(test).network == layers.PRESETS["resnet"]
    test.toggle(key="train_shortcuts").set_value(v=False).run()
    assert made(test).network == PLAIN
    kinds = {row.kind for row in layers.parse(PLAIN)}
    assert kinds == {"conv", "plain", "global"}
    assert [row.channels for row in layers.parse(PLAIN)] == [
        row.channels for row in layers.parse(layers.PRESETS["resnet"])
    ]
    test.toggle(key="train_shortcuts").set_value(v=True).run()
    assert made(test).network == layers.PRESETS["resnet"]


def test_another_activation_and_normalisation_reach_every_layer_that_has_one() -> None:
    test = opened("train_network=VGG,+small")
    test.selectbox(key="train_activation").set_value("tanh").run()
    test.selectbox(key="train_norm").set_value("group").run()
    rows = layers.parse(made(test).network)
    usual = layers.parse(layers.PRESETS["vgg"])
    assert [(row.kind, row.channels) for row in rows] == [(row.kind, row.channels) for row in usual]
    for row in rows:
        expected = ("group", "tanh") if row.kind in ("conv", "fc") else ("none", "none")
        assert (row.normalisation, row.activation) == expected


@pytest.mark.parametrize("field", CHOICES)
def test_every_change_of_a_twin_is_read_off_the_words_that_tell_it(field: str) -> None:
    for value in CHOICES[field]:
        assert change(field, said(field, value)) == (field, value)


@pytest.mark.parametrize(("what", "value"), [("", ""), ("x", "group"), ("__class__", "none")])
def test_a_change_that_nobody_knows_is_the_first_there_is(what: str, value: str) -> None:
    assert change(what, value) == ("learning_rate", recipes.RATES[0])
    assert change("seed", "eleven") == ("seed", 0)


def test_a_row_of_the_editor_is_a_row_of_the_table() -> None:
    row = {"kind": "conv", "channels": 8, "kernel": 5, "stride": None, "padding": 2, "dilation": 0}
    words: dict[str, Any] = {"normalisation": "batch", "activation": "relu", "dropout": 0.1}
    assert tabs._row(1, row | words) == layers.parse("conv8-k5-p2-batch-relu-drop10")[0]
    # What the kind does not have is left out, whatever stands there.
    assert tabs._row(2, {"kind": "max", "channels": 9, "kernel": 3}) == layers.parse("max3")[0]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"kind": None}, 'row 4: kind must be one of conv, .*, got ""'),
        ({"kind": "conv"}, "row 4: channels must be from 1 to 512, got 0"),
        ({"kind": "conv", "channels": 4, "kernel": 99}, "row 4: kernel must be .* got 99"),
        ({"kind": "fc", "channels": 9, "dropout": 0.999}, "row 4: dropout must be .* got 0.999"),
    ],
)
def test_a_row_that_cannot_be_is_refused_by_its_number(
    values: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        tabs._row(4, values)


def test_what_a_run_has_otherwise_is_told_in_its_name() -> None:
    recipe = replace(Recipe(), network=PLAIN, learning_rate=0.02)
    assert recipe.differs(NAMES) == "η 0.02, no shortcuts, 20 layers"
