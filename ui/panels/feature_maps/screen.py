"""The screen of the second panel: a network's layers, one's maps, and where a value is from."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from core import feature_maps
from core.feature_maps import SOFTMAX, Click, Layer, Look
from core.shared.engine import Engine, EngineError
from core.shared.models import About, Source
from ui import address, blocks, inside, pinned, words
from ui.blocks import Block
from ui.inside import Choice
from ui.pinned import Pin, Pinned

__all__ = ["RATES", "SCALES", "SORTS", "draw", "refuse", "steer"]

Looks = dict[str, Any]  # at what a session looks: layer, channel, at, sort, scale, weight, rate

SORTS = {"index": "index", "strength": "strength", "variance": "variance"}
SCALES = {"map": "each map", "layer": "this layer", "network": "all layers"}
RATES = ("0.001", "0.01", "0.1", "1")
MOST_INDICES = 3  # of a weight, besides its map: input, row, column
FEW = 12  # classes of which all are offered
WIDE = 8  # twelfths of the screen that the maps have


def draw(engine: Engine, source: Source, about: About, pin: Pin, looks: Looks) -> list[Block]:
    """Draw what the network makes of the picture; what cannot be had is said in a sentence."""
    try:
        return _draw(engine, source, about, pin, looks)
    except (EngineError, ValueError) as error:
        return [_warning(error)]


def refuse(asked: Mapping[str, str], looks: Looks) -> None:
    """Say what of the address the screen could not show."""
    weight = "-".join(map(str, looks["weight"] or ()))
    given = {
        "maps_layer": (looks["layer"], "a layer of the network"),
        "maps_channel": (looks["channel"], "the number of a map of the layer"),
        "maps_at": ("-".join(map(str, looks["place"])), "row and column of a value, as 3-4"),
        "maps_weight": (weight, "a weight of the map, as 0-1-2"),
        "maps_sort": (looks["sort"], words.choices(tuple(SORTS))),
        "maps_scale": (looks["scale"], words.choices(tuple(SCALES))),
        "maps_rate": (looks["rate"], words.choices(RATES)),
        "maps_label": (looks["label"], "the number of a class, where a weight is chosen"),
    }
    address.refuse("maps", asked, given)


def _warning(error: Exception) -> Block:
    return blocks.progress(0, words.sentence(str(error)), warn=True)


def _draw(engine: Engine, source: Source, about: About, pin: Pin, looks: Looks) -> list[Block]:
    seen = pinned.see(engine, source, about, pin)
    try:
        look: Look = engine.call(feature_maps.LOOK, source, seen.pixels)
    except EngineError as error:  # the picture at least can be seen
        return [*pinned.blocks(engine, seen, None), _warning(error)]
    layer = _layer(look, looks)
    looks["layer"], looks["layers"] = layer.name, [each.name for each in look.layers]
    maps = engine.call(feature_maps.MAPS, source, seen.pixels, layer.name)
    order = _order(maps, looks["sort"])
    looks["order"], looks["shape"] = order, layer.shape
    classes = about.classes if _of_classes(layer, about.classes) else ()
    if classes and looks["network"] not in ("", about.title):  # its classes were others
        looks["chosen"] = None
    looks["network"] = about.title
    usual = int(maps[:, 0, 0].argmax()) if classes else 0  # the likeliest class
    chosen = usual if looks["chosen"] is None else looks["chosen"]
    channel = looks["channel"] = min(chosen, len(maps) - 1)
    at = looks["place"] = _place(maps, looks)
    looks["at"] = at if looks["at"] is not None else None
    looks["weight"] = _weight(layer, looks["weight"])
    drawn = pinned.blocks(engine, seen, look.probabilities)
    drawn.append(inside.strip(_told(look), look.layers, layer.name))
    drawn.append(
        inside.choices(
            [
                Choice(name="sort", label="Sort by", values=[*SORTS.items()], chosen=looks["sort"]),
                Choice(
                    name="scale",
                    label="Colours for",
                    values=[*SCALES.items()],
                    chosen=looks["scale"],
                ),
            ]
        )
    )
    highs = _highs(maps, order, look, layer, looks["scale"])
    drawn.append(
        inside.atlas(
            maps,
            order,
            highs,
            chosen=channel,
            title=_title(layer),
            hint=_hint(layer, highs, looks["scale"]),
            span=WIDE,
            names=classes,
        )
    )
    try:
        click: Click = engine.call(
            feature_maps.CLICK, source, seen.pixels, layer.name, (channel, *at)
        )
    except EngineError as error:
        click, refusal = None, str(error)  # type: ignore[assignment]
    where_at = (source, seen.pixels, layer.name, (channel, *at))
    field = click.field if click else engine.call(feature_maps.SEES, *where_at)
    drawn.append(
        inside.close(
            maps[channel],
            seen.pixels,
            channel=channel,
            at=at,
            high=highs[order.index(channel)],
            field=field,
            signed=layer.low < 0,
            title=_map(layer, channel, about.classes),
            sees=_sees(layer, field),
            look=seen.look,
            span=12 - WIDE,
        )
    )
    if click is None:
        return [*drawn, blocks.progress(0, f"{refusal[:1].upper()}{refusal[1:]}.")]
    where = _where(layer, channel, at, about.classes)
    drawn.append(
        inside.products(
            click,
            title=f"Where the value of {layer.name}, {where}, comes from",
            form=layer.name,
            source=_source(layer),
            weight=looks["weight"],
        )
    )
    if click.kernel is not None and looks["weight"] is not None:
        drawn += _backwards(engine, seen, look, layer, click, looks)
    return drawn


def steer(looks: Looks) -> dict[str, Any]:
    """Say what to do with what each control of the screen tells."""

    def layer(said: Any) -> None:
        names, chosen = looks["layers"], None
        if isinstance(said, dict):  # the same map of a neighbour
            place = names.index(looks["layer"]) + int(said["by"])
            said, chosen = names[min(max(place, 0), len(names) - 1)], looks["chosen"]
        if said in names:
            looks.update(layer=said, at=None, weight=None, chosen=chosen)

    def channel(said: Any) -> None:
        order = looks["order"]
        place = order.index(looks["channel"]) + int(said["by"])
        looks.update(chosen=order[min(max(place, 0), len(order) - 1)], weight=None)

    def place(said: Any) -> None:
        channel, row, column = (max(0, int(each)) for each in said)
        looks.update(chosen=channel, at=(row, column), weight=None)

    def weight(said: Any) -> None:
        looks["weight"] = tuple(max(0, int(each)) for each in said[:MOST_INDICES])

    def choose(name: str, values: Any) -> Any:
        def chosen(said: Any) -> None:
            if said in values:
                looks[name] = said

        return chosen

    return {
        "layer": layer,
        "channel": channel,
        "place": place,
        "weight": weight,
        "sort": choose("sort", SORTS),
        "scale": choose("scale", SCALES),
        "rate": choose("rate", RATES),
        "label": lambda said: looks.update(label=str(int(said))),
    }


def _layer(look: Look, looks: Looks) -> Layer:
    for layer in look.layers:
        if layer.name == looks["layer"]:
            return layer
    looks.update(chosen=None, at=None, weight=None)
    convolutions = (layer for layer in look.layers if "convolution" in layer.kind)
    return next(convolutions, look.layers[0])


def _place(maps: Float[np.ndarray, "n h w"], looks: Looks) -> tuple[int, int]:
    """Give the value that is looked at; at first the one that is furthest from 0."""
    height, width = maps.shape[1:]
    if looks["at"] is None:
        flat = int(abs(maps[looks["channel"]]).argmax())
        return flat // width, flat % width
    row, column = looks["at"]
    return min(row, height - 1), min(column, width - 1)


def _weight(layer: Layer, weight: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """Give the place of the chosen weight in its map's kernel; None where there is none."""
    sides = layer.weights[1:]
    trimmed = (weight or ())[: len(sides)]
    known = len(trimmed) == len(sides) and all(k < n for k, n in zip(trimmed, sides, strict=True))
    return weight if sides and known else None


