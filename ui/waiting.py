"""While a screen waits for the engine: how far it is, how long it still takes, and an end to it."""

import time
from collections.abc import Callable
from typing import Any

from core.shared.patience import Patience, Unwanted
from core.shared.progress import Done

__all__ = ["Waiting", "left"]

SOON = 0.6  # seconds, after which it is said that it takes longer
SURE = 1.0  # seconds of watching, after which it is guessed how much longer
MINUTE, ROUND = 60, 5  # seconds; what is left of more than two such steps is rounded to one


class Waiting:
    """One drawing of a screen, while it is made."""

    def __init__(self, unwanted: Unwanted, long: Callable[[], object] | None = None) -> None:
        """Begin to draw.

        Args:
            unwanted: what the visitor stopped before.
            long: is called once, in the thread that draws, when it takes longer.
        """
        self.patience = Patience(self._hear, unwanted)
        self._began, self._long = time.monotonic(), long
        self._done: Done | None = None
        self._first, self._since = 0, 0.0  # how far it was when it was first heard of, and when

    def told(self) -> dict[str, Any]:
        """Say how far it is: words, time left in words, and a share, None where it is not known.

        Whoever is told so can stop it: it may take longer then.
        """
        self.patience.look()
        done, now = self._done, time.monotonic()
        if done is None:
            text = f"Computing … {now - self._began:.0f} s"
            return {"text": text, "left": "", "share": None}
        gained, took = done.done - self._first, now - self._since
        seconds = (done.of - done.done) * took / gained if gained and took > SURE else None
        return {
            "text": f"{done.title}: {done.words}" if done.title else done.words,
            "left": "" if seconds is None else left(seconds, most=done.early),
            "share": done.share,
        }

    def _hear(self, done: Done | None) -> None:
        before, now = self._done, time.monotonic()
        if done is not None and (
            before is None
            or (before.title, before.of) != (done.title, done.of)
            or done.done < before.done
        ):
            self._first, self._since = done.done, now
        self._done = done
        if self._long is not None and now - self._began > SOON:
            say, self._long = self._long, None
            say()


def left(seconds: float, *, most: bool = False) -> str:
    """Say how long something will still take, no more exactly than one can know."""
    about = "at most " if most else "about "
    if seconds > 2 * MINUTE:
        return f"{about}{seconds / MINUTE:.0f} min left"
    rough = round(seconds) if seconds < 2 * ROUND else ROUND * round(seconds / ROUND)
    return f"{about}{max(1, rough)} s left"
