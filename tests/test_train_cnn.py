"""What the panel shows of LeNet-5 in training is what the network holds and does."""

import io
import json
import zipfile
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence
from safetensors.torch import load
from sklearn import metrics

from core.shared import data, layers, networks, snapshots, training
from core.shared.data import Dataset
from core.shared.digits import centre_by_mass
from core.shared.evaluating import evaluate
from core.shared.recipes import Recipe
from core.shared.snapshots import Snapshot
from core.train_cnn import (
    State,
    images_a_second,
    learning,
    looking,
    planned,
    replaying,
    require_room,
)
from tests.shared.mischief import few_digits

RECIPE = Recipe(learning_rate=0.02, batch_size=32, epochs=2, seed=1)


@pytest.fixture(autouse=True)
def digits(monkeypatch: pytest.MonkeyPatch) -> Dataset:
    few = few_digits()
    monkeypatch.setattr(data, "dataset", lambda name, device, images=0: few)
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
        elif given is not None and (not seen or given.training.step != seen[-1]):
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
    assert np.array_equal(state.watched.seen, image[0].numpy())
    assert (state.index, state.label) == (42, int(digits.validation.labels[42]))
    kernels = network.get_parameter("C1.0.weight").detach().numpy()
    assert np.array_equal(state.kernels, kernels)
    assert (state.kernels_of, state.kernels_in_all) == ("C1", 6)
    assert (state.step, state.steps, state.epoch) == (7, 20, 0.7)
    assert len(state.curves.epoch) == len(lesson.training.points)
    assert state.confusion.sum() == state.validation.images == 100


def test_a_frozen_state_does_not_move_with_the_training() -> None:
    work = learning.train(RECIPE)
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
    assert np.array_equal(reading.seen, seen[None])
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


def test_what_is_changed_is_told_and_used() -> None:
    lesson = lesson_after(5)
    learning.change(lesson, "learning_rate", 0.004)
    learning.change(lesson, "batch_size", 64)
    state = lesson.freeze()
    assert state.changes == ((5, "learning_rate", 0.004), (5, "batch_size", 64))
    assert state.curves.changes == ((0.5, "learning_rate", 0.004), (0.5, "batch_size", 64.0))
    # 160 images of the first epoch are left, then 320 of the second, 64 a step.
    assert state.steps == 5 + 3 + 5
    assert state.learning_rate == pytest.approx(0.004 * RECIPE.share(5, 20))
    lesson.training.advance()
    used = lesson.training.optimiser.param_groups[0]["lr"]
    assert used == pytest.approx(0.004 * RECIPE.share(5, 20))


def test_the_untrained_network_is_the_one_that_a_run_starts_from() -> None:
    state, begun = learning.untrained(RECIPE), lesson_after(0).freeze()
    assert np.array_equal(state.kernels, begun.kernels)
    assert np.array_equal(state.watched.probabilities, begun.watched.probabilities)
    other = learning.untrained(replace(RECIPE, seed=2))
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
    state = learning.untrained(RECIPE, 7, ink)
    assert expected is not None
    assert state.drawn is not None
    assert np.array_equal(state.drawn.probabilities, expected.probabilities)
    assert (state.index, state.label) == (7, int(digits.validation.labels[7]))
    with pytest.raises(ValueError, match="index must be from 0 to 99"):
        learning.untrained(RECIPE, 100)


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


def test_images_a_second_are_all_images_of_all_epochs_times_the_pace() -> None:
    # A run of two epochs that needs ten seconds: 100,000 images in 10 s.
    assert images_a_second(lesson_after(0).freeze(), RECIPE, 0.1) == 10_000
    fewer = replace(RECIPE, images=100)
    assert images_a_second(lesson_after(0).freeze(), fewer, 0.1) == 20


def plain_logits(lesson: learning.Lesson) -> tuple[torch.Tensor, torch.Tensor]:
    split = lesson.training.dataset.validation
    with torch.no_grad():
        return lesson.training.network(split.images), split.labels


def at_a_point(steps: int = 10) -> learning.Lesson:
    """A lesson whose last point of the curves is of its present weights."""
    lesson = lesson_after(steps)
    training = lesson.training
    training._evaluation = evaluate(training.network, training._watched(500), RECIPE)
    training.evaluated = training.step
    return lesson


