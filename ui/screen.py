"""A screen that lives: it repaints itself from the server while a run moves.

A script run of Streamlit makes the browser render the whole page anew, which costs it a tenth of a
second; four of these a second would take from the training what they show. So a page draws its
screen once, and the screen then asks a small route for the newest packet and tells it what a
visitor drags or draws. Only when the run's status changes does the page's script run again.

Where a drawing takes long, the browser asks another small route how far it is, and stops it there.
In the page's script the screen is put on the page then, though it is not drawn yet; the packet is
given to the browser by that route.
"""

import asyncio
import base64
import binascii
import json
import secrets
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from jaxtyping import Float
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from streamlit.runtime.scriptrunner import StopException

from core.shared.engine import EngineError, View
from core.shared.patience import Unwanted, waiting
from core.shared.wanted import only_while
from ui import blocks, visitors
from ui.blocks import Block, pack
from ui.waiting import Waiting

__all__ = ["ink", "leave", "progress", "route", "screen", "summon", "unwanted"]

JS = Path(__file__).parent / "js"
SIDE = 84  # pixels of a pad's drawing
ALONE = 400  # milliseconds between two packets of a visitor who is alone
CROWD = 100  # packets a second, for all visitors together, that the server has time for
HELD = 4.0  # seconds that a request may wait for news, and the server's end for it
LOOK = 0.05  # seconds between two looks for news
MOST = 8  # screens of one visitor
UNASKED = 60.0  # seconds, after which one more than those goes; it is drawn again when it asks
LONGEST = 65_536  # bytes that a control may tell
PERIOD = 0.25  # seconds from one word of how far a drawing is to the next
STOPPED = "Stopped before its end. Change a setting, or ask again."
AGAIN = "again"  # what the browser tells when what was stopped is asked for again

PARTS = (
    "screen",
    "waiting",
    "inside",
    "charts",
    "explained",
    "sequences",
    "tokens",
    "temperature",
    "knowledge",
)
_component = st.components.v2.component(
    "glassbox_screen",
    html='<div class="room"><div class="screen"></div></div>',
    css="\n".join((JS / f"{name}.css").read_text(encoding="utf-8") for name in PARTS),
    js="\n".join((JS / f"{name}.js").read_text(encoding="utf-8") for name in PARTS),
)


@dataclass(slots=True)
class Screen:
    """How to draw a screen again, and for whom."""

    visitor: str
    view: Callable[[], View | None]
    draw: Callable[[View | None], Sequence[Block]]
    told: Mapping[str, Callable[[Any], object]]
    summons: int = 0  # how often it was to come into view
    asked: float = field(default_factory=time.monotonic)  # when it was last
    unwanted: Unwanted = field(default_factory=dict)  # what was stopped, of the whole session
    waiting: Waiting | None = None  # of its newest drawing
    drawn: bytes | None = None  # which was put on the page before it was there


NONE = PlainTextResponse("no such screen", status_code=404)

_turns: Counter[str] = Counter()  # what each screen was told, by token: older answers are no use
_screens: OrderedDict[str, Screen] = OrderedDict()
_lock = threading.Lock()


def screen(
    key: str,
    view: Callable[[], View | None],
    draw: Callable[[View | None], Sequence[Block]],
    told: Mapping[str, Callable[[Any], object]],
) -> None:
    """Put a screen on the page.

    Args:
        key: its name on the page.
        view: gives the run as it stands, None while there is none.
        draw: makes the blocks of it.
        told: what to do with the value of each control, by its name.
    """
    token = st.session_state.setdefault(f"{key}_token", secrets.token_urlsafe(16))
    summons = st.session_state.get(f"{key}_summons", 0)
    told = {**told, AGAIN: lambda _: shown.unwanted.clear()}
    shown = Screen(visitors.visitor(), view, draw, told, summons, unwanted=unwanted())
    with _lock:
        _screens[token] = shown
        _screens.move_to_end(token)
        mine = [each for each, other in _screens.items() if other.visitor == shown.visitor]
        for oldest in mine[:-MOST]:
            if time.monotonic() - _screens[oldest].asked > UNASKED:
                del _screens[oldest], _turns[oldest]

    def asked() -> bool:  # Streamlit ends a script that looks here, where another run is to begin
        return bool(st.session_state.get(f"{key}_token"))

    early: list[bytes] = []  # what is on the page already

    def mount() -> None:
        if not early:
            header = {**_header(token, shown, shown.view()), "pending": _turns[token]}
            early.append(pack(header, []))  # with the turn in it another one each time
            _component(key=key, data=early[0], on_moved_change=lambda: None)

    turn = -1
    try:
        while turn != _turns[token]:  # what was told meanwhile is drawn instead
            turn = _turns[token] = _turns[token] + 1  # and what was to be answered before is not
            data = packet(token, shown, asked, mount)
    except StopException:  # by Streamlit's own button, while a drawing was awaited
        header = {**_header(token, shown, shown.view()), "stopped": True}
        shown.drawn = pack(header, [blocks.progress(0, STOPPED)])
        raise
    if early:
        shown.drawn = data
    else:
        _component(key=key, data=data, on_moved_change=lambda: None)


