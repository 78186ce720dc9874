"""Whoever waits for an answer hears how far it is, and may stop it for good.

    patience = Patience(hear=show, unwanted=unwanted)
    with waiting(patience):
        engine.call(...)  # `show` is told every tenth of a second; patience.stop() ends it

What was stopped raises `StoppedError` at once when it is asked for again, until `unwanted` forgets
it.
"""

import pickle
import time
from collections.abc import Callable, Iterator
from concurrent.futures import TimeoutError as Late
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

from core.shared.answers import Call, EngineError
from core.shared.progress import Done
from core.shared.wanted import wanted

__all__ = ["Patience", "StoppedError", "Unwanted", "answer_to", "waiting"]

LOOK = 0.1  # seconds between two looks whether an answer is still wanted
MOST = 50  # stopped calls that are remembered

Unwanted = dict[tuple[str, bytes], str]  # the keys of calls, and what was said when they stopped


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

    def stop(self) -> None:
        """Wait no longer, neither for this answer nor for the next; from any thread."""
        self._stopping = True

    def begin(self, call: Call) -> None:
        """Refuse what was stopped before, unless it is known by now.

        Raises: StoppedError with the sentence of that time.
        """
        if self._unwanted and call.shared and not call.future.done():
            sentence = self._unwanted.get(call.key)
            if sentence is not None:
                self.stopped = True
                raise StoppedError(sentence)

    def go_on(self, call: Call) -> None:
        """Hear of a call that is not answered yet.

        Raises: StoppedError when it is to be stopped.
        """
        if self._hear is not None:
            self._hear(call.done)
        if self._stopping:
            self.stopped = True
            far = f"after {call.done.words}" if call.done else "before its end"
            sentence = f"Stopped {far}. Change a setting, or ask again."
            if call.shared and self._unwanted is not None:
                self._unwanted[call.key] = sentence
                while len(self._unwanted) > MOST:
                    self._unwanted.pop(next(iter(self._unwanted)), None)
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


def answer_to(call: Call, seconds: float) -> Any:
    """Wait for an answer, as long as it is wanted.

    Raises: EngineError when it failed, came too late, or is no longer `wanted`; StoppedError when
        whoever waits stopped it.
    """
    until, patience = time.monotonic() + seconds, _now.get(PLAIN)
    patience.begin(call)
    while True:
        with suppress(Late):
            left = max(0.0, until - time.monotonic())
            return pickle.loads(call.future.result(min(LOOK, left)))
        if time.monotonic() >= until:
            raise EngineError(f"No answer within {seconds:g} s: the device is busy.")
        if not wanted():
            raise EngineError("Nobody waits for this any more.")
        patience.go_on(call)
