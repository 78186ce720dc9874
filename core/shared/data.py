"""Data sets, whole, as tensors on the device: a batch is an index and never a loader.

`python -m core.shared.data` checks that the files in assets/ are the originals.
"""

import gzip
import hashlib
import io
import math
import struct
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int, Integer, UInt8
from torch import Tensor

from core.shared import datasets, uploads

__all__ = ["Dataset", "Split", "dataset", "in_turn", "mnist", "read_idx"]

FOLDER = Path(__file__).parents[2] / "assets" / "mnist"
TRAINING = 50_000  # of the file's 60,000; the last 10,000 are for validation
SHA256 = {  # of the unpacked files
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
FASHION = FOLDER.parent / "fashion" / "fashion_mnist_12k_2k.npz"
FASHION_SHA256 = "f902ac79640cb28391808638c9e1336499f72073c27b65fba7a852a81d0506cc"
FASHION_VALIDATION = 200  # of each class's 1,200 in the file: the first
NARROWEST = 0.05  # deviation: pictures of one shade are not blown up to noise
HEADER = 4  # bytes before the sizes: two zeros, the type code, how many sizes
IDX_BYTES = b"\0\0\x08"  # the type code 8 is that of unsigned bytes, the only one in MNIST


@dataclass(frozen=True, slots=True)
class Split:
    """Images and their labels, on one device."""

    images: Float[Tensor, "n c h w"]  # pixels: 0 is black (MNIST's paper), 1 is white (its ink)
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


@lru_cache(maxsize=32)
def dataset(name: str, device: torch.device, images: int = 0) -> Dataset:
    """Put a data set on the device, shared by everybody in the process: do not write into it.

    Args:
        name: as `core.shared.datasets.about` takes it.
        device: where the tensors shall be.
        images: so many of the training images alone, the first of each class in turn, so that no
            class has two more than another unless it has run out; 0 takes all. Validation and
            test stay whole.

    Raises: ValueError when there is no such data set, or not so many images, or fewer than classes.
    """
    known = datasets.about(name)
    if images and not len(known.classes) <= images <= known.training:
        raise ValueError(
            f"images must be 0 for all or from {len(known.classes)}, one a class, "
            f"to {known.training:,}, got {images:,}"
        )
    if name == "mnist":
        whole = mnist(device)
    elif name == "fashion":
        whole = _fashion(device)
    else:
        whole = _own(name, device)
    if images in (0, len(whole.training)):
        return whole
    chosen = in_turn(whole.training.labels, images).sort().values
    few = Split(whole.training.images[chosen], whole.training.labels[chosen])
    return replace(whole, training=few)


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
        images = parts[f"{prefix}-images-idx3-ubyte"][chosen].unsqueeze(1)
        return _split(images, parts[f"{prefix}-labels-idx1-ubyte"][chosen], device)

    return Dataset(
        training=split("train", slice(0, TRAINING)),
        validation=split("train", slice(TRAINING, None)),
        test=split("t10k", slice(None)),
    )


def in_turn(labels: Int[Tensor, " n"], count: int) -> Int[Tensor, " {count}"]:
    """Choose so many: the first of each class, the second of each, and so on, in this order.

    Args:
        labels: of all.
        count: how many places are given, at most as many as there are labels.
    """
    turns = _turns(labels)
    return (turns * (int(labels.max()) + 1) + labels).argsort()[:count]


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


@lru_cache(maxsize=4)
def _fashion(device: torch.device) -> Dataset:
    """Put the subset on the device: 1,000 a class to learn, 200 to choose by, 200 to test.

    It was drawn at random from all 70,000 and is not the official split, so no figure on it
    compares with the literature. Validation is the first 200 of each class in its training
    part. Two pictures of it occur twice: so cut, all four are among those to learn from.

    Source: Xiao, Rasul, Vollgraf 2017, arXiv:1708.07747.
    """
    content = FASHION.read_bytes()
    seen = hashlib.sha256(content).hexdigest()
    if seen != FASHION_SHA256:
        raise ValueError(f"{FASHION.name} must have sha256 {FASHION_SHA256}, got {seen}")
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        parts = {name: torch.from_numpy(file[name]) for name in file.files}
    images, labels = parts["train_images"].unsqueeze(1), parts["train_labels"]
    learnt = _turns(labels) >= FASHION_VALIDATION
    return Dataset(
        training=_split(images[learnt], labels[learnt], device),
        validation=_split(images[~learnt], labels[~learnt], device),
        test=_split(parts["test_images"].unsqueeze(1), parts["test_labels"], device),
        classes=datasets.about("fashion").classes,
        mean=0.286,
        deviation=0.353,
    )


@lru_cache(maxsize=8)
def _own(name: str, device: torch.device) -> Dataset:
    """Put a visitor's pictures on the device."""
    pictures = uploads.load(uploads.folder(), name.removeprefix(datasets.OWN))
    indices = uploads.split(pictures)
    images, labels = torch.from_numpy(pictures.images), torch.from_numpy(pictures.labels)
    training, validation, test = (
        _split(images[part], labels[part], device)
        for part in map(torch.from_numpy, (indices.training, indices.validation, indices.test))
    )
    deviation, mean = torch.std_mean(training.images.double(), correction=0)
    return Dataset(
        training=training,
        validation=validation,
        test=test,
        classes=pictures.classes,
        mean=mean.item(),
        deviation=max(NARROWEST, deviation.item()),
    )


def _split(
    images: UInt8[Tensor, "n c h w"], labels: Integer[Tensor, " n"], device: torch.device
) -> Split:
    return Split(images.to(device).float().div_(255), labels.to(device).long())


def _turns(labels: Integer[Tensor, " n"]) -> Int[Tensor, " n"]:
    """Count for each label how many of its class come before it."""
    order = labels.argsort(stable=True)
    counts = labels.long().bincount()
    starts = (counts.cumsum(0) - counts).repeat_interleave(counts)
    turns = torch.empty_like(order)
    turns[order] = torch.arange(len(labels), device=labels.device) - starts
    return turns


def _unpack(name: str) -> bytes:
    content = gzip.decompress((FOLDER / f"{name}.gz").read_bytes())
    seen = hashlib.sha256(content).hexdigest()
    if seen != SHA256[name]:
        raise ValueError(f"assets/mnist/{name}.gz must have sha256 {SHA256[name]}, got {seen}")
    return content


if __name__ == "__main__":
    _fashion(torch.device("cpu"))
    names = [*filter(_unpack, SHA256), FASHION.name]
    print("\n".join(f"{name}: as published" for name in names))  # noqa: T201
