"""Sizes, parameters, multiply-adds and receptive fields of a network, each as its formula."""

import math
from dataclasses import dataclass, replace

from core.shared.layers import RESIDUAL, Layer, Row, parse, write

__all__ = ["MOST_AN_IMAGE", "MOST_MULTIPLY_ADDS", "MOST_PARAMETERS", "arithmetic"]

MOST_PARAMETERS = 5_000_000
MOST_MULTIPLY_ADDS = 30_000_000  # for one image
MOST_AN_IMAGE = 400_000  # outputs of all layers; hundreds of images are looked at together
LENET5_SIDE = 28  # of the images that LeNet-5 reads
OUTPUT = Row(kind="fc", channels=1)  # with as many units as there are classes
GROUPS = 8  # of group normalisation, where they divide the channels

NORMALISATION_WORDS = {
    "none": "",
    "batch": "batch normalisation",
    "layer": "layer normalisation",
    "group": "group normalisation",
}
ACTIVATION_WORDS = {
    "none": "",
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "relu": "ReLU",
    "leaky": "leaky ReLU",
    "gelu": "GELU",
}


@dataclass(frozen=True, slots=True)
class _Place:
    """A place between two layers."""

    shape: tuple[int, ...]  # of what is there for one image, channels first
    field: int  # the receptive field of a value, its side in pixels
    jump: int  # pixels from the centre of one value's field to the next one's


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    """What slides over a map."""

    kernel: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1


def arithmetic(
    network: str, shape: tuple[int, int, int] = (1, 28, 28), classes: int = 10
) -> tuple[Layer, ...]:
    """Work out every layer of a network: each convolution, pooling and fully connected layer.

    Args:
        network: "lenet5" is the paper's, anything else a table as `layers.parse` reads it. The
            output, fully connected to the classes, comes last and is not in the table.
        shape: of one image, channels first.
        classes: that the output tells apart.

    Raises: ValueError when a row cannot be read or cannot follow the row before it, with the
        formula that forbids it, and when the network is too large.
    """
    if min(shape) < 1 or classes < 1:
        raise ValueError(f"shape and classes must be at least 1, got {shape} and {classes}")
    side = max(shape[1:])
    layers, place = list[Layer](), _Place(shape, 1, 1)
    if network == "lenet5":
        layers, place = _lenet5(place)
    else:
        for number, row in enumerate(parse(network), 1):
            try:
                added, place = _row(f"{row.kind}{number}", row, place, side)
            except ValueError as error:
                raise ValueError(f'row {number}, "{write([row])}": {error}') from None
            layers += added
    layers.append(_connected("output", OUTPUT, classes, place, side))
    for what, total, most in (
        ("parameters", sum(layer.parameters for layer in layers), MOST_PARAMETERS),
        ("multiply-adds an image", sum(x.multiply_adds for x in layers), MOST_MULTIPLY_ADDS),
    ):
        if total > most:
            raise ValueError(f"a network must have at most {most:,} {what}, got {total:,}")
    return tuple(layers)


def _row(name: str, row: Row, place: _Place, side: int) -> tuple[list[Layer], _Place]:
    if row.kind == "fc":
        layer = _connected(name, row, row.channels, place, side)
        return [layer], _Place(layer.shape, side, 1)
    if len(place.shape) == 1:
        raise ValueError(
            f"{row.kind} needs maps, but what comes in is a list of {place.shape[0]} numbers"
        )
    if row.kind == "global":
        words = _words("mean of each map", _dropout(row))
        layer = Layer(name=name, kind=words, shape=place.shape[:1], field=side)
        return [layer], _Place(layer.shape, side, 1)
    if row.kind in ("max", "mean"):
        window = _Window(kernel=row.kernel, stride=row.stride, padding=row.padding)
        layer, place = _pool(name, row.kind, window, place, _dropout(row))
        return [layer], place
    if row.kind in RESIDUAL:
        return _residual(name, row, place)
    if row.kind == "inception":
        return _inception(name, row, place)
    window = _Window(
        kernel=row.kernel, stride=row.stride, padding=row.padding, dilation=row.dilation
    )
    channels = row.channels if row.kind == "conv" else None
    layer, place = _convolution(name, row, channels, window, place, _activation(row), _dropout(row))
    return [layer], place


