"""The engine keeps its promises, whatever the work does that it is given."""

import gc
import itertools
import logging
import math
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from core.shared import answers, devices, runs, shelf, snapshots
from core.shared import process as process_module
from core.shared import worker as worker_module
from core.shared.engine import Engine, EngineError, View
from core.shared.owner import Owner
from core.shared.recipes import Recipe
from core.shared.wanted import only_while
from core.shared.worker import Settings, Worker
from tests.shared import mischief
from tests.shared.mischief import Config

Until = Callable[..., None]
PATIENCE = 4.0  # beside a busy machine the engine may be late by seconds
NUMBERS = itertools.count(1000)
MISCHIEF = "tests.shared.mischief:"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One engine process for most of what is here; it may take 1 GiB and sulk for 4 s."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker_module, "FAST", 0)  # so that no test waits for another's deaths
        folder = tmp_path_factory.mktemp("runs")
        with Engine(folder, devices=("cpu",), memory=1 << 30, patience=PATIENCE) as running:
            call(running, mischief.owner)
            yield running


@pytest.fixture
def inline(tmp_path: Path) -> Iterator[Engine]:
    """An engine in a thread of this process, whose surroundings a test can change."""
    with Engine(tmp_path / "runs", devices=("cpu",), inline=True) as running:
        yield running


def submit(
    engine: Engine, function: Callable[..., Any], *, visitor: str = "ada", **config: Any
) -> str:
    return engine.submit(MISCHIEF + function.__name__, Config(**config), visitor=visitor)


def call(engine: Engine, function: Callable[..., Any], *arguments: Any) -> Any:
    return engine.call(MISCHIEF + function.__name__, *arguments, seconds=60)


def ask(engine: Engine, run: str, function: Callable[..., Any], *arguments: Any) -> Any:
    return engine.ask(run, MISCHIEF + function.__name__, *arguments, seconds=60)


def settle(engine: Engine) -> None:
    """Let all that was sent before take effect: messages keep their order."""
    number = next(NUMBERS)
    assert call(engine, mischief.double, number) == 2 * number


def stands(engine: Engine, run: str, *statuses: str) -> Callable[[], bool]:
    return lambda: engine.view(run).status in statuses


def step_of(view: View) -> int:
    return -1 if view.state is None else int(view.state.step)


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").split() if path.exists() else []


def alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    except FileNotFoundError:
        return False
    return state[0] != "Z"  # dead, but nobody has asked after it yet


# Calls


def test_a_call_is_computed_in_another_process(engine: Engine) -> None:
    assert call(engine, mischief.double, 21) == 42
    assert call(engine, mischief.owner) not in (os.getpid(), None)


@pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="batches are of Linux")
def test_who_computes_on_a_cpu_takes_no_core_from_who_wakes_up(engine: Engine) -> None:
    theirs = call(engine, mischief.owner)
    assert os.sched_getscheduler(theirs) == os.SCHED_BATCH != os.sched_getscheduler(0)
    assert os.getpriority(os.PRIO_PROCESS, theirs) == os.getpriority(os.PRIO_PROCESS, 0)


def test_while_a_page_is_drawn_the_runs_leave_it_the_cores(engine: Engine, until: Until) -> None:
    run = submit(engine, mischief.count_forever, pause=0.001)
    until(stands(engine, run, "running"))

    def counted(*, asked: bool) -> int:
        time.sleep(2 * worker_module.WAY)  # so that the next one who asks has it
        before = ask(engine, run, mischief.read_step_of)
        if asked:
            engine.make_way()
            before = ask(engine, run, mischief.read_step_of)  # a call is answered nevertheless
        time.sleep(0.8 * worker_module.WAY)
        now = int(ask(engine, run, mischief.read_step_of))
        return now - int(before)

    assert counted(asked=False) > 1
    assert counted(asked=True) <= 1, "one was under way"
    until(lambda: counted(asked=False) > 1)
    engine.stop(run)


def test_however_often_pages_ask_the_runs_keep_half_of_the_time() -> None:
    settings = Settings(inline=True, memory=None, patience=PATIENCE)
    worker = Worker(None, settings, lambda *_: None, lambda *_: None)
    free = taken = 0.0
    then = time.monotonic()
    while free + taken < 10 * worker_module.WAY:
        worker.make_way()
        now = time.monotonic()
        if worker._beat[2] > now:
            taken += now - then
        else:
            free += now - then
        then = now
    assert taken > worker_module.WAY
    assert free > 0.45 * (free + taken)


def test_who_computes_elsewhere_makes_no_way() -> None:
    beat = [0.0, 0.0, math.inf]
    for device, way in (("cpu", math.inf), ("cuda", 0.0), ("mps", 0.0)):
        owner = SimpleNamespace(beat=beat, device=torch.device(device))
        assert Owner.way.fget(owner) == way  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("target", "arguments", "words"),
    [
        (f"{MISCHIEF}refuses", (3,), "number must not be 3"),
        (f"{MISCHIEF}exits", (), "SystemExit: 5"),
        (f"{MISCHIEF}answers_unpicklable", (), "pickle"),
        (f"{MISCHIEF}refuses_in_turns", (3,), "number must not be 3"),
        (f"{MISCHIEF}exits_in_turns", (), "SystemExit: 5"),
        (f"{MISCHIEF}answers_unpicklable_in_turns", (), "pickle"),
        (f"{MISCHIEF}count_in_turns", (), "TypeError"),
        (f"{MISCHIEF}double", (), "TypeError"),
        (f"{MISCHIEF}nothing_of_that_name", (), "target must name a module:function"),
        ("no.such.module:double", (), "target must name a module:function"),
        ("gibberish", (), "target must name a module:function"),
    ],
)
def test_a_call_that_fails_gives_a_sentence_and_the_process_stays(
    engine: Engine, target: str, arguments: tuple[Any, ...], words: str
) -> None:
    before = engine.ready()["owners"][0]["process"]
    with pytest.raises(EngineError, match=words):
        engine.call(target, *arguments, seconds=60)
    settle(engine)
    assert engine.ready()["owners"][0]["process"] == before


