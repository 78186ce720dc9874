"""The softmax of two classes is torch's sigmoid, and so are its gradients."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as some

from core.distillation.sigmoid import sigmoid, two

DOUBLE = torch.float64


def by_torch(z: float, temperature: float, v: float, y: int) -> tuple[float, float, float]:
    """σ(z / T) and both gradients, by binary cross-entropy and automatic differentiation."""
    logit = torch.tensor(z, dtype=DOUBLE, requires_grad=True)
    hard = F.binary_cross_entropy_with_logits(logit, torch.tensor(float(y), dtype=DOUBLE))
    guide = torch.tensor(v / temperature, dtype=DOUBLE).sigmoid()
    # KL differs from it by the guide's entropy, which no logit of the student's moves.
    soft = F.binary_cross_entropy_with_logits(logit / temperature, guide)
    gradients = [float(torch.autograd.grad(each, logit)[0]) for each in (hard, soft)]
    return float((logit.detach() / temperature).sigmoid()), gradients[0], gradients[1]


@given(
    z=some.floats(-900, 900),
    temperature=some.floats(0.1, 100),
    v=some.floats(-30, 30),
    y=some.integers(0, 1),
)
@settings(derandomize=True, deadline=None)
def test_it_is_the_sigmoid_of_torch(z: float, temperature: float, v: float, y: int) -> None:
    found = two(z, temperature, v, y)
    chance, hard, soft = by_torch(z, temperature, v, y)
    assert found.softmax == pytest.approx(chance, rel=1e-12, abs=1e-300)
    assert found.sigmoid == pytest.approx(chance, rel=1e-12, abs=1e-300)
    assert found.gradient == pytest.approx(hard, rel=1e-9, abs=1e-15)
    assert found.soft_gradient == pytest.approx(soft, rel=1e-9, abs=1e-14)


def test_many_are_those_of_torch_at_once_and_none_overflows() -> None:
    values = np.array([-1e300, -800.0, -1.0, 0.0, 2.0, 40.0, 1e300])
    np.testing.assert_allclose(sigmoid(values), torch.tensor(values).sigmoid(), rtol=1e-12)


def test_that_oracle_rejects_the_missing_division() -> None:
    found, (_, _, soft) = two(2.0, 4.0, -1.0, 0), by_torch(2.0, 4.0, -1.0, 0)
    assert found.soft_gradient * 4 != pytest.approx(soft, rel=0.1)
    assert found.sigmoid != pytest.approx(by_torch(2.0, 1.0, -1.0, 0)[0], rel=0.1)


@pytest.mark.parametrize(
    ("given_", "sentence"),
    [
        ((1.0, 0.0), "temperature must be above 0 and finite, got 0.0"),
        ((1.0, math.inf), "temperature must be above 0 and finite, got inf"),
        ((1.0, 1.0, 0.0, 2), "label must be 0 or 1, got 2"),
        ((math.nan, 1.0), "logits must be finite, got nan"),
    ],
)
def test_what_is_no_sigmoid_is_refused(given_: tuple[float, ...], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        two(*given_)  # type: ignore[arg-type]
