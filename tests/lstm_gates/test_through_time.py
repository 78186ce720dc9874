"""Gradients through time: along all ways, never from what came later, cut where they are cut."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from core.lstm_gates import GATES
from core.lstm_gates import through_time as module
from core.lstm_gates.readers import Reader, encode
from core.lstm_gates.recurrence import replay
from core.lstm_gates.results import ThroughTime
from core.lstm_gates.through_time import influence, products, through_time, trail
from tests.lstm_gates.small import ALPHABET, KINDS, TEXT, plain, small
from tests.shared.untouched import leaves_untouched

EXACT = 1e-12
SHORT = TEXT[:12]


def nudged(reader: Reader, text: str, target: int, nudges: dict[str, Tensor]) -> Tensor:
    """The loss of a character when something is added to c and h at each place."""
    logits = plain(reader, text, nudges)["logits"]
    code = encode(text[target], ALPHABET)
    return nn.functional.cross_entropy(logits[target - 1][None], code) / math.log(2)


def nothing(text: str) -> dict[str, Tensor]:
    return {name: torch.zeros(2, len(text), 16, dtype=torch.float64) for name in "ch"}


def is_what_nudges_do(reader: Reader, told: ThroughTime) -> None:
    nudges = {name: value.requires_grad_() for name, value in nothing(told.text).items()}
    loss = nudged(reader, told.text, told.target, nudges)
    assert told.bits == pytest.approx(loss.item(), abs=EXACT)
    loss.backward()
    pairs = {"h": told.hidden, **({} if told.cells is None else {"c": told.cells})}
    assert set(pairs) == {"c", "h"} & set(GATES[reader.cell])
    for name, found in pairs.items():
        wanted = nudges[name].grad
        assert wanted is not None
        distances = wanted[:, : told.target].norm(dim=2).numpy()
        np.testing.assert_allclose(found, distances, rtol=0, atol=EXACT)
        assert not wanted[:, told.target :].any()  # what comes later does not matter


@pytest.mark.parametrize(("cell", "embedding"), KINDS)
@pytest.mark.parametrize("target", [7, None])
def test_gradients_are_what_small_changes_do(cell: str, embedding: int, target: int | None) -> None:
    reader = small(cell, embedding)
    told = through_time(reader, SHORT, target)
    assert told.target == (target or len(SHORT) - 1)
    is_what_nudges_do(reader, told)


def test_they_are_finite_differences() -> None:
    reader, step = small("lstm"), 1e-5
    told = through_time(reader, SHORT)
    assert told.cells is not None
    for name, found in (("c", told.cells), ("h", told.hidden)):
        for layer, place in ((0, 4), (1, 4), (0, 10)):
            slopes = []
            for unit in range(16):
                ends = []
                for sign in (1, -1):
                    nudges = nothing(SHORT)
                    nudges[name][layer, place, unit] = sign * step
                    ends.append(float(nudged(reader, SHORT, len(SHORT) - 1, nudges)))
                slopes.append((ends[0] - ends[1]) / 2 / step)
            # The error is of the order of step² and of the rounding over the step: 1e-10.
            assert found[layer, place] == pytest.approx(np.linalg.norm(slopes), abs=1e-9)


def direct_part_alone(reader: Reader, codes: Tensor, window: int = 0) -> module.Trail:
    """Ask torch's own layers: what goes through later steps is inside of one operation."""
    given = reader.see(codes).requires_grad_()
    value, layers = given, []
    for layer in reader.layers:
        value, _ = layer(value)
        layers.append({"h": list(value.unbind(1)), "z": list(value.unbind(1))})
        value = torch.stack(layers[-1]["h"], 1)
    return module.Trail(given, layers, reader.head(value))


def cut(reader: Reader, codes: Tensor, window: int = 0) -> module.Trail:
    return trail(reader, codes, 4)


@pytest.mark.parametrize("wrong", [direct_part_alone, cut])
def test_that_oracle_rejects_parts_of_the_gradient(
    monkeypatch: pytest.MonkeyPatch, wrong: Callable[..., module.Trail]
) -> None:
    reader = small("gru")
    monkeypatch.setattr(module, "trail", wrong)
    told = through_time(reader, SHORT)
    assert not told.hidden[1, 3]
    with pytest.raises(AssertionError):
        is_what_nudges_do(reader, told)


