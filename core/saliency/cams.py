"""Ways to explain that weigh the maps of one layer: what is where, as the network sees it there."""

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from core.saliency import Layer
from core.saliency.backwards import guided
from core.saliency.questions import Answer, Question
from core.shared import devices
from core.shared.kinds import kind_of
from core.shared.loading import Model, load
from core.shared.models import Source
from core.shared.progress import Done
from core.shared.tracing import MAP_RANK, TOKEN_RANK, Call, altered, as_maps, trace, until

__all__ = ["gradcam", "gradcampp", "guided_gradcam", "hirescam", "layercam", "layers", "scorecam"]

Turns = Generator[Any, None, Answer]


@dataclass(frozen=True, slots=True)
class Place:
    """A layer whose maps can be weighed."""

    layer: Layer
    telling: bool  # its maps have a part in the answer; behind ViT's last attention they have none


_known: WeakKeyDictionary[nn.Module, tuple[Place, ...]] = WeakKeyDictionary()


def layers(source: Source) -> tuple[Layer, ...]:
    """List the layers of a network whose maps can be weighed, in the order of their calls.

    These are the layers, from the first one with weights on, that give maps of more than one value,
    or tokens that make a square.

    Raises: ValueError when the network is gone.
    """
    return tuple(place.layer for place in _places(load(source)))


def gradcam(question: Question) -> Turns:
    """Weigh each map with the mean of its gradient, and cut off what is below 0.

    Source: Selvaraju et al. 2016, arXiv:1610.02391, equations 1 and 2.
    """
    layer, maps, slopes = _maps_and_slopes(question)
    yield
    return _answer(question, layer, (slopes.mean((1, 2), keepdim=True) * maps).sum(0).relu())


def gradcampp(question: Question) -> Turns:
    """Weigh each map with a weighted sum of its gradient where that is positive.

    The paper explains exp(score): that is a factor of all weights, left out here.

    Source: Chattopadhyay et al. 2017, arXiv:1710.11063, section 3: w = Σ α ReLU(g), where
    α = g² / (2 g² + g³ Σ A) for a map A and its gradient g, which is 1 / (2 + g Σ A) unless g is 0.
    """
    layer, maps, slopes = _maps_and_slopes(question)
    yield
    weights = slopes.relu() / (2 + slopes * maps.sum((1, 2), keepdim=True))
    weights = weights.nan_to_num(0, 0, 0)  # the paper leaves open what stands for 1 / 0
    return _answer(question, layer, (weights.sum((1, 2), keepdim=True) * maps).sum(0).relu())


def hirescam(question: Question) -> Turns:
    """Multiply each map with its gradient, value by value, and add these up.

    Where the rest of the network is linear they add up to the score less its bias.

    Source: Draelos, Carin 2020, arXiv:2011.08891, section 3, with its sign.
    """
    layer, maps, slopes = _maps_and_slopes(question)
    yield
    return _answer(question, layer, (slopes * maps).sum(0))


def layercam(question: Question) -> Turns:
    """Multiply each map with its gradient where that is positive, value by value.

    Source: Jiang, Zhang, Hou, Cheng, Wei 2021, "LayerCAM", IEEE Transactions on Image Processing
    30, section III.
    """
    layer, maps, slopes = _maps_and_slopes(question)
    yield
    return _answer(question, layer, (slopes.relu() * maps).sum(0).relu())


def guided_gradcam(question: Question) -> Turns:
    """Multiply guided backpropagation, pixel by pixel, with Grad-CAM.

    Source: Selvaraju et al. 2016, arXiv:1610.02391, section 3.2.
    """
    coarse = yield from gradcam(question)
    fine = yield from guided(question)
    return replace(coarse, values=coarse.values * fine.values, grid=None)  # each pixel its own


def scorecam(question: Question) -> Turns:
    """Weigh each map with the score of the picture of which it lets through what it shows.

    A map, scaled from 0 to 1, says of each pixel how much of it is left; the baseline is the rest.
    The weights are the softmax of the scores. A map that is the same everywhere has none.

    Source: Wang et al. 2019, arXiv:1910.01279, algorithm 1; its score of the baseline, which all
    weights would share, is no part of a softmax.
    """
    layer = _layer_of(question)
    devices.pulse()
    question.passes += 1
    with torch.no_grad():
        maps = as_maps(until(question.folded_at(layer), question.image, layer))[0]
    lowest, highest = maps.amin((1, 2)), maps.amax((1, 2))
    maps = maps[highest > lowest]
    absent, scores, done = question.absent(), [], 0
    for some in maps.split(question.at_once) if len(maps) else ():
        masks = _scaled(_upsampled(some[:, None], question))
        scores.append(question.ask(torch.lerp(absent, question.image, masks)))
        done += len(some)
        yield Done(done, len(maps), "maps")
    weights = torch.cat(scores).softmax(0) if scores else maps.new_zeros(0)
    return _answer(question, layer, (weights[:, None, None] * maps).sum(0).relu())


