"""What the panel says of its lessons is what came out, and can be opened on the page."""

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import pytest

from core.shared import data, recipes
from core.shared.arithmetic import arithmetic
from core.shared.data import Dataset
from core.train_cnn import learning, lessons
from core.train_cnn.lessons import LESSONS, SEEDS, Lesson
from tests.shared.mischief import few_digits
from ui.panels.train_cnn import choices

ARMS = [(lesson, arm) for lesson in LESSONS for arm in lesson.arms]


def measured(lesson: str, column: str) -> dict[str, list[Any]]:
    return {arm: columns[column] for arm, columns in lessons.found()[lesson].items()}


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_every_arm_was_measured_for_every_seed(lesson: Lesson) -> None:
    found = lessons.found()[lesson.name]
    assert list(found) == [arm.name for arm in lesson.arms]
    for columns in found.values():
        assert list(columns) == list(lesson.columns)
        assert all(len(values) == len(SEEDS) for values in columns.values())


def test_a_deep_network_of_sigmoids_stays_at_chance_and_the_others_learn() -> None:
    accuracy = measured("depth", "validation_accuracy")
    gradient = measured("depth", "first_gradient")
    assert max(accuracy.pop("sigmoid")) < 0.12
    assert min(min(values) for values in accuracy.values()) > 0.8
    smallest = max(gradient.pop("sigmoid"))
    assert all(min(values) > 1e6 * smallest for values in gradient.values())


def test_the_gradient_of_the_first_layer_dies_on_its_way_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    few = few_digits()

    def some_digits(name: str, device: object, images: int = 0) -> Dataset:
        return few

    monkeypatch.setattr(data, "dataset", some_digits)
    (depth,) = [lesson for lesson in LESSONS if lesson.name == "depth"]
    first = {}
    for arm in depth.arms:
        training = learning.begin(replace(arm.recipe, images=0), None).training
        training.advance()
        assert training.flow is not None
        first[arm.name] = training.flow.gradient[0] / training.flow.gradient[-1]
    assert first.pop("sigmoid") < 1e-9
    assert min(first.values()) > 1e-3


def test_too_large_a_rate_ends_with_a_sentence() -> None:
    sentences, steps = measured("rate", "sentence"), measured("rate", "steps")
    assert all(each.startswith("The loss was no longer a finite") for each in sentences["η = 3"])
    assert max(steps["η = 3"]) < min(steps["η = 0.02"]) / 4
    assert min(measured("rate", "validation_accuracy")["η = 0.02"]) > 0.85


def test_squared_error_is_slower_than_cross_entropy() -> None:
    epochs = measured("loss", "epochs_to_85")
    pairs = zip(epochs["squared error"], epochs["cross-entropy"], strict=True)
    assert all(slow > 1.5 * quick for slow, quick in pairs)


def test_each_way_to_regularise_narrows_the_gap() -> None:
    gaps = measured("overfitting", "gap")
    nothing = gaps.pop("nothing")
    for name, values in gaps.items():
        assert all(gap < open_ for gap, open_ in zip(values, nothing, strict=True)), name


def test_the_batch_decides_between_many_noisy_steps_and_few_smooth_ones() -> None:
    noise, steps = measured("batch", "noise"), measured("batch", "steps")
    assert min(noise["1"]) > 2 * max(noise["128"]) > 0
    assert (steps["1"][0], steps["128"][0], steps["all 2,000"][0]) == (20_000, 160, 10)
    loss = measured("batch", "training_loss")
    assert min(loss["all 2,000"]) > max(loss["128"])


@pytest.mark.parametrize(("lesson", "arm"), ARMS, ids=lambda each: each.name)
def test_the_settings_of_every_arm_can_be_had_on_the_page(lesson: Lesson, arm: lessons.Arm) -> None:
    recipe = arm.recipe
    arithmetic(recipe.network)
    assert recipe.learning_rate in recipes.RATES
    assert recipe.batch_size in recipes.BATCHES
    assert recipe.weight_decay in recipes.DECAYS
    assert recipe.images in choices.COUNTS
    assert recipe.dropout in choices.DROPOUTS
    assert recipe.patience in choices.PATIENCES
    query = parse_qs(choices.link(recipe).removeprefix("?"))
    if recipe.network != "lenet5":
        assert query["train_table"] == [recipe.network]
    if recipe.batch_size != 64:
        assert query["train_batch"] == [str(recipe.batch_size)]
    assert query.get("train_loss", ["cross-entropy"]) == [choices.NAMES[recipe.loss]]
