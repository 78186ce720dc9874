"""Each term of a student's loss is what the formula says, and no neighbour of it."""

import math
from collections.abc import Callable
from contextlib import nullcontext

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as some
from torch import Tensor

from core.distillation.losses import UNLABELLED, hard_term, permuted, soft_targets, soft_term

Soft = Callable[[Tensor, Tensor, float, float], Tensor]  # student, teacher, T, α

properties = settings(derandomize=True, deadline=None, max_examples=40)
seeds = some.integers(0, 2**31)
temperatures = some.floats(0.25, 50)


def pair(seed: int, images: int = 5, classes: int = 10) -> tuple[Tensor, Tensor]:
    """Logits of a student and of a teacher, in double precision."""
    source = torch.Generator().manual_seed(seed)
    made = 3 * torch.randn(2, images, classes, generator=source, dtype=torch.float64)
    return made[0], made[1]


def ours(student: Tensor, teacher: Tensor, temperature: float, alpha: float) -> Tensor:
    targets = soft_targets(teacher, temperature)
    return soft_term(student, targets, temperature, 1 - alpha)


def by_hand(student: Tensor, teacher: Tensor, temperature: float, alpha: float) -> float:
    """(1 − α) T² mean over images of Σ p (ln p − ln q), summed by NumPy's own exponentials."""

    def said(logits: Tensor) -> np.ndarray:
        powers = np.exp(logits.numpy() / temperature)
        return np.asarray(powers / powers.sum(1, keepdims=True))

    p, q = said(teacher), said(student)
    return float((1 - alpha) * temperature**2 * (p * np.log(p / q)).sum(1).mean())


def agrees(soft: Soft, student: Tensor, teacher: Tensor, t: float, alpha: float) -> bool:
    value = soft(student, teacher, t, alpha)
    return math.isclose(float(value), by_hand(student, teacher, t, alpha), rel_tol=1e-9)


@properties
@given(seed=seeds, temperature=temperatures, alpha=some.floats(0, 0.95))
def test_the_soft_term_is_the_papers(seed: int, temperature: float, alpha: float) -> None:
    assert agrees(ours, *pair(seed), temperature, alpha)


def by_classes_too(student: Tensor, teacher: Tensor, t: float, alpha: float) -> Tensor:
    return soft_term(student, soft_targets(teacher, t), t, 1 - alpha, reduction="mean")


def not_squared(student: Tensor, teacher: Tensor, t: float, alpha: float) -> Tensor:
    return soft_term(student, soft_targets(teacher, t), t, 1 - alpha, squared=False)


def not_squared_alone(student: Tensor, teacher: Tensor, t: float, alpha: float) -> Tensor:
    """As torchdistill has it: without hard labels T² is dropped."""
    return (ours if alpha else not_squared)(student, teacher, t, alpha)


def turned_round(student: Tensor, teacher: Tensor, t: float, alpha: float) -> Tensor:
    return ours(teacher, student, t, alpha)


def hotter_teacher_alone(student: Tensor, teacher: Tensor, t: float, alpha: float) -> Tensor:
    return soft_term(t * student, soft_targets(teacher, t), t, 1 - alpha)


WRONG: tuple[tuple[Soft, float], ...] = (
    (by_classes_too, 0.1),
    (not_squared, 0.1),
    (not_squared_alone, 0.0),
    (turned_round, 0.1),
    (hotter_teacher_alone, 0.1),
)


@pytest.mark.parametrize(("wrong", "alpha"), WRONG)
def test_that_formula_rejects_a_loss_of_its_neighbourhood(wrong: Soft, alpha: float) -> None:
    assert not agrees(wrong, *pair(0), 4.0, alpha)


def test_the_switches_are_what_they_say() -> None:
    student, teacher = pair(1)
    whole = ours(student, teacher, 4.0, 0.5)
    torch.testing.assert_close(by_classes_too(student, teacher, 4.0, 0.5) * 10, whole)
    torch.testing.assert_close(not_squared(student, teacher, 4.0, 0.5) * 16, whole)
    with pytest.raises(ValueError, match="reduction must be one of"):
        soft_term(student, teacher, 4.0, 0.5, reduction="sum")


def test_torch_has_the_same_losses() -> None:
    student, teacher = pair(2)
    said = F.log_softmax(student / 3, dim=1)
    for reduction in ("batchmean", "mean"):
        warns = pytest.warns(UserWarning, match="both the batch size and the support size")
        with warns if reduction == "mean" else nullcontext():  # torch knows the trap
            loss = torch.nn.KLDivLoss(reduction=reduction)(said, F.softmax(teacher / 3, dim=1))
        targets = soft_targets(teacher, 3.0)
        found = soft_term(student, targets, 3.0, 0.25, squared=False, reduction=reduction)
        torch.testing.assert_close(found, loss / 4)


@properties
@given(seed=seeds, temperature=temperatures)
def test_the_soft_term_is_0_for_equal_networks_alone(seed: int, temperature: float) -> None:
    student, teacher = pair(seed)
    assert float(ours(teacher, teacher, temperature, 0.0)) == pytest.approx(0, abs=1e-9)
    shifted = teacher + torch.arange(5.0, dtype=torch.float64)[:, None]  # the same probabilities
    assert float(ours(shifted, teacher, temperature, 0.0)) == pytest.approx(0, abs=1e-9)
    assert float(ours(student, teacher, temperature, 0.0)) > 0


