"""The code of the layers as spaces: points of a plane, linear probes, a shifted picture."""

import json
import math
import textwrap
from collections.abc import Sequence

from core.feature_maps import WAYS, Layer
from core.feature_maps.grid import LARGEST, coarser
from core.feature_maps.script.hearing import FIRST, MANY, channels_last, few, hear, module
from core.shared import datasets, models
from core.shared.models import Source
from core.shared.scripts import LAST, TOKENS, WIDTH, script

__all__ = ["write_probe", "write_shift", "write_space"]

OTHER = """learnt = data.dataset("{data}", torch.device("cpu"))  # not what the network learned from
"""
FITTED = """fitted = [seeing.fit(seeing.as_picture(each), {shape}, "") for each in images.numpy()]
images = torch.from_numpy(np.stack(fitted))
"""
SPACE = """rows = []
{many}        rows.append({values})
rows = torch.cat(rows).double()
"""
SECOND = """rows = torch.cat([rows, torch.zeros_like(rows)], 1)  # an axis on which nothing happens
"""
PCA = """centred = rows - rows.mean(0)
directions = torch.linalg.svd(centred, full_matrices=False).Vh[:2]
# A direction has no sign of its own: its largest part shall be positive.
largest = directions.gather(1, directions.abs().argmax(1, keepdim=True))
points = centred @ (directions * largest.sign()).T
shares = points.square().sum(0) / centred.square().sum()
print(f"the axes have {shares[0]:.1%} and {shares[1]:.1%} of the variance")
"""
TSNE = """perplexity = min(30, (len(rows) - 1) / 3)
tsne = TSNE(init="pca", random_state=0, perplexity=perplexity)
points = torch.from_numpy(tsne.fit_transform(rows.numpy()))
print(tuple(points.shape), tsne.kl_divergence_)
"""
NAMES = """network.eval()
{names}layers = [network.get_submodule(name) for name in names]
"""
PROBE = """rows = {{layer: [] for layer in layers}}


def keep(layer, taken, given):
{maps}    if given.ndim == 4 and given[0].numel() > {largest}:  # on a coarser grid
        side = max(1, math.isqrt({largest} // given.shape[1]))
        grid = min(given.shape[2], side), min(given.shape[3], side)
        given = F.adaptive_avg_pool2d(given, grid)
    values = given.flatten(1)
    rows[layer].append(values[:, :: -(-values.shape[1] // {largest})])


for layer in layers:
    layer.register_forward_hook(keep)
known = learnt.validation
drawn = torch.randperm(len(known), generator=torch.Generator().manual_seed({seed}))[:{images}]
images, labels, half = known.images[drawn], known.labels[drawn], len(drawn) // 2
{fitted}{many}targets = 2 * F.one_hot(labels[:half], {classes}).double() - 1
centre, accuracies = targets.mean(0), {{}}
for name, layer in zip(names, layers, strict=True):
    x, z = torch.cat(rows[layer]).double().tensor_split([half])
    mean, deviation = x.mean(0), x.std(0, correction=0)
    deviation[deviation == 0] = 1
    x, z = (x - mean) / deviation, (z - mean) / deviation
    ridge = 0.1 * x.shape[1] * torch.eye(half)  # (XᵀX + λ)⁻¹XᵀY is Xᵀ(XXᵀ + λ)⁻¹Y
    weights = x.T @ torch.linalg.solve(x @ x.T + ridge, targets - centre)
    read = (z @ weights + centre).argmax(1)
    accuracies[name] = (read == labels[half:]).double().mean().item()
    print(f"{{name}}: {{accuracies[name]:.1%}} right")
"""
OF_TOKENS = """    given = given[0] if isinstance(given, tuple) else given
    if given.ndim == 3:  # the tokens as a field, without the class token
        side = math.isqrt(given.shape[1] - 1)
        given = given[:, 1:].transpose(1, 2).unflatten(2, (side, side))
"""
OF_LAST = """    given = given.permute(0, 3, 1, 2) if layer in last else given
"""
ARE_LAST = """last = [network.get_submodule(name) for name in channels_last]
"""
KEEP = """seen = {}
for layer in layers:
    layer.register_forward_hook(lambda layer, taken, given: seen.update({layer: given}))


"""
KEEP_TOKENS = """seen = {}


def keep(layer, taken, given):
    maps = given[0] if isinstance(given, tuple) else given
    seen[layer] = maps[:, 1:] if maps.ndim == 3 else maps  # without the class token


for layer in layers:
    layer.register_forward_hook(keep)


"""
SHIFT = """def look(by):
    border = pixels[..., :1].expand(*pixels.shape[:2], by)  # what comes in at the left
    shifted = torch.cat([border, pixels[..., : pixels.shape[2] - by]], 2)
    with torch.no_grad():
        network(shifted[None])
    return [seen[layer].double() for layer in layers]


still, distances = look(0), {{name: [] for name in names}}
for by in range({end}):
    for name, was, now in zip(names, still, look(by), strict=True):
        moved = (now - was).norm() / (was.norm() or torch.nan)
        distances[name].append(moved.item())
for name in names:
    print(name, *(f"{{each:.3f}}" for each in distances[name]))
"""


