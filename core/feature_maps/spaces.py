"""What a layer tells apart: its values for many images as points, for a classifier, and moved."""

import math
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits
from torch import Tensor

from core.feature_maps import WAYS, Probe, Shift, Space, grid
from core.feature_maps.looking import picture_of
from core.feature_maps.passing import brought, first, known
from core.shared.data import Split
from core.shared.loading import Model, load
from core.shared.models import Source
from core.shared.progress import Done
from core.shared.tracing import as_maps, kept
from core.shared.turns import WAITING, Room, patient

__all__ = ["MOST_TSNE", "PENALTY", "PERPLEXITY", "probe", "shift", "space"]

MOST_TSNE = 2_000  # images; it takes their number squared in time
FEWEST = 5  # images
PERPLEXITY = 30.0
PENALTY = 0.1  # on the classifier's weights squared, for each value that it sees
HELD = 8_000  # rows, of all layers together, that are kept at a time: 400 MB with their copies
WAIT = 0.005  # seconds of each turn
ASIDE = ThreadPoolExecutor(1, "t-SNE")
PROBING = Room(2)  # a probe takes half a gigabyte for a while
Rows = Float[np.ndarray, "n d"]


@patient
def space(
    source: Source,
    layer: str,
    images: int = 1000,
    way: str = "pca",
    seed: int = 0,
    data: str = "",
) -> Generator[Any, None, Space]:
    """Lay a layer's values for the first test images out on a plane.

    Args:
        source: the network.
        layer: one of those that `looking.look` lists, but for the softmax; maps with more than
            grid.LARGEST values together are taken on a coarser grid of means, and of a vector with
            more every second, third … value.
        images: the first so many; all, if there are fewer.
        way: "pca", the two directions along which the values vary most; "tsne" keeps neighbours
            together, and its distances between groups say little.
        seed: of t-SNE.
        data: whose images, as `datasets.about` takes it; "" stands for those that the network
            learned from. Others are brought into the form that it takes.

    Raises: ValueError when there are no such layer, way or data, or too few or too many images, or
        the layer gives the same for all of them.

    Source: Pearson 1901; van der Maaten, Hinton 2008, "Visualizing Data using t-SNE", here with
    perplexity 30, started at the principal components.
    """
    if way not in WAYS:
        raise ValueError(f"way must be one of {WAYS}, got {way[:60]!r}")
    model = load(source)
    split = first(model, images, data)
    count = len(split)
    if count < FEWEST or (way == "tsne" and count > MOST_TSNE):
        most = f" to {MOST_TSNE:,} for t-SNE" if way == "tsne" else ""
        raise ValueError(f"images must be from {FEWEST}{most}, got {count:,}")
    (rows,), pooled, read = yield from _values(model, split, (layer,))
    width = rows.shape[1]
    if width == 1:  # a second axis on which nothing happens
        rows = np.column_stack([rows, np.zeros(count)])
    if not np.ptp(rows, axis=0).any():
        raise ValueError(f"layer must tell images apart, got the same for {count:,} from {layer}")
    shares: tuple[float, ...] = ()
    if way == "pca":
        solver = "arpack" if min(rows.shape) > len("xy") else "full"  # exact, both
        pca = PCA(2, svd_solver=solver, random_state=seed)
        points = pca.fit_transform(rows)
        shares = tuple(map(float, pca.explained_variance_ratio_))
    else:
        perplexity = min(PERPLEXITY, (count - 1) / 3)
        tsne = TSNE(init="pca", random_state=seed, perplexity=perplexity)
        points = yield from _aside(tsne.fit_transform, rows)
    return Space(
        layer=layer,
        way=way,
        points=np.asarray(points, np.float32),
        labels=split.labels.cpu().numpy(),
        read=read,
        values=width,
        pooled=pooled[0],
        shares=shares,
    )


