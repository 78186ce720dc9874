"""Norms: how far a change reaches, what is within reach, and which step gains most."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = [
    "distance",
    "inward",
    "norms",
    "project",
    "random_change",
    "rounded",
    "shuffled",
    "steepest",
]

LEVELS = 255
TINY = 1e-12
SLACK = 1e-3  # of a level: below it two values are the same
HALVINGS = 10  # of the interval in which a length is sought


def norms(change: Float[Tensor, "n c h w"]) -> dict[str, Float[Tensor, " n"]]:
    """Measure changes: the largest value, the Euclidean length, the number of changed pixels."""
    flat = change.flatten(1)
    pixels = (change.abs().amax(1) > SLACK / LEVELS).flatten(1)
    return {"linf": flat.abs().amax(1), "l2": flat.norm(dim=1), "l0": pixels.sum(1).to(flat.dtype)}


def distance(norm: str, change: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
    """Measure changes by one norm."""
    return norms(change)[norm]


def project(
    norm: str, images: Float[Tensor, "n c h w"], clean: Float[Tensor, "n c h w"], epsilon: float
) -> Float[Tensor, "n c h w"]:
    """Bring images back to within epsilon of the clean ones and to pixels from 0 to 1.

    Where both bounds are touched the result is within both, as it is between the clean image and
    one that is within epsilon; of "l2" it need not be the nearest such point.

    Raises: ValueError when the norm is "l0", whose ball has no nearest point of use.
    """
    match norm:
        case "linf":
            near = torch.minimum(torch.maximum(images, clean - epsilon), clean + epsilon)
        case "l2":
            change = images - clean
            length = _lengths(change)
            near = clean + change * (epsilon / length.clamp(min=TINY)).clamp(max=1)
        case _:
            raise ValueError(f"norm must be linf or l2, got {norm!r}")
    return near.clamp(0, 1)


def steepest(norm: str, gradient: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Give the change of length 1 by which a linear function of this gradient grows most.

    It is 0 where the gradient is.
    """
    if norm == "linf":
        return gradient.sign()
    return gradient / _lengths(gradient).clamp(min=TINY)


def random_change(
    norm: str, like: Float[Tensor, "n c h w"], epsilon: Float[Tensor, " n"], source: torch.Generator
) -> Float[Tensor, "n c h w"]:
    """Draw changes at random that are as long as is asked.

    Args:
        norm: "linf" draws +ε or −ε for each value; "l2" a direction, all alike likely; "l0" that
            many pixels, each black or white in each channel.
        like: the images that are to be changed; of "l0" the change depends on them.
        epsilon: the length of each change, or the number of pixels.
        source: of the draws, on the CPU, so that all devices draw the same.
    """
    shape = like.shape
    lengths = epsilon.view(-1, 1, 1, 1)
    match norm:
        case "linf":
            signs = torch.randint(2, shape, generator=source).to(like) * 2 - 1
            return signs * lengths
        case "l2":
            return steepest("l2", torch.randn(shape, generator=source).to(like)) * lengths
    order = torch.rand((shape[0], math.prod(shape[2:])), generator=source).to(like).argsort(1)
    chosen = (order.argsort(1) < epsilon[:, None]).view(shape[0], 1, *shape[2:])
    ends = torch.randint(2, shape, generator=source).to(like)
    return torch.where(chosen, ends - like, torch.zeros_like(like))


def inward(
    change: Float[Tensor, "n c h w"], clean: Float[Tensor, "n c h w"]
) -> Float[Tensor, "n c h w"]:
    """Turn round what would leave the pixels from 0 to 1, so that no change is cut off.

    What leaves them to both sides is longer than a half and stays as it is.
    """
    outside = (clean + change < 0) | (clean + change > 1)
    return torch.where(outside, -change, change)


def shuffled(
    change: Float[Tensor, "#n c h w"], clean: Float[Tensor, "n c h w"], source: torch.Generator
) -> Float[Tensor, "n c h w"]:
    """Lay a change's own pixels out at random, each with its sign or the other one.

    So it is as large as the change in every norm, but for what leaves the pixels from 0 to 1.

    Args:
        change: of one image, or of each.
        clean: as many images as there are to be draws.
        source: of the draws, on the CPU, so that all devices draw the same.
    """
    count, _, height, width = clean.shape
    draws = [torch.randperm(height * width, generator=source) for _ in range(count)]
    order = torch.stack(draws).to(clean.device)
    pixels = change.flatten(2).expand(count, -1, -1)
    laid = pixels.gather(2, order[:, None].expand_as(pixels)).view(clean.shape)
    signs = torch.randint(2, (count, 1, height, width), generator=source).to(clean) * 2 - 1
    return inward(laid * signs, clean)


def rounded(
    norm: str, images: Float[Tensor, "n c h w"], clean: Float[Tensor, "n c h w"], epsilon: float
) -> Float[Tensor, "n c h w"]:
    """Bring images to whole 255ths within epsilon of the clean ones, each value to its nearest.

    In L2 the whole change is made shorter where its nearest levels are too far.

    Args:
        norm: in which they are to stay near.
        images: within epsilon of the clean ones.
        clean: in whole 255ths.
        epsilon: in pixel units; ∞ for no bound.
    """
    change, most = (images - clean) * LEVELS, epsilon * LEVELS + SLACK
    whole = change.round()
    if norm == "linf":  # towards the clean image none grows
        shorter = change.sign() * (change.abs() + SLACK).floor()
        whole = torch.where(whole.abs() > most, shorter, whole)
    elif norm == "l2" and bool((_lengths(whole) > most).any()):
        fits = (_lengths(whole) <= most).to(change)  # the longest share of the change that fits
        for power in range(1, HALVINGS + 1):
            longer = (fits + 0.5**power).clamp(max=1)
            fits = torch.where(_lengths((change * longer).round()) <= most, longer, fits)
        whole = (change * fits).round()
    levels = ((clean * LEVELS).round() + whole).clamp(0, LEVELS)
    return levels / LEVELS


def _lengths(change: Float[Tensor, "n c h w"]) -> Float[Tensor, "n 1 1 1"]:
    lengths: Tensor = change.flatten(1).norm(dim=1)
    return lengths.view(-1, 1, 1, 1)
