"""A student that was taken away is the same network in every panel."""

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load as read

from core.distillation import exporting
from core.distillation.distilling import Distilling, distil
from core.distillation.exporting import export
from core.shared import weights
from core.shared.loading import load
from core.shared.models import Source
from tests.distillation.small import SMALL, Small, bare, small


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[Small]:
    monkeypatch.setenv("GLASSBOX_DEVICE", "cpu")
    with small(monkeypatch) as found:
        yield found


def test_what_is_packed_are_the_weights_of_the_barest_loop(world: Small) -> None:
    living = [given for given in distil(SMALL) if isinstance(given, Distilling)][-1]
    packed = zipfile.ZipFile(io.BytesIO(export(living, "distilled")))
    tensors = read(packed.read("weights.safetensors"))
    expected = bare(world, SMALL, "distilled").state_dict()
    assert tensors.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(tensors[name], value, rtol=1e-4, atol=1e-5)
    other = bare(world, SMALL, "alone").state_dict()
    assert not all(
        torch.allclose(tensors[name], value, 1e-4, 1e-5) for name, value in other.items()
    )
    told = json.loads(packed.read("run.json"))
    assert told["student"] == "distilled"
    assert told["distillation"]["temperature"] == SMALL.temperature
    with pytest.raises(ValueError, match="arm must be one of"):
        export(living, "genius")


@pytest.mark.parametrize("table", ["fc7-tanh", "conv3-p1-batch-relu,max2,fc5-relu"])
def test_a_student_of_digits_can_be_pinned(
    table: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(weights, "folder", lambda: tmp_path)
    config = replace(SMALL, student=table, images=10, epochs=1, arms=("distilled",))
    living = next(given for given in distil(config) if isinstance(given, Distilling))
    name = weights.keep(tmp_path, exporting.export(living, "distilled"))
    known = weights.about(tmp_path, name)
    assert (known.network, known.data) == (table, "mnist")
    (student,) = living.students
    images = living.dataset.test.images[:20]
    student.network.eval()
    with torch.no_grad():
        expected = student.network(images)
        found = load(Source(kind="weights", name=name)).network(images)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
