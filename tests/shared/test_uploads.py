"""Pictures come out with known pixels; a hostile zip gives one sentence and writes nothing."""

import hashlib
import io
import os
import random
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from PIL import Image, ImageOps

from core.shared import headers, pictures, runs, uploads, zips
from core.shared.uploads import Pictures, keep, load, read_zip, split

quiet = settings(
    derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")


def written(picture: Image.Image, kind: str = "PNG", **settings: object) -> bytes:
    place = io.BytesIO()
    picture.save(place, kind, **settings)
    return place.getvalue()


def plain(shade: int | tuple[int, int, int], side: int = 28) -> bytes:
    return written(Image.new("L" if isinstance(shade, int) else "RGB", (side, side), shade))


def packed(files: Mapping[str, bytes], **change: int) -> bytes:
    """Zip the files; `change` sets fields of the last one's header."""
    place = io.BytesIO()
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            header = zipfile.ZipInfo(name)
            header.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(header, content)
        for key, value in change.items():
            setattr(archive.infolist()[-1], key, value)
    return place.getvalue()


def sound(classes: tuple[str, ...] = ("cats", "dogs"), each: int = 5) -> dict[str, bytes]:
    """Files of a good zip, each picture of a grey of its own."""
    return {
        f"{name}/{count}.png": plain(10 * label + count)
        for label, name in enumerate(classes)
        for count in range(each)
    }


def first(picture: bytes) -> np.ndarray:
    """Read one picture by way of a zip: (c, 28, 28)."""
    files = {f"a/{count}": picture for count in range(5)} | {
        f"b/{count}": plain(0) for count in range(5)
    }
    images: np.ndarray = read_zip(packed(files)).images
    return np.array(images[0])


def same(one: Pictures, other: Pictures) -> bool:
    return (
        np.array_equal(one.images, other.images)
        and np.array_equal(one.labels, other.labels)
        and (one.classes, one.left_out) == (other.classes, other.left_out)
    )


def tree(root: Path) -> dict[str, tuple[int, int]]:
    told = {path: path.lstat() for path in root.rglob("*")}
    return {str(path): (each.st_size, each.st_mtime_ns) for path, each in told.items()}


@pytest.fixture
def unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], bool]]:
    """Stand three folders deep, and tell whether a file was written there, above or to /tmp."""
    here = tmp_path / "a" / "b" / "c"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = tree(tmp_path)
    yield lambda: tree(tmp_path) == before
    assert tree(tmp_path) == before


def sentence(content: bytes) -> str:
    """Read what must be refused, and give the sentence."""
    with pytest.raises(ValueError, match=r".") as caught:
        read_zip(content)
    return str(caught.value)


def is_one_sentence(text: str) -> bool:
    return text.isprintable() and 20 < len(text) < 300 and not text.endswith(".")


# What is read


def test_a_zip_of_two_folders_is_two_classes() -> None:
    pictures = read_zip(packed(sound()))
    assert pictures.classes == ("cats", "dogs")
    assert pictures.labels.tolist() == [0] * 5 + [1] * 5
    assert pictures.images.shape == (10, 1, 28, 28)
    assert pictures.images[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4, 10, 11, 12, 13, 14]
    assert pictures.left_out == ()


def test_one_folder_around_all_changes_nothing_and_neither_does_the_order_of_files() -> None:
    files = sound()
    shuffled = {f"my set/{name}": files[name] for name in reversed(list(files))}
    assert same(read_zip(packed(shuffled)), read_zip(packed(files)))


def test_classes_are_sorted_as_people_count() -> None:
    pictures = read_zip(packed(sound(("class 10", "class 2", "Class 1"))))
    assert pictures.classes == ("Class 1", "class 2", "class 10")
    assert pictures.images[::5, 0, 0, 0].tolist() == [20, 10, 0]


def test_a_name_is_shown_in_one_line_of_forty_characters() -> None:
    pictures = read_zip(packed(sound(("c\na\tt\u202es \u200b", "x" * 100, "9" * 5_000))))
    assert pictures.classes == ("9" * 40, "c a t s", "x" * 40)


def test_folders_that_would_be_shown_alike_are_refused() -> None:
    told = sentence(packed(sound(("x" * 40 + "1", "x" * 40 + "2"))))
    assert "folders whose names differ in their first 40" in told


def test_names_in_utf_8_are_read_also_where_the_zip_does_not_say_so() -> None:
    said = packed(sound(("猫猫", "犬犬")))
    assert read_zip(said).classes == ("犬犬", "猫猫")
    with zipfile.ZipFile(io.BytesIO(said)) as archive:
        bits = struct.pack("<H", archive.infolist()[0].flag_bits)
    assert bits == b"\0\x08"
    unsaid = said.replace(b"\x14\0\0\x08", b"\x14\0\0\0")
    assert unsaid != said
    assert read_zip(unsaid).classes == ("犬犬", "猫猫")


