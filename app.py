"""Glassbox, the server: `streamlit run app.py`. The engine starts and stops with it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from starlette.routing import Route

from ui import screen, server, visitors


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[dict[str, object]]:
    """Own an engine for as long as the server runs."""
    server.start()
    try:
        yield {}
    finally:
        server.stop()


app = st.App(
    Path(__file__).parent / "pages" / "index.py",
    lifespan=lifespan,
    routes=[
        Route("/ready", server.ready),
        Route("/screen/{token}", screen.route, methods=["GET", "POST"]),
        Route("/screen/{token}/progress", screen.progress, methods=["GET", "POST"]),
    ],
    middleware=[Middleware(visitors.Visitors)],
)
