"""What the first panel's screen draws is what the state says."""

from dataclasses import replace

import pytest

from core.shared import data
from core.shared.recipes import Recipe
from core.train_cnn import State, learning
from tests.shared.mischief import few_digits
from tests.ui.test_screen import view
from ui.blocks import Block
from ui.panels.train_cnn.screen import Shown, draw

RECIPE = Recipe(network="res4-s4-relu,plain4-sigmoid", learning_rate=0.02, batch_size=32, epochs=2)


@pytest.fixture
def lesson(monkeypatch: pytest.MonkeyPatch) -> learning.Lesson:
    few = few_digits()
    monkeypatch.setattr(data, "dataset", lambda name, device, images=0: few)
    monkeypatch.setenv("GLASSBOX_DEVICE", "cpu")
    return learning.begin(RECIPE, None)


def drawn(lesson: learning.Lesson) -> list[Block]:
    state = lesson.freeze()
    return draw(
        Shown(state=state, recipe=RECIPE, view=None, newest=state, others={}, name="A new run")
    )


def of(kind: str, blocks: list[Block]) -> list[Block]:
    return [block for block in blocks if block.words["kind"] == kind]


def test_what_was_changed_is_marked_on_both_curves_where_it_was(lesson: learning.Lesson) -> None:
    for step, (name, value) in enumerate([("learning_rate", 0.05), ("batch_size", 16)]):
        for _ in range(3):
            lesson.training.advance()
        learning.change(lesson, name, value)
        assert lesson.training.step == 3 * (step + 1)
    curves = of("curves", drawn(lesson))
    assert len(curves) == 2
    for block in curves:
        assert block.words["marks"] == [
            (pytest.approx(3 * 32 / 320), "η 0.05"),
            (pytest.approx(6 * 32 / 320), "batch 16"),
        ]


def test_the_gradient_and_the_update_of_every_layer_are_drawn(lesson: learning.Lesson) -> None:
    lesson.training.advance()
    gradient, update = of("dots", drawn(lesson))
    flow = lesson.training.flow
    assert flow is not None
    for block, values in ((gradient, flow.gradient), (update, flow.update)):
        assert block.words["names"] == [
            "res1.a",
            "res1.b",
            "res1.shortcut",
            "plain2.a",
            "plain2.b",
            "output",
        ]
        assert block.numbers.tolist() == pytest.approx(values)


def test_dead_units_are_marked_in_the_layer_that_has_them(lesson: learning.Lesson) -> None:
    lesson.training.network.get_parameter("res1.0.a.0.bias").detach().fill_(-100)
    (block,) = of("histograms", drawn(lesson))
    rows = {row["name"]: row for row in block.words["rows"]}
    assert [name for name, row in rows.items() if row["warn"]] == ["res1.a"]
    assert rows["res1.a"]["words"] == "100 % dead"


def test_what_was_validated_at_an_earlier_step_says_so_when_the_run_stands(
    lesson: learning.Lesson,
) -> None:
    lesson.training.advance()
    now = lesson.freeze()
    past = replace(now, step=now.step + 5)  # moved on since

    def named(state: State, status: str) -> list[str]:
        told = replace(view(), status=status)
        shown = Shown(state=state, recipe=RECIPE, view=told, newest=state, others={}, name="Run 1")
        (figures,) = of("figures", draw(shown))
        return [name for name, *_ in figures.words["rows"] if name.startswith("validation")]

    assert named(past, "running") == [f"validation, {now.validation.images:,}"]
    assert named(past, "paused") == named(past, "stopped") == ["validation, step 1"]
    assert named(now, "paused") == [f"validation, {now.validation.images:,}"]