def _order(maps: Float[np.ndarray, "n h w"], by: str) -> list[int]:
    if by == "index":
        return list(range(len(maps)))
    size = abs(maps).mean((1, 2)) if by == "strength" else maps.var((1, 2))
    order: list[int] = np.argsort(-size, kind="stable").tolist()
    return order


def _highs(
    maps: Float[np.ndarray, "n h w"], order: list[int], look: Look, layer: Layer, scale: str
) -> list[float]:
    """Give each map the value that gets the full colour."""
    if scale == "map":
        return [float(abs(maps[k]).max()) or 1.0 for k in order]
    layers = look.layers if scale == "network" else (layer,)
    return [max(max(abs(each.low), abs(each.high)) for each in layers) or 1.0] * len(order)


def _title(layer: Layer) -> str:
    channels, height, width = layer.shape
    if _vector(layer):
        return f"{layer.name}, {layer.kind}: {channels:,} values"
    return f"{layer.name}, {layer.kind}: {channels:,} map{'s' * (channels > 1)} of {height}×{width}"


def _hint(layer: Layer, highs: list[float], scale: str) -> str:
    values = f"Values from {layer.low:.3g} to {layer.high:.3g}.".replace("-", "−")
    signed = layer.low < 0
    if scale == "map":
        below = ", blue below" * signed
        colours = f"Each map has its own scale, to its largest value: orange above 0{below}."
    else:
        blue = f", full blue −{highs[0]:.3g}" * signed
        colours = f"Full orange is {highs[0]:.3g}{blue}."
    dead = f" Maps that are 0 everywhere here: {layer.dead:,}, crossed out." if layer.dead else ""
    return f"{values} {colours}{dead}"


