"""A visitor's own pictures: a zip with a folder a class becomes 28×28 pixels, and nothing else.

The zip is read in memory, and no byte of it ever reaches the disk. Only what became of it is kept:
the small pictures, in one safetensors file under the hash of what is in it.

    folder()/0123456789abcdef0123456789abcdef.safetensors

This module needs no torch: the server reads it too.
"""

import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8
from safetensors import safe_open
from safetensors.numpy import save_file

from core.shared import pictures as files
from core.shared import zips
from core.shared.runs import atomically

__all__ = [
    "NAME",
    "Parts",
    "Pictures",
    "folder",
    "keep",
    "load",
    "make_room",
    "read_zip",
    "split",
]

ROOT = Path(__file__).parents[2]
SIDE = 28  # pixels
NAME = re.compile(r"[0-9a-f]{32}")  # of pictures that are kept
HALF_WRITTEN = re.compile(r"\.[0-9a-f]{32}\.\w+\.\d+")
DAY = 86_400  # seconds in which nobody's pictures make room for others
BEING_WRITTEN = 600.0  # seconds in which a half-written file may still become a whole one
QUOTA = 2 * 2**30  # bytes of everybody's files together, in each folder

SECONDS = 30.0  # that reading a zip may take, and that another may wait for it
PIXELS_IN_ALL = 1_000_000_000  # some pack a thousand to one: without an end they cost minutes
CLASSES = (2, 20)
LEAST = 5  # pictures a class
LETTERS = 40  # of a class's name
TOLD = 5  # files that were left out and are named

_reading = threading.Lock()  # one zip at a time: it takes time from everybody
_keeping = threading.Lock()  # sessions are threads of one process, and two may count the same room


@dataclass(frozen=True, slots=True)
class Pictures:
    """What was in a zip: the pictures as a network will see them, and what was left out."""

    images: UInt8[np.ndarray, "n c 28 28"]  # c is 1 where no picture has colour, else 3
    labels: Int64[np.ndarray, " n"]  # the class, counted from 0
    classes: tuple[str, ...]  # the folders' names
    left_out: tuple[str, ...] = ()  # a sentence for each of the first few files, and a count


@dataclass(frozen=True, slots=True)
class Parts:
    """Which pictures are for what: indices, each picture in one part."""

    training: Int64[np.ndarray, " n"]
    validation: Int64[np.ndarray, " v"]
    test: Int64[np.ndarray, " t"]


def read_zip(content: bytes) -> Pictures:
    """Read the pictures of a zip, each cut to its middle square and scaled to 28×28.

    The folder right above a picture is its class, wherever that folder stands. Whatever else is in
    the zip is left out; a zip that tries something is refused whole.

    Returns: the pictures by class and name; the classes in natural order, 2 before 10.
    Raises: ValueError, one sentence that says what is wrong with the zip and what is accepted.
    """
    if not _reading.acquire(timeout=SECONDS):
        raise ValueError("the server is reading other zips just now: try again in a minute")
    try:
        return _read(content)
    finally:
        _reading.release()


def _read(content: bytes) -> Pictures:
    until = time.monotonic() + SECONDS
    found: list[tuple[str, str, UInt8[np.ndarray, "28 28 3"]]] = []  # folder, file, pixels
    left_out: list[str] = []
    pixels, slow = 0, False
    for entry in zips.entries(content):
        *above, _ = entry.name.split("/")
        unpacked = zips.unpack(entry)
        with files.alone():
            try:
                if not above:
                    raise ValueError("lies in no folder")
                if zips.begins(unpacked):
                    raise ValueError("is a zip in the zip")
                picture = files.opened(unpacked)
                pixels += picture.width * picture.height
                if pixels > PIXELS_IN_ALL:
                    break
                if time.monotonic() > until:
                    slow = True
                    break
                found.append((above[-1], entry.name, files.middle(picture, SIDE)))
            except ValueError as error:
                left_out.append(f"{zips.printable(entry.name)} {error}")
    if slow:
        raise ValueError(
            f"the zip's pictures must be read within {SECONDS:g} s: send fewer or smaller ones"
        )
    if pixels > PIXELS_IN_ALL:
        raise ValueError(
            f"the zip's pictures must have at most {PIXELS_IN_ALL // 1_000_000:,} megapixels "
            "together, got more: scale them down first"
        )
    if not found:
        first = f", and {left_out[0]}" if left_out else ""
        raise ValueError(f"the zip must hold {zips.HELD}, got no readable picture{first}")
    names = _classes({folder for folder, _, _ in found})
    order = sorted(names.values(), key=_naturally)
    labelled = sorted(
        ((order.index(names[folder]), name, picture) for folder, name, picture in found),
        key=lambda each: each[:2],
    )
    labels = np.array([label for label, _, _ in labelled], dtype=np.int64)
    for name, count in zip(order, np.bincount(labels).tolist(), strict=True):
        if count < LEAST:
            raise ValueError(
                f"the zip must have at least {LEAST} pictures in each folder, "
                f"got {count} in {name!r}"
            )
    images = np.stack([picture for _, _, picture in labelled]).transpose(0, 3, 1, 2)
    grey = bool((images == images[:, :1]).all())
    return Pictures(
        images=np.ascontiguousarray(images[:, :1] if grey else images),
        labels=labels,
        classes=tuple(order),
        left_out=_shortened(left_out),
    )


