"""What the panel says of its lessons is what came out."""

import json
from dataclasses import asdict, replace
from typing import Any

import pytest

from bench import lessons as bench
from core.shared import data
from core.shared.data import Dataset
from core.train_cnn import learning, lessons
from core.train_cnn.lessons import LESSONS, SEEDS, Lesson
from tests.shared.mischief import few_digits

LEARN = ("ReLU, He's start", "batch normalisation", "shortcuts, nothing after the sums")
STAY = ("sigmoid", "ReLU, the sigmoids' start", "shortcuts, a sigmoid after each sum")


def measured(lesson: str, column: str) -> dict[str, list[Any]]:
    return {arm: columns[column] for arm, columns in lessons.outcome(lesson).measured.items()}


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_every_arm_was_measured_as_it_is_now_for_every_seed(lesson: Lesson) -> None:
    outcome = lessons.outcome(lesson.name)
    assert outcome.arms == json.loads(json.dumps([asdict(arm) for arm in lesson.arms]))
    assert list(outcome.measured) == [arm.name for arm in lesson.arms]
    for columns in outcome.measured.values():
        assert list(columns) == list(lesson.columns)
        assert all(len(values) == len(SEEDS) for values in columns.values())


@pytest.mark.parametrize(
    ("name", "arm"),
    [
        ("rate", "η = 3"),
        ("rate", "η = 0.02"),
        ("loss", "squared error"),
        ("loss", "cross-entropy"),
        ("batch", "128"),
    ],
)
def test_what_is_stored_comes_out_again(name: str, arm: str) -> None:
    (told,) = [a for lesson in LESSONS if lesson.name == name for a in lesson.arms if a.name == arm]
    again = bench.run(told, SEEDS[0])
    for column, values in lessons.outcome(name).measured[arm].items():
        found, stored = again[column], values[0]
        if isinstance(stored, float | int):  # rounding differs between machines, and grows
            assert found == pytest.approx(stored, rel=0.05, abs=0.01), column
        else:
            assert found == stored, column


def test_a_deep_network_of_sigmoids_stays_at_chance_and_the_others_learn() -> None:
    accuracy = measured("depth", "validation_accuracy")
    gradient = measured("depth", "first_gradient")
    assert min(min(accuracy[name]) for name in LEARN) > 0.8
    assert max(max(accuracy[name]) for name in STAY) < 0.12
    smallest = max(gradient["sigmoid"])
    assert all(min(gradient[name]) > 1e6 * smallest for name in LEARN)


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
    assert first["sigmoid"] < 1e-9
    assert min(first[name] for name in LEARN) > 1e-3
    assert first["shortcuts, a sigmoid after each sum"] < 1e-5


def test_too_large_a_rate_ends_with_a_sentence() -> None:
    sentences, steps = measured("rate", "sentence"), measured("rate", "steps")
    assert all(each.startswith("The loss was no longer a finite") for each in sentences["η = 3"])
    assert max(steps["η = 3"]) < min(steps["η = 0.02"]) / 4
    accuracy = measured("rate", "validation_accuracy")
    assert min(accuracy["η = 0.02"]) > 0.85
    assert accuracy["η = 3"] == [None] * len(SEEDS)  # of what is no number there is none


def test_too_small_a_rate_is_slow_and_a_moment_of_a_large_one_ends_all_learning() -> None:
    accuracy, highest = measured("slow", "validation_accuracy"), measured("slow", "highest_loss")
    moment = "η = 0.1, in the second epoch 20 steps at 1"
    assert min(accuracy["η = 0.1"]) > 0.98
    assert max(accuracy["η = 0.001"]) < 0.96
    assert max(accuracy[moment]) < 0.2
    assert min(highest[moment]) > 10 * max(highest["η = 0.1"])


def test_squared_error_is_slower_than_cross_entropy() -> None:
    epochs = measured("loss", "epochs_to_85")
    pairs = zip(epochs["squared error"], epochs["cross-entropy"], strict=True)
    assert all(slow > 1.5 * quick for slow, quick in pairs)


def test_each_way_to_regularise_narrows_the_gap() -> None:
    gaps = measured("overfitting", "gap")
    nothing = gaps.pop("nothing")
    for name, values in gaps.items():
        assert all(gap < 0.9 * open_ for gap, open_ in zip(values, nothing, strict=True)), name


def test_the_batch_decides_between_many_noisy_steps_and_few_smooth_ones() -> None:
    noise, steps = measured("batch", "noise"), measured("batch", "steps")
    assert min(noise["1"]) > 2 * max(noise["128"]) > 0
    assert (steps["1"][0], steps["128"][0], steps["all 2,000"][0]) == (20_000, 160, 10)
    loss = measured("batch", "training_loss")
    assert min(loss["all 2,000"]) > max(loss["128"])
