"""A lesson tells how a network learns, is asked between two steps, and is kept for later."""

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load

from core.lstm_gates import (
    CELLS,
    LONGEST,
    Plan,
    asking,
    baselines,
    course,
    gates,
    learning,
    ngrams,
    replaying,
    room,
    texts,
)
from core.lstm_gates.built_ins import BUILT_INS, FOLDER
from core.lstm_gates.readers import Reader, build, encode
from core.lstm_gates.script import script
from core.lstm_gates.stored import load_built_in, load_reader
from core.shared import snapshots
from core.shared.snapshots import Snapshot
from core.shared.targets import config_of
from tests.shared.untouched import leaves_untouched, untouched

PLAN = Plan(text="counting", characters=400, units=16, window=8, batch=4, steps=6, seed=3)
CONFIG = asdict(PLAN)


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSBOX_DEVICE", "cpu")
    monkeypatch.setattr(course, "SAID", 20)  # characters, that it is quick


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A run that has ended."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("GLASSBOX_DEVICE", "cpu")
        patched.setattr(course, "SAID", 20)
        place = tmp_path_factory.mktemp("run")
        kept_in(place, PLAN)
        yield place


def kept_in(place: Path, plan: Plan) -> None:
    for given in learning.train(plan):
        if isinstance(given, Snapshot):
            snapshots.write(place, given)


def test_a_run_yields_where_it_stands_first_and_then_after_each_step() -> None:
    seen: list[int | str] = []
    for given in learning.train(PLAN):
        seen.append("kept" if isinstance(given, Snapshot) else given.course.step)
    assert seen == ["kept", 0, "kept", 1, "kept", 2, "kept", 3, "kept", 4, "kept", 5, "kept", 6]
    assert config_of(learning.train, json.loads(json.dumps(CONFIG))) == PLAN


def test_looking_changes_nothing_of_a_run() -> None:
    plan = replace(PLAN, layers=2, dropout=0.5)
    alone, watched = learning.begin(plan, None), learning.begin(plan, None)
    for _ in range(6):
        alone.course.advance()
        watched.course.advance()
        with untouched(watched.course.reader):
            watched.freeze()
            watched.reader()
            watched.snapshot()
    for one, other in zip(alone.course.parameters, watched.course.parameters, strict=True):
        assert torch.equal(one, other)


def test_a_state_tells_what_the_course_is(folder: Path) -> None:
    lesson = learning.begin(PLAN, snapshots.newest(folder))
    lesson.course.change("learning_rate", 0.001)
    state = lesson.freeze()
    assert (state.step, state.steps, state.characters) == (6, 6, 6 * 32)
    assert state.kept == tuple(range(7))
    assert [step for step, _ in state.samples] == [*range(7)]
    assert state.now == {"learning_rate": 0.001}
    assert state.changes == ((6, "learning_rate", 0.001),)
    for _, said in state.samples:
        assert len(said) == 20
        assert set(said) <= set(state.alphabet)
    assert state.forced == (state.curves.right[-1], state.curves.impossible[-1])
    assert np.isnan(state.curves.training[0])
    assert np.isfinite(state.curves.training[1:]).all()
    before = state.curves.validation.copy()
    lesson.course.points.clear()
    assert np.array_equal(state.curves.validation, before)


def test_a_state_before_the_start_is_of_the_untrained_network() -> None:
    state = learning.begin(replace(PLAN, text="english", characters=1_000), None).freeze()
    assert (state.step, state.kept, state.samples, state.forced) == (0, (), (), None)
    assert state.curves.validation[0] == pytest.approx(np.log2(len(state.alphabet)), abs=0.3)


def test_baselines_are_counted_once_and_told_as_far_as_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text, counted = texts.read("counting", 400), []

    def bits(training: str, validation: str, alphabet: str) -> Iterator[tuple[str, float]]:
        assert training + validation == text.content
        assert (len(training), alphabet) == (text.cut, text.alphabet)
        for order in range(1, 9):
            counted.append(order)
            yield f"{order}-gram", 8 / order

    monkeypatch.setattr(ngrams, "bits", bits)
    monkeypatch.setattr(baselines, "_found", {})
    work = baselines.baselines.in_turns("counting", 400)
    next(work)
    next(work)
    assert learning.begin(PLAN, None).freeze().baselines == (("1-gram", 8.0), ("2-gram", 4.0))
    whole = baselines.baselines("counting", 400)
    assert whole == tuple((f"{order}-gram", 8 / order) for order in range(1, 9))
    assert baselines.baselines("counting", 400) == whole
    assert counted == [1, 2, *range(1, 9)]
    assert baselines.found("counting") == ()


