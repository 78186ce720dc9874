"""Calls under way and the last answers, so that what thirty people ask at once is computed once."""

import hashlib
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass, field

from core.shared.progress import Done
from core.shared.worker import Worker

__all__ = ["Answers", "Call", "EngineError"]

LATELY = 32 << 20  # bytes of answers that are kept for equal calls
ENTRY = 200  # bytes, about, that keeping an answer takes besides


class EngineError(RuntimeError):
    """One sentence for the visitor: why this work gave no result, and where known what to try."""


@dataclass(slots=True, eq=False)
class Call:
    """A call under way."""

    number: int
    target: str
    run: str | None  # whose living thing it is about
    arguments: bytes
    worker: Worker
    shared: bool = False  # equal calls may have its answer too
    forgiven: bool = False  # it was in hand when somebody killed the process
    waiting: int = 0  # those who wait for its answer
    done: Done | None = None  # how far it is, where that is known
    future: "Future[bytes]" = field(default_factory=Future)

    @property
    def key(self) -> tuple[str, bytes]:
        """What equal calls have in common."""
        return self.target, hashlib.sha256(self.arguments).digest()


class Answers:
    """All calls of an engine; whoever uses it holds the engine's lock."""

    def __init__(self) -> None:
        self._under_way: dict[int, Call] = {}
        self._asked: dict[tuple[str, bytes], Call] = {}
        self.lately: OrderedDict[tuple[str, bytes], bytes] = OrderedDict()
        self.kept = 0  # bytes of the last answers

    def add(self, call: Call) -> Call:
        """Take in a call, or give the equal one that is under way or was lately answered."""
        call.waiting = 1
        if not call.shared:
            self._under_way[call.number] = call
            return call
        key = call.key
        if key in self.lately:
            self.lately.move_to_end(key)
            call.future.set_result(self.lately[key])
            return call
        if key in self._asked:
            self._asked[key].waiting += 1
            return self._asked[key]
        self._under_way[call.number] = self._asked[key] = call
        return call

    def of(self, worker: Worker) -> list[Call]:
        """List the calls that a process has yet to answer."""
        return [call for call in self._under_way.values() if call.worker is worker]

    def get(self, number: int) -> Call | None:
        """Find a call under way by its number."""
        return self._under_way.get(number)

    def end(self, number: int, well: bool, result: bytes) -> None:
        """Note an answer, or the sentence that says why there is none."""
        call = self._under_way.pop(number, None)
        if call is None:
            return
        if call.shared:
            key = call.key
            del self._asked[key]
            if well:
                self._keep(key, result)
        if well:
            call.future.set_result(result)
        else:
            call.future.set_exception(EngineError(result.decode()))

    def leave(self, call: Call) -> bool:
        """Let one go who waits; tell whether nobody is left, so that it need not be computed."""
        call.waiting -= 1
        if call.waiting or not call.shared or self._under_way.pop(call.number, None) is None:
            return False
        del self._asked[call.key]
        return True

    def fail_all(self, sentence: str) -> None:
        """End every call under way without an answer."""
        for number in list(self._under_way):
            self.end(number, False, sentence.encode())

    def _keep(self, key: tuple[str, bytes], result: bytes) -> None:
        self.lately[key] = result
        self.kept += len(result) + ENTRY
        while self.kept > LATELY:
            self.kept -= len(self.lately.popitem(last=False)[1]) + ENTRY
