"""Attack one picture and say what can be said against it: the film, the receipt, the file."""

import io
import itertools
import math
from collections.abc import Generator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from core.adversarial import NOISES, NOISES_OF_PHOTOGRAPHS, Attack, Outcome
from core.adversarial.autopgd import automatic_steps
from core.adversarial.balls import norms, rounded, shuffled
from core.adversarial.best import Batch
from core.adversarial.carlini_wagner import carlini_wagner
from core.adversarial.deepfool import deepfool
from core.adversarial.driving import drive
from core.adversarial.estimated import estimate_gradient
from core.adversarial.goals import Goal
from core.adversarial.gradients import follow_gradient
from core.adversarial.one_pixel import one_pixel
from core.adversarial.pacing import far
from core.adversarial.problems import Method, Network
from core.adversarial.reel import Reel
from core.adversarial.resizing import exactly, resize
from core.adversarial.saliency_map import saliency_map
from core.adversarial.square import square
from core.adversarial.transfer import proxy, transfer_method
from core.shared import pictures, seeing
from core.shared.evaluating import quickest
from core.shared.folding import folded
from core.shared.loading import Model, load
from core.shared.models import Source
from core.shared.progress import Done, timed
from core.shared.turns import patient

__all__ = ["CODE", "attack", "method_of", "png"]

CODE: dict[str, Method] = {
    "fgsm": follow_gradient,
    "bim": follow_gradient,
    "pgd": follow_gradient,
    "mifgsm": follow_gradient,
    "apgd": automatic_steps,
    "deepfool": deepfool,
    "cw": carlini_wagner,
    "jsma": saliency_map,
    "onepixel": one_pixel,
    "square": square,
    "nes": estimate_gradient,
}
LEVELS = 255
LARGE = 3 * 96 * 96  # values of a picture, from which fewer changes at random are tried
FEW = 10  # of the changes at random that are read at a time


@patient
def attack(
    source: Source,
    pixels: Float[np.ndarray, "c h w"],
    label: int | None,
    config: Attack,
    photograph: UInt8[np.ndarray, "H W 3"] | None = None,
) -> Generator[Any, None, Outcome]:
    """Attack a picture.

    Args:
        source: the network.
        pixels: the picture as the network sees it, from 0 to 1; it is rounded to 255ths first.
        label: the class to get away from; None for what the network reads.
        config: how.
        photograph: the same picture at its own resolution: the attack then changes that, through
            the scaling and the cut that a network of photographs puts before it.

    Raises: ValueError when the picture has another shape, or there is no such class.
    """
    work = _attacked(source, pixels, label, config, photograph)
    outcome, seconds = yield from timed(work)
    return replace(outcome, seconds=seconds)


def _attacked(
    source: Source,
    pixels: Float[np.ndarray, "c h w"],
    label: int | None,
    config: Attack,
    photograph: UInt8[np.ndarray, "H W 3"] | None,
) -> Generator[Any, None, Outcome]:
    """Attack a picture; the seconds are for those to tell who give the turns."""
    scene = _Scene(load(source), pixels, photograph)
    with torch.no_grad():
        logits = scene.saved(scene.clean)
    goal = _goal(logits, label, config)
    goal.check(logits.shape[1])
    reel = Reel(scene.clean, scene.view, goal)
    reel.begin(logits)
    method, asked = yield from method_of(source, config)
    rows = drive(method, scene.network, scene.clean, goal, config, scene.saved, logits)
    for moment in itertools.count(1):
        try:
            row = next(rows)
        except StopIteration as end:
            batch: Batch = end.value
            break
        reel.add(row)
        yield far(config, moment, row.queries)
    already = bool(goal.fooled(logits))
    images, content, after, fooled = scene.clean, b"", logits, False
    noise, noises = 0, 0
    if bool(batch.fooled) and not already:
        saved = png(batch.images[0])
        opened = scene.reopened(saved)
        fooled = bool(goal.fooled(opened))
        if fooled:
            images, content, after = batch.images, saved, opened
            reel.end(batch, after)
            noises = NOISES_OF_PHOTOGRAPHS if scene.large else NOISES
            noise = yield from _noise(scene, goal, config.seed, images, noises)
    sizes = {name: float(size) for name, size in norms(images - scene.clean).items()}
    film = reel.film()
    return Outcome(
        clean=scene.seen(scene.clean),
        changed=scene.seen(images),
        content=content or png(scene.clean[0]),
        size=(scene.clean.shape[2], scene.clean.shape[3]),
        label=int(goal.labels),
        before=_probabilities(logits),
        after=_probabilities(after),
        already=already,
        fooled=fooled,
        found=bool(batch.found) and not already,
        linf=sizes["linf"],
        l2=sizes["l2"],
        l0=int(sizes["l0"]),
        low=float(images.min()),
        high=float(images.max()),
        noise=noise,
        noises=noises,
        alive=1 - batch.dead / batch.asked if batch.asked else math.nan,
        steps=int(film.step[film.best]) if fooled else 0,
        queries=batch.counts.queries + asked,
        gradients=batch.counts.gradients,
        seconds=math.nan,
        film=film,
    )