def test_mistakes_are_those_of_scikit_learn_s_confusion_the_worst_first() -> None:
    lesson = at_a_point()
    logits, labels = plain_logits(lesson)
    read = logits.argmax(1)
    matrix = metrics.confusion_matrix(labels, read, labels=range(10))
    state = lesson.freeze()
    assert np.array_equal(state.confusion, matrix)
    wrong = state.faults
    assert wrong.count == matrix.sum() - matrix.trace()
    assert wrong.count > 12  # else all of them are shown, in whatever order
    chances = logits.double().softmax(1).numpy()
    true = chances[range(len(labels)), labels]
    expected = sorted(np.nonzero((read != labels).numpy())[0], key=lambda place: true[place])
    assert wrong.index.tolist() == [int(place) for place in expected[:12]]
    assert wrong.p_true == pytest.approx(true[wrong.index], rel=1e-4)
    assert wrong.p_read == pytest.approx(chances.max(1)[wrong.index], rel=1e-4)
    pixels = lesson.training.dataset.validation.images[wrong.index] * 255
    assert np.array_equal(wrong.images, pixels.round().byte().numpy())
    assert (wrong.true != wrong.read).all()


def test_a_cell_gives_the_images_that_scikit_learn_counts_there() -> None:
    lesson = at_a_point()
    logits, labels = plain_logits(lesson)
    read = logits.argmax(1)
    matrix = metrics.confusion_matrix(labels, read, labels=range(10))
    for cell in ((3, 3), tuple(np.argwhere(matrix - np.diag(matrix.diagonal()) > 0)[0]), (0, 1)):
        learning.sort(lesson, (int(cell[0]), int(cell[1])))
        faults = lesson.freeze().faults
        assert faults.count == matrix[cell]
        assert len(faults.index) == min(12, matrix[cell])
        assert (labels[faults.index] == cell[0]).all()
        assert (read[faults.index] == cell[1]).all()
    for nonsense in ((10, 0), (0, -1)):
        with pytest.raises(ValueError, match="cell must be two classes from 0 to 9"):
            learning.sort(lesson, nonsense)


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "gelu"])
def test_activity_is_a_plain_count(activation: str) -> None:
    network = networks.build(
        f"conv8-{activation},max2,fc30-{activation}", torch.Generator().manual_seed(0)
    )
    with torch.no_grad():
        network.get_parameter("conv1.0.bias")[:3] = -100  # these never fire
        network.get_parameter("fc3.1.bias")[:6] = -100
    images = few_digits().validation.images[:40]
    found = {each.layer: each for each in looking.activity(network, images)}
    network.eval()
    values = images
    for name, layer in network.named_children():
        with torch.no_grad():
            values = layer(values)
        if name not in found:
            continue
        numbers = values.flatten().double().numpy()
        each = found[name]
        assert (each.low, each.high) == pytest.approx((numbers.min(), numbers.max()), rel=1e-6)
        counts, _ = np.histogram(numbers, len(each.counts), (each.low, each.high))
        # A value on the border of two bins may fall on either side by rounding.
        assert abs(each.counts - counts).sum() <= 2e-4 * len(numbers)
        assert each.counts.sum() == len(numbers)
        if name.startswith("max") or activation == "gelu":
            assert each.idle is None
        elif activation == "relu":
            assert each.idle == pytest.approx(3 / 8 if name == "conv1" else 6 / 30, abs=0.11)
            per_unit = values.transpose(0, 1).flatten(1)
            assert each.idle == pytest.approx((per_unit == 0).all(1).double().mean().item())
        else:
            low, high = (-1, 1) if activation == "tanh" else (0, 1)
            edge = 0.05 * (high - low)
            outer = (numbers < low + edge) | (numbers > high - edge)
            assert each.idle == pytest.approx(outer.mean(), abs=1e-4)
            assert outer.mean() > 0.1
    assert set(found) == {"conv1", "max2", "fc3"}
    assert {each.images for each in found.values()} == {40}


def test_only_what_the_output_itself_went_through_counts_as_its_activation() -> None:
    table = "conv4-s4-relu,skip4-relu,res4-tanh,plain4-sigmoid,inception8-relu,global,fc5"
    network = networks.build(table, torch.Generator().manual_seed(0))
    images = few_digits().validation.images[:10]
    found = {each.layer: each.squashing for each in looking.activity(network, images)}
    assert found == {
        "conv1": "relu",
        "skip2.a": "relu",
        "skip2": "",
        "res3.a": "tanh",
        "res3": "tanh",
        "plain4.a": "sigmoid",
        "plain4": "sigmoid",
        "inception5.3x3.reduce": "relu",
        "inception5.5x5.reduce": "relu",
        "inception5": "relu",
        "global6": "",
        "fc7": "",
    }


