"""Drive an attack: count what it asks, keep the best so far, and let those go that are fooled.

A method is a generator function of a `Problem` and a config. It yields a `Moment` wherever there is
something to see, and is sent the rows that go on, or None for all of them:

    def method(problem, attack, source):
        images = problem.clean
        while True:
            keep = yield Moment(images)
            if keep is not None:
                problem, images = problem.take(keep), images[keep]
            images = ...
"""

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from core.adversarial import Attack
from core.adversarial.balls import distance, rounded
from core.adversarial.goals import Goal
from core.shared import devices

__all__ = ["Batch", "Method", "Moment", "Network", "Problem", "Row", "drive", "perturb"]

SCALES = 24  # tries to bring a change that rounding undoes beyond the boundary
STRETCH = 1.1  # by which each of these is longer than the last

Network = Callable[[Tensor], Tensor]  # (n, c, h, w), pixels from 0 to 1, to (n, k) logits


class Moment(NamedTuple):
    """Where an attack stands."""

    images: Float[Tensor, "n c h w"]  # within reach of the clean ones
    logits: Float[Tensor, "n k"] | None = None  # of these, if they are known
    gradient: Float[Tensor, " n"] | None = None  # Euclidean length of the loss's; NaN: not asked


@dataclass(slots=True)
class Counts:
    """What was asked of the network so far."""

    queries: int = 0  # pictures that were read
    gradients: int = 0  # of these, those with a gradient
    checked: bool = False  # whether the goals are known to be classes of the network


@dataclass(slots=True)
class Problem:
    """Some clean images, what is wanted of them, and the network to be asked."""

    network: Network
    clean: Float[Tensor, "n c h w"]
    goal: Goal
    counts: Counts = field(default_factory=Counts)
    saved: Network | None = None  # how it reads images that were saved; None: as any others

    def take(self, keep: Tensor) -> "Problem":
        """Give the problem of some of the images; what they ask is counted in one place."""
        return replace(self, clean=self.clean[keep], goal=self.goal.take(keep))

    def logits(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        """Ask the network."""
        return self._answers(self.network, images)

    def read(self, levels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        """Ask for what is read when images of whole 255ths are saved and opened again."""
        return self._answers(self.saved or self.network, levels)

    def _answers(self, network: Network, images: Tensor) -> Tensor:
        devices.pulse()
        self.counts.queries += len(images)
        with torch.no_grad():
            return self._checked(network(images))

    def _checked(self, logits: Tensor) -> Tensor:
        """Refuse goals that are no classes of the network, at its first answer."""
        if not self.counts.checked:
            self.goal.check(logits.shape[1])
            self.counts.checked = True
        return logits

    def gradient(
        self, images: Float[Tensor, "n c h w"], loss: str, draws: int = 1
    ) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, "n k"]]:
        """Ask for the gradient of each image's loss by its pixels, and for the logits.

        Args:
            images: where.
            loss: as `Goal.loss` takes it.
            draws: of a network that answers at random, over which both are the mean.

        Source: Athalye, Engstrom, Ilyas, Kwok 2017, arXiv:1707.07397, section 2.2 (the mean of the
        gradients over draws).
        """

        def of(logits: Tensor) -> Tensor:
            return self.goal.loss(loss, logits)

        gradient, logits = self.slope(images, of)
        for _ in range(draws - 1):
            again, answer = self.slope(images, of)
            gradient, logits = gradient + again, logits + answer
        return gradient / draws, logits / draws

    def slope(
        self, images: Float[Tensor, "n c h w"], value: Callable[[Tensor], Tensor]
    ) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, "n k"]]:
        """Ask for the gradient of any function of each image's logits, and for the logits.

        What is not finite in it is 0: no step can follow it.
        """
        devices.pulse()
        self.counts.queries += len(images)
        self.counts.gradients += len(images)
        with torch.enable_grad():
            leaf = images.detach().requires_grad_()
            logits = self._checked(self.network(leaf))
            (gradient,) = torch.autograd.grad(value(logits).sum(), leaf)
        return gradient.nan_to_num(0, 0, 0), logits.detach()


