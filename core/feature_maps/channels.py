"""What a channel stands for: the images that it answers most, and what is lost without it."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from core.feature_maps import Example, Lesion, Top
from core.feature_maps.fields import Field, fields_of
from core.feature_maps.looking import picture_of
from core.feature_maps.passing import first, pictures, require_channel, some
from core.shared.data import Split
from core.shared.folding import folded_at
from core.shared.loading import load
from core.shared.models import Source
from core.shared.progress import Done
from core.shared.tracing import Call, altered, as_maps, trace, until
from core.shared.turns import patient, remembered

__all__ = ["MOST", "lesion", "top"]

MOST = 100  # images that are remembered for each channel
GATHERED = 250  # images whose values are held before all but the largest go


@dataclass(frozen=True, slots=True)
class Largest:
    """Where all channels of a layer are largest, over many images; a column for each channel."""

    value: Float[Tensor, "k m"]  # the largest of the map, the highest first
    index: Int[Tensor, "k m"]  # of the image
    place: Int[Tensor, "k m"]  # of the value in the map, counted along the rows
    width: int  # of the map
    field: Field  # of its values


@patient
def top(
    source: Source, layer: str, channel: int, count: int = 9, images: int = 10_000
) -> Generator[Any, None, Top]:
    """Find the test images for which a channel's largest value is highest.

    The images pass once for all channels of a layer, and what comes out is kept.

    Args:
        source: the network; where its data are not here, the built-in photographs are searched.
        layer: one of those that `looking.look` lists, but for the softmax.
        channel: of the layer.
        count: of images to give, at most MOST; of equal ones those that come first.
        images: to search, the first so many; all, if there are fewer.

    Raises: ValueError when there is no such layer, channel or count.

    Source: Zeiler, Fergus 2014, arXiv:1311.2901, section 4.1 and figure 2.
    """
    if not 1 <= count <= MOST:
        raise ValueError(f"count must be from 1 to {MOST}, got {count}")
    split = pictures(load(source), images)
    found = yield from _largest(source, layer, len(split))
    channels = found.value.shape[1]
    if not 0 <= channel < channels:
        raise ValueError(f"channel must be from 0 to {channels - 1} in {layer}, got {channel}")
    examples = []
    for k in range(min(count, len(split))):
        index = int(found.index[k, channel])
        at = divmod(int(found.place[k, channel]), found.width)
        box = found.field.box(*at, *split.images.shape[2:])
        pixels = split.images[index].cpu().numpy().copy()
        examples.append(
            Example(
                index=index,
                label=int(split.labels[index]),
                value=float(found.value[k, channel]),
                at=at,
                field=box,
                pixels=pixels,
                patch=pixels[:, box[0] : box[2], box[1] : box[3]].copy(),
            )
        )
    return Top(layer, channel, len(split), tuple(examples))


@patient
@torch.no_grad()
def lesion(
    source: Source,
    pixels: Float[np.ndarray, "c h w"],
    layer: str,
    channel: int,
    only: bool,
    images: int = 1000,
) -> Generator[Any, None, Lesion]:
    """Set a channel's map to 0, or all others, and see how the network then reads.

    Args:
        source: the network; no weight of it moves.
        pixels: as `looking.look` takes them.
        layer: one of those that `look` lists.
        channel: of the layer; where it gives tokens, in all of them.
        only: keep this channel and put out all others; else put out this one.
        images: test images to read besides, the first so many; all, if there are fewer.

    Raises: ValueError when there is no such layer or channel.

    Source: Morcos et al. 2018, arXiv:1803.06959, section 2.2, the unit set to 0.
    """
    model = load(source)
    picture = picture_of(model, pixels)

    def put_out(call: Call) -> Tensor:
        require_channel(call, channel)
        mask = torch.arange(call.given.shape[call.axis]) == channel
        sides = [1] * call.given.ndim
        sides[call.axis] = -1
        return call.given.masked_fill((mask ^ only).view(sides).to(call.given.device), 0)

    labels = np.zeros(0, np.int64)
    whole = hurt = np.zeros(0, bool)
    before = model.network(picture)[0]
    after = altered(model.network, picture, layer, put_out)[0]
    if model.data:
        split, read = first(model, images), []
        for few in some(split.images):
            read.append(altered(model.network, few, layer, put_out))
            yield _passed(read, split, "The changed network reads")
        labels = split.labels.cpu().numpy()
        whole = yield from _right(source, len(split))
        hurt = (torch.cat(read).argmax(1) == split.labels).cpu().numpy()
    return Lesion(
        layer=layer,
        channel=channel,
        only=only,
        before=before.cpu().double().softmax(0).numpy(),
        after=after.cpu().double().softmax(0).numpy(),
        images=len(labels),
        accuracy_before=float(whole.mean()) if len(whole) else np.nan,
        accuracy_after=float(hurt.mean()) if len(hurt) else np.nan,
        classes_before=_shares(whole, labels, len(model.classes)),
        classes_after=_shares(hurt, labels, len(model.classes)),
    )


@remembered(128)  # 77 kB for a layer of 64 channels
@torch.no_grad()
def _largest(source: Source, layer: str, images: int) -> Generator[Any, None, Largest]:
    """Find where all channels of a layer are largest, in one pass over the images.

    Where a quicker copy of the network gives the same there but for the last bits, that is asked.
    """
    model = load(source)
    split = pictures(model, images)
    picture = split.images[:1]
    seen = trace(model.network, picture)
    network = folded_at(model.network, model.shape, layer)
    best: list[tuple[Tensor, ...]] = []  # value, index and place, of some images each
    done = held = 0
    least = split.images.new_tensor(-torch.inf)  # what is not above it is not among the largest
    for few in some(split.images):
        maps = as_maps(until(network, few, layer))
        value = maps.amax((2, 3))
        index = torch.arange(done, done + len(few), device=value.device)
        place = torch.zeros_like(value, dtype=torch.long)
        above = (value > least).nonzero(as_tuple=True)
        place[above] = maps[above].flatten(1).argmax(1)  # slow: four times the largest itself
        best.append((value, index[:, None].expand_as(value), place))
        done, held = done + len(few), held + len(few)
        if held >= GATHERED:
            best, held = [_best(best)], 0
            least = best[0][0][-1]
        yield Done(done, len(split), "images", "What excites the channels")
    value, index, place = _best(best)
    return Largest(
        value=value.cpu(),
        index=index.cpu(),
        place=place.cpu(),
        width=as_maps(seen[layer]).shape[3],
        field=fields_of(seen, picture)[layer],
    )


def _best(found: list[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    """Give the largest values of each channel, their images and places; the first of equal ones."""
    value, index, place = (torch.cat(each) for each in zip(*found, strict=True))
    value, order = value.sort(dim=0, descending=True, stable=True)
    order = order[:MOST]
    # Copied, or the whole sort would stay too.
    return value[:MOST].clone(), index.gather(0, order), place.gather(0, order)


@remembered(32)
@torch.no_grad()
def _right(source: Source, images: int) -> Generator[Any, None, Bool[np.ndarray, " n"]]:
    """Tell which test images the whole network reads right."""
    model = load(source)
    split, read = first(model, images), []
    for few in some(split.images):
        read.append(model.network(few).argmax(1))
        yield _passed(read, split, "The whole network reads")
    right: Bool[np.ndarray, " n"] = (torch.cat(read) == split.labels).cpu().numpy()
    return right


def _passed(read: list[Tensor], split: Split, title: str) -> Done:
    """Say of how many images it is known what is read in them."""
    return Done(sum(map(len, read)), len(split), "images", title)


def _shares(
    right: Bool[np.ndarray, " n"], labels: Int[np.ndarray, " n"], classes: int
) -> Float[np.ndarray, " {classes}"]:
    """Give the share of each class's images that are right, NaN where it has none."""
    counts = np.bincount(labels, minlength=classes)
    good = np.bincount(labels[right], minlength=classes)
    shares = np.full(classes, np.nan)
    np.divide(good, counts, out=shares, where=counts > 0)
    return shares
