"""Guided backpropagation and deconvnet: by hand, as captum's, and however a ReLU is called."""

from collections.abc import Callable, Generator

import captum.attr
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.saliency.explaining import CODE
from core.saliency.questions import Answer, Code, Question
from core.shared.networks import build, lenet5
from tests.adversarial.linear import linear
from tests.adversarial.promises import curved
from tests.saliency.asking import answered, asked, convolutions, drawn, image_of, quietly
from tests.shared.untouched import leaves_untouched

METHODS_HERE = ("guided", "deconvnet")
NO_RELU = "method must be another one than {}: this network has no ReLU"


def rectified(over: bool = False, top: float = torch.inf) -> nn.Module:
    if top == torch.inf:
        return nn.ReLU(inplace=over)
    return nn.Hardtanh(0, top, inplace=over)


# By hand: what two layers of weights let through.


def two_layers(rectifier: nn.Module, seed: int = 3) -> nn.Sequential:
    network = nn.Sequential(nn.Flatten(), nn.Linear(36, 20), rectifier, nn.Linear(20, 3))
    assert isinstance(drawn(network, seed), nn.Sequential)
    return network


def agrees_with_a_hand(question: Question, top: float, code: Code | None = None) -> None:
    """Compare with W₁ᵀ max(0, w₂), where the units that let nothing pass are left out if guided."""
    network, image = question.network, question.image
    first, last = network[1], network[3]  # type: ignore[index]
    sums = image.flatten(1) @ first.weight.T + first.bias
    slopes = last.weight[question.target].clamp(min=0)
    passing = (sums[0] > 0) & (sums[0] < top)
    assert passing.any()
    assert not passing.all()
    assert top == torch.inf or bool((sums > top).any())
    if question.query.method == "guided":
        slopes = slopes * passing
    wanted = (slopes @ first.weight).view(image[0].shape)
    torch.testing.assert_close(answered(question, code).values, wanted, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("top", [torch.inf, 0.5])
@pytest.mark.parametrize("method", METHODS_HERE)
def test_of_two_layers_a_hand_gives_the_same(method: str, top: float) -> None:
    network = two_layers(rectified(top=top))
    for target in range(3):
        agrees_with_a_hand(asked(network, image_of(), method, target=target), top)


def back_through(way: Callable[[Tensor, Tensor], Tensor]) -> Code:
    """Make an engine whose two layers have this slope by the sums, of the sums and what follows."""

    def wrong(question: Question) -> Generator[None, None, Answer]:
        first, last = question.network[1], question.network[3]  # type: ignore[index]
        sums = question.image.flatten(1) @ first.weight.T + first.bias
        yield
        slopes = way(sums[0], last.weight[question.target])
        return Answer(values=(slopes @ first.weight).view(question.image[0].shape))

    return wrong


WRONG: dict[str, Code] = {
    "a plain gradient": CODE["gradient"],
    "slopes that are not rectified": back_through(lambda sums, slopes: slopes * (sums > 0)),
    "absolute slopes": back_through(lambda sums, slopes: slopes.abs() * (sums > 0)),
    "slopes below 0": back_through(lambda sums, slopes: slopes.clamp(max=0) * (sums > 0)),
    "no way back changed": back_through(lambda sums, slopes: slopes),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("method", METHODS_HERE)
def test_that_hand_rejects_a_wrong_engine(method: str, wrong: str) -> None:
    question = asked(two_layers(nn.ReLU()), image_of(), method)
    with pytest.raises(AssertionError, match="not close"):
        agrees_with_a_hand(question, torch.inf, WRONG[wrong])


@pytest.mark.parametrize(("method", "other"), [METHODS_HERE, METHODS_HERE[::-1]])
def test_that_hand_tells_the_two_apart(method: str, other: str) -> None:
    question = asked(two_layers(nn.ReLU()), image_of(), method)
    with pytest.raises(AssertionError, match="not close"):
        agrees_with_a_hand(question, torch.inf, CODE[other])


# As captum's, where each ReLU is a module of its own.


def of_captum(question: Question) -> Tensor:
    kind = {"guided": captum.attr.GuidedBackprop, "deconvnet": captum.attr.Deconvolution}
    with quietly():
        found = kind[question.query.method](question.network).attribute(
            question.image, target=question.target
        )
    values: Tensor = found.detach()[0]
    return values


@pytest.mark.parametrize("target", [0, 2])
@pytest.mark.parametrize("method", METHODS_HERE)
def test_the_values_are_captums(method: str, target: int) -> None:
    question = asked(convolutions(), image_of(side=8), method, target=target)
    theirs = of_captum(question)
    assert float(theirs.abs().max()) > 1e-3
    torch.testing.assert_close(answered(question).values, theirs, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("method", METHODS_HERE)
def test_that_captum_rejects_a_wrong_engine(method: str) -> None:
    question = asked(convolutions(), image_of(side=8), method)
    theirs = of_captum(question)
    for wrong in {"gradient", *METHODS_HERE} - {method}:
        values = answered(question, CODE[wrong]).values
        assert not torch.allclose(values, theirs, atol=1e-3)


# However the ReLU is called.


class Calling(nn.Module):
    """Two convolutions with what a function makes of their sums, and a shortcut."""

    def __init__(self, rectify: Callable[[Tensor], Tensor], part: nn.Module | None = None) -> None:
        super().__init__()
        self.rectify, self.part = rectify, part
        with torch.random.fork_rng(devices=[]):
            self.first, self.second = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
            self.output = nn.Linear(4 * 36, 3)
        drawn(self)

    def forward(self, pixels: Tensor) -> Tensor:
        maps = self.rectify(self.first(pixels))
        maps = self.rectify(self.second(maps) + maps)
        logits: Tensor = self.output(maps.flatten(1))
        return logits


def written_over(values: Tensor) -> Tensor:
    """Write over what is given, and give back what was given."""
    F.relu(values, inplace=True)
    return values


shared, shared_over = nn.ReLU(), nn.ReLU(inplace=True)
WAYS: dict[str, Callable[[Tensor], Tensor]] = {
    "a module": lambda values: nn.ReLU()(values),
    "a module, shared": shared,
    "a module, shared, in place": shared_over,
    "F.relu": F.relu,
    "F.relu, named": lambda values: F.relu(input=values),
    "F.relu, in place": lambda values: F.relu(values, inplace=True),
    "F.relu, in place by position": lambda values: F.relu(values, True),
    "F.relu_": F.relu_,
    "torch.relu": torch.relu,
    "torch.relu, named": lambda values: torch.relu(input=values),
    "torch.relu_": torch.relu_,
    "a method": lambda values: values.relu(),
    "a method, in place": lambda values: values.relu_(),
    "what was given, written over": written_over,
    "clamp": lambda values: values.clamp(min=0),
    "torch.clamp": lambda values: torch.clamp(values, 0),
    "clamp_min": lambda values: values.clamp_min(0),
    "clamp_min_": lambda values: values.clamp_min_(0),
    "threshold": lambda values: F.threshold(values, 0, 0),
}
SIX: dict[str, Callable[[Tensor], Tensor]] = {
    "F.relu6": lambda values: F.relu6(8 * values) / 8,
    "F.relu6, in place": lambda values: F.relu6(8 * values, inplace=True) / 8,
    "nn.ReLU6": lambda values: nn.ReLU6()(8 * values) / 8,
    "nn.ReLU6, in place": lambda values: nn.ReLU6(inplace=True)(8 * values) / 8,
    "F.hardtanh": lambda values: F.hardtanh(8 * values, 0, 6) / 8,
    "F.hardtanh, named": lambda values: F.hardtanh(8 * values, min_val=0.0, max_val=6.0) / 8,
    "nn.Hardtanh": lambda values: nn.Hardtanh(0, 6)(8 * values) / 8,
    "clamp": lambda values: (8 * values).clamp(0, 6) / 8,
}


class Modules(nn.Module):
    """The same network from modules that are called once, for captum."""

    def __init__(self, calling: Calling) -> None:
        super().__init__()
        self.calling, self.one, self.other = calling, nn.ReLU(), nn.ReLU()

    def forward(self, pixels: Tensor) -> Tensor:
        maps = self.one(self.calling.first(pixels))
        maps = self.other(self.calling.second(maps) + maps)
        logits: Tensor = self.calling.output(maps.flatten(1))
        return logits


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("method", METHODS_HERE)
def test_however_a_relu_is_called_the_values_are_captums(method: str, way: str) -> None:
    calling = Calling(WAYS[way])
    theirs = of_captum(asked(Modules(calling), image_of(), method, target=1))
    question = asked(calling, image_of(), method, target=1)
    torch.testing.assert_close(answered(question).values, theirs, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("method", METHODS_HERE)
def test_however_a_relu6_is_called_the_values_are_the_same(method: str) -> None:
    image = image_of()
    first, *others = (answered(asked(Calling(way), image, method)).values for way in SIX.values())
    for other in others:
        torch.testing.assert_close(other, first)
    # The slope 8 and its inverse cancel; where 6 is reached, nothing passes if guided.
    plain = answered(asked(Calling(F.relu), image, method)).values
    assert torch.allclose(plain, first, atol=1e-5) == (method == "deconvnet")


class Heard(nn.Module):
    """A network whose answers are written down."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.answers = network, list[Tensor]()

    def forward(self, pixels: Tensor) -> Tensor:
        logits: Tensor = self.network(pixels)
        self.answers.append(logits.detach().clone())
        return logits


@pytest.mark.parametrize("method", METHODS_HERE)
def test_the_way_forward_is_the_networks_own(method: str) -> None:
    for way in (*WAYS.values(), *SIX.values()):
        network, image = Heard(Calling(way)), image_of()
        network(image)
        answered(asked(network, image, method))
        plain, changed = network.answers
        torch.testing.assert_close(changed, plain)  # another layout rounds otherwise


def test_deconvnet_without_pooling_sees_nothing_of_the_picture() -> None:
    """As its caution says; and with pooling it sees where the maxima are."""
    for pool, blind in ((lambda: nn.AvgPool2d(2), True), (lambda: nn.MaxPool2d(2), False)):
        network = convolutions(pool=pool)
        one, other = (
            answered(asked(network, image_of(side=8, seed=seed), "deconvnet")).values
            for seed in (1, 2)
        )
        assert torch.allclose(one, other, atol=1e-5) == blind


# What cannot be, and what may not be.


@pytest.mark.parametrize("method", METHODS_HERE)
def test_a_network_without_relu_is_refused(method: str) -> None:
    source = torch.Generator().manual_seed(0)
    digit = torch.rand(1, 1, 28, 28)
    for network, image in (
        (curved(3), image_of()),
        (linear(3), image_of()),
        (lenet5(source).eval().requires_grad_(False), digit),
        (build("conv4-gelu,fc5-leaky", source).eval().requires_grad_(False), digit),
        (Calling(lambda values: F.hardtanh(values, -1, 1)), image_of()),
        (Calling(lambda values: values.clamp(min=0.1)), image_of()),
    ):
        question = asked(network, image, method)
        with pytest.raises(ValueError, match=NO_RELU.format(method)):
            answered(question)


@pytest.mark.parametrize("method", METHODS_HERE)
def test_the_network_stays_as_it_is(method: str) -> None:
    network, image = convolutions(lambda: nn.ReLU(inplace=True)), image_of(side=8)
    leaves_untouched(network, lambda: answered(asked(network, image, method)))
    smooth = curved(3)
    refused = lambda: answered(asked(smooth, image_of(), method))  # noqa: E731
    leaves_untouched(smooth, (refused, NO_RELU.format(method)))
    # What comes after has its own gradients again.
    plain = answered(asked(network, image)).values
    leaf = image.clone().requires_grad_()
    torch.testing.assert_close(plain, torch.autograd.grad(network(leaf)[0, 0], leaf)[0][0])
