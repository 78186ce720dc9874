"""A run as the server sees it: its manifest, its newest state, and who works on it."""

import logging
import pickle
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.shared import runs
from core.shared.worker import Worker

__all__ = ["Record", "View"]

TOLD = 60.0  # seconds that a note is shown

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A run as a page sees it."""

    run: str
    function: str
    config: Mapping[str, Any]
    status: str  # waiting, running, paused, finished, stopped, failed, interrupted
    place: int  # in the line of those that wait for memory; 0: not waiting
    version: int  # grows with every change
    progress: float  # 0 to 1
    pace: float | None  # progress a second, lately; None while it stands
    failure: str  # one sentence, when it failed
    note: str  # one sentence, when something happened to it that its visitor did not ask for
    started: float  # seconds since 1970
    pinned: bool
    number: int  # of the visitor's runs of this function, for people
    origin: str  # the run of which it is a branch; "" for one that began anew
    origin_step: int  # at which it left that run
    state: Any  # the newest one; None before the first, or when it is no longer in memory

    @property
    def live(self) -> bool:
        """Whether it can still move by itself or when told to."""
        return self.status in runs.LIVE

    @property
    def seconds_left(self) -> float | None:
        """How long the rest takes at the present pace."""
        return (1 - self.progress) / self.pace if self.pace else None


class Record:
    """A run as the engine holds it; whoever reads or changes one holds the engine's lock."""

    def __init__(self, manifest: runs.Manifest) -> None:
        """Hold a run that nobody works on yet."""
        self.manifest = manifest
        self.worker: Worker | None = None
        self.wish = "running"  # or paused or stopped: what it was told last
        self.forgiven = False  # it was in hand when somebody killed the process
        self.number = self.version = self.place = 0
        self.progress = 0.0
        self.pace: float | None = None
        self.note, self.noted = "", 0.0  # what happened to it, and when
        self.payload: bytes | None = None
        self.state: Any = None  # the payload, once somebody looked
        self.size: int | None = None  # bytes on disk, of one that has ended and was asked

    def save(self, folder: Path, **changes: Any) -> None:
        """Change the manifest, here and on disk if that can be written."""
        self.manifest = replace(self.manifest, **changes)
        try:
            runs.save(folder, self.manifest)
        except OSError:  # it is full, or was taken away: the run goes on
            log.exception("a manifest could not be written")

    def forget(self) -> None:
        """Let the process free what it holds of the run."""
        if self.worker is not None:
            self.worker.send("forget", self.manifest.run)

    def view(self) -> View:
        """Freeze what a page may see of it."""
        if self.payload is not None and self.state is None:
            self.state = pickle.loads(self.payload)
        manifest = self.manifest
        return View(
            run=manifest.run,
            function=manifest.function,
            config=manifest.config,
            status=manifest.status,
            place=self.place,
            version=self.version,
            progress=self.progress,
            pace=self.pace,
            failure=manifest.failure,
            note=self.note if time.monotonic() - self.noted < TOLD else "",
            started=manifest.started,
            pinned=manifest.pinned,
            number=manifest.number,
            origin=manifest.origin,
            origin_step=manifest.origin_step,
            state=self.state,
        )
