"""What a picture's file claims, checked before a decoder believes it.

A decoder makes room for what a header claims, and reads a note as often as it is referred to: a
file of a megabyte can ask for gigabytes before one pixel of it is decoded. The errors here begin
with the verb, "has more than …", so that whoever reads the file can name it first.

This module needs no torch: the server reads it too.
"""

import re
import struct
from collections.abc import Iterator
from itertools import islice

__all__ = ["PIXELS", "checked", "is_modest"]

PIXELS = 24_000_000  # of one picture
SCANS = 60  # of one JPEG: each takes time for all pixels
PARTS = 30_000  # a PNG's chunks, a GIF's blocks before its first picture
SEGMENTS = 1000  # of one JPEG
RUNS = 2 * 2**20  # bytes of a BMP of run lengths, which Pillow decodes in Python
NUMBERS = 2**18  # in a TIFF's directories, where each strip of rows has two

MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")  # neither a stuffed byte nor a restart
PNG, GIF, BMP = b"\x89PNG\r\n\x1a\n", (b"GIF87a", b"GIF89a"), b"BM"
OLD_BMP = b"\x0c"  # bytes of the header that knows no run lengths
RUN_LENGTHS = (b"\1\0\0\0", b"\2\0\0\0")
EXTENSION, IMAGE = b"!", b","  # what a GIF's block begins with
TABLE, TABLE_SIZE = 0x80, 0x07  # bits of a GIF's header: it has a palette, and how large a one
JPEG, EXIF = b"\xff\xd8\xff", b"Exif\0\0"
ALONE = frozenset({0x01, 0xD8})  # markers that no length follows
END, SCAN = 0xD9, 0xDA
APP0, APP1, ADOBE, NOTES = 0xE0, 0xE1, 0xEE, frozenset({*range(0xE0, 0xF0), 0xFE})

TIFF = {b"II*\0": "<", b"II\0*": "<", b"MM\0*": ">", b"MM*\0": ">"}  # the first bytes: the order
BIG_TIFF = (b"II+\0", b"II\0+", b"MM\0+", b"MM+\0")
BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
ENTRY, INLINE = 12, 4  # bytes of a tag, and of a value that stands in it
KEPT_AS_BYTES = frozenset({1, 2, 7})  # types; what is of another becomes a Python number each
POINTERS = {3: "H", 6: "B", 8: "H"}  # how an offset is packed that is not in four bytes, by type
NESTED = frozenset({34665, 34853, 40965})  # tags of directories within, which Pillow reads too


def checked(content: bytes) -> bytes:
    """Give back what a decoder may be given: of a JPEG only what its first picture needs.

    Raises: ValueError, words for after the file's name, when a header asks for too much.
    """
    if content.startswith(JPEG):
        return _first_picture(content)
    if content[:4] in BIG_TIFF:
        raise ValueError("is a BigTIFF")
    if content[:4] in TIFF and not is_modest(content):
        raise ValueError("is a TIFF whose tags hold more than the file")
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        _check_canvas(content)
    if content.startswith(PNG):
        _check_count(_chunks(content))
    if content.startswith(GIF):
        _check_count(_blocks(content))
    if content.startswith(BMP) and len(content) > RUNS and _has_run_lengths(content):
        raise ValueError(f"is a BMP of run lengths of more than {RUNS // 2**20} MB")
    return content


