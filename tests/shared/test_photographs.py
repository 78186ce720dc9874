"""The photographs are those that assets/SOURCES.md names, and show what they are said to show."""

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench import photographs as making
from core.shared.photographs import FOLDER, photograph, photographs
from core.shared.vision_library import torchvision

SOURCES = Path(__file__).parents[2] / "assets" / "SOURCES.md"
NAMES = [each.name for each in photographs()]


def test_each_is_listed_with_its_source_its_licence_and_its_sum() -> None:
    rows = re.findall(
        r"^\| `photographs/(\w+)\.jpg` \| (.+) \| (.+) \| (.+) \| `(\w{64})` \|$",
        SOURCES.read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert [row[0] for row in rows] == NAMES
    assert sorted(f"{name}.jpg" for name in NAMES) == sorted(each.name for each in FOLDER.iterdir())
    for name, _, _, licence, told in rows:
        assert hashlib.sha256((FOLDER / f"{name}.jpg").read_bytes()).hexdigest() == told
        assert re.match(r"CC0|public domain|\[CC BY 2\.0\]\(https://creativecommons", licence)


def test_together_they_are_small() -> None:
    assert sum(each.stat().st_size for each in FOLDER.iterdir()) < making.LARGEST <= 700_000


@pytest.mark.parametrize("name", NAMES)
def test_each_is_read_as_it_is(name: str) -> None:
    with Image.open(FOLDER / f"{name}.jpg") as picture:
        assert max(picture.size) <= 640
        assert not picture.getexif()
        plain = np.asarray(picture.convert("RGB"))
    seen = photograph(name)
    assert np.array_equal(seen.pixels, plain)
    assert photograph(name) is seen
    assert re.fullmatch(r"[0-9a-f]{32}", seen.name)


def test_their_names_are_their_own_and_their_labels_are_classes_of_imagenet() -> None:
    classes = torchvision.models.ResNet18_Weights.DEFAULT.meta["categories"]
    assert len(set(NAMES)) == len({photograph(name).name for name in NAMES}) == len(NAMES) == 10
    assert {each.label for each in photographs()} <= {*classes, ""}
    assert [bool(each.label) for each in photographs()] == [True] * 5 + [False] * 5
    assert all(each.title.isprintable() and len(each.title) > 4 for each in photographs())


def test_each_can_be_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sorted(making.ORIGINALS) == sorted(NAMES)
    for name in making.ORIGINALS.values():
        Image.new("RGB", (800, 500), "red").save(tmp_path / name)
    monkeypatch.setattr(making, "FOLDER", tmp_path / "made")
    monkeypatch.setattr("sys.argv", ["", str(tmp_path)])
    making.main()
    assert capsys.readouterr().out.count(" bytes ") == 11
    for name in NAMES:
        with Image.open(tmp_path / "made" / f"{name}.jpg") as picture:
            assert (picture.format, picture.size) == ("JPEG", (640, 400))


@pytest.mark.parametrize("name", ["", "dog", "../icon", "chelsea.jpg"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"^name must be one of chelsea, coffee, .*, got '"):
        photograph(name)
