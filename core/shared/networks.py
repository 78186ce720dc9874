"""Networks built from their tables, with starting weights and dropout from named sources."""

import math
from collections import OrderedDict

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from core.shared.arithmetic import arithmetic
from core.shared.blocks import LAYERS_OF, Dropout, parts_of
from core.shared.layers import INITIALISATIONS, Row, parse
from core.shared.lenet import LeNet5, Normalise, Squash, TableConv

__all__ = [
    "Dropout",
    "LeNet5",
    "Squash",
    "build",
    "initialise",
    "lenet5",
    "outputs",
    "parameters_by_layer",
    "reseed",
]

SMALL = 0.01  # the standard deviation of the "small" start


def build(
    network: str,
    source: torch.Generator,
    *,
    shape: tuple[int, int, int] = (1, 28, 28),
    classes: int = 10,
    mean: float = 0.1,
    deviation: float = 0.28,
    initialisation: str = "lecun",
    dropout: float = 0.0,
) -> nn.Sequential:
    """Build a network: pixels from 0 to 1 in, logits out.

    Args:
        network: "lenet5" is the paper's, anything else a table as `layers.parse` reads it.
        source: draws the starting weights.
        shape: of one image, channels first.
        classes: that the output tells apart.
        mean, deviation: of the pixels, to normalise them by.
        initialisation: of the weights, as `initialise` knows it.
        dropout: the share of dropout after each hidden fully connected layer without its own.

    Returns: a chain of "normalise", a child for each row, "conv1", "max2", and "output". The
        weights of a "conv3" are conv3.0.weight, of an "fc4" fc4.1.weight, as it flattens first.
    Raises: ValueError when the table cannot be read or built, or a value is outside its range.
    """
    arithmetic(network, shape, classes)  # refuses what cannot be built
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must be from 0 to below 1, got {dropout!r}")
    if network == "lenet5":
        built: nn.Sequential = lenet5(
            source,
            channels=shape[0],
            classes=classes,
            mean=mean,
            deviation=deviation,
            initialisation=initialisation,
        )
        built = _dropping(built, dropout) if dropout else built
    else:
        with torch.random.fork_rng(devices=[]):  # torch's own start draws from the global source
            built = _chain(Normalise(0, mean, deviation), parse(network), shape, classes, dropout)
        initialise(built, source, initialisation)
    reseed(built, 0)
    return built


def lenet5(
    source: torch.Generator,
    *,
    channels: int = 1,
    classes: int = 10,
    mean: float = 0.1,
    deviation: float = 0.28,
    initialisation: str = "lecun",
) -> LeNet5:
    """Build LeNet-5; the arguments are those of `build`, and `channels` of one image."""
    with torch.random.fork_rng(devices=[]):
        network = LeNet5(channels, classes, mean, deviation)
    initialise(network, source, initialisation)
    return network


def initialise(network: nn.Module, source: torch.Generator, way: str = "lecun") -> None:
    """Draw the weights of each convolution and fully connected layer, and set its bias to 0.

    Args:
        source: draws the weights, in the order of the modules.
        way: "lecun" draws uniformly with variance 1/fan-in, "glorot" with 2/(fan-in + fan-out),
            "he" with 2/fan-in; "small" normally with σ = 0.01; "zeros" draws nothing.

    Raises: ValueError when there is no such way.

    Source: LeCun, Bottou, Orr, Müller 1998, "Efficient BackProp", section 4.6; Glorot, Bengio 2010,
    equation 16; He et al. 2015, arXiv:1502.01852, equation 10, here uniform.
    """
    if way not in INITIALISATIONS:
        known = ", ".join(INITIALISATIONS)
        raise ValueError(f'initialisation must be one of {known}, got "{way}"')
    for layer in network.modules():
        if not isinstance(layer, (nn.Conv2d, nn.Linear)):
            continue
        weight = layer.weight.detach()
        fan_in, fan_out = _fans(layer)
        if way == "zeros":
            weight.zero_()
        elif way == "small":
            weight.normal_(0, SMALL, generator=source)
        else:
            bound = {"lecun": 3 / fan_in, "glorot": 6 / (fan_in + fan_out), "he": 6 / fan_in}[way]
            weight.uniform_(-1, 1, generator=source).mul_(bound.sqrt())
        if layer.bias is not None:
            layer.bias.detach().zero_()