def test_every_activation_is_counted_also_inside_a_block() -> None:
    table = "conv4-s4-relu,res6-batch-relu,plain4-relu,skip4-relu,inception16-batch-relu,fc5-relu"
    network = networks.build(table, torch.Generator().manual_seed(0), initialisation="he")
    inside = {
        "conv1": "conv1.1",
        "res2.a": "res2.0.a.2",
        "res2": "res2.0.activation.0",
        "plain3.a": "plain3.1",
        "plain3": "plain3.3",
        "skip4.a": "skip4.0.a.1",
        "inception5.3x3.reduce": "inception5.0.branches.1.2",
        "inception5.5x5.reduce": "inception5.0.branches.2.2",
        "fc6": "fc6.2",
    }
    with torch.no_grad():
        network.get_parameter("res2.0.a.1.bias")[:2] = -100  # these never fire
        network.get_parameter("plain3.0.bias")[:1] = -100
        network.get_parameter("inception5.0.branches.2.1.bias")[:1] = -100
    images = few_digits().validation.images[:20]
    found = {each.layer: each for each in looking.activity(network, images)}
    given: dict[str, torch.Tensor] = {}
    for name, module in inside.items():
        network.get_submodule(module).register_forward_hook(
            lambda _, __, values, name=name: given.update({name: values})
        )
    network.eval()(images)
    for name, values in given.items():
        dead = (values.transpose(0, 1).flatten(1) == 0).all(1).double().mean().item()
        assert found[name].idle == pytest.approx(dead), name
        assert found[name].high == pytest.approx(values.max().item())
        assert found[name].counts.sum() == values.numel()
    assert found["res2.a"].idle != pytest.approx(found["res2"].idle)
    assert found["inception5.5x5.reduce"].idle == pytest.approx(1 / 2)


def kept_run(folder: Path, recipe: Recipe = RECIPE) -> dict[int, State]:
    """Run to the end, keeping snapshots on disk; give the state at each kept step."""
    states = {}
    lesson = learning.begin(recipe, None)
    for given in learning.train(recipe):
        if isinstance(given, Snapshot):
            snapshots.write(folder, given)
        elif given is not None:
            lesson = given
            if lesson.training.step in lesson.training.kept:
                states[lesson.training.step] = lesson.freeze()
    snapshots.write(folder, lesson.snapshot(), rolling=True)
    return states


def test_the_time_machine_shows_each_kept_step_as_it_was(tmp_path: Path, digits: Dataset) -> None:
    states = kept_run(tmp_path)
    assert len(states) > 10
    ink = np.kron(digits.validation.images[0, 0].numpy(), np.ones((3, 3), np.float32))
    for step, then in states.items():
        now = replaying.replay(asdict(RECIPE), str(tmp_path), step, 0, ink)
        assert (now.step, now.epoch, now.learning_rate) == (step, then.epoch, then.learning_rate)
        assert np.array_equal(now.kernels, then.kernels)
        for name, maps in then.maps.items():
            assert np.array_equal(now.maps[name], maps), name
        assert np.array_equal(now.watched.probabilities, then.watched.probabilities)
        assert (now.flow_step, now.kept) == (then.flow_step, then.kept)
        assert np.array_equal(now.gradient, then.gradient, equal_nan=True)
        assert now.drawn is not None
    with pytest.raises(ValueError, match=r"step must be one that was kept, \(0, 1"):
        replaying.replay(asdict(RECIPE), str(tmp_path), 21)


@pytest.mark.parametrize("prepared", [False, True])
def test_a_replayed_step_has_the_confusion_of_its_own_weights(
    tmp_path: Path, prepared: bool
) -> None:
    kept_run(tmp_path)
    if prepared:
        replaying.prepare(asdict(RECIPE), str(tmp_path), 1)
    for step in snapshots.steps(tmp_path)[::4]:
        lesson = learning.begin(RECIPE, snapshots.load(snapshots.place(tmp_path, step)))
        logits, labels = plain_logits(lesson)
        expected = metrics.confusion_matrix(labels, logits.argmax(1), labels=range(10))
        replayed = replaying.replay(asdict(RECIPE), str(tmp_path), step, 5, None, (4, 4))
        accuracy = metrics.accuracy_score(labels, logits.argmax(1))
        assert replayed.validation.accuracy == pytest.approx(accuracy)
        loss = torch.nn.functional.cross_entropy(logits, labels).item()
        assert replayed.validation.loss == pytest.approx(loss, rel=1e-5)
        assert replayed.validation.step == step
        assert np.array_equal(replayed.confusion, expected), step
        assert replayed.faults.count == expected[4, 4]
        assert replayed.index == 5


