"""A course is what a bare loop of torch does, can be continued anywhere, and says how it goes."""

import math
from collections.abc import Callable, Sequence
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from core.lstm_gates import CELLS, Plan, texts
from core.lstm_gates.course import Course
from core.lstm_gates.looking import ALONG, WARM
from core.lstm_gates.readers import build
from core.shared import snapshots
from core.shared.snapshots import Snapshot

CPU = torch.device("cpu")
# 360 characters are learned: 4 places of 90, a pass is 11 windows, and 14 steps begin a second.
PLAN = Plan(
    text="counting", characters=400, units=16, window=8, batch=4, steps=14, clip=0.1, seed=3
)
TOLERANCE = 1e-10  # in float64, where a rounding is 1e-16; wrong loops are a million times as far
RULES: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
}


def course_of(plan: Plan, snapshot: Snapshot | None = None) -> Course:
    return Course(plan, texts.read(plan.text, plan.characters), CPU, snapshot)


def finished(plan: Plan, *, exact: bool = False) -> Course:
    course = course_of(plan)
    if exact:
        course.reader.double()
    while not course.ended:
        course.advance()
    return course


def bare_loop(plan: Plan, wrong: str = "") -> tuple[list[Tensor], list[float], list[float]]:
    """Train in the barest loop: the weights, and each step's loss and norm of the gradient."""
    text = texts.read(plan.text, plan.characters)
    reader = build(plan, text.alphabet, CPU).double()
    optimiser = RULES[plan.optimiser](reader.parameters(), lr=plan.learning_rate)
    learned = [text.alphabet.index(each) for each in text.content[: text.cut]]
    along = len(learned) // plan.batch
    states: Any = None
    losses, norms, place = [], [], 0
    for step in range(plan.steps):
        if wrong != "never cools":  # half of the steps at η, then in a line towards 0
            share = min(1, (plan.steps - step) / (plan.steps / 2))
            optimiser.param_groups[0]["lr"] = plan.learning_rate * share
        if place + plan.window + 1 > along:
            place = 0
            states = states if wrong == "goes on at the end of a pass" else None
        rows = [learned[along * b + place :][: plan.window + 1] for b in range(plan.batch)]
        codes = torch.tensor(rows)
        states = None if wrong == "forgets between windows" else states
        logits, states = reader(codes[:, :-1], states)
        after = codes[:, :-1] if wrong == "says the same character" else codes[:, 1:]
        loss = -logits.log_softmax(2).gather(2, after[..., None]).mean()
        optimiser.zero_grad()
        loss.backward(retain_graph=wrong == "goes back through all")
        gradients = [each.grad for each in reader.parameters() if each.grad is not None]
        norm = torch.stack([each.square().sum() for each in gradients]).sum().sqrt()
        if wrong == "clips after the step":
            optimiser.step()
        for gradient in gradients:
            if norm > plan.clip and wrong != "never clips":
                gradient *= plan.clip / (norm + 1e-6)  # as torch has it
        if wrong != "clips after the step":
            optimiser.step()
        states = [
            tuple(part.detach() for part in each) if isinstance(each, tuple) else each.detach()
            for each in states
        ]
        place += plan.window
        losses.append(loss.item() / math.log(2))
        norms.append(norm.item())
    return [each.detach() for each in reader.parameters()], losses, norms


def apart(course: Course, weights: Sequence[Tensor]) -> float:
    pairs = zip(course.parameters, weights, strict=True)
    return max(float((mine - theirs).detach().abs().max()) for mine, theirs in pairs)


