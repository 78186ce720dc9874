"""One pixel: differential evolution of a few pixels' places and colours."""

from collections.abc import Generator

import torch
from jaxtyping import Float, Int
from torch import Tensor

from core.adversarial import Attack
from core.adversarial.portions import portion
from core.adversarial.problems import Moment, Problem

__all__ = ["one_pixel"]

SCALE = 0.5  # F, of the difference that is added to a third candidate
GREY, SPREAD = 0.5, 0.5  # mean and deviation of the first colours, before black and white end them
PLACE = 2  # numbers of a pixel that are its row and column; the others are its colour


def one_pixel(
    problem: Problem, attack: Attack, source: torch.Generator
) -> Generator[Moment, Tensor | None, None]:
    """Let candidates evolve, each as many pixels as epsilon says, with their places and colours.

    A child is one candidate and half the difference of two others, and replaces its parent where
    its margin is lower. It ends when each image was asked about as often as is allowed; a last
    generation that is one too many is asked about in part.

    Source: Su, Vargas, Sakurai 2017, arXiv:1710.08864, section 3.2: F = 0.5, no crossover, places
    drawn uniformly and colours from N(128, 127) of 255. They lower the true class's probability, or
    raise the target's; the margin, ours, does both and does not saturate.
    """
    pixels = int(attack.epsilon)
    if not pixels:  # nothing may change
        yield Moment(problem.clean)
        return
    population = min(attack.population, attack.queries)
    candidates = _first(problem.clean, population, pixels, source)
    logits = _answers(problem, candidates)
    left = attack.queries - population
    while True:
        margin = _margins(problem, logits)
        best = torch.arange(len(margin), device=margin.device), margin.argmin(1)
        keep = yield Moment(_painted(problem.clean, candidates[best]), logits[best])
        if keep is not None:
            problem, candidates = problem.take(keep), candidates[keep]
            logits, margin = logits[keep], margin[keep]
        count = min(population, left)
        if not count:
            return
        left -= count
        children = _children(problem.clean, candidates, source)[:, :count]
        answers = _answers(problem, children)
        row, place = (_margins(problem, answers) < margin[:, :count]).nonzero(as_tuple=True)
        candidates[row, place], logits[row, place] = children[row, place], answers[row, place]


def _first(
    clean: Float[Tensor, "n c h w"], population: int, pixels: int, source: torch.Generator
) -> Float[Tensor, "n p k v"]:
    """Draw candidates: of each pixel its row, its column and its value in each channel."""
    count, channels, height, width = clean.shape
    shape = count, population, pixels
    places = torch.rand((*shape, PLACE), generator=source) * torch.tensor([height, width])
    colours = GREY + SPREAD * torch.randn((*shape, channels), generator=source)
    return torch.cat([places, colours.clamp(0, 1)], 3).to(clean)


def _children(
    clean: Float[Tensor, "n c h w"], candidates: Float[Tensor, "n p k v"], source: torch.Generator
) -> Float[Tensor, "n p k v"]:
    """Make a child for each candidate, of three others; what lies outside comes to the border."""
    count, population = candidates.shape[:2]
    owners = torch.arange(count, device=clean.device)[:, None]
    first, second, third = (
        candidates[owners, each.to(clean.device)] for each in _others(count, population, source)
    )
    children = first + SCALE * (second - third)
    highest = torch.ones(candidates.shape[3])
    highest[:PLACE] = torch.tensor(clean.shape[2:])
    return torch.minimum(children.clamp(min=0), highest.to(clean))


def _others(
    count: int, population: int, source: torch.Generator
) -> tuple[Int[Tensor, "n p"], Int[Tensor, "n p"], Int[Tensor, "n p"]]:
    """Choose three others for each candidate, no two of them the same, all alike likely."""
    first, second, third = (
        torch.randint(population - less, (count, population), generator=source)
        for less in (1, 2, 3)
    )
    # Each is counted among those that are left: it goes one further for each one passed over.
    second = second + (second >= first)
    third = third + (third >= torch.minimum(first, second))
    third = third + (third >= torch.maximum(first, second))
    own = torch.arange(population)
    return (
        (own + 1 + first) % population,
        (own + 1 + second) % population,
        (own + 1 + third) % population,
    )


def _painted(
    images: Float[Tensor, "n c h w"], candidates: Float[Tensor, "n k v"]
) -> Float[Tensor, "n c h w"]:
    """Put each image's pixels onto it; where two fall on one place the last one stays."""
    painted, owners = images.clone(), torch.arange(len(images), device=images.device)
    height, width = images.shape[2:]
    for pixel in candidates.unbind(1):
        row, column = pixel[:, 0].long().clamp(max=height - 1), pixel[:, 1].long()
        painted[owners, :, row, column.clamp(max=width - 1)] = pixel[:, PLACE:]
    return painted


def _answers(
    problem: Problem, candidates: Float[Tensor, "n p k v"]
) -> Float[Tensor, "n p classes"]:
    """Ask the network about all candidates of all images, so many at a time."""
    shape, clean = candidates.shape[:2], problem.clean
    owners = torch.arange(shape[0], device=clean.device).repeat_interleave(shape[1])
    size = portion(clean.shape[1:])
    parts = zip(owners.split(size), candidates.flatten(0, 1).split(size), strict=True)
    found = torch.cat([problem.logits(_painted(clean[own], few)) for own, few in parts])
    return found.view(*shape, -1)


def _margins(problem: Problem, logits: Float[Tensor, "n p classes"]) -> Float[Tensor, "n p"]:
    """Measure what each candidate leaves of its image's margin."""
    count, population = logits.shape[:2]
    owners = torch.arange(count, device=logits.device).repeat_interleave(population)
    margin = problem.goal.take(owners).margin(logits.flatten(0, 1))
    return margin.view(count, population)
