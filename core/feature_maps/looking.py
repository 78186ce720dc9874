"""What each layer of a network makes of one picture."""

import math
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from core.feature_maps import SOFTMAX, Layer, Look
from core.feature_maps.fields import fields_of
from core.shared.kinds import kind_of
from core.shared.lenet import TableConv
from core.shared.loading import Model, load
from core.shared.models import Source
from core.shared.tracing import Trace, as_maps, trace

__all__ = ["frozen", "look", "maps", "pass_through", "picture_of"]


def look(source: Source, pixels: Float[np.ndarray, "c h w"]) -> Look:
    """Run a picture through a network and list its layers.

    Args:
        source: the network.
        pixels: from 0 to 1, of the network's shape.

    Raises: ValueError when the picture has another shape, or the network is gone.
    """
    model = load(source)
    passed = pass_through(source, *frozen(pixels))
    picture = passed.picture
    found = fields_of(passed.trace, picture)
    height, width = picture.shape[2:]
    layers = []
    for call in passed.trace.calls:
        values = as_maps(call)[0]
        field = found[call.name]
        sides = (height, width) if field.whole else field.size
        low, high = values.amin((1, 2)), values.amax((1, 2))
        weight = getattr(call.module, "weight", None)
        layers.append(
            Layer(
                name=call.name,
                kind=kind_of(call.module),
                shape=(values.shape[0], values.shape[1], values.shape[2]),
                weights=tuple(weight.shape) if isinstance(weight, Tensor) else (),
                parameters=_count(call.module),
                field=sides,
                low=float(low.min()),
                high=float(high.max()),
                dead=int(((low == 0) & (high == 0)).sum()),
            )
        )
    logits = passed.trace.logits[0].cpu().double()
    if not all(math.isfinite(each.low + each.high) for each in layers):
        raise ValueError("network must give finite values, got others: its weights are too large")
    if len(logits) != len(model.classes):
        raise ValueError(f"network must give {len(model.classes)} logits, got {len(logits)}")
    shares = logits.softmax(0)
    ends = float(shares.min()), float(shares.max())
    last = Layer(SOFTMAX, "softmax", (len(shares), 1, 1), (), 0, (height, width), *ends, 0)
    total = _count(model.network)
    return Look((*layers, last), total, logits.float().numpy(), shares.float().numpy())


def maps(
    source: Source, pixels: Float[np.ndarray, "c h w"], layer: str
) -> Float[np.ndarray, "m H W"]:
    """Give all maps of one layer for a picture, as they are, to read and not to write into.

    Args:
        source: the network.
        pixels: as `look` takes them.
        layer: one of those that `look` lists.
    """
    way = pass_through(source, *frozen(pixels)).trace
    values: np.ndarray
    if layer == SOFTMAX:
        values = way.logits[0].cpu().double().softmax(0).float().numpy()[:, None, None]
    else:
        values = as_maps(way[layer]).numpy(force=True)[0]
    values.flags.writeable = False  # they lie where they are kept for the next who asks
    return values


def _count(module: nn.Module) -> int:
    """Count the parameters that take part: of LeNet-5's C3 not those that Table I leaves out."""
    left_out = sum(
        each.weight.numel() - int(each.table.sum()) * each.weight[0, 0].numel()
        for each in module.modules()
        if isinstance(each, TableConv)
    )
    return sum(each.numel() for each in module.parameters()) - left_out


class Passed:
    """A picture and its way through a network."""

    __slots__ = ("model", "picture", "trace")

    def __init__(self, model: Model, picture: Tensor, way: Trace) -> None:
        self.model, self.picture, self.trace = model, picture, way


def pass_through(source: Source, shape: tuple[int, ...], content: bytes) -> Passed:
    """Trace a picture, given as the bytes of its float32 pixels; the last ones are kept."""
    return (few if source.kind == "zoo" else many)(source, shape, content)


def _pass(source: Source, shape: tuple[int, ...], content: bytes) -> Passed:
    model = load(source)
    picture = picture_of(model, np.frombuffer(content, np.float32).reshape(shape))
    with torch.inference_mode():  # a tenth quicker than no_grad for one digit
        return Passed(model, picture, trace(model.network, picture))


few = lru_cache(maxsize=2)(_pass)  # a VGG-16 keeps some 250 MB for each
many = lru_cache(maxsize=12)(_pass)  # EfficientNet-Lite0 keeps 40 MB, a network of digits one


def picture_of(model: Model, pixels: Float[np.ndarray, "c h w"]) -> Float[Tensor, "1 c h w"]:
    """Put a picture on the network's device.

    Raises: ValueError when it has another shape than the network takes, or values outside [0, 1].
    """
    if pixels.shape != model.shape:
        raise ValueError(f"pixels must be of shape {model.shape}, got {pixels.shape}")
    if not (pixels.min() >= 0 and pixels.max() <= 1):  # also refuses NaN
        raise ValueError(f"pixels must be from 0 to 1, got {pixels.min():g} to {pixels.max():g}")
    device = next(model.network.parameters()).device
    return torch.tensor(pixels, dtype=torch.float32, device=device)[None]


def frozen(pixels: Float[np.ndarray, "c h w"]) -> tuple[tuple[int, ...], bytes]:
    """Freeze a picture into what `pass_through` takes."""
    return pixels.shape, np.ascontiguousarray(pixels, np.float32).tobytes()