def summon(key: str) -> None:
    """Let a screen of the page come into view when it is drawn next."""
    st.session_state[f"{key}_summons"] = st.session_state.get(f"{key}_summons", 0) + 1


def unwanted() -> Unwanted:
    """Give what this session has stopped, which no page of it shall compute again by itself."""
    stopped: Unwanted = st.session_state.setdefault("unwanted", {})
    return stopped


def leave(visitor: str) -> None:
    """Forget the screens of a visitor who has gone, with all that they hold."""
    with _lock:
        for token in [each for each, shown in _screens.items() if shown.visitor == visitor]:
            del _screens[token], _turns[token]


def packet(
    token: str,
    shown: Screen,
    asked: Callable[[], bool] = lambda: True,
    mount: Callable[[], object] | None = None,
) -> bytes:
    """Draw a screen as it stands now, waiting for no answer once it is told something newer.

    Args:
        token: of the screen.
        shown: what it shows.
        asked: whether it is still to be drawn at all.
        mount: is called when that takes long.
    """
    turn, view = _turns[token], shown.view()
    now = shown.waiting = Waiting(shown.unwanted, mount)
    try:
        with only_while(lambda: _turns[token] == turn and asked()), waiting(now.patience):
            drawn = shown.draw(view)
    finally:
        if shown.waiting is now:
            shown.waiting = None
    return pack({**_header(token, shown, view), "stopped": now.patience.stopped}, drawn)


def _header(token: str, shown: Screen, view: View | None) -> dict[str, Any]:
    base = str(st.get_option("server.baseUrlPath")).strip("/")
    return {
        "url": f"{'/' + base if base else ''}/screen/{token}",
        "run": view.run if view else "",
        "version": view.version if view else 0,
        "status": view.status if view else "",
        "follow": view is not None,
        "summons": shown.summons,
        "period": max(ALONE, 1000 * visitors.present() / CROWD),
    }


async def route(request: Request) -> Response:
    """Answer GET with the next packet after a version, POST with what a control's value led to."""
    token, shown = _asked(request)
    if shown is None:
        return NONE
    try:
        if request.method == "POST":
            body = b""
            async for part in request.stream():
                body += part
                if len(body) > LONGEST:
                    return PlainTextResponse(f"at most {LONGEST} bytes", status_code=413)
            said = json.loads(body)
            await run_in_threadpool(shown.told[said["name"]], said["value"])
            _turns[token] += 1
        else:
            seen = request.query_params
            if not await _news(token, seen.get("run", ""), int(seen.get("after", -1))):
                return Response(status_code=204)
        shown = _screens.get(token, shown)  # the page's script may have run meanwhile
        turn = _turns[token]
        drawn = await run_in_threadpool(packet, token, shown)
        if turn != _turns[token]:  # of no use any more: another answer is on its way
            return Response(status_code=204)
        return Response(drawn)
    except (
        EngineError,
        ValueError,
        LookupError,
        TypeError,
        OverflowError,
        RecursionError,
    ) as error:
        return PlainTextResponse(str(error), status_code=400)


async def progress(request: Request) -> Response:
    """Answer GET with how far the drawing is, or with it where it is awaited; POST stops it."""
    token, shown = _asked(request)
    if shown is None:
        return NONE
    if request.method == "POST":
        if (now := shown.waiting) is not None:  # it may be over by the next line
            now.patience.stop()
        return Response(status_code=204)
    for _ in range(round(PERIOD / LOOK)):
        shown = _screens.get(token, shown)  # the page's script may have run meanwhile
        if "drawn" in request.query_params and shown.drawn is not None:
            return Response(shown.drawn)
        await asyncio.sleep(LOOK)
    now = shown.waiting
    return Response(status_code=204) if now is None else JSONResponse(now.told())


def _asked(request: Request) -> tuple[str, Screen | None]:
    """Find the screen that a visitor asks about, if there is one and it is theirs."""
    token = request.path_params["token"]
    shown = _screens.get(token)
    cookie = request.cookies.get(visitors.COOKIE, "")
    if shown is None or shown.visitor != visitors.name_of(cookie):
        return token, None
    shown.asked = time.monotonic()
    return token, shown


async def _news(token: str, run: str, after: int) -> bool:
    """Wait until a screen shows another run, or a run past a version; False when it does not."""
    for _ in range(round(HELD / LOOK)):
        shown = _screens.get(token)
        view = shown.view() if shown else None
        if view is None or view.run != run or view.version > after:
            return True
        await asyncio.sleep(LOOK)
    return False


def ink(text: object) -> Float[np.ndarray, "84 84"] | None:
    """Decode what a pad tells, from 0 (paper) to 1; None for an empty pad.

    Raises: ValueError when it is no drawing.
    """
    if not text:
        return None
    try:
        content = base64.b64decode(str(text), validate=True)
    except binascii.Error as error:
        raise ValueError("ink must be base64") from error
    if len(content) != SIDE * SIDE:
        raise ValueError(f"ink must be {SIDE * SIDE} bytes, got {len(content)}")
    return np.frombuffer(content, np.uint8).reshape(SIDE, SIDE).astype(np.float32) / 255
