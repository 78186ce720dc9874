"""A small teacher with its few pictures, and the barest loop that distils from it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.distillation import Distillation, teaching
from core.shared import data, networks
from core.shared.data import Dataset, Split
from core.shared.loading import Model
from core.shared.models import Source
from core.shared.turns import Remembered

__all__ = ["CLASSES", "SMALL", "Small", "bare", "small"]

TEACHER = Source(kind="built-in", name="mnist")
CLASSES, SIDE = 4, 5
SMALL = Distillation(
    teacher=TEACHER,
    student="fc6-tanh",
    images=22,
    batch_size=8,
    epochs=3,
    learning_rate=0.01,
    seed=5,
)


class Small:
    """Pictures of noise, and a linear teacher that labels them, mostly."""

    def __init__(self) -> None:
        source = torch.Generator().manual_seed(9)

        def split(count: int) -> Split:
            images = torch.rand(count, 1, SIDE, SIDE, generator=source)
            labels = self.network(images).argmax(1)
            labels[::7] = torch.arange(len(labels[::7])) % CLASSES
            return Split(images, labels)

        layer = nn.Linear(SIDE**2, CLASSES)
        weights = 2 * torch.randn(CLASSES, SIDE**2, generator=source)
        weights -= weights.mean(1, keepdim=True)
        layer.load_state_dict({"weight": weights, "bias": torch.zeros(CLASSES)})
        self.network = nn.Sequential(nn.Flatten(), layer).requires_grad_(False).eval()
        names = tuple("abcd")
        self.dataset = Dataset(split(90), split(40), split(50), classes=names, mean=0.5)
        self.model = Model(TEACHER, self.network, names, (1, SIDE, SIDE), "mnist")


@contextmanager
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[Small]:
    """Let the small teacher, and its pictures, be found where digits are."""
    found = Small()
    assert isinstance(teaching.answers, Remembered)
    teaching.answers.cache_clear()
    with monkeypatch.context() as patched:
        patched.setattr(teaching, "load", lambda _: found.model)
        patched.setattr(data, "dataset", lambda *_: found.dataset)
        yield found
    teaching.answers.cache_clear()


def bare(
    world: Small,
    config: Distillation,
    arm: str,
    change: Callable[[dict[str, Any]], dict[str, Any]] = lambda given: given,
) -> nn.Module:
    """Distil as a tutorial would, with torch's own losses; `change` makes it another experiment."""
    split, network = world.dataset.training, student(config)
    count = config.images + config.unlabelled
    places = turn_by_turn(split.labels.tolist())[:count]
    labelled = [k < config.images for k in range(count)]
    shown = [k for k in range(count) if int(split.labels[places[k]]) != config.left_out]
    epoch = [k for k in shown if labelled[k] or arm in ("distilled", "permuted")]
    said = world.network(split.images[places])
    if arm == "permuted":
        said = shuffled(said, config.seed)
    given = change({"temperature": config.temperature, "alpha": config.alpha, "said": said})
    t, alpha, said = given["temperature"], given["alpha"], given["said"]
    optimiser = torch.optim.Adam(network.parameters(), config.learning_rate)
    queue: list[int] = []
    passes = 0
    for _ in range(config.epochs):
        for begin in range(0, len(shown), config.batch_size):
            size = min(config.batch_size, len(shown) - begin)
            while len(queue) < size:
                passes += 1
                source = torch.Generator().manual_seed(config.seed * 65536 + passes)
                queue += [epoch[k] for k in torch.randperm(len(epoch), generator=source).tolist()]
            batch, queue = queue[:size], queue[size:]
            images = split.images[[places[k] for k in batch]]
            answers = split.labels[[places[k] for k in batch]]
            optimiser.zero_grad()
            logits = network(images)
            each = nn.CrossEntropyLoss(
                reduction="none", label_smoothing=config.smoothing if arm == "smoothed" else 0.0
            )(logits, answers)
            loss = each.mean()
            if arm in ("distilled", "permuted"):
                known = torch.tensor([float(labelled[k]) for k in batch])
                soft = nn.KLDivLoss(reduction="none")(
                    F.log_softmax(logits / t, dim=1), F.softmax(said[batch] / t, dim=1)
                )
                soft = soft.sum() / size / (CLASSES if config.reduction == "mean" else 1)
                soft = soft * (t * t if config.squared else 1)
                loss = alpha * (each * known).sum() / size + (1 - alpha) * soft
            loss.backward()
            optimiser.step()
    return network


def student(config: Distillation) -> nn.Sequential:
    """The student before its first step."""
    return networks.build(
        config.student,
        torch.Generator().manual_seed(config.seed),
        shape=(1, SIDE, SIDE),
        classes=CLASSES,
        mean=0.5,
    )


def turn_by_turn(labels: list[int]) -> list[int]:
    """The places of the first of each class, then of the second of each, and so on."""
    seen = [0] * CLASSES
    turns = []
    for place, label in enumerate(labels):
        turns.append((seen[label], label, place))
        seen[label] += 1
    return [place for _, _, place in sorted(turns)]


def shuffled(said: Tensor, seed: int) -> Tensor:
    """Permute all but the largest of each row, one row after the other."""
    source = torch.Generator().manual_seed(seed * 65536)
    keys = torch.rand(len(said), CLASSES - 1, generator=source)
    moved = said.clone()
    for row, key in zip(moved, keys, strict=True):
        others = [place for place in range(CLASSES) if place != int(row.argmax())]
        row[others] = row[[others[place] for place in key.argsort().tolist()]]
    return moved


def other(config: Distillation, **changes: Any) -> Distillation:
    """Another experiment."""
    return replace(config, **changes)
