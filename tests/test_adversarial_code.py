"""The attack's code that is shown ends at the picture that is shown, run as it stands."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.adversarial import (
    METHODS,
    Attack,
    Outcome,
    carlini_wagner,
    deepfool,
    saliency_map,
    transfer,
)
from core.adversarial.attacking import attack
from core.adversarial.script import ATTACKED, nearest, teaching, write_attack
from core.shared import models, networks, photographs, pictures, runs, seeing, snapshots
from core.shared.loading import load
from core.shared.models import Source
from tests.shared.digits import digit

ROOT = Path(__file__).parents[1]
DIGITS = Source(kind="built-in", name="mnist")
LITE = Source(kind="built-in", name="efficientnet-lite0")
FAILED = "not fooled within ε"
# Several scripts in one process, as importing torch takes seconds; none sees another's names.
SEVERAL = """import contextlib, io, json, runpy, sys
said = {}
for path in sys.argv[1:]:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        try:
            runpy.run_path(path, run_name="__main__")
        except SystemExit as end:
            print(end)
    said[path] = out.getvalue()
print(json.dumps(said))
"""
Case = tuple[int, Attack]  # the test image, and how it is attacked
CASES: dict[str, Case] = {
    "FGSM": (0, Attack(method="fgsm", epsilon=45 / 255)),
    "FGSM, L2": (0, Attack(method="fgsm", norm="l2", epsilon=4.0, loss="ce", early=False)),
    "BIM": (0, Attack(method="bim", epsilon=0.15, steps=8, loss="dlr", early=False)),
    "BIM to 3": (
        0,
        Attack(method="bim", epsilon=0.25, steps=20, target=3, loss="dlr", early=False),
    ),
    "BIM, L2, early": (0, Attack(method="bim", norm="l2", epsilon=2.5)),
    "PGD": (0, Attack(method="pgd", epsilon=0.15, steps=20, seed=3, early=False)),
    "PGD, L2": (0, Attack(method="pgd", norm="l2", epsilon=2.5, steps=20, draws=3, early=False)),
    "PGD to 9": (
        0,
        Attack(method="pgd", epsilon=0.25, steps=20, target=9, loss="ce", early=False),
    ),
    "PGD in vain": (0, Attack(method="pgd", epsilon=0.01, steps=5, restarts=2, early=False)),
    "PGD, early": (0, Attack(method="pgd", epsilon=0.15, steps=20, seed=3)),
    "PGD at the fifth beginning": (4, Attack(method="pgd", epsilon=0.09, steps=5, restarts=8)),
    "MI-FGSM": (0, Attack(method="mifgsm", epsilon=0.15, steps=10, decay=0.9, early=False)),
    "MI-FGSM, L2": (0, Attack(method="mifgsm", norm="l2", epsilon=2.5, steps=10, early=False)),
    "APGD": (0, Attack(method="apgd", epsilon=0.15, steps=20, early=False)),
    "APGD, L2": (
        0,
        Attack(method="apgd", norm="l2", epsilon=2.5, steps=30, loss="dlr", early=False),
    ),
    "APGD to 9": (
        0,
        Attack(method="apgd", epsilon=0.25, steps=20, target=9, loss="ce", early=False),
    ),
    "APGD at the sixth beginning": (13, Attack(method="apgd", epsilon=0.09, steps=5, restarts=8)),
    "DeepFool": (0, Attack(method="deepfool", epsilon=3.0)),
    "DeepFool, made longer": (1, Attack(method="deepfool", epsilon=3.0, overshoot=0.0)),
    "DeepFool, L∞": (8, Attack(method="deepfool", norm="linf", epsilon=0.2, overshoot=0.0)),
    "DeepFool to 3": (0, Attack(method="deepfool", epsilon=3.0, target=3, early=False)),
    "DeepFool too far": (0, Attack(method="deepfool", epsilon=1.0)),
    "Carlini–Wagner": (0, Attack(method="cw", epsilon=3.0, steps=30, early=False)),
    "Carlini–Wagner, confident": (
        0,
        Attack(method="cw", epsilon=3.0, steps=20, searches=4, confidence=2.0),
    ),
    "Carlini–Wagner to 2": (0, Attack(method="cw", epsilon=3.0, steps=20, searches=3, target=2)),
    "JSMA": (0, Attack(method="jsma", epsilon=60.0, steps=100, early=False)),
    "JSMA, one pixel last": (2, Attack(method="jsma", epsilon=60.0, steps=7)),
    "JSMA to 3": (0, Attack(method="jsma", epsilon=60.0, steps=100, target=3)),
    "JSMA in vain": (0, Attack(method="jsma", epsilon=60.0, steps=15)),
    "One pixel": (
        8,
        Attack(method="onepixel", epsilon=20.0, queries=250, population=100, early=False),
    ),
    "One pixel to 6": (8, Attack(method="onepixel", epsilon=20.0, queries=300, target=6)),
    "One pixel, more than pass at once": (
        2,
        Attack(method="onepixel", epsilon=20.0, queries=400, population=150),
    ),
    "Square": (0, Attack(method="square", epsilon=0.3, queries=200, early=False)),
    "Square, L2": (0, Attack(method="square", norm="l2", epsilon=4.0, queries=150, early=False)),
    "Square at another beginning": (
        8,
        Attack(method="square", norm="l2", epsilon=1.0, queries=40, restarts=6),
    ),
    "Square to 3": (0, Attack(method="square", epsilon=0.4, queries=300, target=3)),
    "NES": (0, Attack(method="nes", epsilon=0.25, queries=500, early=False)),
    "NES, L2": (
        0,
        Attack(method="nes", norm="l2", epsilon=4.0, queries=900, population=200, early=False),
    ),
    "NES to 9": (
        0,
        Attack(method="nes", epsilon=0.2, queries=500, target=9, loss="dlr", early=False),
    ),
    "Transfer": (0, Attack(method="transfer", epsilon=0.2, steps=20, early=False)),
    "Transfer, L2": (0, Attack(method="transfer", norm="l2", epsilon=4.0, steps=10)),
}
IN_VAIN = {"PGD in vain", "DeepFool too far", "JSMA in vain"}
WRONG: dict[str, tuple[str, str]] = {  # a case, and what is made wrong of its code
    "BIM": ("step_size = ", "step_size = 0.5 * "),
    "PGD": ("manual_seed(3)", "manual_seed(4)"),
    "PGD, early": ("manual_seed(3)", "manual_seed(4)"),
    "MI-FGSM": ("decay * momentum", "momentum"),
    "APGD": ("0.25 * (images - previous)", "0.5 * (images - previous)"),
    "DeepFool": ("(1 + overshoot)", "(1.2 + overshoot)"),
    "DeepFool, made longer": ("1.1**power", "1.2**power"),
    "Carlini–Wagner": ("rate * mean", "2 * rate * mean"),
    "JSMA": ("alpha = -", "alpha = "),
    "One pixel": ("0.5 * (second", "0.8 * (second"),
    "Square": ("0.8 / 2", "0.4 / 2"),
    "Square, L2": ("+ unused / channels", ""),
    "NES": ("deviation = ", "deviation = 5 * "),
    "Transfer": (".split(50)", ".split(500)"),
}


def prepared(folder: Path, text: str, pixels: np.ndarray) -> Path:
    folder.mkdir(exist_ok=True)
    np.save(folder / "picture.npy", pixels)
    script = folder / "attack.py"
    script.write_text(text.replace('"picture.npy"', json.dumps(str(folder / "picture.npy"))))
    return script


def run(*arguments: str, kept: str = "") -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=ROOT,
        env={
            "PYTHONPATH": str(ROOT),
            "PATH": "",
            "OMP_NUM_THREADS": "1",
            "GLASSBOX_RUNS": kept,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def written(folder: Path, source: Source, config: Attack, label: int) -> str:
    return write_attack(source, config, label, str(folder / "picture.npy"))


def agrees(found: Outcome, text: str, folder: Path) -> bool:
    """Tell whether a script said what the attack found, and saved that picture."""
    if not found.fooled:
        return text.strip().endswith(FAILED) and not (folder / ATTACKED).exists()
    read = re.search(r"fooled: read as (\d+)", text)
    sizes = re.search(r"L∞ ([\d.]+)/255, L2 ([\d.]+), L0 (\d+)", text)
    if read is None or sizes is None:
        return False
    levels = np.array(Image.open(folder / ATTACKED), np.float32)
    levels = levels[None] if levels.ndim == 2 else levels.transpose(2, 0, 1)
    return (
        int(read[1]) == found.after.argmax()
        and float(sizes[1]) == pytest.approx(255 * found.linf, abs=0.01)
        and float(sizes[2]) == pytest.approx(found.l2, rel=1e-3)
        and int(sizes[3]) == pytest.approx(found.l0, abs=2)
        # Another order of a sum may round a value to the next level.
        and bool(abs(levels - 255 * found.changed).max() < 1.5)
    )


Said = Mapping[str, tuple[Path, str]]


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Said:
    """What each case's script says, and the folder in which it was run; so of each wrong one."""
    root, folders = tmp_path_factory.mktemp("scripts"), {}
    for name, (index, config) in CASES.items():
        pixels, label = digit(index)
        for wrong in ("", "wrong ") if name in WRONG else ("",):
            folder = root / f"{wrong}{name}"
            text = written(folder, DIGITS, config, label)
            if wrong:
                assert WRONG[name][0] in text
                text = text.replace(*WRONG[name])
            folders[f"{wrong}{name}"] = folder
            prepared(folder, text, pixels)
    name = "PGD at the fifth beginning"  # with its steps counted anew
    folders["anew"] = root / "anew"
    pixels, label = digit(CASES[name][0])
    text = written(root / "anew", DIGITS, CASES[name][1], label)
    assert ", moments)" in text
    prepared(root / "anew", text.replace(", moments)", ", itertools.count())"), pixels)
    pixels, _ = digit(0)
    folders["already"] = root / "already"
    text = written(root / "already", DIGITS, Attack(target=7), 0)
    prepared(root / "already", text, pixels)
    out = json.loads(run("-c", SEVERAL, *(str(each / "attack.py") for each in folders.values())))
    return {name: (each, out[str(each / "attack.py")]) for name, each in folders.items()}


