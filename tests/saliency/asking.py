"""Small networks, linear and not, pictures for them, and questions about why they answer so."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor, nn

from core.saliency import Attribution, Query, questions
from core.saliency.explaining import CODE, explained
from core.saliency.questions import Answer, Code, Question
from core.shared.loading import Model
from core.shared.models import Source
from tests.shared.turning import whole

__all__ = [
    "SOURCE",
    "Mute",
    "answered",
    "asked",
    "attribution",
    "convolutional",
    "convolutions",
    "curved",
    "drawn",
    "few_at_a_time",
    "image_of",
    "model_of",
    "picture",
    "plane",
    "probabilities",
    "question",
    "quietly",
    "seeded",
]

SOURCE = Source(kind="built-in", name="mnist")  # nothing of it is read
CLASSES = 10  # at most, of the networks here
N = TypeVar("N", bound=nn.Module)


# Questions


def model_of(network: nn.Module, shape: tuple[int, ...], classes: int = 3, data: str = "") -> Model:
    """Put a network where a loaded one would be."""
    channels, height, width = shape
    names = tuple(map(str, range(classes)))
    return Model(SOURCE, network, names, (channels, height, width), data)


def question(
    network: nn.Module,
    image: Float[Tensor, "1 c h w"],
    query: Query | None = None,
    data: str = "",
) -> Question:
    """Ask about the query's target, or the first class."""
    query = query or Query(target=0)
    model = model_of(network, image.shape[1:], CLASSES, data)
    return Question(model, network, image, replace(query, target=query.target or 0))


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
    return question(network, image, Query(method=method, target=target, **query), data)


def answered(question: Question, code: Code | None = None) -> Answer:
    """Let a method, or another engine in its place, come to its end."""
    return whole((code or CODE[question.query.method])(question))


def attribution(network: nn.Module, image: Tensor, method: str, **asked: Any) -> Attribution:
    """Explain class 0, unless another is asked for."""
    query = Query(method=method, **{"target": 0, **asked})
    return whole(explained(model_of(network, image.shape[1:]), image, query))


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


def probabilities(
    network: nn.Module, picture: Float[np.ndarray, "c h w"]
) -> Float[np.ndarray, " k"]:
    """Read one picture, as the definition of the softmax has it."""
    with torch.no_grad():
        logits = network(torch.tensor(picture, dtype=torch.float32)[None])[0].double().numpy()
    raised = np.exp(logits - logits.max())
    shares: Float[np.ndarray, " k"] = raised / raised.sum()
    return shares


# Pictures


def image_of(
    channels: int = 1, side: int = 6, width: int = 0, *, count: int = 1, seed: int = 1
) -> Float[Tensor, "n c h w"]:
    """A picture of noise, square unless it has a width, or several."""
    source = torch.Generator().manual_seed(seed)
    return torch.rand(count, channels, side, width or side, generator=source)


def picture(shape: tuple[int, int, int] = (1, 6, 5), *, seed: int = 1) -> Float[Tensor, "1 c h w"]:
    """A picture of whole 255ths, none black or white; of a small one no two values are alike."""
    source = torch.Generator().manual_seed(seed)
    count = shape[0] * shape[1] * shape[2]
    levels = torch.randperm(count, generator=source) * 249 // count + 3
    return (levels.reshape(1, *shape) / 255).float()


# Networks


class Mute(nn.Module):
    """A network that must not be asked."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, images: Tensor) -> Tensor:
        raise AssertionError("asked")


def plane(classes: int = 2, shape: tuple[int, ...] = (1, 6, 5), *, seed: int = 0) -> nn.Sequential:
    """A linear network."""
    source = torch.Generator().manual_seed(seed)
    layer = nn.utils.skip_init(nn.Linear, int(np.prod(shape)), classes)
    layer.weight.data = 0.5 * torch.randn(layer.weight.shape, generator=source)
    layer.bias.data = -layer.weight.data.sum(1) / 2
    return nn.Sequential(nn.Flatten(), layer).requires_grad_(False).eval()


def curved(classes: int = 3, shape: tuple[int, ...] = (3, 6, 5), *, seed: int = 0) -> nn.Sequential:
    """A network with a bend in it."""
    first, last = plane(16, shape, seed=seed), plane(classes, (16,), seed=seed + 1)
    return nn.Sequential(first, nn.Tanh(), last).requires_grad_(False).eval()


def seeded(network: N, seed: int = 0) -> N:
    """A network with weights of the seed, at rest; the biases are large enough to matter."""
    source = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for each in network.parameters():
            scale = (each.numel() / len(each)) ** -0.5 if each.ndim > 1 else 0.3
            each.copy_(scale * torch.randn(each.shape, generator=source))
    network.requires_grad_(False).eval()
    return network


def convolutional(channels: int = 1, *, seed: int = 0, pooled: bool = True) -> nn.Sequential:
    """A network for pictures of 8×8; its last maps are as large, or half as large."""
    last = 6 * (4 if pooled else 8) ** 2
    return seeded(
        nn.Sequential(
            nn.Conv2d(channels, 4, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(4, 6, 3, padding=1),
            nn.Tanh(),
            nn.MaxPool2d(2) if pooled else nn.Identity(),
            nn.Flatten(),
            nn.Linear(last, 3),
        ),
        seed,
    )


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
