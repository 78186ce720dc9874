"""Who waits hears how far it is, in order and not too often, and can stop it for good."""

import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from core.shared import calls
from core.shared.answers import Call
from core.shared.engine import Engine, EngineError
from core.shared.patience import MOST, Patience, StoppedError, Unwanted, answer_to, waiting
from core.shared.progress import Done, titled
from core.shared.wanted import only_while
from core.shared.worker import Settings, Worker
from tests.shared.mischief import Config

Until = Callable[..., None]
MISCHIEF = "tests.shared.mischief:"
FAR = f"{MISCHIEF}says_how_far"


@pytest.fixture(scope="module", params=["inline", "process"])
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("runs")
    with Engine(folder, devices=("cpu",), inline=request.param == "inline") as running:
        assert running.call(f"{MISCHIEF}double", 1) == 2
        yield running


@pytest.fixture
def sent(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> list[Done]:
    """What the owner sends to the server, whoever waits."""
    words: list[Done] = []
    usual = engine.on_progress

    def hear(worker: Any, number: int, done: Done) -> None:
        words.append(done)
        usual(worker, number, done)

    monkeypatch.setattr(engine, "on_progress", hear)
    return words


def in_order(words: list[Done]) -> bool:
    """Whether it never goes back nor beyond its end."""
    numbers = [each.done for each in words]
    return numbers == sorted(numbers) and all(each.done <= each.of for each in words)


def wait(engine: Engine, patience: Patience, *arguments: Any) -> Any:
    with waiting(patience):
        return engine.call(FAR, *arguments)


def test_equal_askers_hear_the_same_in_order(engine: Engine, sent: list[Done]) -> None:
    heard: dict[str, list[Done | None]] = {"a": [], "b": []}
    with ThreadPoolExecutor(2) as pool:
        both = [
            pool.submit(wait, engine, Patience(heard[name].append), "Both", 24, 0.05)
            for name in heard
        ]
        assert [each.result() for each in both] == ["Both", "Both"]
    for words in heard.values():
        assert words[0] is None  # nothing is known at first
        known = [each for each in words if each]
        assert len({each.done for each in known}) > 1
        assert in_order(known)
        assert {(each.of, each.unit, each.title) for each in known} == {(24, "turns", "Both")}
        assert set(known) <= set(sent)
    assert in_order(sent)


def test_that_oracle_rejects_what_goes_back() -> None:
    words = [Done(each, 9, "turns") for each in (1, 2, 3)]
    assert in_order(words)
    assert not in_order([*words, words[0]])
    with pytest.raises(ValueError, match="done must be from 0 to 9, got 10"):
        Done(10, 9, "turns")


def test_a_quick_call_sends_no_word_and_a_slow_one_few(engine: Engine, sent: list[Done]) -> None:
    began = time.monotonic()
    assert engine.call(FAR, "quick", 20, 0.001) == "quick"
    assert not sent or time.monotonic() - began > calls.SOON  # on a busy machine it is not quick
    began = time.monotonic()
    assert engine.call(FAR, "slow", 200, 0.005) == "slow"
    took = time.monotonic() - began
    assert 0 < len(sent) <= 1 + (took - calls.SOON) / calls.OFTEN


def test_that_oracle_rejects_an_owner_who_always_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "SOON", 0)
    monkeypatch.setattr(calls, "OFTEN", 0)
    words: list[Done] = []
    with Engine(tmp_path, devices=("cpu",), inline=True) as chatty:
        monkeypatch.setattr(chatty, "on_progress", lambda *told: words.append(told[-1]))
        assert chatty.call(FAR, "quick", 20, 0.001) == "quick"
    assert len(words) == 20


def test_of_what_waits_for_others_nobody_knows_how_far_it_is(engine: Engine) -> None:
    heard: list[Done | None] = []
    with waiting(Patience(heard.append)):
        engine.call(f"{MISCHIEF}says_how_far_and_waits", 40, 0.02)
    known = [each is not None for each in heard]
    assert any(known)
    assert (known[0], known[-1]) == (False, False)  # neither before nor after


def test_what_is_stopped_is_dropped_and_not_begun_again_until_it_is_forgotten(
    engine: Engine, sent: list[Done], until: Until
) -> None:
    unwanted: Unwanted = {}
    patience = Patience(unwanted=unwanted)
    with ThreadPoolExecutor(1) as pool:
        stopped = pool.submit(wait, engine, patience, "Long", 1_000, 0.02)
        until(lambda: sent)
        patience.stop()
        with pytest.raises(StoppedError, match=r"^Stopped after [\d,]+ of 1,000 turns\. Change"):
            stopped.result(10)
    assert patience.stopped
    began = time.monotonic()
    assert engine.call(f"{MISCHIEF}double", 21) == 42  # it is free again
    assert time.monotonic() - began < 5  # not 20
    again = Patience(unwanted=unwanted)
    with pytest.raises(StoppedError, match=r"^Stopped after"):
        wait(engine, again, "Long", 1_000, 0.02)
    assert again.stopped
    assert wait(engine, Patience(unwanted=unwanted), "Other", 2, 0.01) == "Other"
    told = len(sent)
    unwanted.clear()
    with only_while(lambda: len(sent) == told), pytest.raises(EngineError, match="Nobody waits"):
        wait(engine, Patience(unwanted=unwanted), "Long", 1_000, 0.02)
    assert len(sent) > told  # it was begun


