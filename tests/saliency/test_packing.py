"""A picture that goes as a text comes back as it was, and nothing else is taken for one."""

import base64
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some

from core.saliency.packing import MOST, packed, unpacked
from core.shared import data


def of_bytes(head: str, content: bytes) -> str:
    return f"{head}:{base64.b64encode(zlib.compress(content)).decode()}"


@given(
    channels=some.sampled_from([1, 3]),
    height=some.integers(1, 9),
    width=some.integers(1, 9),
    seed=some.integers(0, 99),
)
@settings(derandomize=True, deadline=None, max_examples=30)
def test_a_picture_comes_back_rounded_to_8_bits(
    channels: int, height: int, width: int, seed: int
) -> None:
    pixels = np.random.default_rng(seed).random((channels, height, width)).astype(np.float32)
    text = packed(pixels)
    levels = np.rint(pixels.astype(np.float64) * 255).astype(np.float32)
    assert np.array_equal(unpacked(text), levels / np.float32(255))
    assert packed(unpacked(text)) == text


def test_a_test_image_comes_back_exactly() -> None:
    pixels = data.dataset("mnist", torch.device("cpu")).test.images[0].numpy()
    assert np.array_equal(unpacked(packed(pixels)), pixels)


def test_even_a_photograph_of_noise_is_short_enough_and_a_larger_one_is_refused() -> None:
    noise = np.random.default_rng(0).random((3, 224, 224)).astype(np.float32)
    assert len(packed(noise)) <= MOST
    with pytest.raises(ValueError, match="picture must be of 204,800 letters at most, got 2"):
        packed(np.random.default_rng(0).random((3, 240, 240)).astype(np.float32))


@pytest.mark.parametrize("wrong", [-0.01, 1.01, np.nan, np.inf])
def test_a_pixel_beyond_black_or_white_is_refused(wrong: float) -> None:
    pixels = np.full((1, 2, 2), 0.5, np.float32)
    pixels[0, 1, 1] = wrong
    with pytest.raises(ValueError, match="picture must be from 0 to 1"):
        packed(pixels)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "picture must begin with its shape"),
        ("2x2x2:", "picture must begin with its shape"),
        ("1x0x2:", "picture must begin with its shape"),
        (of_bytes("1x2000x2000", bytes(9)), "picture must have sides of 1,024 pixels at most"),
        ("1x2x2:%%%", "picture must be compressed pixels"),
        ("1x2x2:ü", "picture must be compressed pixels"),
        ("1x2x2:" + base64.b64encode(b"nothing").decode(), "picture must be compressed pixels"),
        (of_bytes("1x2x2", bytes(3)), "picture must have 4 values, got more or fewer"),
        (of_bytes("1x2x2", bytes(10**7)), "picture must have 4 values, got more or fewer"),
        (of_bytes("1x2x2", bytes(4))[:-4], "picture must have 4 values, got more or fewer"),
    ],
)
def test_what_is_no_picture_is_refused_with_its_rule(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        unpacked(text)
