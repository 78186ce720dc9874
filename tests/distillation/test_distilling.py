"""A distillation gives each student the weights that the barest loop gives it, and tells so."""

import math
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from core.distillation import ARMS, DISTIL, LOGITS, Distillation, Distilled, distilling, teaching
from core.distillation.distilling import Distilling, distil, logits
from core.distillation.unseen import unseen
from core.shared import snapshots, targets
from core.shared.engine import Engine
from core.shared.models import Source
from core.shared.snapshots import Snapshot
from tests.distillation.small import CLASSES, SMALL, Small, bare, small
from tests.shared.untouched import untouched

# A run adds the terms' gradients in one pass and its Adam is fused: 1e-7 a step, and 9 steps.
RELATIVE, ABSOLUTE = 1e-4, 1e-5
EXPERIMENTS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "soft alone": {"alpha": 0.0},
    "hard alone": {"alpha": 1.0},
    "not squared": {"squared": False},
    "by the classes too": {"reduction": "mean"},
    "hot": {"temperature": 20.0, "alpha": 0.5},
    "unlabelled": {"images": 10, "unlabelled": 31},
    "left out": {"left_out": 2, "images": 30},
    "left out and unlabelled": {"left_out": 1, "images": 12, "unlabelled": 21},
}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[Small]:
    monkeypatch.setenv("GLASSBOX_DEVICE", "cpu")
    with small(monkeypatch) as found:
        yield found


def ended(config: Distillation, snapshot: Snapshot | None = None) -> Distilling:
    """The end of a run, which computes in turns and holds nothing between two of them."""
    last, living = -1.0, None
    for given in distil(config, snapshot):
        assert torch.is_grad_enabled()
        if isinstance(given, Distilling):
            living = given
            assert living.progress >= last
            last = living.progress
    assert living is not None
    assert last == 1
    return living


def alike(network: nn.Module, other: nn.Module) -> bool:
    pairs = zip(network.parameters(), other.parameters(), strict=True)
    return all(torch.allclose(one, two, RELATIVE, ABSOLUTE) for one, two in pairs)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_each_student_ends_with_the_weights_of_the_barest_loop(world: Small, name: str) -> None:
    config = replace(SMALL, **EXPERIMENTS[name])
    found = ended(config)
    assert tuple(student.arm for student in found.students) == tuple(ARMS)
    for student in found.students:
        assert alike(student.network, bare(world, config, student.arm)), student.arm


@pytest.mark.parametrize(
    "changes",
    [
        {"squared": False},
        {"reduction": "mean"},
        {"temperature": 4.5},
        {"alpha": 0.15},
        {"seed": 6},
        {"unlabelled": 4},
        {"left_out": 0},
        {"images": 23},
        {"batch_size": 9},
    ],
    ids=str,
)
def test_that_loop_rejects_another_experiment(world: Small, changes: dict[str, Any]) -> None:
    (student,) = ended(replace(SMALL, arms=("distilled",))).students
    assert alike(student.network, bare(world, SMALL, "distilled"))
    assert not alike(student.network, bare(world, replace(SMALL, **changes), "distilled"))


def test_no_two_arms_learn_the_same(world: Small) -> None:
    students = ended(SMALL).students
    for place, one in enumerate(students):
        for two in students[:place]:
            assert not alike(one.network, two.network), (one.arm, two.arm)


def test_arms_do_not_depend_on_each_other(world: Small) -> None:
    together = ended(replace(SMALL, student="fc6-relu-drop50", unlabelled=20))
    turned = ended(replace(together.config, arms=(*reversed(ARMS),)))
    for student, last in zip(together.students, reversed(turned.students), strict=True):
        only = replace(together.config, arms=(student.arm,))
        (by_itself,) = ended(only).students
        for one in (by_itself, last):
            assert one.arm == student.arm
            pairs = zip(one.parameters, student.parameters, strict=True)
            assert all(torch.equal(here, there) for here, there in pairs)