def _map(layer: Layer, channel: int, classes: tuple[str, ...]) -> str:
    """Name a map; where it stands for a class, by that."""
    if _of_classes(layer, classes):
        return f"{layer.name}, {classes[channel]}"
    return f"{'Value' if _vector(layer) else 'Map'} {channel} of {layer.name}"


def _where(layer: Layer, channel: int, at: tuple[int, int], classes: tuple[str, ...]) -> str:
    """Name the place of a value in a layer."""
    if _of_classes(layer, classes):
        return classes[channel]
    if _vector(layer):
        return f"value {channel}"
    return f"map {channel}, row {at[0]}, column {at[1]}"


def _vector(layer: Layer) -> bool:
    return layer.shape[1:] == (1, 1)


def _of_classes(layer: Layer, classes: tuple[str, ...]) -> bool:
    """Tell whether each map of a layer stands for a class."""
    return layer.shape == (len(classes), 1, 1) and layer.kind in ("fully connected", "softmax")


def _sees(layer: Layer, field: tuple[int, int, int, int]) -> str:
    top, left, bottom, right = field
    rows, columns = layer.field
    inside = bottom - top, right - left
    cut = "" if inside == (rows, columns) else f", here {inside[0]}×{inside[1]} of them"
    return f"It sees {rows}×{columns} pixels{cut}"


def _source(layer: Layer) -> str:
    """Name what a value of the layer is made of."""
    if layer.name == SOFTMAX:
        return "logit"
    return "input" if _vector(layer) and layer.kind != "flatten" else "input map"


def _told(look: Look) -> str:
    return f"The network: {len(look.layers)} layers, {look.parameters:,} parameters"


def _backwards(
    engine: Engine, seen: Pinned, look: Look, layer: Layer, click: Click, looks: Looks
) -> list[Block]:
    """Show how the chosen weight's gradient came about, for the picture and a class."""
    classes = seen.about.classes
    usual = seen.label if seen.label is not None else int(look.probabilities.argmax())
    order = [int(k) for k in look.probabilities.argsort()[::-1]]
    offered = sorted(order if len(order) <= FEW else {usual, *order[:5]})
    asked = address.number(looks["label"], len(order) - 1)
    if asked is None:
        looks["label"] = ""
    elif asked not in offered:
        offered = sorted({asked, *offered})
    label = looks["label"] or str(usual)
    looks["target"] = int(label)
    index = (click.at[0], *looks["weight"])[: len(layer.weights)]
    rate = float(looks["rate"])
    try:
        told = engine.call(
            feature_maps.WEIGH, seen.source, seen.pixels, layer.name, index, int(label), rate
        )
    except EngineError as error:
        return [_warning(error)]
    rows = [
        Choice(
            name="label",
            label="If the class is",
            values=[(str(k), classes[k]) for k in offered],
            chosen=label,
        ),
        Choice(
            name="rate", label="η", values=[(each, each) for each in RATES], chosen=looks["rate"]
        ),
    ]
    title = f"The gradient of this weight, {layer.name}{list(index)}, and its next step"
    return [inside.gradient(told, title=title, rate=rate), inside.choices(rows)]