def test_a_prepared_step_is_the_same_but_need_not_be_counted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept_run(tmp_path)
    steps = snapshots.steps(tmp_path)
    before = {step: snapshots.load(snapshots.place(tmp_path, step)) for step in steps}
    counted = {step: replaying.replay(asdict(RECIPE), str(tmp_path), step) for step in steps}
    replaying.prepare(asdict(RECIPE), str(tmp_path), 1)
    monkeypatch.setattr(learning, "activity", None)  # whoever counts fails
    monkeypatch.setattr(training, "evaluate", None)
    for step in steps:
        after = snapshots.load(snapshots.place(tmp_path, step))
        assert after.tensors.keys() - before[step].tensors.keys() <= {"evaluation.logits"}
        assert all(after.tensors[name].equal(value) for name, value in before[step].tensors.items())
        told = after.record.keys() - before[step].record.keys()
        assert told == {"activity"}
        assert all(after.record[name] == value for name, value in before[step].record.items())
        replayed = replaying.replay(asdict(RECIPE), str(tmp_path), step)
        assert plain_values(replayed) == plain_values(counted[step])
    written = snapshots.place(tmp_path, steps[3]).stat().st_mtime_ns
    replaying.prepare(asdict(RECIPE), str(tmp_path), 2)
    assert snapshots.place(tmp_path, steps[3]).stat().st_mtime_ns == written


def plain_values(state: State) -> dict[str, object]:
    """All of a state in values that compare, arrays by their bytes."""

    def plain(value: object) -> object:
        if isinstance(value, np.ndarray):
            return value.dtype.kind, value.shape, value.tobytes()
        if isinstance(value, dict):
            return {name: plain(each) for name, each in value.items()}
        return [plain(each) for each in value] if isinstance(value, list | tuple) else value

    return {name: plain(value) for name, value in asdict(state).items()}


def test_the_curves_of_a_run_on_disk_are_those_that_it_had(tmp_path: Path) -> None:
    last = list(kept_run(tmp_path).values())[-1]
    found = replaying.curves(asdict(RECIPE), str(tmp_path), 1)
    assert np.array_equal(found.epoch, last.curves.epoch)
    assert np.array_equal(found.validation_loss, last.curves.validation_loss)
    assert found.changes == ()
    with pytest.raises(ValueError, match="run must have kept a step"):
        replaying.curves(asdict(RECIPE), str(tmp_path / "none"), 1)


def test_the_film_has_a_frame_for_each_kept_step_and_moves(tmp_path: Path) -> None:
    states = kept_run(tmp_path)
    content = replaying.film(asdict(RECIPE), str(tmp_path), 3, 1)
    with Image.open(io.BytesIO(content)) as film:
        assert film.format == "GIF"
        frames = [np.asarray(each.convert("RGB")) for each in ImageSequence.Iterator(film)]
    assert len(frames) == len(states)
    assert len({frame.tobytes() for frame in frames}) == len(states)
    assert frames[0].shape[1] > 400


def test_what_is_taken_away_are_the_weights_and_a_script(tmp_path: Path) -> None:
    kept_run(tmp_path)
    packed = zipfile.ZipFile(io.BytesIO(replaying.export(asdict(RECIPE), str(tmp_path), 1)))
    assert packed.namelist() == ["weights.safetensors", "run.json", "run.py"]
    lesson = learning.begin(RECIPE, snapshots.newest(tmp_path))
    weights = load(packed.read("weights.safetensors"))
    here = lesson.training.network.state_dict()
    assert set(weights) == set(here)
    assert all(torch.equal(weights[name], value) for name, value in here.items())
    about = json.loads(packed.read("run.json"))
    assert Recipe(**about["recipe"]) == RECIPE
    assert about["step"] == 20
    assert len(about["points"][0]) == len(about["columns"])
    compile(packed.read("run.py"), "run.py", "exec")


