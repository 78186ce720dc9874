"""A visitor's own pictures: a zip with a folder a class becomes 28×28 pixels, and nothing else.

The zip is read in memory, and no byte of it ever reaches the disk. Only what became of it is kept:
the small pictures, in one safetensors file under the hash of what is in it.

    folder()/0123456789abcdef0123456789abcdef.safetensors

This module needs no torch: the server reads it too.
"""

import hashlib
import io
import json
import os
import re
import stat
import struct
import threading
import time
import unicodedata
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int64, UInt8
from PIL import Image, UnidentifiedImageError
from safetensors import safe_open
from safetensors.numpy import save_file

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
HALF_WRITTEN = re.compile(r"\.[0-9a-f]{32}\.safetensors\.\d+")
DAY = 86_400  # seconds in which nobody's pictures make room for others
BEING_WRITTEN = 600.0  # seconds in which a half-written file may still become a whole one
QUOTA = 2 * 2**30  # bytes of everybody's files together, in each folder

MEGABYTE = 2**20
ZIP = 64 * MEGABYTE  # bytes of the upload
ENTRIES = 5_000  # files and folders; so also the most pictures
UNPACKED = 20 * MEGABYTE  # bytes of one file
UNPACKED_IN_ALL = 256 * MEGABYTE
RATIO = 200  # unpacked bytes for a packed one, in a file of more than a megabyte
PIXELS = 24_000_000  # of one picture
JPEG, SCAN, SCANS = b"\xff\xd8", b"\xff\xda", 60  # each scan takes time for all pixels
SECONDS = 30.0  # that reading a zip may take, and that another may wait for it
PIXELS_IN_ALL = 1_000_000_000  # some pack a thousand to one: without an end they cost minutes
CLASSES = (2, 20)
LEAST = 5  # pictures a class
LETTERS = 40  # of a class's name
TOLD = 5  # files that were left out and are named
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
ACCEPTED = "a zip with one folder of pictures a class (JPEG, PNG, WebP, GIF, BMP or TIFF)"

ENDLESS = 1e30  # values of floats beyond it are cut, so that their difference is a float too

LOCAL, CENTRAL, LOCAL_HEADER = b"PK\x03\x04", b"PK\x01\x02", 30  # signatures; bytes before a name
ENCRYPTED = 0x1 | 0x40 | 0x2000  # bits: encrypted, strongly so, and the directory too
UTF_8 = 0x800  # the bit that says so; macOS writes UTF-8 without it
JUNK = re.compile(r"(.*/)?(__MACOSX/.*|\.[^/]*(/.*)?|thumbs\.db|desktop\.ini)", re.I | re.S)
LEADS_OUT = re.compile(r"/|[a-z]:|.*[\\\0]|(.*/)?\.\.(/|$)", re.I | re.S)

ORIENTATION = 0x0112  # the EXIF tag
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
EXIF_ERRORS = (AttributeError, LookupError, OSError, SyntaxError, TypeError, ValueError)

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


@dataclass(frozen=True, slots=True)
class _Entry:
    """A file in the zip, its header checked and not a byte of it unpacked yet."""

    name: str
    packed: memoryview
    deflated: bool
    size: int  # bytes, unpacked, as the header says
    checksum: int


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
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL")  # of what it only suspects
        for entry in _entries(content):
            *above, _ = entry.name.split("/")
            unpacked = _unpack(entry)
            try:
                if not above:
                    raise ValueError("lies in no folder")
                picture = _open(unpacked)
                pixels += picture.width * picture.height
                if pixels > PIXELS_IN_ALL:
                    break
                if time.monotonic() > until:
                    slow = True
                    break
                found.append((above[-1], entry.name, _small(picture)))
            except ValueError as error:
                left_out.append(f"{_printable(entry.name)} {error}")
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
        raise ValueError(f"the zip must be {ACCEPTED}, got no readable picture{first}")
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
        raise ValueError(f"name must be 32 of 0-9 and a-f, got {_printable(name)!r}")
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


