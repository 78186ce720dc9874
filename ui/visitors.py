"""Who is who: a random cookie names a visitor, open sockets tell whether they are here.

F5, a second tab and a dropped connection all come back with the same cookie, so a visitor has gone
only when no socket of theirs has been open for a minute. The cookie itself is a secret of its
browser; everything else knows a visitor by a hash of it.
"""

import hashlib
import secrets
import threading
from collections import Counter
from collections.abc import Callable

import streamlit as st
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Visitors", "present", "visitor"]

COOKIE = "glassbox"
YEAR = 365 * 86_400  # seconds
GRACE = 60.0  # seconds without a socket before a visitor has gone
SOCKET = "/_stcore/stream"

_sockets: Counter[str] = Counter()  # open ones, by visitor


def leave(visitor: str) -> None:
    """Do what is to be done when a visitor has gone; the server puts the engine's way here."""


def visitor() -> str:
    """Name the visitor for whom this script runs."""
    return name_of(st.context.cookies.get(COOKIE, ""))


def present() -> int:
    """Count the open pages of all visitors."""
    return sum(_sockets.values())


def name_of(cookie: str) -> str:
    """Hash a cookie into a visitor's name, 16 hexadecimal digits."""
    return hashlib.sha256(cookie.encode()).hexdigest()[:16]


class Visitors:
    """ASGI middleware: gives each browser its cookie and counts its sockets."""

    def __init__(
        self, app: ASGIApp, grace: float = GRACE, gone: Callable[[str], None] | None = None
    ):
        self.app, self.grace = app, grace
        self.gone = gone or (lambda name: leave(name))
        self.sockets = _sockets
        self.timers: dict[str, threading.Timer] = {}
        self.lock = threading.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with its visitor known."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        cookie = _cookie(scope)
        if scope["type"] == "http":
            await self.app(scope, receive, send if cookie else _giving(_new(), scope, send))
            return
        if not cookie:  # a browser that keeps no cookies is a new visitor with each socket
            cookie = _new()
            pair = (b"cookie", f"{COOKIE}={cookie}".encode())
            scope = {**scope, "headers": [*scope["headers"], pair]}
        if not scope["path"].endswith(SOCKET):
            await self.app(scope, receive, send)
            return
        name = name_of(cookie)
        self._arrive(name)
        try:
            await self.app(scope, receive, send)
        finally:
            self._depart(name)

    def _arrive(self, name: str) -> None:
        with self.lock:
            self.sockets[name] += 1
            timer = self.timers.pop(name, None)
        if timer:
            timer.cancel()

    def _depart(self, name: str) -> None:
        with self.lock:
            self.sockets[name] -= 1
            if self.sockets[name] > 0:
                return
            del self.sockets[name]
            timer = self.timers[name] = threading.Timer(self.grace, self._end, (name,))
            timer.daemon = True
        timer.start()

    def _end(self, name: str) -> None:
        with self.lock:
            if self.timers.get(name) is not threading.current_thread():
                return  # they came back meanwhile
            del self.timers[name]
        self.gone(name)


def _new() -> str:
    return secrets.token_urlsafe(24)


def _cookie(scope: Scope) -> str:
    """Read our cookie from a request; what we would not have given counts as none."""
    for name, value in scope["headers"]:
        if name == b"cookie":
            ours = cookie_parser(value.decode("latin-1")).get(COOKIE, "")
            if len(ours) == len(_new()):
                return ours
    return ""


def _giving(cookie: str, scope: Scope, send: Send) -> Send:
    """Wrap `send` so that the response sets the cookie."""
    secure = "; Secure" if scope.get("scheme") == "https" else ""
    line = f"{COOKIE}={cookie}; Max-Age={YEAR}; Path=/; HttpOnly; SameSite=Lax{secure}"

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], (b"set-cookie", line.encode())]}
        await send(message)

    return sending