def split(pictures: Pictures, seed: int = 0) -> Parts:
    """Draw 15 % of each class to choose by and 15 % to test, at least one; the rest is to learn.

    Args:
        pictures: with at least three of each class.
        seed: of the draw; the same seed always gives the same parts.

    Returns: the parts, each in an order drawn at random.
    Raises: ValueError when a class has fewer than three.
    """
    source = np.random.default_rng(seed)
    order = source.permutation(len(pictures.labels))
    drawn: tuple[list[int], list[int], list[int]] = [], [], []
    for label, name in enumerate(pictures.classes):
        own = order[pictures.labels[order] == label].tolist()
        share = max(1, len(own) * 15 // 100)
        if len(own) <= 2 * share:
            raise ValueError(f"each class must have at least 3 pictures, got {len(own)} of {name}")
        validation, test, training = own[:share], own[share : 2 * share], own[2 * share :]
        for part, indices in zip(drawn, (training, validation, test), strict=True):
            part += indices
    place = np.argsort(order)
    return Parts(*(np.array(sorted(part, key=place.__getitem__), dtype=np.int64) for part in drawn))


def folder() -> Path:
    """Tell where pictures are kept: beside the runs, hidden from them."""
    return Path(os.environ.get("GLASSBOX_RUNS") or ROOT / ".runs") / ".pictures"


def keep(folder: Path, pictures: Pictures) -> str:
    """Write the pictures to the folder, under a name that follows from what is in them.

    Where the folder would take too much, those that nobody has loaded for longest go, but none of
    the last day.

    Returns: the name, for `load`.
    Raises: ValueError when there is no room.
    """
    name = _hash(pictures)
    place = folder / f"{name}.safetensors"
    words = {"classes": pictures.classes, "left_out": pictures.left_out}
    with _keeping:
        folder.mkdir(parents=True, exist_ok=True)
        needed = pictures.images.nbytes + pictures.labels.nbytes + 2**16
        make_room(folder, place, needed, "the pictures", "take fewer pictures")
        tensors = {"images": pictures.images, "labels": pictures.labels}
        metadata = {"pictures": json.dumps(words)}
        atomically(place, lambda beside: save_file(tensors, beside, metadata=metadata))
    return name


def load(folder: Path, name: str) -> Pictures:
    """Read pictures that were kept, and note that they are in use.

    Raises: ValueError when the name is none, or the file has gone or is not what was written.
    """
    if not NAME.fullmatch(name):
        raise ValueError(f"name must be 32 of 0-9 and a-f, got {zips.printable(name)!r}")
    place = folder / f"{name}.safetensors"
    try:
        with safe_open(place, framework="numpy") as file:
            words = json.loads(file.metadata()["pictures"])
            images, labels = file.get_tensor("images"), file.get_tensor("labels")
        classes, left_out = (tuple(words[key]) for key in ("classes", "left_out"))
        pictures = Pictures(images, labels, classes, left_out)
        if _hash(pictures) != name:
            raise ValueError("the file is not what was written")
    except Exception as error:  # safetensors raises its own class and plain ones
        raise ValueError(
            "these pictures are no longer on the server: upload the zip again"
        ) from error
    with suppress(OSError):  # it went meanwhile, or the disk is read-only
        os.utime(place)
    return pictures


def make_room(folder: Path, place: Path, needed: int, what: str, advice: str) -> None:
    """Delete the files of a folder that were loaded longest ago, as many as have to go.

    Args:
        folder: of files under such names as `keep` gives; each folder has the whole quota.
        place: of the file that is about to be written.
        needed: bytes that it will take.
        what: needs the room, in words.
        advice: what to do where there is none, in words.

    Raises: ValueError when there is no room.
    """
    known: list[tuple[float, int, Path]] = []
    for path in folder.iterdir():
        with suppress(OSError):
            told = path.stat()
            if HALF_WRITTEN.fullmatch(path.name) and time.time() - told.st_mtime > BEING_WRITTEN:
                path.unlink()
            elif path != place:
                known.append((told.st_mtime, told.st_size, path))
    excess = sum(size for _, size, _ in known) + needed - QUOTA
    going = list(_oldest(known, excess))
    if excess > sum(size for size, _ in going):
        raise ValueError(
            f"the server must have room for {what}, got a full one: {advice}, or try again tomorrow"
        )
    for _, path in going:
        path.unlink(missing_ok=True)


def _classes(folders: set[str]) -> dict[str, str]:
    """Name the class of each folder."""
    names = {each: zips.printable(each, LETTERS) for each in folders}
    least, most = CLASSES
    if not least <= len(names) <= most:
        raise ValueError(
            f"the zip must have {least} to {most} folders with pictures, one a class, "
            f"got {len(names)}"
        )
    if len(set(names.values())) < len(names):
        raise ValueError(
            "the zip must have folders whose names differ in their first "
            f"{LETTERS} readable characters, got two that do not"
        )
    return names


def _naturally(name: str) -> tuple[list[str | int], str]:
    """Sort 2 before 10, and the same in large and small letters."""
    parts = re.split(r"([0-9]+)", name.casefold())
    return [int(part) if place % 2 else part for place, part in enumerate(parts)], name


def _shortened(sentences: list[str]) -> tuple[str, ...]:
    rest = len(sentences) - TOLD
    more = (f"and {rest:,} more {'file' if rest == 1 else 'files'}",) if rest > 0 else ()
    return (*sentences[:TOLD], *more)


def _hash(pictures: Pictures) -> str:
    words = json.dumps([pictures.images.shape, pictures.classes, pictures.left_out])
    content = hashlib.sha256(words.encode())
    content.update(np.ascontiguousarray(pictures.images).data)
    content.update(np.ascontiguousarray(pictures.labels).data)
    return content.hexdigest()[:32]


def _oldest(known: Iterable[tuple[float, int, Path]], excess: int) -> Iterator[tuple[int, Path]]:
    for touched, size, path in sorted(known):
        if excess <= 0 or time.time() - touched < DAY:
            break
        yield size, path
        excess -= size
