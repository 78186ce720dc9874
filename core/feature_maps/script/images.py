"""The code of one channel: its images, its lesion, its dream and what it sees."""

import math

from core.feature_maps import Ascent, Layer
from core.feature_maps.script.hearing import FIRST, MANY, channels_last, few, hear, module
from core.shared import models
from core.shared.models import Source
from core.shared.scripts import ATTENTION, LAST, TOKENS, script

__all__ = ["write_dream", "write_effective_field", "write_lesion", "write_top"]

TRACED = 100_000  # pixels of one colour that pass together on the way back
REACH = 3  # standard deviations at which a Gaussian is cut off
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
    held = step <= {held}  # the last quarter is free
    shift = torch.randint({least}, {most}, (2,), generator=source).tolist() if held else [0, 0]
    leaf = picture.roll(shift, (2, 3)).requires_grad_()
    network(leaf)
    (gradient,) = torch.autograd.grad(given.pop(){channel}.mean(), leaf)
    gradient = gradient.roll([-each for each in shift], (2, 3))
    size = gradient.square().mean().sqrt().clamp(min=1e-30)
    moved = picture + {rate} * gradient / size
    if held:
        moved += {weight_decay} * ({grey} - picture)
{smoothed}    picture = moved.clamp(0, 1)
picture = picture[0]
network(picture[None])
print(f"the channel's mean is {{given.pop(){channel}.mean().item():.6g}}")
"""
GAUSSIAN = """gaussian = torch.exp(-(torch.arange(-{reach}.0, {end}) ** 2) / (2 * {blur}**2))
gaussian = (gaussian / gaussian.sum()).view(1, 1, 1, -1)
"""
SMOOTHED = """        if step % {every} == 0:  # smooth it along both axes
            planes = F.pad(moved.transpose(0, 1), ({reach},) * 4, mode="replicate")
            smooth = F.conv2d(F.conv2d(planes, gaussian), gaussian.transpose(2, 3))
            moved = smooth.transpose(0, 1)
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
    known, many = models.about(source), MANY.format(few=few(source))
    chosen = _channel(source, layer.name, channel)
    if source.name == TOKENS and channels_last(source, layer.name) and layer.shape[1] > 1:
        chosen = f"[:, 1:, {channel}]"  # without the class token
    pictures = FIRST if known.data else PHOTOGRAPHS
    body = pictures.format(images=images, shape=known.shape)
    body += TOP.format(many=many, channel=chosen, count=count)
    title = f"Channel {channel} of {layer.name}: its images"
    return script(title, source, "", hear(layer.name) + body)


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
        body += READ_MANY.format(images=images, few=few(source), module=module(layer.name))
    else:
        body += READ.format(module=module(layer.name))
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
        held=ascent.held,
        smoothed=SMOOTHED.format(every=ascent.every, reach=reach) if blur else "",
    )
    title = f"Channel {ascent.channel} of {ascent.layer}: its dream"
    return script(title, source, "", hear(ascent.layer) + body)


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
        if channels_last(source, layer.name):
            place = f"{row * width + column - height * width}"  # counted from the last token
            unit = f"[:, {f'{row}, {column}' if source.name == LAST else place}, {channel}]"
    few = max(1, TRACED // math.prod(known.shape[1:]))
    body = pictures.format(images=images, shape=known.shape) + FIELD.format(few=few, unit=unit)
    title = f"Channel {channel} of {layer.name}: its effective field"
    return script(title, source, "", hear(layer.name) + body)


def _channel(source: Source, layer: str, channel: int) -> str:
    """Write the index of a channel in what a layer gives."""
    return f"[..., {channel}]" if channels_last(source, layer) else f"[:, {channel}]"
