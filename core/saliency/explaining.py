"""Explain the answer to one picture: ask, by one method, and say what came of it."""

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from core.saliency import Attribution, Query
from core.saliency.backwards import deconvnet, guided
from core.saliency.cams import gradcam, gradcampp, guided_gradcam, hirescam, layercam, scorecam
from core.saliency.controls import blob, edges, random
from core.saliency.deeplift import deeplift
from core.saliency.gradients import gradient, gradient_input, smoothgrad, vargrad
from core.saliency.masking import occlusion, rise
from core.saliency.melting import melted, weighted_layers
from core.saliency.paths import expected, integrated
from core.saliency.questions import Answer, Code, Question
from core.saliency.rollout import rollout
from core.saliency.surrogates import kernelshap, lime
from core.shared.loading import Model, load
from core.shared.models import Source
from core.shared.progress import timed, titled
from core.shared.turns import patient

__all__ = ["CODE", "explain", "explained", "image_of"]

CODE: dict[str, Code] = {
    "gradient": gradient,
    "gradient_input": gradient_input,
    "edges": edges,
    "random": random,
    "blob": blob,
    "smoothgrad": smoothgrad,
    "vargrad": vargrad,
    "integrated": integrated,
    "expected": expected,
    "deeplift": deeplift,
    "guided": guided,
    "deconvnet": deconvnet,
    "gradcam": gradcam,
    "gradcampp": gradcampp,
    "hirescam": hirescam,
    "layercam": layercam,
    "scorecam": scorecam,
    "guided_gradcam": guided_gradcam,
    "rollout": rollout,
    "occlusion": occlusion,
    "rise": rise,
    "lime": lime,
    "kernelshap": kernelshap,
}

# They read the picture itself, and need no other pass to know which class is meant.
READING = ("gradcam", "gradcampp", "hirescam", "layercam", "guided_gradcam")


@patient
def explain(
    source: Source, pixels: Float[np.ndarray, "c h w"], query: Query
) -> Generator[Any, None, Attribution]:
    """Say what each pixel of a picture has to do with an answer.

    Args:
        source: the network.
        pixels: the picture as the network sees it, from 0 to 1.
        query: what to explain, and how.

    Raises: ValueError when the picture has another shape, there is no such class or layer, the
        method cannot explain this network, or its map is not finite.
    """
    model = load(source)
    return (yield from explained(model, image_of(model, pixels), query))


def explained(
    model: Model, image: Float[Tensor, "1 c h w"], query: Query
) -> Generator[Any, None, Attribution]:
    """Explain, as `explain` does, the answer of a network that is loaded.

    The seconds are the method's own: neither those in which the network melts and is made quick, or
    is asked which class it reads, nor those of others between two turns.

    Raises: ValueError when there is no such class or layer, the method cannot explain this network,
        or its map is not finite.
    """
    question = Question(model, model.network, image, query)
    layers = weighted_layers(model.network)
    gone = layers[::-1][: query.melted]
    if gone:
        query = replace(query, target=question.target)
        question = Question(model, melted(model.network, gone, query.seed), image, query)
    _ = question.quick  # in nobody's time
    if query.method not in READING:
        _ = question.target
    (answer, values), seconds = yield from timed(titled(query.about.title, _answered(question)))
    if not np.isfinite(values).all():
        raise ValueError("map must be of finite numbers, got some that are not")
    return Attribution(
        query=replace(query, target=question.target, layer=answer.layer),
        values=values,
        score=float(question.score(question.logits[None])),
        probabilities=question.logits.cpu().double().softmax(0).numpy(),
        spread=float(question.logits.max() - question.logits.min()),
        baseline=answer.baseline,
        grid=answer.grid or (image.shape[2], image.shape[3]),
        melted=gone,
        layers=len(layers),
        passes=question.passes,
        gradients=question.gradients,
        seconds=seconds,
        surrogate=answer.surrogate,
    )


def image_of(model: Model, pixels: Float[np.ndarray, "c h w"]) -> Float[Tensor, "1 c h w"]:
    """Bring a picture to a network.

    Raises: ValueError when it has another shape.
    """
    if pixels.shape != model.shape:
        raise ValueError(f"picture must be of {model.shape}, got {pixels.shape}")
    device = next(model.network.parameters()).device
    return torch.tensor(pixels, dtype=torch.float32, device=device)[None]


def _answered(
    question: Question,
) -> Generator[Any, None, tuple[Answer, Float[np.ndarray, "d h w"]]]:
    """Ask; the map comes from the device within the method's own time."""
    answer: Answer = yield from CODE[question.query.method](question)
    return answer, answer.values.cpu().numpy().copy()
