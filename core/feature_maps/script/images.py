"""The scripts of the panel's tabs: what a channel and a layer make of many images or shifts."""

import json
import math
import re
import textwrap
from collections.abc import Sequence

from core.feature_maps import WAYS, Ascent, Layer
from core.feature_maps.grid import LARGEST, coarser
from core.feature_maps.script.frame import ATTENTION, LAST, TOKENS, WIDTH, script
from core.shared import datasets, models
from core.shared.models import Source

__all__ = [
    "write_dream",
    "write_effective_field",
    "write_lesion",
    "write_probe",
    "write_shift",
    "write_space",
    "write_top",
]

AT_ONCE = 100_000  # pixels of the images that pass together: the last bits depend on it
TRACED = 100_000  # pixels of one colour that pass together on the way back
REACH = 3  # standard deviations at which a Gaussian is cut off
HEAR = """network.eval().requires_grad_(False)
layer = network.get_submodule("{module}")
given = []  # what the layer gives
layer.register_forward_hook(lambda layer, taken, maps: given.append({maps}))

"""
MANY = """with torch.no_grad():
    for few in images.split({few}):
        network(few.contiguous(memory_format=torch.channels_last))
"""
OTHER = """learnt = data.dataset("{data}", torch.device("cpu"))  # not what the network learned from
"""
FIRST = """images = learnt.test.images[:{images}]
"""
FITTED = """fitted = [seeing.fit(seeing.as_picture(each), {shape}, "") for each in images.numpy()]
images = torch.from_numpy(np.stack(fitted))
"""
TOP = """largest = []
{many}        largest.append(given.pop(){channel}.reshape(len(few), -1).amax(1))
values, best = torch.cat(largest).sort(descending=True, stable=True)
values, best = values[:{count}], best[:{count}]
for index, value in zip(best.tolist(), values.tolist(), strict=True):
    print(f"image {{index}}: {{value:.6g}}")
"""
SILENCED = """    maps = {given}.clone()
    maps{channel} = 0
"""
ALONE = """    maps = torch.zeros_like({given})
    maps{channel} = {given}{channel}
"""
PUT_OUT = """network.eval()


def put_out(layer, taken, given):
{altered}    return {back}


"""
READ = """def read():
    with torch.no_grad():
        return network(pixels[None])[0].double().softmax(0)


before = read()
layer = network.get_submodule("{module}")
layer.register_forward_hook(put_out)
after = read()
print(f"class {{before.argmax()}} before, {{after.argmax()}} after")
"""
READ_MANY = """images, labels = learnt.test.images[:{images}], learnt.test.labels[:{images}]


def read():
    with torch.no_grad():
        logits = torch.cat([network(few) for few in images.split({few})])
        probabilities = network(pixels[None])[0].double().softmax(0)
    return probabilities, (logits.argmax(1) == labels).double().mean().item()


before, accuracy_before = read()
layer = network.get_submodule("{module}")
layer.register_forward_hook(put_out)
after, accuracy_after = read()
print(f"class {{before.argmax()}} before, {{after.argmax()}} after")
print(f"right of the test images: {{accuracy_before:.2%}} before, {{accuracy_after:.2%}} after")
"""
DREAM = """source = torch.Generator().manual_seed({seed})
noise = torch.randn({shape}, generator=source)
picture = ({grey} + 0.1 * noise).clamp(0, 1)
{gaussian}for step in range(1, {end}):
    shift = torch.randint({least}, {most}, (2,), generator=source).tolist()
    leaf = picture.roll(shift, (2, 3)).requires_grad_()
    network(leaf)
    (gradient,) = torch.autograd.grad(given.pop(){channel}.mean(), leaf)
    gradient = gradient.roll([-each for each in shift], (2, 3))
    size = gradient.square().mean().sqrt().clamp(min=1e-30)
    moved = picture + {rate} * gradient / size + {weight_decay} * ({grey} - picture)
{smoothed}    picture = moved.clamp(0, 1)
picture = picture[0]
network(picture[None])
print(f"the channel's mean is {{given.pop(){channel}.mean().item():.6g}}")
"""
GAUSSIAN = """gaussian = torch.exp(-(torch.arange(-{reach}.0, {end}) ** 2) / (2 * {blur}**2))
gaussian = (gaussian / gaussian.sum()).view(1, 1, 1, -1)
"""
SMOOTHED = """    if step % {every} == 0:  # smooth it along both axes
        planes = F.pad(moved.transpose(0, 1), ({reach},) * 4, mode="replicate")
        smooth = F.conv2d(F.conv2d(planes, gaussian), gaussian.transpose(2, 3))
        moved = smooth.transpose(0, 1)
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
SPREAD = """test = learnt.test.images
count = min({images}, len(test))
images = test[torch.arange(count) * len(test) // count]  # evenly spread
"""
PHOTOGRAPHS = """names = [each.name for each in photographs.photographs()][:{images}]
files = [photographs.photograph(name).pixels for name in names]
images = torch.from_numpy(np.stack([seeing.fit(each, {shape}, "") for each in files]))
"""
FIELD = """total = torch.zeros(images.shape[2:], dtype=torch.float64)
for few in images.split({few}):
    leaf = few.clone().requires_grad_()
    network(leaf)
    units = given.pop(){unit}  # in the middle of the map
    (slopes,) = torch.autograd.grad(units.sum(), leaf)  # a sum keeps the images apart
    total += slopes.abs().mean(1).sum(0)
field = total / len(images)
side = (field > (1 - 0.9545) * field.max()).sum().sqrt()
print(f"its side is about {{side.item():.1f}} pixels")
"""


def write_top(source: Source, layer: Layer, channel: int, count: int, images: int) -> str:
    """Write for which test images a channel is largest: `best` and `values` hold them in the end.

    Args:
        source: the network; where the data that it learned from are not here, the built-in
            photographs are taken.
        layer: as `looking.look` lists it, but for the softmax.
        channel, count, images: as `channels.top` takes them.

    Raises: ValueError when the network is no longer here.
    """
    known, many = models.about(source), MANY.format(few=_few(source))
    chosen = _channel(source, layer.name, channel)
    if source.name == TOKENS and _channels_last(source, layer.name) and layer.shape[1] > 1:
        chosen = f"[:, 1:, {channel}]"  # without the class token
    pictures = FIRST if known.data else PHOTOGRAPHS
    body = pictures.format(images=images, shape=known.shape)
    body += TOP.format(many=many, channel=chosen, count=count)
    title = f"Channel {channel} of {layer.name}: its images"
    return script(title, source, "", _hear(layer.name) + body)


def write_lesion(
    source: Source, layer: Layer, channel: int, only: bool, picture: str, images: int
) -> str:
    """Write how the network reads with a part of a layer put out.

    In the end `before` and `after` hold the picture's probabilities, and where the data are here
    `accuracy_before` and `accuracy_after` the shares of the test images that are read right.

    Args:
        source: the network.
        layer: as `write_top` takes it.
        channel, only, images: as `channels.lesion` takes them.
        picture: where the script finds the pixels, as `write_maps` takes it.

    Raises: ValueError when the network is no longer here.
    """
    pair = layer.name.endswith(ATTENTION)
    altered = (ALONE if only else SILENCED).format(
        given="given[0]" if pair else "given", channel=_channel(source, layer.name, channel)
    )
    body = PUT_OUT.format(altered=altered, back="maps, *given[1:]" if pair else "maps")
    if models.about(source).data:
        body += READ_MANY.format(images=images, few=_few(source), module=_module(layer.name))
    else:
        body += READ.format(module=_module(layer.name))
    title = f"Channel {channel} of {layer.name}: {'alone' if only else 'put out'}"
    return script(title, source, picture, body)


def write_dream(ascent: Ascent) -> str:
    """Write how noise climbs until a channel is large: `picture` holds the pixels in the end.

    Args:
        ascent: as `climbing.maximise` takes it.

    Raises: ValueError when the network is no longer here.
    """
    source, known, blur = ascent.source, models.about(ascent.source), ascent.blur
    reach = max(1, round(REACH * blur))
    body = DREAM.format(
        seed=ascent.seed,
        shape=(1, *known.shape),
        grey="learnt.mean" if known.data else "0.5",
        gaussian=GAUSSIAN.format(reach=reach, end=reach + 1, blur=blur) if blur else "",
        end=ascent.steps + 1,
        least=-ascent.jitter,
        most=ascent.jitter + 1,
        channel=_channel(source, ascent.layer, ascent.channel),
        rate=ascent.rate,
        weight_decay=ascent.weight_decay,
        smoothed=SMOOTHED.format(every=ascent.every, reach=reach) if blur else "",
    )
    title = f"Channel {ascent.channel} of {ascent.layer}: its dream"
    return script(title, source, "", _hear(ascent.layer) + body)


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
    body += SPACE.format(many=MANY.format(few=_few(source)), values=values)
    if count == 1:
        body += SECOND
    body += PCA if way == "pca" else TSNE
    title = f"Test images as points of {layer.name}"
    return script(title, source, "", _hear(layer.name) + body)


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
    last = [layer for layer in layers if _channels_last(source, layer)]
    if source.name == LAST and last:
        maps, begin = OF_LAST, begin + _listed("channels_last", last) + ARE_LAST
    body = PROBE.format(
        largest=LARGEST,
        maps=maps,
        seed=seed,
        images=images,
        fitted=fitted,
        many=MANY.format(few=_few(source)),
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


def write_effective_field(source: Source, layer: Layer, channel: int, images: int) -> str:
    """Write how much each pixel moves the unit in the middle of a map: `field` holds it.

    Args:
        source: the network.
        layer: as `write_top` takes it.
        channel, images: as `laboratory.effective_field` takes them.

    Raises: ValueError when the network is no longer here.
    """
    known = models.about(source)
    pictures = SPREAD if known.data else PHOTOGRAPHS
    _, height, width = layer.shape
    row, column = height // 2, width // 2
    unit = f"[:, {channel}]"
    if height * width > 1:
        unit = f"[:, {channel}, {row}, {column}]"
        if _channels_last(source, layer.name):
            place = f"{row * width + column - height * width}"  # counted from the last token
            unit = f"[:, {f'{row}, {column}' if source.name == LAST else place}, {channel}]"
    few = max(1, TRACED // math.prod(known.shape[1:]))
    body = pictures.format(images=images, shape=known.shape) + FIELD.format(few=few, unit=unit)
    title = f"Channel {channel} of {layer.name}: its effective field"
    return script(title, source, "", _hear(layer.name) + body)


def _moved(source: Source, layer: Layer) -> str:
    """Write how channels that come last are brought before their rows and columns."""
    _, height, width = layer.shape
    if not _channels_last(source, layer.name) or height * width == 1:
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


def _few(source: Source) -> int:
    """Count the images that pass together."""
    return max(1, AT_ONCE // math.prod(models.about(source).shape))


def _hear(layer: str) -> str:
    """Write how what a layer gives is heard."""
    maps = "maps[0]" if layer.endswith(ATTENTION) else "maps"
    return HEAR.format(module=_module(layer), maps=maps)


def _names(layers: Sequence[str]) -> str:
    return NAMES.format(names=_listed("names", layers))


def _listed(variable: str, layers: Sequence[str]) -> str:
    """Write the layers' modules in as many lines as they need."""
    texts = [json.dumps(_module(layer)) for layer in layers]
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


def _module(layer: str) -> str:
    return layer.partition(":")[0]


def _channel(source: Source, layer: str, channel: int) -> str:
    """Write the index of a channel in what a layer gives."""
    return f"[..., {channel}]" if _channels_last(source, layer) else f"[:, {channel}]"


def _channels_last(source: Source, layer: str) -> bool:
    """Tell whether the channels of what a layer gives are its last dimension."""
    if source.name == LAST:  # between the two permutations of a block
        return re.search(r"\.block\.[1-5]$", layer) is not None
    return source.name == TOKENS and layer.startswith("body.encoder")