@pytest.mark.parametrize(("cell", "optimiser"), [*zip(CELLS, RULES, strict=True)])
def test_a_course_gives_the_weights_and_curves_of_a_bare_loop(cell: str, optimiser: str) -> None:
    rate = 0.5 if optimiser == "sgd" else 0.01
    plan = replace(PLAN, cell=cell, optimiser=optimiser, learning_rate=rate, layers=2, embedding=5)
    course = finished(plan, exact=True)
    weights, losses, norms = bare_loop(plan)
    assert apart(course, weights) < TOLERANCE
    assert [point.step for point in course.points] == list(range(15))
    assert course.points[0].training is None
    for point, loss, norm in zip(course.points[1:], losses, norms, strict=True):
        assert point.training == pytest.approx(loss, abs=1e-5)
        assert point.norm == pytest.approx(norm, rel=1e-4)
        assert point.clipped == pytest.approx(min(norm, plan.clip), rel=1e-4)
    assert course.characters == 14 * 4 * 8


@pytest.mark.parametrize(
    "wrong",
    [
        "forgets between windows",
        "goes on at the end of a pass",
        "says the same character",
        "never clips",
        "never cools",
        "clips after the step",
    ],
)
def test_that_oracle_rejects_a_loop_which(wrong: str) -> None:
    plan = replace(PLAN, optimiser="sgd", learning_rate=0.5)
    course = finished(plan, exact=True)
    assert apart(course, bare_loop(plan)[0]) < TOLERANCE
    assert apart(course, bare_loop(plan, wrong)[0]) > 1e6 * TOLERANCE


def test_several_steps_between_two_points_are_averaged() -> None:
    plan = replace(PLAN, steps=60)
    course = finished(plan, exact=True)
    losses = bare_loop(plan)[1]
    steps = [point.step for point in course.points]
    assert len(steps) < 40
    assert steps[-1] == 60
    for before, point in zip(steps, course.points[1:], strict=False):
        assert point.training == pytest.approx(np.mean(losses[before : point.step]), abs=1e-5)


LONG = replace(PLAN, layers=2, dropout=0.4, steps=20)


def stand_at(step: int) -> Course:
    course = course_of(LONG)
    while course.step < step:
        if course.step == 3:
            course.change("learning_rate", 0.003)
            course.change("clip", 0.05)
        course.advance()
    return course


@pytest.mark.parametrize("step", [5, 11, 17])  # in a pass, at its end, in the next
def test_a_run_continued_from_its_snapshot_is_bit_for_bit_the_run_that_went_on(
    step: int, tmp_path: Path
) -> None:
    whole = stand_at(20)
    snapshots.write(tmp_path, stand_at(step).snapshot(), rolling=True)
    snapshot = snapshots.newest(tmp_path)
    assert snapshot is not None
    rest = course_of(LONG, snapshot)
    while not rest.ended:
        rest.advance()
    assert apart(rest, whole.parameters) == 0
    assert [astuple(point) for point in rest.points] == [astuple(point) for point in whole.points]
    assert rest.changes == whole.changes == [(3, "learning_rate", 0.003), (3, "clip", 0.05)]
    assert rest.characters == whole.characters
    assert rest.say() == whole.say()


@pytest.mark.parametrize("lost", ["states.", "optimiser.", "window", "now", "step"])
def test_that_this_is_lost_with_any_part_of_the_snapshot(lost: str, tmp_path: Path) -> None:
    snapshot = stand_at(5).snapshot()
    record = dict(snapshot.record)
    if lost == "now":
        record["now"] = {"learning_rate": LONG.learning_rate, "clip": LONG.clip}
    if lost == "window":
        record["window"] = 0
    tensors = {n: each for n, each in snapshot.tensors.items() if not n.startswith(lost)}
    if lost == "optimiser.":
        tensors |= {n: each * 0 for n, each in snapshot.tensors.items() if n.startswith(lost)}
    step = 6 if lost == "step" else 5  # which the masks follow from
    rest = course_of(LONG, Snapshot(step, tensors, record))
    while rest.characters < 20 * 4 * 8:
        rest.advance()
    assert apart(rest, stand_at(20).parameters) > 1e-5


