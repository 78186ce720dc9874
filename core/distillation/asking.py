"""What can be asked of a teacher and of a student, by name, at any temperature.

What needs no network is asked without the engine: see `softening`, `pulling`, `drawing`.
"""

from collections.abc import Generator
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from core.distillation import comparing, darkness
from core.distillation.comparing import Compared, Matching
from core.distillation.darkness import Darkness
from core.distillation.outcomes import Outcomes, outcomes
from core.distillation.results import Faced, Pictured, Shown
from core.distillation.tempering import calibrated
from core.shared import devices
from core.shared.evaluating import read
from core.shared.loading import Model, load
from core.shared.models import Source
from core.shared.tested import known
from core.shared.turns import patient

__all__ = [
    "calibrated",
    "compared",
    "dark",
    "faced",
    "logits",
    "matched",
    "picture",
    "shown",
]


def logits(source: Source, pixels: Float[np.ndarray, "c h w"]) -> Float[np.ndarray, " k"]:
    """Compute the logits of a picture.

    Args:
        source: the network.
        pixels: from 0 to 1, of its shape.

    Raises: ValueError when the picture has another shape, or a logit is not finite.
    """
    model = load(source)
    if pixels.shape != model.shape:
        raise ValueError(f"pixels must have the shape {model.shape}, got {pixels.shape}")
    return _logits(model, torch.from_numpy(np.array(pixels, dtype=np.float32)))


def picture(source: Source, index: int) -> Pictured:
    """Compute the logits of a test image of the data that a network learned from.

    Args:
        source: the network.
        index: of the image, counted from 0; beyond the last it is the last.

    Raises: ValueError when the data are not here, the index is below 0, or a logit is not finite.
    """
    model = load(source)
    test = known(model).test
    place = _place(index, len(test))
    image = test.images[place]
    return Pictured(
        index=place,
        count=len(test),
        pixels=image.cpu().numpy().copy(),
        label=int(test.labels[place]),
        logits=_logits(model, image),
    )


@patient
def dark(source: Source, temperature: float) -> Generator[Any, None, Darkness]:
    """Average a teacher's probabilities over the test images of each class.

    Args:
        source: the teacher.
        temperature: from 0 to infinity.

    Raises: ValueError when the data are not here, or the temperature is below 0.
    """
    test = yield from outcomes(source, "test")
    return darkness.darken(test.logits, test.labels, temperature)


@patient
def shown(
    source: Source, temperature: float, true: int, other: int, count: int = 12
) -> Generator[Any, None, Shown]:
    """Find the test images of a class to which a teacher gives most of another class.

    Args:
        source: the teacher.
        temperature: from 0 to infinity.
        true: the class of the images.
        other: the class that they look like.
        count: images at most.

    Raises: ValueError when the data are not here, or there is no such class.
    """
    test = yield from outcomes(source, "test")
    cell = darkness.most(test.logits, test.labels, temperature, true, other, count)
    images = known(load(source)).test.images
    return Shown(
        cell=cell,
        pixels=images[torch.from_numpy(cell.indices).to(images.device)].cpu().numpy(),
    )


@patient
def faced(
    teacher: Source, student: Source | None, index: int, temperature: float
) -> Generator[Any, None, Faced]:
    """Set what a teacher, a student and the label say about a test image side by side.

    Args:
        teacher: whose test image it is.
        student: of the same data; None for none.
        index: of the image, counted from 0; beyond the last it is the last.
        temperature: from 0 to infinity.

    Raises: ValueError when the two are of other data, or a value is outside its range.
    """
    if student is None:
        test = yield from outcomes(teacher, "test")
    else:
        test, other = yield from _both(teacher, student)
    place = _place(index, len(test.labels))
    guide, learner = test.logits[place], None if student is None else other.logits[place]
    image = known(load(teacher)).test.images[place]
    return Faced(
        index=place,
        pixels=image.cpu().numpy().copy(),
        label=int(test.labels[place]),
        faces=darkness.face(guide, learner, int(test.labels[place]), temperature),
        teacher=guide.astype(np.float64),
        student=None if learner is None else learner.astype(np.float64),
    )


@patient
def compared(
    teacher: Source, student: Source, temperature: float = 1.0
) -> Generator[Any, None, Compared]:
    """Tell how alike two networks read the test images.

    Args:
        teacher, student: of the same data.
        temperature: from 0 to infinity.

    Raises: ValueError when the two are of other data, or the temperature is below 0.
    """
    guide, learner = yield from _both(teacher, student)
    return comparing.compare(guide.logits, learner.logits, guide.labels, temperature)


@patient
def matched(
    teacher: Source, student: Source | None, temperatures: tuple[float, ...]
) -> Generator[Any, None, Matching]:
    """Tell how near the soft loss's gradient is to that of matching logits, on the test images.

    Args:
        teacher: whose logits are v.
        student: of the same data; None for one that knows nothing, all of whose logits are 0.
        temperatures: above 0, finite.

    Raises: ValueError when the two are of other data or the same, or a temperature is outside its
        range.
    """
    steps = np.array(temperatures, dtype=np.float64)
    if student is None:
        test = yield from outcomes(teacher, "test")
        nothing = np.zeros_like(test.logits)
        return (yield from comparing.match.in_turns(test.logits, nothing, test.labels, steps))
    guide, learner = yield from _both(teacher, student)
    both = guide.logits, learner.logits
    return (yield from comparing.match.in_turns(*both, guide.labels, steps))


def _both(teacher: Source, student: Source) -> Generator[Any, None, tuple[Outcomes, Outcomes]]:
    """Give what two networks say about the same test images."""
    if (ours := load(student).data) != (theirs := load(teacher).data):
        raise ValueError(
            f"student must have learned from the teacher's data, {theirs!r}, got {ours!r}"
        )
    first = yield from outcomes(teacher, "test")
    return first, (yield from outcomes(student, "test"))


def _logits(model: Model, image: torch.Tensor) -> Float[np.ndarray, " k"]:
    device = devices.choose(None)
    found = read(model.network, image[None].to(device))[0].cpu().double().numpy()
    if not np.isfinite(found).all():
        raise ValueError("network must give finite logits, got others: its weights are too large")
    values: Float[np.ndarray, " k"] = found
    return values


def _place(index: int, count: int) -> int:
    if index < 0:
        raise ValueError(f"index must be at least 0, got {index!r}")
    return min(index, count - 1)
