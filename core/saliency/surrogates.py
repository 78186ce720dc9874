"""Ways to explain that put a simple model in the network's place: a sum over superpixels."""

from collections.abc import Generator
from dataclasses import replace
from math import comb

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from core.saliency import Surrogate
from core.saliency.questions import Answer, Question
from core.saliency.superpixels import superpixels
from core.shared.progress import Done

__all__ = ["coalitions", "kernelshap", "lime"]

WIDTH = 0.25  # of LIME's kernel
PRESENT = 0.5  # the share of superpixels that LIME leaves in
EACH = 2  # pictures for each superpixel, at least


def lime(question: Question) -> Generator[Done, None, Answer]:
    """Fit a weighted sum of what is there to the scores of pictures with superpixels hidden.

    The picture itself is one of them. The more of a picture is there, the more it counts: by
    exp(−d² / 2σ²) with σ = ¼, where d is the cosine distance to the picture as a whole, 1 − √share.

    Raises: ValueError when there are too few masks for so many superpixels.

    Source: Ribeiro, Singh, Guestrin 2016, arXiv:1602.04938, equation 1 and section 3.4; the kernel
    is that of the authors' code for images, here without its penalty on the weights and with
    superpixels of our own.
    """
    pieces = _pieces(question)
    drawn = torch.rand(question.query.masks, int(pieces.max()) + 1, generator=question.source())
    there = drawn < PRESENT
    there[0] = True
    present, repeats = _distinct(there)
    none = np.zeros_like(present[:1])  # it is not fitted to, but what the sum says of it is shown
    empty, *given = yield from _scores(question, pieces, np.concatenate([none, present]))
    scores = np.array(given)
    distance = 1 - np.sqrt(present.mean(1))
    counts = repeats * np.exp(-(distance**2) / (2 * WIDTH**2))
    design = np.column_stack([np.ones(len(present)), present])
    found = _least_squares(design, scores, counts)
    surrogate = Surrogate(
        segments=pieces,
        weights=found[1:],
        intercept=float(found[0]),
        empty=float(empty),
        fidelity=_fidelity(scores, design @ found, counts),
    )
    return _answer(surrogate, question)


def kernelshap(question: Question) -> Generator[Done, None, Answer]:
    """Share the score, less the baseline's, fairly among the superpixels: their Shapley values.

    These are the weights of the sum that fits the scores of all coalitions of superpixels best, by
    the Shapley kernel, among the sums that are right for all of them and for none. Where the masks
    suffice for all coalitions they are exact, otherwise an estimate.

    Raises: ValueError when there are too few masks for so many superpixels.

    Source: Lundberg, Lee 2017, arXiv:1705.07874, theorem 2; drawn in pairs as in Covert, Lee 2021,
    arXiv:2012.01536, section 4.
    """
    pieces = _pieces(question)
    count = int(pieces.max()) + 1
    present, counts = coalitions(count, question.query.masks, question.source())
    ends = np.array([[False] * count, [True] * count])
    scores = yield from _scores(question, pieces, np.concatenate([ends, present]))
    (none, every), scores = scores[:2], scores[2:]
    shares = present.mean(1)
    # Equal shares for all, and what is best besides of that which adds up to nothing.
    beyond = scores - none - shares * (every - none)
    weights = _least_squares(present - shares[:, None], beyond, counts) + (every - none) / count
    surrogate = Surrogate(
        segments=pieces,
        weights=weights,
        intercept=float(none),
        empty=float(none),
        fidelity=_fidelity(scores, none + present @ weights, counts),
    )
    return replace(_answer(surrogate, question), baseline=float(none))


def coalitions(
    count: int, most: int, source: torch.Generator
) -> tuple[Bool[np.ndarray, "n s"], Float[np.ndarray, " n"]]:
    """Give coalitions of so many players, neither none nor all, and how much each counts.

    All of them, by the Shapley kernel, where there are not too many; else some that are drawn by
    it, each with the coalition of all others, so that they count by how often they were drawn.

    Args:
        count: of players.
        most: coalitions.
        source: of what is drawn.
    """
    if 2**count - 2 <= most:
        numbers = np.arange(1, 2**count - 1)[:, None]
        present = (numbers >> np.arange(count) & 1).astype(bool)
        sizes = present.sum(1)
        ways = np.array([comb(count, size) for size in range(count + 1)], float)[sizes]
        return present, (count - 1) / (ways * sizes * (count - sizes))
    sizes = torch.arange(1, count)
    kernel = 1 / (sizes * (count - sizes)).double()  # of all coalitions of a size together
    drawn = 1 + torch.multinomial(kernel, most // 2, replacement=True, generator=source)
    places = torch.rand(most // 2, count, generator=source).argsort(1).argsort(1)
    half = places < drawn[:, None]
    return _distinct(torch.cat([half, ~half]))


def _pieces(question: Question) -> Int[np.ndarray, "h w"]:
    """Cut the picture.

    Raises: ValueError when there are too few masks for so many superpixels.
    """
    pieces = superpixels(question.image[0].cpu().numpy(), question.query.segments)
    least = EACH * (int(pieces.max()) + 1)
    if question.query.masks < least:
        raise ValueError(
            f"masks must be at least {least}, {EACH} for each superpixel, "
            f"got {question.query.masks}"
        )
    return pieces


def _distinct(
    present: Bool[Tensor, "m s"],
) -> tuple[Bool[np.ndarray, "n s"], Float[np.ndarray, " n"]]:
    """Give each row once, and how often it stands there: the network need not read it again."""
    rows, repeats = np.unique(present.numpy(), axis=0, return_counts=True)
    return rows, repeats.astype(float)


def _scores(
    question: Question, pieces: Int[np.ndarray, "h w"], present: Bool[np.ndarray, "n s"]
) -> Generator[Done, None, Float[np.ndarray, " n"]]:
    """Give the scores of pictures of which these superpixels are there."""
    device, absent, scores, done = question.image.device, question.absent(), [], 0
    where = torch.from_numpy(pieces).to(device)
    for rows in torch.from_numpy(present).to(device).split(question.at_once):
        scores.append(question.ask(torch.where(rows[:, None, where], question.image, absent)))
        done += len(rows)
        yield Done(done, len(present), "pictures")
    return torch.cat(scores).cpu().double().numpy()


def _least_squares(
    design: Float[np.ndarray, "n s"],
    wanted: Float[np.ndarray, " n"],
    counts: Float[np.ndarray, " n"],
) -> Float[np.ndarray, " s"]:
    """Minimise Σ count (wanted − design · weights)²; the smallest weights where many do."""
    roots = np.sqrt(counts)
    weights: Float[np.ndarray, " s"] = np.linalg.lstsq(
        design * roots[:, None], wanted * roots, rcond=None
    )[0]
    return weights


def _fidelity(
    scores: Float[np.ndarray, " n"],
    fitted: Float[np.ndarray, " n"],
    counts: Float[np.ndarray, " n"],
) -> float:
    """Give the share of the variance that is fitted, R²; 1 where nothing varies."""
    if np.ptp(scores) == 0:
        return 1.0
    spread = counts @ np.square(scores - np.average(scores, weights=counts))
    return float(1 - counts @ np.square(scores - fitted) / spread)


def _answer(surrogate: Surrogate, question: Question) -> Answer:
    """Spread the weight of each superpixel evenly over its pixels."""
    sizes = np.bincount(surrogate.segments.ravel())
    values = (surrogate.weights / sizes)[surrogate.segments]
    return Answer(
        values=torch.from_numpy(values[None]).to(question.image),
        grid=(len(sizes), 1),
        surrogate=surrogate,
    )
