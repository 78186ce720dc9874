"""Whoever waits for an answer hears how far it is, and may stop it for good.

    patience = Patience(hear=show, unwanted=unwanted)
    with waiting(patience):
        engine.call(...)  # `show` is told every tenth of a second; patience.stop() ends it

What was stopped raises `StoppedError` at once when it is asked for again, until `unwanted` forgets
it. What is seen to go on is waited for as long as somebody looks: he could stop it.
"""

import pickle
import time
from collections.abc import Callable, Container, Iterator
from concurrent.futures import TimeoutError as Late
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

from core.shared.answers import Call, EngineError
from core.shared.progress import Done
from core.shared.wanted import wanted

__all__ = ["Patience", "StoppedError", "Unwanted", "answer_to", "refuse", "waiting"]

LOOK = 0.1  # seconds between two looks whether an answer is still wanted
MOST = 50  # stopped calls that are remembered

Key = tuple[str, bytes]  # of a call
Unwanted = dict[Key, str]  # calls that were stopped, and what was said then


class StoppedError(EngineError):
    """Whoever waited stopped it; the sentence says how far it was."""


class Patience:
    """How one waits for answers."""

    def __init__(
        self, hear: Callable[[Done | None], object] | None = None, unwanted: Unwanted | None = None
    ) -> None:
        """Begin to wait.

        Args:
            hear: is told in the thread that waits how far it is, None while that is not known.
            unwanted: what was stopped before, to which more is added.
        """
        self._hear, self._unwanted, self._stopping = hear, unwanted, False
        self.stopped = False  # something that was asked for was not waited for
        self.looked = 0.0  # when somebody saw how far it is, who could stop it

    def stop(self) -> None:
        """Wait no longer, neither for this answer nor for the next; from any thread."""
        self._stopping = True

    def look(self) -> None:
        """Note that somebody sees how far it is; from any thread."""
        self.looked = time.monotonic()

    def refuse(self, call: Call, known: Container[Key] = ()) -> None:
        """Refuse what was stopped before, here or by another who has the same `unwanted`.

        Args:
            call: that is asked.
            known: keys of calls whose answers are at hand; these are not refused.

        Raises: StoppedError with the sentence of that time.
        """
        if self._unwanted and call.shared and (key := call.key) not in known:
            sentence = self._unwanted.get(key)
            if sentence is not None:
                self.stopped = True
                raise StoppedError(sentence)

    def go_on(self, call: Call) -> None:
        """Hear of a call that is not answered yet.

        Raises: StoppedError when it is to be stopped, or was elsewhere meanwhile.
        """
        if self._hear is not None:
            self._hear(call.done)
        self.refuse(call)
        if self._stopping:
            self.stopped = True
            far = f"after {call.done.words}" if call.done else "before its end"
            sentence = f"Stopped {far}. Change a setting, or ask again."
            if call.shared and self._unwanted is not None:
                self._unwanted[call.key] = sentence
                for oldest in list(self._unwanted)[:-MOST]:  # a copy: other threads stop things too
                    self._unwanted.pop(oldest, None)
            raise StoppedError(sentence)


PLAIN = Patience()  # hears nothing and remembers nothing
_now: ContextVar[Patience] = ContextVar("now")


@contextmanager
def waiting(patience: Patience) -> Iterator[None]:
    """Wait so for what is asked inside."""
    before = _now.set(patience)
    try:
        yield
    finally:
        _now.reset(before)


def refuse(call: Call, known: Container[Key]) -> None:
    """Refuse a call that whoever would wait for it has stopped, as `Patience.refuse` does."""
    _now.get(PLAIN).refuse(call, known)


def answer_to(call: Call, seconds: float) -> Any:
    """Wait for an answer, as long as it is wanted.

    Args:
        call: that was sent.
        seconds: how long to wait, counted anew from each word of progress that somebody saw.

    Raises: EngineError when it failed, came too late, or is no longer `wanted`; StoppedError when
        whoever waits stopped it.
    """
    patience, far = _now.get(PLAIN), None
    began = moved = time.monotonic()
    while True:
        if call.done not in (None, far):
            far, moved = call.done, time.monotonic()
        since = max(began, min(moved, patience.looked))
        left = since + seconds - time.monotonic()
        with suppress(Late):
            return pickle.loads(call.future.result(min(LOOK, max(0.0, left))))
        if left <= 0:
            nothing = "answer within" if since == began else "progress for"
            raise EngineError(f"No {nothing} {seconds:g} s: the device is busy.")
        if not wanted():
            raise EngineError("Nobody waits for this any more.")
        patience.go_on(call)