@pytest.fixture(scope="module")
def found() -> Mapping[str, Outcome]:
    outcomes = {}
    for name, (index, config) in CASES.items():
        pixels, label = digit(index)
        outcomes[name] = attack(DIGITS, pixels, label, config)
    return outcomes


@pytest.mark.parametrize("name", CASES)
def test_the_code_of_an_attack_ends_where_the_attack_does(
    name: str, said: Said, found: Mapping[str, Outcome]
) -> None:
    folder, text = said[name]
    assert found[name].fooled == (name not in IN_VAIN)
    assert agrees(found[name], text, folder), text


@pytest.mark.parametrize("name", WRONG)
def test_that_comparison_rejects_a_wrong_script(
    name: str, said: Said, found: Mapping[str, Outcome]
) -> None:
    folder, text = said[f"wrong {name}"]
    assert not agrees(found[name], text, folder), text


def counted(text: str) -> int:
    """Tell the step that a script ended at."""
    return int(re.findall(r"^step (\d+): ", text, re.MULTILINE)[-1])


@pytest.mark.parametrize(
    "name",
    [
        *("BIM", "PGD", "APGD", "Square", "DeepFool", "Carlini–Wagner"),
        "PGD at the fifth beginning",
        "APGD at the sixth beginning",
        "Square at another beginning",
    ],
)
def test_code_and_film_count_the_same_steps(
    name: str, said: Said, found: Mapping[str, Outcome]
) -> None:
    """Also where an attack begins elsewhere than at the clean picture, or more than once."""
    film = found[name].film
    assert counted(said[name][1]) == found[name].steps == film.step[film.best]