def _entries(content: bytes) -> list[_Entry]:
    """List the files of a zip that may be pictures, all that can be checked beforehand checked."""
    if len(content) > ZIP:
        raise ValueError(
            f"the zip must have at most {ZIP // MEGABYTE} MB, got {len(content) / MEGABYTE:.0f} MB"
        )
    # Every entry has this signature, so that a million are refused before an object is made of one.
    count = content.count(CENTRAL)
    if count > ENTRIES:
        raise ValueError(f"the zip must have at most {ENTRIES:,} entries, got {count:,}")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            headers = archive.infolist()
    except Exception as error:  # it raises BadZipFile, and whatever its parser stumbles over
        raise ValueError(f"the file must be {ACCEPTED}, got no zip or a damaged one") from error
    names = [_name(header) for header in headers]
    for header, name in zip(headers, names, strict=True):
        _check(header, name)
    if twice := next((name for name, times in Counter(names).items() if times > 1), None):
        raise ValueError(f"the zip must have each name once, got {_printable(twice)} twice")
    total = sum(header.file_size for header in headers)
    if total > UNPACKED_IN_ALL:
        raise ValueError(
            f"the zip must unpack to at most {UNPACKED_IN_ALL // MEGABYTE} MB, "
            f"got {total / MEGABYTE:,.0f} MB"
        )
    entries, reached = [], 0
    for header, name in sorted(zip(headers, names, strict=True), key=_offset):
        start, stop = _span(content, header)
        if start < reached:
            raise ValueError("the zip must hold its files one after another, got two that overlap")
        reached = stop
        if not (name.endswith("/") or JUNK.fullmatch(name)):
            packed = memoryview(content)[stop - header.compress_size : stop]
            deflated = header.compress_type == zipfile.ZIP_DEFLATED
            entries.append(_Entry(name, packed, deflated, header.file_size, header.CRC))
    return sorted(entries, key=lambda entry: entry.name)


def _offset(pair: tuple[zipfile.ZipInfo, str]) -> int:
    return pair[0].header_offset


def _name(header: zipfile.ZipInfo) -> str:
    """Read the name as it was meant, without empty parts; zipfile would end it at a NUL."""
    name = header.orig_filename
    if not header.flag_bits & UTF_8:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    if LEADS_OUT.match(name):
        raise ValueError(
            f"the zip must hold plain relative names, got {_printable(name)}, which leads out of it"
        )
    parts = [part for part in name.split("/") if part not in ("", ".")]
    return "/".join(parts) + "/" * name.endswith("/")


def _check(header: zipfile.ZipInfo, name: str) -> None:
    """Refuse what no honest zip of pictures has."""
    shown, kind = _printable(name), stat.S_IFMT(header.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ValueError(
            f"the zip must hold files and folders only, got the link or device {shown}"
        )
    if header.flag_bits & ENCRYPTED:
        raise ValueError(f"the zip must not be encrypted, got {shown} under a password")
    if header.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"the zip must be packed by deflate, got another method for {shown}")
    if header.file_size > UNPACKED:
        raise ValueError(
            f"each file in the zip must unpack to at most {UNPACKED // MEGABYTE} MB, "
            f"got {header.file_size / MEGABYTE:,.0f} MB for {shown}"
        )
    if header.file_size > max(MEGABYTE, RATIO * header.compress_size):
        raise ValueError(
            f"a large file in the zip must unpack to at most {RATIO} times its packed size, "
            f"got more for {shown}"
        )


def _span(content: bytes, header: zipfile.ZipInfo) -> tuple[int, int]:
    """Find where an entry begins, its own header included, and where it ends."""
    start = header.header_offset
    local = content[start : start + LOCAL_HEADER] if start >= 0 else b""
    if len(local) == LOCAL_HEADER and local.startswith(LOCAL):
        name, extra = struct.unpack_from("<2H", local, LOCAL_HEADER - 4)
        stop = start + LOCAL_HEADER + name + extra + header.compress_size
        if stop <= len(content):
            return start, stop
    raise ValueError(f"the zip must be whole, got none of {_printable(header.filename)}")


def _unpack(entry: _Entry) -> bytes:
    """Unpack a file, at most a byte further than its header says: what lies there is refused."""
    unpacked, whole = bytes(entry.packed), True
    if entry.deflated:
        inflating = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            unpacked = inflating.decompress(entry.packed, entry.size + 1)
            whole = inflating.eof
        except zlib.error:
            whole = False
    if not whole or len(unpacked) != entry.size or zlib.crc32(unpacked) != entry.checksum:
        raise ValueError(
            f"each file in the zip must be what its header says, got {_printable(entry.name)} "
            "of another size or damaged: make the zip again"
        )
    return unpacked


