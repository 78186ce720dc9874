"""What the saliency panel is given is so: by every method, of digits and of photographs."""

import numpy as np
import pytest
import torch

from core.saliency import Attribution, Query
from core.saliency.explaining import CODE, explain
from core.saliency.methods import CONTROL, METHODS
from core.shared import data, photographs, seeing
from core.shared.loading import load
from core.shared.models import Source
from tests.shared.untouched import leaves_untouched, untouched

DIGITS = Source(kind="built-in", name="mnist")
PHOTOGRAPHS = Source(kind="built-in", name="efficientnet-lite0")
FEW = {"samples": 4, "masks": 20, "steps": 8, "segments": 8}
ONLY_VIT = "rollout"


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSBOX_DEVICE", "cpu")


def digit(index: int) -> np.ndarray:
    found: np.ndarray = data.dataset("mnist", torch.device("cpu")).test.images[index].numpy()
    return found


def photograph() -> np.ndarray:
    found: np.ndarray = seeing.fit(photographs.photograph("coffee").pixels, (3, 224, 224), "")
    return found


def query(method: str, **given: object) -> Query:
    few = {name: value for name, value in FEW.items() if name in METHODS[method].heeds}
    return Query(method=method, **few, **given)  # type: ignore[arg-type]


def is_true(found: Attribution, source: Source, pixels: np.ndarray) -> None:
    """Recompute what can be from the network alone."""
    with torch.no_grad():
        logits = load(source).network(torch.tensor(pixels)[None])[0].double()
    target, against = found.query.target, found.query.against
    assert target is not None
    score = logits[target] - (0 if against is None else logits[against])
    assert found.score == pytest.approx(float(score), abs=1e-4)
    assert np.allclose(found.probabilities, logits.softmax(0), atol=1e-5)
    assert np.isfinite(found.values).all()
    assert found.values.shape[1:] == pixels.shape[1:]
    assert found.values.shape[0] in (1, pixels.shape[0])
    if not METHODS[found.query.method].signed:
        assert found.values.min() >= 0


def test_each_method_has_its_code_and_each_code_its_method() -> None:
    assert set(CODE) == set(METHODS)


@pytest.mark.parametrize("method", [name for name in METHODS if name != ONLY_VIT])
def test_each_method_explains_a_digit_and_leaves_the_network_as_it_was(method: str) -> None:
    pixels = digit(0)
    found: list[Attribution] = []
    leaves_untouched(
        load(DIGITS).network, lambda: found.append(explain(DIGITS, pixels, query(method)))
    )
    is_true(found[0], DIGITS, pixels)
    assert found[0].query.target == found[0].probabilities.argmax()
    assert abs(found[0].values).max() > 0
    if METHODS[method].family != CONTROL:
        assert found[0].passes > 0
    if METHODS[method].complete:
        assert found[0].baseline == found[0].baseline
    again = explain(DIGITS, pixels, query(method))
    assert np.array_equal(again.values, found[0].values)


def test_that_check_rejects_another_picture_and_another_class() -> None:
    found = explain(DIGITS, digit(0), query("gradient"))
    with pytest.raises(AssertionError):
        is_true(found, DIGITS, digit(1))
    other = explain(DIGITS, digit(0), query("gradient", target=3, against=5))
    is_true(other, DIGITS, digit(0))
    assert other.score != pytest.approx(found.score)


@pytest.mark.parametrize("method", ["gradient", "integrated", "guided", "deeplift", "gradcam"])
def test_a_photograph_is_explained(method: str) -> None:
    pixels = photograph()
    found = explain(PHOTOGRAPHS, pixels, query(method))
    is_true(found, PHOTOGRAPHS, pixels)
    assert load(PHOTOGRAPHS).classes[found.query.target or 0] == "espresso"


@pytest.mark.parametrize("method", ["gradient", "integrated", "occlusion", "hirescam", "rise"])
def test_why_a_rather_than_b_is_the_difference_of_both(method: str) -> None:
    pixels = digit(4)
    one, other, both = (
        explain(DIGITS, pixels, query(method, **given))
        for given in ({"target": 4}, {"target": 9}, {"target": 4, "against": 9})
    )
    # All of these are linear in the score; the sums are added in another order.
    size = float(abs(both.values).max())
    assert np.allclose(both.values, one.values - other.values, atol=1e-4 * size + 1e-6)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"target": 10}, "target must be from 0 to 9, got 10"),
        ({"target": 1, "against": 12}, "against must be from 0 to 9, got 12"),
        ({"method": "gradcam", "layer": "nowhere"}, "layer must be one of"),
        ({"method": "rollout"}, "method must be"),
    ],
)
def test_what_cannot_be_explained_is_said_in_a_sentence(
    given: dict[str, object], sentence: str
) -> None:
    asked = Query(**{"method": "gradient", **given})  # type: ignore[arg-type]
    network = load(DIGITS).network
    leaves_untouched(network, (lambda: explain(DIGITS, digit(0), asked), sentence))


def test_a_picture_of_another_shape_is_refused() -> None:
    with (
        untouched(load(DIGITS).network),
        pytest.raises(ValueError, match="picture must be of"),
    ):
        explain(DIGITS, photograph(), query("gradient"))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"method": "magic"}, "method must be one of"),
        ({"baseline": "green"}, "baseline must be one of"),
        ({"target": 3, "against": 3}, "against must be another class than target, got 3 twice"),
        ({"target": -1}, "target must be the number of a class or None, got -1"),
        ({"steps": 0}, "steps must be a whole number from 1 to 1,000, got 0"),
        ({"steps": 1_001}, "steps must be a whole number from 1 to 1,000, got 1001"),
        ({"deviation": float("nan")}, "deviation must be from 0 to 1, got nan"),
    ],
)
def test_a_query_that_makes_no_sense_is_refused(given: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Query(**given)  # type: ignore[arg-type]
