"""What every attack keeps to, networks on which to see it, and attacks that must be found wrong."""

from collections.abc import Generator, Iterator, Mapping
from typing import TypeVar

import pytest
import torch
from jaxtyping import Float
from torch import Tensor, nn

from core.adversarial import Attack, subjects, transfer, transferring, universal
from core.adversarial.best import Batch
from core.adversarial.driving import perturb
from core.adversarial.goals import Goal
from core.adversarial.problems import Method, Moment, Problem
from core.shared import data
from core.shared.data import Dataset, Split
from core.shared.loading import Model
from core.shared.models import Source

__all__ = [
    "alone",
    "any_images",
    "backwards",
    "curved",
    "flat",
    "keeps_its_promises",
    "last",
    "nothing",
    "only_begun",
    "put",
    "run",
    "upside_down",
]

T = TypeVar("T")

UP_OR_DOWN = 0.2  # how far the wrong attack goes, in pixel units


def nothing(
    problem: Problem, attack: Attack, source: torch.Generator
) -> Generator[Moment, Tensor | None, None]:
    """An attack that gives the clean images back."""
    yield Moment(problem.clean)


def backwards(
    problem: Problem, attack: Attack, source: torch.Generator
) -> Generator[Moment, Tensor | None, None]:
    """An attack that goes down where it should go up."""
    gradient, _ = problem.gradient(problem.clean, "margin")
    size = min(attack.epsilon, UP_OR_DOWN)
    yield Moment((problem.clean - size * gradient.sign()).clamp(0, 1))


def upside_down(method: Method) -> Method:
    """Make the attack that keeps what raises the margins."""

    def wrong(
        problem: Problem, attack: Attack, source: torch.Generator
    ) -> Generator[Moment, Tensor | None, None]:
        network = problem.network
        other = Problem(lambda images: -network(images), problem.clean, problem.goal)
        for moment in method(other, attack, source):
            yield Moment(moment.images)

    return wrong


def only_begun(method: Method) -> Method:
    """Make the attack that stays where it began."""

    def wrong(
        problem: Problem, attack: Attack, source: torch.Generator
    ) -> Generator[Moment, Tensor | None, None]:
        yield next(method(problem, attack, source))

    return wrong


def curved(classes: int, channels: int = 1, side: int = 6, *, seed: int = 0) -> nn.Module:
    """A small network whose boundaries are no planes."""
    source = torch.Generator().manual_seed(seed)
    first, last = nn.Linear(channels * side * side, 24), nn.Linear(24, classes)
    with torch.no_grad():
        for layer in (first, last):
            size = 8 / layer.in_features**0.5
            layer.weight.copy_(size * torch.randn(layer.weight.shape, generator=source))
            layer.bias.copy_(-layer.weight.sum(1) / 2 if layer is first else 0 * layer.bias)
    return nn.Sequential(nn.Flatten(), first, nn.Tanh(), last).requires_grad_(False)


def any_images(
    count: int, channels: int = 1, side: int = 6, *, seed: int = 1
) -> Float[Tensor, "n c h w"]:
    """Images of whole 255ths; of the values a third are black and a third are white."""
    source = torch.Generator().manual_seed(seed)
    values = torch.randint(-256, 512, (count, channels, side, side), generator=source)
    return values.clamp(0, 255) / 255


def flat(classes: int) -> nn.Module:
    """A network that answers the first class whatever it sees, and whose gradients are all 0."""

    class Flat(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            logits = torch.zeros(len(images), classes)
            logits[:, 0] = 1
            return logits + 0 * images.flatten(1).sum(1, keepdim=True)

    return Flat()


def run(
    method: Method,
    network: nn.Module,
    images: Float[Tensor, "n c h w"],
    attack: Attack,
    targets: Tensor | None = None,
) -> Batch:
    """Attack what the network reads."""
    return perturb(method, network, images, Goal(network(images).argmax(1), targets), attack)


def alone(method: Method, network: nn.Module, images: Tensor, attack: Attack) -> Batch:
    """Attack together, and see that each image fares as if it were attacked alone."""
    together = run(method, network, images, attack)
    for k in range(len(images)):
        one = slice(k, k + 1)
        single = run(method, network, images[one], attack)
        assert single.fooled.equal(together.fooled[one])
        assert single.images.allclose(together.images[one], atol=1e-4)
    return together


def keeps_its_promises(
    method: Method,
    network: nn.Module,
    images: Tensor,
    attack: Attack,
    targets: Tensor | None = None,
) -> Batch:
    """Attack, and recompute from the images alone what is said about them."""
    labels = network(images).argmax(1)
    batch = run(method, network, images, attack, targets)
    change = batch.images - images
    values = change.flatten(1)
    size = {
        "linf": values.abs().amax(1),
        "l2": values.norm(dim=1),
        "l0": (change != 0).any(1).flatten(1).sum(1),
    }[attack.norm]
    assert float(size.max()) <= attack.epsilon + 1e-5
    assert float(batch.images.min()) >= 0
    assert float(batch.images.max()) <= 1
    levels = (255 * batch.images).round() / 255 if attack.whole_levels else batch.images
    answers = network(levels).argmax(1)
    wanted = answers != labels if targets is None else answers == targets
    assert wanted.equal(batch.fooled)
    assert not change[~batch.fooled].any()
    assert not (batch.fooled & ~batch.found).any()
    if targets is not None:
        before, after = (network(each).softmax(1) for each in (images, levels))
        rise = (after - before).gather(1, targets[:, None])[:, 0]
        assert (rise[batch.fooled] > 0).all()
    return batch


def put(
    monkeypatch: pytest.MonkeyPatch,
    network: nn.Module | Mapping[Source, nn.Module],
    test: Tensor,
    labels: Tensor | None = None,
    training: Tensor | None = None,
) -> None:
    """Let this network, or one for each source, and these images be found where digits are."""
    some = next(iter(network.values())) if isinstance(network, Mapping) else network
    names = tuple(map(str, range(some(test[:1]).shape[1])))

    def load(source: Source) -> Model:
        found = network[source] if isinstance(network, Mapping) else network
        return Model(source, found, names, tuple(test.shape[1:]), "mnist")  # type: ignore[arg-type]

    def split(images: Tensor, known: Tensor | None = None) -> Split:
        return Split(images, torch.zeros(len(images), dtype=torch.long) if known is None else known)

    learned = test if training is None else training
    found = Dataset(split(learned), split(test[:0]), split(test, labels), classes=names)
    for module in (subjects, transfer, transferring, universal):
        monkeypatch.setattr(module, "load", load)
    monkeypatch.setattr(data, "dataset", lambda *_: found)


def last(states: Iterator[T]) -> T:
    """Let long work go to its end, and give what it was last."""
    *_, ended = states
    return ended
