"""MNIST, whole, as tensors on the device: a batch is an index and never a loader.

`python -m core.shared.data` checks that the files in assets/ are the originals.
"""

import gzip
import hashlib
import math
import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["Dataset", "Split", "mnist", "read_idx"]

FOLDER = Path(__file__).parents[2] / "assets" / "mnist"
TRAINING = 50_000  # of the file's 60,000; the last 10,000 are for validation
SHA256 = {  # of the unpacked files
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
HEADER = 4  # bytes before the sizes: two zeros, the type code, how many sizes
IDX_BYTES = b"\0\0\x08"  # the type code 8 is that of unsigned bytes, the only one in MNIST


@dataclass(frozen=True, slots=True)
class Split:
    """Images and their labels, on one device."""

    images: Float[Tensor, "n c h w"]  # pixels: 0 is paper, 1 is ink
    labels: Int[Tensor, " n"]  # the class, counted from 0

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Images in three parts that share none, and what is known about them."""

    training: Split
    validation: Split
    test: Split
    classes: tuple[str, ...] = tuple("0123456789")  # the names of the labels 0, 1, 2 …
    mean: float = 0.1  # of the training pixels, about; the first layer shifts by it
    deviation: float = 0.28  # likewise, and divides by it

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of one image: channels, height, width."""
        channels, height, width = self.training.images.shape[1:]
        return channels, height, width


@lru_cache(maxsize=4)
def mnist(device: torch.device) -> Dataset:
    """Put all 70,000 digits on the device: 50,000 to learn, 10,000 to choose by, 10,000 to test.

    Validation is the last 10,000 of the training file. The tensors are shared by everybody in the
    process, so nobody may write into them.

    Raises: ValueError when a file in assets/ is not the original.

    Source: LeCun, Bottou, Bengio, Haffner 1998, section III.A; IDX format after the data's page.
    """
    parts = {name: torch.from_numpy(read_idx(_unpack(name))) for name in SHA256}

    def split(prefix: str, chosen: slice) -> Split:
        images = parts[f"{prefix}-images-idx3-ubyte"][chosen].to(device)
        labels = parts[f"{prefix}-labels-idx1-ubyte"][chosen].to(device)
        return Split(images.unsqueeze(1).float().div_(255), labels.long())

    return Dataset(
        training=split("train", slice(0, TRAINING)),
        validation=split("train", slice(TRAINING, None)),
        test=split("t10k", slice(None)),
    )


def read_idx(content: bytes) -> np.ndarray:
    """Read the IDX format: two zero bytes, a type, a rank, big-endian sizes, then the values.

    Returns: an array of bytes of the shape that the header states.
    Raises: ValueError when the header is none, or the values are not as many as it states.
    """
    sizes = content[HEADER:][: 4 * content[3]] if len(content) >= HEADER else b""
    if content[:3] != IDX_BYTES or len(content) < HEADER or len(sizes) != 4 * content[3]:
        raise ValueError(f"content must begin as IDX of unsigned bytes, got {content[:16].hex()!r}")
    shape, start = struct.unpack(f">{content[3]}I", sizes), HEADER + len(sizes)
    if len(content) - start != math.prod(shape):
        raise ValueError(
            f"content must hold as many values as its header says, {shape}, "
            f"got {len(content) - start} bytes"
        )
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape).copy()


def _unpack(name: str) -> bytes:
    content = gzip.decompress((FOLDER / f"{name}.gz").read_bytes())
    seen = hashlib.sha256(content).hexdigest()
    if seen != SHA256[name]:
        raise ValueError(f"assets/mnist/{name}.gz must have sha256 {SHA256[name]}, got {seen}")
    return content


if __name__ == "__main__":
    print("\n".join(f"{name}: as published" for name in SHA256 if _unpack(name)))  # noqa: T201
