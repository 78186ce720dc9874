"""Picture files to try: of every format and mode, made by hand where Pillow writes none."""

import io
import struct
import zlib

import numpy as np
from PIL import Image


def written(picture: Image.Image, kind: str = "PNG", **settings: object) -> bytes:
    place = io.BytesIO()
    picture.save(place, kind, **settings)
    return place.getvalue()


def scene(height: int = 37, width: int = 52, seed: int = 0) -> np.ndarray:
    """Colours that differ in every pixel: any turn, cut or swap of it is another picture."""
    source = np.random.default_rng(seed)
    return source.integers(0, 256, (height, width, 3), dtype=np.uint8)


def smooth(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Blots of a few dozen pixels, as a photograph has them."""
    small = Image.fromarray(scene(max(2, height // 40), max(2, width // 40), seed))
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(size: tuple[int, int], depth: int, colour: int, data: bytes) -> bytes:
    """A PNG of any kind, of deflated rows; each begins with a zero byte."""
    header = struct.pack(">2I5B", *size, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def tiff(tags: dict[int, tuple[int, int, int]], data: bytes = b"") -> bytes:
    """A TIFF of the data and one directory: tag → type, count and value; the data begin at 8."""
    start = 8 + len(data) + len(data) % 2
    entries = (struct.pack("<HHII", tag, *entry) for tag, entry in sorted(tags.items()))
    directory = struct.pack("<H", len(tags)) + b"".join(entries) + b"\0" * 4
    return b"II*\0" + struct.pack("<I", start) + data.ljust(start - 8, b"\0") + directory


def nothing(length: int) -> bytes:
    """So many zero bytes, deflated a megabyte at a time."""
    packing = zlib.compressobj(1)
    pieces = [packing.compress(bytes(min(2**20, length - at))) for at in range(0, length, 2**20)]
    return b"".join(pieces) + packing.flush()


def deep_tiff(width: int, height: int, *, floats: bool = False) -> bytes:
    """RGBA of 16 bits, or numbers of 32, in one deflated strip, which is unpacked as a whole."""
    samples, bits = (1, 32) if floats else (4, 16)
    packed = nothing(samples * bits // 8 * width * height)
    widths = struct.pack("<4H", *[bits] * 4)
    tags = {
        256: (4, 1, width),
        257: (4, 1, height),
        258: (3, samples, 8 if samples > 2 else bits),
        259: (3, 1, 8),
        262: (3, 1, 1 if floats else 2),
        273: (4, 1, 8 + len(widths)),
        277: (3, 1, samples),
        278: (4, 1, height),
        279: (4, 1, len(packed)),
        339: (3, 1, 3 if floats else 1),
    }
    return tiff(tags if floats else tags | {338: (3, 1, 2)}, widths + packed)


def exif(orientation: int) -> Image.Exif:
    note = Image.Exif()
    note[0x0112] = orientation
    return note


def hoarding(size: int, tags: int) -> bytes:
    """An EXIF note whose every tag refers to the same bytes, of the whole note."""
    entries = b"".join(struct.pack("<HHII", tag + 1, 7, size, 8) for tag in range(tags))
    directory = b"II*\0\x08\0\0\0" + struct.pack("<H", tags) + entries
    return b"Exif\0\0" + directory.ljust(size + 16, b"\0")


def samples() -> dict[str, bytes]:
    """Sound files, small and of every kind, for damage to begin with."""
    colours = Image.fromarray(scene())
    other = Image.fromarray(scene(seed=1))
    clear = colours.convert("RGBA")
    clear.putalpha(Image.fromarray(scene(seed=2)[..., 0]))
    palette = colours.quantize(32)
    deep = Image.fromarray(scene()[..., 0].astype(np.uint16) * 257)
    film = {"save_all": True, "append_images": [other]}
    plain = {kind: written(colours, kind) for kind in ("PNG", "JPEG", "WEBP", "BMP", "TIFF")}
    turned = {
        f"{kind} turned {turn}": written(colours, kind, exif=exif(turn))
        for kind in ("JPEG", "PNG", "WEBP", "TIFF")
        for turn in range(1, 9)
    }
    packings = ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")
    return {
        **plain,
        **turned,
        **{f"TIFF {each}": written(colours, "TIFF", compression=each) for each in packings},
        "TIFF group4": written(colours.convert("1"), "TIFF", compression="group4"),
        "TIFF float": written(Image.fromarray(scene()[..., 0].astype(np.float32)), "TIFF"),
        "TIFF 16": written(deep, "TIFF"),
        "TIFF RGBA 16": deep_tiff(20, 30),
        "TIFF CMYK": written(colours.convert("CMYK"), "TIFF"),
        "TIFF film": written(colours, "TIFF", **film),
        "PNG 16": written(deep),
        "PNG RGBA 16": png((2, 2), 16, 6, zlib.compress(2 * bytes(range(17)))),
        "PNG clear": written(clear),
        "PNG palette": written(palette, transparency=0),
        "PNG bit": written(colours.convert("1")),
        "PNG film": written(colours, "PNG", **film),
        "GIF": written(palette, "GIF"),
        "GIF clear": written(palette, "GIF", transparency=0),
        "GIF film": written(palette, "GIF", save_all=True, append_images=[other.quantize(32)]),
        "JPEG CMYK": written(colours.convert("CMYK"), "JPEG"),
        "JPEG progressive": written(colours, "JPEG", progressive=True),
        "JPEG grey": written(colours.convert("L"), "JPEG"),
        "WEBP clear": written(clear, "WEBP", lossless=True),
        "WEBP film": written(clear, "WEBP", lossless=True, **film),
        "BMP palette": written(palette, "BMP"),
        "BMP bit": written(colours.convert("1"), "BMP"),
    }