@pytest.mark.parametrize(
    ("target", "arguments", "level", "traced"),
    [("refuses", (3,), logging.INFO, False), ("double", (), logging.WARNING, True)],
)
def test_only_what_is_no_refusal_is_logged_with_its_traceback(
    inline: Engine,
    target: str,
    arguments: tuple[int, ...],
    level: int,
    traced: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "core.shared.owner")
    with pytest.raises(EngineError):
        inline.call(MISCHIEF + target, *arguments, seconds=60)
    call(inline, mischief.double, 1)  # by then the line before is written
    (line,) = [each for each in caplog.records if each.name == "core.shared.owner"]
    assert (line.levelno, bool(line.exc_info)) == (level, traced)


def test_a_call_goes_before_the_next_turn_of_training(engine: Engine, tmp_path: Path) -> None:
    log = tmp_path / "log"
    many = [
        submit(engine, mischief.count_forever, pause=0.1, log=str(log), name=f"{number}-")
        for number in range(10)
    ]
    settle(engine)
    waited = []
    for _ in range(5):
        before = len(lines(log))
        settle(engine)
        waited.append(len(lines(log)) - before)
    for run in many:
        engine.stop(run)
    # A step takes longer than a turn, so a turn is a step: the one that ran when the call came,
    # and perhaps one more that began or ended while this process read the log.
    assert sorted(waited)[2] <= 2, waited
    assert max(waited) < 10, waited  # never a whole round


def test_a_call_that_takes_long_lets_all_others_have_their_turns(
    engine: Engine, tmp_path: Path, until: Until
) -> None:
    log = tmp_path / "log"
    run = running(engine, until)
    with ThreadPoolExecutor(2) as people:
        slow = [
            people.submit(call, engine, mischief.count_in_turns, str(log), name, 20, 0.05)
            for name in "ab"
        ]
        until(lambda: len(lines(log)) > 1)
        version, answered = engine.view(run).version, 0
        while not all(each.done() for each in slow):
            settle(engine)
            answered += 1
        assert [each.result() for each in slow] == ["a", "b"]
    assert answered > 10  # a turn of 50 ms at a time
    assert engine.view(run).version > version + 3  # pushed five times a second
    engine.stop(run)
    told = [line[0] for line in lines(log)]
    assert told != sorted(told)  # by turns


def test_those_who_wait_for_the_same_result_do_not_slow_it_down(
    engine: Engine, tmp_path: Path, until: Until
) -> None:
    run, log = running(engine, until), str(tmp_path / "log")
    began = time.monotonic()
    with ThreadPoolExecutor(20) as people:
        asked = [
            people.submit(call, engine, mischief.of_the_same, log, number) for number in range(20)
        ]
        assert [each.result() for each in asked] == [*range(20)]
    assert len(lines(tmp_path / "log")) == 20  # computed once, in 20 turns of 20 ms
    assert time.monotonic() - began < 8  # were each of the others' turns one, it would take 16 s
    engine.stop(run)


def test_a_long_call_that_is_short_after_all_does_not_queue(
    engine: Engine, tmp_path: Path, until: Until
) -> None:
    run, log = running(engine, until), str(tmp_path / "log")
    with ThreadPoolExecutor(8) as people:
        slow = [
            people.submit(call, engine, mischief.count_in_turns, log, name, 3, 0.2)
            for name in "abcde"
        ]
        until(lambda: len(lines(tmp_path / "log")) > 3)
        began = time.monotonic()
        assert call(engine, mischief.count_in_turns, log, "g", 1, 0.001) == "g"
        took = time.monotonic() - began
        assert not any(each.done() for each in slow)
        assert [each.result() for each in slow] == [*"abcde"]
    assert took < 1.5  # a turn of the others at most, not a round of all and of the run
    engine.stop(run)


def test_a_run_that_waits_for_the_world_costs_long_calls_nothing(
    engine: Engine, tmp_path: Path, until: Until
) -> None:
    run = submit(engine, mischief.waits, pause=0.002, log=str(tmp_path / "waits"))
    until(lambda: len(lines(tmp_path / "waits")) > 1)
    began = time.monotonic()
    call(engine, mischief.count_in_turns, str(tmp_path / "log"), "a", 10, 0.1)
    assert time.monotonic() - began < 1.8  # paid for, it would be 2 s
    engine.stop(run)


def test_that_oracle_rejects_a_call_that_keeps_the_device(engine: Engine, tmp_path: Path) -> None:
    began = time.monotonic()
    with ThreadPoolExecutor(1) as people:
        slow = people.submit(call, engine, mischief.slow_count, str(tmp_path / "a"), 0.5, 7)
        while not lines(tmp_path / "a"):
            time.sleep(0.005)
        settle(engine)
        assert time.monotonic() - began > 0.4
        assert slow.result() == 7


def test_equal_calls_are_computed_once_and_others_are_not(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "asked"
    with ThreadPoolExecutor(8) as people:
        same = [
            people.submit(call, engine, mischief.slow_count, str(path), 0.3, 1) for _ in range(8)
        ]
        assert [each.result() for each in same] == [1] * 8
    assert lines(path) == ["1"]
    assert call(engine, mischief.slow_count, str(path), 0.3, 1) == 1  # lately done
    assert lines(path) == ["1"]
    call(engine, mischief.slow_count, str(path), 0, 2)
    assert lines(path) == ["1", "2"]


def test_answers_that_are_kept_for_equal_calls_are_bounded(inline: Engine) -> None:
    for number in range(40):
        call(inline, mischief.bytes_of, 1 << 20, number)
    kept = inline._answers
    assert kept.kept <= answers.LATELY
    assert sum(map(len, kept.lately.values())) <= answers.LATELY
    assert kept.kept > answers.LATELY / 2  # it does keep some


def test_a_call_that_comes_too_late_says_so(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"No answer within 0\.1 s"):
        engine.call(f"{MISCHIEF}slow_count", str(tmp_path / "a"), 0.5, 1, seconds=0.1)


def test_a_long_call_that_nobody_wants_any_more_is_given_up(
    engine: Engine, tmp_path: Path, until: Until
) -> None:
    """Also when it was wanted by two, but only once both have gone."""
    log, still = tmp_path / "log", {"a": True, "b": True}

    def wait(name: str) -> str:
        with only_while(lambda: still[name]):
            return str(call(engine, mischief.count_in_turns, str(log), "c", 500, 0.02))

    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(wait, name) for name in still]
        until(lambda: len(lines(log)) > 2)
        still["a"] = False
        with pytest.raises(EngineError, match="Nobody waits"):
            both[0].result()
        so_far = len(lines(log))
        until(lambda: len(lines(log)) > so_far + 2)  # the other one waits still
        still["b"] = False
        with pytest.raises(EngineError, match="Nobody waits"):
            both[1].result()
    settle(engine)
    ended = len(lines(log))
    assert ended < 450
    settle(engine)
    assert call(engine, mischief.count_in_turns, str(tmp_path / "next"), "d", 9, 0.02) == "d"
    assert len(lines(log)) == ended


