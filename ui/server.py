"""The engine's handle in the server's process, and what the server tells about itself."""

import gc
import os
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse

from core.shared.engine import Engine
from ui import frame, pinned, screen, visitors

__all__ = ["engine", "ready", "start", "stop"]

ROOT = Path(__file__).parents[1]
FOLDER = Path(os.environ.get("GLASSBOX_RUNS") or ROOT / ".runs")

_engine: Engine | None = None


def engine() -> Engine:
    """Give the running engine to a page, whose script has just begun: its runs make way for it.

    Raises: RuntimeError before the server has started one.
    """
    if _engine is None:
        raise RuntimeError("the engine starts with the server: run `streamlit run app.py`")
    _engine.make_way()
    return _engine


def start(running: Engine | None = None) -> Engine:
    """Start the engine, or take one that runs, and import what the pages will."""
    global _engine
    _engine = running or Engine(FOLDER).start()
    visitors.leave = _leave
    frame.warm()
    gc.collect()
    gc.freeze()  # Streamlit collects after every script run; what is frozen costs it nothing
    return _engine


def stop() -> None:
    """End the engine and its processes."""
    global _engine
    running, _engine = _engine, None
    if running is not None:
        running.close()


def _leave(visitor: str) -> None:
    screen.leave(visitor)
    pinned.leave(visitor)
    if _engine is not None:
        _engine.leave(visitor)


async def ready(_: Request) -> JSONResponse:
    """Answer GET /ready: 200 when every engine process lives, else 503; and who owns what."""
    told = _engine.ready() if _engine else {"alive": False, "owners": []}
    return JSONResponse(told, status_code=200 if told["alive"] else 503)
