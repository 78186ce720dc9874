"""How alike two networks are is torch's divergence; matching logits is what T leads to."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy.special import rel_entr
from torch import Tensor

from core.distillation.comparing import compare, divergences, match

quietly = settings(derandomize=True, deadline=None)
seeds = some.integers(0, 2**31)


def networks(seed: int, count: int = 30, scale: float = 5.0) -> tuple[np.ndarray, ...]:
    """Logits of a teacher, of a student that is like it in part, and labels."""
    source = np.random.default_rng(seed)
    teacher = source.normal(0, scale, (count, 10)).astype(np.float32)
    student = (0.6 * teacher + source.normal(0, scale / 2, (count, 10))).astype(np.float32)
    return teacher, student, source.integers(0, 10, count)


def shares(logits: np.ndarray, temperature: float) -> Tensor:
    return torch.tensor(logits).double().div(temperature).softmax(1)


@given(seed=seeds, temperature=some.floats(0.3, 200))
@quietly
def test_the_divergence_is_that_of_scipy_and_of_torch(seed: int, temperature: float) -> None:
    teacher, student, _ = networks(seed)
    found = divergences(teacher, student, temperature)
    p, q = (shares(each, temperature) for each in (teacher, student))
    truth = rel_entr(p.numpy(), q.numpy()).sum(1)
    np.testing.assert_allclose(found, truth, rtol=1e-7, atol=1e-13)
    assert (found >= 0).all()
    whole = F.kl_div(q.log(), p, reduction="batchmean")
    assert found.mean() == pytest.approx(float(whole), rel=1e-7, abs=1e-13)


def test_that_oracle_rejects_the_other_way_the_wrong_mean_and_bits() -> None:
    teacher, student, _ = networks(0)
    truth = rel_entr(shares(teacher, 3).numpy(), shares(student, 3).numpy()).sum(1)
    np.testing.assert_allclose(divergences(teacher, student, 3.0), truth, rtol=1e-9)
    for wrong in (divergences(student, teacher, 3.0), truth / 10, truth / math.log(2)):
        assert not np.allclose(wrong, truth, rtol=1e-2)


@given(seed=seeds, temperature=some.floats(0.01, 1e4))
@quietly
def test_of_equal_networks_it_is_nought_also_when_all_logits_are_shifted(
    seed: int, temperature: float
) -> None:
    teacher, student, labels = networks(seed)
    np.testing.assert_array_equal(divergences(teacher, teacher, temperature), np.zeros(30))
    # A shift of float32 is rounded, to 2⁻²⁴ of what it is, and the divergence is of its square.
    moved = divergences(teacher, teacher.astype(np.float64) + 7, temperature)
    np.testing.assert_allclose(moved, 0, atol=1e-12 / temperature)
    told = compare(teacher, teacher, labels, temperature)
    assert (told.agreement, told.divergence, told.plain) == (1, 0, 0)
    assert compare(teacher, student, labels, 1.0).divergence > 0


def test_at_both_ends_it_is_what_the_definition_says() -> None:
    teacher = np.array([[3.0, 1.0, 0.0], [3.0, 3.0, 0.0], [1.0, 0.0, 0.0]])
    student = np.array([[2.0, 1.0, 0.0], [3.0, 1.0, 0.0], [5.0, 5.0, 0.0]])
    cold = divergences(teacher, student, 0.0)
    np.testing.assert_allclose(cold, [0, math.inf, math.log(2)])
    np.testing.assert_array_equal(divergences(teacher, student, math.inf), np.zeros(3))
    far = divergences(np.array([[0.0, 5_000.0]]), np.array([[5_000.0, 0.0]]), 1.0)
    assert far[0] == pytest.approx(5_000)  # a probability of e⁻⁵⁰⁰⁰ has a logarithm


@given(seed=seeds)
@quietly
def test_errors_and_agreement_are_counted_image_by_image(seed: int) -> None:
    teacher, student, labels = networks(seed, scale=1.0)
    told = compare(teacher, student, labels, 4.0)
    rows = [
        (int(np.argmax(v)), int(np.argmax(z)), int(y))
        for v, z, y in zip(teacher, student, labels, strict=True)
    ]
    assert told.images == 30
    assert told.agreement == sum(v == z for v, z, _ in rows) / 30
    assert told.teacher_errors == sum(v != y for v, _, y in rows)
    assert told.student_errors == sum(z != y for _, z, y in rows)
    assert told.shared_errors == sum(v == z != y for v, z, y in rows)
    assert told.divergence == divergences(teacher, student, 4.0).mean()
    assert told.plain == divergences(teacher, student, 1.0).mean()


def gradients(teacher: np.ndarray, student: np.ndarray, temperature: float) -> Tensor:
    """Of each image's own divergence, by automatic differentiation."""
    logits = torch.tensor(student).double().requires_grad_()
    logs = F.log_softmax(logits / temperature, 1)
    loss = F.kl_div(logs, shares(teacher, temperature), reduction="sum")  # keeps images apart
    return torch.autograd.grad(loss, logits)[0]


