"""The network of a script: plain modules of torch, a row of the table a line."""

import math
from collections.abc import Sequence
from itertools import count

from core.shared.arithmetic import arithmetic
from core.shared.layers import POOLS, Row, parse
from core.shared.recipes import Recipe
from core.train_cnn.script.definitions import (
    DROPOUT,
    LENET5,
    MODULES,
    WIDTH,
    blocks,
    convolution,
    define,
    normalisation,
    variant,
)

__all__ = ["starting_weights", "write_network"]

BOUNDS = {  # of a uniform draw: what to say, and the expression
    "lecun": ("variance 1 / fan-in", "(3 / fan_in) ** 0.5"),
    "glorot": ("variance 2 / (fan-in + fan-out)", "(6 / (fan_in + fan_out)) ** 0.5"),
    "he": ("variance 2 / fan-in", "(6 / fan_in) ** 0.5"),
}


def write_network(recipe: Recipe, shape: tuple[int, int, int], classes: int) -> str:
    """Define the network, and before it what torch has no module for.

    Args:
        recipe: with the network's table.
        shape: of one image, channels first.
        classes: that the output tells apart.
    """
    definitions = []
    if recipe.network == "lenet5":
        definitions.append(LENET5)
        lines = _lenet5(shape[0], classes, recipe.dropout)
    else:
        rows = parse(recipe.network)
        named = blocks(rows)
        definitions += [define(name, row) for row, name in named.items()]
        lines = _table(recipe, rows, named, shape, classes)
    if any("Dropout(" in line for line in lines):
        definitions.append(DROPOUT)
    body = "\n".join(lines)
    return "\n\n".join([*definitions, f"network = nn.Sequential(\n{body}\n)\n"])


def starting_weights(recipe: Recipe) -> str:
    """Draw the starting weights as `core.shared.networks.initialise` does."""
    lenet = recipe.network == "lenet5"
    rows = () if lenet else parse(recipe.network)
    convolves = lenet or any(row.kind not in ("fc", "global", *POOLS) for row in rows)
    lines = []
    if recipe.initialisation in BOUNDS:
        said, bound = BOUNDS[recipe.initialisation]
        said = f"uniform, with the {said}"
        lines.append("fan_in = layer.weight[0].numel()")
        if recipe.initialisation == "glorot":
            deep = ' / getattr(layer, "groups", 1)' * any(row.kind == "depthwise" for row in rows)
            lines.append(f"fan_out = layer.weight[:, 0].numel(){deep}")
        if lenet:
            lines.append("if isinstance(layer, TableConv):")
            lines.append("    fan_in = 25 * layer.table.sum(1, keepdim=True)")
            if recipe.initialisation == "glorot":
                lines.append("    fan_out = 25 * layer.table.sum(0, keepdim=True)")
        lines.append(f"bound = {bound}")
        lines.append("layer.weight.detach().uniform_(-1, 1, generator=source).mul_(bound)")
    elif recipe.initialisation == "small":
        said = "normal, with the deviation 0.01"
        lines.append("nn.init.normal_(layer.weight, 0, 0.01, generator=source)")
    else:
        said = "all 0"
        lines.append("nn.init.zeros_(layer.weight)")
    if any(row.normalisation != "none" for row in rows):  # which brings its own bias
        lines += ["if layer.bias is not None:", "    nn.init.zeros_(layer.bias)"]
    else:
        lines.append("nn.init.zeros_(layer.bias)")
    drawn = recipe.initialisation != "zeros"
    kinds = "(nn.Conv2d, nn.Linear)" if convolves else "nn.Linear"
    layout = ", memory_format=torch.channels_last)  # the quicker layout" if convolves else ")"
    return "\n".join(
        [
            f"# The weights at the start: {said}.",
            *(["source = torch.Generator().manual_seed(seed)"] if drawn else []),
            "for layer in network.modules():",
            f"    if isinstance(layer, {kinds}):",
            *(f"        {line}" for line in lines),
            f"network.to(device{layout}",
            "",
        ]
    )