Method = Callable[[Problem, Attack, torch.Generator], Generator[Moment, Tensor | None, None]]


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

    images: Float[Tensor, "n c h w"]  # the best that was found; the clean one where it failed
    fooled: Bool[Tensor, " n"]  # these are read as was wanted, in 8 bits if that was asked for
    found: Bool[Tensor, " n"]  # something was, before it was rounded
    steps: Int[Tensor, " n"]  # the moment that the best is of, from 0 over all beginnings
    longer: Bool[Tensor, " n"]  # it is none of the moments, but one of them made longer
    asked: int  # gradients that were looked at
    dead: int  # of these, those that were zero
    counts: Counts


def perturb(
    method: Method,
    network: Network,
    images: Float[Tensor, "n c h w"],
    goal: Goal,
    attack: Attack,
    saved: Network | None = None,
) -> Batch:
    """Attack some images, all of it at once; see `drive`."""
    rows = drive(method, network, images, goal, attack, saved)
    while True:
        try:
            next(rows)
        except StopIteration as end:
            result: Batch = end.value
            return result


def drive(
    method: Method,
    network: Network,
    images: Float[Tensor, "n c h w"],
    goal: Goal,
    attack: Attack,
    saved: Network | None = None,
    logits: Float[Tensor, "n k"] | None = None,
) -> Generator[Row, None, Batch]:
    """Attack some images, moment by moment.

    Of a method with a budget the best is what the network is surest to misread, of one that looks
    for the least change the nearest that fools. What an image is fooled by is rounded to 8 bits
    and read again, and counts only if it still fools (unless `attack.whole_levels` is off): at once
    until something holds, and of a budget then once more for the best of all in the end; if that
    does not hold, the first that did is the result.

    Args:
        method: one of `attacking.CODE`.
        network: pixels from 0 to 1 to logits; it stays as it is.
        images: the clean ones, in whole 255ths unless `attack.whole_levels` is off.
        goal: what is wanted of each.
        attack: how.
        saved: how the network reads images that were saved and opened again, where that is not as
            it reads any others.
        logits: of the clean images as they are read when saved, where they are known.

    Returns: what was found for all of them; the clean image, and no success, where nothing was.
    Raises: ValueError when the target or the labels are no classes of the network.
    """
    problem = Problem(network, images, goal, saved=saved)
    early = attack.early and not attack.about.refines
    # A method that begins by looking at the clean images need not be told what they are read as.
    looks = logits is None and saved is None and attack.about.looks_first
    if logits is not None:
        problem.counts.queries = len(images)  # somebody has asked
        goal.check(logits.shape[1])
    elif not looks:
        logits = problem.read(images) if attack.whole_levels else problem.logits(images)
    best = None if logits is None else _Best(problem, logits, attack)
    for restart in range(attack.restarts):
        if best is None:
            here = torch.arange(len(images), device=images.device)
        else:
            here = (~best.fooled if early or restart else ~best.already).nonzero()[:, 0]
        if not len(here):
            break
        source = torch.Generator().manual_seed(attack.seed + restart)
        moves = method(problem.take(here), attack, source)
        keep = None
        try:
            while True:
                moment = moves.send(keep)
                if best is None:
                    known = moment.logits
                    best = _Best(
                        problem, problem.logits(images) if known is None else known, attack
                    )
                row = best.see(here, moment)
                yield row
                gone = best.fooled if early else best.already
                keep, left = None, (~gone[here]).nonzero()[:, 0]
                if not len(left):
                    break
                if len(left) < len(here):
                    keep, here = left, here[left]
        except StopIteration:
            pass
        finally:
            moves.close()
    if best is None:
        best = _Best(problem, problem.logits(images), attack)
    if attack.whole_levels:
        (best.stretch if attack.about.minimal else best.settle)()
    return best.batch()


class _Best:
    """The best of each image so far."""

    def __init__(self, problem: Problem, logits: Tensor, attack: Attack) -> None:
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
        images = torch.where(fooled.view(-1, 1, 1, 1), self.images, clean)
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