@pytest.mark.parametrize(("cell", "gate"), [("lstm", "f"), ("gru", "z")])
def test_products_are_of_the_gates_after_each_character(cell: str, gate: str) -> None:
    reader = small(cell)
    told = through_time(reader, SHORT)
    assert told.gate == gate
    assert told.product is not None
    assert told.geometric is not None
    values = plain(reader, SHORT)[gate].numpy()[:, :-1]  # of the characters that are read
    for layer in (0, 1):
        for place in (0, 6, len(SHORT) - 2):
            each = [math.prod(values[layer, place + 1 :, unit]) for unit in range(16)]
            assert told.product[layer, place] == pytest.approx(sum(each) / 16, rel=1e-12)
            roots = math.prod(value ** (1 / 16) for value in each)
            assert told.geometric[layer, place] == pytest.approx(roots, rel=1e-12)
    assert told.product[:, -1].tolist() == told.geometric[:, -1].tolist() == [1, 1]


def test_a_gate_that_is_shut_lets_nothing_through() -> None:
    gates = torch.tensor([[[0.5, 0.5]], [[0.0, 1.0]], [[0.5, 0.25]]])
    mean, geometric = products(gates)
    assert mean[:, 0].tolist() == [0.125, 0.375, 1]
    np.testing.assert_allclose(geometric[:, 0], [0, 0.125**0.5, 1], rtol=1e-12)


def test_where_nothing_but_the_cell_goes_on_the_gradient_is_the_product() -> None:
    reader = small("lstm", layers=1)
    weights = reader.layers[0]
    weights.get_parameter("weight_hh_l0").zero_()
    for name in ("weight_ih_l0", "bias_ih_l0", "bias_hh_l0"):
        weights.get_parameter(name)[16:32] = 0.4 if name == "bias_ih_l0" else 0  # f = σ(0.4)
    told = through_time(reader, SHORT)
    assert told.cells is not None
    assert told.product is not None
    f = 1 / (1 + math.exp(-0.4))
    distances = np.arange(len(SHORT) - 1)[::-1]
    np.testing.assert_allclose(told.cells[0], told.cells[0, -1] * f**distances, rtol=1e-12)
    np.testing.assert_allclose(told.product[0], f**distances, rtol=1e-12)
    assert not told.hidden[0, :-1].any()


def test_an_rnn_has_neither_cells_nor_products() -> None:
    told = through_time(small("rnn"), SHORT)
    assert told.cells is told.product is told.geometric is None


def one_by_one(
    reader: Reader, text: str, of: str, score: str, window: int = 0
) -> tuple[np.ndarray, str]:
    """Read once for each prediction, by torch's own layers, and go back from that alone."""
    codes = encode(text, ALPHABET)[None]
    found, said = np.full((len(text), len(text)), np.nan), ""
    for place in range(len(text) - (of == "actual")):
        given = reader.see(codes).requires_grad_()
        begins = place // window * window if window else 0
        value = given[:, : place + 1]
        for layer in reader.layers:
            rows, state = [], None
            for few in (value[:, :begins], value[:, begins:]):
                if few.shape[1]:
                    out, state = layer(few, state)
                    state = cut_off(state)
                    rows.append(out)
            value = torch.cat(rows, 1)
        logits = reader.head(value[0, -1])
        code = int(logits.argmax()) if of == "predicted" else int(codes[0, place + 1])
        scores = logits if score == "logit" else logits.log_softmax(0)
        scores[code].backward()
        assert given.grad is not None
        found[place] = given.grad[0].norm(dim=1).numpy()
        said += ALPHABET[code]
    return found, said


def cut_off(state: Any) -> Any:
    return tuple(map(cut_off, state)) if isinstance(state, tuple) else state.detach()


