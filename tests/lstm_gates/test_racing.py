"""The race: each runner learns as by itself, and its gradients reach as far as it is told."""

import json
import math
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from core.lstm_gates import Plan, racing
from core.lstm_gates.races import RACE, RUNNERS, Race, Raced
from core.lstm_gates.racing import ALPHABET, Racing, race, texts
from core.lstm_gates.readers import Reader, build, decode
from core.shared import targets
from core.shared.engine import Engine
from tests.lstm_gates.small import plain

ROOT = Path(__file__).parents[2]
SMALL = Race(distance=6, symbols=2, units=16, steps=4, seed=3, learning_rate=0.01)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(racing, "BATCH", 3)
    monkeypatch.setattr(racing, "CLIP", 0.2)  # less than a gradient has at first


def states(config: Race) -> list[Raced]:
    return [living.freeze() for living in race(config)]


def ended(config: Race) -> Raced:
    """Look at a race only when it is over, which is quicker."""
    *_, living = race(config)
    return living.freeze()


def test_a_text_asks_for_each_symbol_after_the_distance() -> None:
    source = torch.Generator().manual_seed(0)
    codes = texts(Race(distance=5, symbols=2), source)
    assert codes.shape == (32, 7)
    for row in codes:
        text = decode(row, ALPHABET)
        assert set(text[:2]) <= set("abcdefgh")
        assert text[2:] == "...??"
    assert {decode(row[:1], ALPHABET) for row in codes} == set("abcdefgh")


def alone(config: Race) -> tuple[dict[str, np.ndarray], list[Reader]]:
    """Let each runner learn by itself, as torch's own tools have it."""
    told: dict[str, list[Any]] = {"bits": [], "right": [], "norms": []}
    readers = []
    for runner in RUNNERS:
        bias = runner.forget_bias
        plan = Plan(cell=runner.cell, units=config.units, forget_bias=bias, seed=config.seed)
        reader = build(plan, ALPHABET)
        adam = torch.optim.Adam(reader.parameters(), config.learning_rate)
        draws = torch.Generator().manual_seed(config.seed)
        rows = []
        for _ in range(config.steps):
            batch = texts(config, draws)
            answers = reader(batch)[0][:, config.distance :]
            wanted = batch[:, : config.symbols]
            loss = nn.functional.cross_entropy(answers.transpose(1, 2), wanted)
            adam.zero_grad()
            loss.backward()
            norm = nn.utils.clip_grad_norm_(reader.parameters(), 0.2)
            adam.step()
            right = (answers.argmax(2) == wanted).double().mean()
            rows.append((loss.item() / math.log(2), float(right), float(norm)))
        for name, column in zip(told, zip(*rows, strict=True), strict=True):
            told[name].append(column)
        readers.append(reader)
    return {name: np.array(each) for name, each in told.items()}, readers


def is_what_each_learns_alone(last: Raced, config: Race) -> None:
    wanted, _ = alone(config)
    assert last.points.tolist() == [1, 2, 3, 4]
    assert (wanted["norms"] > 0.2).any()
    for name, values in wanted.items():
        # Adam divides by gradients' own size: what float32 rounds is 1e-6 of a step of 0.01.
        np.testing.assert_allclose(getattr(last, name), values, rtol=1e-4, err_msg=name)


@pytest.mark.usefixtures("few")
def test_each_runner_learns_as_if_alone() -> None:
    first, *_, last = states(SMALL)
    assert (first.step, first.points.size, first.bits.shape) == (0, 0, (4, 0))
    assert (last.step, last.steps) == (4, 4)
    is_what_each_learns_alone(last, SMALL)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(
    "wrong",
    [{"learning_rate": 0.02}, {"seed": 4}, {"distance": 7}],
)
def test_that_oracle_rejects_others(wrong: dict[str, Any]) -> None:
    last = ended(SMALL)
    with pytest.raises(AssertionError):
        is_what_each_learns_alone(last, replace(SMALL, **wrong))


@pytest.mark.usefixtures("few")
def test_that_oracle_rejects_a_gradient_that_is_not_clipped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(racing, "CLIP", 1e9)
    with pytest.raises(AssertionError):
        is_what_each_learns_alone(ended(SMALL), SMALL)


