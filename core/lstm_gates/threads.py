"""How many threads compute a small network: one, where the machine has no core to spare.

What goes from one character to the next is a small product, thousands of them one after the other.
Threads that share each of these have to meet after each; where other programs have the cores they
wait for each other ten to fifty times as long as they compute.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from core.lstm_gates.readers import Reader

__all__ = ["Sharing", "few"]

WORTH = 1 << 20  # multiply-adds of one character, in all texts side by side, that are worth sharing
TRIALS = 8  # steps that are timed of each, in turns; the quickest counts
LATE, IN_A_ROW = (
    3.0,
    3,
)  # times as long as one thread takes; after so many in a row: tried anew


@contextmanager
def few(reader: Reader, batch: int = 1) -> Iterator[None]:
    """Keep to one thread while a small network reads; nobody may hold it over a yield.

    Args:
        reader: that is to read.
        batch: texts side by side.
    """
    with _using(1 if _small(reader, batch) else torch.get_num_threads()):
        yield


class Sharing:
    """Whether the steps of a course are shared out among all threads, tried before its first one.

    How many threads there are decides how sums are rounded. So it stays as it is, also when the
    course is continued, unless the machine gets so busy that all threads together are slower than
    one alone.
    """

    def __init__(self, reader: Reader, batch: int, threads: int = 0) -> None:
        """Have it open, or as it was.

        Args:
            reader: that learns.
            batch: texts side by side.
            threads: that an earlier part of the course had; 0 for a new one.
        """
        most = torch.get_num_threads()
        on_cpu = reader.head.weight.device.type == "cpu"
        self._open = on_cpu and most > 1 and _small(reader, batch) and threads != 1
        self.threads = 1 if threads == 1 else most
        self._tried = threads > 0  # whether they are to stay, if nothing speaks against it
        self._alone, self._late = float("inf"), 0

    def settle(self, step: Callable[[], object]) -> None:
        """Time a step with one thread and with all, unless that is settled.

        Args:
            step: what is to be shared; done a few times over.
        """
        if not self._open:
            return
        self._open = False
        self._alone, together = _quickest(step, self.threads)
        if not self._tried and together > self._alone:
            self.threads = 1
        self._tried = False  # the next time it is because they were late

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Compute a step with as many threads as were chosen, and see how long it takes."""
        began = time.perf_counter()
        with _using(self.threads):
            yield
        late = time.perf_counter() - began > LATE * self._alone
        self._late = self._late + 1 if late else 0
        if self._late == IN_A_ROW:
            self._open, self._late = True, 0


def _small(reader: Reader, batch: int) -> bool:
    recurrent = next(iter(reader.layers)).get_parameter("weight_hh_l0").numel()
    return batch * recurrent < WORTH


def _quickest(step: Callable[[], object], threads: int) -> tuple[float, float]:
    """Time a step with one thread and with all, in turns: a machine's speed drifts."""
    best = {1: float("inf"), threads: float("inf")}
    for _ in range(TRIALS):
        for count in best:
            with _using(count):
                began = time.perf_counter()
                step()
                best[count] = min(best[count], time.perf_counter() - began)
        if best[threads] > LATE * best[1]:  # that is plain, and dear
            break
    return best[1], best[threads]


@contextmanager
def _using(threads: int) -> Iterator[None]:
    before = torch.get_num_threads()
    if threads != before:
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        if threads != before:
            torch.set_num_threads(before)