def reseed(network: nn.Module, seed: int) -> None:
    """Begin the masks that belong to this seed, in each dropout another stream.

    Args:
        seed: not below 0; the next masks depend on it, the shapes and the device alone.
    """
    dropouts = [layer for layer in network.modules() if isinstance(layer, Dropout)]
    for index, layer in enumerate(dropouts):
        # torch's generator on the CPU reads only the lower half of a seed: mix all into both.
        mixed = np.random.SeedSequence((seed, index)).generate_state(1, np.uint64)
        layer.reseed(int(mixed[0]))


def outputs(network: nn.Sequential, images: Float[Tensor, "n c h w"]) -> dict[str, Tensor]:
    """Run images through the network and keep what each named layer gives, without hooks."""
    kept = {}
    value = images
    for name, layer in network.named_children():
        value = layer(value)
        kept[name] = value
    return kept


def parameters_by_layer(network: nn.Module) -> dict[str, list[nn.Parameter]]:
    """List the parameters of each layer that has some, those of its normalisation among them.

    Args:
        network: a chain as `build` makes it, whose layers get the names that `arithmetic` gives
            them; in any other each child is a layer.

    Returns: the names in the order of the network; weights, biases and what normalises.
    """
    found: dict[str, list[nn.Parameter]] = {}
    for name, row in network.named_children():
        within = LAYERS_OF.get(name.rstrip("0123456789"), ())
        groups: list[list[nn.Parameter]] = [[]]
        for module in row.modules():
            if within and groups[-1] and isinstance(module, nn.Conv2d):
                groups.append([])
            groups[-1] += module.parameters(recurse=False)
        names = [f"{name}.{part}" for part in within] or [name]
        if within[2:] == ("shortcut",):  # not each block has one
            names = names[: len(groups)]
        found |= dict(zip(names, groups, strict=True))
    return {name: parameters for name, parameters in found.items() if parameters}


def _dropping(network: nn.Sequential, dropout: float) -> nn.Sequential:
    """Put dropout behind C5 and F6 of LeNet-5, which then has no way to compute all at once."""
    parts = OrderedDict(network.named_children())
    for name in ("C5", "F6"):
        parts[name] = nn.Sequential(*parts[name].children(), Dropout(dropout))
    return nn.Sequential(parts)


def _chain(
    shift: Normalise,
    rows: tuple[Row, ...],
    shape: tuple[int, int, int],
    classes: int,
    dropout: float,
) -> nn.Sequential:
    """Chain the rows; each is made for what the one before gives for an empty image."""
    parts: OrderedDict[str, nn.Module] = OrderedDict(normalise=shift)
    value = torch.zeros(1, *shape)
    for number, row in enumerate(rows, 1):
        share = row.dropout or (dropout if row.kind == "fc" else 0)
        part = nn.Sequential(*parts_of(row, value), *([Dropout(share)] if share else []))
        parts[f"{row.kind}{number}"] = part
        with torch.no_grad():
            value = part.eval()(value)
    parts["output"] = nn.Sequential(nn.Flatten(), nn.Linear(value.numel(), classes))
    return nn.Sequential(parts).train()


def _fans(layer: nn.Conv2d | nn.Linear) -> tuple[Tensor, Tensor]:
    """Count how many values each weight's output takes in, and to how many its input goes."""
    if isinstance(layer, TableConv):
        area = math.prod(layer.kernel_size)
        return area * layer.table.sum(1, keepdim=True), area * layer.table.sum(0, keepdim=True)
    groups = layer.groups if isinstance(layer, nn.Conv2d) else 1
    fan_in, goes = layer.weight[0].numel(), layer.weight[:, 0].numel() / groups
    return torch.tensor(float(fan_in)), torch.tensor(goes)
