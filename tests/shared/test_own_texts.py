"""A visitor's text comes back as it was, cleaned; what is no text is refused in one sentence."""

import os
import random
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from core.shared import own_texts as own
from core.shared import uploads
from core.shared.own_texts import clean, keep, load

quiet = settings(derandomize=True, deadline=None, max_examples=200)
TEXT = "Ein Text, 春眠不觉晓。\n" * 20


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"a" * 300 + b"\xff\xfe", "must be UTF-8, got the byte 0xff at offset 300"),
        (b"a" * 3000 + b"\xc3", "must be UTF-8, got the byte 0xc3 at offset 3,000"),
        (TEXT.encode("utf-16"), "must be UTF-8, got the byte 0xff at offset 0"),
        (("abc " * 90).encode("utf-16-le"), "must have no NUL characters, got one at offset 1"),
        (b"\xed\xa0\x80" * 200, "must be UTF-8, got the byte 0xed at offset 0"),  # a surrogate
        (b"\xc0\xaf" * 200, "must be UTF-8, got the byte 0xc0 at offset 0"),  # overlong
        (b"a" * 199, "must have at least 200 characters, got 199"),
        (b"", "must have at least 200 characters, got 0"),
        (b"\r\n" * 199, "must have at least 200 characters, got 199"),
        (b"a" * 5_000_001, "must have at most 5 MB, got 5.0 MB"),
        (b"a" * 9_900_000, "must have at most 5 MB, got 9.9 MB"),
    ],
)
def test_what_is_no_text_is_refused_and_nothing_is_written(
    content: bytes, sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=f"^the text {sentence}$"):
        keep(tmp_path, content)
    assert list(tmp_path.iterdir()) == []


def test_a_text_comes_back_under_a_name_of_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    name = keep(folder, TEXT.encode())
    assert name.startswith("own-")
    assert load(folder, name) == TEXT
    assert keep(folder, TEXT.encode()) == name
    assert keep(folder, b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode()) == name
    assert keep(folder, (TEXT + "!").encode()) != name
    assert sorted(path.suffix for path in folder.iterdir()) == [".txt", ".txt"]


def test_ends_of_lines_are_one_newline_and_nothing_hidden_stays() -> None:
    given = "\ufeffa\r\nb\rc\n\td\x0c\x1b[1m\x7f\x85e\u00a0" + "." * 200
    assert clean(given.encode()) == "a\nb\nc\n\td[1me\u00a0" + "." * 200


@given(content=some.binary(max_size=60), filler=some.booleans())
@quiet
def test_any_bytes_are_a_clean_text_or_one_sentence(content: bytes, filler: bool) -> None:
    given, text, refusal = content + b"x" * 200 * filler, "", ""
    try:
        text = clean(given)
    except ValueError as error:
        refusal = str(error)
    if not text:
        assert refusal.startswith("the text must ")
        assert refusal.isprintable()
        return
    assert clean(text.encode()) == text
    assert len(text) >= 200
    assert all(each.isprintable() or each.isspace() or ord(each) > 0x9F for each in text)


@pytest.mark.parametrize("name", ["", "own-", "own-../../etc/passwd", "0" * 32, "own-" + "A" * 32])
def test_a_name_that_is_none_opens_no_file(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="name must be 'own-' and 32 of 0-9 and a-f, got "):
        load(tmp_path, name)


def test_a_file_that_went_or_was_changed_is_not_read(tmp_path: Path) -> None:
    name = keep(tmp_path, TEXT.encode())
    (place,) = tmp_path.iterdir()
    for change in (lambda: place.write_text("other" * 99), place.unlink):
        change()
        with pytest.raises(ValueError, match="no longer on the server: upload it again"):
            load(tmp_path, name)


def test_what_is_read_stays_and_what_nobody_reads_makes_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = random.Random(0)
    contents = [bytes(source.choices(b"abcdef", k=1_000)) for _ in range(3)]
    names = [keep(tmp_path, content) for content in contents[:2]]
    for path in tmp_path.iterdir():
        os.utime(path, (time.time() - 3 * uploads.DAY,) * 2)
    load(tmp_path, names[0])
    half = tmp_path / f".{'0' * 32}.txt.77"  # of a server that was stopped while it wrote
    half.write_bytes(b"x" * 500)
    os.utime(half, (time.time() - 2 * uploads.BEING_WRITTEN,) * 2)
    monkeypatch.setattr(uploads, "QUOTA", 2_000)
    names.append(keep(tmp_path, contents[2]))
    assert not half.exists()
    assert load(tmp_path, names[0]).encode() == contents[0]
    assert load(tmp_path, names[2]).encode() == contents[2]
    with pytest.raises(ValueError, match="no longer on the server"):
        load(tmp_path, names[1])
    with pytest.raises(ValueError, match="the server must have room for the text, got a full one"):
        keep(tmp_path, contents[1])


def test_texts_are_kept_beside_the_pictures() -> None:
    assert own.folder().parent == uploads.folder().parent
    assert own.folder().name.startswith(".")
