"""Training is what plain torch would do, can be continued anywhere, and never sees a test digit."""

import copy
import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from sklearn import metrics
from torch import Tensor, nn

from core.shared import snapshots
from core.shared.data import Dataset, Split
from core.shared.evaluating import Evaluation, evaluate
from core.shared.networks import build, lenet5
from core.shared.recipes import Recipe
from core.shared.snapshots import Snapshot
from core.shared.training import Training
from core.train_cnn.learning import Lesson
from tests.shared.mischief import begin, few_digits

RECIPE = Recipe(learning_rate=0.02, batch_size=24, epochs=2, seed=5)  # 320 = 13 · 24 + 8


PLAIN: dict[str, Callable[[list[nn.Parameter], Recipe], torch.optim.Optimizer]] = {
    "sgd": lambda w, r: torch.optim.SGD(w, r.learning_rate),
    "momentum": lambda w, r: torch.optim.SGD(w, r.learning_rate, momentum=r.momentum),
    "nesterov": lambda w, r: torch.optim.SGD(
        w, r.learning_rate, momentum=r.momentum, nesterov=True
    ),
    "adagrad": lambda w, r: torch.optim.Adagrad(w, r.learning_rate),
    "rmsprop": lambda w, r: torch.optim.RMSprop(w, r.learning_rate),
    "adam": lambda w, r: torch.optim.Adam(w, r.learning_rate, betas=(r.momentum, 0.999)),
    "adamw": lambda w, r: torch.optim.AdamW(w, r.learning_rate, betas=(r.momentum, 0.999)),
}


def plain_losses(
    recipe: Recipe, digits: Dataset, order: list[Tensor]
) -> tuple[list[float], Tensor]:
    """The losses of the textbook loop on the given batches, and the first kernels at its end."""
    network = lenet5(torch.Generator().manual_seed(recipe.seed))
    optimiser = PLAIN[recipe.optimiser](list(network.parameters()), recipe)
    optimiser.param_groups[0].update(weight_decay=recipe.weight_decay, foreach=False, fused=False)
    losses = []
    for step, batch in enumerate(order):
        if recipe.schedule == "linear":  # up over a twentieth of the steps, then down to 0
            rise = max(1, round(len(order) / 20))
            share = min((step + 1) / rise, (len(order) - step) / (len(order) - rise))
            optimiser.param_groups[0]["lr"] = recipe.learning_rate * share
        optimiser.zero_grad()
        logits, labels = network(digits.training.images[batch]), digits.training.labels[batch]
        if recipe.loss == "squared":
            loss = (logits.sigmoid() - torch.eye(10)[labels]).square().sum() / (2 * len(batch))
        else:
            target = torch.eye(10)[labels] * (1 - recipe.smoothing) + recipe.smoothing / 10
            loss = -(target * logits.log_softmax(1)).sum() / len(batch)
        penalty = recipe.l1 * sum(weight.abs().sum() for weight in network.parameters())
        (loss + penalty).backward()
        optimiser.step()
        losses.append(loss.item())
    return losses, network.get_parameter("C1.0.weight").detach()


def batches(recipe: Recipe) -> list[Tensor]:
    """The indices of every batch, read off the images that the network is shown."""
    training = begin(recipe)
    digits = training.dataset
    shown: list[Tensor] = []
    marked = torch.arange(len(digits.training)).float().view(-1, 1, 1, 1).expand(-1, 1, 28, 28)

    class Spy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(10))

        def forward(self, images: Tensor) -> Tensor:
            if self.training:
                shown.append(images[:, 0, 0, 0].long())
            return self.weight.expand(len(images), 10)

    numbered = replace(digits, training=Split(marked, digits.training.labels))
    for _ in Training(nn.Sequential(Spy()), numbered, recipe).run():
        pass
    return shown