def test_the_curves_and_the_end_are_what_the_weights_give(world: Small) -> None:
    config = replace(SMALL, epochs=2)
    found = ended(config).freeze()
    split, test = world.dataset.validation, world.dataset.test
    said = world.network(test.images)
    assert (found.epoch, found.tested, found.watched) == (2.0, 50, 40)
    assert found.teacher_errors == int((said.argmax(1) != test.labels).sum())
    for arm in found.arms:
        assert arm.epochs.tolist() == [0, 1, 2]
        for epochs, wrong, agreed in zip(arm.epochs, arm.validation, arm.agreement, strict=True):
            network = bare(world, replace(config, epochs=max(1, int(epochs))), arm.name)
            if epochs:
                read = network(split.images).argmax(1)
                assert wrong == pytest.approx(float((read != split.labels).float().mean()))
                teacher = world.network(split.images).argmax(1)
                assert agreed == pytest.approx(float((read == teacher).float().mean()))
        read = network(test.images)
        assert arm.errors == int((read.argmax(1) != test.labels).sum())
        p, q = said.softmax(1), read.detach().softmax(1)
        expected = float((p * (p / q).log()).sum(1).mean())
        assert arm.divergence == pytest.approx(expected, rel=1e-3)
        assert expected > 0.01


def test_whenever_it_is_looked_at_all_curves_have_the_same_points(world: Small) -> None:
    living, uneven = None, 0
    for given in distil(SMALL):
        living = living or given
        assert living is not None
        arms = living.freeze().arms
        for curve in ("validation", "hard", "soft", "agreement"):
            assert {len(getattr(arm, curve)) for arm in arms} == {len(arms[0].epochs)}
        uneven += len({len(student.curves["epochs"]) for student in living.students}) > 1
    assert uneven  # it is looked at between two students' points too


def test_the_norms_are_those_of_each_term_by_itself(world: Small) -> None:
    """One batch an epoch, so that the first step's are those of the bare student."""
    from tests.distillation.small import student as before_the_first_step

    config = replace(SMALL, batch_size=22, epochs=1)
    split = world.dataset.training
    found = {arm.name: arm for arm in ended(config).freeze().arms}
    living = Distilling(config)
    images, labels = split.images[living.places], split.labels[living.places]
    network = before_the_first_step(config)
    read = network(images)

    def norm(term: torch.Tensor) -> float:
        slopes = torch.autograd.grad(term, [*network.parameters()], retain_graph=True)
        return math.sqrt(sum(float(each.square().sum()) for each in slopes))

    cross_entropy = F.cross_entropy(read, labels)
    p, q = (world.network(images) / 4).softmax(1), (read / 4).softmax(1)
    divergence = 16 * (p * (p / q).log()).sum(1).mean()
    assert found["distilled"].hard[1] == pytest.approx(norm(0.1 * cross_entropy), rel=1e-4)
    assert found["distilled"].soft[1] == pytest.approx(norm(0.9 * divergence), rel=1e-4)
    assert found["alone"].hard[1] == pytest.approx(norm(cross_entropy), rel=1e-4)
    assert np.isnan(found["alone"].soft).all()
    assert np.isnan(found["distilled"].hard[0])
    (soft_alone,) = ended(replace(config, alpha=0.0, arms=("distilled",))).freeze().arms
    assert np.isnan(soft_alone.hard).all()
    assert soft_alone.soft[1] == pytest.approx(norm(divergence), rel=1e-4)
    # Adam makes little of the size of one term alone, so it is here that T² shows at α = 0.
    for changes, share in (({"squared": False}, 1 / 16), ({"reduction": "mean"}, 1 / CLASSES)):
        other = replace(config, alpha=0.0, arms=("distilled",), **changes)
        (wrong,) = ended(other).freeze().arms
        assert wrong.soft[1] == pytest.approx(share * norm(divergence), rel=1e-4)