def test_what_was_given_up_can_be_asked_again(engine: Engine, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with only_while(lambda: False), pytest.raises(EngineError, match="Nobody waits"):
        call(engine, mischief.count_in_turns, str(log), "e", 30, 0.02)
    assert call(engine, mischief.count_in_turns, str(log), "e", 30, 0.02) == "e"
    assert len(lines(log)) > 30


def test_a_closed_engine_refuses_calls_at_once(tmp_path: Path) -> None:
    engine = Engine(tmp_path, inline=True, devices=("cpu",)).start()
    settle(engine)
    began = time.monotonic()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        call(engine, mischief.double, 1)
    assert time.monotonic() - began < 3


# Runs


def test_fifty_runs_at_once_all_finish(engine: Engine, until: Until) -> None:
    many = [submit(engine, mischief.count, steps=20, pause=0.001) for _ in range(50)]
    until(lambda: all(engine.view(run).status == "finished" for run in many), 60)
    views = [engine.view(run) for run in many]
    counted = [step_of(view) for view in views if view.state is not None]  # not of the older ones
    assert set(counted) == {20}
    assert {view.progress for view in views} == {1}


def fair(log: list[str], runs: int) -> bool:
    """Whether, in a log of steps of so many runs, none has twice another's share."""
    counts = Counter(line.split("-")[0] for line in log)
    return len(counts) == runs and max(counts.values()) < 2 * min(counts.values())


def test_runs_get_the_same_share_of_the_device(
    engine: Engine, tmp_path: Path, until: Until
) -> None:
    log = tmp_path / "log"
    many = [
        submit(engine, mischief.count_forever, pause=0.01, log=str(log), name=f"{number}-")
        for number in range(6)
    ]
    until(lambda: len({line.split("-")[0] for line in lines(log)}) == 6)
    begun = len(lines(log))
    until(lambda: len(lines(log)) > begun + 200)
    for run in many:
        engine.stop(run)
    assert fair(lines(log)[begun : begun + 200], 6)


def test_that_oracle_rejects_an_engine_which_starves_a_run() -> None:
    assert fair([f"{step % 3}-{step}" for step in range(30)], 3)
    assert not fair([f"{step % 2}-{step}" for step in range(30)], 3)
    assert not fair([f"{step % 7 % 3}-{step}" for step in range(70)] + ["0-0"] * 30, 3)


def test_a_reader_who_never_reads_delays_nothing_and_misses_frames(
    engine: Engine, until: Until
) -> None:
    run = submit(engine, mischief.heavy_states, steps=200, pause=0.005)
    until(stands(engine, run, "finished"))
    view = engine.view(run)
    assert step_of(view) == 199
    assert 3 <= view.version < 100  # pushed now and then, not each


def test_the_version_grows_and_the_state_never_goes_back(engine: Engine, until: Until) -> None:
    run = submit(engine, mischief.count, steps=300, pause=0.003)
    seen = []

    def look() -> bool:
        view = engine.view(run)
        seen.append((view.version, step_of(view)))
        return view.status == "finished"

    until(look)
    assert seen == sorted(seen)
    assert len({step for _, step in seen}) > 3


def test_reading_never_waits_for_a_turn_or_a_large_message(engine: Engine, until: Until) -> None:
    run = submit(engine, mischief.yields_slowly, steps=4, pause=1.2)
    until(lambda: step_of(engine.view(run)) >= 0)
    content = os.urandom(16 << 20)  # more than the pipe takes while the process works
    with ThreadPoolExecutor(1) as other:
        answer = other.submit(call, engine, mischief.length, content)
        slowest = 0.0
        while not answer.done():
            began = time.monotonic()
            engine.view(run)
            slowest = max(slowest, time.monotonic() - began)
            time.sleep(0.001)
        assert answer.result() == 16 << 20
    engine.stop(run)
    assert slowest < 0.6  # half a turn of this run


def test_large_messages_in_both_directions_do_not_lock_up(engine: Engine, until: Until) -> None:
    run = submit(engine, mischief.heavy_states, steps=100, pause=0.02)
    with ThreadPoolExecutor(4) as people:
        large = [bytes([number]) * (4 << 20) for number in range(12)]
        asked = [people.submit(call, engine, mischief.length, content) for content in large]
        assert [each.result(60) for each in asked] == [4 << 20] * 12
    until(stands(engine, run, "finished"))


def test_progress_tells_the_time_that_is_left(engine: Engine, until: Until) -> None:
    run = submit(engine, mischief.count, steps=200, pause=0.02)  # four seconds
    until(lambda: engine.view(run).progress > 0.25)
    view = engine.view(run)
    left = (1 - view.progress) * 4
    engine.stop(run)
    assert view.seconds_left is not None
    assert 0.5 * left < view.seconds_left < 3 * left  # on a machine that others use too


def test_work_without_a_living_thing_is_shown_and_keeps_snapshots(
    engine: Engine, until: Until
) -> None:
    plain = submit(engine, mischief.states, steps=7)
    kept = submit(engine, mischief.keeps_for_good, steps=5)
    until(stands(engine, plain, "finished"))
    until(stands(engine, kept, "finished"))
    assert step_of(engine.view(plain)) == 7
    assert engine.view(kept).state is None
    assert snapshots.steps(engine.folder / "ada" / kept) == (0, 1, 2, 3, 4)


# Every command in every state


def running(engine: Engine, until: Until) -> str:
    run = submit(engine, mischief.count_forever)
    until(lambda: step_of(engine.view(run)) > 0)
    return run


def paused(engine: Engine, until: Until) -> str:
    run = running(engine, until)
    engine.pause(run)
    until(stands(engine, run, "paused"))
    return run


def finished(engine: Engine, until: Until) -> str:
    run = submit(engine, mischief.count, steps=3)
    until(stands(engine, run, "finished"))
    return run


def stopped(engine: Engine, until: Until) -> str:
    run = running(engine, until)
    engine.stop(run)
    until(stands(engine, run, "stopped"))
    return run


def failed(engine: Engine, until: Until) -> str:
    run = submit(engine, mischief.raises_value_error)
    until(stands(engine, run, "failed"))
    return run


OUTCOMES: dict[
    Callable[[Engine, Until], str], tuple[str, str, str, str]
] = {  # what pause, resume, step and stop lead to
    running: ("paused", "running", "running", "stopped"),
    paused: ("paused", "running", "paused", "stopped"),
    finished: ("finished", "finished", "finished", "finished"),
    stopped: ("stopped", "running", "stopped", "stopped"),
    failed: ("failed", "failed", "failed", "failed"),  # it fails again at the same place
}


@pytest.mark.parametrize("begin", OUTCOMES, ids=lambda begin: begin.__name__)
@pytest.mark.parametrize("command", ["pause", "resume", "step", "stop"])
def test_a_command_does_what_fits_and_else_nothing(
    engine: Engine, until: Until, begin: Callable[[Engine, Until], str], command: str
) -> None:
    run = begin(engine, until)
    outcome = OUTCOMES[begin][("pause", "resume", "step", "stop").index(command)]
    before = engine.view(run)
    getattr(engine, command)(run)
    settle(engine)
    until(stands(engine, run, outcome))
    settle(engine)
    after = engine.view(run)
    assert after.status == outcome
    if before.status == outcome != "running" and command not in ("step", "resume"):
        assert after == before
    engine.stop(run)


def test_a_paused_run_stands_still_and_each_step_is_one(engine: Engine, until: Until) -> None:
    run = paused(engine, until)
    here = ask(engine, run, mischief.step_of)
    settle(engine)
    assert ask(engine, run, mischief.step_of) == here
    assert step_of(engine.view(run)) == here
    for _ in range(3):  # at once, as fast as a hand can press
        engine.step(run)
    until(lambda: step_of(engine.view(run)) == here + 3)
    settle(engine)
    assert ask(engine, run, mischief.step_of) == here + 3
    engine.stop(run)


def test_a_stopped_run_does_not_move_any_more(engine: Engine, tmp_path: Path, until: Until) -> None:
    log = tmp_path / "log"
    run = submit(engine, mischief.count_forever, log=str(log))
    until(lambda: len(lines(log)) > 10)
    engine.stop(run)
    settle(engine)
    assert engine.view(run).status == "stopped"
    count = len(lines(log))
    for _ in range(3):
        settle(engine)
    assert len(lines(log)) == count
    assert step_of(engine.view(run)) == count  # the state shown is the last one


def test_a_run_that_is_resumed_goes_on_where_it_stopped(
    engine: Engine, tmp_path: Path, until: Until
) -> None:
    log = tmp_path / "log"
    run = submit(engine, mischief.count_forever, log=str(log))
    until(lambda: len(lines(log)) > 10)
    engine.stop(run)
    until(stands(engine, run, "stopped"))
    engine.resume(run)
    count = len(lines(log))
    until(lambda: len(lines(log)) > count + 10)
    engine.stop(run)
    steps = [int(line) for line in lines(log)]
    assert steps == list(range(1, len(steps) + 1))  # none left out and none done twice


def test_who_only_reads_a_moving_run_has_nobody_told_of_it(engine: Engine, until: Until) -> None:
    run = running(engine, until)

    def told(function: Callable[..., Any]) -> int:
        before = engine.view(run).version
        for _ in range(20):
            ask(engine, run, function)
        return engine.view(run).version - before

    assert told(mischief.step_of) >= 20  # each of which may have changed it
    began = time.monotonic()
    assert told(mischief.read_step_of) <= 2 + (time.monotonic() - began) / 0.2  # as without them
    engine.pause(run)
    until(stands(engine, run, "paused"))
    assert told(mischief.read_step_of) >= 20  # it may have been woken for that
    engine.stop(run)


def test_what_a_call_changed_in_a_stopped_run_is_there_when_it_goes_on(
    engine: Engine, until: Until
) -> None:
    run = stopped(engine, until)
    ask(engine, run, mischief.set_note, "a tenth of the rate")
    engine.resume(run)
    until(stands(engine, run, "running"))
    assert ask(engine, run, mischief.note_of) == "a tenth of the rate"
    engine.stop(run)


def test_a_run_can_be_asked_after_its_end_and_one_without_a_living_thing_says_so(
    engine: Engine, until: Until
) -> None:
    assert ask(engine, finished(engine, until), mischief.step_of) == 3
    empty = submit(engine, mischief.keeps_for_good, steps=2)
    until(stands(engine, empty, "finished"))
    with pytest.raises(EngineError, match="nothing that could be asked"):
        ask(engine, empty, mischief.step_of)


def test_work_that_cannot_be_begun_is_refused_with_a_sentence(engine: Engine, until: Until) -> None:
    with pytest.raises(ValueError, match="config must be a dataclass"):
        engine.submit(f"{MISCHIEF}count", {"steps": 3}, visitor="ada")
    with pytest.raises(ValueError, match="config must hold JSON values"):
        submit(engine, mischief.count, log=Path("log"))
    for visitor in ("", "..", "a/b", "A", "a" * 33, "é", "a\n"):
        with pytest.raises(ValueError, match="name must be 1 to 32"):
            submit(engine, mischief.count, visitor=visitor)
    run = engine.submit("no.such.module:train", Config(), visitor="ada")
    until(stands(engine, run, "failed"))
    assert "target must name a module:function" in engine.view(run).failure
    with pytest.raises(KeyError):
        engine.view("nosuchrun")


# Work that misbehaves


@pytest.mark.parametrize(
    ("function", "failure"),
    [
        (mischief.raises_value_error, "epsilon must be in [0, 1], got 1.5"),
        (mischief.raises_at_once, "nothing can be done"),
        (mischief.raises_odd_error, "OddError: something odd"),
        (mischief.raises_system_exit, "SystemExit: 3"),
        (mischief.diverges, "The loss was no longer finite by step 1: try a tenth of the rate."),
        (mischief.allocates_too_much, "The device ran out of memory: try a smaller"),
        (mischief.allocates_a_tensor_too_much, "The device ran out of memory: try a smaller"),
        (mischief.yields_unpicklable, "pickle"),
        (mischief.cannot_be_frozen, "OddError: cannot be frozen"),
        (mischief.exits_when_frozen, "SystemExit: 4"),
        (mischief.has_no_progress, "OddError: progress is unknown"),
        (mischief.never_yields, "gave no sign of life for 4 s"),
        (mischief.dies, "ended with code 7"),
        (mischief.kills_itself, "was killed"),  # one death is forgiven: it may have been the kernel
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_work_that_fails_ends_alone_with_a_sentence(
    engine: Engine,
    tmp_path: Path,
    until: Until,
    function: Callable[..., Any],
    failure: str,
) -> None:
    log = tmp_path / "log"
    bystander = submit(engine, mischief.count_forever, log=str(log))
    until(lambda: len(lines(log)) > 5)
    engine.pause(bystander)  # so that its place is kept
    engine.resume(bystander)
    bad = submit(engine, function)
    until(stands(engine, bad, "failed"))
    assert failure in engine.view(bad).failure
    settle(engine)
    count = len(lines(log))
    until(lambda: len(lines(log)) > count + 5)
    assert engine.view(bystander).status == "running"
    engine.stop(bystander)
    steps = [int(line) for line in lines(log)]
    assert steps.count(steps[0]) == 1  # it did not begin anew


@pytest.mark.parametrize(
    "function",
    [mischief.refuses_to_close, mischief.cannot_be_kept, mischief.hangs_when_closed],
    ids=lambda function: str(function.__name__),
)
def test_work_that_resists_its_end_is_ended_all_the_same(
    engine: Engine, until: Until, function: Callable[..., Any]
) -> None:
    bystander = running(engine, until)
    run = submit(engine, function)
    until(lambda: engine.view(run).state is not None)
    engine.stop(run)
    until(lambda: not engine.view(run).live)
    settle(engine)
    here = engine.view(bystander).version
    until(lambda: engine.view(bystander).version > here + 2)
    assert engine.view(bystander).status == "running"
    engine.stop(bystander)


def test_a_long_call_that_tells_that_it_lives_is_let_live(engine: Engine) -> None:
    process = call(engine, mischief.owner)
    assert call(engine, mischief.long_but_alive, 1.5 * PATIENCE) == "done"
    assert call(engine, mischief.owner) == process


def test_work_between_two_steps_is_no_step_and_gives_others_their_turn(
    engine: Engine, until: Until, tmp_path: Path
) -> None:
    log = str(tmp_path / "log")
    first = submit(engine, mischief.in_parts, steps=4, pause=0.02, log=log, name="a")
    second = submit(engine, mischief.in_parts, steps=4, pause=0.02, log=log, name="b")
    until(lambda: step_of(engine.view(first)) > 0)
    engine.pause(first)
    until(stands(engine, first, "paused"))
    stood = step_of(engine.view(first))
    if stood < 4:
        engine.step(first)
        until(lambda: step_of(engine.view(first)) == stood + 1)
        engine.resume(first)
    until(stands(engine, first, "finished"))
    until(stands(engine, second, "finished"))
    told = [line[0] for line in lines(tmp_path / "log")]
    assert sorted(told) == ["a"] * 4 + ["b"] * 4
    assert told not in (["a"] * 4 + ["b"] * 4, ["b"] * 4 + ["a"] * 4)


def test_work_that_waits_for_the_world_leaves_the_device_to_others(
    engine: Engine, until: Until, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    run = submit(engine, mischief.waits, pause=0.002, log=str(log))
    other = submit(engine, mischief.count, steps=200, pause=0.005)
    until(stands(engine, other, "finished"))
    turns = len(lines(log))
    assert turns > 5
    engine.stop(run)


def test_slow_work_is_let_live(engine: Engine, until: Until) -> None:
    run = submit(engine, mischief.yields_slowly, steps=3, pause=PATIENCE * 0.6)
    until(stands(engine, run, "finished", "failed"))
    assert engine.view(run).status == "finished"


# The process dies, or the server does


def test_a_killed_process_is_back_and_its_runs_go_on_from_their_snapshots(
    engine: Engine, tmp_path: Path, until: Until
) -> None:
    log = tmp_path / "log"
    run = submit(engine, mischief.count_forever, log=str(log))
    still = paused(engine, until)
    place = step_of(engine.view(still))
    until(lambda: len(lines(log)) > 20)
    engine.pause(run)
    until(stands(engine, run, "paused"))
    kept = len(lines(log))
    engine.resume(run)
    with ThreadPoolExecutor(1) as other:
        answer = other.submit(call, engine, mischief.first_time_dies, str(tmp_path / "here"))
        until((tmp_path / "here").exists)
        process = engine.ready()["owners"][0]["process"]
        count = len(lines(log))
        os.kill(process, signal.SIGKILL)
        began = time.monotonic()
        assert answer.result(60) == "asked again"
    assert time.monotonic() - began < 20
    assert engine.ready()["owners"][0]["process"] != process
    until(lambda: len(lines(log)) > count + 5)
    assert int(lines(log)[count]) in (kept + 1, count + 1)  # from its newest snapshot
    assert engine.view(run).status == "running"
    assert engine.view(still).status == "paused"
    assert step_of(engine.view(still)) == place
    assert ask(engine, still, mischief.step_of) == place
    engine.step(still)
    until(lambda: step_of(engine.view(still)) == place + 1)
    engine.stop(run)
    engine.stop(still)


def test_commands_to_a_process_that_is_not_up_are_kept(tmp_path: Path, until: Until) -> None:
    with Engine(tmp_path, devices=("cpu",)) as engine:
        first, second, third = (submit(engine, mischief.count, steps=9) for _ in range(3))
        assert engine.view(first).status == "waiting"
        engine.stop(first)
        engine.pause(second)
        engine.pause(third)
        engine.step(third)
        engine.resume(third)
        assert not engine.ready()["alive"]
        assert [engine.view(run).status for run in (first, second, third)] == [
            "stopped",
            "paused",
            "waiting",
        ]
        until(stands(engine, third, "finished"))
        settle(engine)
        assert engine.view(first).status == "stopped"
        assert engine.view(second).status == "paused"
        engine.step(second)
        until(lambda: step_of(engine.view(second)) == 1)
        settle(engine)
        assert step_of(engine.view(second)) == 1
        engine.resume(second)
        until(stands(engine, second, "finished"))


def test_closing_an_engine_that_still_starts_is_quick_and_leaves_no_process(
    tmp_path: Path, until: Until
) -> None:
    engine = Engine(tmp_path, devices=("cpu",)).start()
    until(lambda: engine.ready()["owners"][0]["process"] is not None)
    process = engine.ready()["owners"][0]["process"]
    began = time.monotonic()
    engine.close()
    assert time.monotonic() - began < 4
    assert not alive(process)


def test_a_process_that_cannot_start_is_reported(
    tmp_path: Path, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "FAST_DEATHS", 1)
    monkeypatch.setattr(worker_module, "FAST", 60)
    with Engine(tmp_path, devices=("no such device",)) as engine:
        until(lambda: engine.ready()["owners"][0]["trouble"])
        ready = engine.ready()
        assert not ready["alive"]
        assert "ended with code 1" in ready["owners"][0]["trouble"]
        began = time.monotonic()
        with pytest.raises(EngineError, match="ended with code 1"):
            call(engine, mischief.double, 1)
        assert time.monotonic() - began < 5  # nobody waits for what will not come


SERVER = """
import sys, time
from pathlib import Path
from core.shared.engine import Engine
from core.shared.recipes import Recipe
if __name__ == "__main__":
    engine = Engine(Path(sys.argv[1]), devices=("cpu",)).start()
    recipe = Recipe(epochs=10, batch_size=32, optimiser="adam", learning_rate=0.001)
    run = engine.submit("tests.shared.mischief:lesson", recipe, visitor="ada")
    while engine.view(run).progress < 0.1:
        time.sleep(0.01)
    print(engine.ready()["owners"][0]["process"], run, flush=True)
    time.sleep(600)
"""


def test_a_killed_server_takes_its_process_along_and_its_run_can_be_continued_to_the_same_weights(
    tmp_path: Path, until: Until
) -> None:
    script, folder = tmp_path / "server.py", tmp_path / "runs"
    script.write_text(SERVER, encoding="utf-8")
    root = Path(__file__).parents[2]
    server = subprocess.Popen(
        [sys.executable, str(script), str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    with server:
        assert server.stdout is not None
        process, run = server.stdout.readline().split()
        assert alive(int(process))
        server.kill()
    until(lambda: not alive(int(process)), 10)

    with Engine(folder, devices=("cpu",)) as engine:
        (view,) = engine.runs_of("ada")
        assert (view.run, view.status) == (run, "interrupted")
        assert not view.live
        before = snapshots.newest(folder / "ada" / run)
        assert before is not None
        assert 0 < before.step < 100
        engine.resume(run)
        until(stands(engine, run, "finished", "failed"), 60)
        assert engine.view(run).status == "finished"
        assert engine.view(run).state.step == 100

    plain = mischief.begin(Recipe(epochs=10, batch_size=32, optimiser="adam", learning_rate=0.001))
    for _ in plain.run():
        pass
    last = snapshots.newest(folder / "ada" / run)
    assert last is not None
    for name, value in plain.network.state_dict().items():
        assert torch.equal(last.tensors[f"network.{name}"], value), name
    assert last.record["points"] == [list(vars_of(point)) for point in plain.points]


def vars_of(point: object) -> Iterator[Any]:
    return (getattr(point, name) for name in point.__slots__)  # type: ignore[attr-defined]


def test_a_branch_with_nothing_changed_ends_with_the_weights_of_its_origin(
    tmp_path: Path, until: Until
) -> None:
    recipe = Recipe(epochs=2, batch_size=32)

    def learn(engine: Engine, recipe: Recipe, origin: tuple[str, int] | None = None) -> Path:
        run = engine.submit(MISCHIEF + "lesson", recipe, visitor="tree", origin=origin)
        until(stands(engine, run, "finished"), 60)
        return tmp_path / "tree" / run

    with Engine(tmp_path, devices=("cpu",)) as engine:
        first = learn(engine, recipe)
        step = snapshots.steps(first)[4]
        second = learn(engine, recipe, (first.name, step))
        third = learn(engine, Recipe(epochs=2, batch_size=32, momentum=0.5), (first.name, step))
        told = [(v.number, v.origin, v.origin_step) for v in engine.runs_of("tree")]
    assert told == [(3, first.name, step), (2, first.name, step), (1, "", 0)]
    assert snapshots.steps(first) == snapshots.steps(second)
    one, two, other = map(snapshots.newest, (first, second, third))
    assert one is not None
    assert two is not None
    assert other is not None
    assert one.step == two.step == 20
    assert one.record["points"] == two.record["points"]
    assert one.record["kept"] == two.record["kept"]
    assert all(torch.equal(two.tensors[name], value) for name, value in one.tensors.items())
    name = "network.C1.0.weight"
    assert not torch.equal(other.tensors[name], one.tensors[name])


def test_runs_keep_their_numbers_when_another_is_deleted(engine: Engine) -> None:
    runs = [submit(engine, mischief.count, visitor="clerk", steps=1) for _ in range(3)]
    engine.delete(runs[1])
    last = submit(engine, mischief.count, visitor="clerk", steps=1)
    other = submit(engine, mischief.count, visitor="deputy", steps=1)
    numbers = {view.run: view.number for view in engine.runs_of("clerk")}
    assert numbers == {runs[0]: 1, runs[2]: 3, last: 4}
    assert engine.view(other).number == 1


def test_a_branch_from_a_step_that_was_not_kept_is_refused_and_leaves_nothing(
    engine: Engine, until: Until
) -> None:
    run = submit(engine, mischief.count, visitor="stump", steps=3)
    until(stands(engine, run, "finished"))
    with pytest.raises(ValueError, match="step must be one that was kept, got 99"):
        engine.submit(MISCHIEF + "count", Config(), visitor="stump", origin=(run, 99))
    with pytest.raises(KeyError):
        engine.submit(MISCHIEF + "count", Config(), visitor="stump", origin=("none", 0))
    assert [view.run for view in engine.runs_of("stump")] == [run]
    assert len(list((engine.folder / "stump").iterdir())) == 1


def test_what_a_run_has_kept_can_be_asked_for_by_config_and_folder(
    engine: Engine, until: Until
) -> None:
    run = submit(engine, mischief.count, visitor="clio", steps=3)
    until(stands(engine, run, "finished"))
    config, folder, word = engine.recall(run, MISCHIEF + "three", "word", seconds=60)
    assert Config(**config).steps == 3
    assert (Path(folder), word) == (engine.folder / "clio" / run, "word")
    with pytest.raises(KeyError):
        engine.recall("none", MISCHIEF + "three", "word")


def test_what_is_prepared_is_computed_once_and_nobody_waits(engine: Engine, until: Until) -> None:
    run = submit(engine, mischief.count, visitor="erato", steps=3)
    until(stands(engine, run, "finished"))
    folder = engine.folder / "erato" / run
    began = time.monotonic()
    engine.prepare(run, MISCHIEF + "leaves", 0.5)
    engine.prepare(run, MISCHIEF + "leaves", 0.5)
    assert time.monotonic() - began < 0.4
    until((folder / "left").exists)
    settle(engine)
    assert (folder / "left").read_text() == "once"
    with pytest.raises(KeyError):
        engine.prepare("none", MISCHIEF + "leaves", 0.5)


def test_a_glimpse_waits_for_nothing_and_what_it_asks_is_computed_once(
    engine: Engine, until: Until, tmp_path: Path
) -> None:
    given = (MISCHIEF + "slow_count", str(tmp_path / "calls"), 0.5, 21)
    began = time.monotonic()
    assert [engine.glimpse(*given) for _ in range(3)] == [None] * 3
    assert time.monotonic() - began < 0.4
    until(lambda: engine.glimpse(*given) is not None)
    assert engine.glimpse(*given) == engine.call(*given) == 21
    assert (tmp_path / "calls").read_text().count("\n") == 1


# Visitors, room and memory


def test_a_visitor_who_leaves_gives_back_device_and_memory(engine: Engine, until: Until) -> None:
    other = running(engine, until)
    engine.delete(submit(engine, mischief.count_forever))  # what others left behind goes with it
    settle(engine)
    before = ask(engine, other, mischief.memory_beside)
    run = submit(engine, mischief.big_thing, visitor="eve")
    until(lambda: engine.view(run).state is not None)
    with_it = ask(engine, other, mischief.memory_beside)
    engine.leave("eve")
    until(stands(engine, run, "stopped"))
    settle(engine)
    after = ask(engine, other, mischief.memory_beside)
    assert with_it - before > 90 << 20
    assert with_it - after > 90 << 20
    assert engine.view(run).state is None
    assert engine.view(other).status == "running"
    engine.stop(other)


def test_a_hundred_runs_started_and_stopped_leave_the_server_level(
    engine: Engine, until: Until
) -> None:
    def start_and_stop(times: int) -> None:
        for _ in range(times):
            run = submit(engine, mischief.big_state, visitor="max")
            until(lambda run=run: step_of(engine.view(run)) > 0)
            engine.stop(run)
            until(stands(engine, run, "stopped"))

    def held() -> tracemalloc.Snapshot:
        """Take what the engine's own lines hold, and the pipe's, where messages are read.

        Not all of Python: a path interns its parts, and the table of all interned strings may
        have to grow meanwhile, by megabytes.
        """
        gc.collect()  # what waits to be collected is no leak
        lines = [tracemalloc.Filter(True, f"*/{of}/*") for of in ("core", "multiprocessing")]
        return tracemalloc.take_snapshot().filter_traces(lines)

    tracemalloc.start()
    try:
        start_and_stop(10)
        before = held()
        start_and_stop(100)
        grown = held().compare_to(before, "lineno")
    finally:
        tracemalloc.stop()
    # A run leaves its manifest and what the engine knows of it, some kB. Had the states stayed,
    # of 1 MiB each, it would be a hundred times as much.
    assert sum(line.size_diff for line in grown) < 100 * (16 << 10), grown[:5]


def test_runs_wait_for_memory_and_are_told_their_place(
    inline: Engine, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(inline)
    first = running(inline, until)
    monkeypatch.setattr(devices, "free_memory", lambda device: 0)
    second, third, fourth = (submit(inline, mischief.count_forever) for _ in range(3))
    until(lambda: [inline.view(run).place for run in (second, third, fourth)] == [1, 2, 3])
    assert {inline.view(run).status for run in (second, third, fourth)} == {"waiting"}
    inline.step(second)
    inline.resume(second)
    settle(inline)
    assert (inline.view(second).status, inline.view(second).place) == ("waiting", 1)
    inline.pause(second)
    until(lambda: inline.view(third).place == 1)
    assert (inline.view(second).status, inline.view(second).place) == ("paused", 0)
    inline.resume(second)
    until(lambda: inline.view(second).place > 0)
    inline.stop(fourth)
    until(stands(inline, fourth, "stopped"))
    inline.stop(first)  # and the next one moves up, though memory is still short
    until(lambda: {"running"} < {inline.view(run).status for run in (second, third)})
    monkeypatch.undo()
    until(lambda: {inline.view(run).status for run in (second, third)} == {"running"})
    assert {inline.view(run).place for run in (second, third)} == {0}


def test_the_oldest_idle_run_goes_when_the_quota_is_full_and_a_pinned_or_live_one_does_not(
    tmp_path: Path, until: Until
) -> None:
    with Engine(tmp_path, devices=("cpu",), inline=True) as engine:
        pinned, live, oldest, newer = (
            submit(engine, mischief.count, steps=3),
            submit(engine, mischief.count_forever),
            submit(engine, mischief.count, steps=3),
            submit(engine, mischief.count, steps=3),
        )
        foreign = submit(engine, mischief.count, steps=3, visitor="eve")
        for run in (pinned, oldest, newer, foreign):
            until(stands(engine, run, "finished"))
        engine.pin(pinned, True)
        engine.pause(live)
        until(stands(engine, live, "paused"))
        usage = engine.usage("ada")
        assert usage.next_to_go is not None
        assert usage.next_to_go.run == oldest
        sizes = [
            sum(path.stat().st_size for path in (tmp_path / "ada" / run).iterdir())
            for run in (pinned, live, oldest, newer)
        ]
        assert usage.taken == sum(sizes)
        engine.shelf.quota = usage.taken  # full, and the next one makes it too full
        last = submit(engine, mischief.count, steps=3)
        assert {view.run for view in engine.runs_of("ada")} == {pinned, live, newer, last}
        assert not (tmp_path / "ada" / oldest).exists()
        assert (tmp_path / "eve" / foreign).exists()
        engine.shelf.quota = 0
        until(stands(engine, last, "finished"))
        engine.delete(live)
        assert not (tmp_path / "ada" / live).exists()
        settle(engine)
        with pytest.raises(KeyError):
            engine.view(live)
        assert engine.usage("ada").quota == 0


def test_a_server_that_starts_again_finds_each_run_as_it_was(tmp_path: Path, until: Until) -> None:
    with Engine(tmp_path, devices=("cpu",), inline=True) as engine:
        done = submit(engine, mischief.count, steps=5)
        until(stands(engine, done, "finished"))
        bad = failed(engine, until)
        live = running(engine, until)
        engine.pin(done, True)
    with Engine(tmp_path, devices=("cpu",), inline=True) as engine:
        found = {view.run: view for view in engine.runs_of("ada")}
        assert set(found) == {done, bad, live}
        assert (found[done].status, found[done].pinned) == ("finished", True)
        assert (found[bad].status, "epsilon" in found[bad].failure) == ("failed", True)
        assert found[live].status == "interrupted"
        kept = snapshots.newest(tmp_path / "ada" / live)
        assert kept is not None
        assert ask(engine, done, mischief.step_of) == 5
        assert engine.view(done).state == mischief.State(5)
        engine.resume(live)
        until(lambda: step_of(engine.view(live)) >= kept.step)
        assert engine.view(live).status == "running"


def test_trouble_with_the_disk_does_not_end_the_engine(
    inline: Engine, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = running(inline, until)

    def full(*_: object, **__: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(runs, "save", full)
    inline.pause(run)
    settle(inline)
    monkeypatch.undo()
    settle(inline)
    inline.stop(run)
    until(stands(inline, run, "stopped"))
    assert [each.status for each in runs.found(inline.folder)] == ["stopped"]  # and on disk


def test_a_process_that_dies_while_the_disk_is_full_comes_back(
    engine: Engine, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = running(engine, until)
    process = engine.ready()["owners"][0]["process"]
    start = process_module.start

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    def full_once(*arguments: Any) -> Any:
        monkeypatch.setattr(process_module, "start", start)
        full()

    with monkeypatch.context() as patch:
        patch.setattr(runs, "save", full)
        patch.setattr(process_module, "start", full_once)
        patch.setattr(runs, "create", full)
        with pytest.raises(EngineError, match="No space left on device"):
            submit(engine, mischief.count)
        os.kill(process, signal.SIGKILL)
        until(lambda: not engine.ready()["alive"])
        until(lambda: engine.ready()["alive"])
    assert engine.ready()["owners"][0]["process"] != process
    until(stands(engine, run, "running"))
    assert "was killed" in engine.view(run).note
    engine.pause(run)
    until(stands(engine, run, "paused"))
    assert engine.view(run).note == ""
    engine.stop(run)


def test_all_visitors_together_have_a_quota_and_old_runs_go(
    tmp_path: Path, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "TIDY", 0)
    with Engine(tmp_path, devices=("cpu",), inline=True) as engine:
        old, oldest, kept = (
            submit(engine, mischief.count, steps=3, visitor=name) for name in ("ada", "eve", "bob")
        )
        for run in (old, oldest, kept):
            until(stands(engine, run, "finished"))
        long_ago = time.time() - 40 * 86_400
        os.utime(tmp_path / "ada" / old, (long_ago, long_ago))
        submit(engine, mischief.count, steps=3, visitor="bob")
        assert [view.run for view in engine.runs_of("ada")] == []
        assert [view.run for view in engine.runs_of("eve")] == [oldest]
        monkeypatch.setattr(shelf, "TOTAL", 1)
        engine.pin(kept, True)
        last = submit(engine, mischief.count, steps=3, visitor="bob")
        assert [view.run for view in engine.runs_of("eve")] == []
        assert {kept, last} <= {view.run for view in engine.runs_of("bob")}


# More than one process, and none


def test_two_processes_share_the_runs_and_do_not_share_their_deaths(
    tmp_path: Path, until: Until
) -> None:
    with Engine(tmp_path, devices=("cpu", "cpu")) as engine:
        until(lambda: engine.ready()["alive"])
        first, second = (submit(engine, mischief.count_forever) for _ in range(2))
        homes = [ask(engine, run, mischief.owner_of) for run in (first, second)]
        assert len(set(homes)) == 2
        third = submit(engine, mischief.count_forever)
        engine.stop(first)
        until(stands(engine, first, "stopped"))
        os.kill(homes[0], signal.SIGKILL)
        until(lambda: not engine.ready()["alive"])
        version = engine.view(second).version
        until(lambda: engine.view(second).version > version + 3, 3)  # before the other is back
        assert ask(engine, second, mischief.owner_of) == homes[1]
        until(lambda: engine.ready()["alive"])
        until(stands(engine, third, "running"))
        until(lambda: step_of(engine.view(third)) > 0)


def test_an_inline_engine_lives_in_this_process_and_computes_on_its_own_device(
    inline: Engine, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "every", lambda: ("cuda:0", "cuda:1"))  # better ones are there
    assert call(inline, mischief.owner) == os.getpid()
    run = submit(inline, mischief.on_device)
    until(stands(inline, run, "finished"))
    assert inline.view(run).state.ballast == b"cpu"


@pytest.mark.gpu
def test_the_engine_owns_the_gpu(tmp_path: Path) -> None:
    with Engine(tmp_path) as engine:
        call(engine, mischief.owner)
        owner = engine.ready()["owners"][0]
        assert owner["device"] == "cuda:0"
        assert owner["name"] == torch.cuda.get_device_name(0)