def test_that_the_count_rejects_steps_that_are_counted_anew(
    said: Said, found: Mapping[str, Outcome]
) -> None:
    outcome = found["PGD at the fifth beginning"]
    assert agrees(outcome, said["anew"][1], said["anew"][0])  # all else is as it was
    assert counted(said["anew"][1]) != outcome.steps


@pytest.mark.parametrize("name", sorted(CASES.keys() - IN_VAIN))
def test_what_a_script_saves_still_fools_when_it_is_uploaded(name: str, said: Said) -> None:
    index, config = CASES[name]
    _, label = digit(index)
    content = (said[name][0] / ATTACKED).read_bytes()
    pixels = seeing.fit(pictures.read(content).pixels, (1, 28, 28), "mnist")
    with torch.no_grad():
        read = int(load(DIGITS).network(torch.from_numpy(pixels)[None]).argmax())
    assert read == config.target if config.target is not None else read != label


def test_each_method_fools_in_each_norm() -> None:
    fooling = {
        (config.method, config.norm) for _, config in (CASES[n] for n in CASES.keys() - IN_VAIN)
    }
    assert fooling == {(name, norm) for name, about in METHODS.items() for norm in about.norms}


def test_what_is_read_as_was_wanted_already_is_told_and_nothing_saved(said: Said) -> None:
    folder, text = said["already"]
    assert "there is nothing to attack" in text
    assert not (folder / ATTACKED).exists()