def reaches(told: Raced, config: Race, about: int) -> None:
    """Ask by small changes, text by text, of networks that learned alone."""
    _, readers = alone(config)
    probe = texts(config, torch.Generator().manual_seed(config.seed + racing.PROBE))
    length = config.distance + config.symbols
    for row, reader in enumerate(readers):
        reader.requires_grad_(requires_grad=False)
        sums = {name: torch.zeros(length) for name in "ch"}
        product = torch.zeros(length)
        for codes in probe:
            nudges = {name: torch.zeros(1, length, config.units) for name in "ch"}
            for value in nudges.values():
                value.requires_grad_()
            found = plain(reader, decode(codes, ALPHABET), nudges)
            bits = -found["logits"][-1].log_softmax(0)[codes[about]] / math.log(2)
            bits.backward()
            for name, value in nudges.items():
                if value.grad is not None:
                    sums[name] += value.grad[0].norm(dim=1) / len(probe)
            gate: Tensor | None = found.get("f", found.get("z"))
            if gate is not None:
                product += after(gate[0].detach()) / len(probe)
        np.testing.assert_allclose(told.hidden[row], sums["h"], rtol=1e-3, atol=1e-7)
        if "c" in found:
            np.testing.assert_allclose(told.cells[row], sums["c"], rtol=1e-3, atol=1e-7)
        assert np.isnan(told.cells[row]).all() == ("c" not in found)
        if gate is not None:
            np.testing.assert_allclose(told.product[row], product, rtol=1e-3, atol=1e-7)
        assert np.isnan(told.product[row]).all() == (gate is None)


def after(gate: Tensor) -> Tensor:
    return torch.stack([gate[place + 1 :].prod(0).mean() for place in range(len(gate))])


@pytest.mark.usefixtures("few")
def test_gradients_are_of_the_last_answer_of_the_newest_networks() -> None:
    last = ended(SMALL)
    reaches(last, SMALL, about=1)
    assert last.hidden[:, -1].min() > 0
    with pytest.raises(AssertionError):
        reaches(last, SMALL, about=0)
    with pytest.raises(AssertionError):
        reaches(ended(replace(SMALL, steps=3)), SMALL, about=1)


def test_both_lstms_begin_alike_but_for_the_forget_gates() -> None:
    started = Racing(SMALL)
    zero, one = (each.reader.state_dict() for each in started.entrants[2:])
    for name, value in zero.items():
        forget = slice(16, 32) if name.endswith("bias_ih_l0") else slice(0, 0)
        wanted = value.clone()
        wanted[forget] += 1
        assert torch.equal(one[name], wanted), name


def test_a_bias_of_1_lets_gradients_reach_farther_at_first() -> None:
    """σ(1) is 1.46 times σ(0), so at a distance of 20 the product is about 2,000 times as large."""
    told = next(race(Race(distance=20, symbols=1))).freeze()
    assert 500 < told.product[3, 0] / told.product[2, 0] < 8_000
    assert told.cells[3, 0] / told.cells[2, 0] > 100


def test_a_short_distance_is_learned() -> None:
    last = ended(Race(distance=2, symbols=1, steps=60, units=16, learning_rate=0.02))
    assert (last.right[:, -10:].mean(1) > 0.9).all()
    assert (last.bits[:, 0] > 0.8 * Raced.CHANCE).all()


def test_curves_have_so_many_points_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(racing, "POINTS", 4)
    every = ended(replace(SMALL, steps=10))
    assert every.points.tolist() == [3, 6, 9, 10]
    monkeypatch.undo()
    single = ended(replace(SMALL, steps=10))
    np.testing.assert_allclose(every.bits[:, 1], single.bits[:, 3:6].mean(1), rtol=1e-6)


def test_a_gradient_that_is_not_finite_ends_the_race() -> None:
    running = race(SMALL)
    living = next(running)
    living.entrants[0].weights[0].data.fill_(math.nan)
    with pytest.raises(FloatingPointError, match="not finite after 1 steps: try a smaller"):
        next(running)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"distance": 1}, "distance must be a whole number from 2 to 200, got 1"),
        ({"symbols": 9, "distance": 8}, "symbols must be at most the distance, 8, got 9"),
        ({"units": 8}, "units must be a whole number from 16 to 128, got 8"),
        ({"learning_rate": math.nan}, "learning_rate must be from 1e-05 to 1, got nan"),
    ],
)
def test_a_race_refuses_what_it_cannot_be(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Race(**wrong)


def test_the_engine_runs_it_by_its_name_and_its_config(
    tmp_path: Path, until: Callable[..., None]
) -> None:
    assert targets.config_of(race, json.loads(json.dumps(asdict(SMALL)))) == SMALL
    assert targets.resolve(RACE) is race
    with Engine(tmp_path, devices=("cpu",), inline=True) as engine:
        run = engine.submit(RACE, SMALL, visitor="ada")
        until(lambda: not engine.view(run).live)
        view = engine.view(run)
    assert view.status == "finished"
    assert view.state.step == 4
    assert pickle.loads(pickle.dumps(view.state)).step == 4


def test_what_a_page_reads_needs_no_torch() -> None:
    program = (
        "import sys, core.lstm_gates, core.lstm_gates.races, core.lstm_gates.results\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