def test_who_stops_leaves_it_to_another_who_waits_and_has_it_then(
    engine: Engine, sent: list[Done], until: Until
) -> None:
    unwanted: Unwanted = {}
    patience = Patience(unwanted=unwanted)
    with ThreadPoolExecutor(2) as pool:
        stays = pool.submit(wait, engine, Patience(), "Shared", 60, 0.02)
        goes = pool.submit(wait, engine, patience, "Shared", 60, 0.02)
        until(lambda: sent)
        patience.stop()
        with pytest.raises(StoppedError):
            goes.result(10)
        assert not stays.done()
        assert stays.result(60) == "Shared"
    assert wait(engine, Patience(unwanted=unwanted), "Shared", 60, 0.02) == "Shared"


def is_refused_unasked(engine: Engine, log: Path, until: Until) -> None:
    """Stop a call that writes of each turn, and ask for it again: no more may be written."""
    unwanted: Unwanted = {}
    counting = f"{MISCHIEF}count_in_turns", str(log), "turn", 1_000, 0.02
    patience = Patience(unwanted=unwanted)

    def stop() -> None:
        until(log.exists)
        patience.stop()

    with waiting(patience), ThreadPoolExecutor(1) as pool:
        pool.submit(stop)
        with pytest.raises(StoppedError):
            engine.call(*counting)
    engine.call(f"{MISCHIEF}double", 3)  # it is dropped by now
    written = log.read_text()
    with waiting(Patience(unwanted=unwanted)), pytest.raises(StoppedError):
        engine.call(*counting)
    engine.call(f"{MISCHIEF}double", 4)
    assert log.read_text() == written


def test_what_was_stopped_is_not_even_begun(engine: Engine, tmp_path: Path, until: Until) -> None:
    is_refused_unasked(engine, tmp_path / "log", until)


def test_that_oracle_rejects_who_refuses_only_once_it_is_under_way(
    engine: Engine, tmp_path: Path, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.shared.engine.refuse", lambda *_: None)
    with pytest.raises(AssertionError):
        is_refused_unasked(engine, tmp_path / "log", until)


def test_what_is_stopped_ends_for_all_who_share_what_is_unwanted(
    engine: Engine, sent: list[Done], until: Until
) -> None:
    unwanted: Unwanted = {}
    first, second = Patience(unwanted=unwanted), Patience(unwanted=unwanted)
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(wait, engine, each, "Twice", 1_000, 0.02) for each in (first, second)]
        until(lambda: sent)
        first.stop()
        for each in both:
            with pytest.raises(StoppedError):
                each.result(10)
    assert first.stopped
    assert second.stopped


def test_only_so_many_stopped_calls_are_remembered(engine: Engine) -> None:
    unwanted: Unwanted = {("target", bytes([each])): "Stopped." for each in range(MOST)}
    patience = Patience(unwanted=unwanted)
    patience.stop()
    with pytest.raises(StoppedError):
        wait(engine, patience, "One more", 1_000, 0.02)
    assert len(unwanted) == MOST
    assert ("target", bytes([0])) not in unwanted
    assert ("target", bytes([1])) in unwanted


@pytest.mark.parametrize("looks", [True, False])
def test_what_goes_on_while_somebody_looks_may_take_longer(engine: Engine, looks: bool) -> None:
    patience = Patience(lambda _: patience.look() if looks else None)
    with waiting(patience):
        if looks:
            assert engine.call(FAR, "Seen", 60, 0.05, seconds=1.5) == "Seen"
        else:
            with pytest.raises(EngineError, match=r"No answer within 1\.5 s"):
                engine.call(FAR, "Unseen", 60, 0.05, seconds=1.5)


def test_what_does_not_go_on_ends_though_somebody_looks(engine: Engine, tmp_path: Path) -> None:
    patience = Patience(lambda _: patience.look())
    with waiting(patience), pytest.raises(EngineError, match=r"No answer within 0\.5 s"):
        engine.call(f"{MISCHIEF}count_in_turns", str(tmp_path / "log"), "a", 200, 0.02, seconds=0.5)


def test_what_goes_on_no_further_ends_though_somebody_looks() -> None:
    settings = Settings(inline=True, memory=None, patience=1)
    worker = Worker(None, settings, lambda *_: None, lambda *_: None)  # it is never started
    stands = Call(1, "target", None, b"", worker)

    def hear(done: Done | None) -> None:
        stands.done = Done(1, 2, "turns")  # another one each time, and no further
        patience.look()

    patience = Patience(hear)
    with waiting(patience), pytest.raises(EngineError, match=r"No progress for 0\.5 s"):
        answer_to(stands, 0.5)


def test_of_a_run_such_a_word_is_no_state(engine: Engine, until: Until) -> None:
    run = engine.submit(f"{MISCHIEF}says_so_in_parts", Config(steps=5), visitor="ada")
    until(lambda: engine.view(run).status == "finished")
    assert engine.view(run).state.step == 5
    assert engine.ask(run, f"{MISCHIEF}step_of") == 5


def test_work_is_named_in_what_it_says_and_closed_with_it() -> None:
    closed = []

    def work() -> Generator[Any, None, None]:
        try:
            yield Done(1, 2, "turns")
            yield None
        finally:
            closed.append(True)

    turns = titled("Counting", work())
    assert next(turns) == Done(1, 2, "turns", "Counting")
    assert next(turns) is None
    turns.close()
    assert closed
    assert len(list(titled("Counting", work()))) == 2


def test_how_far_it_is_is_said_in_words() -> None:
    assert Done(1_200, 4_000, "pictures").words == "1,200 of 4,000 pictures"
    assert Done(3, 40, "steps", early=True).words == "3 of at most 40 steps"
    assert (Done(1, 4, "steps").share, Done(0, 0, "steps").share) == (0.25, 1)
