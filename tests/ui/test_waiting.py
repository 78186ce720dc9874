"""A screen that waits says how far it is, to its visitor alone, and ends when it is stopped."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message
from streamlit.runtime.scriptrunner import StopException

from core.shared.engine import Engine, EngineError
from core.shared.patience import Unwanted
from core.shared.progress import Done
from tests.ui import awaited
from tests.ui.test_screen import COOKIE, ask, header
from ui import blocks, screen, visitors
from ui import waiting as waiting_module
from ui.waiting import Waiting, left

FAR = "tests.shared.mischief:says_how_far"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("runs")
    with Engine(folder, devices=("cpu",), inline=True) as running:
        yield running


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    yield
    screen._screens.clear()


def drawing(engine: Engine, turns: int, seconds: float) -> Any:
    """Draw what the engine says, or why it says nothing."""

    def draw(_: object) -> list[blocks.Block]:
        try:
            return [blocks.progress(1, engine.call(FAR, "Counting", turns, seconds))]
        except EngineError as error:
            return [blocks.progress(0, str(error), warn=True)]

    return draw


def put(engine: Engine, turns: int, seconds: float) -> screen.Screen:
    unwanted: Unwanted = {}
    told = {screen.AGAIN: lambda _: unwanted.clear(), "knob": lambda _: None}
    draw = drawing(engine, turns, seconds)
    shown = screen.Screen(visitors.name_of(COOKIE), lambda: None, draw, told, unwanted=unwanted)
    screen._screens["token"] = shown
    return shown


def far(query: str = "", *, stops: bool = False, cookie: str = COOKIE) -> Response:
    given = {
        "type": "http",
        "method": "POST" if stops else "GET",
        "path": "/screen/token/progress",
        "path_params": {"token": "token"},
        "query_string": query.encode(),
        "headers": [(b"cookie", f"glassbox={cookie}".encode())],
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    return awaited(screen.progress(Request(given, receive)))


def told(answer: Response) -> Any:
    return json.loads(bytes(answer.body))


def tell(name: str) -> Any:
    """What is drawn once a control has told something."""
    return header(ask(body=json.dumps({"name": name, "value": 1}).encode()))


def test_a_long_drawing_is_watched_stopped_and_asked_for_again(engine: Engine) -> None:
    shown = put(engine, 40, 0.05)
    assert far().status_code == 204  # nothing is drawn yet
    with ThreadPoolExecutor(1) as pool:
        drawn = pool.submit(tell, "knob")
        words: list[Any] = []
        while not drawn.done() and len({each["text"] for each in words}) < 3:
            answer = far("drawn")
            if answer.status_code == 200:
                words.append(told(answer))
        assert far(stops=True).status_code == 204
        stopped = drawn.result(10)
    assert words[0]["text"].startswith("Computing … ")
    assert words[0]["share"] is None
    assert words[-1]["text"].startswith("Counting: ")
    assert words[-1]["text"].endswith(" of 40 turns")
    assert 0 < words[-1]["share"] < 1
    assert stopped["stopped"]
    sentence = stopped["blocks"][0]["text"]
    assert sentence.startswith("Stopped after ")
    once_more = tell("knob")
    assert once_more["stopped"]
    assert once_more["blocks"][0]["text"] == sentence  # and nothing was computed
    shown.draw = drawing(engine, 2, 0.001)  # another setting
    other = tell("knob")
    assert (other["stopped"], other["blocks"][0]["text"]) == (False, "Counting")
    shown.draw = drawing(engine, 40, 0.05)
    assert tell("knob")["stopped"]
    again = tell("again")
    assert (again["stopped"], again["blocks"][0]["text"]) == (False, "Counting")


def test_a_stranger_hears_nothing_and_stops_nothing(engine: Engine) -> None:
    shown = put(engine, 2, 0.001)
    stranger = COOKIE.replace("0", "1")
    shown.waiting = Waiting({})
    for stops in (False, True):
        assert far(stops=stops, cookie=stranger).status_code == 404
    assert not shown.waiting.patience._stopping
    far(stops=True)
    assert shown.waiting.patience._stopping


@pytest.mark.parametrize("turns", [1, 30])
def test_a_page_has_a_screen_at_once_and_what_takes_long_comes_after_it(
    engine: Engine, turns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    state: dict[str, Any] = {}
    mounted: list[Any] = []
    monkeypatch.setattr("streamlit.session_state", state)
    monkeypatch.setattr(screen, "_component", lambda **given: mounted.append(given["data"]))
    monkeypatch.setattr(waiting_module, "SOON", 0.2)
    monkeypatch.setattr(visitors, "visitor", lambda: visitors.name_of(COOKIE))
    screen.screen("key", lambda: None, drawing(engine, turns, 0.03), {})
    (shown,) = screen._screens.values()
    (first,) = (header(Response(each)) for each in mounted)  # it is mounted once
    screen._screens["token"] = shown
    if turns == 1:
        assert "pending" not in first
        assert first["blocks"][0]["text"] == "Counting"
        assert shown.drawn is None
    else:
        assert first["pending"]
        assert first["blocks"] == []
        late = header(far("drawn"))
        assert late["blocks"][0]["text"] == "Counting"
        assert "pending" not in late
        screen.screen("key", lambda: None, drawing(engine, turns + 1, 0.03), {})
        assert header(Response(mounted[1]))["pending"]
        assert mounted[1] != mounted[0]  # or the browser would not hear of it


def test_what_streamlit_stops_says_so_and_can_be_asked_for_again(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stopping(dict[str, Any]):
        """What a script knows, at which Streamlit ends it once something stands on the page."""

        def get(self, key: str, usual: Any = None) -> Any:
            if mounted and key == "key_token":
                raise StopException
            return super().get(key, usual)

    mounted: list[Any] = []
    monkeypatch.setattr("streamlit.session_state", Stopping())
    monkeypatch.setattr(screen, "_component", lambda **given: mounted.append(given["data"]))
    monkeypatch.setattr(waiting_module, "SOON", 0.05)
    monkeypatch.setattr(visitors, "visitor", lambda: visitors.name_of(COOKIE))
    with pytest.raises(StopException):
        screen.screen("key", lambda: None, drawing(engine, 37, 0.03), {})
    (shown,) = screen._screens.values()
    screen._screens["token"] = shown
    late = header(far("drawn"))
    assert late["stopped"]
    assert late["blocks"][0]["text"].startswith("Stopped before its end.")
    again = tell("again")
    assert (again["stopped"], again["blocks"][0]["text"]) == (False, "Counting")


def test_what_is_said_of_the_time_follows_the_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("ui.waiting.time.monotonic", lambda: clock[0])
    said: list[str] = []
    now = Waiting({}, lambda: said.append("long"))

    def hear(seconds: float, done: Done | None) -> Any:
        clock[0] += seconds
        now._hear(done)
        return now.told()

    assert hear(0.5, None)["text"] == "Computing … 0 s"
    assert said == []
    assert hear(0.5, Done(10, 110, "steps", "PGD"))["left"] == ""  # no pace is known
    assert said == ["long"]
    assert hear(2, Done(20, 110, "steps", "PGD")) == {
        "text": "PGD: 20 of 110 steps",
        "left": "about 20 s left",  # 5 a second, 90 to go
        "share": 20 / 110,
    }
    early = Done(1, 50, "steps", "PGD", early=True)  # another call: it begins anew
    assert hear(1, early)["left"] == ""
    assert hear(2, Done(21, 50, "steps", "PGD", early=True))["left"] == "at most 3 s left"
    assert hear(1, None)["text"] == "Computing … 7 s"
    assert now.patience.looked == clock[0]  # who is told so looks
    assert said == ["long"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "about 1 s left"), (9.4, "about 9 s left"), (12, "about 10 s left"),
     (119, "about 120 s left"), (200, "about 3 min left")],
)  # fmt: skip
def test_time_is_told_no_more_exactly_than_it_is_known(seconds: float, words: str) -> None:
    assert left(seconds) == words


def test_a_drawing_that_fails_leaves_no_word_behind(engine: Engine) -> None:
    def draw(_: object) -> list[blocks.Block]:
        raise ValueError("no")

    shown = put(engine, 1, 0.001)
    shown.draw = draw
    assert ask(body=b'{"name": "knob", "value": 1}').status_code == 400
    assert far().status_code == 204
