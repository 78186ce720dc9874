"""The panel's numbers as plain PyTorch: scripts that compute the same, to read and to keep.

Those that need a network are started in the repository's folder. This module needs no torch.
"""

import json
from collections.abc import Sequence
from string import ascii_lowercase

from core.feature_maps import SOFTMAX, Click, Layer
from core.feature_maps.script.images import (
    write_dream,
    write_effective_field,
    write_lesion,
    write_top,
)
from core.feature_maps.script.laboratory import write_convolution, write_costs
from core.feature_maps.script.spaces import write_probe, write_shift, write_space
from core.shared import models
from core.shared.models import Source
from core.shared.scripts import (
    ATTENTION,
    LAST,
    TOKENS,
    same_padding,
    script,
)

__all__ = [
    "write_convolution",
    "write_costs",
    "write_dream",
    "write_effective_field",
    "write_gradient",
    "write_lesion",
    "write_maps",
    "write_mix",
    "write_probe",
    "write_shift",
    "write_space",
    "write_top",
    "write_value",
]

LISTEN = """network.eval()
calls = []  # what the layer takes and gives
layer = network.get_submodule("{module}")
layer.register_forward_hook(lambda layer, taken, given: calls.append((taken[0], given)))
"""
PASS = """with torch.no_grad():
    network(pixels[None])
taken, given = calls[{call}]
"""
PROBABILITY = """with torch.no_grad():
    logits = network.eval()(pixels[None])[0]
powers = (logits - logits.max()).exp()
value = powers[{k}] / powers.sum()
print(f"computed {{value.item():.6g}}, softmax gives {{logits.softmax(0)[{k}].item():.6g}}")
"""
COMPARE = """print(f"computed {{value.item():.6g}}, the network gives {{{given}.item():.6g}}")
"""
PROBABILITIES = """with torch.no_grad():
    maps = network.eval()(pixels[None])[0].softmax(0)[:, None, None]
print(tuple(maps.shape), maps.min().item(), maps.max().item())
"""
MIX = """weights = torch.tensor({weights})
mixed = F.conv2d(maps[{channels}][None], weights[None, :, None, None])[0, 0]
print(tuple(mixed.shape), mixed.min().item(), mixed.max().item())
"""
PRODUCTS = """products = window * {weight}
value = products.sum(){bias}
"""
KEEP = """kept = {{}}  # what these layers take and give
for name in (
{names}
):
    network.get_submodule(name).register_forward_hook(
        lambda part, taken, given, name=name: kept.update(
            {{f"{{name}} takes": taken[0], name: given}}
        )
    )
"""
BATCH = """mean, variance = layer.running_mean[{k}], layer.running_var[{k}]
"""
GROUP = """mean, variance = group.mean(), group.var(unbiased=False)
"""
NORMALISED = """normalised = (x - mean) / (variance + layer.eps).sqrt()
value = normalised * layer.weight[{k}] + layer.bias[{k}]
"""
BACKWARDS = """loss = F.cross_entropy(network(pixels[None]), torch.tensor([{label}]))
taken, given = calls[0]
slopes, delta = torch.autograd.grad(loss, [layer.weight, given])
gradient = slopes{index}  # of the loss by the weight

# The same as a sum: δ of each output that the weight has a part in, times the input there.
"""
PLACES = """stride, dilation = layer.stride[0], layer.dilation[0]
height, width = delta.shape[2:]
rows = torch.arange(height) * stride + {row} * dilation
columns = torch.arange(width) * stride + {column} * dilation
"""
SAME = """# As TensorFlow pads: what is odd at the far side.
more = max(0, (height - 1) * stride + {kernel} - taken.shape[2])
maps = F.pad(taken[0], (more // 2, more - more // 2) * 2)
"""
PADDED = """maps = F.pad(taken[0], (layer.padding[1],) * 2 + (layer.padding[0],) * 2)
"""
SUMMED = """computed = products.sum()
stepped = layer.weight{index} - {rate} * gradient  # a step of plain gradient descent
print(f"automatic {{gradient.item():.6g}}, as a sum {{computed.item():.6g}}")
"""


def write_maps(source: Source, layer: Layer, picture: str) -> str:
    """Write how all maps of a layer come about: `maps` holds them in the end.

    Args:
        source: the network.
        layer: as `looking.look` lists it.
        picture: where the script finds the pixels: an array c×h×w from 0 to 1 if it ends in .npy,
            else a file that pillow reads, of the size that the network takes.

    Raises: ValueError when the network is no longer here.
    """
    if layer.name == SOFTMAX:
        return script("The probabilities", source, picture, PROBABILITIES)
    return script(f"The maps of {layer.name}", source, picture, _maps(source, layer))


