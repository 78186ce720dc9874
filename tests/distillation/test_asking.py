"""What is asked of networks is what plain torch finds of them, and leaves them as they were."""

import math
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save

from core.distillation import asking, outcomes, tempering
from core.distillation.calibrating import fit, reliability
from core.distillation.comparing import compare, match
from core.distillation.darkness import darken
from core.shared import data, networks, weights
from core.shared.loading import load
from core.shared.models import Source
from core.shared.progress import Done
from core.shared.turns import Patient, patient
from tests.shared.untouched import leaves_untouched

CPU = torch.device("cpu")
DATA = "fashion"
LITE = Source(kind="built-in", name="efficientnet-lite0")
MNIST = Source(kind="built-in", name="mnist")
learned = patient(outcomes.outcomes)


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Weights are kept in a folder of their own."""
    with pytest.MonkeyPatch.context() as patch:
        place = tmp_path_factory.mktemp("runs")
        patch.setenv("GLASSBOX_RUNS", str(place))
        yield place


def kept(seed: int, scale: float) -> Source:
    """A network whose first layers were drawn and whose last was fitted to its data, roughly."""
    network = networks.build(
        weights.NETWORKS["the table mlp"],
        torch.Generator().manual_seed(seed),
        mean=0.286,
        deviation=0.353,
    ).eval()
    training = data.dataset(DATA, CPU).training
    last = [each for each in network.modules() if isinstance(each, torch.nn.Linear)][-1]
    seen: list[torch.Tensor] = []
    hook = last.register_forward_pre_hook(lambda _, taken: seen.append(taken[0]))
    with torch.no_grad():
        network(training.images[:1_500])
        hook.remove()
        inner = seen[0]
        inner = torch.cat([inner, torch.ones(len(inner), 1)], 1)
        wanted = F.one_hot(training.labels[:1_500], 10).float() - 0.1
        ridge = inner.T @ inner + 300 * torch.eye(inner.shape[1])
        found = torch.linalg.solve(ridge, inner.T @ wanted).T * scale
        last.weight.copy_(found[:, :-1])
        last.bias.copy_(found[:, -1])
    name = weights.keep(weights.folder(), save(dict(network.state_dict())), DATA)
    return Source(kind="weights", name=name)


@pytest.fixture(scope="module")
def teacher(folder: Path) -> Source:
    return kept(0, 20.0)


@pytest.fixture(scope="module")
def student(folder: Path) -> Source:
    return kept(1, 5.0)


def plainly(source: Source, part: str) -> tuple[np.ndarray, np.ndarray]:
    """All logits by one pass, and the labels."""
    split = getattr(data.dataset(DATA, CPU), part)
    with torch.no_grad():
        return load(source).network(split.images).numpy(), split.labels.numpy()


def same(one: object, other: object) -> None:
    """Two results of calls are the same, number by number, but for rounding in float32."""
    for name in type(one).__slots__:  # type: ignore[attr-defined]
        ours, theirs = getattr(one, name), getattr(other, name)
        if isinstance(ours, (int, float, np.ndarray)):
            np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5, err_msg=name)


def test_the_logits_of_a_picture_are_the_networks(teacher: Source) -> None:
    image = data.dataset(DATA, CPU).test.images[7]
    logits, _ = plainly(teacher, "test")
    found = asking.logits(teacher, image.numpy())
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, logits[7], rtol=1e-4, atol=1e-4)
    assert not np.allclose(found, logits[8], rtol=1e-2)
    told = asking.picture(teacher, 7)
    np.testing.assert_array_equal(told.logits, found)
    np.testing.assert_array_equal(told.pixels, image.numpy())
    assert (told.index, told.count) == (7, 2_000)
    assert told.label == int(data.dataset(DATA, CPU).test.labels[7])
    assert asking.picture(teacher, 10**9).index == 1_999


@pytest.mark.parametrize("part", outcomes.PARTS)
def test_all_images_are_read_once_and_in_their_order(
    part: str, teacher: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = learned(teacher, part)
    logits, labels = plainly(teacher, part)
    np.testing.assert_allclose(found.logits, logits, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(found.labels, labels)
    with pytest.raises(ValueError, match="read-only"):
        found.logits[0] = 0
    monkeypatch.setattr(outcomes, "read", None)  # nothing is read again
    assert learned(teacher, part) is found


def test_how_far_it_is_is_told_between_the_turns(teacher: Source) -> None:
    outcomes.outcomes.cache_clear()
    told = list(learned.in_turns(teacher, "test"))
    assert told[-1] == Done(2_000, 2_000, "images", told[-1].title)
    assert len(told) == 2_000 / 250
    assert [each.done for each in told] == list(range(250, 2_001, 250))


@pytest.mark.parametrize("temperature", [0.0, 1.0, 4.0, math.inf])
def test_the_temperature_is_fitted_on_validation_and_judged_on_test(
    teacher: Source, temperature: float
) -> None:
    told = asking.calibrated(teacher, temperature)
    chosen, judged = plainly(teacher, "validation"), plainly(teacher, "test")
    assert told.fitted.temperature == pytest.approx(fit(*chosen).temperature, rel=1e-3)
    same(told.before, reliability(*judged, 1.0))
    same(told.after, reliability(*judged, told.fitted.temperature))
    same(told.present, reliability(*judged, temperature))
    assert told.before.right == told.after.right == told.present.right
    assert told.validation.values.min() == pytest.approx(told.fitted.value, rel=1e-2)
    assert told.fitted.value <= told.validation.values.min()
    assert told.validation.beta[0] == 0
    assert told.validation.beta[-1] >= max(3, told.fitted.beta)
    place = int(np.argmin(np.abs(told.test.beta - 1.5)))
    value = F.cross_entropy(
        torch.tensor(judged[0]) * told.test.beta[place], torch.tensor(judged[1])
    )
    assert told.test.values[place] == pytest.approx(float(value), rel=1e-3)


def test_that_oracle_rejects_a_temperature_that_was_fitted_on_the_test_images(
    teacher: Source,
) -> None:
    told, judged = asking.calibrated(teacher), plainly(teacher, "test")
    assert told.fitted.temperature != pytest.approx(fit(*judged).temperature, rel=1e-3)
    assert told.after.likelihood >= fit(*judged).value
    assert told.after.likelihood < told.before.likelihood


def test_a_network_that_is_so_much_surer_is_calibrated_by_so_much_heat() -> None:
    one, other = (asking.calibrated(kept(0, scale)) for scale in (20.0, 60.0))
    assert other.fitted.temperature == pytest.approx(3 * one.fitted.temperature, rel=1e-3)
    assert other.after.error == pytest.approx(one.after.error, abs=1e-3)


def test_the_dark_knowledge_and_its_images_are_those_of_the_test_images(teacher: Source) -> None:
    logits, labels = plainly(teacher, "test")
    told = asking.dark(teacher, 4.0)
    same(told, darken(logits, labels, 4.0))
    true, other = told.likeliest
    shown = asking.shown(teacher, 4.0, true, other, 5)
    assert shown.cell.mean == pytest.approx(told.wrong[true, other])
    images = data.dataset(DATA, CPU).test.images
    for index, pixels in zip(shown.cell.indices, shown.pixels, strict=True):
        assert labels[index] == true
        np.testing.assert_array_equal(pixels, images[int(index)].numpy())
    assert not np.array_equal(shown.pixels[0], shown.pixels[1])


def test_a_face_is_of_the_image_that_was_asked_for(teacher: Source, student: Source) -> None:
    told = asking.faced(teacher, student, 11, 3.0)
    v, labels = plainly(teacher, "test")
    z, _ = plainly(student, "test")
    p, q = (torch.tensor(each[11]).double().div(3).softmax(0) for each in (v, z))
    np.testing.assert_allclose(told.faces.teacher, p, rtol=1e-3)
    assert told.faces.student is not None
    np.testing.assert_allclose(told.faces.student, q, rtol=1e-3)
    assert told.faces.divergence == pytest.approx(float((p * (p / q).log()).sum()), rel=1e-2)
    assert (told.index, told.label) == (11, labels[11])
    np.testing.assert_allclose(told.teacher, v[11], rtol=1e-3, atol=1e-4)
    assert told.student is not None
    np.testing.assert_allclose(told.student, z[11], rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(told.pixels, data.dataset(DATA, CPU).test.images[11].numpy())
    alone = asking.faced(teacher, None, 10**9, 3.0)
    assert (alone.index, alone.student, alone.faces.student) == (1_999, None, None)


def test_two_networks_are_compared_on_the_test_images(teacher: Source, student: Source) -> None:
    (v, labels), (z, _) = plainly(teacher, "test"), plainly(student, "test")
    told = asking.compared(teacher, student, 4.0)
    same(told, compare(v, z, labels, 4.0))
    equal = asking.compared(teacher, teacher, 4.0)
    assert (equal.agreement, equal.divergence) == (1, 0)
    assert equal.shared_errors == equal.teacher_errors == told.teacher_errors > 0
    assert told.agreement < 1
    temperatures = (1.0, 4.0, 1e4)
    same(
        asking.matched(teacher, student, temperatures), match(v, z, labels, np.array(temperatures))
    )
    nothing = asking.matched(teacher, None, temperatures)
    same(nothing, match(v, np.zeros_like(v), labels, np.array(temperatures)))
    assert nothing.cosine[-1] == pytest.approx(1, abs=1e-3)


def test_a_student_of_other_data_is_refused(teacher: Source) -> None:
    for ask in (
        lambda: asking.compared(teacher, MNIST),
        lambda: asking.matched(teacher, MNIST, (1.0,)),
        lambda: asking.faced(teacher, MNIST, 0, 1.0),
    ):
        with pytest.raises(ValueError, match="student must have learned from the teacher's data"):
            ask()


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda t: asking.logits(t, np.zeros((3, 28, 28), np.float32)), "pixels must have the sha"),
        (lambda t: asking.picture(t, -1), "index must be at least 0, got -1"),
        (lambda t: asking.faced(t, None, -1, 1.0), "index must be at least 0, got -1"),
        (lambda t: learned(t, "training"), "part must be one of"),
        (lambda t: asking.dark(t, -1.0), "temperature must be from 0 to infinity, got -1.0"),
        (lambda t: asking.calibrated(t, math.nan), "temperature must be from 0 to infinity"),
        (lambda t: asking.calibrated(t, 1.0, 0), "bins must be at least 1, got 0"),
        (lambda t: asking.shown(t, 1.0, 10, 0), "true must be from 0 to 9, got 10"),
        (lambda t: asking.matched(t, t, (1.0,)), "student must differ from teacher"),
        (lambda t: asking.dark(LITE, 1.0), "network must be one whose data are here, got"),
    ],
)
def test_what_cannot_be_asked_is_refused_and_disturbs_nobody(
    ask: Callable[[Source], object], sentence: str, teacher: Source
) -> None:
    leaves_untouched(load(teacher).network, (lambda: ask(teacher), sentence))


@pytest.mark.parametrize(
    "ask",
    [
        lambda t: asking.logits(t, np.zeros((1, 28, 28), np.float32)),
        lambda t: asking.picture(t, 3),
        lambda t: asking.calibrated(t, 2.0),
        lambda t: asking.shown(t, 2.0, 0, 6),
        lambda t: asking.faced(t, None, 3, 2.0),
        lambda t: asking.matched(t, None, (2.0,)),
    ],
)
def test_every_answer_can_be_sent_and_disturbs_nobody(
    ask: Callable[[Source], object], teacher: Source
) -> None:
    outcomes.outcomes.cache_clear()
    told: list[object] = []
    leaves_untouched(load(teacher).network, lambda: told.append(ask(teacher)))
    again = pickle.loads(pickle.dumps(told[0]))
    assert type(again) is type(told[0])


def test_between_the_turns_no_one_notices(teacher: Source) -> None:
    outcomes.outcomes.cache_clear()
    for call in (asking.dark.in_turns(teacher, 2.0), asking.calibrated.in_turns(teacher)):
        for _ in call:
            assert torch.is_grad_enabled()


def test_a_long_row_of_temperatures_is_gone_through_one_a_turn(teacher: Source) -> None:
    learned(teacher, "test")
    for count in (3, 7):
        heats = tuple(float(each) for each in range(1, count + 1))
        assert len([*asking.matched.in_turns(teacher, None, heats)]) == count
    learned(teacher, "validation")
    tempering._fitted.cache_clear()
    assert len([*asking.calibrated.in_turns(teacher)]) >= 2 * tempering.CURVE


def test_what_may_take_long_is_given_in_turns() -> None:
    for name in ("calibrated", "compared", "dark", "faced", "matched", "shown"):
        assert isinstance(getattr(asking, name), Patient), name


def test_a_built_in_network_is_asked_of_its_own_test_images() -> None:
    told = asking.picture(MNIST, 0)
    assert (told.label, int(told.logits.argmax()), told.count) == (7, 7, 10_000)
