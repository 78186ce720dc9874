"""The script that is shown for a student does what its run does."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from core.distillation import ARMS, Distillation
from core.distillation.distilling import Distilling, distil
from core.distillation.script import script
from core.shared import data
from core.shared.models import Source

ROOT = Path(__file__).parents[2]
DIGITS = Source(kind="built-in", name="mnist")
BASE = Distillation(
    teacher=DIGITS, student="fc8-relu", images=50, batch_size=16, epochs=2, learning_rate=0.01
)
EXPERIMENTS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "unlabelled, some classes less": {"images": 20, "unlabelled": 27, "left_out": 3},
    "left out, with dropout": {"left_out": 8, "student": "conv2-s2-relu,fc8-relu-drop30"},
    "neither squared nor by the images alone": {"squared": False, "reduction": "mean"},
    "soft alone": {"alpha": 0.0, "temperature": 20.0},
    "hard alone": {"alpha": 1.0, "seed": 3},
}


@pytest.fixture(autouse=True)
def few_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let there be few images to read, and nowhere else be looked than in the repository."""
    monkeypatch.setenv("GLASSBOX_DEVICE", "cpu")
    monkeypatch.chdir(ROOT)
    whole = data.dataset("mnist", torch.device("cpu"))
    few = replace(
        whole,
        validation=data.Split(whole.validation.images[:60], whole.validation.labels[:60]),
        test=data.Split(whole.test.images[:80], whole.test.labels[:80]),
    )
    monkeypatch.setattr(data, "dataset", lambda *_: few)


def run(text: str, capsys: pytest.CaptureFixture[str]) -> tuple[nn.Module, int]:
    """Run a script; its student and the errors that it prints."""
    found: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(text, "script.py", "exec"), found)
    told = capsys.readouterr().out
    assert told.endswith("errors of 80 test images\n")
    return found["student"], int(told.split()[0])


def ended(config: Distillation) -> Distilling:
    *_, living = distil(config)
    assert isinstance(living, Distilling)
    return living


def alike(one: nn.Module, two: nn.Module) -> bool:
    """Equal but for rounding: the loss is put together in another order."""
    pairs = zip(one.parameters(), two.parameters(), strict=True)
    return all(torch.allclose(here, there, rtol=1e-3, atol=1e-4) for here, there in pairs)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_script_gives_the_weights_of_the_run(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = replace(BASE, **EXPERIMENTS[name])
    for student in ended(config).students:
        network, errors = run(script(config, student.arm), capsys)
        assert alike(student.network, network), student.arm
        assert student.errors == errors


@pytest.mark.parametrize(
    ("arm", "here", "there"),
    [
        ("distilled", "T**2 * ", ""),
        ("distilled", "/ len(batch)", "/ logits.numel()"),
        ("distilled", "alpha * hard + (1 - alpha)", "(1 - alpha) * hard + alpha"),
        ("distilled", "said[batch] / T", "said[batch]"),
        ("permuted", "said = said.scatter", "other = said.scatter"),
        ("smoothed", "label_smoothing=0.1", "label_smoothing=0.0"),
        ("alone", "+ number + 1", "+ number"),
    ],
)
def test_that_comparison_rejects_another_script(
    arm: str, here: str, there: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = replace(BASE, arms=(arm,))
    text = script(config, arm)
    assert text.count(here) == 1
    network, _ = run(text.replace(here, there), capsys)
    assert not alike(ended(config).students[0].network, network)


@pytest.mark.parametrize("arm", ARMS)
def test_a_script_can_be_read(arm: str) -> None:
    for changes in EXPERIMENTS.values():
        text = script(replace(BASE, **changes), arm)
        assert max(map(len, text.splitlines())) <= 100
        assert "\n\n\n\n" not in text
        assert ("teacher" in text) == (arm in ("distilled", "permuted"))


def test_a_script_of_nobody_and_without_data_is_refused() -> None:
    teacher = Source(kind="built-in", name="efficientnet-lite0")
    with pytest.raises(ValueError, match="teacher must be one whose data are here, got Effic"):
        script(replace(BASE, teacher=teacher), "alone")
    with pytest.raises(ValueError, match=r"arm must be one of \('alone',\), got 'distilled'"):
        script(replace(BASE, arms=("alone",)), "distilled")