def test_measuring_moves_no_weight(world: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    few = ended(replace(SMALL, epochs=4))
    monkeypatch.setattr(distilling, "EVERY", 1)
    every = ended(few.config)
    assert every.freeze().arms[0].hard[1] != few.freeze().arms[0].hard[1]
    for one, two in zip(few.students, every.students, strict=True):
        for here, there in zip(one.parameters, two.parameters, strict=True):
            assert torch.equal(here, there)


def test_the_teacher_speaks_once_and_stays_untouched(
    world: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def counting(images: torch.Tensor) -> torch.Tensor:
        asked.append(len(images))
        said: torch.Tensor = world.network(images)
        return said

    monkeypatch.setattr(teaching, "quickest", lambda _: counting)
    with untouched(world.network):
        ended(SMALL)
    assert sum(asked) == SMALL.images + 40 + 50  # those it teaches, to validate, to test
    ended(replace(SMALL, temperature=2.0, seed=1))
    assert sum(asked) == SMALL.images + 40 + 50  # remembered


@pytest.mark.parametrize("turns", [0, 1, 2, 5, 7, 8, 9, 10, 12, 14, 26, 27, 28, 29, 30, 60, 64, 65])
def test_a_run_goes_on_from_a_snapshot_as_if_nothing_had_happened(
    world: Small, tmp_path: Path, turns: int
) -> None:
    """Also from one between two students' steps, or two students' points."""
    config = replace(SMALL, student="fc6-relu-drop20", unlabelled=7, images=15)
    whole = ended(config)
    work = distil(config)
    living = next(work)
    assert living is not None
    for _ in range(turns):
        next(work)
    snapshots.write(tmp_path, living.snapshot(), rolling=True)
    again = ended(config, snapshots.newest(tmp_path))
    for one, two in zip(whole.students, again.students, strict=True):
        for here, there in zip(one.parameters, two.parameters, strict=True):
            assert torch.equal(here, there)
    np.testing.assert_equal(asdict(again.freeze()), asdict(whole.freeze()))


def test_an_ended_run_comes_back_with_all_it_told(world: Small, tmp_path: Path) -> None:
    whole = ended(SMALL)
    snapshots.write(tmp_path, whole.snapshot(), rolling=True)
    again = ended(SMALL, snapshots.newest(tmp_path))
    np.testing.assert_equal(asdict(again.freeze()), asdict(whole.freeze()))
    assert np.array_equal(logits(again, "alone"), logits(whole, "alone"))


def test_a_snapshot_of_others_is_refused(world: Small) -> None:
    snapshot = ended(SMALL).snapshot()
    with pytest.raises(ValueError, match="snapshot must be of \\('alone',\\), got another run's"):
        Distilling(replace(SMALL, arms=("alone",)), snapshot)
    with pytest.raises(ValueError, match="snapshot must be of this student, got"):
        Distilling(replace(SMALL, student="fc7-tanh"), snapshot)


def test_a_students_logits_are_told_in_the_end_and_some_before(world: Small) -> None:
    living = next(distil(SMALL))
    assert living is not None
    images = world.dataset.test.images
    some = logits(living, "permuted", (3, 1))
    expected = living.students[3].network(images[[3, 1]]).detach().numpy()
    np.testing.assert_allclose(some, expected, rtol=1e-5, atol=1e-6)
    end = ended(SMALL)
    expected = bare(world, SMALL, "distilled")(images).detach().numpy()
    np.testing.assert_allclose(logits(end, "distilled"), expected, rtol=1e-3, atol=1e-4)
    assert np.array_equal(logits(end, "distilled", (7,)), logits(end, "distilled")[[7]])
    with pytest.raises(ValueError, match=r"arm must be one of .*, got 'nobody'"):
        logits(end, "nobody")
    with pytest.raises(ValueError, match="images must be from 0 to 49, got"):
        logits(end, "alone", (50,))


def test_all_at_once_is_refused_before_the_end(
    world: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distilling, "MOST_ASKED", 20)
    living = next(distil(SMALL))
    assert living is not None
    with pytest.raises(ValueError, match="images must be at most 20 until the run ends, got 50"):
        logits(living, "alone")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"left_out": CLASSES}, "left_out must be from 0 to 3, got 4"),
        ({"images": 80, "unlabelled": 11}, "must be at most 90 together, .* got 91"),
        ({"student": "conv3-k9,fc4"}, "conv"),
        ({"student": "fc4-batch", "images": 33}, "no batch of one image, .* got 8 for 33 images"),
        ({"student": "fc2048", "batch_size": 1_000}, ""),
    ],
)
def test_what_cannot_be_is_refused(
    world: Small, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], sentence: str
) -> None:
    if not sentence:
        monkeypatch.setattr("core.distillation.students.MOST_PRODUCTS", 10**7)
        sentence = "batch_size must be at most 168 for this student"
    with pytest.raises(ValueError, match=sentence):
        next(distil(replace(SMALL, **changes)))


