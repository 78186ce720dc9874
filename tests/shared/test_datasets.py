"""What pages are told about a data set is what the data set is, and takes no torch."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from core.shared import datasets, uploads
from core.shared.data import dataset
from core.shared.datasets import about
from core.shared.uploads import Pictures


@pytest.mark.parametrize("name", ["mnist", "fashion"])
def test_what_is_told_is_so(name: str) -> None:
    known, loaded = about(name), dataset(name, torch.device("cpu"))
    parts = (loaded.training, loaded.validation, loaded.test)
    assert (known.training, known.validation, known.test) == tuple(map(len, parts))
    assert known.classes == loaded.classes
    assert known.shape == loaded.shape
    assert known.name == name


def test_own_pictures_are_told_of_from_their_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLASSBOX_RUNS", str(tmp_path))
    pictures = Pictures(
        np.zeros((27, 3, 28, 28), np.uint8), np.repeat([0, 1], [7, 20]), ("few", "many")
    )
    name = datasets.OWN + uploads.keep(uploads.folder(), pictures)
    assert about(name) == datasets.About(
        name=name,
        title="Your pictures",
        classes=("few", "many"),
        shape=(3, 28, 28),
        training=5 + 14,
        validation=1 + 3,
        test=1 + 3,
    )
    with pytest.raises(ValueError, match="no longer on the server: upload the zip again"):
        about(datasets.OWN + "0" * 32)


@pytest.mark.parametrize(
    "name", ["", "own", "own-", "own-../../etc/passwd", "own-" + "A" * 32, "x\ny", "0" * 32]
)
def test_an_unknown_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"^dataset must be 'mnist', 'fashion' or own") as caught:
        about(name)
    assert str(caught.value).isprintable()


def test_nothing_of_it_needs_torch() -> None:
    program = "import sys; from core.shared import datasets; print('torch' in sys.modules)"
    root = Path(datasets.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
