"""DeepLIFT: the paper's own examples, captum's values, and a sum that is whole or refused."""

from collections.abc import Callable, Generator

import captum.attr
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.saliency.deeplift import deeplift
from core.saliency.questions import Answer, Code, Question
from core.shared.networks import build, lenet5
from tests.adversarial.promises import curved
from tests.saliency.asking import answered, asked, convolutions, drawn, image_of, quietly
from tests.shared.untouched import leaves_untouched

BASELINES = ("black", "grey", "blur", "noise", "own")
REFUSAL = "method must be another one than deeplift, whose values would not add up"
digit = image_of(side=28)

# The paper's examples: two pixels, a and b, and what the Rescale rule gives each of them.


class Formula(nn.Module):
    """A score of two pixels."""

    def __init__(self, formula: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.formula = formula

    def forward(self, pixels: Tensor) -> Tensor:
        score = self.formula(pixels[:, 0, 0, 0], pixels[:, 0, 0, 1])
        return torch.stack([score, 0 * score], 1)


def least(a: Tensor, b: Tensor) -> Tensor:
    """The smaller one, of a ReLU: section 3.5.3's example, equation by equation."""
    return a - F.relu(a - b)


def saturated(a: Tensor, b: Tensor) -> Tensor:
    """Figure 1: the gradient is 0 where the sum is above 1."""
    return 1 - F.relu(1 - a - b)


def threshold(a: Tensor, b: Tensor) -> Tensor:
    """Figure 2: a gradient that jumps."""
    return F.relu(10 * a - 5) + 0 * b


def level(a: Tensor, b: Tensor) -> Tensor:
    """A unit that is as in the baseline, though what it takes is not: b went up as a went down."""
    return torch.tanh(a + b - 1)


EXAMPLES: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], str, tuple[float, ...]]] = {
    "least, a above b": (least, "black", (0.75, 0.5, 0, 0.5)),
    "least, a below b": (least, "black", (0.25, 0.5, 0.25, 0)),
    "saturated": (saturated, "black", (1, 1, 0.5, 0.5)),
    "saturated by one": (saturated, "black", (1, 0.25, 0.8, 0.2)),
    "threshold": (threshold, "black", (0.75, 0.5, 2.5, 0)),
    "level": (level, "own", (0.75, 0.25, 0.25, -0.25)),
}


def agrees_with_the_paper(example: str, code: Code | None = None) -> None:
    formula, baseline, (a, b, *wanted) = EXAMPLES[example]
    image = torch.tensor([[[[a, b]]]], dtype=torch.float32)
    answer = answered(asked(Formula(formula), image, "deeplift", baseline=baseline), code)
    torch.testing.assert_close(answer.values.flatten(), torch.tensor(wanted))


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_papers_examples_come_out_as_it_says(example: str) -> None:
    agrees_with_the_paper(example)


def gradient_times_difference(question: Question) -> Generator[None, None, Answer]:
    baseline = question.absent()
    _, slopes = question.slope(question.image)
    yield
    base = float(question.ask(baseline))
    return Answer(values=(slopes * (question.image - baseline))[0], baseline=base)


def slope_at_the_baseline(question: Question) -> Generator[None, None, Answer]:
    baseline = question.absent()
    base, slopes = question.slope(baseline)
    yield
    return Answer(values=(slopes * (question.image - baseline))[0], baseline=float(base))


def wrong_sign(question: Question) -> Generator[None, None, Answer]:
    answer = yield from deeplift(question)
    return Answer(values=-answer.values, baseline=answer.baseline)


@pytest.mark.parametrize(
    ("example", "wrong"),
    [
        ("least, a above b", wrong_sign),
        ("saturated", gradient_times_difference),
        ("saturated by one", gradient_times_difference),
        ("saturated by one", slope_at_the_baseline),
        ("threshold", gradient_times_difference),
        ("threshold", slope_at_the_baseline),
        ("level", wrong_sign),
    ],
)
def test_that_the_paper_rejects_a_wrong_engine(example: str, wrong: Code) -> None:
    with pytest.raises(AssertionError, match="not close"):
        agrees_with_the_paper(example, wrong)