@pytest.mark.parametrize(("cell", "embedding"), KINDS)
@pytest.mark.parametrize(("of", "score"), [("actual", "log_probability"), ("predicted", "logit")])
@pytest.mark.parametrize("window", [0, 5])
def test_the_map_is_that_of_separate_gradients(
    monkeypatch: pytest.MonkeyPatch, cell: str, embedding: int, of: str, score: str, window: int
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 3 * 12 * 64)  # some rows at a time
    reader = small(cell, embedding)
    told = influence(reader, SHORT, of, score, window)
    wanted, said = one_by_one(reader, SHORT, of, score, window)
    np.testing.assert_allclose(told.values, wanted, rtol=0, atol=EXACT)
    assert told.characters == said
    rows = len(said)
    assert (told.values[:rows][np.triu_indices(rows, 1, len(SHORT))] == 0).all()
    assert (np.diag(told.values)[:rows] > 0).all()
    if window:
        apart = np.subtract.outer(np.arange(rows) // 5, np.arange(len(SHORT)) // 5)
        assert (told.values[:rows][apart != 0] == 0).all()
    assert (told.values[4, :5] > 0).all()


@pytest.mark.parametrize("wrong", [1, 4, 6])
def test_that_oracle_rejects_another_window(monkeypatch: pytest.MonkeyPatch, wrong: int) -> None:
    def replayed(*given: Any) -> Any:
        return replay(given[0], given[1], given[2], None, wrong)

    monkeypatch.setattr(module, "replay", replayed)
    reader = small("lstm")
    found = influence(reader, SHORT, window=5).values
    wanted, _ = one_by_one(reader, SHORT, "actual", "log_probability", 5)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=EXACT)


def test_the_map_is_of_finite_differences() -> None:
    reader, step = small("lstm", 7), 1e-5
    told = influence(reader, SHORT, "actual", "logit")
    assert reader.embedding is not None
    seen = reader.embedding(encode(SHORT, ALPHABET))[None]

    def scored(given: Tensor, place: int) -> float:
        value = given
        for layer in reader.layers:
            value, _ = layer(value)
        return float(reader.head(value[0, place])[encode(SHORT[place + 1], ALPHABET)])

    for place, read in ((9, 9), (9, 2), (4, 0), (3, 8)):
        slopes = []
        for number in range(7):
            change = torch.zeros_like(seen)
            change[0, read, number] = step
            ends = scored(seen + change, place) - scored(seen - change, place)
            slopes.append(ends / 2 / step)
        assert told.values[place, read] == pytest.approx(np.linalg.norm(slopes), abs=1e-9)


def test_shares_are_another_view_of_the_same_map() -> None:
    told = influence(small("gru"), SHORT, "predicted")
    shares = told.normalised
    assert shares.max(1).tolist() == [1] * len(SHORT)
    np.testing.assert_allclose(shares * told.values.max(1, keepdims=True), told.values)
    actual = influence(small("gru"), SHORT).normalised
    assert np.isnan(actual[-1]).all()
    assert np.isfinite(actual[:-1]).all()


@pytest.mark.parametrize("cell", list(GATES))
@pytest.mark.parametrize("wanting", [False, True])
def test_a_network_is_left_as_it_is(cell: str, wanting: bool) -> None:
    reader = small(cell).requires_grad_(wanting)
    leaves_untouched(reader, lambda: through_time(reader, SHORT))
    leaves_untouched(reader, lambda: influence(reader, SHORT))
    refused: dict[str, Callable[[], object]] = {
        "text must have from 1 to 1,000": lambda: through_time(reader, "a" * 1_001),
        "text must have at least 2 characters, got 1": lambda: through_time(reader, "a"),
        "target must be from 1 to 11, got 0": lambda: through_time(reader, SHORT, 0),
        "text must have from 1 to 200": lambda: influence(reader, "a" * 201),
        "of must be one of": lambda: influence(reader, SHORT, "any"),
        "score must be one of": lambda: influence(reader, SHORT, score="bits"),
        "window must not be below 0, got -1": lambda: influence(reader, SHORT, window=-1),
    }
    for sentence, call in refused.items():
        with pytest.raises(ValueError, match=sentence):
            call()


@pytest.mark.gpu
@pytest.mark.parametrize("cell", list(GATES))
def test_on_a_gpu_a_network_at_rest_has_gradients(cell: str) -> None:
    """Gradients are sums of products below 4 over 12 steps: float32 rounds them by some 1e-6."""
    reader = small(cell, dtype=torch.float32)
    wanted, map_ = through_time(reader, SHORT), influence(reader, SHORT)
    reader.cuda()
    told = through_time(reader, SHORT)
    np.testing.assert_allclose(told.hidden, wanted.hidden, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(influence(reader, SHORT).values, map_.values, rtol=1e-4, atol=1e-5)


def test_of_one_character_nothing_that_came_was_foretold() -> None:
    told = influence(small("lstm"), SHORT[0], "actual")
    assert told.values.shape == (1, 1)
    assert np.isnan(told.values).all()
    assert np.isfinite(influence(small("lstm"), SHORT[0], "predicted").values).all()
