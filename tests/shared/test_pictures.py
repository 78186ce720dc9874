"""Any file becomes a picture with known pixels or one sentence, in a set amount of memory."""

import hashlib
import io
import json
import pickle
import random
import re
import struct
import subprocess
import sys
import threading
import time
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from PIL import Image

from core.shared import headers, pictures
from core.shared.pictures import LONGEST, MEMORY, Picture, read
from tests.shared.picture_files import (
    chunk,
    deep_tiff,
    exif,
    hoarding,
    nothing,
    png,
    samples,
    scene,
    smooth,
    tiff,
    written,
)

ROOT = Path(__file__).parents[2]
SAMPLES = samples()
quiet = settings(derandomize=True, deadline=None)


def pixels(content: bytes) -> np.ndarray:
    return read(content).pixels.astype(int)


def sentence(content: bytes) -> str:
    """Read what must be refused, and give the sentence."""
    with pytest.raises(ValueError, match=r".") as caught:
        read(content)
    return str(caught.value)


def is_one_sentence(text: str) -> bool:
    return text.isprintable() and 20 < len(text) < 300 and not text.endswith(".")


# Pixels


LOSSLESS: dict[str, dict[str, object]] = {
    "PNG": {},
    "BMP": {},
    "TIFF": {},
    "WEBP": {"lossless": True, "exact": True},
}


@pytest.mark.parametrize("kind", LOSSLESS)
def test_pixels_come_out_as_they_went_in(kind: str) -> None:
    assert np.array_equal(
        pixels(written(Image.fromarray(scene()), kind, **LOSSLESS[kind])), scene()
    )


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sound_file_is_read(name: str) -> None:
    picture = read(SAMPLES[name])
    assert picture.pixels.shape in ((37, 52, 3), (52, 37, 3), (30, 20, 3), (2, 2, 3))
    assert picture.pixels.dtype == np.uint8
    assert not picture.pixels.flags.writeable


def test_jpeg_and_webp_are_near_to_what_went_in() -> None:
    calm = smooth(200, 300)
    for kind in ("JPEG", "WEBP"):
        seen = pixels(written(Image.fromarray(calm), kind, quality=95))
        assert np.abs(seen - calm).mean() < 2, kind
        assert np.abs(seen[3:] - calm[:-3]).mean() > 4, kind  # three rows further it is another


def upright(stored: np.ndarray, orientation: int) -> np.ndarray:
    """TIFF 6.0's and EXIF's table: where the stored first row and first column are seen."""
    turns: dict[int, Callable[[np.ndarray], np.ndarray]] = {
        1: lambda rows: rows,  # top, left
        2: lambda rows: rows[:, ::-1],  # top, right
        3: lambda rows: rows[::-1, ::-1],  # bottom, right
        4: lambda rows: rows[::-1],  # bottom, left
        5: lambda rows: rows.swapaxes(0, 1),  # left, top
        6: lambda rows: rows[::-1].swapaxes(0, 1),  # right, top
        7: lambda rows: rows[::-1, ::-1].swapaxes(0, 1),  # right, bottom
        8: lambda rows: rows[:, ::-1].swapaxes(0, 1),  # left, bottom
    }
    return turns[orientation](stored)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_its_camera_was_held(kind: str, orientation: int) -> None:
    content = written(Image.fromarray(scene()), kind, exif=exif(orientation), **LOSSLESS[kind])
    assert np.array_equal(pixels(content), upright(scene(), orientation))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_large_jpeg_is_turned_too(orientation: int) -> None:
    calm = smooth(1200, 1600)
    seen = pixels(written(Image.fromarray(calm), "JPEG", quality=90, exif=exif(orientation)))
    small = Image.fromarray(calm).resize((1024, 768), Image.Resampling.BICUBIC)
    assert np.abs(seen - upright(np.asarray(small), orientation)).mean() < 3


def test_that_the_table_of_turns_rejects_seven_of_eight() -> None:
    square = scene(9, 9)
    turned = [upright(square, orientation).tolist() for orientation in range(1, 9)]
    assert all(turned.count(each) == 1 for each in turned)
    stored = written(Image.fromarray(square), exif=exif(6))
    matching = [turn for turn in range(1, 9) if np.array_equal(pixels(stored), turned[turn - 1])]
    assert matching == [6]