@properties
@given(seed=seeds, temperature=temperatures, alpha=some.floats(0, 0.95))
def test_its_gradient_is_that_of_the_paper(seed: int, temperature: float, alpha: float) -> None:
    student, teacher = pair(seed)
    slope = torch.func.grad(lambda logits: ours(logits, teacher, temperature, alpha))(student)
    difference = F.softmax(student / temperature, 1) - F.softmax(teacher / temperature, 1)
    expected = (1 - alpha) * temperature**2 * difference / temperature / len(student)
    torch.testing.assert_close(slope, expected, rtol=1e-7, atol=1e-12)


def test_its_gradient_is_the_slope_that_a_small_step_finds() -> None:
    student, teacher = pair(3)
    slope = torch.func.grad(lambda logits: ours(logits, teacher, 2.5, 0.3))(student)
    step = torch.zeros_like(student)
    step[1, 2] = 1e-5
    there, here = (by_hand(student + sign * step, teacher, 2.5, 0.3) for sign in (1, -1))
    assert float(slope[1, 2]) == pytest.approx((there - here) / 2e-5, rel=1e-6)


def test_at_high_temperatures_it_matches_logits() -> None:
    """(z − v) / N for each image, whatever T is, as T² cancels: Hinton et al. 2015, section 2.1."""
    student, teacher = pair(4)
    student, teacher = (each - each.mean(1, keepdim=True) for each in (student, teacher))
    slope = torch.func.grad(lambda logits: ours(logits, teacher, 1e4, 0.0))(student)
    matching = (student - teacher) / 10 / len(student)
    torch.testing.assert_close(slope, matching, rtol=0, atol=1e-4)  # the next order is 1/T
    cold = torch.func.grad(lambda logits: ours(logits, teacher, 1.0, 0.0))(student)
    assert not torch.allclose(cold, matching, rtol=0, atol=1e-2)


@properties
@given(seed=seeds, alpha=some.floats(0, 1), smoothing=some.floats(0, 0.9))
def test_the_hard_term_is_the_cross_entropy_with_its_weight(
    seed: int, alpha: float, smoothing: float
) -> None:
    student, _ = pair(seed)
    labels = torch.arange(5)
    spread = F.one_hot(labels, 10).numpy() * (1 - smoothing) + smoothing / 10
    powers = np.exp(student.numpy())
    logs = np.log(powers / powers.sum(1, keepdims=True))
    expected = -alpha * (spread * logs).sum(1).mean()
    assert float(hard_term(student, labels, alpha, smoothing)) == pytest.approx(expected, rel=1e-9)


def test_an_image_without_a_label_counts_and_gives_nothing() -> None:
    student, _ = pair(5)
    labels = torch.tensor([3, UNLABELLED, 1, UNLABELLED, 0])
    each = F.cross_entropy(student[[0, 2, 4]], labels[[0, 2, 4]], reduction="none")
    torch.testing.assert_close(hard_term(student, labels, 0.5), 0.5 * each.sum() / 5)
    nobody = torch.full((5,), UNLABELLED)
    assert float(hard_term(student, nobody, 0.5)) == 0
    assert not torch.func.grad(lambda logits: hard_term(logits, nobody, 0.5))(student).any()


def test_all_is_in_32_bits_under_autocast() -> None:
    student, teacher = (each.bfloat16() for each in pair(6, images=50))
    labels = torch.arange(50) % 10
    exact = ours(student.float(), teacher.float(), 4.0, 0.1), hard_term(student.float(), labels, 1)
    with torch.autocast("cpu", torch.bfloat16):
        found = ours(student, teacher, 4.0, 0.1), hard_term(student, labels, 1)
        rough = F.kl_div(
            F.log_softmax(student / 4, 1), F.softmax(teacher / 4, 1), reduction="batchmean"
        )
    for ours_now, theirs in zip(found, exact, strict=True):
        assert ours_now.dtype == torch.float32
        assert torch.equal(ours_now, theirs)
    assert abs(float(rough) * 0.9 * 16 / float(exact[0]) - 1) > 1e-4  # what 16 bits would give


def test_permuting_keeps_the_answer_and_moves_all_else() -> None:
    _, teacher = pair(7, images=3_000)
    moved = permuted(teacher, torch.Generator().manual_seed(1))
    top = teacher.argmax(1)
    assert torch.equal(moved.argmax(1), top)
    assert torch.equal(moved.sort(1).values, teacher.sort(1).values)
    assert torch.equal(moved, permuted(teacher, torch.Generator().manual_seed(1)))
    assert not torch.equal(moved, permuted(teacher, torch.Generator().manual_seed(2)))
    assert evenly(teacher, moved)


def evenly(teacher: Tensor, moved: Tensor) -> bool:
    """See the second class of each image land on each other class as often: χ² of nine, 0.999."""
    top, second = teacher.topk(2, dim=1).indices.T
    lands = moved.topk(2, dim=1).indices[:, 1]
    far = (lands - top) % 10  # 1 to 9
    counts = torch.bincount(far, minlength=10)[1:].double()
    expected = len(teacher) / 9
    even = float(((counts - expected).square() / expected).sum()) < 26.1  # eight degrees of freedom
    stayed = float((lands == second).double().mean())
    return even and abs(stayed - 1 / 9) < 4 * math.sqrt(8 / 81 / len(teacher))


def test_that_count_rejects_one_permutation_for_all_images_and_none() -> None:
    _, teacher = pair(7, images=3_000)
    assert not evenly(teacher, teacher)
    top = teacher.argmax(1, keepdim=True)
    others = torch.arange(9).expand(3_000, -1)
    others = others + (others >= top)
    moved = teacher.scatter(1, others, teacher.gather(1, others.roll(1, 1)))
    assert torch.equal(moved.sort(1).values, teacher.sort(1).values)
    assert not evenly(teacher, moved)
