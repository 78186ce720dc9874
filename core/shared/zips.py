"""The files in a stranger's zip, read in memory, each checked before a byte of it is unpacked.

A zip that tries something is refused whole: a way out of it, a link, a password, a bomb. No byte
of it ever reaches the disk.

This module needs no torch: the server reads it too.
"""

import io
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass

__all__ = ["ACCEPTED", "HELD", "Entry", "begins", "entries", "printable", "unpack"]

MEGABYTE = 2**20
ZIP = 64 * MEGABYTE  # bytes of the upload
ENTRIES = 5_000  # files and folders; so also the most pictures
UNPACKED = 20 * MEGABYTE  # bytes of one file
UNPACKED_IN_ALL = 256 * MEGABYTE
RATIO = 200  # unpacked bytes for a packed one, in a file of more than a megabyte
HELD = "one folder of pictures a class (JPEG, PNG, WebP, GIF, BMP or TIFF)"
ACCEPTED = f"a zip with {HELD}"

LOCAL, CENTRAL, LOCAL_HEADER = b"PK\x03\x04", b"PK\x01\x02", 30  # signatures; bytes before a name
ENCRYPTED = 0x1 | 0x40 | 0x2000  # bits: encrypted, strongly so, and the directory too
UTF_8 = 0x800  # the bit that says so; macOS writes UTF-8 without it
JUNK = re.compile(r"(.*/)?(__MACOSX/.*|\.[^/]*(/.*)?|thumbs\.db|desktop\.ini)", re.I | re.S)
LEADS_OUT = re.compile(r"/|[a-z]:|.*[\\\0]|(.*/)?\.\.(/|$)", re.I | re.S)


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in the zip, its header checked and not a byte of it unpacked yet."""

    name: str
    packed: memoryview
    deflated: bool
    size: int  # bytes, unpacked, as the header says
    checksum: int


def entries(content: bytes) -> list[Entry]:
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
        raise ValueError(f"the zip must have each name once, got {printable(twice)} twice")
    total = sum(header.file_size for header in headers)
    if total > UNPACKED_IN_ALL:
        raise ValueError(
            f"the zip must unpack to at most {UNPACKED_IN_ALL // MEGABYTE} MB, "
            f"got {total / MEGABYTE:,.0f} MB"
        )
    found, reached = [], 0
    for header, name in sorted(zip(headers, names, strict=True), key=_offset):
        start, stop = _span(content, header)
        if start < reached:
            raise ValueError("the zip must hold its files one after another, got two that overlap")
        reached = stop
        if not (name.endswith("/") or JUNK.fullmatch(name)):
            packed = memoryview(content)[stop - header.compress_size : stop]
            deflated = header.compress_type == zipfile.ZIP_DEFLATED
            found.append(Entry(name, packed, deflated, header.file_size, header.CRC))
    return sorted(found, key=lambda entry: entry.name)


def begins(content: bytes) -> bool:
    """Tell whether a file begins as a zip does."""
    return content.startswith(LOCAL)


def unpack(entry: Entry) -> bytes:
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
            f"each file in the zip must be what its header says, got {printable(entry.name)} "
            "of another size or damaged: make the zip again"
        )
    return unpacked


def printable(name: str, letters: int = 60) -> str:
    """Make a stranger's name safe to show: one line, no invisible characters, not too long."""
    plain = unicodedata.normalize("NFC", name[: 4 * letters])
    shown = "".join(letter if letter.isprintable() else " " for letter in plain)
    return " ".join(shown.split())[:letters].strip() or "unnamed"


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
            f"the zip must hold plain relative names, got {printable(name)}, which leads out of it"
        )
    parts = [part for part in name.split("/") if part not in ("", ".")]
    return "/".join(parts) + "/" * name.endswith("/")


def _check(header: zipfile.ZipInfo, name: str) -> None:
    """Refuse what no honest zip of pictures has."""
    shown, kind = printable(name), stat.S_IFMT(header.external_attr >> 16)
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
    raise ValueError(f"the zip must be whole, got none of {printable(header.filename)}")