def test_a_plan_that_takes_too_much_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^text must have at least 2,080 characters to learn"):
        room.require_room(replace(PLAN, batch=32, window=64))
    wide = replace(PLAN, units=512, layers=3, text="english", characters=20_000, batch=256)
    wide = replace(wide, window=64)
    with pytest.raises(ValueError, match=r"^batch times window must be at most [\d,]+ characters"):
        room.require_room(wide)
    with pytest.raises(ValueError, match="text must have at least"):
        learning.begin(replace(PLAN, batch=256), None)


@pytest.mark.parametrize("analysis", [*LONGEST])
def test_a_large_network_is_asked_about_fewer_characters(analysis: str) -> None:
    assert room.longest(analysis, "lstm", 1, 64) >= min(2_000, LONGEST[analysis])
    large = room.longest(analysis, "lstm", 3, 512)
    assert 64 <= large < LONGEST[analysis]
    if analysis != "influence":
        assert 6 * 3 * large * 512 * 4 <= 32 << 20  # bytes of float32, of answers that are shared
    else:
        assert large**2 * 3 * 2 * 4 * 512 * 512 <= 10**11


def test_what_a_large_network_would_take_is_refused_before_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(room, "MOST_TOLD", 6 * 2 * 16 * 20)
    reader = build(Plan(units=16, layers=2), "\ufffdab", torch.device("cpu"))
    assert gates.gates(reader, "a" * 20).values["c"].shape == (2, 20, 16)
    with pytest.raises(ValueError, match="text must have from 1 to 20 characters, got 21"):
        gates.gates(reader, "a" * 21)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("embedding", [0, 7])
def test_weights_are_counted_without_building_them(cell: str, embedding: int) -> None:
    plan = replace(PLAN, cell=cell, layers=3, embedding=embedding)
    reader = build(plan, "\ufffdabcd", torch.device("cpu"))
    assert room.parameters(plan, 5) == sum(each.numel() for each in reader.parameters())


def test_a_run_is_asked_as_it_is_and_as_it_was(folder: Path) -> None:
    lesson = learning.begin(PLAN, snapshots.load(snapshots.place(folder, 4)))
    given = ("sample", "ab", 20, 0.0, 1)
    now = asking.newest(lesson, *given)
    assert now == asking.step(CONFIG, str(folder), 4, *given)
    old = load_reader(CONFIG, str(folder), 1)
    assert old is load_reader(CONFIG, str(folder), 1)
    leaves_untouched(old, lambda: asking.step(CONFIG, str(folder), 1, *given))
    assert not old.training
    assert not any(each.requires_grad for each in old.parameters())
    again = learning.begin(PLAN, None)
    again.course.advance()
    for name, value in again.course.reader.state_dict().items():
        assert torch.equal(old.state_dict()[name], value), name
    before = lesson.reader()
    weights = before.head.weight.clone()
    assert lesson.reader() is before
    lesson.course.advance()
    assert torch.equal(before.head.weight, weights)
    assert not torch.equal(lesson.reader().head.weight, weights)


def test_what_cannot_be_asked_is_refused_with_a_sentence(folder: Path) -> None:
    with pytest.raises(ValueError, match="analysis must be one of"):
        asking.step(CONFIG, str(folder), 6, "horoscope", "ab")
    with pytest.raises(ValueError, match="step must be one that was kept"):
        asking.step(CONFIG, str(folder), 60, "sample", "a", 1, 0.0, 1)
    with pytest.raises(ValueError, match="name must be one of"):
        asking.built_in("nobody", "sample", "a", 1, 0.0, 1)
    with pytest.raises(ValueError, match="has not begun"):
        replaying.export(CONFIG, str(folder / "none"), 0)


