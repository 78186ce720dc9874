"""A visitor's own text: checked, cleaned, and kept under the hash of what is in it.

folder()/0123456789abcdef0123456789abcdef.txt
"""

import hashlib
import os
import re
import threading
import unicodedata
from contextlib import suppress
from pathlib import Path

from core.shared import uploads
from core.shared.runs import atomically

__all__ = ["LARGEST", "LEAST", "PREFIX", "clean", "folder", "keep", "load"]

LARGEST = 5_000_000  # bytes
LEAST = 200  # characters
PREFIX = "own-"
NAME = re.compile(PREFIX + r"([0-9a-f]{32})")

_keeping = threading.Lock()  # sessions are threads of one process, and two may count the same room


def folder() -> Path:
    """Tell where texts are kept: beside the visitors' pictures."""
    return uploads.folder().with_name(".texts")


def clean(content: bytes, least: int = LEAST) -> str:
    """Read a file's bytes as text.

    Args:
        content: of the file.
        least: characters that it must have.

    Returns: the text with each end of a line as one newline; without a byte-order mark, and without
        control characters other than newline and tab, as nobody sees them.
    Raises: ValueError when it is no UTF-8, holds NUL (such a file is no text, or is UTF-16), or is
        too long or too short.
    """
    if len(content) > LARGEST:
        raise ValueError(
            f"the text must have at most {LARGEST // 1_000_000} MB, "
            f"got {len(content) / 1_000_000:.1f} MB"
        )
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise ValueError(
            f"the text must be UTF-8, got the byte 0x{content[error.start]:02x} "
            f"at offset {error.start:,}"
        ) from error
    if "\0" in text:
        raise ValueError(
            f"the text must have no NUL characters, got one at offset {content.index(0):,}"
        )
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    hidden = [each for each in set(text) if unicodedata.category(each) == "Cc"]
    text = text.translate({ord(each): None for each in hidden if each not in "\n\t"})
    if len(text) < least:
        more = "character" if least == 1 else "characters"
        raise ValueError(f"the text must have at least {least} {more}, got {len(text)}")
    return text


def keep(folder: Path, content: bytes, least: int = LEAST) -> str:
    """Write a text to the folder, under a name that follows from what is in it.

    Where the folder would take too much, those that nobody has loaded for longest go, but none of
    the last day.

    Args:
        folder: where; see `folder`.
        content: of a file, UTF-8.
        least: characters that it must have.

    Returns: the name, PREFIX and 32 of 0-9 and a-f, for `load`.
    Raises: ValueError, one sentence that says what is wrong with it, or that there is no room.
    """
    cleaned = clean(content, least).encode()
    name = hashlib.sha256(cleaned).hexdigest()[:32]
    place = folder / f"{name}.txt"
    with _keeping:
        folder.mkdir(parents=True, exist_ok=True)
        uploads.make_room(folder, place, len(cleaned), "the text", "send a shorter one")
        atomically(place, lambda beside: beside.write_bytes(cleaned))
    return PREFIX + name


def load(folder: Path, name: str) -> str:
    """Read a text that was kept, and note that it is in use.

    Raises: ValueError when the name is none, or the file has gone or is not what was written.
    """
    known = NAME.fullmatch(name)
    if not known:
        raise ValueError(f"name must be {PREFIX!r} and 32 of 0-9 and a-f, got {name!r}")
    place = folder / f"{known[1]}.txt"
    try:
        content = place.read_bytes()
        if hashlib.sha256(content).hexdigest()[:32] != known[1]:
            raise ValueError("the file is not what was written")
    except (OSError, ValueError) as error:
        raise ValueError("this text is no longer on the server: upload it again") from error
    with suppress(OSError):  # it went meanwhile, or the disk is read-only
        os.utime(place)
    return content.decode()
