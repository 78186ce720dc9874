"""The panel's numbers of a softmax are SciPy's, and what overflows is said to."""

import math
from typing import Any

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import entropy

from tests.ui.test_temperature import received
from ui.numbers import plain
from ui.panels.distillation import looking, softmax

LOGITS = np.array([12.0, 3.0, -4.0])


def figures(warmth: float, form: str) -> dict[str, str]:
    """The words of each figure, by its label."""
    looks: dict[str, Any] = looking.looks_of({}) | {"T": warmth, "form": form}
    drawn = [received(each)[0] for each in softmax.draw(("a", "b", "c"), LOGITS, [], looks)]
    (found,) = (each for each in drawn if each["kind"] == "figures")
    return {row[0]: row[1] for row in found["rows"]}


@pytest.mark.parametrize("warmth", [0.1, 1.0, 7.0])
def test_the_logarithm_of_the_sum_is_that_of_scipy_where_the_naive_one_is_infinite(
    warmth: float,
) -> None:
    stable, naive = figures(warmth, "stable"), figures(warmth, "naive")
    truth = plain(float(logsumexp(LOGITS / warmth)))
    assert stable["log-sum-exp"] == truth
    assert naive["naive log-sum-exp"] == ("∞" if warmth == 0.1 else truth)
    shares = np.exp(LOGITS / warmth - logsumexp(LOGITS / warmth))
    for told in (stable, naive):  # these do not depend on the form
        assert told["entropy H in nats"] == plain(float(entropy(shares)))
        assert told["perplexity"] == plain(float(np.exp(entropy(shares))))


def test_both_ends_are_drawn() -> None:
    for warmth in (0.0, math.inf):
        assert figures(warmth, "naive").keys() != figures(warmth, "stable").keys()
    assert figures(math.inf, "stable")["log-sum-exp"] == plain(math.log(3))
    assert figures(0.0, "stable")["log-sum-exp"] == "∞"
