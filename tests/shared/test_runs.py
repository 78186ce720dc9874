"""What is on disk is always whole, damage is passed over, and names lead nowhere else."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from core.shared import runs


def create(root: Path, **changes: Any) -> runs.Manifest:
    manifest = replace(runs.create(root, "ada", "module:function", {"seed": 3}), **changes)
    runs.save(root, manifest)
    return manifest


def fill(root: Path, manifest: runs.Manifest, size: int) -> None:
    (runs.folder_of(root, manifest) / "snapshot-000000001.safetensors").write_bytes(bytes(size))


def test_a_run_is_found_as_it_was_saved(tmp_path: Path) -> None:
    first = create(tmp_path, status="finished", pinned=True)
    second = create(tmp_path, status="failed", failure="η was too large: “try” a tenth")
    assert {each.run: each for each in runs.found(tmp_path)} == {
        first.run: first,
        second.run: second,
    }


VALUES = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False) | some.text(),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(config=some.dictionaries(some.text(max_size=9), VALUES, max_size=4))
def test_every_config_of_json_values_comes_back(
    tmp_path_factory: pytest.TempPathFactory, config: dict[str, Any]
) -> None:
    root = tmp_path_factory.mktemp("runs")
    made = runs.create(root, "ada", "module:function", config)
    (back,) = runs.found(root)
    assert back == made
    assert back.config == config


def test_a_config_that_is_no_json_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="config must hold JSON values only"):
        runs.create(tmp_path, "ada", "module:function", {"path": tmp_path})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../etc", "a/b", "A", "ä", "a b", "a\n", "a" * 33, "~", "con:"]
)
def test_a_name_that_could_lead_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="name must be 1 to 32 of 0-9 and a-z"):
        runs.create(tmp_path, name, "module:function", {})
    with pytest.raises(ValueError, match="name must be"):
        runs.folder_of(tmp_path, replace(create(tmp_path), run=name))


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[]",
        lambda text: "null",
        lambda text: "[" * 100_000,
        lambda text: text.replace('"ada"', '"eve"'),
        lambda text: text.replace('"started"', '"begun"'),
        lambda text: json.dumps({**json.loads(text), "started": "yesterday"}),
        lambda text: json.dumps({**json.loads(text), "config": [1]}),
        lambda text: json.dumps({**json.loads(text), "pinned": None}),
        lambda text: json.dumps({**json.loads(text), "run": "../../etc"}),
    ],
)
def test_a_damaged_manifest_is_passed_over(tmp_path: Path, change: Callable[[str], str]) -> None:
    whole, broken = create(tmp_path), create(tmp_path)
    path = runs.folder_of(tmp_path, broken) / "run.json"
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    assert list(runs.found(tmp_path)) == [whole]
    path.write_bytes(b"\xff\xfe\x00")
    assert list(runs.found(tmp_path)) == [whole]
    path.unlink()
    path.mkdir()
    assert list(runs.found(tmp_path)) == [whole]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    place = tmp_path / "file"
    runs.atomically(place, lambda path: path.write_text("old"))

    def fails(path: Path) -> None:
        path.write_text("half")
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space"):
        runs.atomically(place, fails)
    assert place.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


WRITER = """
import os, signal, sys
from pathlib import Path
from core.shared import runs
def halfway(path):
    path.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
