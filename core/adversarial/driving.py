"""Drive an attack: keep the best so far, and let those images go that are fooled."""

from collections.abc import Generator

import torch
from jaxtyping import Float
from torch import Tensor

from core.adversarial import Attack
from core.adversarial.best import Batch, Best, Row
from core.adversarial.goals import Goal
from core.adversarial.problems import Method, Network, Problem

__all__ = ["drive", "perturb"]


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
    *,
    drawn: bool = False,
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
        drawn: whether the network answers at random: that no reading was wrong is no proof then,
            and what had the lowest margin is given in place of the clean image.

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
    best = None if logits is None else Best(problem, logits, attack, drawn=drawn)
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
                    best = Best(
                        problem,
                        problem.logits(images) if known is None else known,
                        attack,
                        drawn=drawn,
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
        best = Best(problem, problem.logits(images), attack, drawn=drawn)
    if attack.whole_levels:
        (best.stretch if attack.about.minimal else best.settle)()
    return best.batch()
