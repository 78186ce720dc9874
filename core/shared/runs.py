"""Runs on disk: what was asked for, how it stands, and what it takes; nothing is ever unpickled.

    folder/VISITOR/RUN/run.json                      what, with which config, for whom, how it ended
    folder/VISITOR/RUN/snapshot-000000123.safetensors  the weights at step 123, for the time machine
    folder/VISITOR/RUN/newest.safetensors            the last ones, replaced again and again

Every file is written beside its place and then moved there, so a process killed in the middle of
a write leaves the old file or the new one, never half of either. This module needs no torch: the
server reads it too. The weights themselves are the business of `core.shared.snapshots`.
"""

import json
import os
import re
import secrets
import shutil
import time
import typing
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

__all__ = [
    "LIVE",
    "ROLLING",
    "Manifest",
    "Usage",
    "atomically",
    "branch",
    "create",
    "delete",
    "folder_of",
    "forget",
    "found",
    "interrupted",
    "log_spaced",
    "most_snapshots",
    "place",
    "save",
    "size",
    "steps",
    "trim",
    "usage",
]

ROLLING = "newest.safetensors"
NAME = re.compile(r"[0-9a-z]{1,32}")
HALF_DELETED = re.compile(r"\.[0-9a-f]{12}")
HALF_WRITTEN = re.compile(r"\.(run\.json|(newest|snapshot-\d+)\.safetensors)\.\d+")
KEPT = re.compile(r"snapshot-(\d{9,})\.safetensors", re.ASCII)
DAY = 86_400  # seconds
BEING_WRITTEN = 600.0  # seconds in which a half-written file may still become a whole one
LIVE = ("waiting", "running", "paused")
MOST_SNAPSHOTS, FEWEST_SNAPSHOTS = 30, 8  # that a run keeps for good
MOST_BYTES = 128 << 20  # of them, where they are more than the fewest
STATES, FLOAT = 3, 4  # of a parameter in a snapshot: itself, and two that Adam keeps; its bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One run as its run.json tells it."""

    run: str
    visitor: str
    function: str  # "module:function"
    config: dict[str, Any]  # JSON values, the arguments of the function's config
    status: str
    started: float  # seconds since 1970
    failure: str = ""  # one sentence, when it failed
    pinned: bool = False
    number: int = 1  # of the visitor's runs of this function, for people
    origin: str = ""  # a run of which it is a branch; "" for one that began anew
    origin_step: int = 0  # at which it left that run


HINTS = typing.get_type_hints(Manifest)
FIELDS = tuple(each.name for each in fields(Manifest))


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a visitor's runs take, and what goes first when it is too much."""

    taken: int  # bytes
    quota: int  # bytes
    next_to_go: Manifest | None  # the oldest run that is neither pinned nor live


def create(
    root: Path,
    visitor: str,
    function: str,
    config: dict[str, Any],
    *,
    number: int = 1,
    origin: tuple[str, int] = ("", 0),
) -> Manifest:
    """Make the folder of a new run and write its manifest.

    Raises: ValueError when the config holds what JSON cannot, or the visitor's name could lead out.
    """
    try:
        values = json.loads(json.dumps(config))
    except TypeError as error:
        raise ValueError(f"config must hold JSON values only, got {config!r}") from error
    manifest = Manifest(
        run=secrets.token_hex(6),
        visitor=visitor,
        function=function,
        config=values,
        status="waiting",
        started=time.time(),
        number=number,
        origin=origin[0],
        origin_step=origin[1],
    )
    folder_of(root, manifest).mkdir(parents=True)
    save(root, manifest)
    return manifest


def branch(root: Path, source: Manifest, step: int, target: Manifest) -> None:
    """Let a new run begin where another stood at a kept step, with the steps kept before.

    Raises: ValueError when the step was not kept.
    """
    here, there = folder_of(root, source), folder_of(root, target)
    start = place(here, step)
    if not start.is_file():
        raise ValueError(f"step must be one that was kept, got {step!r}")
    for path in here.glob("snapshot-*.safetensors"):
        if path.name <= start.name:
            shutil.copyfile(path, there / path.name)
    shutil.copyfile(start, there / ROLLING)


def place(folder: Path, step: int) -> Path:
    """Tell where a run keeps the weights of a step."""
    return folder / f"snapshot-{step:09}.safetensors"


