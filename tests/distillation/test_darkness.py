"""What a teacher knows beyond the answer is what one finds image by image."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy.stats import entropy

from core.distillation.darkness import darken, face, most

quietly = settings(derandomize=True, deadline=None)


def read(seed: int, count: int = 60, classes: int = 5) -> tuple[np.ndarray, np.ndarray]:
    source = np.random.default_rng(seed)
    logits = source.normal(0, 3, (count, classes)).astype(np.float32)
    return logits, source.integers(0, classes, count)


def shares(logits: np.ndarray, temperature: float) -> list[list[float]]:
    found: list[list[float]] = torch.tensor(logits).double().div(temperature).softmax(-1).tolist()
    return found


@given(seed=some.integers(0, 2**31), temperature=some.floats(0.2, 100))
@quietly
def test_the_matrix_is_the_mean_over_each_class(seed: int, temperature: float) -> None:
    logits, labels = read(seed)
    told = darken(logits, labels, temperature)
    rows = shares(logits, temperature)
    for true in range(5):
        own = [row for row, label in zip(rows, labels, strict=True) if label == true]
        assert told.counts[true] == len(own)
        for other in range(5):
            truth = math.fsum(row[other] for row in own) / len(own) if own else math.nan
            assert told.mean[true, other] == pytest.approx(truth, rel=1e-9, nan_ok=True)
            masked = math.nan if true == other else truth
            assert told.wrong[true, other] == pytest.approx(masked, rel=1e-9, nan_ok=True)
    assert told.entropy == pytest.approx(np.mean([entropy(row) for row in rows]), rel=1e-9)
    assert told.largest == pytest.approx(np.mean([max(row) for row in rows]), rel=1e-9)
    assert told.wrong[told.likeliest] == np.nanmax(told.wrong)


def test_that_oracle_rejects_the_mean_by_the_read_class_and_that_of_logits() -> None:
    logits, labels = read(1)
    told = darken(logits, labels, 4.0)
    for wrong in (
        darken(logits, logits.argmax(1), 4.0),
        darken(logits, labels, 1.0),
    ):
        assert not np.allclose(wrong.mean, told.mean, rtol=1e-2)
    of_means = [shares(logits[labels == k].mean(0), 4.0) for k in range(5)]
    assert not np.allclose(of_means, told.mean, rtol=1e-2)
    assert not np.allclose(told.mean.T, told.mean, rtol=1e-2)  # row and column are not the same


def test_a_class_without_an_image_is_unknown_and_the_ends_are_counted() -> None:
    logits, labels = read(2)
    labels[labels == 3] = 2
    told = darken(logits, labels, 2.0)
    assert np.isnan(told.mean[3]).all()
    assert not np.isnan(told.mean[[0, 1, 2, 4]]).any()
    np.testing.assert_allclose(told.mean[[0, 1, 2, 4]].sum(1), 1, rtol=1e-12)
    cold, hot = darken(logits, labels, 0.0), darken(logits, labels, math.inf)
    read_as = [(logits[labels == 2].argmax(1) == k).mean() for k in range(5)]
    np.testing.assert_allclose(cold.mean[2], read_as)
    assert (cold.entropy, cold.largest) == (0, 1)
    np.testing.assert_allclose(hot.mean[2], 0.2)
    assert hot.entropy == pytest.approx(math.log(5))


@given(seed=some.integers(0, 2**31), temperature=some.floats(0.5, 30))
@quietly
def test_a_cell_shows_the_images_that_give_it_most(seed: int, temperature: float) -> None:
    logits, labels = read(seed)
    true, other = int(labels[0]), (int(labels[0]) + 1) % 5
    told = most(logits, labels, temperature, true, other, 4)
    rows = shares(logits, temperature)
    ranked = sorted(
        (k for k in range(60) if labels[k] == true), key=lambda k: rows[k][other], reverse=True
    )
    assert told.indices.tolist() == ranked[:4]
    np.testing.assert_allclose(told.chances, [rows[k] for k in ranked[:4]], rtol=1e-9)
    whole = math.fsum(rows[k][other] for k in ranked)
    np.testing.assert_allclose(told.share, [rows[k][other] / whole for k in ranked[:4]], rtol=1e-9)
    assert told.mean == pytest.approx(darken(logits, labels, temperature).mean[true, other])
    assert (told.true, told.other) == (true, other)
    everything = most(logits, labels, temperature, true, other, 100)
    assert everything.share.sum() == pytest.approx(1)
    assert len(everything.indices) == (labels == true).sum()


def test_that_oracle_rejects_images_of_another_class_and_the_least_likely() -> None:
    logits, labels = read(3)
    told = most(logits, labels, 2.0, 0, 1, 3)
    assert (labels[told.indices] == 0).all()
    over_all = np.argsort(-np.array(shares(logits, 2.0))[:, 1])[:3]
    assert over_all.tolist() != told.indices.tolist()
    assert told.chances[0, 1] > told.chances[-1, 1]
    other_way = most(logits, labels, 2.0, 1, 0, 3)
    assert set(other_way.indices) & set(told.indices) == set()


def test_where_all_probabilities_are_nought_the_margins_decide() -> None:
    logits, labels = read(4)
    logits[np.arange(60), labels] += 50
    cold = most(logits, labels, 0.0, 0, 1, 5)
    rows = [k for k in range(60) if labels[k] == 0]
    ranked = sorted(rows, key=lambda k: logits[k].max() - logits[k, 1])
    assert cold.indices.tolist() == ranked[:5]
    assert (cold.mean, cold.share.tolist()) == (0, [0] * 5)


def test_a_face_is_each_ones_probabilities_and_their_divergence() -> None:
    teacher, student = np.random.default_rng(0).normal(0, 4, (2, 6))
    told = face(teacher, student, 2, 3.0)
    p, q = shares(teacher, 3.0), shares(student, 3.0)
    np.testing.assert_allclose(told.teacher, p, rtol=1e-12)
    assert told.student is not None
    np.testing.assert_allclose(told.student, q, rtol=1e-12)
    assert told.hard.tolist() == [0, 0, 1, 0, 0, 0]
    assert told.divergence == pytest.approx(entropy(p, q), rel=1e-9)
    assert told.divergence != pytest.approx(entropy(q, p), rel=1e-2)  # the oracle has a direction
    alone = face(teacher, None, 2, 3.0)
    assert alone.student is None
    assert math.isnan(alone.divergence)


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda z, y: darken(z[:0], y[:0], 1.0), "labels must be of at least one image, got none"),
        (lambda z, y: darken(z, y, -1.0), "temperature must be from 0 to infinity, got -1.0"),
        (lambda z, y: most(z, y, 1.0, 5, 0), "true must be from 0 to 4, got 5"),
        (lambda z, y: most(z, y, 1.0, 0, -1), "other must be from 0 to 4, got -1"),
        (lambda z, y: most(z, y, 1.0, 0, 1, 0), "count must be at least 1, got 0"),
        (lambda z, y: most(z, 0 * y, 1.0, 1, 0), "true must be a class of which there are images"),
        (lambda z, y: face(z[0], None, 5, 1.0), "label must be from 0 to 4, got 5"),
        (lambda z, y: face(z[0], z[1], 0, -1.0), "temperature must be from 0 to infinity"),
    ],
)
def test_what_cannot_be_shown_is_refused(
    ask: Callable[[np.ndarray, np.ndarray], object], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        ask(*read(0))