def _lenet5(channels: int, classes: int, dropout: float) -> list[str]:
    drops = [[f"Dropout({dropout!r}, {place})"] if dropout else [] for place in (0, 1)]
    rows = (
        ([f"nn.Conv2d({channels}, 6, 5)", "Squash()"], "C1: 6 maps of 28×28"),
        (["Subsample(6)", "Squash()"], "S2: 6 maps of 14×14"),
        (["TableConv()", "Squash()"], "C3: 16 maps of 10×10"),
        (["Subsample(16)", "Squash()"], "S4: 16 maps of 5×5"),
        (["nn.Flatten()", "nn.Linear(400, 120)", "Squash()", *drops[0]], "C5: 120 units"),
        (["nn.Linear(120, 84)", "Squash()", *drops[1]], "F6: 84 units"),
        ([f"nn.Linear(84, {classes})"], f"output: {classes} logits"),
    )
    return [line for modules, said in rows for line in _line(modules, said)]


def _table(
    recipe: Recipe,
    rows: Sequence[Row],
    named: dict[Row, str],
    shape: tuple[int, ...],
    classes: int,
) -> list[str]:
    """Write a line for each row, with the shape of what comes out."""
    layers = arithmetic(recipe.network, (shape[0], shape[1], shape[2]), classes)
    shapes = {layer.name.split(".")[0]: layer.shape for layer in layers}
    lines, places = [], count()
    for number, row in enumerate(rows, 1):
        name = f"{row.kind}{number}"
        modules = _modules(row, shape, named)
        if share := row.dropout or (recipe.dropout if row.kind == "fc" else 0):
            modules.append(f"Dropout({share!r}, {next(places)})")
        shape = (row.channels or shapes[name][0], *shapes[name][1:])  # a branch has less maps
        lines += _line(modules, f"{name}: {_sized(shape)}")
    modules = ["nn.Flatten()"] if len(shape) > 1 else []
    modules.append(f"nn.Linear({math.prod(shape)}, {classes})")
    return lines + _line(modules, f"output: {classes} logits")


def _modules(row: Row, shape: tuple[int, ...], named: dict[Row, str]) -> list[str]:
    """Write the modules of a row that is given values of such a shape."""
    into, after = shape[0], [MODULES[row.activation]] if row.activation != "none" else []
    match row.kind:
        case "fc":
            flat = ["nn.Flatten()"] if len(shape) > 1 else []
            bias = ", bias=False" * (row.normalisation != "none")
            linear = f"nn.Linear({math.prod(shape)}, {row.channels}{bias})"
            return [*flat, linear, *normalisation(row, row.channels), *after]
        case "global":
            return ["nn.AdaptiveAvgPool2d(1)", "nn.Flatten()"]
        case "max" | "mean":
            stride = f", stride={row.stride}" * (row.stride != row.kernel)
            padding = f", padding={row.padding}" * bool(row.padding)
            pool = "Max" if row.kind == "max" else "Avg"
            return [f"nn.{pool}Pool2d({row.kernel}{stride}{padding})"]
        case "res" | "skip" | "plain":
            stride = f", stride={row.stride}" * (row.stride > 1)
            return [f"{named[variant(row)]}({into}, {row.channels}{stride})"]
        case "inception":
            return [f"{named[variant(row)]}({into}, {row.channels})"]
    out = row.channels or into
    options = {"stride": row.stride, "padding": row.padding, "dilation": row.dilation}
    options["groups"] = 1 if row.channels else into
    told = "".join(
        f", {name}={value}" for name, value in options.items() if value != (name != "padding")
    )
    return [*convolution(row, f"{into}, {out}, {row.kernel}{told}", out), *after]


def _line(modules: list[str], said: str) -> list[str]:
    """Write a row of the chain: in a line, in two, or each module in its own."""
    for cut in range(len(modules)):
        lines = [", ".join(each) for each in (modules[:cut], modules[cut:]) if each]
        lines = [f"    {line}," for line in lines]
        lines[-1] += f"  # {said}"
        if max(map(len, lines)) <= WIDTH:
            return lines
    *first, last = [f"    {module}," for module in modules]
    return [*first, f"{last}  # {said}"]


def _sized(shape: tuple[int, ...]) -> str:
    channels, *sides = shape
    plural = "s" * (channels > 1)
    if not sides:
        return f"{channels} number{plural}"
    return f"{channels} map{plural} of {sides[0]}×{sides[1]}"