def _open(content: bytes) -> Image.Image:
    """Open a picture by its content, not a pixel of it decoded."""
    if content.startswith(LOCAL):
        raise ValueError("is a zip in the zip")
    if content.startswith(JPEG) and content.count(SCAN) > SCANS:
        raise ValueError(f"has more than {SCANS} scans")
    try:
        picture = Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise ValueError("is no picture of a kind that is accepted") from error
    except Image.DecompressionBombError as error:
        raise ValueError(f"has more than {PIXELS // 1_000_000} megapixels") from error
    except Exception as error:  # PIL's plugins raise whatever they stumble over
        raise ValueError("is a damaged picture") from error
    if picture.width * picture.height > PIXELS:
        raise ValueError(f"has more than {PIXELS // 1_000_000} megapixels")
    return picture


def _small(picture: Image.Image) -> UInt8[np.ndarray, "28 28 3"]:
    """Decode a picture, and scale its middle square."""
    try:
        picture.draft(None, (4 * SIDE, 4 * SIDE))  # JPEG alone: decodes it small, and fast
        picture.load()
        return _square(_simple(picture), _turn(picture))
    except Exception as error:  # PIL's plugins raise whatever they stumble over
        raise ValueError("is a damaged or truncated picture") from error


def _turn(picture: Image.Image) -> Image.Transpose | None:
    """Read how the camera was held; nothing where its note cannot be read."""
    with suppress(*EXIF_ERRORS, struct.error):
        return TURNS.get(picture.getexif().get(ORIENTATION, 1))
    return None


def _simple(picture: Image.Image) -> Image.Image:
    """Bring any mode to L, RGB, RGBA or F, black at 0 and white at 255."""
    if picture.mode.startswith("I") or picture.mode == "F":
        values = np.nan_to_num(np.asarray(picture).astype(np.float32), posinf=0, neginf=0)
        values = values.clip(-ENDLESS, ENDLESS)
        black, white = _ends(picture.mode, values)
        return Image.fromarray((values - black) * np.float32(255 / (white - black or 1)))
    if picture.has_transparency_data:
        return picture.convert("RGBA")
    return picture.convert("L" if picture.mode in ("1", "L") else "RGB")


def _ends(mode: str, values: Float[np.ndarray, "h w"]) -> tuple[float, float]:
    """Tell what is black and white: by the mode, else as usual where that holds all."""
    usual = {"I": (255.0, 65_535.0), "F": (1.0, 255.0, 65_535.0)}.get(mode, (65_535.0,))
    least, most = float(values.min()), float(values.max())
    held = (white for white in usual if least >= 0 and most <= white)
    return next(((0.0, white) for white in held), (least, most))


def _square(picture: Image.Image, turn: Image.Transpose | None) -> UInt8[np.ndarray, "28 28 3"]:
    """Scale the middle square to 28×28, each pixel the mean of what it covers, over white."""
    side = min(picture.size)
    left, top = ((length - side) // 2 for length in picture.size)
    method = Image.Resampling.BOX if side >= SIDE else Image.Resampling.BILINEAR
    small = picture.resize((SIDE, SIDE), method, box=(left, top, left + side, top + side))
    if turn is not None:
        small = small.transpose(turn)
    values = np.asarray(small).astype(np.float64).reshape(SIDE, SIDE, -1)
    if picture.mode == "RGBA":
        cover = values[..., 3:] / 255
        values = values[..., :3] * cover + 255 * (1 - cover)
    pixels = values.round().clip(0, 255).astype(np.uint8)
    return np.broadcast_to(pixels, (SIDE, SIDE, 3)).copy()


def _classes(folders: set[str]) -> dict[str, str]:
    """Name the class of each folder."""
    names = {each: _printable(each, LETTERS) for each in folders}
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


def _printable(name: str, letters: int = 60) -> str:
    """Make a stranger's name safe to show: one line, no invisible characters, not too long."""
    plain = unicodedata.normalize("NFC", name[: 4 * letters])
    shown = "".join(letter if letter.isprintable() else " " for letter in plain)
    return " ".join(shown.split())[:letters].strip() or "unnamed"


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