@pytest.mark.parametrize(
    "changes",
    [
        {"optimiser": "sgd"},
        {"optimiser": "momentum", "schedule": "constant", "momentum": 0.5},
        {"optimiser": "nesterov", "schedule": "constant"},
        {"optimiser": "adagrad", "learning_rate": 0.01},
        {"optimiser": "rmsprop", "learning_rate": 0.0005},
        {"optimiser": "adam", "learning_rate": 0.002},
        {"optimiser": "adamw", "learning_rate": 0.002, "weight_decay": 0.1, "momentum": 0.8},
        {"l1": 0.001},
        {"smoothing": 0.2},
        {"loss": "squared"},
        {"weight_decay": 0.02},
    ],
    ids=str,
)
def test_every_step_is_the_step_of_a_plain_torch_loop(changes: dict[str, Any]) -> None:
    recipe = replace(RECIPE, **changes)
    training = begin(recipe)
    ours = [training.advance().item() for _ in range(training.steps)]
    theirs, kernels = plain_losses(recipe, few_digits(), batches(recipe))
    # Two orders of the same float32 sums; 28 steps let their differences grow to some 1e-5.
    torch.testing.assert_close(torch.tensor(ours), torch.tensor(theirs), rtol=1e-3, atol=1e-4)
    found = training.network.get_parameter("C1.0.weight").detach()
    torch.testing.assert_close(found.contiguous(), kernels, rtol=1e-3, atol=1e-4)


def test_that_oracle_rejects_an_engine_which_learns_by_another_recipe() -> None:
    theirs, _ = plain_losses(RECIPE, few_digits(), batches(RECIPE))
    for other in (
        replace(RECIPE, optimiser="momentum"),
        replace(RECIPE, learning_rate=0.021),
        replace(RECIPE, weight_decay=0.01),
        replace(RECIPE, momentum=0.8),
        replace(RECIPE, l1=0.001),
        replace(RECIPE, smoothing=0.01),
        replace(RECIPE, loss="squared"),
        replace(RECIPE, optimiser="adamw"),
    ):
        training = begin(other)
        wrong = [training.advance().item() for _ in range(training.steps)]
        assert not torch.allclose(torch.tensor(wrong), torch.tensor(theirs), rtol=1e-3, atol=1e-4)


def test_every_training_image_is_seen_once_an_epoch_and_each_epoch_has_its_own_order() -> None:
    shown = batches(RECIPE)
    assert [len(batch) for batch in shown] == ([24] * 13 + [8]) * 2
    first, second = torch.cat(shown[:14]), torch.cat(shown[14:])
    assert first.sort().values.tolist() == list(range(320))
    assert second.sort().values.tolist() == list(range(320))
    assert not torch.equal(first, second)
    assert not torch.equal(first, first.sort().values)


def test_no_test_image_is_read_in_training() -> None:
    digits = few_digits()
    nowhere = Split(torch.full_like(digits.test.images, torch.nan), digits.test.labels - 100)
    poisoned = replace(digits, test=nowhere)
    training = Training(begin(RECIPE).network, poisoned, RECIPE)
    clean = begin(RECIPE)
    for _ in training.run():
        pass
    for _ in clean.run():
        pass
    assert training.points == clean.points


def test_that_poison_is_seen_where_it_is_read() -> None:
    digits = few_digits()
    nowhere = Split(torch.full_like(digits.training.images, torch.nan), digits.training.labels)
    with pytest.raises(FloatingPointError):
        for _ in Training(begin(RECIPE).network, replace(digits, training=nowhere), RECIPE).run():
            pass


def test_the_same_seed_gives_the_same_losses_looked_at_or_not_and_another_gives_others() -> None:
    watched, alone, other = begin(RECIPE), begin(RECIPE), begin(replace(RECIPE, seed=6))
    lesson = Lesson(watched)
    ours = []
    for _ in range(watched.steps):
        ours.append(watched.advance().item())
        lesson.freeze()
        watched.snapshot()
    assert ours == [alone.advance().item() for _ in range(alone.steps)]
    assert ours != [other.advance().item() for _ in range(other.steps)]
    assert watched.points == alone.points