NETWORKS = {name: table for name, table in layers.PRESETS.items() if name != "lenet5"}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_of_the_panel_can_be_trained_watched_and_continued(name: str) -> None:
    recipe = replace(RECIPE, network=NETWORKS[name], learning_rate=0.01, batch_size=64)
    work = learning.train(recipe)
    lesson = next(given for given in work if isinstance(given, learning.Lesson))
    lesson.freeze()
    losses = [lesson.training.advance().item() for _ in range(2)]
    kept = lesson.snapshot()
    kept = Snapshot(kept.step, {n: v.clone() for n, v in kept.tensors.items()}, kept.record)
    losses += [lesson.training.advance().item() for _ in range(2)]
    state = lesson.freeze()
    assert len(state.maps) <= 5
    assert all(maps.shape[0] <= 16 and maps.shape[1] > 1 for maps in state.maps.values())
    assert len(state.flow_layers) == len(state.gradient) > 2
    assert state.kernels.shape[0] <= 16
    again = learning.begin(recipe, kept)
    assert [again.training.advance().item() for _ in range(2)] == losses[2:]


@pytest.mark.parametrize("name", ["lenet5", *NETWORKS])
def test_every_network_of_the_panel_learns_but_twenty_sigmoids(name: str) -> None:
    recipe = replace(RECIPE, network=NETWORKS.get(name, name), epochs=5, seed=0)
    training = learning.begin(recipe, None).training
    losses = [training.advance().item() for _ in range(training.steps)]
    share = sum(losses[-10:]) / sum(losses[:10])
    assert share > 0.95 if name == "plain20" else share < 0.85


def test_looking_leaves_running_statistics_and_random_states_as_they_were() -> None:
    recipe = replace(RECIPE, network="conv4-batch-relu-drop50,fc10-batch", dropout=0.5)
    work = learning.train(recipe)
    lesson = next(given for given in work if isinstance(given, learning.Lesson))
    for _ in range(2):
        lesson.training.advance()
    before = {n: v.clone() for n, v in lesson.training.network.state_dict().items()}
    random = torch.get_rng_state()
    lesson.freeze()
    learning.test(lesson)
    learning.read(lesson, np.ones((84, 84), np.float32))
    after = lesson.training.network.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert torch.equal(torch.get_rng_state(), random)
    assert lesson.training.network.training


def test_all_validation_images_are_read_at_the_end_in_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    many = few_digits(others=777)
    monkeypatch.setattr(data, "dataset", lambda name, device, images=0: many)
    given = list(learning.train(RECIPE))
    assert given.count(None) == 4  # 777 images, 250 at a time
    assert given[-7] is not None  # the last step but one, then nothing but the reading
    kept, last = given[-2:]
    assert isinstance(last, learning.Lesson)
    assert isinstance(kept, Snapshot)
    state = last.freeze()
    with torch.no_grad():
        read = last.training.network(many.validation.images).argmax(1)
    expected = metrics.confusion_matrix(many.validation.labels, read, labels=range(10))
    assert np.array_equal(state.confusion, expected)
    accuracy = metrics.accuracy_score(many.validation.labels, read)
    assert state.validation.accuracy == pytest.approx(accuracy)
    assert (state.validation.step, state.validation.images) == (20, 777)
    again = learning.begin(RECIPE, kept)
    assert np.array_equal(again.freeze().confusion, expected)


def test_a_step_that_would_take_too_long_is_refused() -> None:
    network = layers.PRESETS["resnet"]
    for fits in (Recipe(batch_size=5000), Recipe(network=network, batch_size=1000)):
        require_room(fits)
    with pytest.raises(ValueError, match=r"at most 1,2\d\d for this network"):
        require_room(Recipe(network=network, batch_size=5000))
    require_room(Recipe(network=network, batch_size=5000, images=1000))  # there are no more
    lesson = learning.begin(Recipe(network=network), None)
    with pytest.raises(ValueError, match="batch_size must be at most"):
        learning.change(lesson, "batch_size", 5000)
    assert lesson.training.now.batch_size == lesson.training.recipe.batch_size
    with pytest.raises(ValueError, match="batch_size must be at most"):
        learning.begin(Recipe(network=network, batch_size=5000), None)


