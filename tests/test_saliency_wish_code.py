"""The code of a wish that is shown ends at the pictures that are shown, run as it stands."""

import contextlib
import io
import re
from collections.abc import Generator
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.saliency import generating, wanting
from core.saliency.script import wishing, write_wish
from core.saliency.wanting import want
from core.saliency.wishes import GENERATOR, NONE, Granted, Wish
from core.shared import ascent, autoencoders, blurring, data
from core.shared.autoencoders import Autoencoder, learn
from core.shared.models import Source
from tests.shared.started import started
from tests.shared.turning import whole
from tests.test_saliency_code import TABLES, a_run

DIGITS = Source(kind="built-in", name="mnist")
LITE = Source(kind="built-in", name="efficientnet-lite0")
TOLERANCE = 1e-4  # of a pixel: the two are the same operations, and float32 rounds
LESSONS = 8  # of the generator, in place of its 600: it need not draw well
FREE = Wish(source=DIGITS, target=3, priors=(NONE,), steps=22)
MADE = replace(FREE, priors=(GENERATOR,), target=8, steps=10)
CASES: dict[str, Wish] = {
    "pixels": FREE,
    "pixels, as they are": replace(FREE, jitter=0, blur=0.0, weight_decay=0.0, seed=3, target=0),
    "pixels, much held": replace(FREE, jitter=4, blur=2.0, weight_decay=0.1, every=3, steps=15),
    "photograph": Wish(source=LITE, target=504, priors=(NONE,), steps=2, rate=0.02, blur=1.0),
    "generator": MADE,
    "generator, another seed": replace(MADE, jitter=2, rate=0.1, weight_decay=0.05, seed=2),
    "both": replace(FREE, priors=(NONE, GENERATOR), steps=8),
}
WRONG: dict[str, list[tuple[str, str]]] = {  # a case, and what is made wrong of its code
    "pixels": [
        ("[0, target]", "[0, target - 1]"),
        ("(step + 1) % 4", "step % 4"),
        (" and step + 1 < steps", " and step < 0"),
        ("source_of(0)", "source_of(1)"),
        ("roll(shift, (2, 3))", "roll(shift, (3, 2))"),
        ("learnt.mean\nnoise", "0.5\nnoise"),
    ],
    "pixels, as they are": [("point + rate", "point - rate"), ("0.1 * noise", "noise")],
    "pixels, much held": [("weight_decay *", "0 *"), ("% 3", "% 4")],
    "photograph": [("rate * gradient", "gradient"), ("504", "503")],
    "generator": [
        ("manual_seed(0)", "manual_seed(1)"),
        ("0.3 * noise", "0.2 * noise"),
        ("    schedule.step()\n", ""),
        ("spread * code", "code"),
        ("encoder(seen.mean(0", "encoder(images.mean(0"),
        ("(0.01, 0.99)", "(0.3, 0.7)"),
        ("high, 0, by", "high, 1, by"),
    ],
    "generator, another seed": [("(2, purpose)", "(0, purpose)"), (".clamp(low, high)", "")],
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSBOX_DEVICE", "cpu")
    monkeypatch.setenv("GLASSBOX_RUNS", str(tmp_path))
    monkeypatch.chdir(Path(__file__).parents[1])


@cache
def taught() -> Autoencoder:
    pictures = data.dataset("mnist", torch.device("cpu")).training.images
    made: Autoencoder = whole(
        learn(pictures, wishing.DEVIATION, torch.Generator().manual_seed(0), LESSONS)
    )
    return made


def quickly(*_: object) -> Generator[object, None, Autoencoder]:
    yield None
    return taught()


@cache
def granted(name: str) -> Granted:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(generating, "denoiser", quickly)
        *_, ended = want(CASES[name])
    return ended.freeze()


def written(wish: Wish, folder: Path) -> str:
    text = write_wish(wish, str(folder / "wanted.png"))
    assert (f"range({wishing.LESSONS})" in text) == (GENERATOR in wish.priors)
    return text.replace(f", {wishing.LESSONS})", f", {LESSONS})").replace(
        f"range({wishing.LESSONS})", f"range({LESSONS})"
    )


def agrees(found: Granted, text: str, folder: Path) -> bool:
    """Run a script and tell whether it ends at these pictures, says their logits and saves them."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        made = [each[0].numpy() for each in started(text)["pictures"].values()]
    logits = [float(each) for each in re.findall(r"logit (-?[\d.]+)", said.getvalue())]
    saved = np.array(Image.open(folder / "wanted.png"), np.float32)
    saved = saved[None] if saved.ndim == 2 else saved.transpose(2, 0, 1)
    shown = np.concatenate([each.picture for each in found.pictures], 2)
    return (
        len(made) == len(found.pictures)
        and bool(abs(np.concatenate(made, 2) - shown).max() <= TOLERANCE)
        and logits == pytest.approx([each.logit for each in found.pictures], abs=1e-2)
        and bool(abs(saved - 255 * shown).max() <= 0.51 + 255 * TOLERANCE)
    )


@pytest.mark.parametrize("name", CASES)
def test_the_code_of_a_wish_ends_at_its_pictures(name: str, tmp_path: Path) -> None:
    text = written(CASES[name], tmp_path)
    assert "core.saliency" not in text  # all of it is written out
    assert "autoencoders" not in text
    assert agrees(granted(name), text, tmp_path), text


@pytest.mark.parametrize(
    ("name", "wrong"), [(name, wrong) for name, many in WRONG.items() for wrong in many]
)
def test_that_comparison_rejects_a_wrong_script(
    name: str, wrong: tuple[str, str], tmp_path: Path
) -> None:
    text = written(CASES[name], tmp_path)
    assert wrong[0] in text
    assert not agrees(granted(name), text.replace(*wrong), tmp_path), text


def test_the_code_grants_the_wish_of_a_run_of_ones_own(tmp_path: Path) -> None:
    wish = replace(FREE, source=a_run(TABLES["blocks"], tmp_path), steps=5)
    *_, ended = want(wish)
    text = written(wish, tmp_path)
    assert agrees(ended.freeze(), text, tmp_path), text
    assert not agrees(ended.freeze(), text.replace("[0, target]", "[0, 0]"), tmp_path), text


def test_a_generator_that_has_nothing_to_learn_from_has_no_code() -> None:
    with pytest.raises(ValueError, match="network must be one whose data are here"):
        write_wish(replace(MADE, source=LITE), "wanted.png")


def test_what_is_not_asked_for_is_not_written() -> None:
    assert "blurred" not in write_wish(replace(FREE, blur=0.0), "wanted.png")
    assert "blurred" not in write_wish(MADE, "wanted.png")
    assert "encoder" not in write_wish(FREE, "wanted.png")


def test_the_numbers_that_are_written_out_are_the_wishs_own() -> None:
    assert (wishing.GREY, wishing.NOISE) == (wanting.GREY, wanting.NOISE)
    assert (wishing.REACH, wishing.FLAT) == (blurring.REACH, ascent.FLAT)
    own = "DEVIATION", "IMAGES", "RARE", "NARROW"
    assert all(getattr(wishing, name) == getattr(generating, name) for name in own)
    assert wishing.START == generating.NOISE
    own = "WIDTHS", "CODE", "BATCH", "RATE"
    assert all(getattr(wishing, name) == getattr(autoencoders, name) for name in own)
    assert wishing.LESSONS == autoencoders.STEPS
    assert list(wanting.PLACES.values()) == [0, 1]  # of the sources
