"""The time machine: what a run has kept, looked at again, drawn as a film, and taken away.

Each of these is a call on a run's config and folder, and depends on the files in there alone.
"""

import io
import json
import zipfile
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont
from safetensors.torch import save
from torch import Tensor

from core.shared import snapshots
from core.shared.recipes import Recipe
from core.shared.snapshots import Snapshot
from core.shared.turns import patient
from core.train_cnn import Curves, State
from core.train_cnn.learning import MAPS, Lesson, array, begin, first_kernels, maps_of, show, sort
from core.train_cnn.looking import curves_of, plain
from core.train_cnn.script import script

__all__ = ["curves", "export", "film", "prepare", "replay"]

SCALE = 3  # pixels of the film a pixel of a map
MARGIN, HEAD, LINE = 12, 30, 18  # pixels of the film
LONG, SHORT = 1500, 250  # milliseconds: the last frame, every other
WIDE = 4  # maps in a row
BLUE, ORANGE, PAPER = np.array([0, 114, 178]), np.array([213, 94, 0]), np.array([250, 250, 250])

Config = Mapping[str, Any]  # JSON values of a Recipe


def replay(
    config: Config,
    folder: str,
    step: int,
    index: int = 0,
    ink: Float[np.ndarray, "h w"] | None = None,
    cell: tuple[int, int] | None = None,
) -> State:
    """Look at a run as it stood at one of its kept steps.

    Args:
        config: of the run.
        folder: of the run.
        step: one of those in `State.kept`.
        index: of the watched image among the validation images.
        ink: a drawing to be read, as `learning.read` takes it.
        cell: of the confusion matrix, as `learning.sort` takes it.

    Raises: ValueError when the step was not kept.
    """
    lesson = _again(config, folder, step)
    show(lesson, index)
    sort(lesson, cell)
    lesson.ink = ink
    return lesson.freeze()


@patient
def prepare(config: Config, folder: str, version: int) -> Generator[Any, None, None]:
    """Count for each kept step what a replay would have to count, and keep it with the step.

    Args:
        config: of the run.
        folder: of the run.
        version: as for `curves`.
    """
    for step in reversed(snapshots.steps(Path(folder))):  # whoever goes back begins at the newest
        snapshot = _kept(folder, step)
        if "activity" not in snapshot.record:
            lesson = _again(config, folder, step)
            logits = lesson.training.evaluation.logits
            yield  # whoever asks meanwhile waits for one of the two alone
            record = {**snapshot.record, "activity": [*map(plain, lesson.activations())]}
            tensors = {**snapshot.tensors, "evaluation.logits": logits}
            snapshots.write(Path(folder), replace(snapshot, tensors=tensors, record=record))
        yield


def _again(config: Config, folder: str, step: int) -> Lesson:
    """Stand at a kept step, by the recipe that the run had then: before a branch it had another."""
    snapshot = _kept(folder, step)
    return begin(Recipe(**snapshot.record.get("recipe", config)), snapshot)


def curves(config: Config, folder: str, version: int) -> Curves:
    """Read the curves of a run off its newest snapshot.

    Args:
        config: of the run.
        folder: of the run.
        version: grows with the run, so that an older answer is not taken for the newest.
    """
    return curves_of(begin(Recipe(**config), _newest(folder)).training)


@patient
def film(config: Config, folder: str, index: int, version: int) -> Generator[Any, None, bytes]:
    """Draw kernels and feature maps of one image at every kept step, as a GIF.

    Args:
        config: of the run.
        folder: of the run.
        index: of the watched image among the validation images.
        version: as for `curves`.

    Returns: the file's content; each map in all frames on the scale of its largest value in any.
    """
    stills = []
    for step in snapshots.steps(Path(folder)):
        stills.append(_still(config, folder, step, index))
        yield
    if not stills:
        raise ValueError("run must have kept a step for a film, got none")
    highs = {
        name: max(float(np.nan_to_num(abs(still.maps[name])).max()) for still in stills) or 1.0
        for name in stills[0].maps
    }
    frames = []
    for still in stills:
        frames.append(_frame(still, highs))
        yield
    file = io.BytesIO()
    frames[0].save(
        file,
        "GIF",
        save_all=True,
        append_images=frames[1:],
        duration=[SHORT] * (len(frames) - 1) + [LONG],
        loop=0,
    )
    return file.getvalue()


