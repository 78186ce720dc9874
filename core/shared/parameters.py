"""Names and shapes of a network's tensors, from its table alone; needs no torch."""

import math

from core.shared.arithmetic import arithmetic
from core.shared.layers import RESIDUAL, Row, parse

__all__ = ["COUNTER", "shapes"]

COUNTER = "num_batches_tracked"  # of batch normalisation: a whole number that no answer depends on
Shapes = dict[str, tuple[int, ...]]


def shapes(network: str, shape: tuple[int, int, int] = (1, 28, 28), classes: int = 10) -> Shapes:
    """Tell which tensors the state_dict of `networks.build` has, in its order.

    Args:
        network: "lenet5" or a table, as `layers.parse` reads it.
        shape: of one image, channels first.
        classes: that the output tells apart.

    Raises: ValueError when the network cannot be built.
    """
    layers = arithmetic(network, shape, classes)
    if network == "lenet5":
        return _lenet5(shape[0], classes)
    found: Shapes = {}
    place: tuple[int, ...] = shape
    for number, row in enumerate(parse(network), 1):
        name = f"{row.kind}{number}"
        found |= _row(name, row, place)
        last = [each for each in layers if each.name.split(".")[0] == name][-1]
        place = (row.channels, *last.shape[1:]) if row.kind == "inception" else last.shape
    return found | _linear("output.1", math.prod(place), classes, "none")


def _row(name: str, row: Row, place: tuple[int, ...]) -> Shapes:
    into, out, kernel = place[0], row.channels, row.kernel
    match row.kind:
        case "fc":
            return _linear(f"{name}.1", math.prod(place), out, row.normalisation)
        case "conv" | "depthwise":
            deep = row.kind == "depthwise"
            weight = (into, 1, kernel, kernel) if deep else (out, into, kernel, kernel)
            return _convolution(f"{name}.0", weight, row)
        case "inception":
            return _inception(f"{name}.0.branches", row, into)
        case kind if kind in RESIDUAL:
            first, second = (out, into, kernel, kernel), (out, out, kernel, kernel)
            if kind == "plain":
                return _convolution(f"{name}.0", first, row) | _convolution(
                    f"{name}.{_parts(row)}", second, row
                )
            found = _convolution(f"{name}.0.a.0", first, row)
            found |= _convolution(f"{name}.0.b.0", second, row)
            if into != out or row.stride > 1:
                found |= _convolution(f"{name}.0.shortcut.0", (out, into, 1, 1), row)
            return found
    return {}


def _inception(name: str, row: Row, into: int) -> Shapes:
    share, reduced, second = row.channels // 4, max(1, row.channels // 8), _parts(row)
    found = _convolution(f"{name}.0.0", (share, into, 1, 1), row)
    for branch, kernel in ((1, 3), (2, 5)):
        found |= _convolution(f"{name}.{branch}.0", (reduced, into, 1, 1), row)
        found |= _convolution(f"{name}.{branch}.{second}", (share, reduced, kernel, kernel), row)
    return found | _convolution(f"{name}.3.1", (share, into, 1, 1), row)  # the maximum comes first


def _parts(row: Row) -> int:
    """Count the modules of a convolution, its normalisation and its activation."""
    return 1 + (row.normalisation != "none") + (row.activation != "none")


def _convolution(name: str, weight: tuple[int, ...], row: Row) -> Shapes:
    return {f"{name}.weight": weight} | _shift(name, weight[0], row.normalisation)


def _linear(name: str, into: int, out: int, normalisation: str) -> Shapes:
    return {f"{name}.weight": (out, into)} | _shift(name, out, normalisation)


def _shift(name: str, out: int, normalisation: str) -> Shapes:
    """Name the bias, or what normalises instead and stands next in the chain."""
    if normalisation == "none":
        return {f"{name}.bias": (out,)}
    above, _, place = name.rpartition(".")
    after = f"{above}.{int(place) + 1}"
    found: Shapes = {f"{after}.weight": (out,), f"{after}.bias": (out,)}
    if normalisation == "batch":
        found |= {f"{after}.running_mean": (out,), f"{after}.running_var": (out,)}
        found[f"{after}.{COUNTER}"] = ()
    return found


def _lenet5(channels: int, classes: int) -> Shapes:
    found: Shapes = {}
    for name, weight in (("C1.0", (6, channels, 5, 5)), ("C3.0", (16, 6, 5, 5))):
        maps = weight[0]
        found |= {f"{name}.weight": weight, f"{name}.bias": (maps,)}
        half = f"S{int(name[1]) + 1}.0"
        found |= {f"{half}.coefficient": (maps, 1, 1), f"{half}.bias": (maps, 1, 1)}
    for name, into, out in (("C5.1", 400, 120), ("F6.0", 120, 84), ("output", 84, classes)):
        found |= _linear(name, into, out, "none")
    return found
