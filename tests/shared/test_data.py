"""MNIST is the original, its parts share nothing, and what is not IDX is refused."""

import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some

from core.shared import data
from core.shared.data import Split, mnist, read_idx

PUBLISHED = {  # as torchvision and others list them for the unpacked files' contents
    "train-labels": [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
    "t10k-labels": [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
}


def idx(array: np.ndarray) -> bytes:
    """Write the IDX format as its page describes it."""
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(np.uint8).tobytes()


def test_the_parts_have_their_sizes_and_counts_of_each_digit() -> None:
    digits = mnist(torch.device("cpu"))
    assert [len(part) for part in (digits.training, digits.validation, digits.test)] == [
        50_000,
        10_000,
        10_000,
    ]
    labels = torch.cat([digits.training.labels, digits.validation.labels])
    assert labels.bincount().tolist() == PUBLISHED["train-labels"]
    assert digits.test.labels.bincount().tolist() == PUBLISHED["t10k-labels"]
    assert digits.training.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]


def test_pixels_run_from_paper_to_ink_and_have_the_known_mean() -> None:
    digits = mnist(torch.device("cpu"))
    assert digits.test.images.min().item() == 0
    assert digits.test.images.max().item() == 1
    both = torch.cat([digits.training.images, digits.validation.images])
    assert both.mean().item() == pytest.approx(0.1307, abs=5e-5)  # the constants that all quote
    assert both.std().item() == pytest.approx(0.3081, abs=5e-5)


def hashes(split: Split) -> set[bytes]:
    pixels = split.images.mul(255).round().byte().numpy()
    return {hashlib.sha256(picture.tobytes()).digest() for picture in pixels}


def test_no_picture_is_in_two_parts() -> None:
    digits = mnist(torch.device("cpu"))
    parts = [hashes(part) for part in (digits.training, digits.validation, digits.test)]
    assert len(set.union(*parts)) == sum(map(len, parts))


def test_a_file_that_is_not_the_original_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "t10k-labels-idx1-ubyte"
    content = bytearray(gzip.decompress((data.FOLDER / f"{name}.gz").read_bytes()))
    monkeypatch.setattr(data, "FOLDER", tmp_path)
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(bytes(content)))
    assert data._unpack(name) == content
    content[-1] ^= 1
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(bytes(content)))
    with pytest.raises(ValueError, match="must have sha256 ff7bcfd4"):
        data._unpack(name)


def test_idx_is_read_as_its_page_describes_it() -> None:
    content = bytes.fromhex("00000802 00000002 00000003 010203 0405ff")
    assert read_idx(content).tolist() == [[1, 2, 3], [4, 5, 255]]


@settings(derandomize=True, deadline=None)
@given(
    shape=some.lists(some.integers(0, 5), min_size=0, max_size=4),
    seed=some.integers(0, 2**32 - 1),
)
def test_what_is_written_as_idx_is_read_back(shape: list[int], seed: int) -> None:
    array = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    back = read_idx(idx(array))
    assert back.shape == tuple(shape)
    assert np.array_equal(back, array)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(content=some.binary(max_size=40))
def test_no_bytes_at_all_give_anything_but_an_array_or_a_sentence(content: bytes) -> None:
    for candidate in (content, b"\0\0\x08" + content):
        try:
            given_back, sentence = idx(read_idx(candidate)), ""
        except ValueError as error:
            given_back, sentence = b"", str(error)
        assert given_back == candidate or sentence.startswith("content must")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0\x08",
        bytes.fromhex("00000d01 00000001 00000000"),  # floats
        bytes.fromhex("1f8b0801 00000001 01"),  # still packed
        bytes.fromhex("00000802 00000002 0000"),  # ends in its header
        bytes.fromhex("00000801 00000003 0102"),  # a value short
        bytes.fromhex("00000801 00000001 0102"),  # a value too many
        bytes.fromhex("00000804 00010000 00010000 00010000 00010000"),  # 2**64 values: 0 in int64
    ],
)
def test_what_is_no_idx_is_refused_with_a_sentence(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"^content must"):
        read_idx(content)