def write_mix(
    source: Source, layer: Layer, channels: Sequence[int], weights: Sequence[float], picture: str
) -> str:
    """Write how maps of a layer are mixed by a 1×1 convolution: `mixed` holds it in the end.

    Args:
        source, layer, picture: as `write_maps` takes them; no softmax.
        channels: which maps.
        weights: of each of them.

    Raises: ValueError when the network is no longer here.
    """
    body = MIX.format(channels=list(channels), weights=[float(each) for each in weights])
    title = f"Maps of {layer.name}, mixed by a 1×1 convolution"
    return script(title, source, picture, _maps(source, layer) + body)


def _maps(source: Source, layer: Layer) -> str:
    channels, height, width = layer.shape
    shape = f"({channels}, {height}, {width})"
    if _of_tokens(source, layer):
        maps = f"given[0, -{height * width}:].T.reshape{shape}  # the patches' tokens, as a field"
    elif source.name == LAST:
        maps = "given[0]" + (f".reshape{shape}" if height * width == 1 else "")
    else:
        maps = f"given[0].reshape{shape}"
    lines = [_listen(layer), _passed(layer)]
    if layer.name.endswith(ATTENTION):
        lines.append("given = given[0]  # without the weights of the attention\n")
    lines.append(f"maps = {maps}\n")
    if source.name == LAST and height * width > 1:
        lines.append(
            f"if maps.shape != {shape}:\n    maps = maps.permute(2, 0, 1)  # channels last\n"
        )
    lines.append("print(tuple(maps.shape), maps.min().item(), maps.max().item())\n")
    return "".join(lines)


def write_value(source: Source, layer: Layer | None, told: Click, picture: str) -> str:
    """Write how one value of a map comes about: `value` holds it in the end.

    Args:
        source: the network.
        layer: as `looking.look` lists it; None for the softmax too.
        told: what `clicking.click` told of the value.
        picture: as `write_maps` takes it.

    Raises: ValueError when the network is no longer here.
    """
    channel, row, column = told.at
    if layer is None or layer.name == SOFTMAX:
        return script(
            f"The probability of class {channel}", source, picture, PROBABILITY.format(k=channel)
        )
    place = _place(source, layer, row, column)
    vector = place != f"0, :, {row}, {column}"
    given = f"given[{place}][{channel}]" if vector else f"given[0, {channel}, {row}, {column}]"
    body = [
        _listen(layer),
        "network.requires_grad_(False)\n",
        _kept(told),
        _passed(layer),
        "\n",
        *(_merged(told, layer, place) or _arithmetic(source, told, place)),
        COMPARE.format(given=given),
    ]
    title = f"The value at {channel}, {row}, {column} of {layer.name}"
    return script(title, source, picture, "".join(body))


def write_gradient(
    source: Source, layer: Layer, index: tuple[int, ...], label: int, rate: float, picture: str
) -> str:
    """Write how the gradient of one weight comes about: `gradient` and `computed` in the end.

    Args:
        source, layer, picture: as `write_maps` takes them.
        index, label, rate: as `weighing.weigh` takes them.

    Raises: ValueError when the network is no longer here.
    """
    at = json.dumps(index)
    body = [_listen(layer), BACKWARDS.format(label=label, index=at)]
    if layer.kind == "fully connected":
        out, into = index
        body.append(f"products = delta[..., {out}] * taken[..., {into}]\n")
    else:
        out, into, row, column = index
        padded = SAME.format(kernel=layer.weights[2]) if same_padding(source) else PADDED
        taken = out if layer.kind.startswith("depthwise") else into
        seen = f" * layer.table[{out}, {into}]" if _by_table(layer.kind) else ""
        body += [
            PLACES.format(row=row, column=column),
            padded,
            f"products = delta[0, {out}] * maps[{taken}, rows][:, columns]{seen}\n",
        ]
    body.append(SUMMED.format(index=at, rate=rate))
    title = f"The gradient of the weight {', '.join(map(str, index))} of {layer.name}"
    return script(title, source, picture, "".join(body))


def _arithmetic(source: Source, told: Click, place: str) -> list[str]:
    """Write the sum, the mean, the maximum or the function that gives a value."""
    channel = told.at[0]
    kind, one = told.kind, f"x = taken[{place}][{channel}]\n"
    if "convolution" in kind:
        weight = f"layer.weight[{channel}]"
        if _by_table(kind):
            weight = f"layer.weight[{channel}, {list(told.channels)}]"
        bias = f" + layer.bias[{channel}]" if told.bias else ""
        return [_window(told), PRODUCTS.format(weight=weight, bias=bias)]
    if kind == "fully connected":
        bias = f" + layer.bias[{channel}]" if told.bias else ""
        window = f"window = taken[{place}]\n"
        return [window, PRODUCTS.format(weight=f"layer.weight[{channel}]", bias=bias)]
    if kind.startswith("maximum"):
        return [_window(told, float("-inf")), "value = window.max()\n"]
    if kind == "mean 2×2, scaled":
        scaled = f"layer.coefficient[{channel}] * window.mean() + layer.bias[{channel}]"
        return [_window(told), f"value = {scaled}\n"]
    if kind.startswith("mean"):
        return [_window(told), "value = window.mean()\n"]
    normalised = NORMALISED.format(k=channel)
    match kind:
        case "batch norm":
            return [one, BATCH.format(k=channel), normalised]
        case "group norm":
            group = "taken[0].unflatten(0, (layer.num_groups, -1))"
            which = f"group = {group}[{channel} // (taken.shape[1] // layer.num_groups)]\n"
            return [one, which, GROUP, normalised]
        case "layer norm" | "layernorm2d":
            return [one, f"group = taken[{place}]\n", GROUP, normalised]
        case "normalise" | "standardise":
            (top, left), (_, height, width) = told.corner, models.about(source).shape
            inside = 0 <= top < height and 0 <= left < width
            x = f"pixels[{channel}, {top}, {left}]" if inside else "torch.zeros(())  # padding"
            each = f"[{channel}, 0, 0]" * (source.kind == "zoo" or same_padding(source))
            return [f"x = {x}\n", f"value = (x - layer.mean{each}) / layer.deviation{each}\n"]
    return [one, "value = layer(x)  # a function of this one value\n"]