@pytest.mark.parametrize("optimiser", ["momentum", "nesterov", "adam"])
def test_going_on_from_any_snapshot_gives_the_same_bits(optimiser: str, tmp_path: Path) -> None:
    recipe = replace(RECIPE, optimiser=optimiser, learning_rate=0.003)
    whole = begin(recipe)
    kept: dict[int, Snapshot] = {}
    losses = []
    for step in itertools.count():
        if whole.ended:
            break
        if step == 9:
            whole.change("learning_rate", 0.001)
        if step == 11:
            whole.change("batch_size", 20)
            whole.change("weight_decay", 0.01)
            whole.change("momentum", 0.8)
        if step in (0, 1, 8, 9, 10, 12, 14, 15, 27):  # around changes and an epoch's end
            kept[step] = copy.deepcopy(whole.snapshot())
            snapshots.write(tmp_path, kept[step])
        losses.append(whole.advance().item())
    for step, snapshot in kept.items():
        on_disk = snapshots.load(tmp_path / f"snapshot-{step:09}.safetensors")
        again = begin(recipe, snapshot if step == 9 else on_disk)  # a change, and no file
        rest = []
        while not again.ended:
            if again.step == 9:
                again.change("learning_rate", 0.001)
            if again.step == 11:
                again.change("batch_size", 20)
                again.change("weight_decay", 0.01)
                again.change("momentum", 0.8)
            rest.append(again.advance().item())
        assert rest == losses[step:], step
        assert again.points == whole.points
        assert again.changes == whole.changes
        assert torch.equal(again.evaluation.confusion, whole.evaluation.confusion)
        for name, value in whole.network.state_dict().items():
            assert torch.equal(again.network.state_dict()[name], value), (step, name)


def test_a_snapshot_of_another_network_is_refused() -> None:
    snapshot = begin(RECIPE).snapshot()
    with pytest.raises(ValueError, match="snapshot must be of this network"):
        Training(nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), few_digits(), RECIPE, snapshot)


def test_training_that_diverges_keeps_its_points_and_ends_with_advice() -> None:
    training = begin(replace(RECIPE, learning_rate=10.0, schedule="constant"))
    for _ in range(5):
        training.advance()
    before = list(training.points)
    with torch.no_grad():
        training.network.get_parameter("output.weight").mul_(1e38)
    with pytest.raises(FloatingPointError, match=r"at a learning rate of 10: try a tenth of it\."):
        for _ in training.run():
            pass
    assert len(before) > 2
    assert training.points[: len(before)] == before
    training.network.get_parameter("C1.0.bias").data[0] = torch.nan
    with pytest.raises(FloatingPointError, match="no longer a finite number"):
        training.snapshot()


