"""What the panel shows of LeNet-5 in training is what the network holds and does."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from core.shared.data import Dataset
from core.shared.digits import centre_by_mass
from core.shared.recipes import Recipe
from core.shared.snapshots import Snapshot
from core.train_cnn import images_a_second, learning, planned
from core.train_cnn.script import script
from tests.shared import mischief
from tests.shared.mischief import few_digits

RECIPE = Recipe(learning_rate=0.02, batch_size=32, epochs=2, seed=1)


@pytest.fixture(autouse=True)
def digits(monkeypatch: pytest.MonkeyPatch) -> Dataset:
    few = few_digits()
    monkeypatch.setattr(learning, "mnist", lambda device: few)
    monkeypatch.setenv("GLASSBOX_DEVICE", "cpu")
    return few


def lesson_after(steps: int, snapshot: Snapshot | None = None) -> learning.Lesson:
    for given in learning.train(RECIPE, snapshot):
        if isinstance(given, learning.Lesson) and given.training.step >= steps:
            return given
    raise AssertionError("the training ended before that step")


def test_a_run_yields_where_it_stands_first_and_then_after_each_step() -> None:
    seen: list[int] = []
    kept: list[int] = []
    for given in learning.train(RECIPE):
        if isinstance(given, Snapshot):
            kept.append(given.step)
        elif not seen or given.training.step != seen[-1]:
            seen.append(given.training.step)
    assert seen == list(range(21))
    assert kept[0] == 0
    assert kept[-1] == 20


def test_the_state_is_what_plain_torch_finds_in_the_network(digits: Dataset) -> None:
    lesson = lesson_after(7)
    learning.show(lesson, 42)
    state = lesson.freeze()
    network, image = lesson.training.network, digits.validation.images[42:43]
    found: dict[str, torch.Tensor] = {}
    hooks = [
        network.get_submodule(name).register_forward_hook(
            lambda _, __, out, name=name: found.update({name: out})
        )
        for name in ("C1", "S2", "C3", "S4")
    ]
    with torch.no_grad():
        probabilities = network(image).softmax(1)[0]
    for hook in hooks:
        hook.remove()
    for name, maps in found.items():
        assert np.array_equal(state.maps[name], maps[0].numpy()), name
    assert np.array_equal(state.watched.probabilities, probabilities.numpy())
    assert np.array_equal(state.watched.seen, image[0, 0].numpy())
    assert (state.index, state.label) == (42, int(digits.validation.labels[42]))
    kernels = network.get_parameter("C1.0.weight").detach()[:, 0].numpy()
    assert np.array_equal(state.kernels, kernels)
    assert (state.step, state.steps, state.epoch) == (7, 20, 0.7)
    assert len(state.epoch_of) == len(lesson.training.points)
    assert state.confusion.sum() == state.confusion_images == 100


def test_a_frozen_state_does_not_move_with_the_training() -> None:
    work: Iterator[learning.Lesson | Snapshot] = learning.train(RECIPE)
    lesson = next(given for given in work if isinstance(given, learning.Lesson))
    state = lesson.freeze()
    kernels, maps, confusion = (
        state.kernels.copy(),
        state.maps["C3"].copy(),
        state.confusion.copy(),
    )
    for _ in work:
        pass
    assert np.array_equal(state.kernels, kernels)
    assert np.array_equal(state.maps["C3"], maps)
    assert np.array_equal(state.confusion, confusion)
    assert not np.array_equal(lesson.freeze().kernels, kernels)


def test_looking_changes_nothing_in_the_network() -> None:
    lesson = lesson_after(3)
    network = lesson.training.network
    before = {name: value.clone() for name, value in network.state_dict().items()}
    lesson.freeze()
    learning.read(lesson, np.ones((84, 84), np.float32))
    learning.test(lesson)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert network.training


def test_a_drawn_digit_is_read_as_the_network_sees_it_now_and_later(digits: Dataset) -> None:
    lesson = lesson_after(3)
    ink = np.kron(digits.validation.images[0, 0].numpy(), np.ones((3, 3), np.float32))
    reading = learning.read(lesson, ink)
    assert reading is not None
    seen = centre_by_mass(ink)
    assert seen is not None
    assert np.array_equal(reading.seen, seen)
    with torch.no_grad():
        expected = lesson.training.network(torch.from_numpy(seen)[None, None]).softmax(1)[0]
    assert np.array_equal(reading.probabilities, expected.numpy())
    lesson.training.advance()
    later = lesson.freeze().drawn
    assert later is not None
    assert not np.array_equal(later.probabilities, reading.probabilities)
    assert learning.read(lesson, np.zeros((84, 84), np.float32)) is None
    assert learning.read(lesson, None) is None
    assert lesson.freeze().drawn is None


def test_the_test_digits_are_counted_one_by_one_and_only_on_request(digits: Dataset) -> None:
    lesson = lesson_after(15)
    assert lesson.freeze().tested is None
    step, accuracy = learning.test(lesson)
    with torch.no_grad():
        right = sum(
            int(lesson.training.network(image[None]).argmax() == label)
            for image, label in zip(digits.test.images, digits.test.labels, strict=True)
        )
    assert (step, accuracy) == (15, right / 100)
    assert lesson.freeze().tested == (15, right / 100)


def test_a_digit_that_is_not_there_is_refused() -> None:
    lesson = lesson_after(0)
    for index in (-1, 100):
        with pytest.raises(ValueError, match="index must be from 0 to 99"):
            learning.show(lesson, index)
    learning.show(lesson, 99)


def test_a_changed_rate_is_told_and_used() -> None:
    lesson = lesson_after(5)
    learning.change_rate(lesson, 0.004)
    state = lesson.freeze()
    assert state.changes == ((5, 0.004),)
    assert state.learning_rate == pytest.approx(0.004 * RECIPE.share(5, 20))
    lesson.training.advance()
    used = lesson.training.optimiser.param_groups[0]["lr"]
    assert used == pytest.approx(0.004 * RECIPE.share(5, 20))


def test_the_untrained_network_is_the_one_that_a_run_starts_from() -> None:
    state, begun = learning.untrained(RECIPE.seed), lesson_after(0).freeze()
    assert np.array_equal(state.kernels, begun.kernels)
    assert np.array_equal(state.watched.probabilities, begun.watched.probabilities)
    other = learning.untrained(RECIPE.seed + 1)
    assert not np.array_equal(state.kernels, other.kernels)
    plan = planned(state, RECIPE)
    assert (plan.steps, plan.epochs) == (3126, begun.epochs)  # of 50,000 images, not of 320
    assert plan.learning_rate == pytest.approx(0.02 / round(0.05 * 3126))


def test_the_untrained_network_reads_a_drawn_digit_and_shows_another(digits: Dataset) -> None:
    ink = np.zeros((84, 84), np.float32)
    ink[10:70, 40:46] = 1
    lesson = lesson_after(0)
    learning.show(lesson, 7)
    expected = learning.read(lesson, ink)
    state = learning.untrained(RECIPE.seed, 7, ink)
    assert expected is not None
    assert state.drawn is not None
    assert np.array_equal(state.drawn.probabilities, expected.probabilities)
    assert (state.index, state.label) == (7, int(digits.validation.labels[7]))
    with pytest.raises(ValueError, match="index must be from 0 to 99"):
        learning.untrained(RECIPE.seed, 100)


def test_the_watched_digit_is_kept_in_a_snapshot() -> None:
    lesson = lesson_after(3)
    learning.show(lesson, 17)
    again = lesson_after(3, lesson.snapshot())
    assert again.freeze().index == 17


def test_the_loss_of_the_last_batch_is_told(digits: Dataset) -> None:
    lesson = lesson_after(0)
    assert lesson.freeze().batch_loss is None
    with torch.no_grad():
        batch = lesson.training._batch()
        logits = lesson.training.network(digits.training.images[batch])
    expected = torch.nn.functional.cross_entropy(logits, digits.training.labels[batch])
    lesson.training.advance()
    assert lesson.freeze().batch_loss == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize(
    ("optimiser", "schedule", "changes"),
    [
        ("nesterov", "linear", {}),
        ("momentum", "constant", {3: 0.05}),
        ("adam", "constant", {0: 0.002, 4: 0.0001}),
    ],
)
def test_the_script_that_is_shown_gives_the_losses_of_the_run(
    optimiser: str,
    schedule: str,
    changes: dict[int, float],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recipe = Recipe(
        learning_rate=0.001 if optimiser == "adam" else 0.1,
        batch_size=40,
        optimiser=optimiser,
        schedule=schedule,
        epochs=1,
        seed=3,
    )
    training = mischief.begin(recipe)
    expected = []
    for step in range(training.steps):
        if step in changes:
            training.change_rate(changes[step])
        expected.append(float(training.advance()))
    text = script(recipe, training.changes)
    # The same lines, on the few images of this test, telling each loss.
    text = text.replace("[:50_000]", "[:320]").replace("step % 100 == 0", "True")
    text = text.replace(".4f}", ".9f}")
    monkeypatch.chdir(Path(__file__).parents[1])
    exec(compile(text, "script", "exec"), {})  # the product itself
    told = [float(line.split()[-1]) for line in capsys.readouterr().out.splitlines()]
    assert told == pytest.approx(expected, rel=1e-4)
    assert len(told) == 8
    assert max(map(len, text.splitlines())) <= 100


def test_images_a_second_are_all_images_of_all_epochs_times_the_pace() -> None:
    # A run of two epochs that needs ten seconds: 100,000 images in 10 s.
    assert images_a_second(lesson_after(0).freeze(), 0.1) == 10_000
