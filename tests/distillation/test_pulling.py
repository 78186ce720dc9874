"""Each gradient is that of torch's own loss, and as T grows that of matching logits."""

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as some
from torch import Tensor

from core.distillation.pulling import cosine, pull, soft_gradient
from core.distillation.softening import probabilities

rows = some.integers(0, 2**31).map(lambda seed: np.random.default_rng(seed).normal(0, 6, (2, 10)))
quietly = settings(derandomize=True, deadline=None)
Z, V = np.random.default_rng(3).normal(0, 6, (2, 10))


def leaf(z: np.ndarray) -> Tensor:
    return torch.tensor(z, dtype=torch.float64, requires_grad=True)


def hard_by_torch(z: np.ndarray, label: int) -> np.ndarray:
    logits = leaf(z)
    (slope,) = torch.autograd.grad(F.cross_entropy(logits[None], torch.tensor([label])), logits)
    return slope.numpy()


def soft_by_torch(
    z: np.ndarray, v: np.ndarray, temperature: float, reduction: str = "batchmean"
) -> np.ndarray:
    """The gradient of torch's own divergence, without any T²."""
    logits = leaf(z)
    q = F.log_softmax(logits[None] / temperature, 1)
    p = F.softmax(torch.tensor(v, dtype=torch.float64)[None] / temperature, 1)
    each = F.kl_div(q, p, reduction="none")  # torch warns of "mean" itself
    loss = each.sum() / len(q) if reduction == "batchmean" else each.mean()
    if reduction == "batchmean":
        torch.testing.assert_close(loss, F.kl_div(q, p, reduction=reduction))
    (slope,) = torch.autograd.grad(loss, logits)
    return slope.numpy()


def soft_by_differences(z: np.ndarray, v: np.ndarray, temperature: float) -> np.ndarray:
    """The same by central differences, no derivative taken by anybody."""

    def divergence(at: np.ndarray) -> float:
        p, q = probabilities(v, temperature), probabilities(at, temperature)
        return float((p * np.log(p / q)).sum())

    step = 1e-5
    return np.array(
        [(divergence(z + e) - divergence(z - e)) / (2 * step) for e in step * np.eye(len(z))]
    )


@given(both=rows, label=some.integers(0, 9), temperature=some.floats(0.3, 300))
@quietly
def test_the_gradients_are_those_of_torch(both: np.ndarray, label: int, temperature: float) -> None:
    z, v = both
    found = pull(z, v, label, temperature, alpha=0.3)
    np.testing.assert_allclose(found.hard, hard_by_torch(z, label), rtol=1e-9, atol=1e-13)
    truth = soft_by_torch(z, v, temperature)
    # What torch subtracts are probabilities, known to 2⁻⁵³ each.
    np.testing.assert_allclose(found.soft, truth, rtol=1e-9, atol=1e-14 / temperature)
    np.testing.assert_allclose(found.squared, temperature**2 * found.soft, rtol=1e-12)
    np.testing.assert_allclose(found.total, 0.3 * found.hard + 0.7 * found.squared, atol=1e-15)
    np.testing.assert_array_equal(found.student, probabilities(z, temperature))
    np.testing.assert_array_equal(found.teacher, probabilities(v, temperature))
    np.testing.assert_array_equal(found.likely, probabilities(z, 1.0))
    assert found.label.tolist() == [float(k == label) for k in range(10)]
    assert abs(found.soft.sum()) < 1e-12  # a shift of all logits changes nothing
    assert abs(found.hard.sum()) < 1e-12


@pytest.mark.parametrize("temperature", [0.8, 1.0, 4.0, 20.0])
def test_they_are_what_differences_of_the_loss_give(temperature: float) -> None:
    found = pull(Z, V, 0, temperature)
    # The loss is known to 10⁻¹⁵, and divided by the step to 10⁻¹⁰.
    truth = soft_by_differences(Z, V, temperature)
    np.testing.assert_allclose(found.soft, truth, rtol=1e-5, atol=1e-9)


def test_that_oracle_rejects_the_wrong_reduction_a_missing_and_a_second_t_and_the_other_way() -> (
    None
):
    """The mean over classes too is ten times too small, and T² is a factor of 16."""
    truth = soft_by_torch(Z, V, 4.0)
    found = pull(Z, V, 0, 4.0)
    np.testing.assert_allclose(soft_by_torch(Z, V, 4.0, "mean"), truth / 10)  # the trap itself
    for wrong in (
        soft_by_torch(Z, V, 4.0, "mean"),
        found.squared,
        found.squared / 4,  # q − p without its 1 / T
        -found.soft,
        soft_by_torch(V, Z, 4.0),
    ):
        assert not np.allclose(wrong, truth, rtol=1e-2)
    squared = soft_by_torch(Z, V, 4.0) * 16
    np.testing.assert_allclose(found.squared, squared, rtol=1e-12)
    assert not np.allclose(found.soft, squared, rtol=1e-2)  # the missing T²


@pytest.mark.parametrize("temperature", [1e3, 1e6, 1e9, 1e12])
def test_at_a_high_temperature_logits_are_matched(temperature: float) -> None:
    found = pull(Z, V, 0, temperature)
    # The next term of the series is smaller by a factor of about the logits over T.
    near = 40 * np.abs([Z, V]).max() / temperature
    np.testing.assert_allclose(found.soft, found.limit, rtol=max(near, 1e-9))
    apart = (Z - Z.mean()) - (V - V.mean())
    np.testing.assert_allclose(found.limit, apart / (10 * temperature**2), rtol=1e-12)
    assert found.cosine == pytest.approx(1, abs=max(near, 1e-12))


