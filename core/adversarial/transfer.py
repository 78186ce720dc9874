"""Transfer: attack a network that one trained oneself on the answers of the one that is meant."""

from collections.abc import Generator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from core.adversarial import Attack
from core.adversarial.best import Batch
from core.adversarial.driving import perturb
from core.adversarial.goals import Goal
from core.adversarial.gradients import follow_gradient
from core.adversarial.portions import portion
from core.adversarial.problems import Method, Moment, Network, Problem
from core.shared import data, devices, networks
from core.shared.evaluating import quickest
from core.shared.loading import load
from core.shared.models import Source, about
from core.shared.progress import Done
from core.shared.turns import remembered

__all__ = ["Proxy", "imitate", "proxy", "transfer_method", "transferred"]

TABLE = "conv8-k5-p2-relu,mean2,conv16-k5-p2-relu,mean2,fc64-relu"
EPOCHS, BATCH, RATE = 4, 50, 0.002  # of each of two rounds; of Adam
STEP = 0.1  # λ, in pixel units: from a picture to the one that is made of it
NARROWEST = 0.05  # deviation: pictures of one shade are not blown up to noise
TURN = 4  # steps of learning from one turn to the next
JUDGED = 1_000  # validation images, at most, by which it is told how alike two networks read
TINY = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Proxy:
    """A network that imitates another, and how well it does."""

    network: nn.Sequential  # pixels from 0 to 1 to logits; at rest, and nobody may change it
    queries: int  # answers that it learned from
    agreement: float  # share of pictures it never saw that both read alike


@remembered(8)  # 0.2 MB each for MNIST
def proxy(
    source: Source, images: int = 2_000, seed: int = 0
) -> Generator[Done | None, None, Proxy]:
    """Train a network on the answers of another; yields while others may have their turn.

    Args:
        source: the network that is asked.
        images: that it is asked about: half of them training pictures, or as many as there are.
        seed: of the choice of the pictures, of the weights and of the order of learning.

    Raises: ValueError when there are fewer than two images, or the network's data are not here.
    """
    if not images // 2:
        raise ValueError(f"images must be at least 2, got {images}")
    model = load(source)
    if not model.data:
        raise ValueError(f"network must be one whose data are here, got {about(source).title}")
    known = data.dataset(model.data, next(model.network.parameters()).device)
    draws = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(known.training), generator=draws)[: images // 2]
    pictures = known.training.images[chosen.to(known.training.labels.device)]
    target, judged = quickest(model.network), known.validation.images[:JUDGED]
    made = yield from imitate(target, pictures, draws)
    theirs = yield from _answers(target, judged)
    ours = yield from _answers(made, judged)
    agreement = (ours.argmax(1) == theirs.argmax(1)).double().mean().item()
    return Proxy(made, 2 * len(pictures), agreement)


def imitate(
    network: Network, pictures: Float[Tensor, "n c h w"], source: torch.Generator
) -> Generator[Done | None, None, nn.Sequential]:
    """Teach a small network to answer as another does; yields every few steps.

    Having learned the answers to the pictures, it moves each of them towards where its own answer
    changes, asks about these too, and learns all of them.

    Args:
        network: that is asked about each picture twice, once as it is and once moved.
        pictures: from 0 to 1.
        source: of the weights and of the order of the pictures.

    Returns: a network at rest whose logits are the other's, shifted and scaled.

    Source: Papernot et al. 2016, arXiv:1602.02697, sections 4.1 and 4.2, with one round of its
    augmentation, λ = 0.1. There only the class that is named is learned, and the pictures move to
    where the proxy is surer of it. Here the logits are, which all black boxes of this panel see.
    """
    answers = yield from _answers(network, pictures)
    deviation, mean = torch.std_mean(pictures.double(), correction=0)
    student = networks.build(
        TABLE,
        source,
        shape=(pictures.shape[1], pictures.shape[2], pictures.shape[3]),
        classes=answers.shape[1],
        mean=mean.item(),
        deviation=max(NARROWEST, deviation.item()),
        initialisation="he",
    ).to(pictures.device)
    yield from _learn(student, pictures, answers, source)
    goal, moved = Goal(answers.argmax(1), None), []
    for few in torch.arange(len(pictures), device=pictures.device).split(
        portion(pictures.shape[1:])
    ):
        problem = Problem(student, pictures[few], goal.take(few))
        moved.append(problem.clean + STEP * problem.gradient(problem.clean, "margin")[0].sign())
        yield None
    made = torch.cat(moved).clamp(0, 1)
    more = yield from _answers(network, made)
    yield from _learn(student, torch.cat([pictures, made]), torch.cat([answers, more]), source)
    student.zero_grad()
    return student.requires_grad_(False).eval()


def transfer_method(proxy_network: Network, base: Method = follow_gradient) -> Method:
    """Make a method that climbs on another network than the one that judges.

    The proxy's gradient leads each step. The target answers once a step, so that the attack ends
    where it is fooled; it is asked for no gradient.

    Args:
        proxy_network: pixels from 0 to 1 to logits, differentiable.
        base: what is done to it.

    Source: Papernot, McDaniel, Goodfellow 2016, arXiv:1605.07277.
    """

    def method(
        problem: Problem, attack: Attack, source: torch.Generator
    ) -> Generator[Moment, Tensor | None, None]:
        moves = base(Problem(proxy_network, problem.clean, problem.goal), attack, source)
        keep = None
        try:
            while True:  # where a moment has no logits, the target is asked for them
                keep = yield moves.send(keep)._replace(logits=None)
        except StopIteration:
            pass
        finally:
            moves.close()

    return method


def transferred(
    network: Network,
    proxy_network: Network,
    images: Float[Tensor, "n c h w"],
    goal: Goal,
    attack: Attack,
) -> Batch:
    """Attack images on a proxy, and tell what comes of it on the network; see `drive`."""
    return perturb(transfer_method(proxy_network), network, images, goal, attack)


def _learn(
    student: nn.Sequential,
    pictures: Float[Tensor, "n c h w"],
    answers: Float[Tensor, "n k"],
    source: torch.Generator,
) -> Generator[Done, None, None]:
    """Let a network learn answers, by the squared error."""
    # What softmax does not see is shifted away; scaled, any network is learned at one rate.
    targets = answers - answers.mean(1, keepdim=True)
    targets = targets / targets.square().mean().sqrt().clamp(min=TINY)
    weights, step = list(student.parameters()), 0
    steps, title = EPOCHS * -(-len(pictures) // BATCH), f"A proxy learns {len(pictures):,} answers"
    optimiser = torch.optim.Adam(weights, RATE)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(pictures), generator=source).split(BATCH):
            chosen = batch.to(pictures.device)
            with torch.enable_grad():
                loss = F.mse_loss(student(pictures[chosen]), targets[chosen])
                slopes = torch.autograd.grad(loss, weights)
            for weight, slope in zip(weights, slopes, strict=True):
                weight.grad = slope
            optimiser.step()
            step += 1
            if step % TURN == 0:
                devices.pulse()
                yield Done(step, steps, "steps", title)


@torch.no_grad()
def _answers(
    network: Network, images: Float[Tensor, "n c h w"]
) -> Generator[None, None, Float[Tensor, "n k"]]:
    """Ask about some images, so many at a time."""
    found = []
    for few in images.split(portion(images.shape[1:])):
        devices.pulse()
        found.append(network(few))
        yield
    return torch.cat(found)