RUNS = {
    "lstm": (replace(PLAN, layers=2, dropout=0.3, clip=0.05), {"learning_rate": 0.004}),
    "gru": (replace(PLAN, cell="gru", embedding=5, optimiser="sgd", clip=0.0), {"clip": 0.01}),
    "rnn": (replace(PLAN, cell="rnn", optimiser="rmsprop", forget_bias=-1.0), {}),
    "wrong": (replace(PLAN, learning_rate=0.01), {}),
}
STOPPED = {"gru": 4}  # before its end
DRIVER = """
import os, runpy, sys, torch
torch.set_num_threads(1)
for name in sys.argv[1:]:
    os.chdir(name)
    runpy.run_path("run.py")
"""


def test_the_script_of_an_exported_run_gives_its_weights_again(tmp_path: Path) -> None:
    folders = []
    for name, (plan, changes) in RUNS.items():
        run, place = tmp_path / name, tmp_path / f"{name}-zip"
        run.mkdir()
        lesson = learning.begin(plan, None)
        while lesson.course.step < STOPPED.get(name, plan.steps):
            for moved, value in changes.items() if lesson.course.step == 2 else ():
                learning.change(lesson, moved, value)
            lesson.course.advance()
        snapshots.write(run, lesson.snapshot(), rolling=True)
        with zipfile.ZipFile(io.BytesIO(replaying.export(asdict(plan), str(run), 0))) as packed:
            packed.extractall(place)
        folders.append(str(place))
    program = place / "run.py"
    source = program.read_text(encoding="utf-8")
    program.write_text(source.replace("= 0.01,", "= 0.02,").replace(", 0.01,", ", 0.02,"))
    subprocess.run([sys.executable, "-c", DRIVER, *folders], check=True, capture_output=True)
    for name in RUNS:
        whole = load((tmp_path / f"{name}-zip" / "weights.safetensors").read_bytes())
        again = load((tmp_path / f"{name}-zip" / "trained.safetensors").read_bytes())
        assert whole.keys() == again.keys()
        # Both round in float32, the same way but for the masks' scale: 1e-7 a step.
        same = all(torch.allclose(whole[key], again[key], rtol=0, atol=1e-6) for key in whole)
        assert same == (name != "wrong"), name
    about = json.loads((tmp_path / "lstm-zip" / "run.json").read_text(encoding="utf-8"))
    assert about["changes"] == [[2, "learning_rate", 0.004]]
    assert about["columns"][:3] == ["step", "training", "validation"]


def test_a_script_is_code() -> None:
    for cell in CELLS:
        compile(script(replace(PLAN, cell=cell), 10, ()), "run.py", "exec")


@pytest.mark.parametrize("name", BUILT_INS)
def test_a_built_in_network_does_what_is_said_of_it(name: str) -> None:
    known = BUILT_INS[name]
    reader: Reader = load_built_in(name)
    assert reader is load_built_in(name)
    assert (FOLDER / f"{name}.safetensors").stat().st_size < 1_000_000
    text = texts.read(known.plan.text)
    apart = (len(text.content) - text.cut - 400) // 9
    firsts = [text.cut + apart * each for each in range(10)]  # ten places of 400 characters
    codes = torch.stack([encode(text.content[f : f + 400], known.alphabet) for f in firsts])
    with untouched(reader):
        logits = reader(codes)[0][:, :-1].log_softmax(2)
    bits = -logits.gather(2, codes[:, 1:, None]).mean() / np.log(2)
    # The mean of other characters, a quarter of them: its spread is a tenth of a bit in Python.
    assert float(bits) == pytest.approx(known.bits, abs=0.2)
    if known.right is not None and text.forced is not None:
        assert known.right >= 0.99
        forced = torch.tensor(np.array([text.forced[f : f + 399] for f in firsts]))
        right = (logits.argmax(2) == forced)[forced >= 0].float().mean()
        assert float(right) >= 0.98
    assert len(asking.built_in(name, "sample", text.content[:3], 10, 1.0, 0)) == 10
    assert asking.built_in(name, "gates", text.content[:20]).alphabet == known.alphabet


def test_the_bracket_network_is_there() -> None:
    assert "brackets" in BUILT_INS
