"""Training is what plain torch would do, can be continued anywhere, and never sees a test digit."""

import copy
import itertools
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from sklearn import metrics
from torch import Tensor, nn

from core.shared import snapshots
from core.shared.data import Dataset, Split
from core.shared.networks import lenet5
from core.shared.recipes import Recipe
from core.shared.snapshots import Snapshot
from core.shared.training import Evaluation, Training, evaluate
from core.train_cnn.learning import Lesson
from tests.shared.mischief import begin, few_digits

RECIPE = Recipe(learning_rate=0.02, batch_size=24, epochs=2, seed=5)  # 320 = 13 · 24 + 8


def plain_losses(
    recipe: Recipe, digits: Dataset, order: list[Tensor]
) -> tuple[list[float], Tensor]:
    """The losses of the textbook loop on the given batches, and the first kernels at its end."""
    network = lenet5(torch.Generator().manual_seed(recipe.seed))
    if recipe.optimiser == "adam":
        optimiser: torch.optim.Optimizer = torch.optim.Adam(
            network.parameters(),
            recipe.learning_rate,
            weight_decay=recipe.weight_decay,
            foreach=False,
            fused=False,
        )
    else:
        optimiser = torch.optim.SGD(
            network.parameters(),
            recipe.learning_rate,
            momentum=0.9,
            weight_decay=recipe.weight_decay,
            nesterov=recipe.optimiser == "nesterov",
            foreach=False,
            fused=False,
        )
    losses = []
    for step, batch in enumerate(order):
        if recipe.schedule == "linear":  # up over a twentieth of the steps, then down to 0
            rise = max(1, round(len(order) / 20))
            share = min((step + 1) / rise, (len(order) - step) / (len(order) - rise))
            optimiser.param_groups[0]["lr"] = recipe.learning_rate * share
        optimiser.zero_grad()
        loss = F.cross_entropy(
            network(digits.training.images[batch]), digits.training.labels[batch]
        )
        loss.backward()
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


@pytest.mark.parametrize("optimiser", ["momentum", "nesterov", "adam"])
@pytest.mark.parametrize("schedule", ["linear", "constant"])
def test_every_step_is_the_step_of_a_plain_torch_loop(optimiser: str, schedule: str) -> None:
    rate = 0.002 if optimiser == "adam" else 0.02
    recipe = replace(RECIPE, optimiser=optimiser, schedule=schedule, learning_rate=rate)
    training = begin(recipe)
    ours = [training.advance().item() for _ in range(training.steps)]
    theirs, kernels = plain_losses(recipe, few_digits(), batches(recipe))
    # Two orders of the same float32 sums; 28 steps let their differences grow to some 1e-5.
    torch.testing.assert_close(torch.tensor(ours), torch.tensor(theirs), rtol=1e-3, atol=1e-4)
    found = training.network.get_parameter("C1.0.weight").detach()
    torch.testing.assert_close(found.contiguous(), kernels, rtol=1e-3, atol=1e-4)


def test_that_oracle_rejects_another_momentum_and_another_rate() -> None:
    order, digits = batches(RECIPE), few_digits()
    theirs, _ = plain_losses(RECIPE, digits, order)
    for other in (
        replace(RECIPE, optimiser="momentum"),
        replace(RECIPE, learning_rate=0.021),
        replace(RECIPE, weight_decay=0.01),
    ):
        wrong, _ = plain_losses(other, digits, order)
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
    for step in range(whole.steps):
        if step == 9:
            whole.change_rate(0.001)
        if step in (0, 1, 8, 9, 10, 14, 27):  # before, at and after the change, an epoch's end
            kept[step] = copy.deepcopy(whole.snapshot())
            snapshots.write(tmp_path, kept[step])
        losses.append(whole.advance().item())
    for step, snapshot in kept.items():
        on_disk = snapshots.load(tmp_path / f"snapshot-{step:09}.safetensors")
        for source in (snapshot, on_disk):
            again = begin(recipe, source)
            rest = []
            while again.step < again.steps:
                if again.step == 9 and not again.changes:
                    again.change_rate(0.001)
                rest.append(again.advance().item())
            assert rest == losses[step:], step
            assert again.points == whole.points
            assert again.changes == whole.changes == [(9, 0.001)]
            assert torch.equal(again.confusion, whole.confusion)
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
    monkeypatch.setattr(training, "logits", lambda images: torch.zeros(len(images), 10))
    monkeypatch.setattr(training.optimiser, "step", lambda: None)
    monkeypatch.setattr(torch.Tensor, "backward", lambda _: None)
    monkeypatch.setattr(
        "core.shared.training.evaluate",
        lambda *_: Evaluation(2.3, 0.1, torch.zeros(10, 10, dtype=torch.long)),
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


def test_a_rate_that_is_none_is_refused() -> None:
    training = begin(RECIPE)
    for rate in (0.0, -1.0, 11.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="learning_rate must be above 0 and at most 10"):
            training.change_rate(rate)
    assert training.changes == []


@pytest.mark.gpu
def test_steps_on_the_gpu_are_those_of_the_cpu() -> None:
    here, there = begin(RECIPE), begin(RECIPE)
    device = torch.device("cuda")

    def move(split: Split) -> Split:
        return Split(split.images.to(device), split.labels.to(device))

    digits = there.digits
    moved = Dataset(move(digits.training), move(digits.validation), move(digits.test))
    gpu = Training(there.network.to(device), moved, RECIPE)
    for _ in range(5):  # float32 on both; a step apart by no more than rounding
        assert gpu.advance().item() == pytest.approx(here.advance().item(), rel=1e-3)