@pytest.mark.parametrize(
    ("table", "seed", "config"),
    [
        # No pixel serves both the label's loss and the others' gain: all move together.
        ("conv3-k1-relu,global", 2, Attack(method="jsma", epsilon=784.0, steps=101)),
        # LeNet-5 has a quicker way, which rounds otherwise.
        ("lenet5", 3, Attack(method="cw", epsilon=9.0, steps=20, searches=3)),
    ],
    ids=["JSMA", "Carlini–Wagner"],
)
def test_the_code_attacks_a_run_of_ones_own(
    table: str, seed: int, config: Attack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLASSBOX_RUNS", str(tmp_path))
    network = networks.build(table, torch.Generator().manual_seed(seed))
    function = "core.train_cnn.learning:train"
    trained = runs.create(tmp_path, "visitor", function, {"network": table})
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    snapshots.write(runs.folder_of(tmp_path, trained), snapshots.Snapshot(7, tensors, {}))
    source = models.of_run(tmp_path, trained, 7)
    pixels, _ = digit(0)
    found = attack(source, pixels, None, config)
    assert found.fooled
    text = written(tmp_path, source, config, found.label)
    script = prepared(tmp_path, text, pixels)
    assert agrees(found, run(str(script), kept=str(tmp_path)), tmp_path)


def test_the_code_attacks_a_photograph_as_the_network_sees_it(tmp_path: Path) -> None:
    pixels = seeing.fit(photographs.photograph("coffee").pixels, (3, 224, 224), "")
    config = Attack(epsilon=4 / 255, steps=3, early=False)
    found = attack(LITE, pixels, None, config)
    text = written(tmp_path, LITE, config, found.label)
    assert agrees(found, run(str(prepared(tmp_path, text, pixels))), tmp_path)


def test_the_code_of_single_pixels_of_a_photograph_is_written_for_one_at_a_time() -> None:
    text = write_attack(LITE, Attack(method="jsma", steps=3), 7, "picture.npy")
    assert "alpha[:, :, None]" not in text
    assert "left -= 1\n" in text


def test_the_numbers_that_are_written_out_are_the_attacks_own() -> None:
    assert nearest.CANDIDATES == deepfool.CANDIDATES
    assert (nearest.SHARE, nearest.SHORTEST) == (carlini_wagner.SHARE, carlini_wagner.SHORTEST)
    assert nearest.PAIRS == saliency_map.PAIRS
    assert f'"{transfer.TABLE}"' in teaching.TAUGHT


def test_what_has_no_code_is_refused() -> None:
    with pytest.raises(ValueError, match="whole_levels must be on"):
        write_attack(DIGITS, Attack(whole_levels=False), 7, "picture.npy")
    with pytest.raises(ValueError, match="whose data are here"):
        write_attack(LITE, Attack(method="transfer"), 7, "picture.npy")


def test_early_and_restarts_are_written_where_they_change_the_result() -> None:
    early = replace(CASES["PGD"][1], early=True, restarts=3)
    assert "break" in write_attack(DIGITS, early, 7, "picture.npy")
    once = Attack(method="bim", restarts=3, early=False)
    assert "restart" not in write_attack(DIGITS, once, 7, "picture.npy")