# As captum's, where each part is a module that is called once.

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky": lambda: nn.LeakyReLU(0.2),
    "elu": nn.ELU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "softplus": nn.Softplus,
}


def apart() -> nn.Module:
    """A pool that does not stand beside an activation: captum's hooks get in each other's way."""
    return nn.Sequential(nn.AvgPool2d(1), nn.MaxPool2d(2), nn.AvgPool2d(1))


def of_captum(question: Question) -> Tensor:
    with quietly():
        found = captum.attr.DeepLift(question.network).attribute(
            question.image, question.absent(), target=question.target
        )
    values: Tensor = found.detach()[0]
    return values


@pytest.mark.parametrize("baseline", BASELINES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_values_are_captums(activation: str, baseline: str) -> None:
    network = convolutions(ACTIVATIONS[activation], apart, nn.Identity).double()
    image = image_of(side=8).double()  # in float32 a small difference is half rounding
    question = asked(network, image, "deeplift", baseline=baseline, target=1)
    theirs = of_captum(question)
    assert float(theirs.abs().max()) > 1e-4
    torch.testing.assert_close(answered(question).values, theirs, atol=1e-8, rtol=1e-5)


def test_that_captum_rejects_a_wrong_engine() -> None:
    question = asked(convolutions(pool=apart), image_of(side=8), "deeplift", baseline="grey")
    theirs = of_captum(question)
    for wrong in (wrong_sign, gradient_times_difference, slope_at_the_baseline):
        assert not torch.allclose(answered(question, wrong).values, theirs, atol=1e-3)


# Everything adds up, also where captum's does not.


def gap_of(question: Question, code: Code | None = None) -> float:
    """Give what is missing to completeness, of what the scores differ by."""
    answer = answered(question, code)
    score, base = (
        float(question.score(question.network(each)))
        for each in (question.image, question.absent())
    )
    # Cubes of sums near 1,000: another order of adding leaves three times its 3e-6 in them.
    assert answer.baseline == pytest.approx(base, abs=1e-4, rel=5e-5)
    assert float(answer.values.abs().max()) > 1e-3
    return abs(score - base - float(answer.values.sum())) / abs(score - base)


def over(function: Callable[..., Tensor]) -> Callable[[Tensor], Tensor]:
    return lambda values: function(values, inplace=True)


class Reusing(nn.Module):
    """One convolution and one function, each called three times, and a shortcut."""

    def __init__(self, function: Callable[[Tensor], Tensor], *, seed: int = 0) -> None:
        super().__init__()
        self.function = function
        with torch.random.fork_rng(devices=[]):
            self.first, self.again = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
            self.output = nn.Linear(4 * 36, 3)
        drawn(self, seed)

    def forward(self, pixels: Tensor) -> Tensor:
        maps = self.function(self.first(pixels))
        for _ in range(2):
            maps = self.function(self.again(maps) + maps)
        logits: Tensor = self.output(maps.flatten(1))
        return logits


relu, gelu = nn.ReLU(inplace=True), nn.GELU(approximate="tanh")
FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "a shared module": relu,
    "GELU": F.gelu,
    "GELU by tanh": gelu,
    "ReLU": torch.relu,
    "ReLU, written over": torch.relu_,
    "ReLU6": F.relu6,
    "leaky ReLU": lambda values: F.leaky_relu(values, 0.3),
    "leaky ReLU, in place": lambda values: F.leaky_relu(values, 0.3, True),
    "PReLU": nn.PReLU(4).requires_grad_(False),
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "tanh, written over": lambda values: values.tanh_(),
    "SiLU": F.silu,
    "SiLU, in place": over(F.silu),
    "ELU": F.elu,
    "ELU, in place": over(F.elu),
    "hardswish": F.hardswish,
    "hardsigmoid": F.hardsigmoid,
    "Mish": F.mish,
    "softplus": F.softplus,
    "softsign": F.softsign,
    "SELU, in place": over(F.selu),
    "CELU": lambda values: torch.celu(values, 0.5),
    "logarithm of a sigmoid": F.logsigmoid,
    "threshold": lambda values: F.threshold(values, 0.1, 0.05),
    "error function": torch.erf,
    "a root": lambda values: values.square().add(1).sqrt(),
    "one over it": lambda values: values.abs().add(1).reciprocal(),
    "one over a root": lambda values: torch.rsqrt(values.abs() + 1),
    "a logarithm of powers": lambda values: values.exp().add(1).log(),
    "absolute value": abs,
    "clamp": lambda values: values.clamp(-0.2, 0.4),
    "square": torch.square,
    "a maximum of windows that overlap": lambda maps: F.max_pool2d(maps, 3, 1, 1),
    "the same, named": lambda maps: F.max_pool2d(maps, kernel_size=3, stride=1, padding=1),
    "the same, of torch": lambda maps: torch.max_pool2d(maps, 3, 1, 1),
    "a module's": nn.MaxPool2d(3, 1, 1),
    "dilated": nn.MaxPool2d(2, 1, 1, 2),
    "of parts": lambda maps: F.adaptive_max_pool2d(maps, 3).repeat(1, 1, 2, 2),
    "along lines": lambda maps: F.max_pool1d(maps.flatten(2), 3, 1, 1).view_as(maps),
}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_any_function_and_module_adds_up(function: str) -> None:
    for baseline in ("black", "noise"):
        network = Reusing(FUNCTIONS[function])
        question = asked(network, image_of(), "deeplift", baseline=baseline, target=2, against=1)
        assert gap_of(question) < 1e-3