def _kept(told: Click) -> str:
    """Listen to the layers whose values are put together."""
    names = [part.rpartition(" · ")[2].removesuffix(" takes") for part in told.parts]
    lines = "\n".join(f"    {json.dumps(name)}," for name in names)
    return KEEP.format(names=lines) if names else ""


def _merged(told: Click, layer: Layer, place: str) -> list[str]:
    """Write the sum or the value that is taken over; [] where nothing is put together."""
    channel, index = told.at[0], ", ".join(map(str, (told.channels[0], *told.corner)))
    if layer.kind == "flatten":
        return [f"value = taken[0, {index}]\n"]
    if len(told.parts) == 1:
        return [f"value = kept[{json.dumps(told.parts[0])}][0, {index}]\n"]
    lines, summands = [], []
    for letter, part in zip(ascii_lowercase, told.parts, strict=False):
        scale, _, name = part.rpartition(" · ")
        pair = "[0]" * name.endswith(ATTENTION)  # without the weights of the attention
        lines.append(f"{letter} = kept[{json.dumps(name)}]{pair}[{place}][{channel}]\n")
        factor = f"layer.{scale.rpartition('.')[2]}[{channel}, 0, 0] * " if scale else ""
        summands.append(f"{factor}{letter}")
    total = " + ".join(summands)
    value = total if layer.kind == "sum or join" else f"layer({total})"
    return lines and [*lines, f"value = {value}\n"]


def _window(told: Click, outside: float = 0.0) -> str:
    """Cut out what lies under the window, and pad first where it reaches beyond the maps."""
    counts = told.window.shape[1:] if told.window is not None else (1, 1)
    steps = [
        (span - 1) // max(1, count - 1) or 1 for span, count in zip(told.span, counts, strict=True)
    ]
    first, last = told.channels[0], told.channels[-1] + 1
    whole = list(told.channels) == list(range(first, last))
    maps = f"taken[0, {first}:{last}]" if whole else f"taken[0, {list(told.channels)}]"
    more = _reach(told, steps)
    if more:
        value = "" if outside == 0 else f', value=float("{outside}")'
        maps = f"F.pad({maps}, ({more}, {more}, {more}, {more}){value})"
    parts = [
        f"{corner + more}:{corner + more + span}" + f":{step}" * (step > 1)
        for corner, span, step in zip(told.corner, told.span, steps, strict=True)
    ]
    return f"window = {maps}[:, {', '.join(parts)}]\n"


def _reach(told: Click, steps: Sequence[int]) -> int:
    """Count how many rows or columns of padding the window needs, on any side."""
    reach = max(0, -told.corner[0], -told.corner[1])
    if told.inside is not None:
        for axis, step in enumerate(steps):
            outside = ~told.inside.any(1 - axis)
            reach = max(reach, int(outside.sum()) * step)
    return reach


def _place(source: Source, layer: Layer, row: int, column: int) -> str:
    """Write the index that leaves only the channels of one place of what a layer takes or gives."""
    _, height, width = layer.shape
    if height * width == 1:
        return "0"
    if _of_tokens(source, layer):
        return f"0, {row * width + column - height * width}"  # counted from the last token
    if source.name == LAST and layer.kind in ("fully connected", "layer norm", "GELU"):
        return f"0, {row}, {column}"
    return f"0, :, {row}, {column}"


def _of_tokens(source: Source, layer: Layer) -> bool:
    field = layer.shape[1] * layer.shape[2] > 1
    return source.name == TOKENS and layer.name.startswith("body.encoder") and field


def _listen(layer: Layer) -> str:
    return LISTEN.format(module=layer.name.partition(":")[0])


def _passed(layer: Layer) -> str:
    return PASS.format(call=int(layer.name.partition(":")[2] or 1) - 1)


def _by_table(kind: str) -> bool:
    return kind.endswith("by Table I")
