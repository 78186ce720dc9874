"""Each text is there, is the same each time, and has what it says."""

from collections import Counter
from pathlib import Path

import pytest

from core.bpe import texts
from core.bpe.texts import TEXTS, read
from core.shared import own_texts as own

BYTES = {
    "topics": (400_000, 600_000),
    "python": (900_000, 1_100_000),
    "tang": (80_000, 90_000),
    "wikipedia": (11, 11),
    "sennrich": (94, 94),
}


@pytest.mark.parametrize("name", TEXTS)
def test_each_text_can_be_read(name: str) -> None:
    text = read(name)
    assert read(name) is text
    least, most = BYTES[name]
    assert least <= len(text.encode()) <= most
    about = TEXTS[name]
    assert about.title
    assert about.about.endswith(".")
    assert about.source


def test_sennrichs_words_are_as_often_as_in_the_paper() -> None:
    words = Counter(read("sennrich").split(" "))
    assert words == {"low": 5, "lower": 2, "newest": 6, "widest": 3}
    assert read("wikipedia") == "aaabdaaabac"


def test_ones_own_text_is_read_like_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own, "folder", lambda: tmp_path)
    name = own.keep(own.folder(), b"x", texts.LEAST)
    assert read(name) == "x"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("klingon", "text must be one of .*'tang'.* or a text of one's own, got 'klingon'"),
        ("own-" + "0" * 32, "this text is no longer on the server: upload it again"),
    ],
)
def test_there_is_no_other_text(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(name)