def _maps_and_slopes(
    question: Question,
) -> tuple[str, Float[Tensor, "k r q"], Float[Tensor, "k r q"]]:
    """Give the layer that is asked for, its maps, and the gradient of the score by each value.

    The way back ends at the layer; what is behind it gets a copy, which it may write over.
    """
    name, met = _layer_of(question), []

    def begin(call: Call) -> Tensor:
        leaf = call.given.detach().requires_grad_()
        met.append(call._replace(given=leaf))
        return leaf.clone()

    devices.pulse()
    question.passes += 1
    question.gradients += 1
    with torch.enable_grad():
        logits = altered(question.folded_at(name), question.image, name, begin)
        question.heard = logits[0].detach()
        (slope,) = torch.autograd.grad(question.score(logits).sum(), met[0].given)
    slopes = as_maps(met[0]._replace(given=slope))[0]
    return name, as_maps(met[0])[0].detach(), slopes


def _answer(question: Question, layer: str, values: Float[Tensor, "r q"]) -> Answer:
    return Answer(
        values=_upsampled(values[None, None], question)[0],
        grid=(values.shape[0], values.shape[1]),
        layer=layer,
    )


def _upsampled(maps: Float[Tensor, "n 1 r q"], question: Question) -> Float[Tensor, "n 1 h w"]:
    size = question.image.shape[2:]
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False)


def _scaled(maps: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n 1 h w"]:
    """Bring each map to 0 … 1."""
    lowest, highest = maps.amin((2, 3), keepdim=True), maps.amax((2, 3), keepdim=True)
    return (maps - lowest) / (highest - lowest)


def _layer_of(question: Question) -> str:
    """Name the layer that is asked for, or the last one whose maps have a part in the answer.

    Raises: ValueError when the network has no such layer, or none at all.
    """
    places, wanted = _places(question.model), question.query.layer
    names = [place.layer.name for place in places]
    if not names:
        raise ValueError(
            f"method must be another one than {question.query.method}: "
            "this network has no layer that gives maps"
        )
    if wanted and wanted not in names:
        raise ValueError(f"layer must be one of those that give maps, got {wanted[:60]!r}")
    telling = [place.layer.name for place in places if place.telling]
    return wanted or (telling or names)[-1]


def _places(model: Model) -> tuple[Place, ...]:
    """List the layers whose maps can be weighed; found out once, on a picture of noise."""
    if model.network not in _known:
        _known[model.network] = tuple(_found(model))
    return _known[model.network]


def _found(model: Model) -> list[Place]:
    device = next(model.network.parameters()).device
    source = torch.Generator().manual_seed(0)
    noise = torch.rand((1, *model.shape), generator=source).to(device).requires_grad_()
    with torch.enable_grad():
        seen = trace(model.network, noise)
        some = torch.randn(seen.logits.shape, generator=source).to(device)
        calls = [call for call in _weighted(seen.calls) if _gives_maps(call)]
        if not calls:
            return []
        total = (some * seen.logits).sum()
        slopes = torch.autograd.grad(total, [call.given for call in calls], allow_unused=True)
    places = []
    for call, slope in zip(calls, slopes, strict=True):
        if slope is not None:  # else nothing of it reaches the logits
            rows, columns = as_maps(call).shape[2:]
            layer = Layer(call.name, kind_of(call.module), rows, columns)
            places.append(Place(layer, bool(as_maps(call._replace(given=slope)).any())))
    return places


def _weighted(calls: tuple[Call, ...]) -> tuple[Call, ...]:
    """Leave out what comes before the first layer with weights: it shows the picture itself."""
    for number, call in enumerate(calls):
        if any(each.ndim > 1 for each in call.module.parameters()):
            return calls[number:]
    return ()


def _gives_maps(call: Call) -> bool:
    if call.given.ndim not in (MAP_RANK, TOKEN_RANK) or not call.given.requires_grad:
        return False
    rows, columns = as_maps(call).shape[2:]
    return rows * columns > 1 if call.given.ndim == MAP_RANK else min(rows, columns) > 1
