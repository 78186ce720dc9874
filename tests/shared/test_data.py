"""The data are the originals, their parts share nothing, and what is not IDX is refused."""

import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some

from core.shared import data, datasets, uploads
from core.shared.data import Split, dataset, mnist, read_idx
from core.shared.uploads import Pictures

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


CPU = torch.device("cpu")


def test_a_data_set_by_its_name_is_the_same_as_ever() -> None:
    assert dataset("mnist", CPU) is mnist(CPU)
    assert dataset("fashion", CPU) is dataset("fashion", CPU, 10_000)


def test_fashion_has_its_sizes_and_as_many_of_each_class() -> None:
    clothes = dataset("fashion", CPU)
    for part, each in ((clothes.training, 1_000), (clothes.validation, 200), (clothes.test, 200)):
        assert part.labels.bincount().tolist() == [each] * 10
        assert part.images.shape == (10 * each, 1, 28, 28)
    assert clothes.shape == (1, 28, 28)
    assert clothes.training.images.min() == 0
    assert clothes.training.images.max() == 1


def test_fashion_is_told_apart_by_what_its_classes_look_like() -> None:
    """Trousers leave a gap between the legs, and a sandal is mostly air: the names fit."""
    clothes = dataset("fashion", CPU)
    images, labels = clothes.training.images[:, 0], clothes.training.labels
    means = {name: images[labels == label].mean(0) for label, name in enumerate(clothes.classes)}
    assert means["Trouser"][20:26, 13:15].mean() < 0.5 * means["Dress"][20:26, 13:15].mean()
    assert min(means, key=lambda name: means[name].mean().item()) == "Sandal"
    boot, sneaker = means["Ankle boot"], means["Sneaker"]
    assert boot[4:9].mean() > 5 * sneaker[4:9].mean()  # the shaft


def test_the_constants_of_fashion_were_measured_on_its_training_pixels() -> None:
    clothes = dataset("fashion", CPU)
    deviation, mean = torch.std_mean(clothes.training.images)
    assert mean.item() == pytest.approx(clothes.mean, abs=5e-4)
    assert deviation.item() == pytest.approx(clothes.deviation, abs=5e-4)


def test_no_picture_of_fashion_is_in_two_parts() -> None:
    clothes = dataset("fashion", CPU)
    parts = [hashes(part) for part in (clothes.training, clothes.validation, clothes.test)]
    assert len(set.union(*parts)) == sum(map(len, parts))
    assert list(map(len, parts)) == [9_998, 2_000, 2_000]  # two are there twice, to learn from


def test_a_subset_that_is_not_the_original_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "other.npz"
    place.write_bytes(data.FASHION.read_bytes()[:-1])
    monkeypatch.setattr(data, "FASHION", place)
    with pytest.raises(ValueError, match=r"other\.npz must have sha256 f902ac79"):
        data._fashion.__wrapped__(CPU)


def first_in_turn(labels: list[int], count: int) -> list[int]:
    """Deal as one would by hand: a card of each class, again and again."""
    piles = [[at for at, one in enumerate(labels) if one == label] for label in range(10)]
    dealt: list[int] = []
    while len(dealt) < count:
        for pile in piles:
            if pile and len(dealt) < count:
                dealt.append(pile.pop(0))
    return sorted(dealt)


@settings(derandomize=True, deadline=None)
@given(labels=some.lists(some.integers(0, 9), min_size=1, max_size=60), share=some.floats(0, 1))
def test_few_images_are_dealt_out_one_class_after_another(labels: list[int], share: float) -> None:
    count = max(1, round(share * len(labels)))
    chosen = data.in_turn(torch.tensor(labels), count)
    assert sorted(chosen.tolist()) == first_in_turn(labels, count)
    half = data.in_turn(torch.tensor(labels), count // 2)
    assert chosen[: count // 2].tolist() == half.tolist()  # fewer are the first of more


@pytest.mark.parametrize(("name", "images"), [("mnist", 10), ("mnist", 1_234), ("fashion", 105)])
def test_few_images_are_balanced_and_leave_the_other_parts_whole(name: str, images: int) -> None:
    whole, few = dataset(name, CPU), dataset(name, CPU, images)
    counts = few.training.labels.bincount()
    assert counts.sum() == len(few.training) == images
    assert counts.max() - counts.min() <= 1
    for label in range(10):
        own = whole.training.images[whole.training.labels == label][: counts[label]]
        assert torch.equal(few.training.images[few.training.labels == label], own)
    assert few.validation is whole.validation
    assert few.test is whole.test
    assert (few.classes, few.mean, few.deviation) == (whole.classes, whole.mean, whole.deviation)


@pytest.mark.parametrize("images", [-1, 1, 9, 10_001])
def test_a_number_of_images_that_cannot_be_is_refused(images: int) -> None:
    with pytest.raises(ValueError, match=r"^images must be 0 for all or from 10.* to 10,000, got"):
        dataset("fashion", CPU, images)


def own_pictures(channels: int = 3, each: int = 20) -> Pictures:
    shape = (3 * each, channels, 28, 28)
    pixels = np.random.default_rng(0).integers(0, 200, shape, dtype=np.uint8)
    return Pictures(pixels, np.repeat(np.arange(3), each), ("ants", "bees", "wasps"))


@pytest.mark.parametrize("channels", [1, 3])
def test_own_pictures_are_a_data_set_as_any(
    channels: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLASSBOX_RUNS", str(tmp_path))
    pictures = own_pictures(channels)
    name = datasets.OWN + uploads.keep(uploads.folder(), pictures)
    own, known = dataset(name, CPU), datasets.about(name)
    assert own.classes == known.classes == ("ants", "bees", "wasps")
    assert own.shape == known.shape == (channels, 28, 28)
    for part, count in (
        (own.training, known.training),
        (own.validation, known.validation),
        (own.test, known.test),
    ):
        assert len(part) == count
        assert part.labels.bincount().tolist() == [count // 3] * 3
    indices = uploads.split(pictures).test
    assert np.array_equal(own.test.images.mul(255).round().byte().numpy(), pictures.images[indices])
    learnt = own.training.images.double().numpy()
    assert own.mean == pytest.approx(learnt.mean(), rel=1e-6)
    assert own.deviation == pytest.approx(learnt.std(), rel=1e-6)
    parts = [hashes(part) for part in (own.training, own.validation, own.test)]
    assert len(set.union(*parts)) == 60
    assert dataset(name, CPU, 4).training.labels.bincount().tolist() == [2, 1, 1]


def test_pictures_of_one_shade_have_a_deviation_to_divide_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLASSBOX_RUNS", str(tmp_path))
    even = Pictures(np.full((10, 1, 28, 28), 51, np.uint8), np.repeat([0, 1], 5), ("a", "b"))
    own = dataset(datasets.OWN + uploads.keep(uploads.folder(), even), CPU)
    assert own.mean == pytest.approx(0.2)
    assert own.deviation == 0.05


@pytest.mark.parametrize("name", ["", "MNIST", "own-", "own-xyz", "cifar"])
def test_a_data_set_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"^dataset must be 'mnist', 'fashion' or own pictures"):
        dataset(name, CPU)