def captums(question: Question) -> Generator[None, None, Answer]:
    yield
    return Answer(values=of_captum(question), baseline=float(question.ask(question.absent())))


def test_what_captum_cannot_do_is_done_here() -> None:
    """Why ours is there: captum refuses what is called twice, overlooks what is no module, and
    where a maximum follows an activation at once, its values do not add up."""
    beside = asked(convolutions(nn.ELU), image_of(side=8), "deeplift", baseline="noise", target=1)
    assert gap_of(beside) < 1e-3
    assert gap_of(beside, captums) > 0.02
    twice = asked(Reusing(nn.ReLU()), image_of(), "deeplift")
    with pytest.raises(RuntimeError, match="used more than once"):
        of_captum(twice)
    question = asked(Reusing(torch.tanh), image_of(), "deeplift")
    overlooked = of_captum(question)
    assert not torch.allclose(answered(question).values, overlooked, atol=0.01)
    torch.testing.assert_close(
        answered(question, gradient_times_difference).values, overlooked, atol=1e-5, rtol=1e-3
    )


@pytest.mark.parametrize(
    "table", ["conv4-batch-relu,max2,res4,res8-s2,inception8-leaky,global,fc5-batch-tanh", "lenet5"]
)
def test_the_networks_that_are_trained_here_add_up(table: str) -> None:
    source = torch.Generator().manual_seed(0)
    network = lenet5(source) if table == "lenet5" else build(table, source)
    drawn(network)
    assert gap_of(asked(network, digit, "deeplift", baseline="grey")) < 1e-3


@pytest.mark.parametrize("wrong", [wrong_sign, gradient_times_difference, slope_at_the_baseline])
def test_that_sum_rejects_a_wrong_engine(wrong: Code) -> None:
    question = asked(Reusing(torch.tanh), image_of(), "deeplift", baseline="grey")
    assert gap_of(question, wrong) > 0.02


def test_a_maximum_gives_each_place_its_due() -> None:
    """By hand: of two windows, one whose place moves and one that falls."""
    pool = nn.Sequential(nn.MaxPool2d((1, 2)), nn.Flatten(), nn.Linear(2, 2))
    drawn(pool)
    pool[2].get_parameter("weight").data.copy_(torch.tensor([[1.0, 10.0], [0.0, 0.0]]))
    image = torch.tensor([[[[0.9, 0.1, 0.2, 0.3]]]])
    picture = asked(pool, image, "deeplift", baseline="own")
    base = float(image.mean())  # 0.375, everywhere
    answer = answered(picture)
    rise, fall = 0.9 - base, 10 * (0.3 - base)
    # The first window rises at its first place. The second falls from where the baseline has its
    # maximum, which of equal values is the first: 0.2 lies lower than the maximum's fall goes.
    torch.testing.assert_close(answer.values.flatten(), torch.tensor([rise, 0, fall, 0]))
    assert answer.baseline == pytest.approx(float(pool(torch.full_like(image, base))[0, 0]))