def test_what_systems_leave_in_zips_is_passed_over_in_silence() -> None:
    junk = (
        "__MACOSX/cats/._0.png",
        "set/__MACOSX/x",
        ".DS_Store",
        "cats/.DS_Store",
        "cats/Thumbs.db",
        "cats/desktop.ini",
        ".git/config",
        "cats/.hidden/9.png",
    )
    files = sound() | dict.fromkeys(junk, plain(99)) | {"cats/": b"", "empty/": b""}
    assert same(read_zip(packed(files)), read_zip(packed(sound())))


def test_what_is_no_picture_is_left_out_with_a_word() -> None:
    whole = written(Image.effect_noise((90, 90), 60), "JPEG")
    more = {
        "cats/x.png": b"this is text",
        "cats/y.png": whole[: len(whole) // 2],
        "cats/z.zip": packed(sound()),
        "cats/z.ppm": written(Image.new("L", (28, 28)), "PPM"),
        "loose.png": plain(5),
        "dogs/huge.png": header_of_png(10_000, 10_000),  # PIL warns of it
        "dogs/huger.png": header_of_png(60_000, 60_000),  # and refuses this
        "dogs/none": b"",
    }
    pictures = read_zip(packed(sound() | more))
    assert same(replace(pictures, left_out=()), read_zip(packed(sound())))
    assert pictures.left_out == (
        "cats/x.png is no picture of a kind that is accepted",
        "cats/y.png is a damaged or truncated picture",
        "cats/z.ppm is no picture of a kind that is accepted",
        "cats/z.zip is a zip in the zip",
        "dogs/huge.png has more than 24 megapixels",
        "and 3 more files",
    )


def header_of_png(width: int, height: int) -> bytes:
    """The start of a PNG that claims a size, and a little of its data."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    size = struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(100))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


# Pixels


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 128, 255), (255, 255, 255), (90, 90, 90)])
def test_a_plain_colour_stays_what_it_is(kind: str, colour: tuple[int, int, int]) -> None:
    seen = first(written(Image.new("RGB", (61, 40), colour), kind))
    grey = len(set(colour)) == 1
    assert len(seen) == (1 if grey else 3)
    wanted = np.array(colour[:1] if grey else colour)[:, None, None]
    # JPEG and WebP hold brightness and two differences of colour, each rounded: up to 3 levels.
    assert np.abs(seen.astype(int) - wanted).max() <= (3 if kind in ("JPEG", "WEBP") else 0)


def test_28_by_28_pixels_come_out_as_they_went_in() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
    assert np.array_equal(first(written(Image.fromarray(pixels)))[0], pixels)
    colours = np.random.default_rng(1).integers(0, 256, (28, 28, 3), dtype=np.uint8)
    assert np.array_equal(first(written(Image.fromarray(colours))), colours.transpose(2, 0, 1))


def test_a_large_picture_becomes_the_mean_of_its_middle_square() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (84, 120), dtype=np.uint8)
    means = pixels[:, 18:-18].reshape(28, 3, 28, 3).astype(float).mean((1, 3))
    seen = first(written(Image.fromarray(pixels)))[0]
    assert np.abs(seen - means).max() <= 1  # PIL rounds after each of its two passes
    shifted = pixels[:, 17:-19].reshape(28, 3, 28, 3).astype(float).mean((1, 3))
    assert np.abs(seen - shifted).max() > 20  # and the oracle notices one pixel


@pytest.mark.parametrize("kind", FORMATS)
def test_half_black_and_half_white_stays_so(kind: str) -> None:
    halves = Image.new("L", (560, 560), 0)
    halves.paste(255, (280, 0, 560, 560))
    seen = first(written(halves, kind))[0].astype(int)
    assert seen[:, :14].max() <= 4
    assert seen[:, 14:].min() >= 251


def quarters(side: int = 112) -> Image.Image:
    """Black, dark, light and white quarters: each turn of it is another picture."""
    picture = Image.new("L", (side, side), 0)
    half = side // 2
    for shade, corner in ((80, (half, 0)), (160, (0, half)), (255, (half, half))):
        picture.paste(shade, (*corner, corner[0] + half, corner[1] + half))
    return picture


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_its_camera_was_held(kind: str, orientation: int) -> None:
    picture = quarters()
    exif = Image.Exif()
    exif[0x0112] = orientation
    seen = first(written(picture, kind, exif=exif))[0].astype(int)
    with Image.open(io.BytesIO(written(picture, exif=exif))) as again:
        upright = ImageOps.exif_transpose(again).resize((28, 28), Image.Resampling.BOX)
    assert np.abs(seen - np.asarray(upright).astype(int)).max() <= 8  # JPEG rings at an edge
    # The EXIF standard's table for 6: the stored left column is the top row as it should be seen.
    corners = {1: [0, 80, 160, 255], 3: [255, 160, 80, 0], 6: [160, 0, 255, 80]}
    if orientation in corners:
        wanted = np.array(corners[orientation])
        assert np.abs(seen[[3, 3, 24, 24], [3, 24, 3, 24]] - wanted).max() <= 8


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize(
    "exif",
    [
        b"nonsense",
        b"Exif\0\0MM",
        b"Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\7\xff\xff\xff\xff\0",  # ends in its tag
        b"Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\2\0\0\0\2A\0\0\0",  # a letter for a number
    ],
)
def test_a_broken_note_of_the_camera_costs_the_picture_nothing(kind: str, exif: bytes) -> None:
    seen = first(written(quarters(), kind, exif=exif))[0].astype(int)
    assert seen[3, 3] <= 8
    assert seen[24, 24] >= 247


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_what_is_transparent_shows_white_paper(kind: str) -> None:
    picture = Image.new("RGBA", (56, 56), (0, 0, 0, 0))  # black, were it not transparent
    picture.paste((200, 0, 100, 255), (0, 0, 28, 56))
    picture.paste((0, 0, 0, 51), (28, 28, 56, 56))  # a fifth of black: 255 * 4 / 5 = 204
    seen = first(
        written(picture, kind, **({"lossless": True, "exact": True} if kind == "WEBP" else {}))
    )
    assert (seen[:, :, :14] == np.array([200, 0, 100])[:, None, None]).all()
    assert (seen[:, :14, 14:] == 255).all()
    assert (seen[:, 14:, 14:] == 204).all()


def test_palettes_with_and_without_a_transparent_colour_are_read() -> None:
    picture = Image.new("P", (28, 28), 0)
    picture.putpalette([10, 20, 30, 200, 100, 50])
    picture.paste(1, (14, 0, 28, 28))
    for kind in ("PNG", "GIF", "TIFF", "BMP"):
        seen = first(written(picture, kind))
        assert seen[:, 0, 0].tolist() == [10, 20, 30], kind
        assert seen[:, 0, 27].tolist() == [200, 100, 50], kind
    for kind in ("PNG", "GIF"):
        seen = first(written(picture, kind, transparency=0))
        assert seen[:, 0, 0].tolist() == [255, 255, 255], kind
        assert seen[:, 0, 27].tolist() == [200, 100, 50], kind


def test_a_grey_or_a_colour_that_means_transparent_shows_white_paper() -> None:
    assert first(written(Image.new("L", (28, 28), 7), transparency=7)).max() == 255
    assert first(written(Image.new("L", (28, 28), 7), transparency=8)).max() == 7
    assert (
        first(written(Image.new("RGB", (28, 28), (1, 2, 3)), transparency=(1, 2, 3))).min() == 255
    )
    assert (first(written(Image.new("LA", (28, 28), (0, 51)))) == 204).all()


def test_sixteen_bits_are_scaled_to_eight() -> None:
    deep = np.zeros((28, 28), dtype=np.uint16)
    deep[:, 14:], deep[14:] = 128 * 257, 65_535
    for kind in ("PNG", "TIFF"):
        seen = first(written(Image.fromarray(deep), kind))[0]
        assert [seen[0, 0], seen[0, 27], seen[27, 0]] == [0, 128, 255]
    dim = first(written(Image.fromarray(deep // 257), "PNG"))[0]  # 16 bit that uses 8 of them: dark
    assert dim.max() == 1


@pytest.mark.parametrize(
    ("low", "middle", "high", "seen"),
    [
        (0, 0.5, 1, [0, 128, 255]),
        (0, 100, 255, [0, 100, 255]),
        (0, 32_896, 65_535, [0, 128, 255]),
        (-1, 0, 1, [0, 128, 255]),
        (5e5, 6e5, 1e6, [0, 51, 255]),
        (-7, -7, -7, [0, 0, 0]),
        (3e38, 3e38, 3e38, [0, 0, 0]),
        (np.nan, np.inf, -np.inf, [0, 0, 0]),
        (-3e38, 3e38, 0, [0, 255, 128]),  # their difference is no float32
    ],
)
def test_numbers_without_a_scale_get_the_first_that_holds_them(
    low: float, middle: float, high: float, seen: list[int]
) -> None:
    values = np.full((28, 28), low, dtype=np.float32)
    values[:, 14:], values[14:] = middle, high
    pixels = first(written(Image.fromarray(values), "TIFF"))[0]
    corners = pixels[[0, 0, 27], [0, 27, 0]].astype(int)
    assert np.abs(corners - seen).max() <= 1  # 127.5 falls to either side


def test_one_bit_and_whole_numbers_are_read() -> None:
    bits = Image.new("1", (28, 28), 1)
    assert (first(written(bits)) == 255).all()
    whole = Image.fromarray(np.full((28, 28), 65_535, dtype=np.int32))
    assert (first(written(whole, "TIFF")) == 255).all()


def test_inks_on_paper_are_read_as_colours() -> None:
    inks = Image.new("CMYK", (64, 64), (255, 0, 0, 0))  # cyan alone: red is swallowed
    for kind in ("JPEG", "TIFF"):
        seen = first(written(inks, kind))[:, 5, 5].astype(int)
        assert np.abs(seen - [0, 255, 255]).max() <= 3, kind


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF", "PNG"])
def test_of_a_film_the_first_picture_counts(kind: str) -> None:
    black, white = Image.new("L", (28, 28), 0), Image.new("L", (28, 28), 255)
    film = written(black, kind, save_all=True, append_images=[white])
    assert first(film).max() <= 3


def test_a_picture_smaller_than_28_is_enlarged_and_a_thin_one_is_cut() -> None:
    assert (first(written(Image.new("L", (1, 1), 9))) == 9).all()
    line = Image.new("L", (3_000, 1), 9)
    assert (first(written(line)) == 9).all()


def test_one_coloured_picture_makes_all_three_channels() -> None:
    pictures = read_zip(packed(sound() | {"cats/red.png": plain((255, 0, 0))}))
    assert pictures.images.shape == (11, 3, 28, 28)
    assert pictures.images[5, :, 0, 0].tolist() == [255, 0, 0]
    assert pictures.images[0, :, 0, 0].tolist() == [0, 0, 0]


# What is refused


def link() -> bytes:
    return packed(
        sound() | {"cats/9.png": b"/etc/passwd"}, external_attr=(stat.S_IFLNK | 0o777) << 16
    )


def bomb() -> bytes:
    """Ten megabytes of nothing, packed a thousand to one."""
    return packed(sound() | {"cats/9.bmp": bytes(10 * 2**20)})


def liar() -> bytes:
    """The same, with a header that admits a thousand bytes; the smaller one passes every limit."""
    content = bytearray(bomb())
    for where, field in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", content, content.rindex(where) + field, 1_000)
    return bytes(content)


def overlapping() -> bytes:
    """Two files in the directory, one place in the zip, as in Fifield's bomb."""
    content = bytearray(packed(sound()))
    one = content.index(b"PK\x01\x02")
    two = content.index(b"PK\x01\x02", one + 1)
    for start, stop in ((16, 28), (42, 46)):  # CRC, sizes, place
        content[two + start : two + stop] = content[one + start : one + stop]
    return bytes(content)


def renamed(name: str) -> bytes:
    """A good zip with one more file of any name, as zipfile itself would not write it."""
    plain_name = "q" * len(name.encode())
    content = packed(sound() | {plain_name: plain(0)})
    return content.replace(plain_name.encode(), name.encode())


def doubled() -> bytes:
    return packed(sound() | {"cats/x.png": plain(0)}).replace(b"cats/x.png", b"cats/0.png")


def many(count: int) -> bytes:
    place = io.BytesIO()
    with zipfile.ZipFile(place, "w") as archive:
        for number in range(count):
            archive.writestr(zipfile.ZipInfo(f"cats/{number}.png"), b"")
    return place.getvalue()


def damaged() -> bytes:
    content = bytearray(packed(sound()))
    content[content.index(b"IDAT") if b"IDAT" in content else 60] ^= 255
    return bytes(content)


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "got no zip"),
    "no zip": (lambda: b"hello" * 100, "got no zip"),
    "a picture": (lambda: plain(0), "got no zip"),
    "an empty zip": (lambda: packed({}), "got no readable picture"),
    "empty folders": (lambda: packed({"cats/": b"", "dogs/": b""}), "got no readable picture"),
    "half a zip": (lambda: packed(sound())[:700], "got no zip"),
    "without its start": (lambda: packed(sound())[100:], "the zip must be whole"),
    "too long": (lambda: bytes(64 * 2**20 + 1), "at most 64 MB"),
    "a way up": (lambda: renamed("../../evil.png"), "which leads out of it"),
    "a way up within": (lambda: renamed("cats/../../../evil.png"), "which leads out of it"),
    "the way up": (lambda: renamed("cats/.."), "which leads out of it"),
    "an absolute path": (lambda: renamed("/tmp/evil.png"), "which leads out of it"),
    "a drive": (lambda: renamed("C:/evil.png"), "which leads out of it"),
    "a backslash": (lambda: renamed("cats\\evil.png"), "which leads out of it"),
    "a NUL": (lambda: renamed("cats/evil.png\0.txt"), "which leads out of it"),
    "a way up in junk": (lambda: renamed("__MACOSX/../../x"), "which leads out of it"),
    "a way up over lines": (lambda: renamed("cats\n\n/../\n../x"), "which leads out of it"),
    "a link": (link, "got the link or device cats/9.png"),
    "a password": (lambda: packed(sound(), flag_bits=1), "must not be encrypted"),
    "another method": (lambda: packed(sound(), compress_type=14), "packed by deflate"),
    "a bomb": (bomb, "at most 200 times its packed size"),
    "a bomb that lies": (liar, "cats/9.bmp of another size or damaged"),
    "a large file": (lambda: packed(sound(), file_size=20 * 2**20 + 1), "at most 20 MB"),
    "ten thousand": (lambda: many(10_000), "at most 5,000 entries, got 10,000"),
    "overlapping": (overlapping, "two that overlap"),
    "a name twice": (doubled, "got cats/0.png twice"),
    "damaged": (damaged, "of another size or damaged"),
    "a longer file": (lambda: packed(sound(), file_size=99), "of another size or damaged"),
    "a wrong checksum": (lambda: packed(sound(), CRC=1), "of another size or damaged"),
    "beyond the end": (lambda: packed(sound(), compress_size=10**6), "the zip must be whole"),
    "text as pictures": (
        lambda: packed(dict.fromkeys(sound(), b"only text")),
        "no readable picture, and cats/0.png is no picture of a kind that is accepted",
    ),
    "a huge picture": (
        lambda: packed({"a/1.png": header_of_png(60_000, 60_000)}),
        "a/1.png has more than 24 megapixels",
    ),
    "one class": (lambda: packed(sound(("cats",))), "2 to 20 folders with pictures"),
    "no folders": (lambda: packed({f"{n}.png": plain(n) for n in range(9)}), "lies in no folder"),
    "many classes": (lambda: packed(sound(tuple("abcdefghijklmnopqrstu"))), "got 21"),
    "few pictures": (lambda: packed(sound(each=4)), "at least 5 pictures in each folder, got 4"),
    "zips in a zip": (
        lambda: packed({"a/1.zip": packed(sound()), "b/2.zip": packed(sound())}),
        "a/1.zip is a zip in the zip",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_zip_gives_one_sentence_and_writes_nothing(
    name: str, unchanged: Callable[[], bool]
) -> None:
    make, wanted = HOSTILE[name]
    told = sentence(make())
    assert wanted in told
    assert is_one_sentence(told)
    assert ". " not in told
    assert unchanged()


def test_the_hostile_zips_are_what_they_are_called() -> None:
    """A zip that were broken by accident would be refused for nothing."""
    with zipfile.ZipFile(io.BytesIO(liar())) as archive:
        assert archive.infolist()[-1].file_size == 1_000
        assert len(archive.namelist()) == 11
    with zipfile.ZipFile(io.BytesIO(overlapping())) as archive:
        assert archive.read("cats/0.png") == plain(0)
        offsets = [header.header_offset for header in archive.infolist()]
        assert offsets[0] == offsets[1]
    with zipfile.ZipFile(io.BytesIO(renamed("../../evil.png"))) as archive:
        assert archive.read("../../evil.png") == plain(0)
    assert read_zip(renamed("cats/fine.png")).labels.tolist() == [0] * 6 + [1] * 5


def test_that_the_watch_sees_a_reader_that_extracts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = tree(tmp_path)
    with zipfile.ZipFile(io.BytesIO(packed(sound()))) as archive:
        archive.extractall()
    assert tree(tmp_path) != before


@pytest.mark.parametrize(
    ("limit", "value", "wanted"),
    [
        ("ENTRIES", 9, "at most 9 entries, got 10"),
        ("UNPACKED_IN_ALL", 100, "the zip must unpack to at most"),
        ("PIXELS_IN_ALL", 28 * 28 * 10 - 1, "megapixels together"),
        ("PIXELS", 28 * 28 - 1, "has more than"),
        ("ZIP", 100, "at most 0 MB"),
    ],
)
def test_each_limit_is_where_it_says(
    limit: str, value: int, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = packed(sound())
    house = next(module for module in (uploads, pictures, zips) if hasattr(module, limit))
    monkeypatch.setattr(house, limit, value)
    assert wanted in sentence(content)
    exactly = {
        "ENTRIES": 10,
        "UNPACKED_IN_ALL": sum(map(len, sound().values())),
        "PIXELS_IN_ALL": 28 * 28 * 10,
        "PIXELS": 28 * 28,
        "ZIP": len(content),
    }
    monkeypatch.setattr(house, limit, exactly[limit])
    assert len(read_zip(content).labels) == 10


def test_no_picture_is_decoded_beyond_the_limit_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[tuple[int, int]] = []
    middle = pictures.middle

    def counting(picture: Image.Image, side: int) -> np.ndarray:
        decoded.append(picture.size)
        return np.array(middle(picture, side))

    monkeypatch.setattr(pictures, "middle", counting)
    monkeypatch.setattr(uploads, "PIXELS_IN_ALL", 3 * 28 * 28)
    assert "megapixels together" in sentence(packed(sound()))
    assert decoded == [(28, 28)] * 3


def test_a_bomb_takes_no_memory() -> None:
    """Ten gigabytes that call themselves ten bytes, refused by a process of its own."""
    program = (
        "import sys, resource; from core.shared import uploads\n"
        "content = sys.stdin.buffer.read()\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: uploads.read_zip(content)\n"
        "except ValueError as error: print(error)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    start = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    turn = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    stream = start + turn * 10_000 + packer.flush()
    honest = zlib.compress(b"x" * 10, -1, -15)
    content = bytearray(packed({"a/1.bmp": b"x" * 10}).replace(honest, stream))
    struct.pack_into("<I", content, content.rindex(b"PK\x01\x02") + 20, len(stream))
    directory = content.rindex(b"PK\x05\x06") + 16
    struct.pack_into("<I", content, directory, content.rindex(b"PK\x01\x02"))
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=bytes(content),
        capture_output=True,
        check=True,
        cwd=Path(uploads.__file__).parents[2],
    )
    told, grown = done.stdout.decode().splitlines()
    assert "a/1.bmp of another size or damaged" in told
    assert int(grown) < 20_000  # kilobytes; the content itself is held before


# Whatever comes


def outcome(content: bytes) -> str:
    """Read anything: "" where pictures came of it, which are then sound; else the sentence."""
    try:
        pictures = read_zip(content)
    except ValueError as error:
        return str(error)
    assert 2 <= len(pictures.classes) <= 20
    assert np.bincount(pictures.labels).min() >= 5
    assert all(each.isprintable() for each in pictures.classes + pictures.left_out)
    return ""


def changed(content: bytes, changes: list[tuple[int, int]]) -> bytes:
    """Set bytes, counted from the end: most of what a zip says stands there."""
    altered = bytearray(content)
    for place, value in changes:
        altered[-1 - place % len(altered)] = value
    return bytes(altered)


CHANGES = some.lists(
    some.tuples(some.one_of(some.integers(0, 700), some.integers(0, 10**5)), some.integers(0, 255)),
    min_size=1,
    max_size=4,
)


@settings(quiet, max_examples=100)
@given(content=some.binary(max_size=300))
def test_no_bytes_at_all_give_anything_but_a_sentence(
    content: bytes, unchanged: Callable[[], bool]
) -> None:
    whole = packed(sound())
    end = whole[whole.index(b"PK\x01\x02") :]
    for candidate in (content, content + end, b"PK\x03\x04" + content, whole + content):
        told = outcome(candidate)
        assert told == "" or is_one_sentence(told)
    assert unchanged()


@settings(quiet, max_examples=200)
@given(changes=CHANGES, cut=some.integers(0, 40), lost=some.booleans())
def test_a_changed_zip_gives_pictures_or_one_sentence(
    changes: list[tuple[int, int]], cut: int, lost: bool, unchanged: Callable[[], bool]
) -> None:
    content = changed(packed(sound()), changes)
    told = outcome(content[: len(content) - cut] if lost else content)
    assert told == "" or is_one_sentence(told)
    assert unchanged()


SAMPLES = [
    *(written(quarters(56), kind) for kind in FORMATS),
    written(quarters(56).convert("RGBA"), "WEBP"),
    written(quarters(56).convert("P"), "PNG", transparency=0),
    written(quarters(56).convert("CMYK"), "JPEG"),
    written(quarters(56).convert("F"), "TIFF"),
    written(quarters(56), "TIFF", compression="tiff_lzw"),
    written(quarters(56), "TIFF", compression="tiff_adobe_deflate"),
]


@settings(quiet, max_examples=40)
@given(seed=some.integers(0, 2**31))
def test_changed_pictures_are_read_or_left_out(seed: int, unchanged: Callable[[], bool]) -> None:
    source = random.Random(seed)
    files = sound()
    for number, sample in enumerate(SAMPLES):
        changes = [
            (len(sample) - 1 - source.randrange(min(len(sample), 200)), source.randrange(256))
            for _ in range(source.randint(1, 5))
        ]
        files[f"cats/changed {number}"] = changed(sample, changes)
    assert outcome(packed(files)) == ""
    assert unchanged()


def test_the_samples_are_read_unless_changed() -> None:
    files = sound() | {f"cats/as it was {count}": each for count, each in enumerate(SAMPLES)}
    assert read_zip(packed(files)).left_out == ()


# Parts


@quiet
@given(counts=some.lists(some.integers(3, 60), min_size=2, max_size=6), seed=some.integers(0, 99))
def test_the_parts_share_nothing_and_hold_their_share_of_each_class(
    counts: list[int], seed: int
) -> None:
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    pictures = Pictures(
        np.zeros((len(labels), 1, 28, 28), np.uint8), labels, tuple(map(str, range(len(counts))))
    )
    parts = split(pictures, seed)
    together = np.concatenate([parts.training, parts.validation, parts.test])
    assert sorted(together.tolist()) == list(range(len(labels)))
    for label, count in enumerate(counts):
        drawn = [
            int((labels[part] == label).sum())
            for part in (parts.training, parts.validation, parts.test)
        ]
        assert drawn[1] == drawn[2] == max(1, int(0.15 * count + 1e-9))
    again = split(pictures, seed)
    assert np.array_equal(again.training, parts.training)


def test_another_seed_draws_other_parts_and_each_is_mixed() -> None:
    pictures = read_zip(packed(sound(each=30)))
    one, other = split(pictures), split(pictures, seed=1)
    assert one.test.tolist() != other.test.tolist()
    assert len(set(pictures.labels[one.training[:10]].tolist())) == 2
    assert sorted(one.training.tolist()) != one.training.tolist()


def test_two_pictures_of_a_class_cannot_be_split_in_three() -> None:
    pictures = read_zip(packed(sound()))
    few = replace(pictures, labels=np.array([0] * 8 + [1] * 2))
    with pytest.raises(ValueError, match="at least 3 pictures, got 2 of dogs"):
        split(few)


# Kept


def test_what_is_kept_is_loaded_again_under_a_name_of_its_content(tmp_path: Path) -> None:
    pictures = read_zip(packed(sound(("猫", "dogs")) | {"dogs/notes.txt": b"text"}))
    name = keep(tmp_path / "deep" / "er", pictures)
    assert same(load(tmp_path / "deep" / "er", name), pictures)
    assert uploads.NAME.fullmatch(name)
    assert keep(tmp_path, pictures) == keep(tmp_path, pictures) == name
    assert [path.name for path in tmp_path.glob("*.*")] == [f"{name}.safetensors"]


def test_other_content_has_another_name(tmp_path: Path) -> None:
    pictures = read_zip(packed(sound()))
    others = (
        pictures,
        replace(pictures, images=pictures.images ^ 1),
        replace(pictures, labels=1 - pictures.labels),
        replace(pictures, classes=("cats", "dogs ")),
        replace(pictures, left_out=("x is y",)),
    )
    assert len({keep(tmp_path, other) for other in others}) == len(others)


@pytest.mark.parametrize("name", ["", "../x", "0" * 31, "0" * 33, "A" * 32, "0" * 32 + "\n"])
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="name must be 32 of 0-9 and a-f, got") as caught:
        load(tmp_path, name)
    assert is_one_sentence(str(caught.value))


@pytest.mark.parametrize("harm", ["gone", "empty", "text", "half", "a pixel", "another name"])
def test_a_file_that_is_not_what_was_written_is_no_longer_there(tmp_path: Path, harm: str) -> None:
    name = keep(tmp_path, read_zip(packed(sound())))
    place = tmp_path / f"{name}.safetensors"
    content = place.read_bytes()
    if harm == "gone":
        place.unlink()
    elif harm == "another name":
        name = "0" * 32
        place.rename(tmp_path / f"{name}.safetensors")
    else:
        place.write_bytes(
            {
                "empty": b"",
                "text": b"hello",
                "half": content[: len(content) // 2],
                "a pixel": content[:-1] + bytes([content[-1] ^ 1]),
            }[harm]
        )
    wanted = "^these pictures are no longer on the server: upload the zip again$"
    with pytest.raises(ValueError, match=wanted):
        load(tmp_path, name)


def aged(place: Path, days: float) -> None:
    then = time.time() - days * 86_400
    os.utime(place, (then, then))


def test_who_is_loaded_stays_and_who_was_not_for_longest_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = read_zip(packed(sound()))
    names = [keep(tmp_path, replace(pictures, left_out=(str(number),))) for number in range(3)]
    places = [tmp_path / f"{name}.safetensors" for name in names]
    for place, days in zip(places, (9, 8, 7), strict=True):
        aged(place, days)
    load(tmp_path, names[0])
    size = places[0].stat().st_size
    monkeypatch.setattr(uploads, "QUOTA", 3 * size + 2**16)
    new = keep(tmp_path, replace(pictures, left_out=("new",)))
    assert [place.exists() for place in places] == [True, False, True]
    assert same(load(tmp_path, new), replace(pictures, left_out=("new",)))


def test_no_pictures_of_today_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = read_zip(packed(sound()))
    old, recent = (keep(tmp_path, replace(pictures, left_out=(word,))) for word in "ab")
    aged(tmp_path / f"{old}.safetensors", 2)
    aged(tmp_path / f"{recent}.safetensors", 0.9)
    room = pictures.images.nbytes + pictures.labels.nbytes + 2**16
    monkeypatch.setattr(uploads, "QUOTA", room)  # for one, so that both would have to go
    with pytest.raises(ValueError, match="got a full one: take fewer pictures") as caught:
        keep(tmp_path, replace(pictures, left_out=("c",)))
    assert is_one_sentence(str(caught.value))
    assert len(list(tmp_path.iterdir())) == 2  # nor did the old one go for nothing
    for place in tmp_path.iterdir():
        place.unlink()
    assert keep(tmp_path, pictures) == keep(tmp_path, pictures)  # the same takes no more room


def test_what_a_crash_left_half_written_goes(tmp_path: Path) -> None:
    old, fresh, other = (
        tmp_path / name
        for name in (f".{'0' * 32}.safetensors.1", f".{'0' * 32}.safetensors.2", "notes")
    )
    for place in (old, fresh, other):
        place.write_bytes(b"half")
    aged(old, 1)
    aged(other, 1)
    keep(tmp_path, read_zip(packed(sound())))
    assert [place.exists() for place in (old, fresh, other)] == [False, True, True]


def test_two_visitors_may_keep_the_same_at_once(tmp_path: Path) -> None:
    pictures = read_zip(packed(sound()))
    names: list[str] = []
    threads = [
        threading.Thread(target=lambda: names.append(keep(tmp_path, pictures))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names) == 8
    assert len(set(names)) == 1


def test_the_folder_is_beside_the_runs_and_safe_from_their_broom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLASSBOX_RUNS", str(tmp_path))
    assert uploads.folder() == tmp_path / ".pictures"
    name = keep(uploads.folder(), read_zip(packed(sound())))
    half = uploads.folder() / f".{name}.safetensors.17"
    half.write_bytes(b"")
    for place in (uploads.folder(), half, uploads.folder() / f"{name}.safetensors"):
        aged(place, 99)
    swept = tmp_path / ".pictures" / ".0123456789ab"  # what the broom would sweep, so that it did
    swept.mkdir()
    runs.forget(tmp_path)
    assert not swept.exists()
    assert half.exists()
    assert runs.interrupted(tmp_path) == []
    assert len(load(uploads.folder(), name).labels) == 10


def test_the_folder_is_in_the_house_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GLASSBOX_RUNS", raising=False)
    assert uploads.folder() == Path(__file__).parents[2] / ".runs" / ".pictures"


def test_the_name_is_a_hash_that_lasts(tmp_path: Path) -> None:
    """Runs are known by it: other code that gives it another way would lose them."""
    pictures = Pictures(
        np.arange(2 * 784, dtype=np.int64).astype(np.uint8).reshape(2, 1, 28, 28),
        np.array([0, 1]),
        ("a", "b"),
    )
    words = b'[[2, 1, 28, 28], ["a", "b"], []]'
    content = bytes(index % 256 for index in range(1568)) + struct.pack("<2q", 0, 1)
    assert keep(tmp_path, pictures) == hashlib.sha256(words + content).hexdigest()[:32]


def test_a_picture_of_very_many_scans_is_left_out_before_it_is_decoded() -> None:
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(file, "JPEG", progressive=True)
    many = file.getvalue()[:-2] + (b"\xff" + bytes([headers.SCAN]) + b"\0" * 10) * 100 + b"\xff\xd9"
    with pytest.raises(ValueError, match="has more than 60 scans"):
        pictures.opened(many)
    assert pictures.opened(file.getvalue()).size == (64, 64)


def test_a_zip_that_takes_too_long_is_refused_and_so_is_one_that_waits_too_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        for name in ("a/1.png", "b/2.png"):
            picture = io.BytesIO()
            Image.new("L", (28, 28)).save(picture, "PNG")
            packed.writestr(name, picture.getvalue())
    monkeypatch.setattr(uploads, "SECONDS", 0.0)
    monkeypatch.setattr(uploads, "_reading", threading.Lock())
    with uploads._reading, pytest.raises(ValueError, match="is reading other zips just now"):
        uploads.read_zip(file.getvalue())
    monkeypatch.setattr(uploads, "SECONDS", 1e-9)
    with pytest.raises(ValueError, match="must be read within 1e-09 s"):
        uploads.read_zip(file.getvalue())
    assert not uploads._reading.locked()
