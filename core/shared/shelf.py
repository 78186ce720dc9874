"""The shelf: all runs that an engine knows, and what they may take on disk."""

import logging
import time
from collections.abc import Iterator
from pathlib import Path

from core.shared import runs
from core.shared.records import Record

__all__ = ["Shelf"]

TOTAL = 16 << 30  # bytes of snapshots, all visitors together
TIDY = 3600.0  # seconds between two looks at what is old or too much

log = logging.getLogger(__name__)


class Shelf:
    """Runs by their names; whoever uses it holds the engine's lock."""

    def __init__(self, folder: Path, quota: int) -> None:
        """Have none yet.

        Args:
            folder: where runs are kept.
            quota: bytes of snapshots that a visitor may keep.
        """
        self.folder, self.quota = folder, quota
        self._records: dict[str, Record] = {}
        self._given: dict[tuple[str, str], int] = {}  # the last number, by visitor and function
        self._tidied = time.monotonic()

    def __getitem__(self, run: str) -> Record:
        """Find a run.

        Raises: KeyError when there is no such run.
        """
        return self._records[run]

    def __iter__(self) -> Iterator[Record]:
        """Go through all runs."""
        return iter(tuple(self._records.values()))

    def get(self, run: str) -> Record | None:
        """Find a run; None when there is no such."""
        return self._records.get(run)

    def of(self, visitor: str) -> list[Record]:
        """Give all runs of a visitor, the oldest first."""
        mine = [each for each in self if each.manifest.visitor == visitor]
        return sorted(mine, key=lambda each: each.manifest.started)

    def find(self) -> None:
        """Take in the runs of earlier servers, and delete those that are too old."""
        self.folder.mkdir(parents=True, exist_ok=True)
        runs.forget(self.folder)
        for manifest in runs.interrupted(self.folder):
            self._records[manifest.run] = Record(manifest)

    def add(self, manifest: runs.Manifest) -> Record:
        """Take in a new run; what is too much for its visitor goes."""
        self._tidy()
        record = self._records[manifest.run] = Record(manifest)
        mine = self.of(manifest.visitor)
        self._fit(mine, self.quota)
        ended = [each for each in mine if each.manifest.status not in runs.LIVE]
        for each in ended[:-1]:  # only the newest is likely to be looked at again
            each.payload = each.state = None
        return record

    def number(self, visitor: str, function: str) -> int:
        """Give a visitor's next number for work of a kind; while they are here none comes twice."""
        known = [each.manifest for each in self]
        alike = [each for each in known if (each.visitor, each.function) == (visitor, function)]
        last = self._given.get((visitor, function), 0)
        number = max([last, *(each.number for each in alike)]) + 1
        self._given[visitor, function] = number
        return number

    def forget_numbers(self, visitor: str) -> None:
        """Begin the numbers of a visitor who has gone behind those of the runs that are left."""
        for key in [key for key in self._given if key[0] == visitor]:
            del self._given[key]

    def drop(self, record: Record) -> None:
        """Forget a run, in its process too; what is on disk stays."""
        record.forget()
        self._records.pop(record.manifest.run, None)

    def usage(self, visitor: str) -> tuple[list[runs.Manifest], dict[str, int]]:
        """Give the manifests of a visitor's runs, and the bytes of those that no longer grow."""
        mine = self.of(visitor)
        for record in mine:
            if record.manifest.status in runs.LIVE:
                record.size = None  # it grows
            elif record.size is None:
                record.size = runs.size(self.folder, record.manifest)
        known = {each.manifest.run: each.size for each in mine if each.size is not None}
        return [each.manifest for each in mine], known

    def _tidy(self) -> None:
        """Now and then, delete what is old and what is too much for all visitors together."""
        if time.monotonic() - self._tidied < TIDY:
            return
        self._tidied = time.monotonic()
        try:
            runs.forget(self.folder)
        except OSError:
            log.exception("old runs could not be deleted")
        here = {each.run for each in runs.found(self.folder)}
        for record in self:
            if record.manifest.run not in here and record.manifest.status not in runs.LIVE:
                self.drop(record)
        self._fit([*self], TOTAL)

    def _fit(self, records: list[Record], quota: int) -> None:
        """Delete the oldest of these runs that may go until the rest fit into the quota."""
        left = runs.trim(self.folder, [each.manifest for each in records], quota)
        names = {manifest.run for manifest in left}
        for record in records:
            if record.manifest.run not in names:
                self.drop(record)
