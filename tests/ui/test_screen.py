"""A screen gives news as soon as there is some, to its visitor alone, and refuses nonsense."""

import base64
import json
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from core.shared.engine import EngineError, View
from core.shared.wanted import wanted
from tests.ui import awaited
from ui import blocks, screen, server, visitors

COOKIE = "0123456789abcdef0123456789abcdef"


def view(run: str = "a", version: int = 1) -> View:
    return View(
        run=run,
        function="module:function",
        config={},
        status="running",
        place=0,
        version=version,
        progress=0.0,
        pace=None,
        failure="",
        note="",
        started=0.0,
        pinned=False,
        number=1,
        origin="",
        origin_step=0,
        state=None,
    )


@dataclass
class Shown:
    """What a test puts on a screen, and what the screen told."""

    view: View | None = field(default_factory=view)
    told: list[Any] = field(default_factory=list)


@pytest.fixture
def shown() -> Iterator[Shown]:
    stage = Shown()

    def tell(value: Any) -> None:
        if value == "broken":
            raise EngineError("The device ran out of memory.")
        stage.told.append(float(value))

    put("token", stage, tell)
    yield stage
    screen._screens.clear()


def put(token: str, stage: Shown, tell: Any = None, visitor: str = "") -> None:
    screen._screens[token] = screen.Screen(
        visitor or visitors.name_of(COOKIE),
        lambda: stage.view,
        lambda seen: [blocks.progress(0.5, seen.status if seen else "none")],
        {"knob": tell},
    )


def ask(
    token: str = "token", query: str = "", body: bytes | None = None, cookie: str = COOKIE
) -> Response:
    given = {
        "type": "http",
        "method": "GET" if body is None else "POST",
        "path": f"/screen/{token}",
        "path_params": {"token": token},
        "query_string": query.encode(),
        "headers": [(b"cookie", f"glassbox={cookie}".encode())],
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": body or b"", "more_body": False}

    return awaited(screen.route(Request(given, receive)))


def header(answer: Response) -> Any:
    body = bytes(answer.body)
    return json.loads(body[4 : 4 + struct.unpack("<I", body[:4])[0]])


def test_news_come_at_once_and_no_news_after_a_while(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert header(ask(query="run=a&after=0"))["version"] == 1
    monkeypatch.setattr(screen, "HELD", 0.2)
    began = time.monotonic()
    assert ask(query="run=a&after=1").status_code == 204
    assert time.monotonic() - began >= 0.15


def test_a_request_that_waits_hears_of_a_new_version_and_of_another_run(shown: Shown) -> None:
    other = Shown(view("b", 1))
    for happens in (
        lambda: setattr(shown, "view", view("a", 6)),
        lambda: put("token", other),  # the page's script ran again, and shows another run
    ):
        shown.view = view("a", 5)
        began = time.monotonic()
        threading.Timer(0.3, happens).start()
        answer = ask(query="run=a&after=5")
        assert answer.status_code == 200
        assert 0.2 < time.monotonic() - began < 2
    assert header(answer)["run"] == "b"


def test_a_stranger_is_told_that_there_is_no_such_screen(shown: Shown) -> None:
    stranger = COOKIE.replace("0", "1")
    assert ask(cookie=stranger).status_code == 404
    assert ask(cookie=stranger, body=b'{"name": "knob", "value": 1}').status_code == 404
    assert ask("guessed").status_code == 404
    assert shown.told == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b'{"name": "no such", "value": 1}', 400),
        (b'{"name": "knob"}', 400),
        (b'{"name": "knob", "value": "x"}', 400),
        (b'{"name": "knob", "value": "broken"}', 400),
        (b"[" * 60_000, 400),
        (b"x" * 100_000, 413),
        (b'{"name": "knob", "value": 2}', 200),
    ],
)
def test_what_a_control_tells_is_taken_or_refused(shown: Shown, body: bytes, status: int) -> None:
    answer = ask(body=body)
    assert answer.status_code == status
    assert shown.told == ([2.0] if status == 200 else [])


def test_what_is_drawn_for_an_older_word_is_given_up(shown: Shown) -> None:
    """A control tells 1, whose drawing would last until it is not wanted, then 2."""
    begun, end = threading.Event(), time.monotonic() + 20

    def draw(_: object) -> list[blocks.Block]:
        older = shown.told[-1] == 1
        begun.set()
        while older and wanted() and time.monotonic() < end:
            time.sleep(0.01)
        return [blocks.progress(0, str(shown.told[-1]))]

    screen._screens["token"] = replace(screen._screens["token"], draw=draw)
    with ThreadPoolExecutor(1) as pool:
        older = pool.submit(ask, body=b'{"name": "knob", "value": 1}')
        assert begun.wait(10)
        newer = ask(body=b'{"name": "knob", "value": 2}')
        assert older.result(10).status_code == 204
    assert header(newer)["blocks"][0]["text"] == "2.0"
    assert header(ask(body=b'{"name": "knob", "value": 3}'))["blocks"][0]["text"] == "3.0"


def test_a_visitor_has_a_few_screens_and_none_when_they_have_gone(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    state: dict[str, str] = {}
    monkeypatch.setattr("streamlit.session_state", state)
    monkeypatch.setattr(screen, "_component", lambda **_: None)
    put("theirs", Shown(), visitor="eve")
    mine = visitors.visitor()
    for _ in range(20):
        state.clear()  # another session: F5, another window
        screen.screen("key", lambda: None, lambda _: [], {})
    assert sum(each.visitor == mine for each in screen._screens.values()) == 20  # all may be open
    for each in screen._screens.values():
        each.asked -= 2 * screen.UNASKED
    state.clear()
    screen.screen("key", lambda: None, lambda _: [], {})
    assert sum(each.visitor == mine for each in screen._screens.values()) == screen.MOST
    assert state["key_token"] in screen._screens
    screen.leave(mine)
    assert {each.visitor for each in screen._screens.values()} == {"eve", visitors.name_of(COOKIE)}


def test_ink_is_what_was_drawn_or_refused() -> None:
    drawn = np.arange(84 * 84, dtype=np.uint8).reshape(84, 84)
    given = screen.ink(base64.b64encode(drawn.tobytes()).decode())
    assert given is not None
    assert np.array_equal((given * 255).round().astype(np.uint8), drawn)
    assert screen.ink("") is None
    for wrong, words in (("AAAA", "must be 7056 bytes, got 3"), ("?", "must be base64")):
        with pytest.raises(ValueError, match=words):
            screen.ink(wrong)


def test_ready_says_503_until_every_process_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    class Standing:
        def __init__(self, alive: bool) -> None:
            self.alive = alive

        def ready(self) -> dict[str, Any]:
            return {"alive": self.alive, "owners": [{"device": "cpu"}]}

    request = Request({"type": "http", "method": "GET", "headers": []})
    for engine, status in ((None, 503), (Standing(False), 503), (Standing(True), 200)):
        monkeypatch.setattr(server, "_engine", engine)
        answer = awaited(server.ready(request))
        assert answer.status_code == status
    assert json.loads(bytes(answer.body))["owners"] == [{"device": "cpu"}]
