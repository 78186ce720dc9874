"""What is shown of Hinton's experiment is what was stored, and was made as it says."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from torch import Tensor, nn

from bench.hinton import SETTINGS, best_shift, moved
from core.distillation import hinton
from core.distillation.hinton import LEFT_OUT, PAPER, STUDENTS, WIDTHS, prepared, shifted
from core.shared.data import Split

SMALL = 1_000_000  # bytes of a file in assets


@pytest.fixture(autouse=True)
def read_anew() -> None:
    hinton._stored.cache_clear()


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    """Logits of two runs on forty images, in steps of a quarter, so that there are ties."""
    source = np.random.default_rng(4)
    found: dict[str, np.ndarray] = {
        f"logits.{seed}": (source.integers(-20, 20, (40, 10)) / 4).astype(np.float16)
        for seed in (0, 7)
    }
    found["labels"] = (np.arange(40) % 10).astype(np.uint8)
    save_file(found, tmp_path / "some.safetensors")
    monkeypatch.setattr(hinton, "LOGITS", tmp_path / "some.safetensors")
    return found


def counted(stored: dict[str, np.ndarray], seed: int, shift: float) -> tuple[int, int, int]:
    """Read one image after another: errors, those of the class left out, others taken for it."""
    wrong = own = taken = 0
    for row, label in zip(stored[f"logits.{seed}"].tolist(), stored["labels"], strict=True):
        raised = [value + shift * (place == LEFT_OUT) for place, value in enumerate(row)]
        read = raised.index(max(raised))
        wrong += read != label
        own += read != label == LEFT_OUT
        taken += read == LEFT_OUT != label
    return wrong, own, taken


def agrees(
    stored: dict[str, np.ndarray], told: Callable[[int, float], hinton.Shifted] = shifted
) -> bool:
    for seed in (0, 7):
        for shift in (-2.0, 0.0, 0.25, 3.5, 100.0):
            found = told(seed, shift)
            if (found.errors, found.of_left_out, found.taken_for) != counted(stored, seed, shift):
                return False
    return True


def test_a_raised_bias_is_counted_as_one_would_by_hand(stored: dict[str, np.ndarray]) -> None:
    assert agrees(stored)
    found = shifted(7, 100)
    assert (found.shift, found.images, found.left_out, found.of_left_out) == (100, 40, 4, 0)
    assert found.errors == found.taken_for == 36


def test_that_count_rejects_another_class_another_run_and_a_multiple(
    stored: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not agrees(stored, lambda seed, shift: shifted(7 - seed, shift))
    assert not agrees(stored, lambda seed, shift: shifted(seed, 2 * shift))
    monkeypatch.setattr(hinton, "LEFT_OUT", 4)
    assert not agrees(stored)


def test_what_was_not_run_is_refused(stored: dict[str, np.ndarray]) -> None:
    with pytest.raises(ValueError, match=r"seed must be one of \[0, 7\], got 1"):
        shifted(1, 0)
    with pytest.raises(ValueError, match="shift must be a finite number, got nan"):
        shifted(0, float("nan"))


def test_the_prepared_runs_are_those_of_the_bench() -> None:
    found = prepared()
    assert len(found.seeds) >= 3
    assert found.seeds == (*range(len(found.seeds)),)
    assert found.settings == json.loads(json.dumps(SETTINGS))
    assert found.students.keys() == STUDENTS.keys()
    assert {units: (*rows,) for units, rows in found.small.items()} == WIDTHS
    rows = [found.teacher, found.shifts, found.seconds, *found.students.values()]
    rows += [each for row in found.small.values() for each in row.values()]
    assert {len(row) for row in rows} == {len(found.seeds)}
    assert hinton.LOGITS.stat().st_size < SMALL
    told = json.loads(hinton.FILE.read_text(encoding="utf-8"))
    for place, seed in enumerate(found.seeds):
        assert found.teacher[place] == told["seeds"][str(seed)]["teacher"]
        assert found.small[30][2.5][place] == told["seeds"][str(seed)]["small"]["30"]["2.5"]


def test_the_digits_that_were_read_are_the_test_images_of_mnist() -> None:
    seed = prepared().seeds[0]
    usual = shifted(seed, 0)
    assert (usual.images, usual.left_out) == (10_000, 1_010)  # as in the paper
    assert PAPER["left out, of them 3s"] < PAPER["left out"]


def test_the_findings_are_the_papers_in_kind() -> None:
    """What the page says of them is so in each seed."""
    found = prepared()
    for place, seed in enumerate(found.seeds):
        students = {name: rows[place] for name, rows in found.students.items()}
        assert found.teacher[place] < students["distilled"] < students["permuted"]
        assert students["distilled"] < students["plain"]
        before, after = shifted(seed, 0), shifted(seed, found.shifts[place])
        assert after.errors < before.errors
        assert after.of_left_out < before.of_left_out
        assert before.of_left_out < before.left_out / 2  # most 3s are read, though none was seen


def test_the_shift_is_the_best_of_a_grid() -> None:
    """With logits of 0 but for the class left out, at −2.05, only a shift beyond that reads it."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 10))
    bias = torch.zeros(10)
    bias[LEFT_OUT] = -2.05
    network.load_state_dict({"0.weight": torch.zeros(10, 4), "1.bias": bias}, strict=False)
    network[1].load_state_dict({"weight": torch.zeros(10, 4), "bias": bias})
    images = torch.zeros(5, 1, 2, 2)
    assert best_shift(network, Split(images, torch.full((5,), LEFT_OUT))) == 2.1
    assert best_shift(network, Split(images, torch.zeros(5, dtype=torch.long))) == 0


def slid(image: Tensor, down: int, right: int) -> Tensor:
    """Slide an image over a larger one of paper, pixel by pixel."""
    side = image.shape[-1]
    moved_there = torch.zeros_like(image)
    for row in range(side):
        for column in range(side):
            if 0 <= row - down < side and 0 <= column - right < side:
                moved_there[0, row, column] = image[0, row - down, column - right]
    return moved_there


def test_jitter_moves_each_image_by_up_to_two_pixels_all_ways_as_often() -> None:
    image = torch.rand(1, 6, 6, generator=torch.Generator().manual_seed(1))
    ways = [slid(image, down, right) for down in range(-2, 3) for right in range(-2, 3)]
    found = moved(image.expand(2_000, 1, 6, 6), torch.Generator().manual_seed(2))
    which = [[place for place, way in enumerate(ways) if torch.equal(way, each)] for each in found]
    assert all(len(each) == 1 for each in which)
    counts = np.bincount([each[0] for each in which], minlength=25)
    assert ((counts - 80.0) ** 2 / 80).sum() < 51.2  # χ² of 24 degrees of freedom: 0.999