def write_space(source: Source, layer: Layer, images: int, way: str, data: str = "") -> str:
    """Write how test images become points of a plane: `points` holds them in the end.

    Args:
        source: the network.
        layer: as `write_top` takes it.
        images, way, data: as `spaces.space` takes them.

    Raises: ValueError when there is no such way, the network is no longer here, or the data are
        not.
    """
    if way not in WAYS:
        raise ValueError(f"way must be one of {WAYS}, got {way[:60]!r}")
    begin, fitted = _images_of(source, data)
    channels, height, width = layer.shape
    maps, grid = f"given.pop(){_moved(source, layer)}", coarser(layer.shape)
    if grid != (height, width):
        maps = f"F.adaptive_avg_pool2d({maps}, {grid})"
    count = channels * math.prod(grid)
    values = f"{maps}.flatten(1)"
    if count > LARGEST:
        values += f"[:, ::{math.ceil(count / LARGEST)}]"
    body = begin + FIRST.format(images=images) + fitted
    body += SPACE.format(many=MANY.format(few=few(source)), values=values)
    if count == 1:
        body += SECOND
    body += PCA if way == "pca" else TSNE
    title = f"Test images as points of {layer.name}"
    return script(title, source, "", hear(layer.name) + body)


def write_probe(
    source: Source, layers: Sequence[str], images: int, seed: int, data: str = ""
) -> str:
    """Write how well ridge regression reads the classes from what layers give.

    In the end `accuracies` holds the share that is read right, by the layer's name.

    Args:
        source: the network.
        layers: their names, as `looking.look` lists them, but for the softmax.
        images, seed, data: as `spaces.probe` takes them.

    Raises: ValueError when the network is no longer here, or the data are not.
    """
    begin, fitted = _images_of(source, data)
    maps = OF_TOKENS if source.name == TOKENS else ""
    last = [layer for layer in layers if channels_last(source, layer)]
    if source.name == LAST and last:
        maps, begin = OF_LAST, begin + _listed("channels_last", last) + ARE_LAST
    body = PROBE.format(
        largest=LARGEST,
        maps=maps,
        seed=seed,
        images=images,
        fitted=fitted,
        many=MANY.format(few=few(source)),
        classes=len(datasets.about(data or models.about(source).data).classes),
    )
    return script("A linear probe of each layer", source, "", begin + _names(layers) + body)


def write_shift(source: Source, layers: Sequence[str], picture: str, most: int) -> str:
    """Write how far layers move when the picture is shifted to the right.

    In the end `distances` holds, by the layer's name, one for each shift from 0 pixels on.

    Args:
        source: the network.
        layers: as `write_probe` takes them.
        picture: as `write_lesion` takes it.
        most: as `spaces.shift` takes it.

    Raises: ValueError when the network is no longer here.
    """
    body = (KEEP_TOKENS if source.name == TOKENS else KEEP) + SHIFT.format(end=most + 1)
    return script("How far each layer moves", source, picture, _names(layers) + body)


def _moved(source: Source, layer: Layer) -> str:
    """Write how channels that come last are brought before their rows and columns."""
    _, height, width = layer.shape
    if not channels_last(source, layer.name) or height * width == 1:
        return ""
    if source.name == LAST:
        return ".permute(0, 3, 1, 2)"
    return f"[:, 1:].transpose(1, 2).unflatten(2, ({height}, {width}))"


def _images_of(source: Source, data: str) -> tuple[str, str]:
    """Write where the images are from, and how they are brought into the network's form."""
    known = models.about(source)
    if not (data or known.data):
        raise ValueError(f"network must be one whose data are here, got {known.title}")
    begin = OTHER.format(data=data) if data and data != known.data else ""
    if datasets.about(data or known.data).shape == known.shape:
        return begin, ""
    return begin, FITTED.format(shape=known.shape)


def _names(layers: Sequence[str]) -> str:
    return NAMES.format(names=_listed("names", layers))


def _listed(variable: str, layers: Sequence[str]) -> str:
    """Write the layers' modules in as many lines as they need."""
    texts = [json.dumps(module(layer)) for layer in layers]
    listed = f"({', '.join(texts)}{',' * (len(texts) == 1)})"
    if len(f"{variable} = ") + len(listed) > WIDTH:
        filled = textwrap.fill(
            ", ".join(texts),
            WIDTH,
            initial_indent=" " * 4,
            subsequent_indent=" " * 4,
            break_on_hyphens=False,
        )
        listed = f"(\n{filled},\n)"
    return f"{variable} = {listed}\n"