def is_modest(note: bytes) -> bool:
    """Tell whether a TIFF's or EXIF's directories refer to no more bytes than there are.

    Pillow reads each value by itself, so a thousand tags that share one megabyte take a thousand.
    A directory that ends early is modest: Pillow stops there as well.
    """
    if note.startswith(3 * EXIF):  # Pillow takes them off one by one, the note copied each time
        return False
    note = note.removeprefix(EXIF).removeprefix(EXIF)
    if note[:4] not in TIFF:
        return note[:4] not in BIG_TIFF  # Pillow finds no directory in the others
    order, stored, numbers = TIFF[note[:4]], 0, 0
    try:
        waiting, seen = [*struct.unpack_from(order + "I", note, 4)], set[int]()
        while waiting:
            start = waiting.pop()
            if start in seen:
                continue
            seen.add(start)
            (tags,) = struct.unpack_from(order + "H", note, start)
            for place in range(start + 2, start + 2 + ENTRY * tags, ENTRY):
                tag, kind, many = struct.unpack_from(order + "HHI", note, place)
                size = many * BYTES.get(kind, 0)
                stored += size if size > INLINE else 0
                numbers += many if kind in BYTES and kind not in KEPT_AS_BYTES else 1
                if stored > len(note) or numbers > NUMBERS:
                    return False
                if tag in NESTED:
                    packed = order + POINTERS.get(kind, "I")
                    waiting += struct.unpack_from(packed, note, place + 8)
    except struct.error:
        pass
    return True


def _first_picture(content: bytes) -> bytes:
    """Leave out of a JPEG the notes that nobody asked for, and what follows its end.

    Phones append films and further pictures there, whose bytes are no scans of this one.
    """
    kept, place, segments, scans, noted = bytearray(content[:2]), 2, 0, 0, False
    body, end = len(content), len(content)  # where the first scan begins and the last ends
    while found := MARKER.search(content, place):
        kind, place = found[1][0], found.end()
        if kind == END:
            end = place
            break
        segments += 1
        if segments > SEGMENTS:
            raise ValueError(f"has more than {SEGMENTS:,} segments")
        if kind in ALONE:
            continue
        if kind == SCAN:
            scans, body = scans + 1, min(body, found.start())
            if scans > SCANS:
                raise ValueError(f"has more than {SCANS} scans")
        start, place = place, place + int.from_bytes(content[place : place + 2])
        segment = content[start:place]
        if scans or kind in NOTES - {APP0, APP1, ADOBE}:
            continue
        if kind == APP1 and segment.startswith(EXIF, 2):
            if noted or not is_modest(segment[2:]):  # Pillow would join several
                continue
            noted = True
        kept += bytes([0xFF, kind]) + segment
    return bytes(kept + content[body:end])


def _check_canvas(content: bytes) -> None:
    """Refuse a WebP of too many pixels: Pillow makes room for them when it opens the file."""
    kind, start = content[12:16], content[20:30].ljust(10, b"\0")
    if kind == b"VP8X":
        width, height = (int.from_bytes(start[at : at + 3], "little") + 1 for at in (4, 7))
    elif kind == b"VP8L":
        bits = int.from_bytes(start[1:5], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        width, height = (int.from_bytes(start[at : at + 2], "little") & 0x3FFF for at in (6, 8))
    if width * height > PIXELS:
        raise ValueError(f"has more than {PIXELS // 1_000_000} megapixels")


def _chunks(content: bytes) -> Iterator[int]:
    """Find the chunks of a PNG: a length, four letters, the data, a checksum."""
    place = len(PNG)
    while place < len(content):
        yield place
        place += 12 + int.from_bytes(content[place : place + 4])


def _blocks(content: bytes) -> Iterator[int]:
    """Find what a GIF has before its first picture, in pieces of up to 255 bytes."""
    flags = int.from_bytes(content[10:11])
    place = 13 + (3 << (flags & TABLE_SIZE) + 1 if flags & TABLE else 0)
    while place < len(content) and (begin := content[place : place + 1]) != IMAGE:
        yield place
        place += 1  # Pillow passes over what is no block
        if begin == EXTENSION:
            place += 1
            while length := int.from_bytes(content[place : place + 1]):
                yield place
                place += 1 + length
            place += 1


def _check_count(parts: Iterator[int]) -> None:
    """Refuse a file of very many parts: Pillow makes objects of each."""
    if next(islice(parts, PARTS, None), None) is not None:
        raise ValueError(f"has more than {PARTS:,} parts")


def _has_run_lengths(content: bytes) -> bool:
    return content[14:15] != OLD_BMP and content[30:34] in RUN_LENGTHS