def test_cosines_and_norms_are_those_of_torchs_gradients() -> None:
    teacher, student, labels = networks(4)
    temperatures = np.array([1.0, 4.0, 20.0, 200.0])
    found = match(teacher, student, labels, temperatures)
    apart = torch.tensor(student).double() - torch.tensor(teacher).double()
    apart = apart - apart.mean(1, keepdim=True)
    for place, temperature in enumerate(temperatures.tolist()):
        slopes = gradients(teacher, student, temperature)
        cosines = F.cosine_similarity(slopes, apart)
        assert found.cosine[place] == pytest.approx(float(cosines.mean()), rel=1e-9)
        assert found.low[place] == pytest.approx(float(cosines.quantile(0.05)), rel=1e-9)
        assert found.high[place] == pytest.approx(float(cosines.quantile(0.95)), rel=1e-9)
        norms = slopes.norm(dim=1)
        assert found.plain[place] == pytest.approx(float(norms.mean()), rel=1e-9)
        assert found.squared[place] == pytest.approx(float(norms.mean()) * temperature**2, rel=1e-9)
    logits = torch.tensor(student).double().requires_grad_()
    loss = F.cross_entropy(logits, torch.tensor(labels), reduction="sum")
    hard = torch.autograd.grad(loss, logits)[0].norm(dim=1).mean()
    assert found.hard == pytest.approx(float(hard), rel=1e-9)
    assert found.images == 30


def test_that_oracle_rejects_the_wrong_reduction_and_logits_that_are_not_centred() -> None:
    teacher, student, labels = networks(4)
    found = match(teacher, student + 20, labels, np.array([4.0]))
    assert found.cosine[0] == pytest.approx(
        match(teacher, student, labels, np.array([4.0])).cosine[0], rel=1e-5
    )
    slopes = gradients(teacher, student + 20, 4.0)
    plain = torch.tensor(student + 20 - teacher).double()
    assert float(F.cosine_similarity(slopes, plain).mean()) < found.cosine[0] - 0.1
    for wrong in (slopes / 30, slopes / 300, slopes * 16):
        assert found.plain[0] != pytest.approx(float(wrong.norm(dim=1).mean()), rel=1e-2)


def test_as_the_temperature_grows_logits_are_matched_and_t_squared_keeps_the_size() -> None:
    teacher, student, labels = networks(0, 200, 6.0)
    found = match(teacher, student, labels, np.array([1.0, 2.0, 4.0, 8.0, 20.0, 1e3, 1e6]))
    assert (np.diff(found.cosine) > 0).all()
    assert found.cosine[-1] == pytest.approx(1, abs=1e-9)
    assert found.cosine[0] < 0.9
    assert found.plain[0] / found.plain[4] > 50  # without T²
    assert 0.2 < found.squared[0] / found.squared[4] < 5
    limit = np.linalg.norm(_centred(student) - _centred(teacher), axis=1).mean() / 10
    assert found.squared[-1] == pytest.approx(limit, rel=1e-4)


def _centred(logits: np.ndarray) -> np.ndarray:
    found: np.ndarray = logits - logits.mean(1, keepdims=True, dtype=np.float64)
    return found


def test_images_of_which_both_say_the_same_do_not_count() -> None:
    teacher, student, labels = networks(1, 6)
    student[:2] = teacher[:2] + 3
    teacher, student = teacher.astype(np.float64), student.astype(np.float64)
    student[:2] = teacher[:2]
    found = match(teacher, student, labels, np.array([1.0, 5.0]))
    alone = match(teacher[2:], student[2:], labels[2:], np.array([1.0, 5.0]))
    assert found.images == 4
    np.testing.assert_array_equal(found.cosine, alone.cosine)
    np.testing.assert_array_equal(found.plain, alone.plain)


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda v, z, y: compare(v[:0], z[:0], y[:0]), "labels must be of at least one image"),
        (lambda v, z, y: compare(v, z, y, -1.0), "temperature must be from 0 to infinity, got -1"),
        (lambda v, z, y: divergences(v, z, math.nan), "temperature must be from 0 to infinity"),
        (lambda v, z, y: match(v, v, y, np.ones(1)), "student must differ from teacher on some"),
        (lambda v, z, y: match(v, z, y, np.zeros(1)), "temperatures must be above 0 and finite"),
        (lambda v, z, y: match(v, z, y, np.array([np.inf])), "must be above 0 and finite"),
    ],
)
def test_what_cannot_be_compared_is_refused(ask: Callable[..., object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        ask(*networks(0))