def test_what_it_tends_to_needs_logits_of_mean_nought() -> None:
    """The oracle of the limit sees whether the mean was taken away."""
    found = pull(Z + 5, V, 0, 1e9)
    np.testing.assert_allclose(found.soft, found.limit, rtol=1e-6)
    assert not np.allclose(found.soft, (Z + 5 - V) / (10 * 1e18), rtol=1e-2, atol=0)
    np.testing.assert_allclose(pull(Z + 5, V - 2, 0, 3.0).soft, pull(Z, V, 0, 3.0).soft, rtol=1e-9)


@pytest.mark.parametrize("temperature", [1.0, 30.0, 1e4, 1e8])
def test_little_is_left_of_it_and_that_is_right(temperature: float) -> None:
    with localcontext(prec=50):
        heat, shares = Decimal(temperature), []
        for row in (Z, V):
            powers = [(Decimal(float(each)) / heat).exp() for each in row]
            shares.append([each / sum(powers) for each in powers])
        truth = [float((q - p) / heat) for q, p in zip(*shares, strict=True)]
    np.testing.assert_allclose(pull(Z, V, 0, temperature).soft, truth, rtol=1e-10)
    if temperature == 1e8:  # what a plain difference of two probabilities does not give
        plain = (probabilities(Z, temperature) - probabilities(V, temperature)) / temperature
        assert not np.allclose(plain, truth, rtol=1e-10, atol=0)


def test_the_cosine_to_matching_grows_with_the_temperature() -> None:
    found = [pull(Z, V, 0, each).cosine for each in (1.0, 4.0, 20.0, 100.0, math.inf)]
    assert found == sorted(found)
    assert found[-1] == pytest.approx(1, abs=1e-12)
    truth = soft_by_torch(Z, V, 4.0)
    apart = (Z - Z.mean()) - (V - V.mean())
    by_torch = F.cosine_similarity(torch.tensor(truth), torch.tensor(apart), dim=0)
    assert found[1] == pytest.approx(float(by_torch), rel=1e-9)
    assert found[0] < 0.95  # so that there is something to grow


def test_without_t_squared_the_soft_term_vanishes_beside_the_hard_one() -> None:
    """The most asked question: the norm falls by about T², and T² brings it back."""
    one, hot = pull(Z, V, 0, 1.0), pull(Z, V, 0, 20.0)
    assert np.linalg.norm(one.soft) / np.linalg.norm(hot.soft) > 100
    assert 0.3 < np.linalg.norm(one.squared) / np.linalg.norm(hot.squared) < 3
    np.testing.assert_array_equal(one.hard, hot.hard)


def test_at_both_ends_it_says_what_there_is() -> None:
    cold, hot = pull(Z, V, 0, 0.0), pull(Z, V, 0, math.inf)
    assert np.isnan(cold.soft).all()
    assert not np.isnan(cold.hard).any()
    np.testing.assert_array_equal(cold.squared, np.zeros(10))
    np.testing.assert_array_equal(hot.soft, np.zeros(10))
    np.testing.assert_allclose(hot.squared, pull(Z, V, 0, 1e7).squared, rtol=1e-4)
    same = pull(Z, Z, 0, 2.0)
    np.testing.assert_array_equal(same.soft, np.zeros(10))
    assert math.isnan(same.cosine)


@pytest.mark.parametrize("temperature", [5e-324, 1e-310, 1e-200, 1e308])
def test_a_temperature_near_an_end_is_like_it(temperature: float) -> None:
    found, end = pull(Z, V, 0, temperature), pull(Z, V, 0, 0.0 if temperature < 1 else math.inf)
    np.testing.assert_array_equal(found.student, end.student)
    np.testing.assert_allclose(found.squared, end.squared, atol=1e-12)
    assert not np.isnan(found.soft).any()


def test_with_one_weight_or_the_other_it_is_that_gradient_alone() -> None:
    np.testing.assert_array_equal(pull(Z, V, 2, 4.0, 1.0).total, pull(Z, V, 2, 4.0).hard)
    np.testing.assert_array_equal(pull(Z, V, 2, 4.0, 0.0).total, pull(Z, V, 2, 4.0).squared)


def test_many_images_are_each_by_itself() -> None:
    source = np.random.default_rng(1)
    z, v = source.normal(0, 4, (2, 7, 10))
    for temperature in (0.5, 4.0, 1e5, math.inf):
        rows = [pull(a, b, 0, temperature).soft for a, b in zip(z, v, strict=True)]
        np.testing.assert_allclose(soft_gradient(z, v, temperature), rows, rtol=1e-9, atol=1e-16)
    assert np.isnan(soft_gradient(z, v, 0.0)).all()
    truth = F.cosine_similarity(torch.tensor(z), torch.tensor(v)).numpy()
    np.testing.assert_allclose(cosine(z, v), truth, rtol=1e-12)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"teacher": [1.0, 2.0]}, "teacher must have as many logits as student, 3, got 2"),
        ({"label": 3}, "label must be from 0 to 2, got 3"),
        ({"label": -1}, "label must be from 0 to 2, got -1"),
        ({"temperature": -1.0}, "temperature must be from 0 to infinity, got -1.0"),
        ({"alpha": 1.1}, "alpha must be from 0 to 1, got 1.1"),
        ({"alpha": math.nan}, "alpha must be from 0 to 1, got nan"),
        ({"student": [1.0, math.inf, 0.0]}, "logits must be finite, got inf"),
    ],
)
def test_what_is_no_pull_is_refused(changed: dict[str, object], sentence: str) -> None:
    given_ = {
        "student": [1.0, 2.0, 3.0],
        "teacher": [3.0, 0.0, -1.0],
        "label": 0,
        "temperature": 2.0,
        "alpha": 0.5,
    }
    with pytest.raises(ValueError, match=sentence):
        pull(**(given_ | changed))  # type: ignore[arg-type]
