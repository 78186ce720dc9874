"""The attack's code that is shown ends at the picture that is shown, run as it stands."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from core.adversarial import Attack
from core.adversarial.attacking import attack
from core.adversarial.script import WRITTEN, write_attack
from core.shared import data, photographs, seeing
from core.shared.models import Source

ROOT = Path(__file__).parents[1]
DIGITS = Source(kind="built-in", name="mnist")
LITE = Source(kind="built-in", name="efficientnet-lite0")
CASES = [
    Attack(method="fgsm", epsilon=45 / 255, early=False),
    Attack(method="fgsm", norm="l2", epsilon=4.0, loss="ce", early=False),
    Attack(method="bim", epsilon=0.15, steps=8, loss="dlr", early=False),
    Attack(method="bim", epsilon=0.25, steps=20, target=3, loss="dlr", early=False),
    Attack(method="pgd", epsilon=0.15, steps=20, seed=3, early=False),
    Attack(method="pgd", norm="l2", epsilon=2.5, steps=20, early=False),
    Attack(method="pgd", epsilon=0.25, steps=20, target=9, loss="ce", early=False),
    Attack(method="mifgsm", epsilon=0.15, steps=10, decay=0.9, early=False),
    Attack(method="pgd", epsilon=0.01, steps=5, early=False),
]


def said(source: Source, config: Attack, pixels: np.ndarray, label: int, folder: Path) -> str:
    picture = folder / "picture.npy"
    np.save(picture, pixels)
    (folder / "attack.py").write_text(write_attack(source, config, label, str(picture)))
    done = subprocess.run(
        [sys.executable, "-W", "error", str(folder / "attack.py")],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("config", CASES, ids=lambda c: f"{c.method}-{c.norm}-{c.loss}-{c.target}")
def test_the_code_of_an_attack_ends_where_the_attack_does(config: Attack, tmp_path: Path) -> None:
    test = data.dataset("mnist", torch.device("cpu")).test
    pixels, label = test.images[0].numpy(), int(test.labels[0])
    found = attack(DIGITS, pixels, label, config)
    text = said(DIGITS, config, pixels, label, tmp_path)
    if not found.fooled:
        assert text.strip() == "not fooled"
        return
    read = re.search(r"fooled: read as (\d+)", text)
    sizes = re.search(r"L∞ ([\d.]+)/255, L2 ([\d.]+)", text)
    assert read
    assert sizes
    assert int(read[1]) == found.after.argmax()
    assert float(sizes[1]) == pytest.approx(255 * found.linf, abs=0.01)
    assert float(sizes[2]) == pytest.approx(found.l2, rel=1e-3)


def test_at_least_one_case_fools_and_one_does_not() -> None:
    test = data.dataset("mnist", torch.device("cpu")).test
    pixels, label = test.images[0].numpy(), int(test.labels[0])
    fooled = [attack(DIGITS, pixels, label, config).fooled for config in CASES]
    assert sum(fooled) >= 6
    assert not all(fooled)


def test_the_code_attacks_a_photograph_as_the_network_sees_it(tmp_path: Path) -> None:
    pixels = seeing.fit(photographs.photograph("coffee").pixels, (3, 224, 224), "")
    config = Attack(epsilon=4 / 255, steps=3, early=False)
    found = attack(LITE, pixels, None, config)
    text = said(LITE, config, pixels, found.label, tmp_path)
    assert f"read as {found.after.argmax()}" in text


def test_a_method_whose_code_is_not_written_is_refused() -> None:
    assert set(WRITTEN) < {"fgsm", "bim", "pgd", "mifgsm", "square"}
    with pytest.raises(ValueError, match="method must be one of"):
        write_attack(DIGITS, Attack(method="square"), 7, "picture.npy")