def most_snapshots(parameters: int) -> int:
    """Say how many snapshots a run keeps for good, for the time machine, however long it is.

    Args:
        parameters: of its network.
    """
    size = STATES * FLOAT * max(1, parameters)
    return max(FEWEST_SNAPSHOTS, min(MOST_SNAPSHOTS, MOST_BYTES // size))


@lru_cache
def log_spaced(total: int, count: int = 30) -> frozenset[int]:
    """Choose about `count` steps from 0 to total, dense at the start, where most changes."""
    return frozenset({0, total} | {round(total ** (k / (count - 1))) for k in range(count)})


def steps(folder: Path) -> tuple[int, ...]:
    """List the steps of a run that were kept for good, in order."""
    names = (KEPT.fullmatch(path.name) for path in folder.glob("snapshot-*.safetensors"))
    return tuple(sorted(int(name[1]) for name in names if name))


def folder_of(root: Path, manifest: Manifest) -> Path:
    """Tell where a run lives.

    Raises: ValueError when the run or the visitor has a name that could lead out of the folder.
    """
    for name in (manifest.visitor, manifest.run):
        if not NAME.fullmatch(name):
            raise ValueError(f"name must be 1 to 32 of 0-9 and a-z, got {name!r}")
    return root / manifest.visitor / manifest.run


def save(root: Path, manifest: Manifest) -> None:
    """Write the manifest anew, unless the run's folder has gone meanwhile."""
    folder = folder_of(root, manifest)
    text = json.dumps(asdict(manifest), ensure_ascii=False, indent=1)
    if folder.is_dir():
        atomically(folder / "run.json", lambda place: place.write_text(text, encoding="utf-8"))


def atomically(place: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file beside the place, then move it there in one step."""
    beside = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        write(beside)
        beside.replace(place)
    finally:
        beside.unlink(missing_ok=True)


def found(root: Path) -> Iterator[Manifest]:
    """Read every manifest under the folder; a damaged one is passed over."""
    for path in sorted(root.glob("*/*/run.json")):
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            manifest = Manifest(**{name: values[name] for name in FIELDS if name in values})
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            continue
        at_home = (manifest.visitor, manifest.run) == path.parts[-3:-1]
        if at_home and _sound(manifest):
            yield manifest


def delete(root: Path, manifest: Manifest) -> None:
    """Remove a run and all its snapshots, also while somebody still writes into its folder."""
    folder = folder_of(root, manifest)
    away = folder.with_name(f".{folder.name}")
    with suppress(OSError):  # another has deleted it
        folder.rename(away)
    shutil.rmtree(away, ignore_errors=True)


def size(root: Path, manifest: Manifest) -> int:
    """Add up the bytes of a run's files."""
    total = 0
    for path in folder_of(root, manifest).glob("*"):
        try:
            total += path.stat().st_size
        except OSError:  # a rolling snapshot was replaced under our eyes
            continue
    return total


def usage(
    root: Path, manifests: list[Manifest], quota: int, known: Mapping[str, int] | None = None
) -> Usage:
    """Add up what these runs of one visitor take.

    Args:
        root: the folder of all runs.
        manifests: the visitor's runs.
        quota: bytes that they may take.
        known: the sizes of some of them, by run.
    """
    sizes = dict(known or {})
    taken = sum(sizes[each.run] if each.run in sizes else size(root, each) for each in manifests)
    return Usage(taken=taken, quota=quota, next_to_go=next(iter(_idle(manifests)), None))


def trim(root: Path, manifests: list[Manifest], quota: int) -> list[Manifest]:
    """Delete a visitor's oldest idle runs until the rest fit into the quota.

    Returns: the manifests that are left, in the order in which they were given.
    """
    left = list(manifests)
    sizes = {each.run: size(root, each) for each in manifests}
    for oldest in _idle(manifests):
        if sum(sizes.values()) <= quota:
            break
        delete(root, oldest)
        left.remove(oldest)
        del sizes[oldest.run]
    return left


def forget(root: Path, older_than: float = 30 * DAY) -> None:
    """Delete unpinned runs that nobody touched for so many seconds, and what a crash left over."""
    for half_deleted in root.glob("*/.*"):
        if HALF_DELETED.fullmatch(half_deleted.name):
            shutil.rmtree(half_deleted, ignore_errors=True)
    for half_written in root.glob("*/*/.*"):
        if HALF_WRITTEN.fullmatch(half_written.name) and _age(half_written) > BEING_WRITTEN:
            half_written.unlink(missing_ok=True)
    for manifest in list(found(root)):
        if not manifest.pinned and _age(folder_of(root, manifest)) > older_than:
            delete(root, manifest)


def interrupted(root: Path) -> list[Manifest]:
    """Find all runs, those that were live when their server died marked as interrupted."""
    manifests = []
    for manifest in found(root):
        if manifest.status in LIVE:
            manifest = replace(manifest, status="interrupted")
            save(root, manifest)
        manifests.append(manifest)
    return manifests


def _age(path: Path) -> float:
    """Count the seconds since somebody changed it; 0 when it has just gone."""
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0


def _idle(manifests: list[Manifest]) -> list[Manifest]:
    """Those that may be deleted, the oldest first."""
    idle = [each for each in manifests if not each.pinned and each.status not in LIVE]
    return sorted(idle, key=lambda each: each.started)


def _sound(manifest: Manifest) -> bool:
    """Whether names lead nowhere else and each value is of its type, as far as a file can tell."""
    kinds = {name: typing.get_origin(kind) or kind for name, kind in HINTS.items()}
    kinds["started"] = (int, float)
    right = all(isinstance(getattr(manifest, name), kind) for name, kind in kinds.items())
    return right and all(NAME.fullmatch(name) for name in (manifest.visitor, manifest.run))