def _residual(name: str, row: Row, place: _Place) -> tuple[list[Layer], _Place]:
    window = _Window(kernel=row.kernel, stride=row.stride, padding=row.kernel // 2)
    same = _Window(kernel=row.kernel, padding=row.kernel // 2)
    first, middle = _convolution(f"{name}.a", row, row.channels, window, place, _activation(row))
    shorter = place.shape != (row.channels, *middle.shape[1:])
    added = row.kind != "plain"
    plus = ("plus the shortcut" if shorter else "plus the block's input") * added
    last = _activation(row) * (row.kind != "skip")
    second, end = _convolution(
        f"{name}.b", row, row.channels, same, middle, plus, last, _dropout(row)
    )
    layers = [first, second]
    if added and shorter:
        over = _Window(kernel=1, stride=row.stride)
        layers.append(_convolution(f"{name}.shortcut", row, row.channels, over, place)[0])
    return layers, end


def _inception(name: str, row: Row, place: _Place) -> tuple[list[Layer], _Place]:
    share, reduced = row.channels // 4, max(1, row.channels // 8)
    after = _activation(row)
    one = _Window(kernel=1)
    layers = [_convolution(f"{name}.1x1", row, share, one, place, after, _dropout(row))[0]]
    end = place
    for kernel in (3, 5):
        label, window = f"{name}.{kernel}x{kernel}", _Window(kernel=kernel, padding=kernel // 2)
        less, middle = _convolution(f"{label}.reduce", row, reduced, one, place, after)
        more, end = _convolution(label, row, share, window, middle, after, _dropout(row))
        layers += [less, more]
    pool, middle = _pool(f"{name}.pool", "max", _Window(kernel=3, padding=1), place)
    last, _ = _convolution(f"{name}.pool.project", row, share, one, middle, after, _dropout(row))
    return [*layers, pool, last], _Place((row.channels, *end.shape[1:]), end.field, end.jump)


def _convolution(
    name: str, row: Row, channels: int | None, window: _Window, place: _Place, *after: str
) -> tuple[Layer, _Place]:
    """Convolve, depthwise where no channels are given, and normalise."""
    into, *sides = place.shape
    height, width, size = _sizes(sides, window)
    out = channels or into
    weights = [window.kernel, window.kernel, *([into] if channels else []), out]
    _require_groups(row.normalisation, out, height * width)
    total, formula = _sum(weights, [out] if row.normalisation == "none" else [2, out])
    products, written = _sum([height, width, *weights])
    layer = Layer(
        name=name,
        kind=_words(
            f"{'' if channels else 'depthwise '}convolution {window.kernel}×{window.kernel}",
            f"stride {window.stride}" * (window.stride > 1),
            f"dilation {window.dilation}" * (window.dilation > 1),
            NORMALISATION_WORDS[row.normalisation],
            *after,
        ),
        shape=(out, height, width),
        field=_field(place, window),
        size=size,
        parameters=total,
        formula=formula,
        multiply_adds=products,
        multiply_adds_formula=written,
    )
    return layer, _Place(layer.shape, layer.field, place.jump * window.stride)


def _pool(
    name: str, kind: str, window: _Window, place: _Place, *after: str
) -> tuple[Layer, _Place]:
    channels, *sides = place.shape
    height, width, size = _sizes(sides, window)
    words = _words(
        f"{'maximum' if kind == 'max' else 'mean'} of {window.kernel}×{window.kernel}",
        f"stride {window.stride}" * (window.stride != window.kernel),
        *after,
    )
    shape, field = (channels, height, width), _field(place, window)
    layer = Layer(name=name, kind=words, shape=shape, field=field, size=size)
    return layer, _Place(layer.shape, layer.field, place.jump * window.stride)


def _connected(name: str, row: Row, units: int, place: _Place, side: int) -> Layer:
    into = math.prod(place.shape)
    _require_groups(row.normalisation, units, 1)
    total, formula = _sum([into, units], [units] if row.normalisation == "none" else [2, units])
    products, written = _sum([into, units])
    normalisation = NORMALISATION_WORDS[row.normalisation]
    return Layer(
        name=name,
        kind=_words("fully connected", normalisation, _activation(row), _dropout(row)),
        shape=(units,),
        field=side,
        parameters=total,
        formula=formula,
        multiply_adds=products,
        multiply_adds_formula=written,
    )


def _lenet5(place: _Place) -> tuple[list[Layer], _Place]:
    """Work out the paper's layers: LeCun et al. 1998, section II.B."""
    if place.shape[1:] != (LENET5_SIDE, LENET5_SIDE):
        raise ValueError(
            f"lenet5 reads images of 28×28 pixels, got {place.shape[1]}×{place.shape[2]}"
        )
    layers, plain, squash = [], Row(kind="conv", channels=1), "scaled tanh"
    for number, maps, padding in ((1, 6, 2), (3, 16, 0)):
        window = _Window(kernel=5, padding=padding)
        layer, place = _convolution(f"C{number}", plain, maps, window, place, squash)
        layers.append(layer)
        words = ("times a coefficient", "plus a bias", squash)
        half = _Window(kernel=2, stride=2)
        layer, place = _pool(f"S{number + 1}", "mean", half, place, *words)
        total, formula = _sum([maps], [maps])
        layers.append(replace(layer, parameters=total, formula=formula))
    pairs = 60  # of Table I, of the 6·16 that a convolution has
    _, height, width = layers[2].shape
    total, formula = _sum([5, 5, pairs], [16])
    products, written = _sum([height, width, 5, 5, pairs])
    layers[2] = replace(
        layers[2],
        kind=f"convolution 5×5, {pairs} of the 96 pairs of maps, {squash}",
        parameters=total,
        formula=formula,
        multiply_adds=products,
        multiply_adds_formula=written,
    )
    for name, units in (("C5", 120), ("F6", 84)):
        layer = _connected(name, Row(kind="fc", channels=units), units, place, LENET5_SIDE)
        layers.append(replace(layer, kind=_words(layer.kind, squash)))
        place = _Place(layer.shape, LENET5_SIDE, 1)
    return layers, place


def _sizes(sides: list[int], window: _Window) -> tuple[int, int, str]:
    """Slide a window over both sides of a map: the sides of what comes out, and how they come."""
    found, texts = [], []
    for side in sides:
        reach = side + 2 * window.padding - window.dilation * (window.kernel - 1) - 1
        out = reach // window.stride + 1
        text = (
            f"⌊({side} + 2·{window.padding} − {window.dilation}·({window.kernel} − 1) − 1)"
            f" / {window.stride}⌋ + 1 = {str(out).replace('-', '−')}"
        )
        if out < 1:
            raise ValueError(f"{text} is less than 1")
        found.append(out)
        texts.append(text)
    height, width = found
    return height, width, "; ".join(dict.fromkeys(texts))


def _field(place: _Place, window: _Window) -> int:
    return place.field + (window.kernel - 1) * window.dilation * place.jump


def _require_groups(normalisation: str, channels: int, positions: int) -> None:
    """Refuse to normalise single values, each of which would always become 0."""
    groups = {"layer": 1, "group": math.gcd(GROUPS, channels)}.get(normalisation)
    if groups and channels * positions == groups:
        raise ValueError(
            f"{normalisation} normalisation needs more than one value a group, "
            f"got {channels}·{positions} / {groups} = 1"
        )


def _sum(*terms: list[int]) -> tuple[int, str]:
    """Add up products of factors: the sum, and the sum written out."""
    return sum(map(math.prod, terms)), " + ".join("·".join(map(str, term)) for term in terms)


def _activation(row: Row) -> str:
    return ACTIVATION_WORDS[row.activation]


def _dropout(row: Row) -> str:
    return f"dropout {round(100 * row.dropout)} %" if row.dropout else ""


def _words(*parts: str) -> str:
    return ", ".join(filter(None, parts))