def test_what_imagemagick_notes_in_a_png_is_read_too() -> None:
    note = written_exif(8).hex()
    raw = f"\nexif\n{len(note) // 2:8}\n" + "\n".join(re.findall(".{1,72}", note)) + "\n"
    text = b"Raw profile type exif\0" + raw.encode()
    plain = written(Image.fromarray(scene()))
    content = plain[:33] + chunk(b"tEXt", text) + plain[33:]
    assert np.array_equal(pixels(content), upright(scene(), 8))
    long = plain[:33] + chunk(b"tEXt", text + b"00" * 2**16) + plain[33:]
    assert np.array_equal(pixels(long), scene())


def written_exif(orientation: int) -> bytes:
    return exif(orientation).tobytes()


def test_alpha_lies_over_white() -> None:
    alpha = scene(seed=2)[..., :1]
    clear = Image.fromarray(np.concatenate([scene(), alpha], 2))
    share = alpha / 255
    wanted = scene() * share + 255 * (1 - share)
    for kind in ("PNG", "TIFF", "WEBP"):
        seen = pixels(written(clear, kind, **LOSSLESS[kind]))
        assert np.abs(seen - wanted).max() <= 0.51, kind
    assert np.abs(scene() * share - wanted).max() > 200  # over black it were another


def test_palettes_and_their_transparent_colour_are_read() -> None:
    indices = scene()[..., 0] % 4
    colours = np.array([[10, 20, 30], [200, 100, 50], [0, 255, 0], [9, 8, 7]])
    picture = Image.fromarray(indices)
    picture.putpalette(colours.flatten().tolist())
    for kind in ("PNG", "GIF", "BMP", "TIFF"):
        assert np.array_equal(pixels(written(picture, kind)), colours[indices]), kind
    colours[2] = 255
    for kind in ("PNG", "GIF"):
        assert np.array_equal(pixels(written(picture, kind, transparency=2)), colours[indices])


def test_grey_with_alpha_and_single_bits_are_read() -> None:
    grey, alpha = scene()[..., 0], scene()[..., 1]
    both = Image.merge("LA", [Image.fromarray(grey), Image.fromarray(alpha)])
    wanted = grey * (alpha / 255) + 255 - alpha.astype(float)
    assert np.abs(pixels(written(both)) - wanted[..., None]).max() <= 0.51
    bits = grey > 127
    for kind in ("PNG", "BMP", "TIFF", "GIF"):
        seen = pixels(written(Image.fromarray(bits), kind))
        assert np.array_equal(seen, np.repeat(255 * bits[..., None], 3, 2)), kind