@patient
def probe(
    source: Source,
    layers: tuple[str, ...],
    images: int = 2000,
    seed: int = 0,
    data: str = "",
) -> Generator[Any, None, tuple[Probe, ...]]:
    """Measure how well a linear classifier reads the classes from what each layer gives.

    It learns from a half of some validation images and is tested on the other half. It is ridge
    regression of the classes, −1 or 1, on the standardised values, which has a closed form.

    Args:
        source: the network.
        layers: of those that `looking.look` lists but for the softmax, taken as by `space`.
        images: validation images, of both halves; all, if there are fewer.
        seed: draws the images and halves them.
        data: whose images and classes, as `space` takes it.

    Raises: ValueError when there are no such layer or data, or too few images.

    Source: Alain, Bengio 2016, arXiv:1610.01644, section 3, there by logistic regression.
    """
    model = load(source)
    known_data = known(model, data)
    whole, classes = known_data.validation, len(known_data.classes)
    count = min(images, len(whole))
    if count < FEWEST:
        raise ValueError(f"images must be at least {FEWEST}, got {count}")
    drawn = torch.randperm(len(whole), generator=torch.Generator().manual_seed(seed))[:count]
    drawn = drawn.to(whole.labels.device)
    split = Split(whole.images[drawn], whole.labels[drawn])
    labels, half = split.labels.cpu().numpy(), count // 2
    told, together = [], max(1, HELD // count)
    groups = [layers[begin : begin + together] for begin in range(0, len(layers), together)]
    yield from PROBING.enter()
    try:
        for number, group in enumerate(groups):
            far = number * count, len(groups) * count
            values, pooled, _ = yield from _values(model, split, group, *far)
            for name, means in zip(group, pooled, strict=True):
                rows = values.pop(0)
                read = _ridge(rows[:half], labels[:half], rows[half:], classes)
                accuracy = float((read == labels[half:]).mean())
                told.append(Probe(name, accuracy, rows.shape[1], means))
                yield
    finally:
        PROBING.leave()
    return tuple(told)


@patient
@torch.no_grad()
def shift(
    source: Source, pixels: Float[np.ndarray, "c h w"], layers: tuple[str, ...], most: int = 8
) -> Generator[Any, None, Shift]:
    """Shift a picture to the right, pixel by pixel, and see how far each layer moves.

    Args:
        source: the network.
        pixels: as `looking.look` takes them; what comes in at the left is as the left border.
        layers: of those that `look` lists.
        most: pixels.

    Raises: ValueError when there is no such layer, or the shift is as wide as the picture.

    Source: Zeiler, Fergus 2014, arXiv:1311.2901, section 4.1 and figure 5.
    """
    model = load(source)
    picture = picture_of(model, pixels)
    width = picture.shape[3]
    if not 0 <= most < width:
        raise ValueError(f"most must be from 0 to {width - 1} pixels, got {most}")
    shape = (4, len(layers), most + 1)
    told = np.zeros(shape)
    still = kept(model.network, picture, layers)
    for by in range(most + 1):
        border = picture[..., :1].expand(*picture.shape[:3], by)
        moved = kept(model.network, torch.cat([border, picture[..., : width - by]], 3), layers)
        for place, name in enumerate(layers):
            was, now = (as_maps(each[name])[0].cpu().double() for each in (still, moved))
            told[:2, place, by] = _compare(was, now)
            told[2:, place, by] = _compare(was.mean((1, 2)), now.mean((1, 2)))
        yield Done(by + 1, most + 1, "shifts", "The picture moves")
    return Shift(
        layers=layers,
        pixels=np.arange(most + 1),
        distance=told[0],
        cosine=told[1],
        pooled_distance=told[2],
        pooled_cosine=told[3],
    )


def _compare(was: Tensor, now: Tensor) -> tuple[float, float]:
    """Give ‖now − was‖ / ‖was‖ and the cosine of the angle between the two."""
    lengths = float(was.norm()), float(now.norm())
    distance = float((now - was).norm()) / lengths[0] if lengths[0] else np.nan
    cosine = float((was * now).sum()) / math.prod(lengths) if all(lengths) else np.nan
    return distance, cosine


@torch.no_grad()
def _values(
    model: Model, split: Split, layers: tuple[str, ...], done: int = 0, most: int = 0
) -> Generator[Any, None, tuple[list[Rows], list[bool], Int[np.ndarray, " n"]]]:
    """Give each layer's values, a row an image; whether they are means; the classes read.

    Args:
        model: gives them.
        split: the images.
        layers: of the network.
        done: images that passed before, for other layers.
        most: that are to pass in all; 0 for these alone.
    """
    parts: list[list[Tensor]] = [[] for _ in layers]
    most = most or len(split)
    unit = "images" if most == len(split) else "passes of images"  # each passes several times
    pooled, read = [False] * len(layers), []
    for few in brought(model, split.images):
        passed = kept(model.network, few, layers)
        read.append(passed.logits.argmax(1).cpu())
        for place, name in enumerate(layers):
            maps = as_maps(passed[name])
            sides = grid.coarser(tuple(maps.shape[1:]))
            pooled[place] = sides != maps.shape[2:]
            if pooled[place]:
                maps = F.adaptive_avg_pool2d(maps, sides)
            values = maps.flatten(1)
            parts[place].append(values[:, :: math.ceil(values.shape[1] / grid.LARGEST)].cpu())
        done += len(few)
        yield Done(done, most, unit, "What layers give")
    rows = []
    while parts:
        rows.append(torch.cat(parts.pop(0)).double().numpy())
    return rows, pooled, torch.cat(read).numpy()


def _ridge(
    rows: Rows, labels: Int[np.ndarray, " n"], others: Float[np.ndarray, "k d"], classes: int
) -> Int[np.ndarray, " k"]:
    """Learn to tell the classes of the rows, and tell those of the others.

    With more values than rows it is their products that are inverted, not the values': XᵀA with
    (XXᵀ + λ)A = Y is the same as (XᵀX + λ)⁻¹XᵀY.
    """
    mean, deviation = rows.mean(0), rows.std(0)
    deviation[deviation == 0] = 1
    x, z = (rows - mean) / deviation, (others - mean) / deviation
    targets = np.where(labels[:, None] == np.arange(classes), 1.0, -1.0)
    centre = targets.mean(0)
    count, width = x.shape
    ridge = PENALTY * width
    if width > count:
        weights = x.T @ np.linalg.solve(x @ x.T + ridge * np.eye(count), targets - centre)
    else:
        weights = np.linalg.solve(x.T @ x + ridge * np.eye(width), x.T @ (targets - centre))
    read: Int[np.ndarray, " k"] = (z @ weights + centre).argmax(1)
    return read


def _aside(work: Callable[[Rows], np.ndarray], rows: Rows) -> Generator[Any, None, np.ndarray]:
    """Do in a thread what takes long and has no turns, one at a time.

    It has one core: two threads that share theirs with others wait for each other at each of its
    many short steps, and took ten times as long. The limit belongs to the whole process.
    """

    def alone() -> np.ndarray:
        with threadpool_limits(1):
            return work(rows)

    future = ASIDE.submit(alone)
    try:
        while True:
            try:
                return future.result(WAIT)
            except TimeoutError:
                yield WAITING
    finally:
        future.cancel()  # where it has not begun, nobody waits for it any more