def test_after_early_stopping_every_number_is_of_the_weights_that_are_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    many = few_digits(others=777)
    monkeypatch.setattr(data, "dataset", lambda name, device, images=0: many)
    recipe = replace(RECIPE, epochs=60, patience=2, learning_rate=0.1, schedule="constant")
    kept_run(tmp_path, recipe)
    lesson = learning.begin(recipe, snapshots.newest(tmp_path))
    state = lesson.freeze()
    assert state.stopped_early is not None
    assert state.stopped_early < state.step == state.steps
    logits, labels = plain_logits(lesson)
    accuracy = metrics.accuracy_score(labels, logits.argmax(1))
    assert state.validation.accuracy == pytest.approx(accuracy)
    assert (state.validation.step, state.validation.images) == (state.stopped_early, 777)
    assert learning.test(lesson)[0] == state.stopped_early
    last = replaying.replay(asdict(recipe), str(tmp_path), state.step)
    assert last.validation == state.validation
    replaying.film(asdict(recipe), str(tmp_path), 0, 1)


def test_a_branch_shows_the_steps_before_it_as_they_were(tmp_path: Path) -> None:
    states = kept_run(tmp_path)
    step = list(states)[3]
    other = replace(RECIPE, learning_rate=1.0, schedule="constant")
    replayed = replaying.replay(asdict(other), str(tmp_path), step)
    assert replayed.learning_rate == states[step].learning_rate
    assert (replayed.changes, replayed.branched) == ((), {})


def test_the_script_of_a_branch_says_what_it_has_not(tmp_path: Path) -> None:
    def written() -> str:
        packed = zipfile.ZipFile(io.BytesIO(replaying.export(asdict(RECIPE), str(tmp_path), 1)))
        return packed.read("run.py").decode()

    kept_run(tmp_path)
    assert not written().startswith("#")
    other = replace(RECIPE, schedule="constant", epochs=3)
    branch = learning.begin(other, snapshots.newest(tmp_path)).training
    branch.advance()
    snapshots.write(tmp_path, branch.snapshot(), rolling=True)
    first = written().splitlines()[0]
    assert first.startswith("# The run that was branched off; the branch has another ")
    assert "schedule from step 20 on" in first


def test_a_branch_cannot_have_another_loss_and_an_old_snapshot_is_told(tmp_path: Path) -> None:
    kept_run(tmp_path)
    snapshot = snapshots.newest(tmp_path)
    assert snapshot is not None
    with pytest.raises(ValueError, match="loss must stay 'cross-entropy' in a branch"):
        learning.begin(replace(RECIPE, loss="squared"), snapshot)
    record = {name: value for name, value in snapshot.record.items() if name != "began"}
    with pytest.raises(ValueError, match="of an older version of Glassbox"):
        learning.begin(RECIPE, replace(snapshot, record=record))


def test_a_finished_run_goes_on_in_a_branch_with_more_epochs(tmp_path: Path) -> None:
    kept_run(tmp_path)
    longer = learning.begin(replace(RECIPE, epochs=3), snapshots.newest(tmp_path)).training
    assert (longer.ended, longer.step, longer.steps) == (False, 20, 30)


@pytest.mark.parametrize("table", ["max3,fc100-relu", "max2-s1,fc10", "", "fc10"])
def test_the_kernels_of_odd_networks_can_be_shown(table: str) -> None:
    state = learning.untrained(replace(RECIPE, network=table))
    network = networks.build(table, torch.Generator().manual_seed(RECIPE.seed))
    first = next(each for each in network.modules() if isinstance(each, torch.nn.Linear))
    flat = state.kernels.reshape(len(state.kernels), -1)
    assert np.array_equal(flat, first.weight.detach().numpy()[:16])
    assert state.kernels.shape[2:] == ((28, 28) if table in ("", "fc10") else (1, flat.shape[1]))


def test_batch_normalisation_of_one_image_is_refused() -> None:
    network = layers.PRESETS["vgg"]
    for recipe in (
        Recipe(network=network, batch_size=1),
        Recipe(network=network, batch_size=64, images=129, data="fashion"),
    ):
        with pytest.raises(ValueError, match="batch_size must leave no batch of one image"):
            require_room(recipe)
    require_room(Recipe(network=network, batch_size=64, images=130, data="fashion"))
    with pytest.raises(ValueError, match="at most 400,000 values an image, got"):
        require_room(Recipe(network="conv512-k1," + ",".join(["max1-s1"] * 3), batch_size=1))