runs.atomically(Path(sys.argv[1]), halfway)
"""


def test_a_process_that_is_killed_while_it_writes_leaves_the_old_file(tmp_path: Path) -> None:
    manifest = create(tmp_path)
    place = runs.folder_of(tmp_path, manifest) / "run.json"
    old = place.read_text(encoding="utf-8")
    root = Path(__file__).parents[2]
    ended = subprocess.run(
        [sys.executable, "-c", WRITER, str(place)],
        env={**os.environ, "PYTHONPATH": str(root)},
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL
    assert place.read_text(encoding="utf-8") == old
    assert len(list(place.parent.iterdir())) == 2  # the half one, beside
    assert list(runs.found(tmp_path)) == [manifest]
    half = next(path for path in place.parent.iterdir() if path != place)
    runs.forget(tmp_path)
    assert half.exists()  # as far as a file can tell, somebody is still at it
    an_hour_ago = time.time() - 3600
    os.utime(half, (an_hour_ago, an_hour_ago))
    runs.forget(tmp_path)
    assert [path.name for path in place.parent.iterdir()] == ["run.json"]


def test_what_others_keep_under_the_folder_is_left_alone(tmp_path: Path) -> None:
    theirs = [tmp_path / "thesis" / ".git" / "HEAD", tmp_path / "thesis" / "code" / ".env"]
    (tmp_path / "thesis" / "code" / ".venv").mkdir(parents=True)
    for path in theirs:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine", encoding="utf-8")
    half_deleted = tmp_path / "ada" / ".0123456789ab"
    half_deleted.mkdir(parents=True)
    runs.forget(tmp_path)
    assert all(path.exists() for path in theirs)
    assert not half_deleted.exists()


def test_live_runs_of_a_server_that_died_are_marked_as_interrupted(tmp_path: Path) -> None:
    made = {
        status: create(tmp_path, status=status).run
        for status in ("waiting", "running", "paused", "finished", "stopped", "failed")
    }
    found = {each.run: each.status for each in runs.interrupted(tmp_path)}
    assert found == {each.run: each.status for each in runs.found(tmp_path)}  # also on disk
    for status, run in made.items():
        live = status in ("waiting", "running", "paused")
        assert found[run] == ("interrupted" if live else status)


def test_the_quota_takes_the_oldest_idle_runs_and_no_more_than_needed(tmp_path: Path) -> None:
    made = []
    for age, status in enumerate(["running", "finished", "failed", "failed", "stopped", "failed"]):
        pinned = status == "finished"
        made.append(create(tmp_path, started=float(age), status=status, pinned=pinned))
        fill(tmp_path, made[-1], 100_000)
    live, kept, oldest, older, newer, newest = made
    usage = runs.usage(tmp_path, made, 10)
    assert 600_000 < usage.taken < 610_000
    assert usage.next_to_go == oldest
    shuffled = [newest, kept, older, live, oldest, newer]
    left = runs.trim(tmp_path, shuffled, 450_000)
    assert left == [newest, kept, live, newer]
    assert {each.run for each in runs.found(tmp_path)} == {each.run for each in left}
    assert not runs.folder_of(tmp_path, oldest).exists()
    assert runs.trim(tmp_path, left, 0) == [kept, live]  # though it does not suffice
    assert runs.usage(tmp_path, [kept, live], 0).next_to_go is None


def test_old_runs_are_forgotten_and_pinned_ones_are_not(tmp_path: Path) -> None:
    old, pinned, new = create(tmp_path), create(tmp_path, pinned=True), create(tmp_path)
    for each in (old, pinned):
        long_ago = time.time() - 31 * 86_400
        os.utime(runs.folder_of(tmp_path, each), (long_ago, long_ago))
    runs.forget(tmp_path)
    assert {each.run for each in runs.found(tmp_path)} == {pinned.run, new.run}


def test_a_deleted_run_stays_deleted_and_deleting_twice_is_nothing(tmp_path: Path) -> None:
    manifest = create(tmp_path)
    runs.delete(tmp_path, manifest)
    runs.delete(tmp_path, manifest)
    runs.save(tmp_path, manifest)  # by somebody who has not heard of it
    assert list((tmp_path / "ada").iterdir()) == []


@settings(derandomize=True, deadline=None)
@given(total=some.integers(1, 10**6))
def test_snapshots_are_log_spaced(total: int) -> None:
    steps = sorted(runs.log_spaced(total))
    assert steps[0] == 0
    assert steps[-1] == total
    assert len(steps) <= 31
    ratio = total ** (1 / 29)
    for step, later in pairwise(steps):
        assert later - step <= (step + 0.5) * (ratio - 1) + 1  # a factor, and rounding twice
    if total > 1000:
        assert len(steps) > 20


@pytest.mark.parametrize(
    ("parameters", "most"),
    # 128 MiB hold 30 times a network with both of Adam's averages up to 372,827 parameters.
    [(0, 30), (60_850, 30), (372_827, 30), (372_828, 29), (1_118_481, 10), (5_000_000, 8)],
)
def test_large_networks_keep_fewer_snapshots(parameters: int, most: int) -> None:
    assert runs.most_snapshots(parameters) == most
