"""The best of each image so far: what fools it in 8 bits, the surest of a budget or the nearest."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from core.adversarial import Attack
from core.adversarial.balls import distance, rounded
from core.adversarial.problems import Counts, Moment, Problem

__all__ = ["Batch", "Best", "Row"]

SCALES = 24  # tries to bring a change that rounding undoes beyond the boundary
STRETCH = 1.1  # by which each of these is longer than the last


class Row(NamedTuple):
    """What there is to see of an attack after one of its moments, for the images still in it."""

    images: Float[Tensor, "n c h w"]
    logits: Float[Tensor, "n k"]
    gradient: Float[Tensor, " n"] | None
    undone: Bool[Tensor, " n"]  # fooled there, but not by the same in 8 bits, where that was asked
    better: Bool[Tensor, " n"]  # than anything before
    queries: int  # pictures that were read until then


@dataclass(frozen=True, slots=True)
class Batch:
    """What an attack made of some images."""

    # The best that was found. Where it failed the clean one, or of a network that answers at random
    # the one with the lowest margin.
    images: Float[Tensor, "n c h w"]
    fooled: Bool[Tensor, " n"]  # these are read as was wanted, in 8 bits if that was asked for
    found: Bool[Tensor, " n"]  # something was, before it was rounded
    steps: Int[Tensor, " n"]  # the moment that the best is of, from 0 over all beginnings
    longer: Bool[Tensor, " n"]  # it is none of the moments, but one of them made longer
    asked: int  # gradients that were looked at
    dead: int  # of these, those that were zero
    counts: Counts


class Best:
    """The best of each image so far."""

    def __init__(
        self, problem: Problem, logits: Tensor, attack: Attack, *, drawn: bool = False
    ) -> None:
        self.problem, self.attack = problem, attack
        count, clean = len(problem.clean), problem.clean
        margin = problem.goal.margin(logits)
        self.already = margin < 0  # before anything was done to it
        # By how much the margin must be exceeded, or what is nearest would just cross the boundary.
        self.beyond = attack.confidence if "confidence" in attack.about.heeds else 0.0
        self.images = clean.clone()
        self.fooled, self.found = self.already.clone(), self.already.clone()
        self.float_images = clean.clone()  # the best before it was rounded
        # What is compared, the less the better; a success is better than anything that is none.
        self.score = torch.full((count,), math.inf, device=clean.device)
        self.float_score = self.score.clone()
        self.score[self.already] = self.float_score[self.already] = -math.inf
        self.steps = torch.zeros(count, dtype=torch.long, device=clean.device)
        self.float_steps = self.steps.clone()
        self.drawn = drawn  # whether the network answers at random
        self.lowest, self.nearly = torch.full_like(margin, math.inf), clean.clone()  # then kept
        self.moments = -1  # the last one, counted from 0 over all beginnings
        self.longer = torch.zeros_like(self.fooled)  # those that were lengthened in the end
        self.asked, self.dead = torch.zeros((2,), dtype=torch.long, device=clean.device)

    def see(self, here: Tensor, moment: Moment) -> Row:
        """Take in where some of the images stand."""
        problem, attack, images = self.problem, self.attack, moment.images.detach()
        self.moments += 1
        logits = problem.logits(images) if moment.logits is None else moment.logits
        margin = problem.goal.take(here).margin(logits)
        if moment.gradient is not None:
            size = moment.gradient[~self.already[here]]  # nobody follows those of the others
            self.asked = self.asked + (~size.isnan()).sum()
            self.dead = self.dead + (size == 0).sum()
        if self.drawn:
            lower = margin < self.lowest[here]
            self.lowest[here[lower]] = margin[lower]
            self.nearly[here[lower]] = images[lower]
        fooled = margin < -self.beyond
        score = self._score(images, here, margin)
        better = fooled & (score < self.float_score[here])
        self._note(here[better], images[better], score[better])
        undone = torch.zeros_like(fooled)
        # Of a budget what is read again is new; the nearest that fools may be undone, and one that
        # is further away be not.
        news = (
            fooled & (score < self.score[here])
            if attack.about.minimal
            else (better & ~self.fooled[here])
        )
        if attack.whole_levels and bool(news.any()):
            rows = news.nonzero()[:, 0]
            levels, holds, sure = self._round(images[rows], here[rows])
            undone[rows] = ~holds
            kept = better[rows] = holds & (sure < self.score[here[rows]])
            self._keep(here[rows][kept], levels[kept], sure[kept])
        elif not attack.whole_levels:
            self._keep(here[better], images[better], score[better])
        return Row(images, logits, moment.gradient, undone, better, problem.counts.queries)

    def settle(self) -> None:
        """Round the best of all, where another has been rounded so far, and take it if it holds."""
        here = (self.fooled & (self.float_steps != self.steps)).nonzero()[:, 0]
        if len(here):
            levels, holds, score = self._round(self.float_images[here], here)
            kept = holds & (score < self.score[here])
            self._keep(here[kept], levels[kept], score[kept], self.float_steps[here[kept]])

    def stretch(self) -> None:
        """Lengthen what rounding undoes, little by little, until it holds."""
        here = (self.found & ~self.fooled).nonzero()[:, 0]
        scale = 1.0
        for _ in range(SCALES):
            if not len(here):
                return
            scale *= STRETCH
            clean = self.problem.clean[here]
            images = (clean + scale * (self.float_images[here] - clean)).clamp(0, 1)
            levels, holds, score = self._round(images, here)
            self._keep(here[holds], levels[holds], score[holds])
            self.longer[here[holds]] = True
            here = here[~holds]

    def batch(self) -> Batch:
        """Say what was found; what is further away than epsilon is no success."""
        attack, clean = self.attack, self.problem.clean
        near = distance(attack.norm, self.images - clean) <= self._reach()
        fooled = self.fooled & near
        others = self._attempts() if self.drawn else clean
        images = torch.where(fooled.view(-1, 1, 1, 1), self.images, others)
        close = distance(attack.norm, self.float_images - clean) <= self._reach()
        found = self.found & close
        return Batch(
            images,
            fooled,
            found,
            self.steps,
            self.longer,
            int(self.asked),
            int(self.dead),
            self.problem.counts,
        )

    def _attempts(self) -> Tensor:
        """Give what had the lowest margin, within epsilon and in 8 bits where those are asked."""
        attack, clean = self.attack, self.problem.clean
        if attack.about.minimal:  # it may be anywhere
            return clean
        if not attack.whole_levels:
            return self.nearly
        return rounded(attack.norm, self.nearly, clean, attack.epsilon)

    def _reach(self) -> float:
        """Give the budget, with room for the last bits of float32."""
        epsilon = self.attack.epsilon
        return epsilon * (1 + 1e-5) + 1e-6

    def _score(self, images: Tensor, here: Tensor, margin: Tensor) -> Tensor:
        if not self.attack.about.minimal:
            return margin
        return distance(self.attack.norm, images - self.problem.clean[here])

    def _round(self, images: Tensor, here: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Round to 8 bits; tell what is still fooled, and how good it is."""
        attack, clean = self.attack, self.problem.clean[here]
        reach = math.inf if attack.about.minimal else attack.epsilon
        levels = rounded(attack.norm, images, clean, reach)
        margin = self.problem.goal.take(here).margin(self.problem.read(levels))
        return levels, margin < -self.beyond, self._score(levels, here, margin)

    def _note(self, here: Tensor, images: Tensor, score: Tensor) -> None:
        self.found[here] = True
        self.float_images[here], self.float_score[here] = images, score
        self.float_steps[here] = self.moments

    def _keep(
        self, here: Tensor, images: Tensor, score: Tensor, steps: Tensor | None = None
    ) -> None:
        self.fooled[here] = True
        self.images[here], self.score[here] = images, score
        self.steps[here] = self.moments if steps is None else steps
