"""Which pair is next: the commonest, and of those that are as common the one that a rule says.

The best count never rises, so pairs wait in a bucket for each count, with no order among them. When
a bucket's turn comes, those still as common are put in the rule's order; the others, whose count
fell since, move on to their own bucket.
"""

from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush
from typing import Any

__all__ = ["Queue"]

PART = 5_000  # pairs that are put in order without a pause

Entry = tuple[Any, int]  # where a pair stands in the order, and its number


class Queue:
    """All pairs, by their numbers.

    buckets: by count, numbers of pairs that had it when they came there.
    best: the count of those in order.
    tied: how many have that count now; who changes counts keeps it right.
    """

    def __init__(self, counts: list[int], order: Callable[[int], Any], *, moves: bool) -> None:
        """Begin with no pair.

        Args:
            counts: of each pair, as it changes.
            order: of a pair, as it is now; the least is first.
            moves: whether a pair's order may grow while it waits.
        """
        self.buckets = Buckets()
        self.best = self.tied = 0
        self._counts, self._order, self._moves = counts, order, moves
        self._level: list[Entry] = []

    def join(self, pair: int) -> None:
        """Take in a new pair that is as common as the best."""
        self.tied += 1
        heappush(self._level, (self._order(pair), pair))

    def next(self) -> int | None:
        """Take out the pair that is merged next; None when all of the best count have been."""
        counts, level = self._counts, self._level
        while level:
            place, pair = heappop(level)
            if counts[pair] != self.best:
                self._move_on(pair)
            elif self._moves and (now := self._order(pair)) != place:
                heappush(level, (now, pair))
            else:
                return pair
        return None

    def descend(self) -> Iterator[None]:
        """Put those of the next lower count in order; yields now and then."""
        self.best, waiting = self.buckets.highest()
        counts, best, level = self._counts, self.best, self._level
        for part in range(0, len(waiting), PART):
            for pair in waiting[part : part + PART]:
                if counts[pair] == best:
                    level.append((self._order(pair), pair))
                else:
                    self._move_on(pair)
            yield
        heapify(level)
        self.tied = len(level)

    def _move_on(self, pair: int) -> None:
        if count := self._counts[pair]:
            self.buckets[count].append(pair)


class Buckets(dict[int, list[int]]):
    """Lists by count; one begins when it is first asked for."""

    def __init__(self) -> None:
        self.order: list[int] = []

    def __missing__(self, count: int) -> list[int]:
        """Begin a list."""
        heappush(self.order, -count)
        bucket: list[int] = []
        self[count] = bucket
        return bucket

    def highest(self) -> tuple[int, list[int]]:
        """Take out the highest count and its list."""
        count = -heappop(self.order)
        return count, self.pop(count)