def test_a_teacher_of_other_data_is_refused(world: Small) -> None:
    object.__setattr__(world.model, "classes", ("a", "b"))
    with pytest.raises(ValueError, match=r"teacher must take .* apart 4 classes, .* and 2"):
        next(distil(SMALL))


def test_a_teacher_whose_data_are_not_here_is_refused() -> None:
    teacher = Source(kind="built-in", name="efficientnet-lite0")
    with pytest.raises(ValueError, match="network must be one whose data are here"):
        next(distil(replace(SMALL, teacher=teacher)))


def test_a_student_that_diverges_says_what_to_try(
    world: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = distil(replace(SMALL, arms=("alone",)))
    living = next(work)
    assert living is not None
    with torch.no_grad():
        living.students[0].parameters[0].fill_(torch.nan)
    with pytest.raises(FloatingPointError, match=r'"alone" has no finite gradient .* try a tenth'):
        list(work)
    with pytest.raises(FloatingPointError, match="try a tenth"):
        living.snapshot()


def test_the_engine_runs_it_and_is_asked(world: Small, tmp_path: Path, until: Any) -> None:
    assert targets.resolve(DISTIL) is distil
    with Engine(tmp_path, devices=("cpu",), inline=True) as engine:
        run = engine.submit(DISTIL, SMALL, visitor="somebody")
        until(lambda: not engine.view(run).live)
        view = engine.view(run)
        assert view.status == "finished", view.failure
        assert isinstance(view.state, Distilled)
        told = engine.ask(run, LOGITS, "smoothed")
    expected = ended(SMALL)
    np.testing.assert_equal(asdict(view.state), asdict(expected.freeze()))
    assert np.array_equal(told, logits(expected, "smoothed"))


def test_what_agrees_in_the_end_is_counted_on_the_test_images(world: Small) -> None:
    found = ended(SMALL)
    images = world.dataset.test.images
    with torch.no_grad():
        said = world.network(images).argmax(1)
        for student in found.freeze().arms:
            with torch.enable_grad():
                network = bare(world, SMALL, student.name)
            read = network(images).argmax(1)
            alike = float((read == said).double().mean())
            assert student.agreed == pytest.approx(alike, abs=1 / 50)  # a tie may fall either way
    assert len({arm.agreed for arm in found.freeze().arms}) > 1


def test_a_class_that_was_left_out_is_found_again_by_its_bias(world: Small) -> None:
    config = replace(SMALL, left_out=2, images=30, epochs=12)
    found = ended(config)
    logits = bare(world, config, "distilled")(world.dataset.test.images).detach()
    labels = world.dataset.test.labels
    counts = []
    for shift in (0.0, 1.0, 4.0):
        moved = logits + shift * torch.eye(CLASSES)[2]
        read = moved.argmax(1)
        told = unseen(found, "distilled", shift)
        counts.append((told.errors, told.of_left_out, told.taken_for))
        true = (
            int((read != labels).sum()),
            int(((read != labels) & (labels == 2)).sum()),
            int(((read == 2) & (labels != 2)).sum()),
        )
        assert np.abs(np.array(counts[-1]) - np.array(true)).max() <= 1
        assert told.left_out == int((labels == 2).sum())
    assert counts[0] != counts[1] != counts[2]
    for wrong in (SMALL, replace(config, epochs=1)):
        living = next(given for given in distil(wrong) if isinstance(given, Distilling))
        with pytest.raises(ValueError, match="must have ended, and have left a class out"):
            unseen(living, "distilled", 0.0)