def test_where_nothing_differs_nothing_is_given() -> None:
    grey = torch.full((1, 1, 6, 6), 0.5)
    answer = answered(asked(curved(3), grey, "deeplift", baseline="grey"))
    assert torch.equal(answer.values, torch.zeros(1, 6, 6))


# What does not add up is refused.


class Attending(nn.Module):
    """Attention among the rows of a picture."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
        drawn(self)

    def forward(self, pixels: Tensor) -> Tensor:
        rows = 3 * pixels[:, 0]
        given: Tensor = self.attention(rows, rows, rows, need_weights=False)[0]
        return given.mean(1)


def excited(maps: Tensor) -> Tensor:
    """Squeeze and excitation."""
    return maps * maps.mean((2, 3), keepdim=True).sigmoid()


REFUSED: dict[str, tuple[nn.Module, str]] = {
    "attention": (Attending(), "it has multi head attention"),
    "layer": (Reusing(lambda maps: F.layer_norm(maps, maps.shape[1:])), "it has layer norm"),
    "group": (Reusing(lambda maps: F.group_norm(maps, 2)), "it has group norm"),
    "softmax": (Reusing(lambda maps: maps.softmax(1)), "it has softmax"),
    "product": (Reusing(excited), "it multiplies or divides what follows from the picture"),
    "quotient": (Reusing(lambda maps: maps / maps.abs().mean(1, keepdim=True)), "it multiplies"),
    "matrices": (Reusing(lambda maps: maps @ maps), "it multiplies"),
    "a function that is not known": (Reusing(lambda maps: maps**3), "logits would be missing"),
    "largest of a map": (
        Reusing(lambda maps: maps - maps.amax((2, 3), keepdim=True)),
        "logits would be missing",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_would_not_add_up_is_refused(case: str) -> None:
    network, why = REFUSED[case]
    question = asked(network, image_of(), "deeplift", baseline="noise", seed=3)
    assert gap_of(question, gradient_times_difference) > 0.02  # it is curved indeed
    leaves_untouched(network, (lambda: answered(question), f"{REFUSAL} for this network: .*{why}"))


@pytest.mark.parametrize("normalisation", ["layer", "group"])
def test_normalisations_of_networks_trained_here_are_refused(normalisation: str) -> None:
    network = build(f"conv4-{normalisation}-relu,fc5", torch.Generator().manual_seed(0))
    question = asked(network.requires_grad_(False).eval(), digit, "deeplift")
    with pytest.raises(ValueError, match=f"{REFUSAL} .*it has group norm"):
        answered(question)


def test_what_is_multiplied_by_numbers_is_not_refused() -> None:
    """A gate that the picture has no part in: the squashing function's factors, a layer's scale."""
    gate = torch.full((4, 1, 1), 0.3).sigmoid()
    for network in (
        Reusing(lambda maps: maps * gate / 2),
        Reusing(lambda maps: torch.tanh(2 / 3 * maps).mul(1.7159)),
        Reusing(lambda maps: maps + torch.tanh(gate) * maps),
    ):
        assert gap_of(asked(network, image_of(), "deeplift")) < 1e-3


def test_the_network_stays_as_it_is() -> None:
    network = convolutions(lambda: nn.ReLU(inplace=True))
    image = image_of(side=8)
    before = image.clone()
    leaves_untouched(network, lambda: answered(asked(network, image, "deeplift")))
    assert torch.equal(image, before)
    plain = answered(asked(network, image)).values  # has its own gradients again
    leaf = image.clone().requires_grad_()
    torch.testing.assert_close(plain, torch.autograd.grad(network(leaf)[0, 0], leaf)[0][0])
