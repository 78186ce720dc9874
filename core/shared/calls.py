"""What is asked of the device: calls first, those that take long in turns with the runs."""

import pickle
import time
from collections import deque
from collections.abc import Generator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from core.shared import devices
from core.shared.targets import resolve, sentence
from core.shared.turns import WAITING, Patient

if TYPE_CHECKING:
    from core.shared.owner import Owner

__all__ = ["TURN", "Asked", "Calls"]

TURN = 0.04  # seconds that a generator keeps the device before the next one has it
CALLS = 0.5  # seconds of calls on end, before training has a turn again

Slow = Generator[Any, None, Any]  # a call that takes long


class Asked(NamedTuple):
    """A call that waits for its answer."""

    ticket: int
    target: str
    run: str | None  # whose living thing is its first argument
    arguments: bytes  # pickled


class Calls:
    """Those that wait for their answer."""

    def __init__(self, owner: "Owner") -> None:
        self.owner = owner
        self.asked: deque[Asked] = deque()
        self.slow: deque[tuple[int, Slow]] = deque()  # those under way, and their tickets
        self.paid = 0.0  # when the runs have had as long as the last turn of a slow call took

    @property
    def busy(self) -> bool:
        """Whether anybody waits."""
        return bool(self.asked or self.slow)

    def add(self, call: Asked) -> None:
        """Queue a call."""
        self.asked.append(call)

    def drop(self, ticket: int) -> None:
        """Let go of a call, whether it waits or is under way; nobody is answered."""
        self.asked = deque(call for call in self.asked if call.ticket != ticket)
        for each in [each for each in self.slow if each[0] == ticket]:
            self.slow.remove(each)
            with suppress(BaseException):  # a generator may refuse to be closed
                each[1].close()
            devices.release(self.owner.device)

    def answer_some(self) -> None:
        """Make the calls that were asked for, as long as the runs may wait."""
        until = time.monotonic() + CALLS
        while self.asked and time.monotonic() < until:
            call = self.asked.popleft()
            if not self.owner.held(call):
                self._answer(*call)

    def advance(self, *, at_once: bool) -> None:
        """Give a turn to the first long call that does not wait; the runs have as long then.

        Args:
            at_once: also when the runs have not had as long as the last such turn took.
        """
        began = time.monotonic()
        if began < self.paid and not at_once:
            return
        for _ in range(len(self.slow)):
            ticket, work = self.slow.popleft()
            went = self._step(ticket, work)
            if went != "done":
                self.slow.append((ticket, work))
            if went != "waits":
                break
        now = time.monotonic()
        self.paid = now + (now - began)

    def _answer(self, ticket: int, target: str, name: str | None, arguments: bytes) -> None:
        """Make one call and send back what it gives, or the sentence that says why not."""
        with self.owner.in_hand(ticket):
            try:
                given = pickle.loads(arguments)
                if name is not None:
                    self._reply(ticket, self.owner.asked(name, target, given))
                    return
                function = resolve(target)
                if isinstance(function, Patient):
                    self._begin(ticket, function.in_turns(*given))
                else:
                    self._reply(ticket, function(*given))
            except BaseException as error:  # noqa: BLE001 – also SystemExit: a call ends no process
                self._refuse(ticket, error)

    def _begin(self, ticket: int, work: Slow) -> None:
        """Let a long call have its first turn at once: it may be short after all."""
        until = time.monotonic() + TURN
        while (went := self._step(ticket, work)) == "moved" and time.monotonic() < until:
            pass
        if went != "done":
            self.slow.append((ticket, work))

    def _step(self, ticket: int, work: Slow) -> str:
        """Let a long call go on until it yields; tell whether it moved, waits or is done."""
        with self.owner.in_hand(ticket):
            try:
                given = next(work)
                devices.synchronise(self.owner.device)
            except StopIteration as end:
                self._reply(ticket, end.value)
            except BaseException as error:  # noqa: BLE001 – also SystemExit: a call ends no process
                self._refuse(ticket, error)
            else:
                return "waits" if given is WAITING else "moved"
        return "done"

    def _reply(self, ticket: int, result: Any) -> None:
        """Send back what a call gave."""
        try:
            self.owner.send("answer", ticket, True, pickle.dumps(result))
        except BaseException as error:  # noqa: BLE001 – whatever cannot be pickled
            self._refuse(ticket, error)

    def _refuse(self, ticket: int, error: BaseException) -> None:
        """Send back the sentence that says why a call gave nothing."""
        self.owner.send("answer", ticket, False, sentence(error).encode())
        self.owner.recover(error)