def test_sixteen_bits_are_the_eight_that_they_stand_for() -> None:
    deep = scene()[..., 0].astype(np.uint16) * 257
    for kind in ("PNG", "TIFF"):
        assert np.array_equal(pixels(written(Image.fromarray(deep), kind))[..., 0], deep // 257)
    rows = scene().astype(np.uint16) * 257
    packed = b"".join(b"\0" + row.astype(">u2").tobytes() for row in rows)
    assert np.array_equal(pixels(png((52, 37), 16, 2, zlib.compress(packed))), scene())


@pytest.mark.parametrize("white", [1.0, 255.0, 65_535.0])
def test_numbers_are_scaled_to_the_first_white_that_holds_them(white: float) -> None:
    values = np.linspace(0, white, 37 * 52, dtype=np.float32).reshape(37, 52)
    seen = pixels(written(Image.fromarray(values), "TIFF"))[..., 0]
    assert np.abs(seen - values / white * 255).max() <= 0.51


def test_numbers_are_scaled_alike_in_all_patches(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(size=(45, 61)).astype(np.float32)
    values[0, 0], values[0, 1] = np.nan, np.inf
    content = written(Image.fromarray(values), "TIFF")
    whole = read(content)
    for patch in (1, 50, 61, 200):
        monkeypatch.setattr(pictures, "PATCH", patch)
        assert read(content).name == whole.name
    values[0, :2] = 0
    least, most = values.min(), values.max()
    wanted = (values - least) / (most - least) * 255
    assert np.abs(whole.pixels[..., 0] - wanted).max() <= 0.51


def test_inks_become_colours() -> None:
    inks = np.zeros((48, 64, 4), np.uint8)
    inks[:, :16, 0], inks[:, 16:32, 1], inks[:, 32:48, 2], inks[:, 48:, 3] = 255, 255, 255, 128
    picture = Image.frombytes("CMYK", (64, 48), inks.tobytes())
    wanted = np.array([[0, 255, 255], [255, 0, 255], [255, 255, 0], [127, 127, 127]])
    for kind in ("JPEG", "TIFF"):
        seen = pixels(written(picture, kind))[20, 8::16]
        assert np.abs(seen - wanted).max() <= 4, kind
        assert np.abs(255 - seen - wanted).max() > 100, kind  # Adobe's stand inverted in the file


@pytest.mark.parametrize("kind", ["GIF", "PNG", "TIFF", "WEBP"])
def test_of_a_film_the_first_picture_counts(kind: str) -> None:
    first, second = (Image.new("RGB", (30, 20), colour) for colour in ("red", "blue"))
    lossless = {"lossless": True} if kind == "WEBP" else {}
    film = written(first, kind, save_all=True, append_images=[second], **lossless)
    assert (pixels(film) == [255, 0, 0]).all()


# Size


@pytest.mark.parametrize("size", [(1024, 700), (5, 1024), (1, 1), (1023, 1024)])
def test_what_is_small_enough_keeps_its_size(size: tuple[int, int]) -> None:
    assert read(written(Image.new("RGB", size))).pixels.shape == (size[1], size[0], 3)


@settings(quiet, max_examples=30)
@given(width=some.integers(1, 4800), height=some.integers(1, 4800))
def test_the_longer_side_has_at_most_1024_and_proportions_stay(width: int, height: int) -> None:
    seen_height, seen_width, _ = read(written(Image.new("1", (width, height)))).pixels.shape
    longest = max(width, height)
    assert max(seen_height, seen_width) == min(longest, LONGEST)
    scale = min(1, LONGEST / longest)
    assert abs(seen_height - max(1, height * scale)) <= 0.5
    assert abs(seen_width - max(1, width * scale)) <= 0.5


def cubic(distance: np.ndarray) -> np.ndarray:
    """Keys's kernel with a = -1/2."""
    near, far = np.abs(distance), np.abs(distance)
    inner = 1.5 * near**3 - 2.5 * near**2 + 1
    outer = -0.5 * far**3 + 2.5 * far**2 - 4 * far + 2
    return np.where(near <= 1, inner, np.where(far < 2, outer, 0))


def scaled(values: np.ndarray, length: int) -> np.ndarray:
    """Scale the first axis by brute force: bicubic, its kernel as wide as what a pixel covers."""
    ratio = len(values) / length
    centres = (np.arange(length) + 0.5) * ratio
    weights = cubic((np.arange(len(values)) + 0.5 - centres[:, None]) / max(ratio, 1))
    return np.tensordot(weights / weights.sum(1, keepdims=True), values, 1)


@pytest.mark.parametrize("size", [(1300, 900), (2049, 300), (4500, 300), (200, 5000)])
def test_a_large_picture_is_scaled_without_a_trace_of_the_steps_between(
    size: tuple[int, int],
) -> None:
    rows = smooth(*size)
    seen = pixels(written(Image.fromarray(rows), compress_level=1))
    height, width, _ = seen.shape
    wanted = scaled(scaled(rows, height).swapaxes(0, 1), width).swapaxes(0, 1)
    assert np.abs(seen - wanted).max() <= 3
    assert np.abs(seen[1:] - wanted[:-1]).max() > 6  # and the oracle notices a pixel's shift


def test_a_jpeg_that_was_decoded_small_looks_as_the_large_one() -> None:
    rows = smooth(2200, 4600)
    seen = pixels(written(Image.fromarray(rows), "JPEG", quality=95))
    small = Image.fromarray(rows).resize((1024, 490), Image.Resampling.BICUBIC)
    assert np.abs(seen - np.asarray(small)).max() <= 12
    assert np.abs(seen - np.asarray(small)).mean() < 2


# Names


def test_the_name_follows_from_the_pixels_alone() -> None:
    names = {
        read(written(Image.fromarray(scene()), kind, **how)).name for kind, how in LOSSLESS.items()
    }
    assert names == {hashlib.sha256(b"(37, 52, 3)" + scene().tobytes()).hexdigest()[:32]}
    changed = scene()
    changed[0, 0, 0] ^= 1
    others = (changed, scene().reshape(52, 37, 3))
    assert len({Picture.of(each).name for each in others} | names) == 3


def test_a_picture_cannot_be_changed() -> None:
    picture = read(SAMPLES["PNG"])
    with pytest.raises(FrozenInstanceError):
        picture.name = "x"  # type: ignore[misc]  # that is the question
    with pytest.raises(ValueError, match="read-only"):
        picture.pixels[0, 0, 0] = 1


# What is refused


def archive() -> bytes:
    place = io.BytesIO()
    with zipfile.ZipFile(place, "w") as packed:
        packed.writestr("a.png", SAMPLES["PNG"])
    return place.getvalue()


def canvas(kind: bytes, width: int, height: int) -> bytes:
    """The start of a WebP that claims a size, in each of the three ways."""
    sizes = {
        b"VP8X": b"\0" * 4 + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3],
        b"VP8L": b"/" + struct.pack("<I", (width - 1) | (height - 1) << 14) + b"\0" * 5,
        b"VP8 ": b"\0\0\0\x9d\x01\x2a" + struct.pack("<2H", width, height),
    }
    body = b"WEBP" + kind + struct.pack("<I", 10) + sizes[kind]
    return b"RIFF" + struct.pack("<I", len(body)) + body


def many_scans() -> bytes:
    content = written(Image.fromarray(scene()), "JPEG", progressive=True)
    start = content.index(b"\xff\xda")
    return content[:start] + content[start:-2] * 100 + content[-2:]


def claiming(name: str, place: int, claim: bytes) -> bytes:
    """A sound file whose header claims another size."""
    content = bytearray(SAMPLES[name])
    content[place : place + len(claim)] = claim
    return bytes(content)


FRAME = SAMPLES["JPEG"].index(b"\xff\xc0") + 5  # where a JPEG states its size
SIZE = {256: (4, 1, 64), 257: (4, 1, 64), 258: (3, 1, 8), 262: (3, 1, 1), 273: (4, 1, 8)}
HUGE = png((60_000, 60_000), 8, 2, b"")
REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "is empty"),
    "text": (lambda: b"Dear reader,\nthis is text.\n" * 20, "is no picture of a kind"),
    "a page": (lambda: b"<!DOCTYPE html><html><body>hello</body></html>", "is no picture of a"),
    "a drawing": (lambda: (ROOT / "assets" / "icon.svg").read_bytes(), "is no picture of a kind"),
    "a PDF": (lambda: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n", "is a PDF"),
    "a zip": (archive, "is a zip"),
    "of an iPhone": (lambda: b"\0\0\0\x24ftypheic\0\0\0\0mif1heic", "is a HEIC picture"),
    "a HEIF": (lambda: b"\0\0\0\x24ftypmif1\0\0\0\0mif1heic", "is a HEIF picture"),
    "an AVIF": (lambda: b"\0\0\0\x20ftypavif\0\0\0\0avifmif1", "is an AVIF picture"),
    "a PPM": (lambda: written(Image.new("L", (28, 28)), "PPM"), "is no picture of a kind"),
    "an icon": (lambda: written(Image.new("L", (28, 28)), "ICO"), "is no picture of a kind"),
    "random bytes": (lambda: random.Random(0).randbytes(5000), "is no picture of a kind"),
    "a signature": (lambda: SAMPLES["PNG"][:8], "is no picture of a kind"),
    "too many bytes": (lambda: SAMPLES["PNG"] + bytes(20 * 2**20), "got 20.0 MB"),
    "a huge PNG": (lambda: HUGE, "has more than 24 megapixels"),
    "a PNG above": (lambda: png((6001, 4000), 8, 0, b""), "has more than 24 megapixels"),
    "a long PNG": (lambda: png((65_536, 1), 8, 0, nothing(65_537)), "a side of more than 65,535"),
    "a huge JPEG": (lambda: claiming("JPEG", FRAME, b"\xff" * 4), "has more than 24 megapixels"),
    "a huge GIF": (lambda: claiming("GIF", 6, b"\xff" * 4), "has more than 24 megapixels"),
    "a huge BMP": (lambda: claiming("BMP", 18, b"\0\0\1\0" * 2), "has more than 24 megapixels"),
    "a huge TIFF": (
        lambda: tiff(SIZE | {256: (4, 1, 60_000), 257: (4, 1, 60_000)}),
        "has more than 24 megapixels",
    ),
    "a huge WebP": (lambda: canvas(b"VP8X", 13_000, 13_000), "has more than 24 megapixels"),
    "a huge lossless": (lambda: canvas(b"VP8L", 16_000, 16_000), "has more than 24 megapixels"),
    "a huge lossy": (lambda: canvas(b"VP8 ", 16_000, 16_000), "has more than 24 megapixels"),
    "many scans": (many_scans, "has more than 60 scans"),
    "many segments": (
        lambda: SAMPLES["JPEG"][:2] + b"\xff\xe0\0\2" * 1001 + SAMPLES["JPEG"][2:],
        "has more than 1,000 segments",
    ),
    "many starts": (lambda: b"\xff\xd8\xff\xe0\0\2" + b"\xff\xd8" * 2000, "1,000 segments"),
    "many chunks": (
        lambda: SAMPLES["PNG"][:33] + chunk(b"prVt", b"") * 30_000 + SAMPLES["PNG"][33:],
        "has more than 30,000 parts",
    ),
    "many comments": (
        lambda: b"GIF89a\1\0\1\0\0\0\0" + b"x!\xfe" + b"\1c" * 30_000 + b"\0,",
        "has more than 30,000 parts",
    ),
    "a long BMP": (
        lambda: claiming("BMP", 30, b"\1") + bytes(2 * 2**20),
        "is a BMP of run lengths of more than 2 MB",
    ),
    "a BigTIFF": (lambda: written(Image.new("L", (9, 9)), "TIFF", big_tiff=True), "is a BigTIFF"),
    "shared tags": (
        lambda: tiff(SIZE | {1000 + tag: (7, 4000, 8) for tag in range(100)}, bytes(4096)),
        "is a TIFF whose tags hold more than the file",
    ),
    "many strips": (
        lambda: tiff(SIZE | {273: (3, 300_000, 8)}, bytes(600_000)),
        "is a TIFF whose tags hold more than the file",
    ),
    "shared tags within": (
        lambda: tiff(SIZE | {34665: (4, 1, 8)}, hoarding(3000, 200)[14:3000]),
        "is a TIFF whose tags hold more than the file",
    ),
    "a large tile": (
        lambda: tiff(SIZE | {322: (4, 1, 30_000), 323: (4, 1, 30_000), 324: (4, 1, 8)}),
        "has tiles of more than 24 megapixels",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_gets_one_sentence_that_says_what_is_accepted(name: str) -> None:
    make, wanted = REFUSED[name]
    told = sentence(make())
    assert wanted in told
    assert is_one_sentence(told)
    assert told.startswith("the picture must be a JPEG, PNG, WebP, GIF, BMP or TIFF of at most 20")


@pytest.mark.parametrize("kind", ["BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.8, 0.95])
def test_a_truncated_file_is_refused(kind: str, share: float) -> None:
    whole = written(Image.fromarray(scene(60, 80)), kind)
    read(whole)
    if kind == "TIFF":  # Pillow puts the pixels behind the directory, so that they are cut
        assert struct.unpack_from("<I", whole, 4)[0] == 8
    assert "damaged" in sentence(whole[: int(len(whole) * share)])


def test_exactly_24_megapixels_are_read_and_exactly_20_megabytes() -> None:
    assert read(written(Image.new("1", (6000, 4000)))).pixels.shape == (683, 1024, 3)
    read(SAMPLES["JPEG"].ljust(20 * 2**20, b"\0"))


def test_what_a_phone_appends_to_a_jpeg_is_no_scan_of_it() -> None:
    film = b"\0\0\0\x18ftypmp42" + b"\xff\xda\0\x08" * 5000
    assert read(SAMPLES["JPEG"] + film).name == read(SAMPLES["JPEG"]).name
    both = SAMPLES["JPEG"] + SAMPLES["JPEG grey"]
    assert read(both).name == read(SAMPLES["JPEG"]).name


def test_what_many_sound_files_have_is_not_too_much() -> None:
    jpeg, plain, gif = SAMPLES["JPEG"], SAMPLES["PNG"], SAMPLES["GIF"]
    start = 13 + (3 << (gif[10] & 7) + 1)
    comment = b"!\xfe" + b"\xff" + b"x" * 255 + b"\0"
    icc = b"\xff\xe2\xff\xff" + bytes(65_533)
    for name, content in {
        "JPEG": jpeg[:2] + icc * 255 + jpeg[2:],
        "PNG": plain[:33] + chunk(b"prVt", b"note") * 20_000 + plain[33:],
        "GIF": gif[:start] + comment * 1000 + gif[start:],
        "BMP": SAMPLES["BMP"] + bytes(3 * 2**20),
    }.items():
        assert read(content).name == read(SAMPLES[name]).name


def test_that_no_header_takes_long_to_check() -> None:
    """Such bytes cost a careless pattern or loop minutes."""
    begun = time.monotonic()
    for content in (b"\xff\xd8" + b"\xff" * 10**7, b"\xff\xd8" * 10**6, b"GIF89a" + b"x" * 10**7):
        sentence(content)
    assert time.monotonic() - begun < 10


def test_notes_that_take_memory_cost_the_picture_nothing() -> None:
    """Each refers to its own bytes many hundred times, or joins what is too long for one."""
    note = hoarding(60_000, 4900)
    segment = b"\xff\xe1" + struct.pack(">H", len(note) + 2) + note
    jpeg, sound = SAMPLES["JPEG"], SAMPLES["PNG"]
    assert read(jpeg[:2] + segment * 10 + jpeg[2:]).name == read(jpeg).name
    assert read(sound[:33] + chunk(b"eXIf", note[6:]) + sound[33:]).name == read(sound).name
    webp = written(Image.fromarray(scene()), "WEBP", exif=note)
    assert read(webp).name == read(SAMPLES["WEBP"]).name
    assert not headers.is_modest(note)
    assert not headers.is_modest(b"Exif\0\0" + note)
    assert not headers.is_modest(b"Exif\0\0" * 2**16 + written_exif(6))
    assert headers.is_modest(b"Exif\0\0" + written_exif(6))
    assert headers.is_modest(written_exif(6))


# Memory, and whatever comes

CHILD = """
import json, pickle, resource, sys
from core.shared import pictures
files, room = pickle.load(sys.stdin.buffer)
pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * resource.getpagesize() + room
resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))
told = []
for content in files:
    try:
        picture = pictures.read(content)
        told.append([*picture.pixels.shape, str(picture.pixels.dtype)])
    except ValueError as error:
        told.append(str(error))
print(json.dumps(told))
"""
linux = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the limit is Linux's")


def in_a_room_of(room: int, files: list[bytes]) -> list[str | list[int | str]]:
    """Read the files in a process that cannot have more than so many bytes besides its modules."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD],
        input=pickle.dumps((files, room)),
        capture_output=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    told: list[str | list[int | str]] = json.loads(done.stdout)
    return told


LOSSLESS_WEBP = bytes.fromhex(  # 6000×4000 of one colour and alpha: so packed, it fits in here
    "524946461e000000574542505650384c110000002f6fd7e71307508426f4a0648188e87f0000"
)


def worst() -> dict[str, bytes]:
    """Files of 24 megapixels, of the kinds whose decoders take most."""
    size = (6000, 4000)
    inks = Image.new("CMYK", size, (9, 8, 7, 3))
    return {
        "a lossless WebP of 20 MB": LOSSLESS_WEBP.ljust(20 * 2**20, b"\0"),
        "a TIFF of 16 bits": deep_tiff(*size),
        "a TIFF of floats": deep_tiff(*size, floats=True),
        "a progressive JPEG of inks": written(inks, "JPEG", progressive=True, subsampling=0),
    }


@linux
def test_the_worst_files_are_read_in_the_memory_that_is_promised() -> None:
    files = worst()
    told = in_a_room_of(MEMORY, list(files.values()))
    shapes = {name: each[:3] for name, each in zip(files, told, strict=True)}
    assert shapes == {name: [683, 1024, 3] for name in files}
    short = in_a_room_of(MEMORY // 8, [files["a TIFF of floats"]])
    for each in short:  # and the room has walls
        assert isinstance(each, str)
        assert each.endswith("got one that needs more memory than there is")
        assert is_one_sentence(each)


def damaged(seed: int) -> bytes:
    """A sound file after an accident."""
    source = random.Random(seed)
    name = source.choice(sorted(SAMPLES))
    content = bytearray(SAMPLES[name])
    place = source.randrange(len(content))
    match source.randrange(7):
        case 0:
            del content[place:]
        case 1:
            for _ in range(source.randint(1, 8)):
                content[source.randrange(len(content))] ^= 1 << source.randrange(8)
        case 2:
            for _ in range(source.randint(1, 4)):
                content[source.randrange(min(len(content), 64))] = source.randrange(256)
        case 3:
            content[place : place + 16] = source.randbytes(16)
        case 4:
            content[place:place] = source.randbytes(source.randint(1, 500))
        case 5:
            other = SAMPLES[source.choice(sorted(SAMPLES))]
            content[place:] = other[source.randrange(len(other)) :]
        case 6:
            start = source.randrange(min(len(content), 64))
            content[start : start + 4] = source.choice(
                [b"\xff" * 4, b"\x7f\xff\xff\xff", b"\0" * 4, b"\0\0\x17\x70", b"\x70\x17\0\0"]
            )
    return bytes(content)


@linux
def test_a_thousand_damaged_files_give_pictures_or_one_sentence_within_the_memory() -> None:
    told = in_a_room_of(MEMORY, [damaged(seed) for seed in range(1200)])
    refused = [each for each in told if isinstance(each, str)]
    assert len(told) == 1200
    assert 300 < len(refused) < 1000  # neither is all the damage in notes, nor all in signatures
    for said in refused:
        assert is_one_sentence(said)
        assert "memory" not in said
    for each in told:
        if not isinstance(each, str):
            height, width, channels, dtype = each
            assert (channels, dtype) == (3, "uint8")
            assert 1 <= int(height) <= LONGEST
            assert 1 <= int(width) <= LONGEST


@linux
def test_that_the_room_would_show_another_error_and_a_crash(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(f"{__name__}.CHILD", CHILD.replace("ValueError", "KeyError"))
    with pytest.raises(AssertionError, match="the picture must be"):
        in_a_room_of(MEMORY, [b"text"])


@settings(quiet, max_examples=150)
@given(content=some.binary(max_size=400), begin=some.sampled_from(sorted(SAMPLES)))
def test_no_bytes_at_all_give_anything_but_a_sentence(content: bytes, begin: str) -> None:
    for candidate in (content, SAMPLES[begin][:12] + content, SAMPLES[begin][:40] + content):
        try:
            told, longest = "", max(read(candidate).pixels.shape)
        except ValueError as error:
            told, longest = str(error), 0
        assert longest <= LONGEST
        assert bool(longest) != is_one_sentence(told)


def test_nothing_is_written_to_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if watching and event == "open" and any(each in str(arguments[1]) for each in "wax+"):
            opened.append(str(arguments[0]))

    watching = True
    sys.addaudithook(watch)  # it cannot be taken away again, only told to be silent
    monkeypatch.chdir(tmp_path)
    for content in SAMPLES.values():
        read(content)
    (tmp_path / "seen").write_text("x")
    watching = False
    assert [Path(each).name for each in opened] == ["seen"]


def test_one_picture_is_read_at_a_time_and_no_one_waits_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pictures, "SECONDS", 0.01)
    with pictures.alone():
        told = sentence(SAMPLES["PNG"])
    assert told == "the server is reading other pictures just now: try again in a minute"
    read(SAMPLES["PNG"])
    monkeypatch.setattr(pictures, "SECONDS", 60.0)
    names: list[str] = []
    threads = [
        threading.Thread(target=lambda: names.append(read(SAMPLES["JPEG"]).name)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names == [read(SAMPLES["JPEG"]).name] * 8