def export(config: Config, folder: str, version: int) -> bytes:
    """Pack a run to take away: its newest weights, what is known about it, and its script.

    Args:
        config: of the run.
        folder: of the run.
        version: as for `curves`.

    Returns: a zip of weights.safetensors, run.json and run.py.
    """
    snapshot = _newest(folder)
    weights: dict[str, Tensor] = {
        name.removeprefix("network."): value.contiguous()
        for name, value in snapshot.tensors.items()
        if name.startswith("network.")
    }
    record = snapshot.record
    changes = [(step, name, value) for step, _, name, value in record["changes"]]
    began = Recipe(**record["began"])
    about = {
        "recipe": dict(config),
        "step": snapshot.step,
        "began": record["began"],
        "branched": record["branched"],
        "changes": changes,
        "points": record["points"],
        "columns": [
            "step",
            "images seen",
            "training loss",
            "training accuracy",
            "validation loss",
            "validation accuracy",
            "validation images",
            "robust accuracy",
        ],
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("weights.safetensors", save(weights))
        packed.writestr("run.json", json.dumps(about, indent=1))
        packed.writestr("run.py", _noted(record["branched"]) + script(began, changes))
    return file.getvalue()


def _noted(branched: Mapping[str, int]) -> str:
    """Say of what a branch has otherwise that the script has it not."""
    others = ", ".join(f"{name} from step {step:,} on" for name, step in branched.items())
    return f"# The run that was branched off; the branch has another {others}.\n" if others else ""


def _kept(folder: str, step: int) -> Snapshot:
    try:
        return snapshots.load(snapshots.place(Path(folder), step))
    except ValueError as error:
        kept = snapshots.steps(Path(folder))
        raise ValueError(f"step must be one that was kept, {kept}, got {step!r}") from error


def _newest(folder: str) -> Snapshot:
    snapshot = snapshots.newest(Path(folder))
    if snapshot is None:
        raise ValueError("run must have kept a step, got one that has not begun")
    return snapshot


@dataclass(frozen=True, slots=True)
class _Still:
    """What a frame of the film shows."""

    words: str
    image: Float[np.ndarray, "c h w"]
    maps: dict[str, Float[np.ndarray, "_ _ _"]]


def _still(config: Config, folder: str, step: int, index: int) -> _Still:
    lesson = _again(config, folder, step)
    show(lesson, min(index, len(lesson.training.dataset.validation) - 1))
    training = lesson.training
    image = training.dataset.validation.images[lesson.watched]
    of, kernels = first_kernels(training.network, training.dataset.shape)
    shown = array(kernels[:MAPS])
    maps, _ = maps_of(training.network, image)
    return _Still(
        f"step {training.step:,}, epoch {training.epoch:.2f}",
        array(image),
        {f"{of} kernels": shown.reshape(-1, *shown.shape[2:]), **maps},
    )


def _frame(still: _Still, highs: Mapping[str, float]) -> Image.Image:
    seen = still.image if len(still.image) > 1 else 1 - still.image.repeat(3, 0)
    image = np.clip(255 * seen, 0, 255).astype(np.uint8).transpose(1, 2, 0)
    panels = [("image", image)]
    panels += [(name, _montage(maps, highs[name])) for name, maps in still.maps.items()]
    pictures = [(name, _enlarged(pixels)) for name, pixels in panels]
    width = sum(picture.width + MARGIN for _, picture in pictures) + MARGIN
    height = max(picture.height for _, picture in pictures) + HEAD + LINE + MARGIN
    frame = Image.new("RGB", (width, height), "white")
    draw, font = ImageDraw.Draw(frame), ImageFont.load_default(14)
    draw.text((MARGIN, 6), still.words, "black", font)
    left = MARGIN
    for name, picture in pictures:
        draw.text((left, HEAD), name, "black", ImageFont.load_default(12))
        frame.paste(picture, (left, HEAD + LINE))
        left += picture.width + MARGIN
    return frame.quantize(128)


def _enlarged(pixels: UInt8[np.ndarray, "h w 3"]) -> Image.Image:
    picture = Image.fromarray(pixels)
    size = (picture.width * SCALE, picture.height * SCALE)
    return picture.resize(size, Image.Resampling.NEAREST)


def _montage(maps: Float[np.ndarray, "m h w"], high: float) -> UInt8[np.ndarray, "H W 3"]:
    """Lay maps side by side in colour: orange above 0, blue below."""
    count, height, width = maps.shape
    rows = -(-count // WIDE)
    field = np.full((rows * (height + 1) - 1, WIDE * (width + 1) - 1, 3), 255, np.uint8)
    for place, values in enumerate(maps):
        top, left = (height + 1) * (place // WIDE), (width + 1) * (place % WIDE)
        share = np.clip(np.nan_to_num(values) / high, -1, 1)[..., None]
        ink = np.where(share > 0, ORANGE, BLUE)
        field[top : top + height, left : left + width] = PAPER + (ink - PAPER) * abs(share)
    return field
