"""Questions about any network, and what captum answers."""

import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from jaxtyping import Float
from torch import Tensor, nn

from core.saliency import Query, questions
from core.saliency.explaining import CODE
from core.saliency.questions import Answer, Code, Question
from core.shared.loading import Model
from core.shared.models import Source

__all__ = ["answered", "asked", "convolutions", "drawn", "few_at_a_time", "image_of", "quietly"]


def asked(
    network: nn.Module,
    image: Float[Tensor, "1 c h w"],
    method: str = "gradient",
    *,
    target: int = 0,
    data: str = "",
    **query: Any,
) -> Question:
    """Ask about any network; the keywords are those of a query."""
    with torch.no_grad():
        classes = network(image).shape[1]
    shape = image.shape[1], image.shape[2], image.shape[3]
    source = Source(kind="built-in", name="mnist")  # of which nothing is read
    model = Model(source, network, tuple(map(str, range(classes))), shape, data)
    return Question(model, network, image, target, Query(method=method, target=target, **query))


def answered(question: Question, code: Code | None = None) -> Answer:
    """Let a method, or another engine in its place, come to its end."""
    work: Generator[Any, None, Answer] = (code or CODE[question.query.method])(question)
    while True:
        try:
            next(work)
        except StopIteration as end:
            answer: Answer = end.value
            return answer


def image_of(channels: int = 1, side: int = 6, *, count: int = 1, seed: int = 1) -> Tensor:
    """A picture of noise, or several."""
    source = torch.Generator().manual_seed(seed)
    return torch.rand(count, channels, side, side, generator=source)


def drawn(network: nn.Module, seed: int = 0) -> nn.Module:
    """Give a network weights of the seed that keep its values about as large; it learns no more."""
    source = torch.Generator().manual_seed(seed)
    for name, parameter in network.named_parameters():
        size = parameter[0].numel() ** -0.5 if parameter.ndim > 1 else 0.3
        fresh = 1.5 * size * torch.randn(parameter.shape, generator=source)
        parameter.detach().copy_(fresh + (parameter.ndim == 1 and name.endswith("weight")))
    for name, buffer in network.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            buffer.copy_(torch.rand(buffer.shape, generator=source) + 0.5)
    return network.requires_grad_(False).eval()


def convolutions(
    activation: Callable[[], nn.Module] = nn.ReLU,
    pool: Callable[[], nn.Module] = lambda: nn.MaxPool2d(2),
    normalisation: Callable[[int], nn.Module] = nn.BatchNorm2d,
) -> nn.Module:
    """A small network of pictures 1×8×8 whose parts are modules, each called once."""
    with torch.random.fork_rng(devices=[]):  # torch's own start draws from the global source
        network = nn.Sequential(
            *(nn.Conv2d(1, 4, 3, padding=1), normalisation(4), activation(), pool()),
            *(nn.Conv2d(4, 6, 3, padding=1), activation(), nn.Flatten()),
            *(nn.LazyLinear(8), activation(), nn.Linear(8, 3)),
        )
        network.eval()(torch.zeros(1, 1, 8, 8))
    return drawn(network)


def few_at_a_time(monkeypatch: pytest.MonkeyPatch, count: int, image: Tensor) -> None:
    """Let so many pictures be read at a time."""
    monkeypatch.setattr(questions, "FEWEST", 1)
    monkeypatch.setattr(questions, "AT_ONCE", {image.device.type: count * image.numel()})


@contextmanager
def quietly() -> Iterator[None]:
    """Let captum warn of what it does to the network."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