def test_the_curves_are_of_the_validation_text_as_its_reader_would_count() -> None:
    plan = Plan(characters=4_000, units=16, window=16, batch=8, steps=30)
    course = finished(plan)
    text = texts.read(plan.text, plan.characters)
    assert text.forced is not None
    assert text.allowed is not None
    codes = [text.alphabet.index(each) for each in text.content]
    bits, right, impossible, late = [], [], [], []
    reader = course.reader.eval()
    count = len(codes) - text.cut
    every = range(text.cut - WARM, len(codes) - WARM - ALONG + 1)
    flat = [place for place in every if text.truth["depth"][place - 1] == 0]
    for each in range(count // ALONG):  # from where no bracket is open, the next or the last such
        wish = text.cut + each * (count // (count // ALONG)) - WARM
        first = WARM + next((place for place in flat if place >= wish), flat[-1])
        with torch.no_grad():
            read = torch.tensor([codes[first - WARM : first + ALONG]])
            chances = reader(read)[0][0].softmax(1).double().numpy()
        for place in range(first, first + ALONG):  # of the character that is to be said
            said = chances[place - 1 - (first - WARM)]
            bits.append(-math.log2(said[codes[place]]))
            if text.forced[place - 1] >= 0:
                right.append(said.argmax() == text.forced[place - 1])
                late.append(said.argmax() == text.forced[place - 2])
            impossible.append(said[~text.allowed[place - 1]].sum())
    point = course.points[-1]
    assert point.validation == pytest.approx(np.mean(bits), abs=1e-5)
    assert point.right == pytest.approx(np.mean(right), abs=1e-6)
    assert point.impossible == pytest.approx(np.mean(impossible), abs=1e-6)
    assert abs(np.mean(late) - np.mean(right)) > 0.01  # an engine that is one late would be seen


def test_nobody_goes_on_from_what_is_not_finite() -> None:
    course = course_of(PLAN)
    with torch.no_grad():
        course.reader.head.bias[1] = math.inf
    sentence = (
        "no longer a finite number by step 1, at a learning rate of 0.01: try a tenth of it.$"
    )
    with pytest.raises(FloatingPointError, match=sentence):
        course.advance()
    with pytest.raises(FloatingPointError, match="no longer a finite number"):
        course.snapshot()
    free = course_of(replace(PLAN, clip=0.0))
    with torch.no_grad():
        free.reader.head.bias[1] = math.inf
    with pytest.raises(FloatingPointError, match="or clip the gradient at 5"):
        free.advance()


def test_only_what_can_be_moved_live_is_changed() -> None:
    course = course_of(PLAN)
    with pytest.raises(ValueError, match="name must be one of"):
        course.change("units", 32)
    with pytest.raises(ValueError, match="learning_rate must be from"):
        course.change("learning_rate", math.nan)
    course.change("clip", PLAN.clip)
    assert course.changes == []
    course.change("learning_rate", 0.001)
    assert course.rate == 0.001


def test_a_course_goes_on_by_its_own_plan_alone() -> None:
    snapshot = stand_at(5).snapshot()
    for other in (replace(LONG, cell="gru"), replace(LONG, batch=2), replace(LONG, seed=9)):
        with pytest.raises(ValueError, match="must be of a run by the same plan"):
            course_of(other, snapshot)


def test_a_text_that_has_changed_since_is_read_with_the_old_alphabet() -> None:
    snapshot = stand_at(5).snapshot()
    text = texts.read(LONG.text, LONG.characters)
    other = replace(text, content=text.content.replace("b", "x"), alphabet="\ufffd\nax")
    course = Course(LONG, other, CPU, snapshot)
    assert course.alphabet == text.alphabet
    assert course.watched.forced is None
    assert (course.places == 0).any()
    course.advance()


def test_the_points_take_a_small_share_of_a_long_course() -> None:
    plan = Plan(units=16, steps=1_000, characters=20_000)
    course = course_of(plan)
    learned = 3 * plan.batch * plan.window * plan.steps
    assert course.intervals * course.watched.characters <= 0.026 * learned
    assert course.intervals >= 20
