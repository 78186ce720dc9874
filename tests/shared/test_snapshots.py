"""Weights on disk come back bit for bit, damaged ones are refused, and the newest is found."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.shared import runs, snapshots
from core.shared.snapshots import Snapshot


def snapshot(step: int) -> Snapshot:
    source = torch.Generator().manual_seed(step)
    return Snapshot(
        step,
        {
            "a": torch.randn(3, 4, generator=source),
            "b": torch.arange(5),
            "c": torch.tensor(float("nan")),
            "layout": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
            "part": torch.randn(6, 6)[::2, 1:],
        },
        {"rate": 0.1 + 0.2, "points": [[1, None, float("inf")]], "word": "η"},
    )


def test_a_snapshot_comes_back_bit_for_bit(tmp_path: Path) -> None:
    given_one = snapshot(7)
    snapshots.write(tmp_path, given_one)
    back = snapshots.load(tmp_path / "snapshot-000000007.safetensors")
    assert back.step == 7
    assert back.record == given_one.record
    assert back.tensors.keys() == given_one.tensors.keys()
    for name, value in given_one.tensors.items():
        torch.testing.assert_close(back.tensors[name], value, rtol=0, atol=0, equal_nan=True)
        assert back.tensors[name].dtype == value.dtype
    # and the plain library reads the same
    assert torch.equal(
        load_file(tmp_path / "snapshot-000000007.safetensors")["a"], given_one.tensors["a"]
    )


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 8, b"\xff" * 64, b"PK\x03\x04", b"\x80\x04N.", "cut", "flipped"]
)
def test_a_damaged_file_is_refused_with_a_sentence_and_passed_over(
    tmp_path: Path, content: bytes | str
) -> None:
    snapshots.write(tmp_path, snapshot(3))
    snapshots.write(tmp_path, snapshot(9))
    path = tmp_path / "snapshot-000000009.safetensors"
    if isinstance(content, str):
        whole = path.read_bytes()
        content = whole[:-5] if content == "cut" else whole[:9] + b"\xff" + whole[10:]
    path.write_bytes(content)
    with pytest.raises(ValueError, match="must be a snapshot of a run"):
        snapshots.load(path)
    best = snapshots.newest(tmp_path)
    assert best is not None
    assert best.step == 3


def test_a_file_of_weights_that_is_no_snapshot_is_refused(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(2)}, tmp_path / "weights.safetensors")
    with pytest.raises(ValueError, match="must be a snapshot of a run"):
        snapshots.load(tmp_path / "weights.safetensors")
    with pytest.raises(ValueError, match="must be a snapshot of a run"):
        snapshots.load(tmp_path / "none.safetensors")


def test_the_newest_is_the_highest_step_that_can_be_read(tmp_path: Path) -> None:
    def newest() -> int | None:
        found = snapshots.newest(tmp_path)
        return None if found is None else found.step

    assert newest() is None
    for step in range(1, 8):
        snapshots.write(tmp_path, snapshot(step))
    assert newest() == 7
    snapshots.write(tmp_path, snapshot(5), rolling=True)
    assert newest() == 7
    snapshots.write(tmp_path, snapshot(12), rolling=True)
    assert newest() == 12
    (tmp_path / runs.ROLLING).write_bytes(b"damaged")
    assert newest() == 7
    for step in range(2, 8):  # all but the first
        (tmp_path / f"snapshot-{step:09}.safetensors").write_bytes(b"damaged")
    assert newest() == 1


def test_foreign_files_are_no_steps(tmp_path: Path) -> None:
    snapshots.write(tmp_path, snapshot(4))
    for name in (
        "snapshot-abc.safetensors",
        "snapshot-.safetensors",
        "snapshot-²²²²²²²²².safetensors",
    ):
        (tmp_path / name).touch()
    (tmp_path / ".snapshot-000000009.safetensors.77").touch()
    assert snapshots.steps(tmp_path) == (4,)
    best = snapshots.newest(tmp_path)
    assert best is not None
    assert best.step == 4


def test_a_write_into_a_folder_that_has_gone_is_nothing(tmp_path: Path) -> None:
    snapshots.write(tmp_path / "gone", snapshot(1))
    assert not (tmp_path / "gone").exists()