@pytest.mark.parametrize(("batch", "epochs"), [(24, 2), (1, 2), (320, 3), (7, 100)])
def test_the_points_of_the_curves_are_evenly_far_apart(
    batch: int, epochs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = begin(replace(RECIPE, batch_size=batch, epochs=epochs))
    monkeypatch.setattr(training, "measuring", False)
    monkeypatch.setattr(training, "logits", lambda images: torch.zeros(len(images), 10))
    monkeypatch.setattr(training.optimiser, "step", lambda: None)
    monkeypatch.setattr(torch.Tensor, "backward", lambda _: None)
    monkeypatch.setattr(
        "core.shared.training.evaluate",
        lambda *_: Evaluation(2.3, 0.1, torch.zeros(10, 10, dtype=torch.long), torch.zeros(1, 10)),
    )
    while training.step < training.steps:
        training.advance()
    at = [point.step for point in training.points]
    apart = {later - earlier for earlier, later in itertools.pairwise(at)}
    assert (at[0], at[-1]) == (0, training.steps)
    assert max(apart) - min(apart) <= 1  # also the last: its mean is over as many batches
    assert len(at) <= 301
    assert len(at) - 1 == min(training.steps, 300, round(12 * training.steps / -(-320 // batch)))


def test_evaluation_agrees_with_scikit_learn() -> None:
    training = begin(RECIPE)
    for _ in range(20):
        training.advance()
    split = few_digits(others=777).validation  # more than one chunk, the last one smaller
    with torch.no_grad():
        logits = training.network(split.images)
    result = evaluate(training.network, split)
    true, read = split.labels.numpy(), logits.argmax(1).numpy()
    assert result.confusion.tolist() == (
        metrics.confusion_matrix(true, read, labels=range(10)).tolist()
    )
    assert result.accuracy == pytest.approx(metrics.accuracy_score(true, read), abs=1e-12)
    probabilities = logits.double().softmax(1).numpy()
    expected = metrics.log_loss(true, probabilities, labels=range(10))
    assert result.loss == pytest.approx(expected, rel=1e-5)
    assert (true != read).any()  # else a confusion matrix and its transpose are one
    assert result.confusion.tolist() != (
        metrics.confusion_matrix(read, true, labels=range(10)).tolist()
    )


def test_evaluation_leaves_every_mode_and_gradient_as_it_was() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Dropout(), nn.BatchNorm1d(784), nn.Linear(784, 10))
    network[2].eval()  # frozen, inside a network that is in training
    network[3].weight.grad = torch.ones(10, 784)
    before = copy.deepcopy(network.state_dict())
    random = torch.get_rng_state()
    evaluate(network, few_digits().validation)
    assert [module.training for module in network] == [True, True, False, True]
    assert network.training
    assert torch.equal(network[3].weight.grad, torch.ones(10, 784))
    assert network[3].bias.grad is None
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)


def test_points_tell_what_was_measured() -> None:
    training = begin(RECIPE)
    losses, sizes = [], [len(batch) for batch in batches(RECIPE)]
    for _ in range(training.steps):
        losses.append(training.advance().item())
    before = 0
    for point in training.points[1:]:
        part = slice(before, point.step)
        weighted = sum(
            loss * size for loss, size in zip(losses[part], sizes[part], strict=True)
        ) / sum(sizes[part])
        assert point.training_loss == pytest.approx(weighted, rel=1e-6)
        before = point.step
    assert before == training.steps
    last = evaluate(training.network, training.dataset.validation)
    assert training.points[-1].validation_accuracy == last.accuracy
    assert training.points[-1].validation_images == 100
    assert training.points[0].training_loss is None


def test_a_value_that_is_none_is_refused() -> None:
    training = begin(RECIPE)
    for rate in (0.0, -1.0, 11.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="learning_rate must be above 0 and at most 10"):
            training.change("learning_rate", rate)
    with pytest.raises(ValueError, match="batch_size must be a whole number"):
        training.change("batch_size", 0)
    with pytest.raises(ValueError, match=r"name must be one of .*, got 'seed'"):
        training.change("seed", 1)
    assert training.now == RECIPE
    assert training.changes == []


@pytest.mark.gpu
def test_steps_on_the_gpu_are_those_of_the_cpu() -> None:
    here, there = begin(RECIPE), begin(RECIPE)
    device = torch.device("cuda")

    def move(split: Split) -> Split:
        return Split(split.images.to(device), split.labels.to(device))

    digits = there.dataset
    moved = Dataset(move(digits.training), move(digits.validation), move(digits.test))
    gpu = Training(there.network.to(device), moved, RECIPE)
    for _ in range(5):  # float32 on both; a step apart by no more than rounding
        assert gpu.advance().item() == pytest.approx(here.advance().item(), rel=1e-3)


def test_a_changed_batch_size_goes_on_at_the_same_image_and_ends_with_the_epoch() -> None:
    training = begin(RECIPE)
    shown: list[Tensor] = []
    batch_of = training._batch

    def spy() -> Tensor:
        shown.append(batch_of())
        return shown[-1]

    training._batch = spy  # type: ignore[method-assign]
    for step in itertools.count():
        if training.ended:
            break
        if step == 3:
            training.change("batch_size", 100)
        training.advance()
    # 3 · 24 of 320 images, then 100 at a time, and the second epoch by 100.
    assert [len(batch) for batch in shown] == [24, 24, 24, 100, 100, 48, 100, 100, 100, 20]
    assert torch.cat(shown[:6]).sort().values.tolist() == list(range(320))
    assert torch.cat(shown[6:]).sort().values.tolist() == list(range(320))
    assert training.step == training.steps == 10
    assert [change.seen for change in training.changes] == [72]
    assert training.progress == 1


@pytest.mark.parametrize("optimiser", ["sgd", "adagrad", "rmsprop"])
def test_what_has_no_momentum_is_not_marked_with_another(optimiser: str) -> None:
    training = begin(replace(RECIPE, optimiser=optimiser))
    training.change("momentum", 0.5)
    assert training.changes == []
    assert training.now.momentum == RECIPE.momentum
    training.change("weight_decay", 0.1)
    assert [each.name for each in training.changes] == ["weight_decay"]


@pytest.mark.parametrize("optimiser", ["nesterov", "adam"])
def test_a_changed_momentum_and_decay_are_those_of_a_plain_loop_from_then_on(
    optimiser: str,
) -> None:
    recipe = replace(RECIPE, optimiser=optimiser, learning_rate=0.002, schedule="constant")
    training, network = begin(recipe), lenet5(torch.Generator().manual_seed(recipe.seed))
    plain = PLAIN[optimiser](list(network.parameters()), recipe)
    plain.param_groups[0]["weight_decay"] = recipe.weight_decay
    ours, theirs = [], []
    for step, batch in enumerate(batches(recipe)):
        if step == 5:
            training.change("momentum", 0.5)
            training.change("weight_decay", 0.1)
            group = plain.param_groups[0]
            group["weight_decay"] = 0.1
            if optimiser == "adam":
                group["betas"] = 0.5, 0.999
            else:
                group["momentum"] = 0.5
        ours.append(training.advance().item())
        plain.zero_grad()
        split = training.dataset.training
        loss = F.cross_entropy(network(split.images[batch]), split.labels[batch])
        loss.backward()
        plain.step()
        theirs.append(loss.item())
    assert ours == pytest.approx(theirs, rel=1e-3, abs=1e-4)
    unchanged = begin(recipe)
    assert ours != pytest.approx([unchanged.advance().item() for _ in ours], rel=1e-3, abs=1e-4)


def slope(parameter: nn.Parameter) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad


LENET5 = {name: (f"{name}.",) for name in ("C1", "S2", "C3", "S4", "C5", "F6", "output")}
BLOCKS = {
    "res1.a": ("res1.0.a.",),
    "res1.b": ("res1.0.b.",),
    "res1.shortcut": ("res1.0.shortcut.",),
    "plain2.a": ("plain2.0.",),
    "plain2.b": ("plain2.2.",),
    "inception3.1x1": ("inception3.0.branches.0.",),
    "inception3.3x3.reduce": ("inception3.0.branches.1.0.", "inception3.0.branches.1.1."),
    "inception3.3x3": ("inception3.0.branches.1.3.", "inception3.0.branches.1.4."),
    "inception3.5x5.reduce": ("inception3.0.branches.2.0.", "inception3.0.branches.2.1."),
    "inception3.5x5": ("inception3.0.branches.2.3.", "inception3.0.branches.2.4."),
    "inception3.pool.project": ("inception3.0.branches.3.",),
    "output": ("output.",),
}


@pytest.mark.parametrize(
    ("table", "layers"),
    [
        ("lenet5", LENET5),
        ("res4-s4-batch-relu,plain4-tanh,inception8-batch-relu", BLOCKS),
    ],
)
def test_the_measured_flow_is_a_plain_recomputation(
    table: str, layers: dict[str, tuple[str, ...]]
) -> None:
    training = begin(replace(RECIPE, network=table, optimiser="adam", learning_rate=0.002))
    for _ in range(4):
        training.advance()
    network = copy.deepcopy(training.network)
    images = training.dataset.training
    batch = training._batch()
    F.cross_entropy(network(images.images[batch]), images.labels[batch]).backward()
    before = {name: value.clone() for name, value in training.network.state_dict().items()}
    training.measuring = True
    training.advance()
    flow = training.flow
    assert flow is not None
    assert flow.step == training.step == 5
    assert flow.layers == tuple(layers)
    after = training.network.state_dict()
    for name, gradient, update in zip(flow.layers, flow.gradient, flow.update, strict=True):
        mine = [
            each
            for each, _ in network.named_parameters()
            if each.startswith(layers[name])  # where plain torch keeps them
        ]
        gradients = torch.cat([slope(network.get_parameter(each)).flatten() for each in mine])
        moved = torch.cat([(after[each] - before[each]).flatten() for each in mine])
        size = torch.cat([before[each].flatten() for each in mine])
        assert gradient == pytest.approx(gradients.norm().item(), rel=1e-3), name
        assert update == pytest.approx((moved.norm() / size.norm()).item(), rel=1e-3), name
        assert gradient != pytest.approx(2 * gradients.norm().item(), rel=1e-3)


def test_the_measured_gradient_is_of_the_loss_alone() -> None:
    with_l1, without = begin(replace(RECIPE, l1=0.5)), begin(RECIPE)
    for training in (with_l1, without):
        training.advance()
    assert with_l1.flow is not None
    assert without.flow is not None
    assert with_l1.flow.gradient == pytest.approx(without.flow.gradient)
    assert with_l1.flow.update != pytest.approx(without.flow.update)


def test_a_step_that_is_taken_up_again_is_kept_once() -> None:
    training = begin(RECIPE)
    first = next(training.run())
    assert isinstance(first, Snapshot)
    again = begin(RECIPE, first)
    next(again.run())
    assert again.kept == [0]


def test_measuring_moves_nothing() -> None:
    measured, alone = begin(RECIPE), begin(RECIPE)
    losses = []
    for _ in range(measured.steps):
        measured.measuring = True
        losses.append(measured.advance().item())
    assert losses == [alone.advance().item() for _ in range(alone.steps)]


def test_a_branch_with_nothing_changed_gives_the_losses_of_the_run() -> None:
    whole = begin(RECIPE)
    kept = {}
    losses = []
    for given in whole.run():
        if isinstance(given, Snapshot):
            kept[given.step] = copy.deepcopy(given)
        if whole.batch_loss is not None:
            losses.append(whole.batch_loss.item())
    assert list(kept) == whole.kept
    for step in list(kept)[1:-1:3]:
        branch = begin(RECIPE, kept[step])
        assert [branch.advance().item() for _ in range(28 - step)] == losses[step:]


def test_a_branch_with_another_rate_takes_it_and_marks_it() -> None:
    whole = begin(RECIPE)
    for _ in range(9):
        whole.advance()
    whole.change("momentum", 0.8)
    snapshot = copy.deepcopy(whole.snapshot())
    branch = begin(replace(RECIPE, learning_rate=0.001), snapshot)
    assert branch.now.learning_rate == 0.001
    assert branch.now.momentum == 0.8  # as it was there
    assert [(each.step, each.name, each.value) for each in branch.changes] == [
        (9, "momentum", 0.8),
        (9, "learning_rate", 0.001),
    ]
    assert branch.advance().item() == whole.advance().item()  # the loss before the step
    assert branch.advance().item() != whole.advance().item()
    kept = copy.deepcopy(branch.snapshot())
    again = begin(branch.recipe, kept)
    assert again.changes == branch.changes
    assert again.advance().item() == branch.advance().item()


def test_a_branch_with_another_optimiser_starts_it_afresh() -> None:
    whole = begin(RECIPE)
    for _ in range(9):
        whole.advance()
    recipe = replace(RECIPE, optimiser="adam", learning_rate=0.001)
    branch = begin(recipe, whole.snapshot())
    for _ in range(3):
        branch.advance()
    assert {"exp_avg", "exp_avg_sq"} <= set(next(iter(branch.optimiser.state.values())))
    assert branch.points[0] == whole.points[0]
    assert (branch.began, branch.branched) == (RECIPE, {"optimiser": 9})
    again = begin(recipe, branch.snapshot())
    assert (again.began, again.branched) == (RECIPE, {"optimiser": 9})


def test_early_stopping_ends_with_the_weights_of_the_lowest_validation_loss() -> None:
    recipe = replace(RECIPE, epochs=40, patience=3, learning_rate=0.05, schedule="constant")
    training = begin(recipe)
    weights = {}
    for _ in training.run():
        if training.points[-1].step == training.step:
            weights[training.step] = {
                name: value.clone() for name, value in training.network.state_dict().items()
            }
    losses = [point.validation_loss for point in training.points]
    best = training.points[losses.index(min(losses))]
    assert training.best is not None
    assert training.best[0] == best.step
    assert training.ended
    assert training.step < 40 * 14  # it did stop
    # Three epochs of 320 images without a lower one, at the first point from there on.
    assert 960 <= training.seen - best.seen < 960 + 320 / 12 + 24
    for name, value in training.network.state_dict().items():
        assert torch.equal(value, weights[best.step][name]), name
    again = begin(recipe, training.snapshot())
    assert again.ended
    assert again.steps == training.steps


def test_without_patience_nothing_is_stopped() -> None:
    training = begin(replace(RECIPE, epochs=12, learning_rate=0.05, schedule="constant"))
    for _ in range(training.steps):
        training.advance()
    assert (training.step, training.best) == (12 * 14, None)


def test_dropout_is_the_same_again_after_any_snapshot() -> None:
    recipe = replace(RECIPE, dropout=0.5)

    def start(snapshot: Snapshot | None = None) -> Training:
        source = torch.Generator().manual_seed(recipe.seed)
        return Training(build("lenet5", source, dropout=0.5), few_digits(), recipe, snapshot)

    whole = start()
    losses = [whole.advance().item() for _ in range(7)]
    snapshot = copy.deepcopy(whole.snapshot())
    losses += [whole.advance().item() for _ in range(7)]
    again = start(snapshot)
    assert [again.advance().item() for _ in range(7)] == losses[7:]
    without = begin(RECIPE)
    assert [without.advance().item() for _ in range(14)] != losses