def method_of(source: Source, config: Attack) -> Generator[Any, None, tuple[Method, int]]:
    """Give the code of an attack's method, once the network is taught that it may need.

    Args:
        source: the network that is attacked.
        config: how.

    Returns: the code, and how many answers were learned from.
    Raises: ValueError when one is to be taught and the network's data are not here.
    """
    if not config.about.learns:
        return CODE[config.method], 0
    taught = yield from proxy(source, seed=config.seed)
    return transfer_method(taught.network), taught.queries


def png(image: Float[Tensor, "c h w"]) -> bytes:
    """Save an image of whole 255ths as a PNG, grey where it has one channel."""
    levels = image.mul(LEVELS).round().byte().cpu().numpy()
    file = io.BytesIO()
    Image.fromarray(levels[0] if len(levels) == 1 else levels.transpose(1, 2, 0)).save(
        file, "PNG", compress_level=1
    )
    return file.getvalue()


class _Scene:
    """A network and a clean picture, and the ways from pixels to logits."""

    def __init__(
        self,
        model: Model,
        pixels: Float[np.ndarray, "c h w"],
        photograph: UInt8[np.ndarray, "H W 3"] | None,
    ) -> None:
        if pixels.shape != model.shape:
            raise ValueError(f"picture must be of {model.shape}, got {pixels.shape}")
        self.model, self.through = model, photograph is not None
        answers = quickest(model.network)
        given = pixels * LEVELS if photograph is None else photograph.transpose(2, 0, 1)
        device = next(model.network.parameters()).device
        levels = torch.tensor(given, dtype=torch.float32, device=device)[None].round()
        self.clean = levels.clamp(0, LEVELS) / LEVELS
        self.large = math.prod(model.shape) > LARGE
        self.network: Network = answers
        self.saved: Network = answers
        if self.through:  # what the quicker copy leads to is read by the network itself
            climbed = quickest(folded(model.network, model.shape))
            self.network = lambda images: climbed(self.view(images))
            self.saved = lambda images: answers(exactly(images, model.shape))

    def view(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c H W"]:
        """Bring images into the form that the network takes."""
        return resize(images, self.model.shape) if self.through else images

    def seen(self, images: Float[Tensor, "1 c h w"]) -> Float[np.ndarray, "c H W"]:
        """Give an image of whole 255ths as the network sees it."""
        shown = exactly(images, self.model.shape) if self.through else images
        found: np.ndarray = shown[0].cpu().numpy().copy()
        return found

    def reopened(self, content: bytes) -> Float[Tensor, "1 k"]:
        """Ask what is read when a file is uploaded."""
        model = self.model
        data = "" if self.through else model.data
        fitted = seeing.fit(pictures.read(content).pixels, model.shape, data)
        with torch.no_grad():
            answer: Tensor = quickest(model.network)(torch.from_numpy(fitted)[None].to(self.clean))
        return answer


def _goal(logits: Float[Tensor, "1 k"], label: int | None, config: Attack) -> Goal:
    labels = logits.argmax(1) if label is None else torch.full_like(logits.argmax(1), label)
    if config.target is None:
        return Goal(labels, None)
    return Goal(labels, torch.full_like(labels, config.target))


def _noise(
    scene: _Scene, goal: Goal, seed: int, changed: Tensor, count: int
) -> Generator[Done, None, int]:
    """Count how many times an attack's own change, shuffled, leads away from the true class too."""
    source, found = torch.Generator().manual_seed(seed), 0
    change = changed - scene.clean
    away = Goal(goal.labels, None)
    for first in range(0, count, FEW):
        many = scene.clean.expand(min(FEW, count - first), -1, -1, -1)
        noisy = (many + shuffled(change, many, source)).clamp(0, 1)
        levels = rounded("linf", noisy, many, math.inf)
        with torch.no_grad():
            found += int(_many(away, len(many)).fooled(scene.saved(levels)).sum())
        yield Done(first + len(many), count, "pictures", "Its change, shuffled")
    return found


def _many(goal: Goal, count: int) -> Goal:
    """Want the same of several images as of one."""
    return goal.take(torch.zeros(count, dtype=torch.long, device=goal.labels.device))


def _probabilities(logits: Float[Tensor, "1 k"]) -> Float[np.ndarray, " k"]:
    found: np.ndarray = logits[0].double().softmax(0).cpu().numpy()
    return found
