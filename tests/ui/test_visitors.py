"""A visitor keeps their name over every odd cookie, and has gone only when the grace is over."""

import asyncio
import time
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from tests.ui import awaited
from ui import visitors

COOKIE = "0123456789abcdef0123456789abcdef"


async def no_message() -> Message:
    return {"type": "websocket.disconnect"}


async def nowhere(_: Message) -> None:
    return None


def scope(cookie: str, kind: str = "websocket") -> dict[str, Any]:
    headers = [(b"cookie", cookie.encode())] if cookie else []
    return {"type": kind, "path": "/_stcore/stream", "headers": headers}


def test_a_visitor_has_gone_when_no_socket_of_theirs_was_open_for_the_grace() -> None:
    grace, gone = 0.3, list[tuple[str, float]]()

    async def play() -> None:
        ends = [asyncio.Event() for _ in range(3)]
        sockets = iter(ends)

        async def app(_: Scope, __: Receive, ___: Send) -> None:
            await next(sockets).wait()

        middleware = visitors.Visitors(app, grace, lambda name: gone.append((name, time.time())))

        async def come() -> "asyncio.Task[None]":
            given = scope(f"glassbox={COOKIE}")
            task = asyncio.create_task(middleware(given, no_message, nowhere))
            await asyncio.sleep(0.01)
            return task

        before = visitors.present()
        tasks = [await come(), await come()]
        assert visitors.present() == before + 2
        ends[0].set()  # one of two windows is closed
        await asyncio.sleep(2 * grace)
        assert not gone
        ends[1].set()  # F5: the last one closes, and another opens at once
        await asyncio.sleep(grace / 3)
        tasks.append(await come())
        await asyncio.sleep(2 * grace)
        assert not gone
        ends[2].set()
        left = time.time()
        await asyncio.gather(*tasks)
        assert visitors.present() == before
        await asyncio.sleep(2 * grace)
        assert [name for name, _ in gone] == [visitors.name_of(COOKIE)]
        assert gone[0][1] - left >= 0.9 * grace

    awaited(play())


@pytest.mark.parametrize(
    "others",
    ['prefs={"theme":"dark"}; ', "a=b c; ", "flag; ", "url=a;;b=c; ", "x=\x01; ", "_ga=GA1.1.2; "],
)
def test_another_programs_cookie_does_not_hide_ours(others: str) -> None:
    for line in (f"{others}glassbox={COOKIE}", f"glassbox={COOKIE}; {others}"):
        assert visitors._cookie(scope(line, "http")) == COOKIE


@pytest.mark.parametrize("line", ["", "glassbox=", "glassbox=short", "other=" + COOKIE])
def test_a_browser_without_our_cookie_is_given_one_that_scripts_cannot_read(line: str) -> None:
    sent: list[Message] = []

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def keep(message: Message) -> None:
        sent.append(message)

    awaited(visitors.Visitors(app)(scope(line, "http"), no_message, keep))
    ((name, value),) = sent[0]["headers"]
    assert name == b"set-cookie"
    assert value.startswith(b"glassbox=")
    assert b"HttpOnly" in value
    assert b"SameSite=Lax" in value


def test_a_known_browser_is_given_no_other_cookie() -> None:
    sent: list[Message] = []

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def keep(message: Message) -> None:
        sent.append(message)

    awaited(visitors.Visitors(app)(scope(f"glassbox={COOKIE}", "http"), no_message, keep))
    assert sent[0]["headers"] == []
