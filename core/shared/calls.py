"""What is asked of the device: calls first, those that take long in turns with the runs."""

import pickle
import time
from collections import deque
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from core.shared import devices
from core.shared.progress import Done
from core.shared.targets import resolve, sentence
from core.shared.turns import WAITING, Patient

if TYPE_CHECKING:
    from core.shared.owner import Owner

__all__ = ["TURN", "Asked", "Calls"]

TURN = 0.04  # seconds that a generator keeps the device before the next one has it
CALLS = 0.5  # seconds of calls on end, before training has a turn again
SOON = 0.5  # seconds of a call's life, before the server is told how far it is
OFTEN = 0.2  # seconds between two such words


class Asked(NamedTuple):
    """A call that waits for its answer."""

    ticket: int
    target: str
    run: str | None  # whose living thing is its first argument
    arguments: bytes  # pickled


@dataclass(slots=True, eq=False)
class Slow:
    """A call that takes long."""

    ticket: int
    work: Generator[Any, None, Any]
    tell: float = field(default_factory=lambda: time.monotonic() + SOON)  # when it says how far
    told: bool = False  # the server has a word of how far it is


class Calls:
    """Those that wait for their answer."""

    def __init__(self, owner: "Owner") -> None:
        self.owner = owner
        self.asked: deque[Asked] = deque()
        self.slow: deque[Slow] = deque()  # those under way
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
        for each in [each for each in self.slow if each.ticket == ticket]:
            self.slow.remove(each)
            with suppress(BaseException):  # a generator may refuse to be closed
                each.work.close()
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
            slow = self.slow.popleft()
            went = self._step(slow)
            if went != "done":
                self.slow.append(slow)
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
                    self._begin(Slow(ticket, function.in_turns(*given)))
                else:
                    self._reply(ticket, function(*given))
            except BaseException as error:  # noqa: BLE001 – also SystemExit: a call ends no process
                self._refuse(ticket, error)

    def _begin(self, slow: Slow) -> None:
        """Let a long call have its first turn at once: it may be short after all."""
        until = time.monotonic() + TURN
        while (went := self._step(slow)) == "moved" and time.monotonic() < until:
            pass
        if went != "done":
            self.slow.append(slow)

    def _step(self, slow: Slow) -> str:
        """Let a long call go on until it yields; tell whether it moved, waits or is done."""
        with self.owner.in_hand(slow.ticket):
            try:
                given = next(slow.work)
                devices.synchronise(self.owner.device)
            except StopIteration as end:
                self._reply(slow.ticket, end.value)
            except BaseException as error:  # noqa: BLE001 – also SystemExit: a call ends no process
                self._refuse(slow.ticket, error)
            else:
                self._tell(slow, given)
                return "waits" if given is WAITING else "moved"
        return "done"

    def _tell(self, slow: Slow, given: Any) -> None:
        """Send how far a long call is, if it says so and enough time has passed.

        Once it waits for others nobody knows how far it is.
        """
        if isinstance(given, Done) and (now := time.monotonic()) >= slow.tell:
            slow.tell, slow.told = now + OFTEN, True
            self.owner.send("progress", slow.ticket, given)
        elif given is WAITING and slow.told:
            slow.told = False
            self.owner.send("progress", slow.ticket, None)

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
